"""What `relay status` shows, gathered and printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from app.admin.attention.lines import AttentionLine
from app.admin.connector_state import State, connector_state
from app.admin.source.comparisons import SecondSource
from app.cli.output.records import jsonable
from app.cli.output.tables import new_console, new_table, one_line, print_line, print_rows, span_or_dot
from core.config.doubts import doubts
from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.store import INBOX, Ledger
from core.store.sources.queues import FetchQueue, fetch_queues
from core.store.statistics import Statistics


def overview(
    ledger: Ledger,
    settings: Settings | None,
    figures: Statistics,
    attention: Sequence[AttentionLine],
    second: SecondSource | None,
) -> dict[str, Any]:
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
            "used_up": lane.used_up,
            **lane.counts,
            "in_flight": lane.in_flight,
            "oldest_due_ms": lane.oldest_due,
        }
    return {
        "config": settings.source if settings else "cannot be read; run: relay config check",
        "payloads": ledger.payload_counts(),
        "undelivered": ledger.undelivered(),
        "never_sent": second.sentence if second else "",
        "silent_hooks": second.silent if second else (),
        "doubts": [jsonable(one) for one in doubts(settings)] if settings else [],
        "inbox": {"waiting": lanes[INBOX].waiting, "oldest_due_ms": lanes[INBOX].oldest_due},
        "connectors": connectors,
        "sources": [_source(one) for one in fetch_queues(ledger, settings)] if settings else [],
        "now": ledger.now(),
        "statistics": jsonable(figures),
        "workers": ledger.workers(),
        "troubles": ledger.troubles(),
        "attention": [{**jsonable(one), "sentences": one.sentences} for one in attention],
    }


def _source(queue: FetchQueue) -> dict[str, Any]:
    return {**jsonable(queue), "sentence": queue.sentence, "remedy": queue.remedy}


def print_overview(found: dict[str, Any]) -> None:
    console = new_console()
    counts = ", ".join(f"{number} {name}" for name, number in found["payloads"].items() if number) or "none yet"
    print_line(console, f"Payloads   {counts}")
    workers = ", ".join(found["workers"]) or "[red]none is running; start one with: relay worker[/red]"
    print_line(console, f"Workers    {workers}")
    print_line(console, f"Config     {escape(found['config'])}")
    table = new_table("Connector", "State", *(one.spelled for one in DeliveryStatus), "in flight", "waiting longest")
    for name, row in found["connectors"].items():
        cells = [str(row[status] or "·") for status in DeliveryStatus]
        state = row["state"] if row["state"] in (State.ON, State.OFF) else f"[yellow]{row['state']}[/]"
        table.add_row(name, state, *cells, str(row["in_flight"] or "·"), span_or_dot(row["oldest_due_ms"]))
    print_rows(console, table)
    _print_figures(console, found["statistics"])
    for line in found["attention"]:
        _print_line(console, line, found["now"])
    if found["never_sent"]:
        print_line(console, f"{found['never_sent']}.")
    for one in found["sources"]:
        if one["waiting"] and not one["sentence"]:
            print_line(console, f"source {one['name']}: {one['waiting']} chats to be fetched")


def _print_line(console: Console, line: dict[str, Any], now: int) -> None:
    """What is the case, and what to do."""
    test = f" Next test delivery in {span_or_dot(line['next_test'] - now)}." if (line["next_test"] or 0) > now else ""
    print_line(console, f"[yellow]{escape(line['about'])}[/]: {one_line(line['sentences'])}{test}")
    commands = " · ".join(line["commands"])
    if line["remedy"]:
        print_line(console, f"  {escape(line['remedy'])}{escape(f' ({commands})') if commands else ''}")


def _print_figures(console: Console, found: dict[str, Any]) -> None:
    rows = {name: row for name, row in found["connectors"].items() if row["delivered"] or row["dead"] or row["retried"]}
    if not rows:
        return
    table = new_table(
        f"Last {found['span']}", "delivered", "retried", "dead letters", "success", "median", "95th percentile"
    )
    for name, row in rows.items():
        numbers = [str(row[one] or "·") for one in ("delivered", "retried", "dead")]
        success = "·" if row["success"] is None else f"{row['success']:.1%}"
        table.add_row(name, *numbers, success, span_or_dot(row["median"] or 0), span_or_dot(row["p95"] or 0))
    print_rows(console, table)
