"""`relay source …` and `relay backfill`: Smartsupp's API as a second source of chats."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from app.admin.replays import refusal_of_past
from app.admin.source.backfills import PastChats, accounts_with_api, count_past_chats, start_backfill
from app.cli.bulk import bar
from app.cli.options import (
    agreed,
    as_json,
    ask,
    client_of,
    connector_option,
    fail,
    needs,
    require_connector,
    settings_of,
    whoever,
)
from app.cli.output.records import print_json
from app.cli.output.tables import local_time, new_table, one_line, print_table
from app.cli.smartsupp.orders import drop, move
from app.cli.times import TimeOption
from app.formatting import duration
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.config.sections.source import Account
from core.config.settings import Settings
from core.errors import DeliveryError
from core.smartsupp.api.client import Findings, SmartsuppApi
from core.store import Client
from core.store.sources.catch_ups import CatchUp, CatchUps
from workers.source.api import opened_api
from workers.source.catch_up import SHORT_GRACE_MS, CatchUpWork

_MISSING = (
    "relay.yaml names no API of Smartsupp. Add the section source with account and api.token (docs/smartsupp.md)."
)
#: Days that a check looks at.
_CHECKED_DAYS = 30
#: Seconds between two looks at what a worker does.
_LOOK = 0.5

account_option = click.option("--account", "name", metavar="NAME", help="Only this account of the section source.")


@click.group()
def source() -> None:
    """Check Smartsupp's API, and find chats that never came."""


@source.command()
@account_option
@as_json
@needs(lambda env: env)
def check(env: Environment, name: str | None, as_json: bool) -> None:
    """Check the API token and its rights; only reads.

    Also shows which fields Smartsupp sends.
    """
    client = client_of(env)
    rows = [_checked(client, one, account) for one, account in _accounts(settings_of(env), name).items()]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo("\n".join(_lines(row)))
    raise SystemExit(any(row["error"] or "conversation" in row["refused"] for row in rows))


def _checked(client: Client, name: str, account: Account) -> dict[str, Any]:
    api, now = _api(client, name, account), datetime.now(UTC)
    since = datetime.fromtimestamp(now.timestamp() - _CHECKED_DAYS * 86_400, UTC)
    found, error = Findings("", None, None), ""
    try:
        found = api.check(since, now)
    except DeliveryError as refused:
        error = str(refused)
    place = str(account.api.base_url) if account.api else ""
    return {"name": name, "account": account.account, "base_url": place, "error": error, **asdict(found)}


def _lines(row: Mapping[str, Any]) -> list[str]:
    lines = [f"{row['name']}: account {row['account']} at {row['base_url']}"]
    if row["error"]:
        return [*lines, f"    {single_line(row['error'])}"]
    total = "an unknown number of" if row["total"] is None else f"{row['total']:,}"
    lines.append(
        f"    Token accepted: {total} closed conversations in {_CHECKED_DAYS} days, fields in {row['dialect']}."
    )
    if row["agents"] is not None:
        lines.append(f"    {row['agents']} agents, with their emails.")
    lines += [f"    Not available: {what}: {single_line(why)}" for what, why in row["refused"].items()]
    if row["lacks"]:
        lines.append(f"    Fields that are not sent: {', '.join(row['lacks'])}.")
    if row["unknown"]:
        lines.append(f"    Fields that Relay does not know, kept with the payload: {', '.join(row['unknown'])}.")
    return lines


@source.command()
@account_option
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 365), help="How many days to look back.")
@as_json
@needs(lambda env: env)
def reconcile(env: Environment, name: str | None, days: int, as_json: bool) -> None:
    """Find and deliver chats that the hook never sent.

    Compares the last days with Smartsupp now.
    """
    settings = settings_of(env)
    work = CatchUpWork(client_of(env), lambda: settings, threading.Event())
    begun = [
        work.compare(one, account.account or "", days, by=whoever(), grace=SHORT_GRACE_MS)
        for one, account in _accounts(settings, name).items()
    ]
    _follow(env, work, begun, as_json)


@source.command()
@as_json
@needs(lambda env: env)
def status(env: Environment, as_json: bool) -> None:
    """List backfills and comparisons, the newest first."""
    catch_ups = CatchUps(client_of(env))
    found = catch_ups.recent()
    if as_json:
        compared = {name: asdict(one) for name, one in catch_ups.comparisons().items()}
        print_json({"catch_ups": [_told(one) for one in found], "compared": compared, "missing": catch_ups.missing()})
        return
    table = new_table("Id", "Kind", "Account", "Started", "Conversations", "Known", "Fetched", "Left", "State")
    for one in found:
        numbers = [f"{number:,}" for number in (one.listed, one.known, one.fetched, one.waiting)]
        table.add_row(one.id, one.kind, one.source, local_time(one.created), *numbers, one_line(_state(one)))
    print_table(table, "no backfill and no comparison so far")


@source.command()
@click.argument("identity", metavar="ID")
@as_json
@needs(lambda env: env)
def stop(env: Environment, identity: str, as_json: bool) -> None:
    """Stop a backfill or a comparison. What it has fetched stays, and is delivered."""
    catch_ups = CatchUps(client_of(env))
    found = catch_ups.get(identity)
    if found.finished is None:
        catch_ups.finish(found, stopped=True)
    found = catch_ups.get(identity)
    print_json(_told(found)) if as_json else click.echo(f"{identity}: {_state(found)}. {_sentence([found])}")


@click.command()
@click.option(
    "--since", required=True, type=TimeOption(), help="Chats that began from this time on: 2025-01-01, 30d ago."
)
@click.option("--until", type=TimeOption(), help="Chats that began before this time; default: now.")
@connector_option
@account_option
@agreed
@as_json
@needs(lambda env: env)
def backfill(
    env: Environment,
    since: int,
    until: int | None,
    connector: str | None,
    name: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Fetch past chats from Smartsupp's API and deliver them.

    Counts them first, then asks. Chats that are already stored are left out. The oldest comes first, within the API's
    rate, and new chats are delivered before it. The workers finish it if this command is stopped.

    \b
    Examples:
      relay backfill --since 2025-01-01
      relay backfill --since 90d --connector crm
    """
    settings, client = settings_of(env), client_of(env)
    if connector:
        require_connector(env, connector)
        if refused := refusal_of_past(settings, connector, anyway=False):
            fail(refused)
    ends = min(until or round(time.time() * 1000), round(time.time() * 1000))
    if ends <= since:
        raise click.UsageError("--since must be earlier than --until and now")
    accounts = _accounts(settings, name)
    try:
        past = count_past_chats(client, accounts, since, ends)
    except DeliveryError as error:
        fail(single_line(str(error)))
    if past.total == 0:
        told = {"catch_ups": [], "ended": "complete", "reason": "Smartsupp has no chats of that time"}
        print_json(told) if as_json else click.echo(told["reason"])
        return
    ask(_question(settings, past, connector or ""), yes)
    begun = start_backfill(client, accounts, since, ends, by=whoever(), connector=connector or "", expected=past.counts)
    _follow(env, CatchUpWork(client, lambda: settings, threading.Event()), begun, as_json)


def _accounts(settings: Settings, name: str | None) -> dict[str, Account]:
    """Those with an API, or the one that is named; else the command ends."""
    found = accounts_with_api(settings)
    if not found:
        fail(_MISSING)
    if name and name not in found:
        fail(f"there is no account '{name}' with an API; available: {', '.join(found)}")
    return {name: found[name]} if name else found


def _api(client: Client, name: str, account: Account) -> SmartsuppApi:
    api = opened_api(name, account, client)
    if api is None:
        fail(_MISSING)
    return api


def _question(settings: Settings, past: PastChats, connector: str) -> str:
    many = "all chats of that time" if past.total is None else f"about {past.total:,} chats"
    lasts = f" That takes at least {duration(round(past.seconds * 1000))}." if past.seconds >= 1 else ""
    where = connector or f"wherever the routes say ({', '.join(settings.enabled) or 'no connector is enabled'})"
    return f"Smartsupp has {many}.{lasts} Those that are not stored yet go to {where}. Fetch them?"


def _follow(env: Environment, work: CatchUpWork, begun: Sequence[CatchUp], as_json: bool) -> None:
    """Work on it beside the workers until it is finished, with a bar; and say what came of it."""
    catch_ups, ended = CatchUps(client_of(env)), "complete"
    try:
        for one in begun:
            _watch(catch_ups, work, one)
    except KeyboardInterrupt:
        ended = "interrupted"
    found = [catch_ups.get(one.id) for one in begun]
    put_off = [one for one in found if one.finished is None and one.error]
    if as_json:
        print_json({"catch_ups": [_told(one) for one in found], "ended": "put off" if put_off else ended})
    else:
        click.echo(_sentence(found))
    if put_off:
        fail(f"put off: {single_line(put_off[0].error)}. The workers try again; see: relay source status")
    if ended != "complete":
        fail("Stopped watching. The workers finish it; see its progress with: relay source status")


def _watch(catch_ups: CatchUps, work: CatchUpWork, begun: CatchUp) -> None:
    with bar(begun.expected if begun.expected > 0 else None, "Fetching") as shown:
        while (now := catch_ups.get(begun.id)).finished is None and not now.error:
            shown.update(max(0, min(now.listed - now.waiting, begun.expected) - shown.pos))
            if not work.advance(now):
                time.sleep(_LOOK)  # another process works on it, or deliveries come first


def _sentence(found: Sequence[CatchUp]) -> str:
    def sum_of(name: str) -> int:
        return sum(getattr(one, name) for one in found)

    parts = [
        f"{sum_of('fetched'):,} fetched",
        f"{sum_of('known'):,} already stored",
        *([f"{sum_of('gone'):,} deleted at Smartsupp meanwhile"] if sum_of("gone") else []),
        *([f"{sum_of('failed'):,} that Smartsupp cannot give"] if sum_of("failed") else []),
        *([f"{sum_of('waiting'):,} left"] if sum_of("waiting") else []),
    ]
    return f"{sum_of('listed'):,} conversations: {', '.join(parts)}"


def _state(one: CatchUp) -> str:
    if one.finished is not None:
        return "stopped" if one.stopped else "finished"
    return one.error or ("listing" if one.stage == "listing" else "fetching")


def _told(one: CatchUp) -> dict[str, Any]:
    return {
        **{name: value for name, value in asdict(one).items() if name != "cursor"},
        "listed": one.listed,
        "state": _state(one),
    }


for _command in (move, drop):
    source.add_command(_command)

COMMANDS: Sequence[click.Command] = (source, backfill)
