"""Lists of deliveries, chats, payloads and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.admin.replays import why_nowhere
from app.cli.output.tables import local_time, new_table, one_line, print_table, span_or_dot
from core.delivery import Delivery, DeliveryStatus, Payload
from core.store.causes import CauseList
from core.store.jobs import Job
from core.store.ledger.conversations import StoredConversation

_COLOURS = {
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.RETRYING: "yellow",
    DeliveryStatus.DEAD: "red",
    DeliveryStatus.SKIPPED: "dim",
    DeliveryStatus.WAITING: "cyan",
    DeliveryStatus.DISCARDED: "dim",
}


def print_deliveries(found: Sequence[Delivery], now: int, nothing: str = "no deliveries") -> None:
    table = new_table("Delivery", "Status", "Changed", "Attempts", "Next", "Record or reason")
    for delivery in found:
        reason = delivery.error or (delivery.reference.url or delivery.reference.id if delivery.reference else "")
        table.add_row(
            delivery.id,
            f"[{_COLOURS.get(delivery.status, 'default')}]{delivery.status.shown}[/]",
            local_time(delivery.updated),
            str(delivery.tries or "·"),
            next_attempt(delivery, now),
            one_line(reason),
        )
    print_table(table, nothing)


def next_attempt(delivery: Delivery, now: int) -> str:
    if delivery.paused:
        return "connector paused"
    if delivery.not_responding:
        return "not responding"
    if delivery.in_flight:
        return "in flight"
    if delivery.due is None:
        return ""
    if delivery.due <= now:
        return "now"
    return f"in {span_or_dot(delivery.due - now)}" + (" (when quiet)" if delivery.awaits_quiet else "")


def undelivered_record(found: StoredConversation) -> dict[str, Any]:
    """A conversation that was not delivered anywhere."""
    newest = found.payloads[-1]
    return {"conversation": found.id, "received": newest.received, "why": newest.why, "reason": why_nowhere(newest)}


def print_undelivered(found: Sequence[StoredConversation]) -> None:
    table = new_table("Chat", "Received", "Reason")
    for one in found:
        table.add_row(one.id, local_time(one.payloads[-1].received), one_line(why_nowhere(one.payloads[-1])))
    print_table(table, "no undelivered chats")


def print_causes(found: CauseList) -> None:
    table = new_table("Cause", "Connector", "Dead letters", "Last", "What happened")
    for one in found.rows:
        text = f"{one.cause.outcome}: {one.cause.text}" if one.cause else "encrypted with a key that is not here"
        table.add_row(one.id, one.connector, f"{one.count:,}", local_time(one.last), one_line(text))
    print_table(table, "no dead letters")


def print_payloads(found: Sequence[Payload]) -> None:
    table = new_table("Payload", "Received", "Bytes", "Chat", "Reason")
    for payload in found:
        table.add_row(
            payload.id, local_time(payload.received), str(payload.size), payload.conversation, one_line(payload.error)
        )
    print_table(table, "none")


def print_jobs(found: Sequence[Job]) -> None:
    table = new_table("Job", "Action", "Started", "By", "Processed", "Matched", "Done", "State", "Filter")
    for job in found:
        state = f"finished {local_time(job.finished)}" if job.finished else "[yellow]running[/]"
        numbers = (f"{job.seen:,} of {job.total:,}", f"{job.found:,}", f"{job.done:,}")
        table.add_row(
            job.id, job.kind, local_time(job.created), one_line(job.by), *numbers, state, one_line(_which(job))
        )
    print_table(table, "no jobs")


def _which(job: Job) -> str:
    parts = [
        f"{name} {value.spelled if isinstance(value, DeliveryStatus) else value}"
        for name, value in asdict(job.filter).items()
        if value and name not in ("since", "until")
    ]
    times = (("since", job.filter.since), ("until", job.filter.until))
    if job.aim.connector:
        parts.append(f"past chats to {job.aim.connector}")
    return ", ".join([*parts, *(f"{name} {local_time(at)}" for name, at in times if at is not None)])
