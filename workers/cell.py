"""A process for one item that may have killed those it ran in before: `python -m workers.cell FD`, the claim on stdin.

If it kills this one too, its worker lives on, and knows who is to blame: a byte on the file descriptor says that
everything is ready and the work begins. Whatever happens before has nothing to do with the item.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys

import structlog

from core.environment import environment
from core.errors import ConfigError, StoreUnavailable
from core.log import configure
from workers import telemetry
from workers.celery import create, knocker
from workers.isolation import AWAY
from workers.runtime import Runtime

log = structlog.get_logger("workers.cell")


def main() -> None:
    # Ctrl-C, for one, tells a whole group to stop. The worker finishes what it has begun then, and this is part of it.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    configure(os.environ.get("RELAY_LOG", "console"))
    telemetry.start("worker", os.environ)
    claim = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # from workers/isolation.py
    try:
        env = environment(os.environ)
        runtime = Runtime(env, os.environ, knocker(create(env)))
    except ConfigError as error:  # its worker goes on with the settings of before, which this process never had
        log.error("a process of its own cannot start", error=str(error))
        sys.exit(1)
    os.write(int(sys.argv[1]), b"!")
    os.close(int(sys.argv[1]))
    try:
        # The worker outside goes on renewing the lease.
        runtime.perform([claim])
    except StoreUnavailable:
        sys.exit(AWAY)


if __name__ == "__main__":
    main()
