"""The story of one delivery: when revisions came, when it was queued, each attempt, and how long after what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.delivery import Attempt, Delivery, Outcome, Payload


@dataclass(frozen=True)
class TimelineEvent:
    """`after` is ms since the event before it was over, or None for the first; `number` counts attempts from 1; `whole`
    is how long it took from receipt to record, of an attempt that delivered."""

    kind: Literal["received", "queued", "attempt"]
    at: int
    after: int | None = None
    revision: int = 0
    attempt: Attempt | None = None
    number: int = 0
    whole: int | None = None


def timeline(delivery: Delivery, payloads: Sequence[Payload]) -> list[TimelineEvent]:
    """Oldest first. Of a chat's revisions those that were attempted, and the newest."""
    received = {number: one.received for number, one in enumerate(payloads, 1)}
    tried = {one.revision for one in delivery.attempts}
    told = {number for number in received if number in tried} | {len(payloads)}
    found = [TimelineEvent("received", received[number], revision=number) for number in sorted(told) if number]
    found.append(TimelineEvent("queued", delivery.created))
    for number, one in enumerate(delivery.attempts, 1):
        whole = None
        if one.outcome is Outcome.DELIVERED and one.revision in received:
            whole = max(0, one.at + one.ms - received[one.revision])
        found.append(TimelineEvent("attempt", one.at, revision=one.revision, attempt=one, number=number, whole=whole))
    # Attempts have the time of their worker's clock: in one moment what must come first does.
    order = ("received", "queued", "attempt")
    return list(_following(sorted(found, key=lambda one: (one.at, order.index(one.kind)))))


def _following(events: Sequence[TimelineEvent]) -> Iterator[TimelineEvent]:
    over: int | None = None
    for one in events:
        yield replace(one, after=max(0, one.at - over)) if over is not None else one
        over = max(over or 0, one.at + (one.attempt.ms if one.attempt else 0))


def split(events: Sequence[TimelineEvent], shown: int) -> tuple[Sequence[TimelineEvent], Sequence[TimelineEvent]]:
    """What unfolds, and the last `shown` attempts with all that came since."""
    attempts = [at for at, one in enumerate(events) if one.attempt]
    if len(attempts) <= shown:
        return (), events
    first = attempts[-shown]
    return events[:first], events[first:]
