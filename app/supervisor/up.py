"""`relay up`: the Procfile's processes, and the embedded server when no RELAY_REDIS_URL is given, under supervisor.

supervisor (http://supervisord.org) restarts what dies, with a back-off for what dies young, and stops everything in
the reverse order of its start: the receiver first, then the workers, which all at once finish what they hold, then the
server.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shlex
import sys
from pathlib import Path

from app import embedded
from app.child import PARENT
from app.listening import must_be_free
from connectors.registry import settings_model
from core.environment import Environment, environment, token_file
from core.errors import ConfigError, Problem
from core.settings import Settings, load

#: Seconds that a process may take to finish what it holds. One attempt may take 60.
GRACE = 75
#: In the environment of the supervisor's programs where it is a person who reads what they print.
TERMINAL = "RELAY_UP_TERMINAL"

_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on
_ENTRY = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")

_SUPERVISORD = """\
[supervisord]
nodaemon=true
user={user}
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
loglevel=warn
"""

_PROGRAM = """
[program:{name}]
command={command}
priority={priority}
autorestart={restart}
startsecs={startsecs}
startretries=1000000
stopwaitsecs={grace}
killasgroup=true
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0
"""

_TOGETHER = """
[group:{name}]
programs={programs}
priority={priority}
"""


def procfile(path: Path) -> dict[str, str]:
    """The commands of a Procfile, by name, in order. Raises ConfigError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(str(path), [Problem("", f"cannot be read: {error.strerror}")]) from None
    entries, problems = {}, []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _ENTRY.match(line.strip()):
            entries[match[1]] = match[2]
        else:
            problems.append(Problem("", "expected NAME: COMMAND", number))
    if problems or not entries:
        raise ConfigError(str(path), problems or [Problem("", "no process in it; write, for one, web: relay web")])
    return entries


def main(path: Path, *, show_secrets: bool = False) -> None:
    """Check everything that can be checked, then become the supervisor. Raises ConfigError.

    `show_secrets`: what it prints is no log that others read, though it may be no terminal.
    """
    env = environment(os.environ)
    settings = load(env, settings_model, os.environ)
    entries = procfile(path)
    _check_ground(env)
    if not settings.tokens:
        _make_token(env)
    folder = env.data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "supervisord.conf"
    config.write_text(_config(env, entries, folder), encoding="utf-8")
    # The commands of this installation, whether or not its environment is activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ[PARENT] = str(os.getpid())
    os.environ.pop(TERMINAL, None)
    if show_secrets or sys.stdout.isatty():
        os.environ[TERMINAL] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)])


def _check_ground(env: Environment) -> None:
    problems = []
    try:
        env.data_dir.mkdir(parents=True, exist_ok=True)
        if env.embedded:
            os.close(embedded.lock(env))
    except BlockingIOError:
        problems.append(Problem("RELAY_DATA_DIR", f"another relay uses {env.data_dir}; stop it, or choose another"))
    except OSError as error:
        problems.append(Problem("RELAY_DATA_DIR", f"cannot write to {env.data_dir}: {error.strerror}"))
    try:
        must_be_free(env)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError("the environment", problems)


def _make_token(env: Environment) -> None:
    """None was given: make one, once."""
    descriptor = os.open(token_file(env.data_dir), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24) + "\n")


def _config(env: Environment, entries: dict[str, str], folder: Path) -> str:
    python = [sys.executable, "-m"]
    parts = [_SUPERVISORD.format(user=_escaped(getpass.getuser()), folder=_escaped(str(folder)))]

    def program(name: str, command: list[str], priority: int, *, once: bool = False) -> None:
        parts.append(
            _PROGRAM.format(
                name=name,
                command=_escaped(shlex.join(command)),
                priority=priority,
                restart="false" if once else "true",
                startsecs=0 if once else 3,
                grace=GRACE,
            )
        )

    if env.embedded:
        program("valkey", [*python, "app.embedded"], 1)
    # The Procfile's first is the last to start and the first to stop.
    for position, (name, command) in enumerate(entries.items()):
        program(name, [*python, "app.child", *shlex.split(command)], 900 - position)
    if others := list(entries)[1:]:
        # supervisor waits for one group before it stops the next. No entry's name can have a dot.
        parts.append(_TOGETHER.format(name="the.others", programs=",".join(others), priority=800))
    program("welcome", [*python, "app.child", *python, "app.cli", "welcome"], 950, once=True)
    return "".join(parts)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def local_url(env: Environment) -> str:
    """Where this machine reaches the pages and the hook."""
    name = "127.0.0.1" if env.host in _ANY_ADDRESS else env.host
    return f"http://{f'[{name}]' if ':' in name else name}:{env.port}"


def hook_path(settings: Settings) -> str:
    """What follows the address in the hook's URL."""
    return f"/smartsupp/{settings.tokens[0].token.get_secret_value() if settings.tokens else 'TOKEN'}"


def hook_url(env: Environment, settings: Settings) -> str:
    """The hook, from this machine."""
    return local_url(env) + hook_path(settings)
