"""Whom a vendor has as which person, and what a chat says otherwise: kept sealed, and erased with the visitor."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.admin.erasing import erasure
from app.admin.erasing.receipt import receipt_text
from core.delivery import CONFLICTS, Conflict, Outcome
from core.ids import DeliveryId
from core.store import Eraser, Ledger, Store, StoredState, connect
from core.store.protocol.keys import key
from core.store.shared.persons import Persons
from tests.conftest import Clock
from tests.fakes.hubspot import HubSpotVendor
from tests.store.test_encryption import NEW, OLD, told
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import chat

DAY = 86_400_000
EMAIL, VISITOR, PHONE = "ann@example.com", "visitor-0123", "+420777123456"
NAMES = [f"email:{EMAIL}", f"visitor:{VISITOR}", f"phone:{PHONE}"]
SAID = [{"field": "phone", "said": PHONE}, {"field": "title", "said": "Head of tea", "refused": True}]
CONFLICTS_SAID = (Conflict("phone", PHONE), Conflict("title", "Head of tea", refused=True))


def remembered(server: Server, connector: str = "crm", keys: tuple[str, ...] = ()) -> StoredState:
    """Ann, noted with two chats."""
    server.client.sadd(key("connectors"), connector)
    state = StoredState(connect(server.url, keys=keys), connector)
    state.note_person(b'"4711"', NAMES[:2], DAY)
    state.note_person(b'"4711"', NAMES[2:], DAY)
    return state


@pytest.mark.parametrize("who", [EMAIL, "Ann@Example.com", VISITOR, "+420 777 123 456"])
def test_whoever_is_erased_by_one_name_is_erased_by_all(server: Server, who: str) -> None:
    state = remembered(server)
    desk = remembered(server, "desk")
    state.note_person(b'"4712"', ["email:bob@example.com"], DAY)
    assert Eraser(connect(server.url)).persons([who]) == 6
    assert state.persons(NAMES) == desk.persons(NAMES) == [None] * 3
    assert state.persons(["email:bob@example.com"]) == [b'"4712"']
    assert len(server.client.keys(key("person*"))) == 2


def test_what_was_noted_under_an_earlier_name_of_the_connector_goes_too(server: Server) -> None:
    state = remembered(server, "old")
    server.client.delete(key("connectors"))
    server.client.hset(key("renamed"), "old", "crm")
    assert Persons(connect(server.url)).erase([EMAIL]) == 3
    assert state.persons(NAMES) == [None] * 3


def test_the_server_holds_neither_names_nor_ids_in_the_open(server: Server) -> None:
    state = remembered(server, keys=(NEW,))
    kept = told(server)
    for word in (EMAIL, VISITOR, PHONE, "4711"):
        assert word.encode() not in kept
    assert state.persons(NAMES) == [b'"4711"'] * 3
    # Whoever has another key asks the vendor anew.
    assert StoredState(connect(server.url, keys=(OLD,)), "crm").persons(NAMES) == [None] * 3


def test_a_visitor_of_whom_no_chat_is_left_is_found_and_erased(server: Server, clock: Clock, ledger: Ledger) -> None:
    state, eraser = remembered(server), Eraser(connect(server.url), clock)
    traces = erasure.find_traces(EMAIL, eraser, {})
    assert traces
    assert traces.remembered == 1
    receipt = erasure.erase(EMAIL, traces, eraser, ledger, {}, patience=0.3)
    assert receipt.remembered == 3
    assert "3  names by which connectors knew the person" in receipt_text(
        EMAIL, receipt, datetime(2026, 11, 28, tzinfo=UTC)
    )
    assert state.persons(NAMES) == [None] * 3
    assert not erasure.find_traces(EMAIL, eraser, {})


def test_erasing_a_chat_erases_what_is_remembered_of_its_visitor(
    server: Server, store: Store, clock: Clock, ledger: Ledger
) -> None:
    made.conversation(store, chat(1), crm=Outcome.DELIVERED)
    state, eraser = remembered(server), Eraser(connect(server.url), clock)
    # By her id alone, which nobody names but the chat.
    state.note_person(b'"4713"', ["visitor:7"], DAY)
    erasure.erase(EMAIL, erasure.find_traces(EMAIL, eraser, {}), eraser, ledger, {}, patience=0.3)
    assert server.client.keys(key("person*")) == []


# --- what a chat says otherwise ------------------------------------------------------------


def noted(server: Server, keys: tuple[str, ...] = ()) -> Ledger:
    client = connect(server.url, keys=keys)
    store = Store(client)
    made.conversation(store, chat(1), crm=None)
    claim = store.claim("crm", secrets.token_hex(4))
    assert claim is not None
    store.remember(claim, "contact", "4711")
    store.remember(claim, CONFLICTS, SAID)
    return Ledger(client)


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_delivery_says_where_the_chat_and_the_destination_differ(server: Server, keys: tuple[str, ...]) -> None:
    found = noted(server, keys).delivery(DeliveryId("crm:1:1"))
    assert found.conflicts == CONFLICTS_SAID
    assert found.steps == {"contact": "4711"}


def test_what_the_chat_said_is_sealed_and_without_the_key_only_that_is_missing(server: Server) -> None:
    noted(server, (NEW,))
    assert PHONE.encode() not in told(server)
    found = Ledger(connect(server.url)).delivery(DeliveryId("crm:1:1"))
    assert (found.conflicts, found.steps) == ((), {"contact": "4711"})


def test_a_receipt_of_an_erasing_does_not_quote_it(server: Server, clock: Clock) -> None:
    ledger = noted(server)
    client = connect(server.url)
    server.client.delete(key("leases", "crm"))
    eraser = Eraser(client, clock)
    receipt = erasure.erase(EMAIL, erasure.find_traces(EMAIL, eraser, {}), eraser, ledger, {}, patience=0.3)
    assert [one.record for one in receipt.elsewhere] == ["contact 4711"]


def test_show_lists_conflicts(tmp_path: Path, server: Server) -> None:
    noted(server)
    shown = CommandLine(tmp_path, server).run("show", "crm:1:1")
    assert f"Conflict     phone: the chat says {PHONE}; the destination keeps another value" in shown
    assert "Conflict     title: the chat says Head of tea; it was refused" in shown


# --- through the pipeline --------------------------------------------------------------------


def test_a_visitor_who_comes_back_without_an_address_is_the_same_contact_until_they_are_erased(
    server: Server, store: Store, clock: Clock, ledger: Ledger, tmp_path: Path
) -> None:
    token = "pat-eu1-0123456789abcdef"
    nameless = {"id": 7, "name": "Ann", "email": ""}
    with HubSpotVendor(token) as vendor:
        vendor.add_person(email=EMAIL, name="Dr. Ann", phone="+420 602 000 000")
        config = (
            f"variables: {{phone: tel}}\nconnectors: {{crm: {{type: hubspot, token: {token}, base_url: '{vendor.url}', "
            "allow_networks: [127.0.0.0/8], person: {jobtitle: Head of tea}}}"
        )
        inline = Inline(store, tmp_path, config)
        inline.connectors["crm"].state = StoredState(connect(server.url), "crm")
        variables = {"tel": {"label": "", "value": PHONE}}
        ann = {"id": 7, "name": "Ann", "email": EMAIL, "variables": variables}
        inline.take(chat(1, visitor=ann), chat(2, visitor=nameless))
        [contact] = vendor.people()
        assert vendor.records_of(contact["id"]) == 2
        assert vendor.person(contact["id"])["jobtitle"] == "Head of tea"
        found = ledger.delivery(DeliveryId("crm:1:1"))
        assert found.conflicts == (Conflict("phone", PHONE),)
        eraser = Eraser(connect(server.url), clock)
        receipt = erasure.erase(EMAIL, erasure.find_traces(EMAIL, eraser, {}), eraser, ledger, {}, patience=0.3)
        assert receipt.remembered
        assert server.client.keys(key("person*")) == []
        inline.take(chat(3, visitor=nameless))
        assert vendor.records_of(contact["id"]) == 2
        assert len(vendor.records()) == 3
