"""`relay status`, `deliveries`, `payloads`, `show`, `jobs`. Only read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import click

from app.admin.attention.lines import Attention
from app.admin.replays import why_nowhere
from app.admin.source.comparisons import second_source
from app.cli.options import (
    StatusChoice,
    as_json,
    connector_option,
    ledger_of,
    limited,
    needs,
    require_connector,
    settings_anyway,
    settings_of,
)
from app.cli.output.lists import (
    print_causes,
    print_deliveries,
    print_jobs,
    print_payloads,
    print_undelivered,
    undelivered_record,
)
from app.cli.output.overview import overview, print_overview
from app.cli.output.records import jsonable, print_json
from app.cli.output.story import print_story
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.delivery import UNDELIVERED, DeliveryStatus, Payload, PayloadStatus
from core.errors import PayloadError
from core.ids import ConversationId, PayloadId, identified
from core.smartsupp.parser import parse_conversation
from core.store import Jobs, Ledger, connected, statistics
from core.store.causes import Causes
from core.store.ledger.conversations import StoredConversation
from core.store.statistics import SPANS, Span


@click.command()
@click.option(
    "--span", type=click.Choice(list(SPANS)), default="day", show_default=True, help="Time range of the figures."
)
@as_json
@needs(lambda env: env)
def status(env: Environment, span: str, as_json: bool) -> None:
    """Show chats received, deliveries, queues, connector states and problems."""
    ledger, settings, client = ledger_of(env), settings_anyway(env), connected(env)
    figures = statistics(client, cast(Span, span), ledger.now())
    attention = Attention(client, env.disk).lines(settings)
    found = overview(ledger, settings, figures, attention, second_source(client, settings))
    print_json(found) if as_json else print_overview(found)


@click.command()
@click.option("--status", "wanted", type=StatusChoice(), help="Only deliveries with this status.")
@connector_option
@limited
@as_json
@needs(ledger_of)
def deliveries(ledger: Ledger, wanted: str | None, connector: str | None, limit: int, as_json: bool) -> None:
    """List the deliveries that changed last; --status undelivered: the chats that were not delivered anywhere.

    \b
    Example: relay deliveries --status retrying --connector crm
    """
    if wanted == UNDELIVERED:
        if connector:
            raise click.UsageError("a chat that was not delivered anywhere has no --connector")
        lost = ledger.lost(limit)
        print_json([undelivered_record(one) for one in lost]) if as_json else print_undelivered(lost)
        return
    found = ledger.deliveries(DeliveryStatus.named(wanted) if wanted else None, connector, limit)
    if as_json:
        print_json([jsonable(delivery) for delivery in found])
    else:
        print_deliveries(found, ledger.now())


@click.command()
@click.option(
    "--status",
    "wanted",
    type=click.Choice([str(one) for one in PayloadStatus]),
    default="quarantined",
    show_default=True,
    help="Only payloads with this status.",
)
@limited
@as_json
@needs(ledger_of)
def payloads(ledger: Ledger, wanted: str, limit: int, as_json: bool) -> None:
    """List payloads, newest first: the quarantined ones, or others."""
    found = ledger.payloads(PayloadStatus(wanted), limit)
    if as_json:
        print_json([jsonable(payload) for payload in found])
    else:
        print_payloads(found)


@click.command("show")
@click.argument("identity", metavar="ID")
@as_json
@needs(ledger_of)
def show_one(ledger: Ledger, identity: str, as_json: bool) -> None:
    """Show everything about a delivery, a chat or a payload.

    \b
    A delivery's id is connector:account:channel, a chat's is account:channel.
    """
    found: Any
    newest: Payload | None = None
    match identified(identity):
        case PayloadId() as payload:
            found = newest = ledger.payload(payload)
        case ConversationId() as conversation:
            found = ledger.conversation(conversation)
            newest = found.payloads[-1] if found.payloads else None
        case delivery:
            found = ledger.delivery(delivery)
    notes = _notes(newest) if newest else ()
    if as_json:
        nowhere = found.nowhere if isinstance(found, StoredConversation) else None
        more = {"notes": notes, "not_delivered_anywhere": why_nowhere(nowhere) if nowhere else ""}
        print_json({**jsonable(found), **{name: value for name, value in more.items() if value}})
        return
    print_story(found, ledger.now())
    for note in notes:
        click.echo(f"Ignored: {single_line(note)}")


def _notes(payload: Payload) -> Sequence[str]:
    """What in it could not be understood, and was left empty."""
    try:
        return parse_conversation(payload.body, payload.account).notes
    except PayloadError:
        return ()


@click.command("causes")
@connector_option
@limited
@as_json
@needs(lambda env: env)
def list_causes(env: Environment, connector: str | None, limit: int, as_json: bool) -> None:
    """List why dead letters died, the most frequent cause first.

    A cause is what happened, without ids, numbers and addresses.

    \b
    Example: relay replay --cause 3f1c0a9be2
    """
    if connector:
        require_connector(env, connector)
    ledger, causes = ledger_of(env), Causes(connected(env))
    found = causes.most_frequent([connector] if connector else ledger.connectors(), limit)
    if as_json:
        print_json([jsonable(one) for one in found.rows])
    else:
        print_causes(found)
    if found.number > limit:
        click.echo(f"{limit} of {found.number:,}; --limit shows more", err=True)


@click.command()
@as_json
@needs(lambda env: env)
def jobs(env: Environment, as_json: bool) -> None:
    """List the last bulk replays and discards with their progress. Workers finish those that were interrupted."""
    found = Jobs(connected(env), lambda: settings_of(env)).recent()
    if as_json:
        print_json([jsonable(job) for job in found])
    else:
        print_jobs(found)


COMMANDS: Sequence[click.Command] = (status, deliveries, payloads, show_one, list_causes, jobs)
