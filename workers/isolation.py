"""Work on one item in a process of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from core.errors import RelayError, StoreUnavailable
from core.store import Claim

#: How a process ends that lost the store in the middle of its work (EX_TEMPFAIL).
AWAY = 75


class NotBegun(RelayError):
    """The process could not be started, or ended before it touched the item, which is not to blame then."""


def run(claim: Claim, seconds: float) -> bool:
    """Work on a claim in a new process (workers/cell.py). False: it died of it, or was at it for too long.

    Raises NotBegun, and StoreUnavailable: nobody died of that.
    """
    try:
        told, tell = os.pipe()
    except OSError as error:
        raise NotBegun(f"no process could be started: {error}") from error
    with os.fdopen(told, "rb", buffering=0) as begun:
        command = [sys.executable, "-m", "workers.cell", str(tell)]
        try:
            # Only what this worker itself has just claimed goes through the pickle.
            done = subprocess.run(command, input=pickle.dumps(claim), timeout=seconds, check=False, pass_fds=(tell,))
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = None
        except OSError as error:
            raise NotBegun(f"no process could be started: {error}") from error
        finally:
            os.close(tell)
        if not begun.read(1):
            how = "was not ready in time" if code is None else f"ended with {code} before it began"
            raise NotBegun(f"the process {how}")
    if code == AWAY:
        raise StoreUnavailable("the store was away from a process of its own")
    return code == 0
