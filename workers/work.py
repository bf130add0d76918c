"""What claimed items ask for: intake, delivery, a fetch; under suspicion of a crash, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from core.errors import LostLease
from core.log import about
from core.store import INBOX, Claim, Store
from core.store.claims import Ask, ask_for_nothing
from core.store.protocol.constants import SUSPECT
from workers import isolation
from workers.configuration import Configuration
from workers.delivery import deliver
from workers.intake import take_in
from workers.lease_keeper import RETRY_SECONDS, LeaseKeeper
from workers.source.fetching import Fetching

log = structlog.get_logger(__name__)


class Work:
    """`is_stopping` says whether this process was told to stop."""

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        leases: LeaseKeeper,
        worker: str,
        is_stopping: Callable[[], bool] = lambda: False,
        fetching: Fetching | None = None,
    ) -> None:
        self._store, self._configuration, self._leases = store, configuration, leases
        self._worker, self._is_stopping, self._fetching = worker, is_stopping, fetching

    def do(self, claims: Sequence[Claim], ask: Ask) -> Sequence[Claim] | None:
        """Do what claimed items of one lane ask for, the suspicious one last. Returns the next claims, or
        None when none were asked for.

        Raises StoreUnavailable and MemoryError; the items are given back then.
        """
        *others, last = claims
        with self._leases.hold(claims):
            if last.crashes and others:
                # If it kills this process too, the others are through.
                self.perform(others)
                claims = [last]
            if last.crashes < SUSPECT:
                return self.perform(claims, ask)
            self._isolate(last)
            return None

    def perform(self, claims: Sequence[Claim], ask: Ask = ask_for_nothing) -> Sequence[Claim] | None:
        """The work itself: of the inbox several, of other lanes one. Returns and raises as `do`."""
        lane = claims[0].lane
        if lane == INBOX:
            return take_in(self._store, claims, self._configuration.settings(), ask)
        [claim] = claims
        if claim.order and self._fetching:
            self._fetching.fetch(claim, self._configuration.settings())
            return None
        with about(claim):
            return self._deliver(claim, ask)

    def _deliver(self, claim: Claim, ask: Ask) -> Sequence[Claim] | None:
        now = self._configuration.now  # once: another one may be adopted at any moment
        if claim.lane not in now.connectors:  # switched off a moment ago
            self._store.release(claim)
            return None
        fingerprint = now.settings.fingerprints[claim.lane]
        following: Sequence[Claim] | None = None
        try:
            _, following = deliver(self._store, claim, now.connectors[claim.lane], fingerprint, self._worker, ask)
        except LostLease:
            log.warning("lease lost")
        if self._configuration.settings().fingerprints.get(claim.lane) != fingerprint:
            # It ended under settings of yesterday, and may have closed the gate for what has been put right.
            self._configuration.changed.set()
        return following

    def _isolate(self, claim: Claim) -> None:
        """The same in a process of its own."""
        log.warning("running in a separate process", item=claim.id, crashes=claim.crashes)
        try:
            if isolation.run(claim, isolation.APART, self._configuration.settings()):
                return
        except isolation.NotBegun as error:
            log.warning("separate process did not start", item=claim.id, seconds=RETRY_SECONDS, error=str(error))
            self._leases.hold_back(claim)
            return
        if self._is_stopping():
            # Whoever stops this process may have stopped that one too.
            self._store.release(claim)
            return
        wait = self._store.crashed(claim)
        if wait:
            log.error("separate process crashed; retrying later", item=claim.id, seconds=round(wait / 1000))
        elif wait == 0:
            log.error("separate process crashed again; now a dead letter", item=claim.id)
