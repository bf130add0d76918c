"""A process for one item that may have killed those it ran in before:
`python -m workers.isolation_child FD`, the claim and the settings on stdin.

If it kills this one too, its worker lives on, and knows who is to blame: a byte on the file descriptor says that
everything is ready and the work begins. Whatever happens before has nothing to do with the item.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import structlog

from core.config.environment import environment
from core.config.settings import Settings
from core.errors import ConfigError, StoreUnavailable
from core.log import configure
from core.store import Claim, Renames, Store, connected
from core.store.protocol.constants import BEAT_MS
from workers import telemetry
from workers.celery import create, waker
from workers.configuration import Configuration
from workers.isolation import AWAY, NO_MEMORY
from workers.lease_keeper import LeaseKeeper
from workers.work import Work

log = structlog.get_logger("workers.isolation_child")


def main() -> None:
    # Ctrl-C, for one, tells a whole group to stop. The worker finishes what it has begun then, and this is part of it.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    configure(os.environ.get("RELAY_LOG", "console"))
    telemetry.start("worker", os.environ)
    _go_first()
    claim: Claim = pickle.load(sys.stdin.buffer)  # noqa: S301  # from workers/isolation.py
    try:
        env = environment(os.environ)
        configuration = Configuration(env, os.environ, _inherited())
    except ConfigError as error:
        log.error("separate process cannot start", error=str(error))
        sys.exit(1)
    try:
        Renames(connected(env)).adopt(configuration.settings())
    except StoreUnavailable:
        sys.exit(AWAY)
    store, leases = Store(connected(env, wake_up=waker(create(env)))), LeaseKeeper(Store(connected(env)))
    worker = f"{socket.gethostname()}:{os.getppid()}"
    work = Work(store, configuration, leases, worker)
    threading.Thread(target=_heartbeat, args=(leases,), name="heartbeat", daemon=True).start()
    os.write(int(sys.argv[1]), b"!")
    os.close(int(sys.argv[1]))
    try:
        with leases.hold([claim]):
            work.perform([claim])
    except StoreUnavailable:
        sys.exit(AWAY)
    except MemoryError:
        sys.exit(NO_MEMORY)


def _go_first() -> None:
    """Where memory runs out, the kernel is to end this process and no worker beside it: the item that takes it may be
    the one in here."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _inherited() -> Settings | None:
    """The settings that our worker works under, unless they could not be written down, or read."""
    try:
        found: Settings | None = pickle.load(sys.stdin.buffer)  # noqa: S301  # from workers/isolation.py
    except Exception:  # noqa: BLE001  # a third party's settings fail as they like
        return None
    return found


def _heartbeat(leases: LeaseKeeper) -> None:
    """Renew the lease from here, too: if the worker outside is killed, what was begun here is ended all the same, and
    its death is not held against the item."""
    while True:
        try:
            leases.care()
        except StoreUnavailable as error:
            log.warning("store unavailable", error=str(error))
        except Exception:  # without it, nobody might renew the lease
            log.exception("unhandled error in heartbeat")
        time.sleep(BEAT_MS / 1000)


if __name__ == "__main__":
    main()
