"""Whether a chat that the hook sent and one that was fetched from the API are the same one. Pure.

Their ids differ, and so do those of their visitors. Both say when the chat began, in ms, what the visitor wrote and
when, and most of the time who the visitor is. Two chats that are taken for one are worse than one that is kept twice:
the transcript of a stranger would be in somebody's record. So what is in doubt is not the same (docs/adr/0030).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from core.conversation import Conversation
from core.ids import ConversationId

#: Characters of a message that are compared; what is longer may have been cut on its way.
_COMPARED = 80
#: Ms by which the API's times may differ from the hook's, where one of them knows only seconds.
ROUNDED_MS = 1_000
#: A message so long is nobody else's in the same second.
_LONG = 20


class Traits(NamedTuple):
    """What a chat is recognised by. Times are in ms, or None; texts are folded, and "" where there is none."""

    account: str
    began: int | None
    email: str = ""
    name: str = ""
    address: str = ""
    words: str = ""
    said: int | None = None


def traits(conversation: Conversation) -> Traits:
    visitor = conversation.visitor
    first = next((one for one in conversation.messages if one.type == "visitor" and one.content.strip()), None)
    return Traits(
        conversation.account,
        _ms(conversation.begin_at),
        _folded(visitor.email),
        _folded(visitor.name),
        visitor.ip_address.strip(),
        _folded(first.content)[:_COMPARED] if first else "",
        _ms(first.sent_at) if first else None,
    )


def same_chat(one: Traits, other: Traits) -> bool:
    """Whether these are one chat."""
    if one.account != other.account or one.began is None or other.began is None:
        return False
    apart = abs(one.began - other.began)
    if apart > ROUNDED_MS or (one.words and other.words and one.words != other.words):
        return False
    late = abs(one.said - other.said) if one.said is not None and other.said is not None else None
    if late is not None and late > ROUNDED_MS:
        return False
    return _agree(one, other, apart, late)


def _agree(one: Traits, other: Traits, apart: int, late: int | None) -> bool:
    """Whether enough speaks for it, where nothing speaks against it but perhaps the email. `apart` and `late` (None:
    not known) are ms between the beginnings, and between the first things that were written."""
    if one.email and other.email and one.email != other.email:
        # An agent may have corrected it since. Then all the rest must be the same, to the millisecond.
        return apart == 0 and late == 0 and bool(one.words) and one.words == other.words
    email, address = (bool(a) and a == b for a, b in ((one.email, other.email), (one.address, other.address)))
    name = bool(one.name) and one.name == other.name
    if not one.words or not other.words:
        return apart == 0 and (email or (address and one.words == other.words))
    if apart == 0:
        return email or address or name or late == 0
    rounded = any((began or 1) % 1_000 == 0 for began in (one.began, other.began))
    return rounded and (email or (address and name) or len(one.words) >= _LONG)


def twin(wanted: Traits, candidates: Mapping[ConversationId, Traits]) -> ConversationId | None:
    """Which of them is the same chat, or None: none is, or it could be several."""
    found = [identity for identity, one in candidates.items() if same_chat(wanted, one)]
    return found[0] if len(found) == 1 else None


def known_as(conversation: Conversation, identity: ConversationId) -> Conversation:
    """A conversation under the id that it has here, whichever it came by."""
    if not identity or conversation.key == identity:
        return conversation
    return conversation.model_copy(update={"account": identity.account, "id": identity.channel})


def says_no_more(later: Conversation, kept: Conversation) -> bool:
    """Whether a chat has nothing that the one which is kept has not: no message, no rating, no later end."""
    told = {(one.type, _folded(one.content)) for one in kept.messages}
    return (
        all((one.type, _folded(one.content)) in told for one in later.messages if one.type != "system")
        and later.rating in (None, kept.rating)
        and (_ms(later.end_at) or 0) <= (_ms(kept.end_at) or 0) + ROUNDED_MS
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _ms(time: datetime | None) -> int | None:
    return round(time.timestamp() * 1000) if time else None
