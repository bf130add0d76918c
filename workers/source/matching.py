"""One conversation, whichever way it came: what was read gets the id under which it is kept (docs/adr/0030)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.config.sections.source import Account
from core.config.settings import Settings
from core.conversation import Conversation
from core.errors import PayloadError
from core.ids import ConversationId
from core.sameness import known_as, says_no_more, traits, twin
from core.smartsupp.api.body import is_fetched
from core.smartsupp.parser import parse_conversation
from core.store import Store
from core.store.claims import Quiet, Reading
from core.store.sources.orders import Wish, source_lane
from core.store.sources.twins import KeptBody, Kin

#: A chat that ended longer ago is no news: it was imported, or replayed, and is delivered as it is. In ms.
FRESH_MS = 24 * 3_600_000
#: So long after the hook, Smartsupp's API surely has the chat, too.
SETTLED_MS = 3_000


@dataclass(frozen=True)
class ReadChat:
    """A body that was read: where it goes, and what it says. With `trouble` that is not to be known: a chat that may be
    the same cannot be opened."""

    reading: Reading
    conversation: Conversation
    trouble: str = ""


def united(store: Store, chats: Sequence[ReadChat], settings: Settings, waits: Mapping[str, Quiet]) -> list[ReadChat]:
    """Each under the id that it is kept by, and told what is to be known of when it began. A chat that the hook sent
    waits for its completion from the API, which is ordered. Raises StoreUnavailable."""
    sources = {one.account or "": (name, one) for name, one in settings.accounts.items() if one.api}
    chats = [ReadChat(replace(one.reading, begun=_begun(one.conversation)), one.conversation) for one in chats]
    # Also of an account that was removed: what its hook sends may have come from the API before.
    fetched = {one.conversation.account for one in chats if is_fetched(one.reading.claim.body)}
    both_ways = store.fetched_accounts(fetched) | sources.keys()
    concerned = [one for one in chats if one.conversation.account in both_ways]
    if not concerned:
        return chats
    lanes = {number: source_lane(name) for number, (name, _) in sources.items()}
    asked = [(one.conversation.key, one.reading.begun, lanes.get(one.conversation.account, "")) for one in concerned]
    kin = dict(zip(map(id, concerned), store.kin(asked), strict=True))
    wanted = {wish for one in kin.values() for wish in ((one.own,) if one.own else one.near)}
    kept = store.newest_of(sorted(wanted)) if wanted else {}
    found = []
    for chat in chats:
        if id(chat) in kin:
            known = _known(chat, kin[id(chat)], kept)
            if chat.conversation.account in sources and not known.trouble:
                name, account = sources[chat.conversation.account]
                known = _completed(store, known, account, source_lane(name), waits, kin[id(chat)].held)
            found.append(known)
        else:
            found.append(chat)
    return found


def _begun(conversation: Conversation) -> int | None:
    return round(conversation.begin_at.timestamp() * 1000) if conversation.begin_at else None


def _known(chat: ReadChat, kin: Kin, kept: Mapping[ConversationId, KeptBody]) -> ReadChat:
    own, fetched = chat.conversation.key, is_fetched(chat.reading.claim.body)
    identity, seen = kin.own, None
    if identity is None:
        # One that came both ways has both of its ids, and two that the hook sent are two.
        others = {
            one.id: traits(conversation)
            for one in map(kept.get, kin.near)
            if one and not one.taken and is_fetched(one.body) != fetched and (conversation := _parsed(one))
        }
        identity, seen = twin(traits(chat.conversation), others), kin.seen
        unread = [one.trouble for one in map(kept.get, kin.near) if one and one.trouble and not one.taken]
        if identity is None and unread:
            return replace(chat, trouble=unread[0])
    beneath = above = False
    newest = kept.get(identity) if identity else None
    if newest and is_fetched(newest.body) != fetched and (before := _parsed(newest)):
        # Deliveries carry the newest revision: that is to be the one that says more, whichever came or was read first.
        beneath = not fetched and says_no_more(chat.conversation, before)
        above = fetched and says_no_more(before, chat.conversation)
    identity = identity or own
    reading = replace(
        chat.reading,
        conversation=identity,
        other=own if identity != own else "",
        seen=seen if chat.reading.begun is not None else None,
        beneath=beneath,
        above=above,
        compared=newest.payload if newest else "",
    )
    return ReadChat(reading, known_as(chat.conversation, identity))


def _completed(
    store: Store, chat: ReadChat, account: Account, lane: str, waits: Mapping[str, Quiet], held: bool
) -> ReadChat:
    """What the hook sent is completed, and waits for that; but not for an API that is known to be out of order."""
    reading = chat.reading
    ends = chat.conversation.span()[1]
    if (
        account.enrich is None
        or reading.beneath
        or reading.begun is None
        or is_fetched(reading.claim.body)
        or reading.claim.received - ends > FRESH_MS
    ):
        return chat
    within = round(account.enrich.within.total_seconds() * 1000)
    own = ConversationId(reading.other or reading.conversation)
    store.order(Wish(own, lane, wait_ms=min(SETTLED_MS, within // 2), at_most_ms=within, began=reading.begun))
    if held:
        return chat
    patient = {
        name: Quiet(max(known.quiet, within), max(known.at_most, within), first=True)
        for name in {*reading.connectors, *waits}
        if (known := waits.get(name, Quiet(within, within)))
    }
    return replace(chat, reading=replace(reading, waits=patient))


def _parsed(kept: KeptBody) -> Conversation | None:
    try:
        return parse_conversation(kept.body, kept.account)
    except PayloadError:  # it was kept by another version, or corrected: it is nobody's twin
        return None
