"""A process for one item that may have killed those it ran in before: `python -m workers.cell`, the claim on stdin.

If it kills this one too, its worker lives on, and knows who is to blame.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys

from core import log
from core.environment import environment
from core.errors import StoreUnavailable
from workers import telemetry
from workers.celery import create, knocker
from workers.isolation import AWAY
from workers.runtime import Runtime


def main() -> None:
    # Ctrl-C, for one, tells a whole group to stop. The worker finishes what it has begun then, and this is part of it.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    log.configure(os.environ.get("RELAY_LOG", "console"))
    telemetry.start("worker", os.environ)
    claim = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # from workers/isolation.py
    env = environment(os.environ)
    runtime = Runtime(env, os.environ, knocker(create(env)))
    try:
        # The worker outside goes on renewing the lease.
        runtime.perform([claim])
    except StoreUnavailable:
        sys.exit(AWAY)


if __name__ == "__main__":
    main()
