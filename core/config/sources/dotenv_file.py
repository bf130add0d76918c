"""`.env` beside relay.yaml: variables in a file, for those who have no place where their environment is set.

What a process reads at its start (RELAY_…, SMARTSUPP_TOKEN) is taken from it then; what relay.yaml names as `${NAME}`
is looked up whenever relay.yaml is read, so that a change needs no restart. The environment wins.
"""

from __future__ import annotations

import io
import os
from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from dotenv.parser import parse_stream

from core.config.mistakes.files import file_mistake
from core.config.sources.plain_file import contents
from core.errors import ConfigError, Problem

DOTENV_NAME = ".env"
#: What begins so is read by the processes themselves, not only by relay.yaml. PORT is not among them: a `.env` of
#: another program may well lie here.
_OF_PROCESSES = ("RELAY_", "SMARTSUPP_", "OTEL_", "SENTRY_", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def beside(config: Path) -> Path:
    return config.with_name(DOTENV_NAME)


def with_file(
    config: Path, variables: Mapping[str, str], read: Callable[[Path], bytes] = contents
) -> Mapping[str, str]:
    """The variables, and behind them those of the `.env` beside `config`. Raises ConfigError."""
    return ChainMap({}, _mutable(variables), _read(beside(config), read))


def adopt(variables: MutableMapping[str, str]) -> None:
    """Take what this process and its children read at their start. Raises ConfigError."""
    config = Path(os.path.abspath(variables.get("RELAY_CONFIG") or "relay.yaml"))
    for name, value in _read(beside(config), contents).items():
        if name.startswith(_OF_PROCESSES):
            variables.setdefault(name, value)


def _mutable(variables: Mapping[str, str]) -> MutableMapping[str, str]:
    # ChainMap writes to its first map alone, and that is ours.
    return variables if isinstance(variables, MutableMapping) else dict(variables)


def _read(file: Path, read: Callable[[Path], bytes]) -> dict[str, str]:
    try:
        text = read(file).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):  # a folder of this name is a virtual environment
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(str(file), [Problem("", f"cannot be read: {file_mistake(error)}")]) from None
    found: dict[str, str] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            text = "is not NAME=value; correct it, or put a # in front"
            skipped = len(binding.original.string) - len(binding.original.string.lstrip())
            problems.append(Problem("", text, binding.original.line + binding.original.string[:skipped].count("\n")))
        elif binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    if problems:
        raise ConfigError(str(file), problems)
    return found
