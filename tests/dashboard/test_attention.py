"""What needs somebody: one list for the overview, `relay status`, `relay doctor` and alerts, worst first, each with one
button."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.admin.attention.lines import Attention, AttentionLine
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.delivery import Attempt, Nowhere, Outcome, PayloadStatus
from core.ids import ConversationId
from core.store import Store, connect
from core.store.claims import Reading
from core.store.protocol.keys import key
from tests.support.admin import Admin, admin
from tests.support.command_line import CommandLine
from tests.support.made import chats, claimed, control, conversation, settle
from tests.support.server import Server
from tests.support.stack import chat
from workers.alerts.detect import Look

NAMES = ("denied", "silent", "mine", "full", "fresh", "idle")
CONFIG = json.dumps(
    {
        "connectors": {name: {"type": "archive", "folder": name} for name in NAMES},
        "routes": [{"to": [name for name in NAMES if name != "idle"]}],
    }
)
HOSTILE = "</strong><script>alert(1)</script>"


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


def everything_wrong(store: Store, server: Server) -> None:
    """One trouble of each kind that can be made in a store."""
    names: dict[str, Any] = dict.fromkeys(("denied", "silent", "mine", "gone"))
    first, second = (conversation(store, chat(number), full=Outcome.REFUSED, **names) for number in (1, 2))
    settle(store, claimed(store, "denied", second), Outcome.PAUSED, error="HTTP 401")
    silent = claimed(store, "silent", first)
    attempt = Attempt(silent.received, 10, Outcome.RETRY, 1, 503, "HTTP 503")
    store.settle(silent, attempt, delay_ms=30_000, trouble="outage", breaker=1)
    control(store).pause("mine", HOSTILE)
    store.divert(store.accept(b"nonsense").id, PayloadStatus.QUARANTINED, "not JSON")
    nowhere(store, 9)
    store.beat("here:1", "relay.yaml: line 3: is not a setting")
    server.client.delete(key("workers"))


def nowhere(store: Store, number: int) -> None:
    store.accept(chat(number))
    claim = store.claim("inbox", "t")
    assert claim
    store.fan_out_each([Reading(claim, ConversationId(f"1:{number}"), (), why=Nowhere.NO_ROUTE)])


def listed(html: str) -> list[tuple[str, str]]:
    """Kind of each line, and what its button says."""
    found = re.findall(r'<li class="attention-line \w+" data-kind="(\w+)">(.*?)</li>', html, re.DOTALL)
    return [(kind, " ".join(unescape(re.sub(r"<[^>]+>", "", _button(line))).split())) for kind, line in found]


def _button(line: str) -> str:
    found = re.search(r'<(button|a) class="button[^>]*>(.*?)</\1>', line, re.DOTALL)
    return found[2] if found else ""


def lines(server: Server, tmp_path: Path) -> list[AttentionLine]:
    config = tmp_path / "relay.yaml"
    settings = load(environment({"RELAY_CONFIG": str(config), "RELAY_DATA_DIR": str(tmp_path)}), settings_model, {})
    return Attention(connect(server.url)).lines(settings)


def test_it_is_first_on_the_overview_worst_first_with_one_button_a_line(
    page: Admin, store: Store, server: Server
) -> None:
    everything_wrong(store, server)
    html = page.get("/").text
    assert html.index('id="attention"') < html.index('class="grid tiles"')
    assert listed(html) == [
        ("stopped", "Look"),
        ("rejected", "See the changes"),
        ("gone", "See what is queued"),
        ("paused", "Replace the token"),
        ("undelivered", "Deliver them"),
        ("dead", "See them"),
        ("quarantined", "See them"),
        ("breaker", "Test now"),
        ("held", "Resume"),
        ("unrouted", "See the routes"),
        ("past", "Deliver past chats…"),
    ]
    assert "<title>(9) Overview" in html  # all but the doubt and the hint
    assert "<script>alert" not in html
    assert unescape(html).count(HOSTILE) >= 1


def test_every_face_and_the_alerts_have_the_same_troubles(
    page: Admin, store: Store, server: Server, tmp_path: Path
) -> None:
    everything_wrong(store, server)
    shown = [kind for kind, _ in listed(page.get("/").text)]
    cli = CommandLine(tmp_path, server)
    cli.config.write_text(CONFIG)
    status = cli.json("status")["attention"]
    assert [one["kind"] for one in status] == shown
    said = {one["text"] for one in cli.json("doctor", code=1)["findings"]}
    for one in status:
        if one["kind"] not in ("past", "breaker"):  # a hint; and the seconds until its next test are others by now
            assert one["sentences"] in said, one
    text = " ".join(cli.run("status").split())
    for one in status:
        assert " ".join(f"{one['about']}: {one['sentences']}".split()) in text
    settings = load(environment({"RELAY_CONFIG": str(cli.config), "RELAY_DATA_DIR": str(tmp_path)}), settings_model, {})
    alerted = {(one.kind, one.subject) for one in Look(connect(server.url)).troubles(settings)}
    assert alerted <= {(one["kind"], one["about"]) for one in status}
    assert {kind for kind, _ in alerted} == {"paused", "breaker", "dead", "gone", "undelivered", "quarantined"}


def test_a_button_that_acts_comes_back_to_a_list_without_its_line(page: Admin, store: Store) -> None:
    chats(store, 1, mine=None)
    control(store).pause("mine", "moving house")
    html = page.get("/").text
    assert "held" in dict(listed(html))
    back = re.search(r'action="(/connectors/mine/resume)">.*?name="back" value="([^"]+)"', html, re.DOTALL)
    assert back
    answer = page.submit(back[1], back=back[2])
    assert (answer.status_code, answer.location) == (303, "/?span=day")
    assert "held" not in dict(listed(page.get("/").text))


def test_every_link_of_the_list_leads_to_a_page(page: Admin, store: Store, server: Server) -> None:
    everything_wrong(store, server)
    html = page.get("/").text
    part = html[html.index('id="attention"') : html.index('class="grid tiles"')]
    links = [unescape(one) for one in re.findall(r'<a class="button[^"]*" href="([^"]+)"', part)]
    assert len(links) == 9
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in html
        else:
            assert page.get(link).status_code == 200, link


def test_of_many_lines_the_worst_are_shown_and_the_others_unfold(server: Server, tmp_path: Path, store: Store) -> None:
    names = [f"crm-{number:02}" for number in range(30)]
    config = {"connectors": {name: {"type": "archive", "folder": name} for name in names}}
    page = admin(server, tmp_path, config=json.dumps(config))
    outcomes: dict[str, Any] = dict.fromkeys(names, Outcome.REFUSED)
    chats(store, 1, **outcomes)
    html = page.get("/").text
    before, _, inside = html.partition('<details id="attention-more">')
    assert [kind for kind, _ in listed(before)] == ["stopped", *["dead"] * 7]
    assert "<summary>23 more</summary>" in inside
    assert len(listed(inside)) == 23


def test_where_nothing_is_wrong_there_is_no_list(page: Admin, store: Store) -> None:
    outcomes: dict[str, Any] = dict.fromkeys(NAMES, Outcome.DELIVERED)
    chats(store, 1, **outcomes)
    store.beat("here:1")
    html = page.get("/").text
    assert [kind for kind, _ in listed(html)] == ["unrouted"]  # idle has no route
    assert "<title>Overview" in html


def test_a_new_connector_is_offered_the_past_until_it_has_its_first_chat(
    page: Admin, store: Store, server: Server, tmp_path: Path
) -> None:
    def offered() -> list[str]:
        return [one.text for one in lines(server, tmp_path) if one.about == "fresh"]

    assert offered() == []
    chats(store, 2, mine=None)
    assert offered() == ["2 chats are stored, and none has gone to fresh yet. It gets the next one."]
    chats(store, 1, first=3, fresh=None)
    assert offered() == []


def test_without_a_configuration_the_list_has_what_the_store_knows(server: Server, store: Store) -> None:
    chats(store, 1, full=Outcome.REFUSED)
    control(store).pause("mine", "moving house")
    chats(store, 1, first=2, mine=None)
    found = {(one.kind, one.about) for one in Attention(connect(server.url)).lines(None)}
    assert found == {("stopped", "workers"), ("dead", "full"), ("held", "mine")}


def test_a_trouble_of_a_kind_that_has_no_place_yet_is_shown_all_the_same(
    page: Admin, store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_wrong(store, server)
    monkeypatch.setattr("app.admin.attention.lines._ORDER", ("paused", "unrouted"))
    answer = page.get("/")
    assert answer.status_code == 200
    assert "mine" in answer.text
