"""Erasing a visitor: everything in the store and in archives, with a receipt of what went and of what is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.base import Connector
from core.delivery import Delivery
from core.errors import InUse, NotFound
from core.store import Eraser, Ledger
from core.store.erase import Traces

#: Seconds that an attempt which is going on is waited for; it may take 60.
PATIENCE = 75.0


@dataclass(frozen=True)
class Elsewhere:
    """A record at a destination, which only its owner can erase."""

    connector: str
    record: str
    url: str


@dataclass(frozen=True)
class Receipt:
    """What was erased. `in_use` are conversations and bodies that were worked on all the time: erase again."""

    conversations: tuple[str, ...]
    payloads: tuple[str, ...]
    revisions: int
    deliveries: int
    attempts: int
    files: tuple[str, ...]
    elsewhere: tuple[Elsewhere, ...]
    in_use: tuple[str, ...] = ()


def erase(
    visitor: str,
    traces: Traces,
    eraser: Eraser,
    ledger: Ledger,
    connectors: Mapping[str, Connector[Any]],
    patience: float = PATIENCE,
) -> Receipt:
    """Erase what `Eraser.traces(visitor)` found. Raises StoreUnavailable; then ask again, what is gone is gone."""
    waiting = Retrying(
        retry=retry_if_exception_type(InUse), stop=stop_after_delay(patience), wait=wait_fixed(0.5), reraise=True
    )
    gone, payloads, files, elsewhere, in_use = [], [], [], [], []
    revisions = deliveries = attempts = 0
    for conversation in traces.conversations:
        try:
            known = ledger.conversation(conversation).deliveries
        except NotFound:
            continue
        try:
            erased = waiting(eraser.conversation, conversation)
        except InUse:
            in_use.append(conversation)
            continue
        if erased is None:
            continue
        gone.append(conversation)
        revisions, deliveries = revisions + erased.revisions, deliveries + erased.deliveries
        attempts += erased.attempts
        # After the store: nobody writes a file any more.
        mine = [path for connector in connectors.values() for path in connector.erase(conversation)]
        files += mine
        elsewhere += _elsewhere(known, connectors)
    for payload in traces.payloads:
        try:
            if waiting(eraser.payload, payload):
                payloads.append(payload)
        except InUse:
            in_use.append(payload)
    eraser.forget_jobs(visitor)
    return Receipt(
        tuple(gone), tuple(payloads), revisions, deliveries, attempts, tuple(files), tuple(elsewhere), tuple(in_use)
    )


def _elsewhere(deliveries: Iterable[Delivery], connectors: Mapping[str, Connector[Any]]) -> list[Elsewhere]:
    return [
        Elsewhere(one.connector, one.reference.id, one.reference.url)
        for one in deliveries
        if one.reference and not (one.connector in connectors and connectors[one.connector].keeps_files)
    ]
