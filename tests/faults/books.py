"""The account of a row: what the senders were told, what the store says, and what is at the destinations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.demo.shop import SHOP_ACCOUNT
from core.delivery import Delivery, DeliveryStatus, Payload, PayloadStatus
from core.ids import PayloadId
from core.store import Ledger
from tests.faults.desk import Desk
from tests.faults.load import Post, serial
from tests.support.destination import Destination

ALL = 1_000_000


@dataclass
class Books:
    """The store's own: each body that it keeps is in one of the classes, and `missing` says which are in none."""

    classes: Counter[str]
    missing: list[str]
    payloads: dict[PayloadId, Payload]
    newest: dict[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        return len(self.payloads)


def read(ledger: Ledger, lane: str) -> Books:
    """For one connector, while nothing changes. Chats of a shop that has an API have books of their own (shop.py)."""
    every = {one.id: one for status in PayloadStatus for one in ledger.payloads(status, limit=ALL)}
    payloads = {name: one for name, one in every.items() if one.account != SHOP_ACCOUNT}
    deliveries = {one.conversation: one for one in ledger.deliveries(connector=lane, limit=ALL)}
    revisions = Counter(one.conversation for one in payloads.values() if one.status is PayloadStatus.ROUTED)
    books = Books(Counter(), [], payloads)
    for one in payloads.values():
        found = _class(one, deliveries.get(one.conversation), revisions[one.conversation])
        if found:
            books.classes[found] += 1
        else:
            books.missing.append(f"{one.id} ({one.status}, {deliveries.get(one.conversation)})")
    # The lists by status, which people see, and the bodies themselves are two ways to count.
    lists = ledger.lane(lane).counts
    assert sum(lists.values()) == len(deliveries) == len(revisions), (lists, len(deliveries), len(revisions))
    counts = ledger.payload_counts()
    assert sum(counts.values()) == len(every), (counts, Counter(one.status for one in every.values()))
    return books


def _class(payload: Payload, delivery: Delivery | None, revisions: int) -> str:
    """ "" for a body that nobody will ever deliver and nobody is told of."""
    if payload.status is PayloadStatus.QUARANTINED:
        return "quarantined"
    if payload.status is PayloadStatus.RECEIVED:
        return "waiting"
    if payload.status is not PayloadStatus.ROUTED or delivery is None:
        return ""
    if delivery.status is DeliveryStatus.DEAD:
        return "dead"
    if delivery.status is DeliveryStatus.DELIVERED:
        return "delivered" if delivery.revision == revisions else ""
    return "waiting" if delivery.due is not None or delivery.in_flight else ""


def lost(books: Books, posts: Iterable[Post]) -> list[str]:
    """What a sender was told is kept, and is not; and what is in no class."""
    return [*books.missing, *(one.id for one in posts if one.accepted and one.id not in books.payloads)]


def newest(ledger: Ledger, books: Books, posts: Iterable[Post]) -> dict[str, int]:
    """Conversation -> the serial of its newest body that is kept. Of bodies whose senders got no answer, too."""
    known = {one.id: (one.conversation, one.serial) for one in posts if one.accepted}
    found: dict[str, int] = {}
    for payload in books.payloads.values():
        if payload.status is PayloadStatus.ROUTED:
            conversation, number = known.get(payload.id) or serial(ledger.payload(payload.id).body)
            found[f"1:{conversation}"] = max(number, found.get(f"1:{conversation}", 0))
    return found


def posted(posts: Iterable[Post]) -> dict[str, int]:
    """The same of all that was accepted, whether or not the store has forgotten it since."""
    found: dict[str, int] = {}
    for one in posts:
        if one.accepted and one.conversation:
            found[f"1:{one.conversation}"] = max(one.serial, found.get(f"1:{one.conversation}", 0))
    return found


def at_desk(
    desk: Desk, ledger: Ledger, expected: dict[str, int], *, rewound: bool = False
) -> tuple[list[str], list[str], int]:
    """What is not there as it should be; what is out of order; and how many tickets there are too many. `rewound`: the
    store was set back, so that something older may come again, but the newest comes last."""
    tickets = desk.tickets()
    dead = {one.conversation for one in ledger.deliveries(DeliveryStatus.DEAD, "desk", limit=ALL)}
    absent, disordered = [], []
    for conversation, number in expected.items():
        said = [int(text) for ticket in tickets.get(conversation, ()) for text in ticket.texts]
        if conversation not in dead and number not in said:
            absent.append(f"{conversation}: {number} is not in {said}")
        if said[-1:] not in ([], [number]) if rewound else said != sorted(said):
            disordered.append(f"{conversation}: {said}, and the newest is {number}")
    return absent, disordered, sum(len(found) - 1 for found in tickets.values())


def at_hook(hook: Destination, expected: dict[str, int], *, rewound: bool = False) -> tuple[list[str], list[str], int]:
    """The same for the webhook, where the last number is that of posts with a webhook-id that had come before."""
    said: dict[str, list[int]] = {}
    seen: Counter[str] = Counter()
    for one in list(hook.received):
        conversation = one.json()["data"]["conversation"]
        key = f"{conversation['account']}:{conversation['id']}"
        said.setdefault(key, []).append(int(conversation["messages"][-1]["content"]))
        seen[one.headers["webhook-id"]] += 1
    absent = [f"{key}: {number}" for key, number in expected.items() if number not in said.get(key, ())]
    disordered = [
        f"{key}: {numbers}"
        for key, numbers in said.items()
        if (numbers[-1] != expected.get(key, numbers[-1]) if rewound else numbers != sorted(numbers))
    ]
    return absent, disordered, seen.total() - len(seen)
