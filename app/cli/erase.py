"""`relay erase`: everything about one visitor is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import NoReturn

import click

from app.admin.erasing import erasure
from app.admin.erasing.destinations import PersonThere, erase_there, persons_there
from app.admin.erasing.erasure import ErasureReceipt
from app.admin.erasing.receipt import receipt_text
from app.cli.options import agreed, as_json, ask, needs, renamed, settings_of
from app.cli.output.records import print_json
from app.cli.output.tables import local_time
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.errors import NotFound, PayloadError
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import Eraser, Ledger, connected
from core.store.ledger.conversations import StoredConversation
from core.store.search.visitors import Traces, conversations_of, payloads_of

#: Conversations and bodies that are shown before it is asked.
_SHOWN = 20


@click.command("erase")
@click.option("--email", metavar="E", help="The visitor's full email address.")
@click.option("--visitor", metavar="ID", help="Smartsupp's id of the visitor, or a phone number.")
@click.option("--also", metavar="ID", multiple=True, help="A chat of another visitor that mentions them; repeatable.")
@click.option("--at-destinations", is_flag=True, help="Also ask the destinations to erase the person, where they can.")
@agreed
@as_json
@needs(lambda env: env)
def erase_visitor(
    env: Environment,
    email: str | None,
    visitor: str | None,
    also: Sequence[str],
    at_destinations: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase everything about one visitor.

    That is chats with their payloads, deliveries and attempts, payloads without a chat, and files of the archive. Shows
    what was found, asks, and prints a receipt.

    Records at destinations stay; the receipt has links to them. With --at-destinations, those that can are asked to
    erase the person with that email address: each is shown first, and the receipt has each answer. Chats of others that
    mention the email address are shown, and stay unless --also names them. Exit code 1: something was in use or could
    not be removed; repeat the command.

    \b
    Example: relay erase --email ann@example.com
    """
    who = (email or visitor or "").strip()
    if bool(email) == bool(visitor) or not who:
        raise click.UsageError("name the visitor by either --email or --visitor")
    if email and "@" not in who:
        raise click.UsageError(f"'{who}' is not an email address; for an id use --visitor")
    if at_destinations and not email:
        raise click.UsageError("--at-destinations needs --email: destinations know persons by their address")
    settings, client = settings_of(env), connected(env)
    ledger, eraser = Ledger(client), Eraser(client)
    keepers = erasure.keepers(settings, env.data_dir, client)
    traces = erasure.find_traces(who, eraser, keepers)
    if unknown := sorted(set(also) - set(traces.named)):
        raise NotFound(f"{unknown[0]} is not a chat of another visitor that mentions {who}")
    chosen = traces.taking(also)
    _tell(ledger, chosen)
    there = persons_there(who, keepers) if at_destinations else []
    _tell_there(there)
    if not (chosen or any(one.person for one in there)):
        empty = ErasureReceipt((), (), 0, 0, 0, (), (), named=chosen.named, closed=chosen.closed, persons=tuple(there))
        _nothing(who, empty, as_json)
    ask(f"Erase {_numbers(chosen, there)}? This cannot be undone.", yes)
    receipt = erasure.erase(who, chosen, eraser, ledger, keepers)
    # Last, so that nothing that was still queued brings the person back.
    receipt = replace(receipt, persons=erase_there(there, keepers))
    if as_json:
        print_json({"visitor": who, **asdict(receipt), "complete": receipt.complete})
    else:
        click.echo(receipt_text(who, receipt, datetime.now(UTC)), nl=False)
    raise SystemExit(not receipt.complete)


def _nothing(who: str, receipt: ErasureReceipt, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"visitor": who, **asdict(receipt), "complete": receipt.complete})
    else:
        click.echo(f"No data found for {single_line(who)}.")
    if receipt.closed:
        click.echo(
            f"{receipt.closed:,} encrypted payloads could not be searched: their key is not in RELAY_ENCRYPTION_KEYS",
            err=True,
        )
    raise SystemExit(not receipt.complete)


def _numbers(traces: Traces, there: Sequence[PersonThere]) -> str:
    persons = sum(one.person is not None for one in there)
    counted = (
        (len(traces.conversations), "chat", ""),
        (len(traces.payloads), "payload", " without a chat"),
        (persons, "person", " at destinations"),
    )
    parts = [f"{number:,} {what}{'' if number == 1 else 's'}{more}" for number, what, more in counted if number]
    listed = [", ".join(parts[:-1]), *parts[-1:]] if len(parts) > 1 else parts
    return " and ".join(listed) or "what connectors remember about this visitor"


def _tell_there(there: Sequence[PersonThere]) -> None:
    if there:
        click.echo("At destinations:", err=True)
    for one in there:
        click.echo("  " + single_line(f"{one}: {one.error or one.does}"), err=True)


def _tell(ledger: Ledger, traces: Traces) -> None:
    """What would go, on the side: the output is the receipt's."""
    _list(ledger, traces.conversations, traces.payloads)
    if traces.named:
        click.echo("Of other visitors, but mentioning this one; --also ID erases them as well:", err=True)
        _list(ledger, conversations_of(traces.named), payloads_of(traces.named))


def _list(ledger: Ledger, conversations: Sequence[ConversationId], payloads: Sequence[PayloadId]) -> None:
    kept = {one.id: _story(one) for one in ledger.newest(conversations[:_SHOWN])}
    lines = [kept.get(one, f"chat {one}, only files are left") for one in conversations[:_SHOWN]]
    for identity in payloads[:_SHOWN]:
        try:
            found = ledger.payload(identity)
        except NotFound:  # gone meanwhile
            continue
        lines.append(f"payload {identity}, received {local_time(found.received)}, {found.status}")
    more = max(0, len(conversations) - _SHOWN) + max(0, len(payloads) - _SHOWN)
    for line in [*lines, *([f"and {more:,} more"] if more else [])]:
        click.echo("  " + single_line(line), err=True)


def _story(found: StoredConversation) -> str:
    payload = found.payloads[0]
    try:
        visitor = parse_conversation(payload.body, payload.account).visitor
        name = " ".join(filter(None, (visitor.name, f"<{visitor.email}>" if visitor.email else "")))
    except PayloadError:
        name = ""
    parts = [f"chat {found.id}", name, f"received {local_time(payload.received)}"]
    return ", ".join([*filter(None, parts), *(f"{one.connector} {one.status.shown}" for one in found.deliveries)])


COMMANDS: Sequence[click.Command] = (erase_visitor, renamed(erase_visitor, "forget"))
