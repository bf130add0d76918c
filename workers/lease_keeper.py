"""Keeps the leases of what this process has in hand, and gives back what it will not end.

Anything may hold leases, a thread or a greenlet, and any one thread may renew them: `care` is called every BEAT_MS
(workers/runtime.py).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.errors import LostLease, StoreUnavailable
from core.store import Claim, Store
from core.store.claims import ClaimRequest, Limits
from core.store.protocol.identity import fresh
from workers.isolation import APART

#: Seconds after which work that is still going on counts as hung, and its lease is left to run out.
HUNG = APART + 5
#: Seconds until the next try of what could not begin, or found no memory, for no fault of its own.
RETRY_SECONDS = 10


class LeaseKeeper:
    """Of one process. Only `care` waits for the server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._in_flight: dict[tuple[str, str], tuple[Claim, float]] = {}
        #: With the monotonic time from which on each may go. Until then it is held.
        self._give_back: list[tuple[float, Claim]] = []
        self._unsure: list[tuple[str, str]] = []

    @contextmanager
    def hold(self, claims: Sequence[Claim]) -> Iterator[None]:
        """While this lasts, leases are renewed. What ends for want of the store or of memory is given back."""
        since = time.monotonic()
        with self._lock:
            self._in_flight.update({(claim.token, claim.id): (claim, since) for claim in claims})
        try:
            yield
        except StoreUnavailable:
            self._return(claims, 0.0)
            raise
        except MemoryError:
            self._return(claims, time.monotonic() + RETRY_SECONDS)
            raise
        finally:
            with self._lock:
                for claim in claims:
                    del self._in_flight[claim.token, claim.id]

    def hold_back(self, claim: Claim) -> None:
        """Keep a claim for PAUSE seconds, then give it back untouched."""
        self._return([claim], time.monotonic() + RETRY_SECONDS)

    @contextmanager
    def claiming(self, lane: str, limits: Limits) -> Iterator[ClaimRequest]:
        """A request for a claim. If its reply is lost, nobody knows what it leased, and all of that is given back."""
        request = ClaimRequest(fresh(), limits)
        try:
            yield request
        except LostLease:  # an answer: nothing was claimed
            raise
        except BaseException:
            with self._lock:
                self._unsure.append((lane, request.token))
            raise

    def care(self, *, leaving: bool = False) -> None:
        """Renew the leases of what is in hand, and give back what is not; all of it when `leaving`.

        Raises StoreUnavailable; the rest is done the next time.
        """
        now = time.monotonic()
        with self._lock:
            held = [claim for claim, since in self._in_flight.values() if now - since < HUNG]
            until = math.inf if leaving else now
            give_back = [one for one in self._give_back if one[0] <= until]
            self._give_back = [one for one in self._give_back if one[0] > until]
            held += [claim for _, claim in self._give_back]
            unsure, self._unsure = self._unsure, []
        try:
            self._store.renew(held)
            while give_back:
                self._store.release(give_back[-1][1])
                give_back.pop()
            while unsure:
                self._store.disown(*unsure[-1])
                unsure.pop()
        finally:
            with self._lock:
                self._give_back += give_back
                self._unsure += unsure

    def _return(self, claims: Sequence[Claim], at: float) -> None:
        with self._lock:
            self._give_back += [(at, claim) for claim in claims]
