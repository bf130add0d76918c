"""What `relay up` prints once everything responds: all of it to a person, no secret to a log."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import requests

from app.admin import password
from app.hook_url import hook_path, local_url
from app.supervisor.embedded import keep_mark
from app.supervisor.up import TERMINAL
from core.config.environment import Environment, token_file
from core.config.settings import Settings
from core.errors import StoreUnsafe
from core.store import Access, connected

_PATIENCE = 60
#: The Dockerfile puts it into the image. Other containers, such as a virtual machine's, have names that we do not know.
_IMAGE = Path("/etc/relay-image")


def main(env: Environment, settings: Settings) -> None:
    """Wait for the receiver and a worker, then tell how to use them."""
    local = local_url(env)
    wrong = why_not_ready(f"{local}/readyz")
    if wrong:
        click.echo(f"\nNot ready after {_PATIENCE} s: {wrong}\n", err=True)
        raise SystemExit(1)
    if env.embedded:
        keep_mark(env)
    # The supervisor reads what its programs print, so this one sees no terminal even where there is one.
    read_by_a_person = sys.stdout.isatty() or TERMINAL in os.environ
    told = _in_person(env, settings, local) if read_by_a_person else _in_a_log(env, settings, local)
    click.echo(
        f"""
Relay for Smartsupp is running. Press Ctrl-C to stop it; accepted chats are not lost.

  Dashboard      {env.public_url or local}
{told.facts}
  Data folder    {env.data_dir}
  Configuration  {settings.source}; enabled: {", ".join(settings.enabled) or "nothing"}

Try it:

  {told.example}

{told.more}
"""
    )


@dataclass(frozen=True)
class _Told:
    """Password and hook, what to try, and what else there is."""

    facts: str
    example: str
    more: str


def _in_person(env: Environment, settings: Settings, local: str) -> _Told:
    path = hook_path(settings)
    sample = '{"accountId": 1000, "channel": {"id": "hello-1"}, "visitor": {"name": "Ann"}, "messages": []}'
    return _Told(
        f"  Password       {_password(env)}\n  Hook URL       {env.public_url or local}{path}",
        f"curl -d '{sample}' {local}{path}",
        f"In another terminal{_way_in()}: relay status · relay send --sample · relay deliveries",
    )


def _way_in() -> str:
    """What has to be typed before another terminal knows the command `relay`, or ""."""
    own, activate = Path(sys.prefix) / "bin", Path(sys.prefix) / "bin" / "activate"
    path = os.environ.get("PATH", "").split(os.pathsep)
    if path[0] == str(own):
        del path[0]  # `relay up` has put it there
    if os.environ.get("VIRTUAL_ENV") == sys.prefix:
        path = [one for one in path if one != str(own)]  # activated, but in this terminal
    known = shutil.which("relay", path=os.pathsep.join(path))
    return "" if known or not activate.exists() else f", after . {shlex.quote(str(activate))}"


def _in_a_log(env: Environment, settings: Settings, local: str) -> _Told:
    """A log is kept, and read by many: it says where the secrets are. No password is made that nobody would see."""
    here = f"docker exec -it {socket.gethostname()} " if _IMAGE.exists() else ""
    file = token_file(env.data_dir)
    if os.environ.get("SMARTSUPP_TOKEN"):
        place = "the one in SMARTSUPP_TOKEN"
    else:
        place = f"to read it: {here}cat {file}" if file.exists() else f"the first one in {settings.source}"
    hint = "as before" if _has_password(env) else "none yet"
    return _Told(
        f"  Password       {hint}; to set one: {here}relay admin set-password\n"
        f"  Hook URL       {env.public_url or local}/smartsupp/TOKEN\n"
        f"  TOKEN          {place}",
        f"{here}relay send --sample",
        "Not a terminal: the token and the password are not printed (relay up --show-secrets prints them).",
    )


def _has_password(env: Environment) -> bool:
    try:
        return bool(Access(connected(env, patient=True)).password())
    except StoreUnsafe:  # the log-in says so
        return True


def _password(env: Environment) -> str:
    """What to log in with: made here if there is none yet, and said once."""
    made = password.generate()
    if Access(connected(env, patient=True)).set_first_password(password.hashed(made)):
        return f"{made}   (shown once; relay admin set-password changes it)"
    return "as before; relay admin set-password sets a new one"


def why_not_ready(url: str, ended: Callable[[], bool] = lambda: False) -> str:
    """Returns "" as soon as everything answers, or what is wrong when that takes too long, or it has `ended`."""
    wrong = ""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if ended():
            return "it ended while it started"
        try:
            answer = requests.get(url, timeout=5)
            found = answer.json()
            wrong = "; ".join([*found["wrong"], *(doubt for doubt in found["doubts"] if "worker" in doubt)])
            if not wrong:
                return ""
        except (requests.RequestException, ValueError, KeyError):
            wrong = "the receiver does not respond"
        time.sleep(0.2)
    return wrong
