"""What the command line prints: tables and stories. Texts of strangers are printed as text, without control codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.admin.connector_state import State, connector_state
from app.admin.doctor import REJECTED
from app.admin.replays import told
from app.formatting import duration
from connectors.kit.transcript import single_line
from core.config.doubts import doubts
from core.config.settings import Settings
from core.delivery import Attempt, Delivery, DeliveryStatus, Payload
from core.store import INBOX, Ledger
from core.store.jobs import Job
from core.store.ledger import Conversation
from core.store.statistics import Statistics

_COLOURS = {
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.RETRYING: "yellow",
    DeliveryStatus.DEAD: "red",
    DeliveryStatus.SKIPPED: "dim",
    DeliveryStatus.WAITING: "cyan",
    DeliveryStatus.DISCARDED: "dim",
}


def _console() -> Console:
    """As wide as the terminal; wide enough for anything where the output goes into a file or a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def _table(*columns: str) -> Table:
    """Only the last column may wrap: the others are what people copy."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        last = column == columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold" if last else "ellipsis")
    return table


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def print_json(value: Any) -> None:
    click.echo(as_json(value))


def plain(value: Any) -> Any:
    """A record of the store as JSON; a body as text, as far as it is any."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: item.decode(errors="replace") if isinstance(item, bytes) else item for name, item in items}

    return asdict(value, dict_factory=pairs)


def overview(ledger: Ledger, settings: Settings | None, figures: Statistics) -> dict[str, Any]:
    """Everything that `relay status` shows. Without settings, which cannot be read then, it is what the store knows."""
    configured = settings.connectors if settings else {}
    names = [*configured, *(name for name in ledger.connectors() if name not in configured)]
    lanes = {name: ledger.lane(name) for name in (INBOX, *names)}
    connectors = {}
    for name in names:
        lane = lanes[name]
        known, now = configured.get(name), connector_state(settings, name, lane)
        connectors[name] = {
            "state": now.state,
            "reason": lane.gate.reason if lane.gate and (known or not settings) else "",
            "sentence": now.sentence,
            "remedy": now.remedy,
            "commands": now.commands,
            "since": now.since,
            "next_test": now.next_test,
            "slowed": lane.slowed,
            "limited": lane.limited,
            "narrowed": lane.narrowed,
            **lane.counts,
            "in_flight": lane.in_flight,
            "oldest_due_ms": lane.oldest_due,
        }
    return {
        "config": settings.source if settings else "cannot be read; run: relay config check",
        "payloads": ledger.payload_counts(),
        "undelivered": ledger.undelivered(),
        "doubts": [plain(one) for one in doubts(settings)] if settings else [],
        "inbox": {"waiting": lanes[INBOX].waiting, "oldest_due_ms": lanes[INBOX].oldest_due},
        "connectors": connectors,
        "now": ledger.now(),
        "statistics": plain(figures),
        "workers": ledger.workers(),
        "troubles": ledger.troubles(),
    }


def print_overview(found: dict[str, Any]) -> None:
    console = _console()
    counts = ", ".join(f"{number} {name}" for name, number in found["payloads"].items() if number) or "none yet"
    console.print(f"Payloads   {counts}", highlight=False)
    workers = ", ".join(found["workers"]) or "[red]none is running; start one with: relay worker[/red]"
    console.print(f"Workers    {workers}", highlight=False)
    console.print(f"Config     {escape(found['config'])}", highlight=False)
    table = _table("Connector", "State", *(one.spelled for one in DeliveryStatus), "in flight", "waiting longest")
    for name, row in found["connectors"].items():
        cells = [str(row[status] or "·") for status in DeliveryStatus]
        state = row["state"] if row["state"] in (State.ON, State.OFF) else f"[yellow]{row['state']}[/]"
        table.add_row(name, state, *cells, str(row["in_flight"] or "·"), span(row["oldest_due_ms"]))
    console.print(table)
    _print_figures(console, found["statistics"])
    if number := found["undelivered"]:
        console.print(
            f"[red]{number} chat{' was' if number == 1 else 's were'} not delivered anywhere[/]:"
            " relay deliveries --status undelivered, then relay replay --status undelivered",
            highlight=False,
        )
    for one in found["doubts"]:
        console.print(f"[yellow]{escape(one['text'])}[/] {escape(one['remedy'])}", highlight=False)
    for name, row in found["connectors"].items():
        queued = row[DeliveryStatus.WAITING] + row[DeliveryStatus.RETRYING]
        if row["state"] not in (State.ON, State.NO_ROUTE, State.UNKNOWN) and (queued or row["state"] != State.OFF):
            _print_state(console, name, row, found["now"])
        if row[DeliveryStatus.DEAD]:
            console.print(f"{name} has dead letters: relay dead list --connector {name}", highlight=False)
    if found["payloads"]["quarantined"]:
        console.print("There are quarantined payloads: relay payloads")
    for worker, trouble in found["troubles"].items():
        console.print(
            f"[red]{worker} {REJECTED}[/]: {_shown(trouble)}",
            highlight=False,
        )


def _print_state(console: Console, name: str, row: dict[str, Any], now: int) -> None:
    """What is the case with a connector, and what to do. Of one without a route the doubts about the file speak."""
    test = f" Next test delivery in {span(row['next_test'] - now)}." if (row["next_test"] or 0) > now else ""
    console.print(f"[yellow]{name}[/]: {_shown(row['sentence'])}{test}", highlight=False)
    commands = " · ".join(row["commands"])
    console.print(f"  {escape(row['remedy'])}{f' ({commands})' if commands else ''}", highlight=False)


def _print_figures(console: Console, found: dict[str, Any]) -> None:
    rows = {name: row for name, row in found["connectors"].items() if row["delivered"] or row["dead"] or row["retried"]}
    if not rows:
        return
    table = _table(
        f"Last {found['span']}", "delivered", "retried", "dead letters", "success", "median", "95th percentile"
    )
    for name, row in rows.items():
        numbers = [str(row[one] or "·") for one in ("delivered", "retried", "dead")]
        success = "·" if row["success"] is None else f"{row['success']:.1%}"
        table.add_row(name, *numbers, success, span(row["median"] or 0), span(row["p95"] or 0))
    console.print(table)


def print_jobs(found: Sequence[Job]) -> None:
    table = _table("Job", "Action", "Started", "By", "Processed", "Matched", "Done", "State", "Filter")
    for job in found:
        state = f"finished {moment(job.finished)}" if job.finished else "[yellow]running[/]"
        numbers = (f"{job.seen:,} of {job.total:,}", f"{job.found:,}", f"{job.done:,}")
        table.add_row(job.id, job.kind, moment(job.created), _shown(job.by), *numbers, state, _shown(_which(job)))
    _print(table, "no jobs")


def _which(job: Job) -> str:
    parts = [
        f"{name} {value.spelled if isinstance(value, DeliveryStatus) else value}"
        for name, value in asdict(job.filter).items()
        if value and name not in ("since", "until")
    ]
    times = (("since", job.filter.since), ("until", job.filter.until))
    if job.aim.connector:
        parts.append(f"past chats to {job.aim.connector}")
    return ", ".join([*parts, *(f"{name} {moment(at)}" for name, at in times if at is not None)])


def print_deliveries(found: Sequence[Delivery], now: int, nothing: str = "no deliveries") -> None:
    table = _table("Delivery", "Status", "Changed", "Attempts", "Next", "Record or reason")
    for delivery in found:
        reason = delivery.error or (delivery.reference.url or delivery.reference.id if delivery.reference else "")
        table.add_row(
            delivery.id,
            f"[{_COLOURS.get(delivery.status, 'default')}]{delivery.status.shown}[/]",
            moment(delivery.updated),
            str(delivery.tries or "·"),
            _next(delivery, now),
            _shown(reason),
        )
    _print(table, nothing)


def lost(found: Conversation) -> dict[str, Any]:
    """A conversation that was not delivered anywhere."""
    newest = found.payloads[-1]
    return {"conversation": found.id, "received": newest.received, "why": newest.why, "reason": told(newest)}


def print_lost(found: Sequence[Conversation]) -> None:
    table = _table("Chat", "Received", "Reason")
    for one in found:
        table.add_row(one.id, moment(one.payloads[-1].received), _shown(told(one.payloads[-1])))
    _print(table, "no undelivered chats")


def print_payloads(found: Sequence[Payload]) -> None:
    table = _table("Payload", "Received", "Bytes", "Chat", "Reason")
    for payload in found:
        table.add_row(
            payload.id, moment(payload.received), str(payload.size), payload.conversation, _shown(payload.error)
        )
    _print(table, "none")


def print_story(found: Payload | Conversation | Delivery, now: int) -> None:
    console = _console()
    if isinstance(found, Payload):
        _facts(
            console,
            Payload=found.id,
            Status=found.status,
            Reason=found.error,
            Received=moment(found.received),
            Account=found.account,
            Chat=found.conversation,
            Bytes=str(found.size),
            Type=found.content_type,
            Duplicates=str(found.duplicates or ""),
        )
        click.echo()
        click.echo(found.body.decode(errors="replace"))
    elif isinstance(found, Conversation):
        _facts(console, Chat=found.id)
        for payload in found.payloads:
            text = f"Revision {payload.revision}   payload {payload.id}, received {moment(payload.received)}"
            console.print(text, highlight=False)
        if found.nowhere:
            console.print(f"Not delivered anywhere   {_shown(told(found.nowhere))}", highlight=False)
        print_deliveries(found.deliveries, now)
    else:
        _delivery(console, found, now)


def _delivery(console: Console, found: Delivery, now: int) -> None:
    reference = found.reference
    _facts(
        console,
        Delivery=found.id,
        Status=found.status.shown
        + (" (blocked)" if found.blocked else "")
        + (" (in flight)" if found.in_flight else ""),
        Reason=found.error,
        Record=" ".join(filter(None, (reference.id, reference.url))) if reference else "",
        Revision=str(found.revision or ""),
        Queued=moment(found.created),
        Next=_next(found, now),
        Steps=", ".join(f"{name} = {value}" for name, value in found.made.items()),
    )
    for note in found.notes:
        _facts(console, Note=note)
    for number, attempt in enumerate(found.attempts, 1):
        _attempt(console, number, attempt)


def _attempt(console: Console, number: int, attempt: Attempt) -> None:
    after = f", next attempt {moment(attempt.next)}" if attempt.next else ""
    code = f", HTTP {attempt.status}" if attempt.status else ""
    what = f"{attempt.outcome}{code}, {attempt.ms} ms" + (f", revision {attempt.revision}" if attempt.revision else "")
    console.print(f"{number:3}. {moment(attempt.at)}  {what}{after}", highlight=False)
    if attempt.error:
        console.print(f"     {_shown(attempt.error)}", highlight=False)
    for exchange in attempt.requests:
        answer = exchange.status or "no response"
        console.print(f"     {exchange.method} {_shown(exchange.url)} → {answer}, {exchange.ms} ms", highlight=False)


def _facts(console: Console, **facts: str) -> None:
    for name, value in facts.items():
        if value:
            console.print(f"{name:13}{_shown(value)}", highlight=False)


def _print(table: Table, nothing: str) -> None:
    if table.rows:
        _console().print(table)
    else:
        click.echo(nothing)


def _next(delivery: Delivery, now: int) -> str:
    if delivery.paused:
        return "connector paused"
    if delivery.not_responding:
        return "not responding"
    if delivery.in_flight:
        return "in flight"
    if delivery.due is None:
        return ""
    return "now" if delivery.due <= now else f"in {span(delivery.due - now)}"


def _shown(text: str) -> str:
    return escape(single_line(text))


def moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(ms: int) -> str:
    """A length of time in its largest unit, or a dot for none."""
    return duration(ms) if ms else "·"
