"""A child of `relay up`: it does not outlive the supervisor, however that ends. `python -m app.child COMMAND …`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

#: The supervisor's process id, in the environment of its children.
PARENT = "RELAY_SUPERVISOR"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie_to_parent() -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, even of SIGKILL. Linux only; it survives exec."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    expected = os.environ.get(PARENT)
    if expected and os.getppid() != int(expected):  # it died before we asked
        raise SystemExit("the supervisor is gone")


def main(command: Sequence[str]) -> None:
    tie_to_parent()
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    main(sys.argv[1:])
