"""What `relay up` says once everything answers."""

from __future__ import annotations

import time

import click
import requests

from app.up import hook_url
from core.environment import Environment
from core.settings import Settings

_PATIENCE = 60


def main(env: Environment, settings: Settings) -> None:
    """Wait for the receiver and a worker, then tell how to use them."""
    hook = hook_url(env, settings)
    ready = hook.rpartition("/smartsupp/")[0] + "/readyz"
    wrong = _wait(ready)
    if wrong:
        click.echo(f"\nNot ready after {_PATIENCE} s: {wrong}\n", err=True)
        raise SystemExit(1)
    sample = '{"accountId": 1000, "channel": {"id": "hello-1"}, "visitor": {"name": "Ann"}, "messages": []}'
    click.echo(
        f"""
Relay for Smartsupp is running. Ctrl-C stops it; nothing accepted is lost.

  Hook URL       {hook}
  Data folder    {env.data_dir}
  Configuration  {settings.source}; enabled: {", ".join(settings.enabled) or "nothing"}

Try it:

  curl -d '{sample}' {hook}

In another terminal: relay status · relay send --sample · relay deliveries
"""
    )


def _wait(url: str) -> str:
    """Returns "" as soon as everything answers, or what is wrong when that takes too long."""
    wrong = ""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        try:
            answer = requests.get(url, timeout=5)
            found = answer.json()
            wrong = "; ".join([*found["wrong"], *(doubt for doubt in found["doubts"] if "worker" in doubt)])
            if not wrong:
                return ""
        except (requests.RequestException, ValueError, KeyError):
            wrong = "the receiver does not answer"
        time.sleep(0.2)
    return wrong
