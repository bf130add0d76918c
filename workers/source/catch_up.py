"""Working on catch-ups: past chats are listed and fetched from Smartsupp's API, as slowly as everything else allows.

Any number of workers, and the command that began it, may try; one at a time does. Chats that come meanwhile go first:
nothing more is fetched while deliveries wait. No Celery in here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import structlog

from core.config.settings import Settings
from core.errors import (
    ConnectorRefused,
    DeliveryError,
    LostLease,
    RetryLater,
    StoreUnavailable,
)
from core.smartsupp.api.client import SmartsuppApi
from core.store import INBOX, Client, Ledger, Received, Store
from core.store.protocol.constants import CATCH_UP_LEASE_MS
from core.store.sources.catch_ups import RELAY, CatchUp, CatchUps, Comparison
from core.store.sources.known_chats import Listed
from workers.source.api import OpenApis, opened_api
from workers.source.past_chats import ChatFetcher, FetchedChats

log = structlog.get_logger(__name__)

#: Conversations that are compared with what is kept in one journey, and that are given to the store in one.
_COMPARED, _GIVEN = 500, 16
#: While so many payloads or deliveries are due, nothing more is fetched.
_PATIENCE = 64
#: How long after a failure the next try is, ms; and after a refusal, which somebody has to put right.
_RETRY_MS, _REFUSED_MS = 30_000, 600_000
#: Seconds between two looks for work, and that deliveries are waited for.
_LOOK, _BREATH = 2.0, 0.25
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
#: A hook comes when a chat is over: what began later is left for the next comparison. Who asks for one, waits for it.
GRACE_MS, SHORT_GRACE_MS = 2 * _HOUR_MS, 600_000
#: With so many chats in a day, all of them missing, the hook is silent.
_FEW = 3


class CatchUpWork:
    """One process's part in it."""

    def __init__(
        self,
        client: Client,
        settings: Callable[[], Settings],
        stopping: threading.Event,
        opened: Callable[..., SmartsuppApi | None] = opened_api,
    ) -> None:
        self._settings, self._stopping = settings, stopping
        self._catch_ups, self._store, self._ledger = CatchUps(client), Store(client), Ledger(client)
        self._token = secrets.token_hex(8)
        self._apis = OpenApis(lambda name, account: opened(name, account, client, stopping))
        self._fetcher = ChatFetcher()

    def start(self) -> None:
        threading.Thread(target=self._run, name="catch-up", daemon=True).start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.compare_when_due()
                if not self.work():
                    self._stopping.wait(_LOOK)
            except StoreUnavailable as error:
                log.warning("store unavailable", error=str(error))
                self._stopping.wait(_LOOK)
            except Exception:  # the next catch-up may fare better
                log.exception("unhandled error in a catch-up")
                self._stopping.wait(_LOOK)

    def compare_when_due(self) -> None:
        """Begin the comparisons whose time has come: of the last day every hour, of the last days every night."""
        for name, account in self._settings().accounts.items():
            days = account.api.reconcile_days if account.api else 0
            if not days or not account.account:
                continue
            if self._store.turn(f"compared-days:{name}", _DAY_MS):
                self._store.turn(f"compared-hours:{name}", _HOUR_MS)
                self.compare(name, account.account, days, by=RELAY)
            elif self._store.turn(f"compared-hours:{name}", _HOUR_MS):
                self.compare(name, account.account, 1, by=RELAY)

    def compare(self, name: str, account: str, days: int, *, by: str, grace: int = GRACE_MS) -> CatchUp:
        """Begin a comparison of the last days, but for the last `grace` ms. What began before this store did is none of
        its business."""
        until = self._catch_ups.now() - grace
        since = max(until - days * _DAY_MS, self._catch_ups.memory())
        return self._catch_ups.start("reconcile", name, account, since, max(since, until), by=by)

    def work(self, seconds: float = 1.0) -> bool:
        """Do the next parts of one catch-up, for about `seconds`. False: there is nothing to do now."""
        now = self._catch_ups.now()
        due = next((one for one in self._catch_ups.open() if one.hold <= now), None)
        if due is None:
            return False
        went_on = self.advance(due, seconds)
        after = self._catch_ups.get(due.id)
        if after.finished is not None:
            figures = {"fetched": after.fetched, "known": after.known, "failed": after.failed}
            log.info("catch-up finished", catch_up=due.id, kind=due.kind, **figures)
        elif after.error:
            log.warning("catch-up put off", catch_up=due.id, error=after.error)
        return went_on

    def advance(self, catch_up: CatchUp, seconds: float = 1.0) -> bool:
        """The same for a certain one. False: another process works on them, or deliveries are waited for."""
        if not self._catch_ups.hold(self._token):
            return False
        try:
            with self._lease_kept(catch_up):
                return self._advance(catch_up, time.monotonic() + seconds)
        except LostLease:
            log.warning("lease lost", catch_up=catch_up.id)
            return False
        finally:
            self._catch_ups.hold(self._token, keep=False)

    @contextmanager
    def _lease_kept(self, catch_up: CatchUp) -> Iterator[None]:
        """One chat may take longer than a lease lasts, where the API hangs or few requests are allowed."""
        over = threading.Event()

        def keep() -> None:
            with suppress(LostLease):
                while not over.wait(CATCH_UP_LEASE_MS / 3000):
                    with suppress(StoreUnavailable):
                        self._catch_ups.renew(catch_up, self._token)

        thread = threading.Thread(target=keep, name="catch-up lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _advance(self, catch_up: CatchUp, ends: float) -> bool:
        api = self._api(catch_up)
        if api is None:
            return False
        try:
            if catch_up.stage == "listing":
                self._list(catch_up, api, ends)
                return True
            return self._fetch(catch_up, api, ends)
        except ConnectorRefused as error:
            self._put_off(catch_up, _REFUSED_MS, error)
        except DeliveryError as error:
            asked = error.retry_after if isinstance(error, RetryLater) else None
            self._put_off(catch_up, max(_RETRY_MS, round((asked or 0) * 1000)), error)
        return False

    def _api(self, catch_up: CatchUp) -> SmartsuppApi | None:
        """None, and it is put off: the account is not in relay.yaml any more, or is another one by now."""
        account = self._settings().accounts.get(catch_up.source)
        if account is None or account.api is None or account.account != catch_up.account:
            text = f"relay.yaml has no source '{catch_up.source}' with an API for account {catch_up.account} any more"
            self._put_off(catch_up, _REFUSED_MS, ConnectorRefused(text))
            return None
        return self._apis.of(catch_up.source, account)

    def _put_off(self, catch_up: CatchUp, wait: int, error: DeliveryError) -> None:
        self._catch_ups.put_off(catch_up, self._catch_ups.now() + wait, str(error), token=self._token)

    # --- the list ----------------------------------------------------------------

    def _list(self, catch_up: CatchUp, api: SmartsuppApi, ends: float) -> None:
        for page in api.conversations(_time(catch_up.since), _time(catch_up.until), catch_up.after):
            rows = [Listed(one.id, _ms(one.began)) for one in page.rows]
            self._catch_ups.page_listed(catch_up, rows, page.after, token=self._token)
            if time.monotonic() >= ends or self._stopping.is_set():
                return
            self._catch_ups.renew(catch_up, self._token)
        # The last page said so itself; or one was empty, and nothing can come after it.
        self._catch_ups.page_listed(catch_up, [], None, token=self._token)

    # --- the rest ------------------------------------------------------------------

    def _fetch(self, catch_up: CatchUp, api: SmartsuppApi, ends: float) -> bool:
        while not self._stopping.is_set():
            self._catch_ups.renew(catch_up, self._token)
            rows = self._whole_moments(catch_up)
            if not rows:
                self._finish(self._catch_ups.get(catch_up.id))
                return True
            # A connector that is new wants what retention has removed, too.
            kept = self._catch_ups.kept(catch_up.account, rows, removed=not catch_up.connector)
            self._leave_out(catch_up, rows, kept)
            wanted = [one for one in rows if one.id not in kept]
            for place in range(0, len(wanted), _GIVEN):
                if self._must_wait(catch_up):
                    self._stopping.wait(_BREATH)
                    return False
                self._take(catch_up, api, wanted[place : place + _GIVEN])
                if time.monotonic() >= ends or self._stopping.is_set():
                    return True
            if time.monotonic() >= ends:
                return True
        return False

    def _whole_moments(self, catch_up: CatchUp) -> list[Listed]:
        """The oldest that are left, and of each moment all: two of one moment are compared together."""
        rows = self._catch_ups.oldest(catch_up, _COMPARED)
        whole = [one for one in rows if one.began < rows[-1].began]
        return whole if len(rows) == _COMPARED and whole else rows

    def _leave_out(self, catch_up: CatchUp, rows: list[Listed], kept: dict[str, str]) -> None:
        if not kept:
            return
        recent = sum(one.id in kept and one.began >= catch_up.until - _DAY_MS for one in rows)
        self._catch_ups.done(catch_up, list(kept), token=self._token, known=len(kept), recent=recent)
        if catch_up.kind == "reconcile" and "hook" in kept.values():
            before = self._catch_ups.comparisons().get(catch_up.source, Comparison(0))
            if not before.worked:
                self._catch_ups.compared(catch_up.source, Comparison(before.at, worked=True), token=self._token)

    def _take(self, catch_up: CatchUp, api: SmartsuppApi, rows: list[Listed]) -> None:
        """Fetch them and give them to the store, in one journey: also those that came before one that failed."""
        fetched = FetchedChats()
        failed: DeliveryError | None = None
        try:
            for one in rows:
                self._catch_ups.renew(catch_up, self._token)
                self._fetcher.fetch(api, one, catch_up.account, fetched)
        except DeliveryError as error:
            failed = error
        self._catch_ups.renew(catch_up, self._token)
        self._give(catch_up, fetched)
        if failed:
            raise failed

    def _give(self, catch_up: CatchUp, fetched: FetchedChats) -> None:
        received = [
            Received(body, catch_up.account, "application/json", only=catch_up.connector)
            for body in fetched.bodies.values()
        ]
        taken = self._store.accept_each(received, holder=self._token) if received else []
        for found in taken:
            if isinstance(found, StoreUnavailable):
                raise found
        new = sum(not found.known for found in taken if not isinstance(found, StoreUnavailable))
        rows = [*fetched.bodies, *fetched.gone, *fetched.failed]
        if not rows:
            return
        recent = sum(one.began >= catch_up.until - _DAY_MS for one in fetched.bodies)
        self._catch_ups.done(
            catch_up,
            [one.id for one in rows],
            token=self._token,
            fetched=new,
            known=len(taken) - new,
            gone=len(fetched.gone),
            failed=len(fetched.failed),
            recent=recent,
            recent_missing=min(recent, new),
        )

    def _must_wait(self, catch_up: CatchUp) -> bool:
        """Whether enough is due already. What waits at a paused connector does not hold the others up."""
        if self._ledger.lane(INBOX).waiting >= _PATIENCE:
            return True
        names = [catch_up.connector] if catch_up.connector else self._settings().enabled
        lanes = [self._ledger.lane(name) for name in names]
        if catch_up.connector and lanes[0].gate:
            return True
        return any(lane.due >= _PATIENCE and not lane.gate for lane in lanes)

    def _finish(self, catch_up: CatchUp) -> None:
        # What was found comes first: who dies between leaves it to be found again, and a lost reply to the last step,
        # which is refused when it is repeated, costs nothing.
        if catch_up.kind == "reconcile":
            self._compared(catch_up)
        self._catch_ups.finish(catch_up, token=self._token)

    def _compared(self, catch_up: CatchUp) -> None:
        before = self._catch_ups.comparisons().get(catch_up.source, Comparison(0))
        all_missing = catch_up.recent >= _FEW and catch_up.recent_missing == catch_up.recent
        silent = before.silent or catch_up.until if all_missing and before.worked else 0
        self._catch_ups.compared(
            catch_up.source,
            Comparison(self._catch_ups.now(), catch_up.listed, catch_up.fetched, silent, before.worked),
            token=self._token,
        )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ms(time_: datetime) -> int:
    return round(time_.timestamp() * 1000)
