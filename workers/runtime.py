"""What a worker process holds, and the loop that its threads run. No Celery in here.

A thread that answers a knock drains a lane: claim, work, settle, again, until nothing is due or its slice is over.
Beside the threads runs one pulse, which renews the leases of all that is in flight, looks for lanes with something
due, and follows the configuration.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from connectors import registry
from connectors.base import Connector
from connectors.http import ATTEMPT_SECONDS
from core.environment import Environment
from core.errors import ConfigError, LostLease, Problem, StoreUnavailable
from core.garbage import replaced
from core.identity import fresh
from core.log import about
from core.settings import Settings
from core.store import INBOX, Claim, Store, connected
from core.store.claims import Limits, Next
from core.store.store import BEAT_MS, How
from core.watch import Watched
from workers import isolation
from workers.chores import Chores
from workers.delivery import PATIENCE, deliver
from workers.intake import take_in
from workers.memory import memory
from workers.notices import Teller
from workers.slots import Slots

log = structlog.get_logger(__name__)

#: Seconds after which a thread lets another lane have its turn, where there are more lanes than threads; and where
#: there are not, so that every lane has one (slots.py), and the turn costs only a knock.
SLICE, LONG = 1.0, 30.0
#: How often, and after how many seconds, the last thread of a lane looks again before it leaves.
LOOKS, LOOK = 10, 0.01
#: Seconds between two looks for lanes with something due; every other pulse is a beat.
TICK = 0.75
#: After this many crashes, the next try runs in a process of its own: it can hurt nobody else, and is to blame if that
#: one dies.
SUSPECT = 2
#: Seconds that such a process may take: to start, for an attempt, and until a server that went away at its end is back.
APART = 15 + ATTEMPT_SECONDS + PATIENCE
#: Seconds after which a thread that is still at it counts as hung, and its lease is left to run out.
HUNG = APART + 5
#: Seconds until the next try when such a process did not even begin.
PAUSE = 10


class Runtime:
    """One worker process. `knock` tells the workers, this one included, that there is work in a lane."""

    def __init__(self, env: Environment, variables: Mapping[str, str], knock: Callable[[str], None]) -> None:
        """Raises ConfigError."""
        self.env = env
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = threading.Event()
        self.store = Store(connected(env))
        self._knock = knock
        self._slots = Slots(env.concurrency)
        self._lock = threading.Lock()
        self._in_flight: dict[tuple[str, str], tuple[Claim, float]] = {}
        #: With the monotonic time from which on each may go. Until then it is held.
        self._give_back: list[tuple[float, Claim]] = []
        self._unsure: list[tuple[str, str]] = []
        self._gates_to_open = True
        self._watched = Watched(env, registry.settings_model, variables, self._adopt)
        self._config = self._built(self._watched.current())

    @property
    def lanes(self) -> tuple[str, ...]:
        return (INBOX, *self._config[1])

    def start(self) -> None:
        """Start what runs beside the threads that answer knocks."""
        threading.Thread(target=self._pulse, name="pulse", daemon=True).start()
        client = connected(self.env)
        Chores(client, self.store, self._knock, lambda: self._config[0].retention, self.stopping).start()
        Teller(connected(self.env), lambda: self._config[0], self.env.public_url, self.stopping).start()

    def stop(self) -> None:
        """Claim nothing more. What is in flight is finished by its threads."""
        self.stopping.set()

    def leave(self) -> None:
        """Everything is finished: say good-bye."""
        try:
            self._care_for_leases()
            self.store.leave(self.name)
        except StoreUnavailable:
            log.debug("left without a word: the store is away")

    def drain(self, lane: str) -> None:
        """Answer a knock: work on what is due in a lane, and then in others that the thread goes over to."""
        if lane not in self.lanes or not self._slots.take(lane, self.lanes):
            return
        after: str | None = lane
        while after is not None:
            after = self._attend(after)

    def _attend(self, lane: str) -> str | None:
        """Work on what is due in a lane. Returns the lane that this thread belongs to now, if any."""
        until = time.monotonic() + (SLICE if len(self.lanes) > self.env.concurrency else LONG)
        how: How = "answer"
        idle = 0
        left = looked = False
        claims: Sequence[Claim] = ()

        def wanted() -> bool:
            if time.monotonic() >= until or self.stopping.is_set():
                return False
            return not self._slots.owes(lane, self.lanes)

        try:
            while claims or (lane in self.lanes and not self.stopping.is_set()):
                if not claims and (other := self._slots.go_over(lane, self.lanes)):
                    left = True
                    return other
                if not claims and not looked:
                    claims = self._claim(lane, how)
                looked = False
                if claims:
                    idle, how = 0, "stay"
                    if claims[-1].more:
                        self._slots.want(lane)
                        self._knock(lane)
                    following = Next(self._limits(lane), wanted)
                    self.work(claims, following)
                    claims, looked = following.claims, bool(following.tokens)
                    if claims:  # at once: there may be more than this thread can do
                        self._slots.want(lane)
                elif how == "leave" or (left := self._slots.leave_to_others(lane)):
                    return None
                else:
                    # The last thread stays for a moment: looking again is cheaper than another knock.
                    idle += 1
                    how = "stay" if idle < LOOKS else "leave"
                    self.stopping.wait(LOOK)
                if not claims and time.monotonic() >= until:
                    self._knock(lane)
                    return None
        except StoreUnavailable as error:
            log.warning("the store is away", lane=lane, error=str(error))
        finally:
            if not left:
                self._slots.give_back(lane)
        return None

    def work(self, claims: Sequence[Claim], following: Next | None = None) -> None:
        """Do what claimed items of one lane ask for. Raises StoreUnavailable; they are given back then."""
        *others, last = claims
        try:
            with self._held(claims):
                if last.crashes < SUSPECT:
                    if others and last.crashes:
                        # If it kills this process too, the others are through.
                        self.perform(others)
                        self.perform([last], following)
                    else:
                        self.perform(claims, following)
                    return
                if others:
                    self.perform(others)
                self._perform_apart(last)
        finally:
            if following:
                self._doubt(last.lane, following)

    def _perform_apart(self, claim: Claim) -> None:
        """The same in a process of its own, for what others may have died of. Raises StoreUnavailable."""
        log.warning("tried in a process of its own", item=claim.id, crashes=claim.crashes)
        try:
            if isolation.run(claim, APART):
                return
        except isolation.NotBegun as error:
            log.warning("it did not begin; the next try is in a moment", item=claim.id, seconds=PAUSE, error=str(error))
            with self._lock:
                self._give_back.append((time.monotonic() + PAUSE, claim))
            return
        if self.stopping.is_set():
            # Whoever stops this process may have stopped that one too.
            self.store.release(claim)
        elif self.store.crashed(claim):
            log.error("the process died of it", item=claim.id)

    def perform(self, claims: Sequence[Claim], following: Next | None = None) -> None:
        """The work itself: of the inbox several, of other lanes one. Raises StoreUnavailable."""
        settings, connectors = self._config
        lane = claims[0].lane
        if lane == INBOX:
            for name in take_in(self.store, claims, settings, following):
                self._knock(name)
            return
        [claim] = claims
        with about(claim):
            if lane in connectors:
                fingerprint = settings.fingerprints[lane]
                try:
                    deliver(self.store, claim, connectors[lane], fingerprint, self.name, following)
                except LostLease:
                    log.warning("somebody else has it by now")
                if self._config[0].fingerprints.get(lane) != fingerprint:
                    # It ended under settings of yesterday, and may have closed the gate for what has been put right.
                    self._gates_to_open = True
            else:  # switched off a moment ago
                self.store.release(claim)

    def _doubt(self, lane: str, following: Next) -> None:
        """Nobody knows what was leased under a token whose reply was lost."""
        lost = following.tokens[:-1] if following.answered else following.tokens
        with self._lock:
            self._unsure += [(lane, token) for token in lost]

    @contextmanager
    def _held(self, claims: Sequence[Claim]) -> Iterator[None]:
        """While this lasts, the pulse renews the leases."""
        since = time.monotonic()
        with self._lock:
            self._in_flight.update({(claim.token, claim.id): (claim, since) for claim in claims})
        try:
            yield
        except StoreUnavailable:
            with self._lock:
                self._give_back += [(0.0, claim) for claim in claims]
            raise
        finally:
            with self._lock:
                for claim in claims:
                    del self._in_flight[claim.token, claim.id]

    def _claim(self, lane: str, how: How) -> Sequence[Claim]:
        token = fresh()
        try:
            if lane == INBOX:
                return self.store.claim_bodies(token, how)
            claim = self.store.claim(lane, token, how, self._limits(lane))
        except StoreUnavailable:
            with self._lock:
                self._unsure.append((lane, token))
            raise
        return [claim] if claim else ()

    def _limits(self, lane: str) -> Limits:
        known = self._config[0].connectors.get(lane)
        return Limits(known.concurrency, known.rate) if known else Limits()

    def _pulse(self) -> None:
        beat_at = 0.0
        while True:
            try:
                if time.monotonic() >= beat_at:
                    self._beat()
                    beat_at = time.monotonic() + BEAT_MS / 1000
                if not self.stopping.is_set():
                    for lane in self.store.tick(round(TICK * 1000), self.lanes):
                        self._knock(lane)
            except StoreUnavailable as error:
                log.warning("the store is away", error=str(error))
            except Exception:  # the pulse must not stop: without it every lease here runs out
                log.exception("bug in the pulse")
            time.sleep(TICK)

    def _beat(self) -> None:
        memory.forget_old()
        self._care_for_leases()
        self._watched.current()
        if self._gates_to_open:  # at the start too: something may have been put right while nobody ran
            self._open_gates()
            self._gates_to_open = False
        self.store.beat(self.name, self._watched.trouble)

    def _care_for_leases(self) -> None:
        """Renew those of what is at work, and give back what is not."""
        now = time.monotonic()
        with self._lock:
            held = [claim for claim, since in self._in_flight.values() if now - since < HUNG]
            until = math.inf if self.stopping.is_set() else now
            give_back = [one for one in self._give_back if one[0] <= until]
            self._give_back = [one for one in self._give_back if one[0] > until]
            held += [claim for _, claim in self._give_back]
            unsure, self._unsure = self._unsure, []
        try:
            self.store.renew(held)
            while give_back:
                self.store.release(give_back[-1][1])
                give_back.pop()
            while unsure:
                self.store.disown(*unsure[-1])
                unsure.pop()
        finally:
            with self._lock:
                self._give_back += give_back
                self._unsure += unsure

    def _adopt(self, settings: Settings) -> None:
        """Take a changed configuration; attempts in flight end under the old one. Raises ConfigError."""
        self._config = self._built(settings)
        self._gates_to_open = True
        replaced()
        log.info("configuration changed", source=settings.source, connectors=list(settings.enabled))

    def _built(self, settings: Settings) -> tuple[Settings, dict[str, Connector[Any]]]:
        try:
            return settings, registry.build(settings, self.env.data_dir)
        except Exception as error:  # a third party's constructor fails as it likes
            raise ConfigError(settings.source, [Problem("connectors", f"{type(error).__name__}: {error}")]) from error

    def _open_gates(self) -> None:
        """Open those of connectors that paused themselves under other settings: what was wrong may be right now."""
        settings = self._config[0]
        for name in settings.enabled:
            opened, knock = self.store.resume(name, changed_to=settings.fingerprints[name])
            if opened:
                log.info("resumed: its settings have changed", connector=name)
            if knock:
                self._knock(name)
