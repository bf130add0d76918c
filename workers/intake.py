"""Intake: a body from the inbox becomes a revision of its conversation, and one delivery for each connector."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from core.config.sections.source import Account
from core.config.settings import Settings
from core.delivery import Nowhere, PayloadStatus
from core.errors import PayloadError, StoreError
from core.ids import ConversationId
from core.routing import Routed, routed
from core.smartsupp.events import read_event
from core.smartsupp.parser import StatisticsReport, parse
from core.store import Claim, Store
from core.store.claims import Ask, Quiet, Reading, ask_for_nothing
from core.store.sources.orders import Wish, source_lane
from core.summary import line
from workers.parse_cache import memory
from workers.source.matching import ReadChat, united

log = structlog.get_logger(__name__)

#: A chat in which something happens again and again is fetched after so many times `wait`.
_PATIENCE = 10


def take_in(
    store: Store, claims: Sequence[Claim], settings: Settings, ask: Ask = ask_for_nothing
) -> Sequence[Claim] | None:
    """Read claimed bodies, route them and fan them out. Returns the next claims, or None when none were asked for."""
    for claim in claims:
        if claim.origin:
            _order(store, claim, settings)
    chats = [chat for claim in claims if not claim.origin and (chat := _read(store, claim, settings))]
    if not chats:
        return None
    waits = _waits(settings)
    chats = united(store, chats, settings, waits)
    for chat in chats:
        memory.add(chat.reading.claim, chat.conversation)
        if chat.trouble:
            _without_key(store, chat.reading.claim, chat.trouble)
    readings = [chat.reading for chat in chats if not chat.trouble]
    if not readings:
        return None
    with ask() as request:
        done = store.fan_out_each(readings, request, waits)
    for reading, held, early in zip(readings, done.held, done.stale, strict=True):
        about = {"payload": reading.claim.id, "conversation": reading.conversation}
        if early:  # another chat that may be the same was read at this moment: once more, with that in sight
            store.release(reading.claim)
        elif held:
            log.info("routed", connectors=list(reading.connectors), **about)
        else:
            log.warning("lease lost", **about)
    return done.following


def _waits(settings: Settings) -> dict[str, Quiet]:
    """Also of connectors that no route names any more: they get the revisions of what they have."""
    return {
        name: Quiet(wait.quiet_ms, wait.at_most_ms, wait.first)
        for name, one in settings.connectors.items()
        if (wait := one.wait)
    }


def _order(store: Store, claim: Claim, settings: Settings) -> None:
    """What a signed webhook says: a chat is to be fetched. The webhook has done its work then."""
    name, account = _ordering(claim, settings)
    try:
        if claim.trouble:
            raise PayloadError("", claim.trouble)
        if account is None or account.webhooks is None:
            text = f"relay.yaml has no source '{claim.origin}' with api and webhooks any more; put it back, then retry"
            raise PayloadError("", text)
        event = read_event(claim.body)
    except PayloadError as error:
        store.divert(claim.payload, PayloadStatus.QUARANTINED, str(error), token=claim.token)
        log.warning("quarantined", payload=claim.id, where=error.path or "webhook")
        return
    if not event.conversation:
        store.divert(claim.payload, PayloadStatus.SET_ASIDE, token=claim.token)
        log.info("set aside", payload=claim.id, event_name=event.name)
        return
    wait = round(account.webhooks.wait.total_seconds() * 1000)
    conversation = ConversationId.of(account.account or "", event.conversation)
    wish = Wish(conversation, source_lane(name), wait, _PATIENCE * wait, known_only=event.goes_on)
    ordered = store.order(wish, claim)
    log.info("webhook", payload=claim.id, conversation=conversation, event_name=event.name, ordered=bool(ordered))


def _ordering(claim: Claim, settings: Settings) -> tuple[str, Account | None]:
    """The account whose webhook it is, by its name; or by its number, where it has another name by now."""
    same = {one.account: name for name, one in settings.accounts.items() if one.api and one.account}
    known = settings.accounts.get(claim.origin)
    # The name may be another account's by now, and then the number decides.
    own = known and known.api and not (claim.account and known.account and claim.account != known.account)
    name = claim.origin if own else same.get(claim.account, "")
    return name, settings.accounts.get(name)


def _read(store: Store, claim: Claim, settings: Settings) -> ReadChat | None:
    """What a body is, or None: it holds no conversation, and was put aside."""
    if claim.trouble:
        _without_key(store, claim, claim.trouble)
        return None
    try:
        conversation = parse(claim.body, claim.account)
        if isinstance(conversation, StatisticsReport):
            store.divert(claim.payload, PayloadStatus.SET_ASIDE, token=claim.token)
            log.info("set aside", payload=claim.id)
            return None
        connectors, troubles, why = _restricted(routed(settings, conversation), claim.only)
        summary = line(conversation)
    except (StoreError, MemoryError):  # neither says anything about the body
        raise
    except Exception as error:  # an internal error, unless it is a PayloadError; the body is kept and says so
        text = str(error) if isinstance(error, PayloadError) else f"internal error: {type(error).__name__}: {error}"
        store.divert(claim.payload, PayloadStatus.QUARANTINED, text, token=claim.token)
        # Where it is wrong; what stands there is the visitor's.
        where = error.path if isinstance(error, PayloadError) else type(error).__name__
        log.warning("quarantined", payload=claim.id, where=where, exc_info=not isinstance(error, PayloadError))
        return None
    note, began = "; ".join(troubles), conversation.span()[0]
    return ReadChat(Reading(claim, conversation.key, connectors, note, summary, why or "", began), conversation)


def _without_key(store: Store, claim: Claim, trouble: str) -> None:
    """It is replayed when the key is back."""
    store.divert(claim.payload, PayloadStatus.QUARANTINED, trouble, token=claim.token)
    log.warning("quarantined", payload=claim.id, where="encryption key")


def _restricted(found: Routed, only: str) -> Routed:
    """Of a chat that was fetched for one connector: that one, if the routes name it. It is meant for no other."""
    if not only:
        return found
    names = tuple(name for name in found.connectors if name == only)
    return Routed(names, found.troubles, None if names else Nowhere.MEANT)
