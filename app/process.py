"""What every process of the relay sees to: that its files are its own, that it does not outlive its parent, that its
port is free. `python -m app.process COMMAND …` is one of `relay up`."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.mistakes.files import file_mistake
from core.errors import ConfigError, Problem
from core.supervised import SUPERVISED

if TYPE_CHECKING:  # every process loads this module, and one of them nothing else
    from core.config.environment import Environment

#: The supervisor's process id, in the environment of its children.
PARENT = SUPERVISED
#: Seconds in which a receiver that was told to stop answers what it has begun.
FINISHING = 10
#: Seconds in which the receiver before this one, which was stopped or whose parent was killed, lets go of its port.
HANDING_OVER = FINISHING + 5.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Seconds between two looks at the parent.
_LOOK = 1.0
#: Seconds in which no Python ran after which a server's process is given up; no call into C takes so long.
_STUCK = 30.0


def keep_to_ourselves() -> None:
    """What this process writes, and what the processes write that it starts, is for its user alone. A standard stream
    that was closed leads nowhere: the next file or socket would take its number, and what is printed."""
    os.umask(0o077)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def own_folder(folder: Path) -> None:
    """Make a folder, or close an existing one to others. One that cannot be closed is left: `relay doctor` says so.
    Raises OSError when it cannot be made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if open_to_others(folder) and not _shared_on_purpose(folder):
        try:
            folder.chmod(0o700)
        except OSError:  # another user's, such as a volume's
            return


def write_file(file: Path, text: str) -> None:
    """A file of ours that may be there already: on a full disk it need not be written anew. Raises ConfigError."""
    try:
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(file), [Problem("", f"cannot be written: {file_mistake(error)}")]) from None


def open_to_others(path: Path) -> bool:
    """Whether other users of this machine may look into it."""
    return bool(path.stat().st_mode & 0o077)


def _shared_on_purpose(folder: Path) -> bool:
    """`RELAY_DATA_DIR=/tmp`, a home or the place where it runs: not only the relay's things are there."""
    sticky = folder.stat().st_mode & 0o1000
    return bool(sticky) or any(place.is_relative_to(folder) for place in (Path.home(), Path.cwd()))


def tie_to_parent(parent: int | None = None) -> None:
    """Ask the kernel for a SIGTERM when the parent dies, even of SIGKILL: `parent`, or the supervisor where there is
    one. Linux only; it survives exec and is not handed down by fork."""
    # A child that was forked has its parent's handlers, which only make a note for the parent.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    expected = parent or int(os.environ.get(PARENT, "0"))
    if expected and os.getppid() != expected:  # it died before we asked
        raise SystemExit("the parent process has ended")


def watch_parent(parent: int) -> None:
    """End this process when its parent is gone, whatever became of the kernel's signal, and when no Python has run in
    it for half a minute: its server may hold the interpreter while it waits for a thread that wants it."""
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        # Its clock needs no interpreter to run out; each look sets it anew.
        faulthandler.dump_traceback_later(_STUCK, exit=True, file=2)
        time.sleep(_LOOK)
    if not sys.platform.startswith("linux"):  # there the kernel has sent one; Granian was seen to hang in its handler
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(FINISHING)
    os.kill(os.getpid(), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except (OSError, UnicodeDecodeError):  # another user's, or no Linux
        return True


_PORTS = {
    errno.EADDRINUSE: "another program uses it",
    errno.EACCES: "permission denied",
    errno.EADDRNOTAVAIL: "this machine does not have the address",
}


def no_port(host: str, port: int, error: OSError) -> str:
    return f"cannot listen on {host}:{port}: {_PORTS.get(error.errno or 0, 'the system refuses it')}"


def must_be_free(env: Environment, patience: float = 0.0) -> None:
    """Raises ConfigError when one cannot listen there, or when somebody else still does after `patience` seconds.

    Granian shares a port with whoever else shares it, on purpose. Two receivers that share one by mistake would each
    get half of the chats, perhaps for two stores: so this asks as one who does not share.
    """
    ends = time.monotonic() + patience
    while error := _refusal(env.host, env.port):
        if error.errno != errno.EADDRINUSE or time.monotonic() >= ends:
            text = f"{no_port(env.host, env.port, error)}; choose another port"
            raise ConfigError("the environment", [Problem("RELAY_PORT", text)])
        time.sleep(0.1)


def _refusal(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a receiver of a moment ago, which linger, are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def main(command: Sequence[str]) -> None:
    tie_to_parent()
    keep_to_ourselves()
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    main(sys.argv[1:])
