"""`relay completion`: what a shell needs to complete commands, options, and names of connectors."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for completion in your shell.

    It completes commands, options and names.

    \b
    Install it once:
      bash  relay completion bash >> ~/.bashrc
      zsh   relay completion zsh >> ~/.zshrc
      fish  relay completion fish > ~/.config/fish/completions/relay.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"unknown shell: {shell}")
    click.echo(kind(ctx.find_root().command, {}, "relay", "_RELAY_COMPLETE").source())


COMMANDS: Sequence[click.Command] = (completion,)
