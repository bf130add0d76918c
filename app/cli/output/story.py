"""All that is known of one payload, one chat or one delivery."""

from __future__ import annotations

import click
from rich.console import Console

from app.admin.replays import why_nowhere
from app.cli.output.lists import next_attempt, print_deliveries
from app.cli.output.tables import local_time, new_console, one_line, print_facts, print_line
from core.delivery import Attempt, Delivery, Payload
from core.store.ledger.conversations import StoredConversation


def print_story(found: Payload | StoredConversation | Delivery, now: int) -> None:
    console = new_console()
    if isinstance(found, Payload):
        print_facts(
            console,
            Payload=found.id,
            Status=found.status,
            Reason=found.error,
            Received=local_time(found.received),
            Account=found.account,
            Chat=found.conversation,
            Bytes=str(found.size),
            Type=found.content_type,
            Duplicates=str(found.duplicates or ""),
        )
        click.echo()
        click.echo(found.body.decode(errors="replace"))
    elif isinstance(found, StoredConversation):
        print_facts(console, Chat=found.id)
        for payload in found.payloads:
            text = f"Revision {payload.revision}   payload {payload.id}, received {local_time(payload.received)}"
            print_line(console, text)
        if found.nowhere:
            print_line(console, f"Not delivered anywhere   {one_line(why_nowhere(found.nowhere))}")
        print_deliveries(found.deliveries, now)
    else:
        _delivery(console, found, now)


def _delivery(console: Console, found: Delivery, now: int) -> None:
    reference = found.reference
    print_facts(
        console,
        Delivery=found.id,
        Status=found.status.shown
        + (" (blocked)" if found.blocked else "")
        + (" (in flight)" if found.in_flight else ""),
        Reason=found.error,
        Record=" ".join(filter(None, (reference.id, reference.url))) if reference else "",
        Revision=str(found.revision or ""),
        Queued=local_time(found.created),
        Next=_waits(found, now) or next_attempt(found, now),
        Steps=", ".join(f"{name} = {value}" for name, value in found.made.items()),
    )
    for note in found.notes:
        print_facts(console, Note=note)
    for one in found.conflicts:
        why = "it was refused" if one.refused else "the destination keeps another value"
        print_facts(console, Conflict=f"{one.field}: the chat says {one.said}; {why}")
    for number, attempt in enumerate(found.attempts, 1):
        _attempt(console, number, attempt)


def _waits(found: Delivery, now: int) -> str:
    if found.blocked or found.due is None or found.due <= now or not found.awaits_quiet:
        return ""
    until = local_time(found.due)
    return f"waits until {until} for the chat to be quiet, or complete (relay replay {found.id} sends it now)"


def _attempt(console: Console, number: int, attempt: Attempt) -> None:
    after = f", next attempt {local_time(attempt.next)}" if attempt.next else ""
    code = f", {attempt.answer}" if attempt.answer else ""
    what = f"{attempt.outcome}{code}, {attempt.ms} ms" + (f", revision {attempt.revision}" if attempt.revision else "")
    print_line(console, f"{number:3}. {local_time(attempt.at)}  {what}{after}")
    if attempt.error:
        print_line(console, f"     {one_line(attempt.error)}")
    for exchange in attempt.requests:
        answer = exchange.status or "no response"
        print_line(console, f"     {exchange.method} {one_line(exchange.url)} → {answer}, {exchange.ms} ms")
