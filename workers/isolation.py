"""Work on one item in a process of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import structlog

from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from core.config.settings import Settings
from core.errors import RelayError, StoreUnavailable
from core.store import Claim
from workers.delivery import PATIENCE

log = structlog.get_logger(__name__)

#: How a process ends that lost the store in the middle of its work (EX_TEMPFAIL), or found no memory (EX_OSERR).
AWAY, NO_MEMORY = 75, 71
#: Seconds that such a process may take: to start, for an attempt, and until a server that went away at its end is back.
APART = 15 + ATTEMPT_SECONDS + PATIENCE


class NotBegun(RelayError):
    """The process could not be started, or ended before it touched the item, which is not to blame then."""


def run(claim: Claim, seconds: float, settings: Settings | None = None) -> bool:
    """Work on a claim in a new process (workers/isolation_child.py). False: it died of it, or was at it for too long.

    `settings` are those in force here: the file may be half-written at this moment, and nobody waits for it.

    Raises NotBegun, StoreUnavailable and MemoryError: nobody died of that.
    """
    try:
        told, tell = os.pipe()
    except OSError as error:
        raise NotBegun(f"no process could be started: {error}") from error
    with os.fdopen(told, "rb", buffering=0) as begun:
        command = [sys.executable, "-m", "workers.isolation_child", str(tell)]
        try:
            # Only what this worker itself has just claimed goes through the pickle.
            given = pickle.dumps(claim) + _pickled(settings)
            done = subprocess.run(command, input=given, timeout=seconds, check=False, pass_fds=(tell,))
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = None
        except OSError as error:
            raise NotBegun(f"no process could be started: {error}") from error
        finally:
            os.close(tell)
        has_begun = bool(begun.read(1))
    if code == AWAY:
        raise StoreUnavailable("the store was unavailable to a separate process")
    if code == NO_MEMORY:
        raise MemoryError("a separate process ran out of memory")
    if not has_begun:
        how = "was not ready in time" if code is None else f"ended with {code} before it began"
        raise NotBegun(f"the process {how}")
    return code == 0


def _pickled(settings: Settings | None) -> bytes:
    try:
        return pickle.dumps(settings)
    except Exception as error:  # noqa: BLE001  # a third party's settings may hold what cannot be written down
        log.warning("settings cannot be passed to a separate process; it reads the file", error=type(error).__name__)
        return pickle.dumps(None)
