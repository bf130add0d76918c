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
import time
from collections.abc import Callable
from pathlib import Path

from app.process import HANDING_OVER, PARENT, is_alive, must_be_free, own_folder, write_file
from app.supervisor import embedded
from connectors.registry import settings_model
from core.config.environment import Environment, environment, token_file
from core.config.loader import load
from core.config.mistakes.files import file_mistake
from core.config.reload import Watched
from core.errors import ConfigError, Problem

#: Seconds that a process may take to finish what it holds. One attempt may take 60.
GRACE = 75
#: In the environment of the supervisor's programs where it is a person who reads what they print.
TERMINAL = "RELAY_UP_TERMINAL"

_PIDFILE = "supervisord.pid"
#: What runs where there is no Procfile, as after `pip install` in an empty folder.
DEFAULT = {"web": "relay web", "worker": "relay worker"}

_ENTRY = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")

_SUPERVISORD = """\
[supervisord]
nodaemon=true
user={user}
logfile=/dev/null
logfile_maxbytes=0
pidfile={pidfile}
umask=077
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


def processes(path: Path | None) -> dict[str, str]:
    """Commands by name, in order: of the Procfile at `path`, or else of the one here, or else a receiver and a worker.
    Raises ConfigError."""
    if path is None:
        path = Path("Procfile")
        if not path.exists():
            return dict(DEFAULT)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(str(path), [Problem("", f"cannot be read: {file_mistake(error)}")]) from None
    entries, problems = {}, []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _ENTRY.match(line.strip()):
            entries[match[1]] = match[2]
        else:
            problems.append(Problem("", "expected NAME: COMMAND", number))
    if problems or not entries:
        raise ConfigError(str(path), problems or [Problem("", "contains no process; write, such as: web: relay web")])
    return entries


def main(path: Path | None = None, *, show_secrets: bool = False) -> None:
    """Check everything that can be checked, then become the supervisor. Raises ConfigError.

    `show_secrets`: what it prints is no log that others read, though it may be no terminal.
    """
    env = environment(os.environ)
    settings = load(env, settings_model, os.environ)
    entries = processes(path)
    _check_ground(env)
    Watched(env, settings_model, os.environ)  # kept for whoever is restarted while the file is broken
    if not settings.tokens:
        _make_token(env)
    config = _folder(env) / "supervisord.conf"
    write_file(config, _config(env, entries, _folder(env)))
    # The commands of this installation, whether or not its environment is activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ[PARENT] = str(os.getpid())
    os.environ.pop(TERMINAL, None)
    if show_secrets or sys.stdout.isatty():
        os.environ[TERMINAL] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "app.supervisor.supervisord", "-c", str(config)])


def _check_ground(env: Environment) -> None:
    problems: list[Problem] = []
    # One that was killed leaves its processes to end by themselves; they may take a while.
    patience = HANDING_OVER if _was_killed(_folder(env) / _PIDFILE) else 0.0
    try:
        own_folder(env.data_dir)
        own_folder(_folder(env))
        if env.embedded:
            os.close(_patiently(lambda: embedded.lock(env), patience))
            problems += embedded.problems(env)
    except BlockingIOError:
        problems.append(Problem("RELAY_DATA_DIR", f"another relay uses {env.data_dir}; stop it, or choose another"))
    except OSError as error:
        problems.append(Problem("RELAY_DATA_DIR", f"cannot write to {env.data_dir}: {file_mistake(error)}"))
    try:
        must_be_free(env, patience)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError("the environment", problems)


def _folder(env: Environment) -> Path:
    """What the supervisor needs while it runs."""
    return env.data_dir / "run"


def _was_killed(pidfile: Path) -> bool:
    """Whether there was a supervisor that could not remove its file, as it does at its end."""
    try:
        before = int(pidfile.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return pidfile.exists()
    # In a container it may have had our number.
    return before == os.getpid() or not is_alive(before)


def _patiently(take: Callable[[], int], patience: float) -> int:
    ends = time.monotonic() + patience
    while True:
        try:
            return take()
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise
        time.sleep(0.1)


def _make_token(env: Environment) -> None:
    """None was given: make one, once."""
    descriptor = os.open(token_file(env.data_dir), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24) + "\n")


def _config(env: Environment, entries: dict[str, str], folder: Path) -> str:
    python = [sys.executable, "-m"]
    parts = [
        _SUPERVISORD.format(
            user=_escaped(getpass.getuser()), folder=_escaped(str(folder)), pidfile=_escaped(str(folder / _PIDFILE))
        )
    ]

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
        program("valkey", [*python, "app.supervisor.embedded"], 1)
    # The Procfile's first is the last to start and the first to stop.
    for position, (name, command) in enumerate(entries.items()):
        program(name, [*python, "app.process", *shlex.split(command)], 900 - position)
    if others := list(entries)[1:]:
        # supervisor waits for one group before it stops the next. No entry's name can have a dot.
        parts.append(_TOGETHER.format(name="the.others", programs=",".join(others), priority=800))
    program("welcome", [*python, "app.process", *python, "app.cli", "welcome"], 950, once=True)
    return "".join(parts)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
