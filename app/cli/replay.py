"""`relay replay`, `discard`, `dead …`: what to do about deliveries that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import click

from app.admin.replays import refusal_of_past, replay_refusal, still_nowhere
from app.cli import bulk
from app.cli.options import (
    agreed,
    as_json,
    client_of,
    connector_option,
    fail,
    filtered,
    ledger_of,
    limited,
    needs,
    require_connector,
    settings_of,
    whoever,
)
from app.cli.output.lists import print_deliveries
from app.cli.output.records import jsonable, print_json
from core.config.environment import Environment
from core.delivery import DeliveryStatus
from core.errors import InUse, NotFound
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Aim, Backfill, Control, Filter, Search, connected
from core.store.jobs import JobKind

identities = click.argument("ids", metavar="[ID]...", nargs=-1)
reasoned = click.option("--reason", required=True, help="Kept with each of them, visible to all users.")


@click.command()
@identities
@filtered()
@click.option("--again", "repeat", is_flag=True, help="With --connector: also chats that it has received before.")
@click.option("--all", "anyway", is_flag=True, help="With --connector: also chats that no route sends to it.")
@agreed
@as_json
@needs(lambda env: env)
def replay(
    env: Environment, ids: Sequence[str], wanted: Filter, repeat: bool, anyway: bool, yes: bool, as_json: bool
) -> None:
    """Replay deliveries: one, some, or all that match. Or deliver past chats to a connector that was added later.

    An ID is that of a delivery, of a chat (all its deliveries), or of a payload that was quarantined or set aside. A
    chat that was not delivered anywhere is sent by the current routes. Without an ID, everything that matches is
    counted, and replayed when you confirm.

    --connector alone sends it the past chats that it has not received and that the routes send to it. With --status it
    means that connector's deliveries, and times are those of their last change; otherwise those of the chat.

    \b
    Examples:
      relay replay crm:208:55039
      relay replay --status undelivered
      relay replay --connector crm --since 7d
      relay replay --connector crm --status dead --since 2d
      relay replay --text ann@example.com --yes
    """
    _one_way(ids, wanted != Filter(), "name what to replay, or choose with --connector, --status, --since, …")
    past = bool(wanted.connector) and wanted.status is None
    if (repeat or anyway) and not past:
        raise click.UsageError("--again and --all need --connector, without --status")
    if ids:
        _each(ids, lambda one: _replayed(env, one), as_json)
    elif past:
        require_connector(env, wanted.connector)
        settings = settings_of(env)
        if refused := refusal_of_past(settings, wanted.connector, anyway=anyway):
            only_routes = not refusal_of_past(settings, wanted.connector, anyway=True)
            fail(f"{refused} Or ignore the routes: --all." if only_routes else refused)
        aim = Aim(wanted.connector, repeat, anyway)
        bulk.run_bulk(env, "replay", replace(wanted, connector=""), yes=yes, as_json=as_json, aim=aim)
    else:
        bulk.run_bulk(env, "replay", wanted, yes=yes, as_json=as_json)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@reasoned
@as_json
@needs(lambda env: env)
def discard(env: Environment, ids: Sequence[str], reason: str, as_json: bool) -> None:
    """Discard deliveries or quarantined payloads: they will not be delivered.

    Deliveries that are queued, retrying or dead letters; with a chat's ID all of these, or the chat itself if it was
    not delivered anywhere.

    \b
    Example: relay discard 81b4cee33607579f --reason "a test of ours"
    """
    _each(ids, lambda one: _discarded(env, one, reason), as_json)


@click.group()
def dead() -> None:
    """List, replay and discard dead letters."""


@dead.command("list")
@connector_option
@limited
@as_json
@needs(lambda env: env)
def dead_list(env: Environment, connector: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, the newest first, with their reasons."""
    if connector:
        require_connector(env, connector)
    ledger = ledger_of(env)
    found = ledger.deliveries(DeliveryStatus.DEAD, connector, limit)
    if as_json:
        print_json([jsonable(delivery) for delivery in found])
    else:
        print_deliveries(found, ledger.now(), "no dead letters")
    if len(found) == limit:
        wanted = Filter(connector=connector or "", status=DeliveryStatus.DEAD)
        total, _ = Search(connected(env)).count(wanted)
        if total > limit:
            click.echo(f"{limit} of {total:,}; --limit shows more", err=True)


everything = click.option("--all", "everything", is_flag=True, help="All of them.")


@dead.command("replay")
@identities
@everything
@filtered("status")
@agreed
@as_json
@needs(lambda env: env)
def dead_replay(
    env: Environment, ids: Sequence[str], everything: bool, wanted: Filter, yes: bool, as_json: bool
) -> None:
    """Retry dead letters: those named, all, or those that match.

    \b
    Examples:
      relay dead replay --connector crm --since 3d
      relay dead replay --all --yes
    """
    _dead(env, "replay", ids, everything, wanted, yes, as_json)


@dead.command("discard")
@identities
@everything
@filtered("status")
@reasoned
@agreed
@as_json
@needs(lambda env: env)
def dead_discard(
    env: Environment, ids: Sequence[str], everything: bool, wanted: Filter, reason: str, yes: bool, as_json: bool
) -> None:
    """Discard dead letters: those named, all, or those that match. They are kept for as long as retention says.

    \b
    Example: relay dead discard --connector crm --until 2026-10-01 --reason "before the move"
    """
    _dead(env, "discard", ids, everything, wanted, yes, as_json, reason)


def _dead(
    env: Environment,
    kind: JobKind,
    ids: Sequence[str],
    everything: bool,
    wanted: Filter,
    yes: bool,
    as_json: bool,
    reason: str = "",
) -> None:
    some = wanted != Filter()
    if everything and (ids or some):
        raise click.UsageError("--all means all of them; leave it out to choose")
    _one_way(ids, everything or some, "name some, or choose with --all, --connector, --since, …")
    if ids:
        _each(ids, lambda one: _brought_back(env, one) if kind == "replay" else _buried(env, one, reason), as_json)
        return
    chosen = Filter(**{**wanted.__dict__, "status": DeliveryStatus.DEAD})
    bulk.run_bulk(env, kind, chosen, yes=yes, as_json=as_json, reason=reason)


def _one_way(ids: Sequence[str], chosen: bool, advice: str) -> None:
    if ids and chosen:
        raise click.UsageError("name ids or use filters, not both")
    if not ids and not chosen:
        raise click.UsageError(advice)


def _each(ids: Iterable[str], do: Callable[[str], list[str]], as_json: bool) -> None:
    """Do it to each, whatever becomes of the others; exit code 1 when one failed."""
    found: list[dict[str, Any]] = []
    for one in ids:
        try:
            done = do(one)
        except (NotFound, InUse) as error:
            found.append({"id": one, "done": False, "error": str(error), "results": []})
            click.echo(str(error), err=True)
            continue
        found.append({"id": one, "done": True, "error": "", "results": done})
        if not as_json:
            click.echo("\n".join(done))
    if as_json:
        print_json(found)
    raise SystemExit(any(not row["done"] for row in found))


def _replayed(env: Environment, identity: str) -> list[str]:
    client, settings = client_of(env), settings_of(env)
    control = Control(client)
    said = []
    for target in bulk.deliveries_of(env, identity, "replay"):
        if isinstance(target, ConversationId):
            said += _fanned_out(Backfill(client, lambda: settings), target)
            continue
        connector = target.connector if isinstance(target, DeliveryId) else ""
        connector = settings.renames.get(connector, connector)
        if connector and (refused := replay_refusal(settings, connector)):
            raise NotFound(refused)
        lane = control.replay(target)
        is_off = connector and connector not in settings.enabled
        waits = ", which is off: it stays queued until the connector is on" if is_off else ""
        said.append(f"{target}: queued" + ("" if lane == INBOX else f" for {lane}{waits}"))
    return said


def _fanned_out(backfill: Backfill, conversation: ConversationId) -> list[str]:
    """One that was delivered nowhere, by the routes of today. Raises NotFound."""
    found = backfill.one(conversation, Aim())
    if not found.connectors:
        raise NotFound(f"{conversation}: nothing was queued: {still_nowhere(found.why)}")
    return [f"{DeliveryId.of(name, conversation)}: queued for {name}" for name in found.connectors]


def _discarded(env: Environment, identity: str, reason: str) -> list[str]:
    control, by = Control(connected(env)), whoever()
    targets = bulk.deliveries_of(env, identity, "discard")
    for target in targets:
        control.discard(target, reason, by)
    return [f"{target}: discarded" for target in targets]


def _brought_back(env: Environment, identity: str) -> list[str]:
    _only_dead(env, identity)
    return _replayed(env, identity)


def _buried(env: Environment, identity: str, reason: str) -> list[str]:
    _only_dead(env, identity)
    return _discarded(env, identity, reason)


def _only_dead(env: Environment, identity: str) -> None:
    found = ledger_of(env).delivery(DeliveryId(identity))
    if found.status is not DeliveryStatus.DEAD:
        raise NotFound(f"{identity} is not a dead letter, it is {found.status.shown}")


COMMANDS: Sequence[click.Command] = (replay, discard, dead)
