"""`relay status`, `deliveries`, `payloads`, `show`, `jobs`: looking. Only reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import click

from app import show
from app.options import as_json, connector_option, ledger_of, limited, needs, settings_of
from core.delivery import DeliveryStatus, PayloadStatus
from core.environment import Environment
from core.store import Jobs, Ledger, connected, statistics
from core.store.statistics import SPANS, Span


@click.command()
@click.option(
    "--span", type=click.Choice(list(SPANS)), default="day", show_default=True, help="How far back figures go."
)
@as_json
@needs(lambda env: env)
def status(env: Environment, span: str, as_json: bool) -> None:
    """What came in, what went out, what waits, and what is wrong."""
    ledger, settings = ledger_of(env), settings_of(env)
    figures = statistics(connected(env), cast(Span, span), ledger.now())
    found = show.overview(ledger, settings, figures)
    show.print_json(found) if as_json else show.print_overview(found)


@click.command()
@click.option("--status", "wanted", type=click.Choice([str(one) for one in DeliveryStatus]), help="Only those.")
@connector_option
@limited
@as_json
@needs(ledger_of)
def deliveries(ledger: Ledger, wanted: str | None, connector: str | None, limit: int, as_json: bool) -> None:
    """The deliveries that changed last.

    \b
    Example: relay deliveries --status retrying --connector crm
    """
    found = ledger.deliveries(DeliveryStatus(wanted) if wanted else None, connector, limit)
    if as_json:
        show.print_json([show.plain(delivery) for delivery in found])
    else:
        show.print_deliveries(found, ledger.now())


@click.command()
@click.option(
    "--status",
    "wanted",
    type=click.Choice([str(one) for one in PayloadStatus]),
    default="quarantined",
    show_default=True,
    help="Which.",
)
@limited
@as_json
@needs(ledger_of)
def payloads(ledger: Ledger, wanted: str, limit: int, as_json: bool) -> None:
    """Bodies as they came, newest first: the quarantined, or others."""
    found = ledger.payloads(PayloadStatus(wanted), limit)
    if as_json:
        show.print_json([show.plain(payload) for payload in found])
    else:
        show.print_payloads(found)


@click.command("show")
@click.argument("identity", metavar="ID")
@as_json
@needs(ledger_of)
def show_one(ledger: Ledger, identity: str, as_json: bool) -> None:
    """The whole story of a delivery, a conversation or a body.

    \b
    A delivery's id is connector:account:channel, a conversation's account:channel.
    """
    found: Any
    match identity.count(":"):
        case 0:
            found = ledger.payload(identity)
        case 1:
            found = ledger.conversation(identity)
        case _:
            found = ledger.delivery(identity)
    if as_json:
        show.print_json(show.plain(found))
    else:
        show.print_story(found, ledger.now())


@click.command()
@as_json
@needs(lambda env: env)
def jobs(env: Environment, as_json: bool) -> None:
    """The last bulk replays and discards, and how far they are. Workers finish those that were left."""
    found = Jobs(connected(env), _unheard).recent()
    if as_json:
        show.print_json([show.plain(job) for job in found])
    else:
        show.print_jobs(found)


def _unheard(_lane: str) -> None:
    """Who only looks at jobs makes no work."""


COMMANDS: Sequence[click.Command] = (status, deliveries, payloads, show_one, jobs)
