"""What a worker's thread does after a wake-up: claim, work, claim again, until nothing is due. No Celery in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context

import structlog

from core.errors import StoreUnavailable
from core.store import INBOX, Claim, Store
from core.store.claims import ClaimRequest, ask_for_nothing
from core.store.protocol.constants import How
from core.store.sources.orders import source_name
from workers.configuration import Configuration
from workers.lease_keeper import LeaseKeeper
from workers.threads.shares import Slots
from workers.threads.waiting import WaitingThreads
from workers.work import Work

log = structlog.get_logger(__name__)

#: Seconds after which a thread lets another lane have its turn, where there are more lanes than threads; and where
#: there are not, so that every lane has one (threads/shares.py), and the turn costs only a wake-up.
TURN, LONG_TURN = 1.0, 30.0
#: How often, and after how many seconds, the last thread of a lane looks again before it leaves.
_LOOKS, _LOOK = 10, 0.01


class LaneLoop:
    """Run by any number of threads or greenlets at once: nothing in here belongs to one of them."""

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        leases: LeaseKeeper,
        work: Work,
        threads: int,
        stopping: threading.Event,
    ) -> None:
        self._store, self._configuration, self._leases, self._work = store, configuration, leases, work
        self._threads, self._stopping = threads, stopping
        self._shares = Slots(threads)
        # The other half hears of what is made due elsewhere.
        self._waiting = WaitingThreads(threads // 2)

    def drain(self, lane: str) -> None:
        """Answer a wake-up: work on what is due in a lane, and then in others that the thread goes over to, or that
        this worker makes due while the thread has nothing to do."""
        if lane in self._lanes and self._shares.take(lane, self._lanes):
            self._stay_at(lane)
            while self._waiting.attend():
                pass

    def answer(self, lane: str) -> bool:
        """Let a thread that waits here answer a wake-up. Returns whether one does; else others are to hear of it."""
        if lane not in self._lanes:
            return False
        context = copy_context()  # a trace goes on

        def begin() -> None:
            structlog.contextvars.clear_contextvars()  # the caller was at work on something else
            self._stay_at(lane)

        return self._waiting.call(lambda: context.run(begin), lambda: self._shares.take(lane, self._lanes))

    def stop(self) -> None:
        """Nothing more is claimed: whoever waits goes."""
        self._waiting.dismiss()

    def _stay_at(self, lane: str) -> None:
        at: str | None = lane
        while at is not None:
            at = self._attend(at)

    def _attend(self, lane: str) -> str | None:
        """Work on what is due in a lane. Returns the lane that this thread belongs to now, if any."""
        ends = time.monotonic() + (TURN if len(self._lanes) > self._threads else LONG_TURN)
        has_place = True
        try:
            claims = self._claim(lane, "answer")
            while True:
                while claims:
                    claims = self._work_on(lane, claims, ends)
                if not self._is_open(lane):
                    return None
                if time.monotonic() >= ends:
                    self._store.call(lane)
                    return None
                if other := self._shares.go_over(lane, self._lanes):
                    has_place = False
                    return other
                if claims is None:
                    claims = self._claim(lane, "stay")
                elif self._shares.leave_to_others(lane):
                    has_place = False
                    return None
                elif not (claims := self._linger(lane)):
                    return None
        except StoreUnavailable as error:
            log.warning("store unavailable", lane=lane, error=str(error))
        except MemoryError:
            log.error("out of memory; claims are returned and retried", lane=lane)
        finally:
            if has_place:
                self._shares.give_back(lane)
        return None

    def _work_on(self, lane: str, claims: Sequence[Claim], ends: float) -> Sequence[Claim] | None:
        """Returns the next claims, or None when none were asked for."""
        if claims[-1].more:
            self._shares.want(lane)

        def ask() -> AbstractContextManager[ClaimRequest | None]:
            if time.monotonic() >= ends or self._stopping.is_set() or self._shares.owes(lane, self._lanes):
                return ask_for_nothing()
            return self._leases.claiming(lane, self._configuration.now.limits(lane))

        following = self._work.do(claims, ask)
        if following:  # at once: there may be more than this thread can do
            self._shares.want(lane)
        return following

    def _linger(self, lane: str) -> Sequence[Claim]:
        """The last thread of a lane stays for a moment: looking again is cheaper than another wake-up."""
        for left in reversed(range(_LOOKS)):
            self._stopping.wait(_LOOK)
            if not self._is_open(lane):
                break
            if claims := self._claim(lane, "stay" if left else "leave"):
                return claims
        return ()

    def _claim(self, lane: str, how: How) -> Sequence[Claim] | None:
        with self._leases.claiming(lane, self._configuration.now.limits(lane)) as request:
            if lane == INBOX:
                return self._store.claim_bodies(request.token, how)
            if source_name(lane):
                order = self._store.claim_order(lane, request.token, how)
                return [order] if order else ()
            claim = self._store.claim(lane, request.token, how, request.limits)
        return [claim] if claim else ()

    def _is_open(self, lane: str) -> bool:
        return lane in self._lanes and not self._stopping.is_set()

    @property
    def _lanes(self) -> tuple[str, ...]:
        return self._configuration.now.lanes
