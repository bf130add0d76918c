"""`relay demo`: the whole product in a minute, without an account anywhere."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.options import fail
from app.demo.running import Demo, chat_line


@click.command()
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of the dashboard; default: a free one.")
@click.option(
    "--past", default=1500, show_default=True, type=click.IntRange(0, 100_000), help="Chats of the last year."
)
@click.option(
    "--per-minute", default=12.0, show_default=True, type=click.FloatRange(0.1, 600), help="New chats a minute."
)
def demo(port: int, past: int, per_minute: float) -> None:
    """Show the whole product with a made-up shop and its chats.

    A year of chats is there, and new ones come all the time. The demo needs no account and touches nothing else on this
    machine: the store, the configuration and the files lie in a temporary folder, which is removed at the end.
    Smartsupp is a small server that is part of Relay.
    """
    with tempfile.TemporaryDirectory(prefix="relay-demo-", ignore_cleanup_errors=True) as folder:
        click.echo(f"Starting a relay with {past:,} past chats …", err=True)
        running = Demo(Path(folder), port or _free_port(), past)
        try:
            with _until_told_to_stop(running), running:
                click.echo(
                    f"\n  Dashboard   {running.dashboard}\n  Folder      {folder}\n\n"
                    "The link logs one browser in. Press Ctrl-C to end the demo; everything is removed then.\n"
                )
                running.send_chats(per_minute, lambda chat, posted: click.echo(f"  {chat_line(chat, posted)}"))
        except RuntimeError as error:
            fail(f"the demo did not start: {error}")
    click.echo("\nThe demo is over. To begin in earnest: relay init, then relay up", err=True)


@contextmanager
def _until_told_to_stop(running: Demo) -> Iterator[None]:
    """Ctrl-C and a polite kill end the demo, not this process in the middle of it."""
    before = {number: signal.signal(number, lambda *_: running.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


COMMANDS: Sequence[click.Command] = (demo,)
