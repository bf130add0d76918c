"""`relay init`: a configuration file to start from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files

import click

from app.cli.options import as_json, fail, needs
from app.cli.output.records import print_json
from core.config.environment import Environment


def example() -> bytes:
    """The commented configuration that Relay brings with it."""
    return files(__package__).joinpath("relay.example.yaml").read_bytes()


@click.command()
@as_json
@needs(lambda env: env)
def init(env: Environment, as_json: bool) -> None:
    """Write a commented relay.yaml to start from.

    It goes into this folder, or to the place that RELAY_CONFIG names. A file that is already there stays as it is, and
    the exit code is 1.
    """
    file = env.config
    try:
        with file.open("xb") as target:
            target.write(example())
    except FileExistsError:
        fail(f"{file} already exists and was not changed. Check it with: relay config check")
    except OSError as error:
        with suppress(OSError):
            file.unlink()  # a disk that is full leaves a part of it
        fail(f"Cannot write {file}: {error.strerror}. Run relay init in a folder that you can write to.")
    if as_json:
        print_json({"file": str(file)})
        return
    click.echo(
        f"Wrote {file}. It archives every chat in {env.data_dir / 'archive'}.\n"
        "Next: add your CRM or help desk to it, then run relay config check.\n"
        "Start everything with: relay up"
    )


COMMANDS: Sequence[click.Command] = (init,)
