"""Work on one item in a process of its own."""

from __future__ import annotations

import pickle
import subprocess
import sys

from core.errors import StoreUnavailable
from core.store import Claim

#: How a process ends that could not reach the store (EX_TEMPFAIL).
AWAY = 75


def run(claim: Claim, seconds: float) -> bool:
    """Work on a claim in a new process (workers/cell.py). False: it died, or was at it for too long and was killed.

    Raises StoreUnavailable: nobody died of that.
    """
    # Only what this worker itself has just claimed goes through the pickle.
    command = [sys.executable, "-m", "workers.cell"]
    try:
        done = subprocess.run(command, input=pickle.dumps(claim), timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == AWAY:
        raise StoreUnavailable("the store was away from a process of its own")
    return done.returncode == 0
