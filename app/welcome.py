"""What `relay up` says once everything answers."""

from __future__ import annotations

import time

import click
import requests

from app import password
from app.up import hook_path, local_url
from core.environment import Environment
from core.settings import Settings
from core.store import Access, connected

_PATIENCE = 60


def main(env: Environment, settings: Settings) -> None:
    """Wait for the receiver and a worker, then tell how to use them."""
    local, path = local_url(env), hook_path(settings)
    public = env.public_url or local
    wrong = _wait(f"{local}/readyz")
    if wrong:
        click.echo(f"\nNot ready after {_PATIENCE} s: {wrong}\n", err=True)
        raise SystemExit(1)
    sample = '{"accountId": 1000, "channel": {"id": "hello-1"}, "visitor": {"name": "Ann"}, "messages": []}'
    click.echo(
        f"""
Relay for Smartsupp is running. Ctrl-C stops it; nothing accepted is lost.

  Dashboard      {public}
  Password       {_password(env)}
  Hook URL       {public}{path}
  Data folder    {env.data_dir}
  Configuration  {settings.source}; enabled: {", ".join(settings.enabled) or "nothing"}

Try it:

  curl -d '{sample}' {local}{path}

In another terminal: relay status · relay send --sample · relay deliveries
"""
    )


def _password(env: Environment) -> str:
    """What to log in with: made here if there is none yet, and said once."""
    made = password.generate()
    if Access(connected(env, patient=True)).set_first_password(password.hashed(made)):
        return f"{made}   (said only now; relay admin set-password changes it)"
    return "as before; relay admin set-password sets a new one"


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
