"""Work on one item in a process of its own."""

from __future__ import annotations

import pickle
import subprocess
import sys

from core.store import Claim


def run(claim: Claim, seconds: float) -> bool:
    """Work on a claim in a new process (workers/cell.py). False: it died, or was at it for too long and was killed."""
    # Only what this worker itself has just claimed goes through the pickle.
    command = [sys.executable, "-m", "workers.cell"]
    try:
        done = subprocess.run(command, input=pickle.dumps(claim), timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
