"""`relay erase`: shows, asks, erases and gives a receipt. (How it is found and erased: test_erase.)"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.testing.fake import Answer
from core.delivery import Outcome, PayloadStatus
from core.ids import ConversationId
from core.store import Eraser, Ledger, Store, connect
from tests.fakes.hubspot import HubSpotVendor
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.server import Server
from tests.support.stack import Stack, chat, until

HUBSPOT = "pat-eu1-0123456789abcdef"
FORBIDDEN = {"status": "error", "category": "MISSING_SCOPES", "message": "no right to delete"}
BOB = {"id": 8, "name": "Bob", "email": "bob@example.com"}


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


@pytest.fixture
def kept(store: Store) -> str:
    """Two conversations of Ann, a body that nobody could read, and one of Bob's that speaks of her. Its id."""
    made.conversation(store, chat(1), desk=Outcome.DELIVERED)
    made.conversation(store, chat(2), crm=Outcome.REFUSED)
    store.divert(store.accept(b'{"email": "ann@example.com", ').id, PayloadStatus.QUARANTINED, "not JSON")
    said = [{"type": "visitor", "content": "ask ann@example.com", "sentAt": 1}]
    return made.conversation(store, chat(3, visitor=BOB, messages=said), crm=None)


@pytest.mark.processes
def test_it_shows_and_asks_and_without_a_yes_nothing_goes(cli: CommandLine, ledger: Ledger, kept: str) -> None:
    said = cli.run("erase", "--email", "ANN@example.com", code=2)
    assert "chat 1:1, Ann <ann@example.com>, received" in said
    assert "desk delivered" in said
    assert "quarantined" in said
    assert f"Of other visitors, but mentioning this one; --also ID erases them as well:\n  chat {kept}, Bob" in said
    assert "Erase 2 chats and 1 payload without a chat? This cannot be undone. Not a terminal" in said
    assert "cancelled; nothing was changed" in cli.at_a_terminal(
        "erase", "--email", "ann@example.com", says="n\n", code=1
    )
    assert ledger.payload_counts()["routed"] == 3
    assert "Deletion receipt" in cli.at_a_terminal("erase", "--email", "ann@example.com", says="y\n")
    assert ledger.payload_counts()["routed"] == 1


def test_the_receipt_says_what_went_and_what_is_elsewhere(cli: CommandLine, ledger: Ledger, kept: str) -> None:
    said = cli.result("erase", "--email", "ann@example.com", "--yes").stdout
    assert "Visitor    ann@example.com" in said
    assert "2  chats" in said
    assert "1  payloads without a chat" in said
    assert "  desk: T-1 https://crm.example.com/tickets/1\n" in said
    assert f"  {kept}\n" in said
    assert "being rewritten" in said
    assert "NOT COMPLETE" not in said
    assert ledger.conversation(ConversationId(kept))
    again = cli.result("erase", "--email", "ann@example.com", "--yes")
    assert again.stdout == "No data found for ann@example.com.\n"


@pytest.fixture
def hubspot(cli: CommandLine, tmp_path: Path) -> Iterator[HubSpotVendor]:
    """A destination that knows Ann, and somebody with another address."""
    with HubSpotVendor(HUBSPOT) as there:
        for email in ("ann@example.com", "bob@example.com"):
            there.add_person(name="Ann", email=email)
        settings = f"base_url: '{there.url}', token: {HUBSPOT}, allow_networks: [127.0.0.0/8], enabled: false"
        config = f"connectors: {{crm: {{type: hubspot, {settings}}}, archive: {{type: archive}}}}"
        (tmp_path / "relay.yaml").write_text(config)
        yield there


ASKED = ("erase", "--email", "ann@example.com", "--at-destinations")


def test_destinations_are_asked_for_the_person_who_is_shown_first(
    cli: CommandLine, kept: str, hubspot: HubSpotVendor
) -> None:
    said = cli.run(*ASKED, code=2)
    (ann, bob) = hubspot.people()
    page = f"https://app-eu1.hubspot.com/contacts/4711/record/0-1/{ann['id']}"
    assert f"At destinations:\n  crm: Ann <ann@example.com> {page}: HubSpot deletes the contact for good" in said
    assert "Erase 2 chats, 1 payload without a chat and 1 person at destinations?" in said
    assert hubspot.people() == [ann, bob]
    receipt = cli.result(*ASKED, "--yes").stdout
    assert f"Erased at destinations\n  crm: Ann <ann@example.com> {page}: HubSpot deletes the contact" in receipt
    assert "NOT COMPLETE" not in receipt
    assert hubspot.people() == [bob]
    # Whom the store has nothing of any more, a destination may know.
    hubspot.add_person(name="Ann", email="ann@example.com")
    assert cli.json(*ASKED, "--yes")["persons"][0]["person"]["name"] == "Ann <ann@example.com>"
    assert cli.result(*ASKED, "--yes").stdout == "No data found for ann@example.com.\n"
    assert "needs --email" in cli.run("erase", "--visitor", "8", "--at-destinations", code=2)


def test_what_a_destination_refuses_stands_in_the_receipt_and_the_exit_code_is_1(
    cli: CommandLine, kept: str, hubspot: HubSpotVendor
) -> None:
    hubspot.routes.insert(0, ("POST", re.compile(".*/gdpr-delete"), lambda _: Answer(403, FORBIDDEN)))
    found = cli.run(*ASKED, "--yes", "--json", code=1)
    assert '"complete": false' in found
    assert "no right to delete" in found
    assert len(hubspot.people()) == 2
    hubspot.token = "another"
    said = cli.run(*ASKED, "--yes", code=1)
    assert "crm: cannot be asked: " in said
    assert "No data found" in said
    assert HUBSPOT not in said


def test_the_receipt_comes_as_json_too(cli: CommandLine, kept: str) -> None:
    found = cli.json("erase", "--email", "ann@example.com", "--yes")
    assert found["conversations"] == ["1:1", "1:2"]
    assert found["elsewhere"] == [{"connector": "desk", "record": "T-1", "url": "https://crm.example.com/tickets/1"}]
    assert (found["named"], found["rewrite"]) == ([kept], "begun")
    assert cli.json("erase", "--email", "ann@example.com", "--yes")["conversations"] == []


def test_a_conversation_that_speaks_of_the_visitor_goes_when_it_is_named(cli: CommandLine, kept: str) -> None:
    assert "is not a chat of another visitor" in cli.run(
        "erase", "--email", "ann@example.com", "--also", "1:99", "--yes", code=1
    )
    found = cli.json("erase", "--email", "ann@example.com", "--also", kept, "--yes")
    assert found["conversations"] == ["1:1", "1:2", kept]
    assert found["named"] == []


def test_a_visitor_is_forgotten_by_id(cli: CommandLine, kept: str) -> None:
    assert cli.json("erase", "--visitor", "8", "--yes")["conversations"] == [kept]


def test_who_must_be_said_one_way(cli: CommandLine) -> None:
    assert "name the visitor" in cli.run("erase", code=2)
    assert "name the visitor" in cli.run("erase", "--email", "a@b.c", "--visitor", "7", code=2)
    assert "name the visitor" in cli.run("erase", "--visitor", " ", code=2)
    assert "not an email address; for an id use --visitor" in cli.run("erase", "--email", "ann", code=2)


def test_what_is_in_use_is_said_and_the_exit_code_is_1(
    cli: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.conversation(store, chat(1), crm=None)
    made.claimed(store, "crm", "1:1")
    monkeypatch.setattr("app.admin.erasing.erasure.erase.__defaults__", (0.3,))
    said = cli.run("erase", "--email", "ann@example.com", "--yes", code=1)
    assert "NOT COMPLETE" in said
    assert "Not erased: in use. Erase again\n  1:1\n" in said


def test_bodies_that_cannot_be_looked_into_are_said(cli: CommandLine, server: Server) -> None:
    mine, other = (base64.urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2))
    Store(connect(server.url, keys=[mine])).accept(chat(1))
    cli.environment["RELAY_ENCRYPTION_KEYS"] = other
    assert "1 encrypted payloads could not be searched" in cli.run("erase", "--email", "ann@example.com", code=1)
    cli.environment["RELAY_ENCRYPTION_KEYS"] = f"{other},{mine}"
    assert cli.json("erase", "--email", "ann@example.com", "--yes")["complete"] is True


def test_the_archive_of_a_real_worker_goes_even_when_it_is_off_by_then(relay: Stack) -> None:
    relay.worker()
    relay.store.accept(chat(1))
    relay.store.accept(chat(2, visitor=BOB))
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 2, what="two deliveries")
    relay.configure("connectors: {archive: {type: archive, enabled: false}}")
    said = relay.cli("erase", "--email", "ann@example.com", "--yes")
    folder = relay.data / "archive" / "1"
    assert f"  {folder / '1' / 'r1.json'}" in said
    assert "Still at destinations" not in said
    assert not (folder / "1").exists()
    assert (folder / "2" / "r1.json").exists()


def test_files_are_found_when_the_store_has_removed_the_conversation(relay: Stack) -> None:
    relay.web()
    relay.worker()
    said = [{"type": "visitor", "content": "ask ann@example.com", "sentAt": 1}]
    relay.post(chat(1))
    relay.post(chat(2, visitor={"id": 9, "name": "Änn", "email": "änn@example.com"}))
    relay.post(chat(3, visitor=BOB, messages=said))
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 3, what="three deliveries")
    chats = [ConversationId(f"1:{number}") for number in (1, 2, 3)]
    assert Eraser(connect(relay.server.url)).settled(chats, 2**52, 0) == 3
    folder = relay.data / "archive" / "1"
    said_first = relay.cli("erase", "--email", "ANN@example.com", code=2)
    assert "chat 1:1, only files are left" in said_first
    assert "--also ID erases them as well:\n  chat 1:3, only files are left" in said_first
    assert "  1  chats\n" in relay.cli("erase", "--email", "ANN@example.com", "--yes")
    assert sorted(one.name for one in folder.iterdir()) == ["2", "3"]
    relay.cli("erase", "--email", "ÄNN@example.com", "--yes")
    relay.cli("erase", "--visitor", "8", "--yes")
    assert not any(folder.rglob("*.json"))
