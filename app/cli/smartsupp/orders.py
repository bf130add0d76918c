"""`relay source move` and `relay source drop`: chats to be fetched for an account that is not there any more."""

from __future__ import annotations

import click

from app.admin.source.backfills import accounts_with_api
from app.cli.options import agreed, as_json, ask, client_of, fail, needs, settings_of
from app.cli.output.records import print_json
from core.config.environment import Environment
from core.store.sources.stranded import StrandedOrders, StrandedQueue


@click.command()
@click.argument("name")
@click.option("--to", "heir", required=True, metavar="ACCOUNT", help="An account of the section source, with an API.")
@agreed
@as_json
@needs(lambda env: env)
def move(env: Environment, name: str, heir: str, yes: bool, as_json: bool) -> None:
    """Fetch the waiting chats of a removed account through another one.

    NAME is what the account was called in relay.yaml. Where only its name has changed, this happens automatically.
    """
    orders, queue = _stranded(env, name)
    available = accounts_with_api(settings_of(env))
    if heir not in available:
        fail(f"there is no account '{heir}' with an API; available: {', '.join(available) or 'none'}")
    ask(
        f"{queue.sentence} Fetch them through {heir} (account {available[heir].account})? What that account does not"
        " have is dropped.",
        yes,
    )
    moved = orders.move(name, heir)
    if as_json:
        print_json({"name": name, "to": heir, "moved": moved})
    else:
        click.echo(f"{moved:,} moved to {heir}; its workers fetch them")


@click.command()
@click.argument("name")
@agreed
@as_json
@needs(lambda env: env)
def drop(env: Environment, name: str, yes: bool, as_json: bool) -> None:
    """Drop the waiting chats of a removed account.

    NAME is what the account was called in relay.yaml. What is stored of these chats stays.
    """
    orders, queue = _stranded(env, name)
    ask(f"{queue.sentence} Do not fetch them? What is stored of these chats stays.", yes)
    dropped = orders.drop(name)
    if as_json:
        print_json({"name": name, "dropped": dropped})
    else:
        click.echo(f"{dropped:,} dropped; what is stored of these chats stays")


def _stranded(env: Environment, name: str) -> tuple[StrandedOrders, StrandedQueue]:
    """What waits under that name; else the command ends."""
    settings, orders = settings_of(env), StrandedOrders(client_of(env))
    found = {one.name: one for one in orders.queues(settings)}
    if name in accounts_with_api(settings):
        fail(f"'{name}' is in relay.yaml: its chats are fetched. See what waits: relay status")
    if name not in found:
        fail(f"no chats wait for a removed account '{name}'; there are: {', '.join(found) or 'none'}")
    return orders, found[name]
