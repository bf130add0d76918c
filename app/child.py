"""A child that does not outlive its parent, however that ends. `python -m app.child COMMAND …` is one of `relay up`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

#: The supervisor's process id, in the environment of its children.
PARENT = "RELAY_SUPERVISOR"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie_to_parent(parent: int | None = None) -> None:
    """Ask the kernel for a SIGTERM when the parent dies, even of SIGKILL: `parent`, or the supervisor where there is
    one. Linux only; it survives exec and is not handed down by fork."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    expected = parent or int(os.environ.get(PARENT, "0"))
    if expected and os.getppid() != expected:  # it died before we asked
        raise SystemExit("the parent is gone")


def main(command: Sequence[str]) -> None:
    tie_to_parent()
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    main(sys.argv[1:])
