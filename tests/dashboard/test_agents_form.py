"""The agents' table as a form: who wrote in the last chats, and what the form does to relay.yaml."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import yaml
from werkzeug.test import TestResponse

from core.store import Store, connect
from tests.support.admin import Admin, admin
from tests.support.made import conversation
from tests.support.server import Server
from tests.support.stack import chat

FILE = """\
connectors: {crm: {type: archive}}
# who is who
agents:
  3: ann@shop.example # since May
  "4": { name: Bob, email: bob@shop.example }
"""
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=FILE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.yaml"


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


def wrote(store: Store, number: int, *agents: tuple[str, str]) -> None:
    """A chat in which these agents wrote: id and the name that Smartsupp sends."""
    messages = [
        {"type": "agent", "from": f"agent:{key}", "name": name, "content": "Hello", "sentAt": 1427470439703 + at}
        for at, (key, name) in enumerate(agents)
    ]
    conversation(store, chat(number, messages=messages), crm=None)


def fields(html: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in re.findall(r"<input\b([^>]*)>", html[html.index('id="agents"') :]):
        attributes = dict(re.findall(r'([\w-]+)(?:="([^"]*)")?', tag))
        found[attributes["name"]] = unescape(attributes.get("value", ""))
    return found


def sent(page: Admin, do: str, html: str = "", **changes: str) -> TestResponse:
    given = {**fields(html or page.get("/setup/agents").text), "do": do}
    given |= {name.replace("_", "-"): value for name, value in changes.items()}
    del given["csrf_token"]
    return page.submit("/setup/agents", **given)


def saved(page: Admin, **changes: str) -> str:
    seen = sent(page, "review", "", **changes)
    assert seen.status_code == 200, text_of(seen.text)
    answer = sent(page, "save", seen.text)
    assert (answer.status_code, answer.location) == (303, "/setup/agents"), text_of(answer.text)
    return text_of(seen.text)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_those_of_the_file_come_first_and_then_who_wrote_in_the_last_chats(page: Admin, store: Store) -> None:
    wrote(store, 1, ("3", "Ann"), ("7", f"Cyril {HOSTILE}"))
    wrote(store, 2, ("7", "Cyril the Second"))
    html = page.get("/setup/agents").text
    found = fields(html)
    assert [found[f"id-{number}"] for number in range(3)] == ["3", "4", "7"]
    assert (found["email-0"], found["name-1"], found["email-2"]) == ("ann@shop.example", "Bob", "")
    said = text_of(html)
    assert "Cyril the Second Agent 7 · 2 of the last 2 chats" in said
    assert "Agent 4 · 0 of the last 2 chats" in said
    assert "<script>alert" not in html


def test_an_agent_who_wrote_gets_an_email_and_the_rest_stays_as_it_is_written(
    page: Admin, file: Path, store: Store
) -> None:
    wrote(store, 1, ("3", "Ann"), ("7", "Cyril"))
    wrote(store, 2, ("7", "Cyril"))
    said = saved(page, email_2="cyril@shop.example")
    assert "Agents wrote in 3 cases in the last 2 chats; with this table 3 of them have an email." in said
    text = file.read_text()
    assert text.startswith(FILE)
    assert yaml.safe_load(text)["agents"]["7"] == "cyril@shop.example"


def test_a_name_is_given_and_taken_away_and_an_agent_goes(page: Admin, file: Path) -> None:
    saved(page, name_0="Ann B.", email_1="", name_1="")
    assert yaml.safe_load(file.read_text())["agents"] == {3: {"email": "ann@shop.example", "name": "Ann B."}}
    saved(page, name_0="")
    assert yaml.safe_load(file.read_text())["agents"] == {3: "ann@shop.example"}
    saved(page, email_0="")
    assert "agents" not in yaml.safe_load(file.read_text())
    saved(page, id_new="9", email_new="dan@shop.example")
    assert yaml.safe_load(file.read_text())["agents"] == {"9": "dan@shop.example"}


def test_nothing_changed_is_nothing_written(page: Admin, file: Path) -> None:
    assert "relay.yaml stays as it is" in sent(page, "review").text
    assert file.read_text() == FILE


@pytest.mark.parametrize(
    ("change", "says"),
    [({"email_0": "not an address"}, "agents.3"), ({"id_new": "agent: 5", "email_new": "e@x.example"}, "agents.")],
)
def test_what_is_wrong_is_said_with_its_place_and_stays_typed(
    page: Admin, file: Path, change: dict[str, str], says: str
) -> None:
    answer = sent(page, "review", "", **change)
    assert answer.status_code == 422
    assert says in text_of(answer.text)
    typed = fields(answer.text)
    assert set(change.values()) <= {*typed.values()}
    assert file.read_text() == FILE


@pytest.mark.parametrize("section", ["agents: nonsense\n", "agents: {3: [1]}\n"])
def test_a_section_that_is_no_table_is_left_to_people(page: Admin, file: Path, section: str) -> None:
    file.write_text("connectors: {crm: {type: archive}}\n" + section)
    assert "correct it by hand" in page.get("/setup/agents").text
