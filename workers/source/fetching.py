"""Carrying out an order: a chat is fetched from Smartsupp's API, and kept like one that was posted (docs/adr/0030)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import islice

import structlog

from core.config.sections.source import Account
from core.config.settings import Settings
from core.conversation import Conversation
from core.errors import ConnectorRefused, DeliveryError, NotFound, PayloadError, RetryLater, StoreError
from core.ids import ConversationId
from core.retry import next_try
from core.sameness import ROUNDED_MS, traits, twin
from core.smartsupp.api.body import FetchedConversation, as_body, is_fetched
from core.smartsupp.api.client import SmartsuppApi
from core.smartsupp.parser import parse_conversation
from core.store import Claim, Client, Store
from core.store.claims import Order
from core.store.protocol.constants import Ended
from core.store.sources.orders import Wish, source_lane, source_name
from core.store.sources.twins import KeptBody
from workers.source.api import OpenApi, OpenApis, opened_api, still_answers

log = structlog.get_logger(__name__)

#: A list is asked for so much more on either side than two times of one chat may differ.
_AROUND = timedelta(milliseconds=2 * ROUNDED_MS)
#: Chats that begin in the same seconds and are looked at; a shop in which more do is not known.
_MOST = 20
#: Seconds after which a chat that the API does not have yet is looked for again.
_AGAIN = 30.0
#: Tries after which a chat that the API does not have was deleted there.
_MISSED = 2
#: So often a chat that is said to have ended, and is open at Smartsupp, is looked at again: over an hour and a half.
_LOOKS = 5
#: Seconds after which an order that lacks an encryption key is tried again at the latest.
_KEY_SECONDS = 600.0

#: How it ended, seconds until the next try, and why.
_End = tuple[Ended, float, str]
_DONE: _End = ("done", 0.0, "")


def _is_of_another(account: Account, order: Order) -> bool:
    """Whether the account that has this name today has another number than the chat."""
    return bool(account.account and order.conversation.account not in ("", account.account))


class Fetching:
    """Of one worker; threads share it. `opened` is for tests."""

    def __init__(
        self, store: Store, client: Client, stopping: threading.Event | None = None, opened: OpenApi | None = None
    ) -> None:
        self._store, self._stopping = store, stopping or threading.Event()
        self._apis = OpenApis(opened or (lambda name, account: opened_api(name, account, client, stopping)))

    def fetch(self, claim: Claim, settings: Settings) -> None:
        """Carry out one order and settle it. Raises StoreUnavailable."""
        order = claim.order
        name = source_name(claim.lane)
        account = settings.accounts.get(name)
        api = self._apis.of(name, account) if account else None
        if order is None or account is None or api is None:  # taken out of relay.yaml a moment ago
            self._store.release(claim)
            return
        if not order.handed and _is_of_another(account, order):
            self._give_away(claim, order, settings)
            return
        ended, seconds, reason = self._tried(api, account, claim, order)
        if ended != "done" and self._stopping.is_set():  # cut off by that, perhaps: it has lost no try
            self._store.release(claim)
            return
        held = self._store.settle_order(claim, ended, round(seconds * 1000), reason)
        about = {"source": name, "conversation": order.conversation, "ended": ended}
        if not held:
            log.warning("lease lost", **about)
        elif ended == "done":
            log.info("fetched", **about)
        elif ended == "early":
            log.info("not there yet", seconds=round(seconds), **about)
        else:
            log.warning("not fetched", error=reason, **about)

    def _give_away(self, claim: Claim, order: Order, settings: Settings) -> None:
        """The name is another account's by now: whoever has the number gets it; else it waits, and says so."""
        number = order.conversation.account
        heir = next((name for name, one in settings.accounts.items() if one.api and one.account == number), "")
        if heir:  # it leaves this lane in the same step
            wish = Wish(order.conversation, source_lane(heir), 0, 0, began=order.began, known_only=not order.ends)
            self._store.order(wish)
        else:
            reason = f"account {number} has no api in relay.yaml any more; put it back, under any name"
            self._store.settle_order(claim, "later", round(_wait(order) * 1000), reason)
        log.warning("of another account", conversation=order.conversation, source=source_name(claim.lane), heir=heir)

    def _tried(self, api: SmartsuppApi, account: Account, claim: Claim, order: Order) -> _End:
        try:
            return self._once(api, account, claim, order)
        except NotFound as error:
            return self._gone(api, order, str(error))
        except (DeliveryError, PayloadError) as error:
            ended, seconds, reason = _failed(error, order)
            if ended in ("down", "refused") and _may_be_its_own(error) and still_answers(api):
                return "later", _wait(order), reason  # the others do not meet it
            return ended, seconds, reason
        except (StoreError, MemoryError):  # neither says anything about the chat
            raise
        except Exception as error:  # what the API answered may have a shape that nobody thought of
            log.exception("internal error in a fetch", conversation=order.conversation)
            return "later", _wait(order), f"internal error: {type(error).__name__}"

    def _gone(self, api: SmartsuppApi, order: Order, reason: str) -> _End:
        """Smartsupp has no such conversation: so it was deleted, unless the address of the API is wrong, which gives
        the same answer. What is kept of it stays: erasing is for an admin to decide."""
        now = datetime.now(UTC)
        try:
            api.total(now - timedelta(days=1), now)
        except (ConnectorRefused, NotFound) as error:
            return "refused", 0, f"{error}; is source.api.base_url right?"
        except DeliveryError as error:
            return _failed(error, order)
        if order.tries < _MISSED:  # it may not be there yet
            return "later", _wait(order), reason
        log.warning("not at Smartsupp any more", conversation=order.conversation)
        return _DONE

    def _once(self, api: SmartsuppApi, account: Account, claim: Claim, order: Order) -> _End:
        number = account.account or ""
        if order.began is None:
            return self._keep(claim, order, api.conversation(order.conversation.channel, visitor=True), number)
        kept = self._kept(order.conversation)
        if kept and kept.trouble:
            return _unopened(kept, order)
        if kept is None or is_fetched(kept.body):  # erased, or completed meanwhile by a webhook
            return _DONE
        wanted = parse_conversation(kept.body, kept.account)
        within = account.enrich.within.total_seconds() if account.enrich else 0
        last = order.asked + within * 1000 < self._store.now() + _AGAIN * 1000
        found = self._found(api, number, order.began, wanted, thoroughly=last)
        if found is not None:
            return self._keep(claim, order, found, number)
        if not last:
            return "early", _AGAIN, ""
        log.info("not found at Smartsupp", conversation=order.conversation)
        return _DONE

    def _kept(self, conversation: ConversationId) -> KeptBody | None:
        """Under the id that it was found to be."""
        [kin] = self._store.kin([(conversation, None, "")])
        return self._store.newest_of([kin.own]).get(kin.own) if kin.own else None

    def _found(
        self, api: SmartsuppApi, number: str, began: int, wanted: Conversation, *, thoroughly: bool
    ) -> FetchedConversation | None:
        """The chat that the hook sent, among those that began then. The list is read from that time on; `thoroughly`:
        from its beginning, should the API take no such cursor."""
        at = datetime.fromtimestamp(began / 1000, UTC)
        since, until = at - _AROUND, at + _AROUND
        near = api.conversations(since, until, [round(since.timestamp() * 1000)])
        pages = api.conversations(since, until) if thoroughly else islice(near, 1)
        rows = sorted((row for page in pages for row in page.rows), key=lambda row: abs(row.began - at))
        fetched = {}
        for row in rows[:_MOST]:
            try:
                fetched[ConversationId.of(number, row.id)] = api.conversation(row.id, visitor=True)
            except NotFound:  # deleted meanwhile
                continue
        them = {key: traits(parse_conversation(as_body(one, number), number)) for key, one in fetched.items()}
        same = twin(traits(wanted), them)
        return fetched[same] if same else None

    def _keep(self, claim: Claim, order: Order, fetched: FetchedConversation, number: str) -> _End:
        """As a body, unless it says nothing new, or the chat has not ended yet. The API may be behind the webhook that
        spoke of its end: then it is looked at again, and after some looks its next end will be heard of."""
        body = as_body(fetched, number)
        try:
            kept = self._kept(parse_conversation(body, number).key)
        except PayloadError:  # in quarantine it is seen, and read again by a version that can
            self._take(claim, body, number)
            return _DONE
        if kept and kept.trouble:
            return _unopened(kept, order)
        is_open = fetched.conversation.get("status") not in (None, "closed")
        new = not (kept and is_fetched(kept.body) and _says(kept.body, kept.account) == _says(body, number))
        if new and (kept or not is_open):
            self._take(claim, body, number)
        if is_open and order.ends and order.began is None and order.looks < _LOOKS:
            return "early", next_try(order.looks + 1, 0) or _AGAIN, ""
        return _DONE

    def _take(self, claim: Claim, body: bytes, number: str) -> None:
        # Erased meanwhile: then the lease is lost, and it must not come back.
        if self._store.renew([claim]):
            self._store.accept(body, number, "application/json")


def _unopened(kept: KeptBody, order: Order) -> _End:
    """Without its key nobody knows what is kept of it. The order waits for the key, as deliveries do."""
    return "later", min(_wait(order), _KEY_SECONDS), kept.trouble


def _may_be_its_own(error: DeliveryError | PayloadError) -> bool:
    """Whether only this chat may meet it, which one question about something else shows: an answer that does not come,
    too. A 429 and a rejected token are everybody's."""
    if isinstance(error, ConnectorRefused):
        return error.status == HTTPStatus.FORBIDDEN
    return isinstance(error, RetryLater) and error.status != HTTPStatus.TOO_MANY_REQUESTS


def _wait(order: Order) -> float:
    """Seconds. An order is never given up for an error."""
    return next_try(order.tries + 1, 0) or 0


def _failed(error: DeliveryError | PayloadError, order: Order) -> _End:
    if isinstance(error, ConnectorRefused):
        return "refused", 0, str(error)
    # No answer, a 429 or a 5xx: all others would meet it, too, so this chat is not to blame.
    if isinstance(error, RetryLater) and (error.status is not None or error.__cause__ is not None):
        return "down", error.retry_after or 0, str(error)
    return "later", _wait(order), str(error)


def _says(body: bytes, account: str) -> Conversation | None:
    """What it says but for the addresses of files, which expire and are new in each answer."""
    try:
        found = parse_conversation(body, account)
    except PayloadError:
        return None
    lasting = tuple(
        one.model_copy(
            update={"files": tuple(file.model_copy(update={"url": "", "expires_at": None}) for file in one.files)}
        )
        for one in found.messages
    )
    return found.model_copy(update={"messages": lasting, "id": ""})
