"""`relay`: the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from app.cli import running
from app.process import keep_to_ourselves
from core.config.sources import dotenv_file
from core.errors import ConfigError, RelayError, StoreUnavailable


def main() -> None:
    """The console script: an error that we raise is a sentence, not a traceback."""
    keep_to_ourselves()
    # A connector of your own may lie beside relay.yaml. Last, so that it hides nothing.
    sys.path.append(str(Path.cwd()))
    try:
        dotenv_file.adopt(os.environ)
        _commands()(prog_name="relay")
    except ConfigError as error:
        _fail(str(error), 2)
    except StoreUnavailable as error:
        _fail(_away(error))
    except RelayError as error:
        _fail(str(error))


def _commands() -> click.Group:
    """Those that are asked for: the two that run for long load none of the others, a third of their memory."""
    light = {str(one.name): one for one in running.COMMANDS}
    if len(sys.argv) > 1 and sys.argv[1] in light:
        return click.Group(commands=light, context_settings={"help_option_names": ["-h", "--help"]})

    from app.cli.sections import group

    return group


def _away(error: StoreUnavailable) -> str:
    from app.admin.doctor_store import away
    from core.config.environment import environment

    line = away(environment(os.environ), error)
    return f"The store {line.text}.\nWhat to do: {line.remedy}.\nFor details: relay doctor"


def _fail(text: str, code: int = 1) -> None:
    click.echo(text, err=True)
    raise SystemExit(code)
