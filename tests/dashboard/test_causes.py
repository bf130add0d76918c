"""Dead letters by cause on the pages and on the command line: seen, filtered, retried and discarded."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from core.delivery import DeliveryStatus, Outcome
from core.ids import DeliveryId
from core.store import Ledger, Store, connect
from tests.support.admin import Admin, admin
from tests.support.command_line import CommandLine
from tests.support.made import claimed, conversation, settle
from tests.support.server import Server
from tests.support.stack import chat

CONFIG = json.dumps({"connectors": {name: {"type": "archive", "folder": name} for name in ("crm", "desk")}})
HOSTILE = "<script>alert(1)</script> \u202eback"


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


@pytest.fixture
def dead(store: Store) -> None:
    """Six dead letters that have three causes."""
    for number in range(4):
        dies(store, number, f"HTTP 422: ticket {number} is closed")
    dies(store, 8, f"HTTP 400: {HOSTILE}")
    dies(store, 9, "HTTP 422: ticket 9 is closed", "desk")


def dies(store: Store, number: int, error: str, connector: str = "crm") -> None:
    identity = conversation(store, chat(number), **{connector: None})
    settle(store, claimed(store, connector, identity), Outcome.REFUSED, status=422, error=error)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def card(html: str) -> str:
    found = re.search(r'<section class="card flush" id="causes">.*?</section>', html, re.DOTALL)
    return found[0] if found else ""


def addresses(html: str) -> list[str]:
    """Of the retry buttons, in the order of the rows."""
    return [unescape(one) for one in re.findall(r'href="([^"]+action=replay[^"]+cause=[^"]+)"', card(html))]


@pytest.mark.usefixtures("dead")
def test_the_list_of_dead_letters_begins_with_their_causes(page: Admin) -> None:
    html = page.get("/conversations?status=dead").text
    said = text_of(card(html))
    assert "6 dead letters have 3 causes" in said
    rows = re.findall(r"(HTTP \d+: .*?) (crm|desk) (\d)", said)
    assert [(name, int(count)) for _, name, count in rows] == [("crm", 4), ("crm", 1), ("desk", 1)]
    assert rows[0][0] == "HTTP 422: ticket # is closed"
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "2 causes" in text_of(card(page.get("/conversations?status=dead&connector=crm").text))
    for other in (
        "/conversations",
        "/conversations?status=retrying",
        "/conversations?status=dead&connector=nobody",
        "/conversations?status=dead&q=ann",
    ):
        assert card(page.get(other).text) == ""


@pytest.mark.usefixtures("dead")
def test_those_of_one_cause_are_listed_and_retried_and_no_others(page: Admin, ledger: Ledger) -> None:
    address = addresses(page.get("/conversations?status=dead").text)[0]
    listed = page.get(address.replace("/conversations/bulk?action=replay&", "/conversations?")).text
    assert "Only dead letters with this cause: Refused HTTP 422: ticket # is closed" in text_of(listed)
    assert re.findall(r'href="/conversations/1:(\d)"', listed) == ["3", "2", "1", "0"]
    asked = page.get(address).text
    assert "4 deliveries" in text_of(asked)
    assert "HTTP 422: ticket # is closed" in text_of(asked)
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.partition('class="form card"')[2])
    )
    fields.pop("csrf_token")
    assert page.submit("/conversations/bulk", **fields).status_code == 303
    assert ledger.lane("crm").counts["dead"] == 1
    assert ledger.lane("desk").counts["dead"] == 1
    assert ledger.delivery(DeliveryId("crm:1:8")).status is DeliveryStatus.DEAD
    assert "2 dead letters have 2 causes" in text_of(card(page.get("/conversations?status=dead").text))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("cause=nonsense", "There is no cause “nonsense”."),
        ("cause=0123456789&status=retrying", "Only dead letters have a cause."),
        ("cause=crashed&status=undelivered", "Only dead letters have a cause."),
    ],
)
def test_a_cause_that_cannot_be_is_said(page: Admin, query: str, says: str) -> None:
    answer = page.get(f"/conversations?{query}")
    assert answer.status_code == 422
    assert says in unescape(answer.text)


def test_a_cause_that_nobody_has_any_more_is_an_empty_list(page: Admin) -> None:
    assert "Nothing matches" in page.get("/conversations?cause=0123456789").text


@pytest.mark.usefixtures("dead")
def test_the_overview_says_how_many_causes_there_are(page: Admin) -> None:
    said = text_of(page.get("/").text)
    assert "5 dead letters, kept until you decide. They have 2 causes. Most frequent (4): HTTP 422: ticket # is" in said
    assert "1 dead letter, kept until you decide. Cause: HTTP 422: ticket # is closed." in said


@pytest.mark.usefixtures("dead")
def test_the_command_line_lists_them_and_retries_those_of_one(server: Server, tmp_path: Path, ledger: Ledger) -> None:
    cli = CommandLine(tmp_path, server)
    cli.config.write_text(CONFIG)
    found = cli.json("causes")
    assert [(one["connector"], one["count"], one["cause"]["status"]) for one in found] == [
        ("crm", 4, 422),
        ("crm", 1, 422),
        ("desk", 1, 422),
    ]
    assert found[0]["id"] in cli.run("causes", "--connector", "crm")
    assert "there is no connector 'nobody'" in cli.run("causes", "--connector", "nobody", code=1)
    said = cli.run("dead", "discard", "--cause", found[1]["id"], "--reason", "of no use", "--yes")
    assert "1 discarded" in said
    assert "4 queued" in cli.run("replay", "--cause", found[0]["id"], "--connector", "crm", "--yes")
    assert "nothing matches" in cli.run("replay", "--cause", found[0]["id"], "--connector", "crm", "--yes")
    assert "only dead letters have a --cause" in cli.run("replay", "--cause", "x", "--status", "queued", code=2)
    assert ledger.lane("desk").counts["dead"] == 1
    assert [one["connector"] for one in cli.json("causes")] == ["desk"]
