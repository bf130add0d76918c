"""One worker process, wired: its configuration, its leases, the loop that its threads run, and what runs beside them.

The heartbeat renews the leases of all that is in flight, says that this worker is alive, and looks for lanes with
something due. No Celery in here.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from core.config.environment import Environment
from core.config.settings import Settings
from core.errors import StoreUnavailable
from core.store import Control, Renames, Store, connected
from core.store.protocol.constants import BEAT_MS
from workers.alerts.notifier import Notifier
from workers.configuration import Configuration
from workers.lane_loop import LaneLoop
from workers.lease_keeper import LeaseKeeper
from workers.maintenance import Chores
from workers.parse_cache import memory
from workers.source.catch_up import CatchUpWork
from workers.source.fetching import Fetching
from workers.work import Work

log = structlog.get_logger(__name__)

#: Seconds between two looks for lanes with something due; every other one comes with a beat.
TICK = 0.75


class Runtime:
    """`wake_up` tells the workers, this one included, that there is work in a lane."""

    def __init__(self, env: Environment, variables: Mapping[str, str], wake_up: Callable[[str], None]) -> None:
        """Raises ConfigError. Nothing is sent to the server yet."""
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._env, self._tell_workers = env, wake_up
        self._stopping, self._left = threading.Event(), threading.Event()
        self._names = Renames(connected(env))
        self._configuration = Configuration(env, variables, prepare=self._adopt_names)
        client = connected(env, wake_up=self._wake_up)
        store, fetching = Store(client), Fetching(Store(client), client, self._stopping)
        # With a client of its own: the heartbeat waits for nobody's connection.
        own = connected(env, wake_up=self._wake_up)
        self._store, self._control = Store(own), Control(own)
        self._leases = LeaseKeeper(self._store)
        work = Work(store, self._configuration, self._leases, self.name, self._stopping.is_set, fetching)
        self._loop = LaneLoop(store, self._configuration, self._leases, work, env.concurrency, self._stopping)
        self.drain = self._loop.drain

    def prepare(self) -> None:
        """Before anything is claimed. Raises StoreUnavailable."""
        self._adopt_names(self._configuration.settings())

    def _adopt_names(self, settings: Settings) -> None:
        for old, new in self._names.adopt(settings):
            log.info("connector renamed: moving its deliveries", old=old, new=new)

    def start(self) -> None:
        """Start what runs beside the threads that answer wake-ups."""
        settings, stopping = self._configuration.settings, self._stopping
        threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True).start()
        self._configuration.follow(stopping)
        client = connected(self._env, wake_up=self._wake_up)
        Chores(client, Store(client), settings, stopping, self._env.data_dir).start()
        CatchUpWork(connected(self._env, wake_up=self._wake_up), settings, stopping).start()
        Notifier(connected(self._env), settings, self._env.public_url, stopping, self._env.disk).start()

    def stop(self) -> None:
        """Claim nothing more. What is in flight is finished by its threads."""
        self._stopping.set()
        self._loop.stop()

    def leave(self) -> None:
        """Everything is finished: sign off."""
        self._left.set()
        try:
            self._leases.care(leaving=True)
            self._store.leave(self.name)
        except StoreUnavailable:
            log.debug("stopped without signing off: store unavailable")

    def _wake_up(self, lane: str) -> None:
        if self._stopping.is_set() or not self._loop.answer(lane):
            self._tell_workers(lane)

    def _heartbeat(self) -> None:
        beat_at = 0.0
        while not self._left.is_set():
            try:
                if time.monotonic() >= beat_at:
                    self._beat()
                    beat_at = time.monotonic() + BEAT_MS / 1000
                if not self._stopping.is_set():
                    self._store.tick(round(TICK * 1000), self._configuration.now.lanes)
            except StoreUnavailable as error:
                log.warning("store unavailable", error=str(error))
            except Exception:  # the heartbeat must not stop: without it every lease here runs out
                log.exception("unhandled error in heartbeat")
            self._left.wait(TICK)

    def _beat(self) -> None:
        memory.forget_old()
        self._leases.care(leaving=self._stopping.is_set())
        if self._configuration.changed.is_set():
            self._open_gates()
        self._store.beat(self.name, self._configuration.trouble)

    def _open_gates(self) -> None:
        """Open those of connectors that paused themselves under other settings: what was wrong may be right now."""
        changed = self._configuration.changed
        changed.clear()
        try:
            settings = self._configuration.settings()
            for name in settings.enabled:
                if self._control.resume(name, changed_to=settings.fingerprints[name]):
                    log.info("resumed: its settings have changed", connector=name)
        except StoreUnavailable:
            changed.set()
            raise
