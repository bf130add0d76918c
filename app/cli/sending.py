"""`relay send`: post payloads as Smartsupp does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests

from app.admin import sample
from app.cli.options import as_json, fail, needs, settings_anyway
from app.cli.output.records import print_json
from app.hook_url import hook_url
from core.config.environment import Environment
from core.config.settings import Settings


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", "send_sample", is_flag=True, help="Send a sample chat; a new one each time.")
@click.option("--url", default=None, help="The full hook URL; default: the one of this installation.")
@as_json
@needs(lambda env: env)
def send(env: Environment, files: Sequence[Path], send_sample: bool, url: str | None, as_json: bool) -> None:
    """Post payloads to a running receiver, as Smartsupp does.

    \b
    Example: relay send --sample
    """
    if not files and not send_sample:
        raise click.UsageError("name a file, or pass --sample")
    settings = None if url else settings_anyway(env)
    target = url or hook_url(env, settings or Settings(source="", tokens=env.tokens, connectors={}, routes=()))
    bodies = [(str(file), file.read_bytes()) for file in files]
    if send_sample:
        bodies.append(("sample", sample.body()))
    answers = []
    for name, body in bodies:
        try:
            answer = requests.post(
                target, data=body, headers={"Content-Type": "application/json"}, timeout=30, allow_redirects=False
            )
        except requests.RequestException:
            fail(f"{name}: the receiver does not respond at {_without_token(target)}. Start it with: relay up")
        answers.append({"name": name, "status": answer.status_code, "answer": answer.text.strip()})
        if not as_json:
            click.echo(f"{name}: {answer.status_code} {answer.text.strip()}")
    if as_json:
        print_json(answers)
    raise SystemExit(any(one["status"] != 202 for one in answers))


def _without_token(url: str) -> str:
    """Scheme and host: the path holds the token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


COMMANDS: Sequence[click.Command] = (send,)
