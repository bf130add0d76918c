"""What is found of a visitor: each conversation and each body, as pages list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.dashboard.view.marks import shown_status
from connectors.kit import transcript
from core.delivery import Delivery, Payload, Reference
from core.errors import NotFound, PayloadError, StoreUnsafe
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import Ledger
from core.store.ledger.conversations import StoredConversation
from core.wording.sentence import say


@dataclass(frozen=True)
class FoundChat:
    """A conversation: when it came, if that is known, who is its visitor in any of its revisions, what became of it."""

    id: str
    received: int | None
    visitors: Sequence[str]
    revisions: int
    deliveries: Sequence[tuple[Delivery, str]]

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        return [(one.connector, status) for one, status in self.deliveries]

    @property
    def records(self) -> Sequence[tuple[str, Reference]]:
        return [(one.connector, one.reference) for one, _ in self.deliveries if one.reference]


def found_chats(ledger: Ledger, identities: Sequence[ConversationId]) -> list[FoundChat]:
    found = []
    for identity in identities:
        try:
            found.append(_found(ledger.conversation(identity)))
        except NotFound:
            found.append(FoundChat(identity, None, (say("(only files are left)"),), 0, ()))
        except StoreUnsafe:
            found.append(FoundChat(identity, None, (say("(partly encrypted, and the key is missing)"),), 0, ()))
    return found


def found_bodies(ledger: Ledger, identities: Sequence[PayloadId]) -> list[Payload]:
    found = []
    for identity in identities:
        try:
            found.append(ledger.payload(identity))
        except NotFound:
            continue
    return found


def _found(one: StoredConversation) -> FoundChat:
    return FoundChat(
        one.id,
        one.payloads[-1].received,
        list(dict.fromkeys(name for payload in one.payloads if (name := _name(payload)))),
        len(one.payloads),
        [(delivery, shown_status(delivery)) for delivery in one.deliveries],
    )


def _name(payload: Payload) -> str:
    """`Ann <ann@example.com>`, or as much of it as there is."""
    try:
        visitor = parse_conversation(payload.body, payload.account).visitor
    except PayloadError:
        return ""
    name, email = transcript.single_line(visitor.name), transcript.single_line(visitor.email)
    return transcript.shortened(f"{name} <{email}>" if name and email else name or email or visitor.id)
