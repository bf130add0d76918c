"""Every state of a connector, as every face shows it: the same words everywhere, and never a wrong one."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from app.admin.connector_state import State, connector_state
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.delivery import Attempt, Exchange, Outcome
from core.store import Store, connect
from core.store.claims import Limits
from core.store.protocol.keys import key
from tests.support.admin import Admin, admin
from tests.support.command_line import CommandLine
from tests.support.made import claimed, control, conversation, settle
from tests.support.server import Server
from tests.support.stack import chat

#: The connector of each test configuration that is in it, and words of its sentence.
STATES = {
    State.ON: ("fine", ""),
    State.NO_ROUTE: ("unrouted", "No route leads to unrouted"),
    State.PAUSED: ("mine", "Paused by you: stock taking"),
    State.REJECTED: ("denied", "rejected the credentials, the permissions or the address: chat 1:2: HTTP 401"),
    State.NOT_RESPONDING: ("silent", "The destination is not responding: chat 1:1: HTTP 503"),
    State.USED_UP: ("spent", "spent has used up its 4 requests of this day; what is queued is delivered from 20"),
    State.THROTTLED: ("slow", "answered 429 (too many requests), so the rate is divided by 2.0"),
    State.OFF: ("spare", "Off in relay.yaml: nothing is delivered to spare"),
    State.MISSING: ("old", "old is not in relay.yaml"),
}
ROUTED = [name for state, (name, _) in STATES.items() if state not in (State.NO_ROUTE, State.MISSING)]


@pytest.fixture
def cli(server: Server, tmp_path: Path) -> CommandLine:
    """A relay with a connector in each state."""
    found = CommandLine(tmp_path, server)
    found.config.write_text(CONFIG)
    store = Store(connect(server.url))
    first, second = (conversation(store, chat(number), **dict.fromkeys([*ROUTED, "old"])) for number in (1, 2))
    control(store).pause("mine", "stock taking.")
    settle(store, claimed(store, "denied", second), Outcome.PAUSED, error="HTTP 401")
    silent = claimed(store, "silent", first)
    attempt = Attempt(silent.received, 10, Outcome.RETRY, 1, 503, "HTTP 503")
    store.settle(silent, attempt, delay_ms=30_000, trouble="outage", breaker=1, blame=f"chat {silent.conversation}: ")
    slow = store.claim("slow", "a", limits=Limits(rate=5))
    assert slow
    attempt = Attempt(slow.received, 10, Outcome.RETRY, 1, 429, "HTTP 429")
    store.settle(slow, attempt, delay_ms=1000, trouble="throttled")
    today = Limits(per_day=4, day_over=slow.received + 3_600_000)
    spent = store.claim("spent", "b", limits=today)
    assert spent
    store.settle(
        spent, Attempt(spent.received, 10, Outcome.DELIVERED, 1, requests=(Exchange("POST", "x", 200, 1),) * 4)
    )
    assert store.claim("spent", "c", limits=today) is None
    # As a worker's own settle does (workers/delivery.py).
    server.client.hset(key("gate", "denied"), "reason", "chat 1:2: HTTP 401")
    return found


CONFIG = json.dumps(
    {
        "connectors": {
            name: {"type": "archive", "folder": name, "enabled": state is not State.OFF}
            | ({"per_day": 4} if state is State.USED_UP else {})
            for state, (name, _) in STATES.items()
            if state is not State.MISSING
        },
        "routes": [{"to": ROUTED}],
    }
)


@pytest.fixture
def page(cli: CommandLine, server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def row(html: str, name: str) -> str:
    """What the overview's table says of a connector."""
    rows = re.findall(r"<tr>.*?</tr>(?:\s*<tr class=\"why\">.*?</tr>)?", html, re.DOTALL)
    (found,) = [one for one in rows if f"<strong>{name}</strong>" in one]
    return text_of(found)


def card_of(html: str, name: str) -> str:
    return text_of(html.partition(f'aria-labelledby="connector-{name}"')[2].partition("</section>")[0])


def test_every_face_shows_the_state_and_its_sentence(cli: CommandLine, page: Admin) -> None:
    overview, cards = page.get("/").text, page.get("/connectors").text
    status, doctor, listed = cli.run("status"), cli.run("doctor", code=1), cli.run("connectors", "list")
    found = cli.json("status")["connectors"]
    for state, (name, sentence) in STATES.items():
        label = state[0].upper() + state[1:]
        faces = {
            "overview": row(overview, name),
            "page": text_of(page.get(f"/connectors/{name}").text),
            "status": status,
            "list": listed,
            "cards": card_of(cards, name),
            "doctor": doctor,
        }
        for face in ("overview", "page", "cards"):
            assert f" {label} " in f" {faces[face]} ", (state, face)
        for face, text in faces.items():
            # What is not configured is in no list of what is.
            assert sentence in text or (state is State.MISSING and face == "list"), (state, face)
        assert re.search(rf"^{name} +{state} ", status, re.MULTILINE), state
        assert found[name]["state"] == state


def test_every_state_stands_in_the_glossary_and_has_a_remedy(tmp_path: Path) -> None:
    config = tmp_path / "relay.yaml"
    crm = {"type": "archive", "folder": "crm", "formerly": ["desk"]}
    config.write_text(json.dumps({"connectors": {"crm": crm, "spare": {"type": "archive", "enabled": False}}}))
    env = environment({"RELAY_CONFIG": str(config), "RELAY_DATA_DIR": str(tmp_path)})
    settings = load(env, settings_model, {})
    renamed = connector_state(settings, "desk", None)
    assert (renamed.state, renamed.commands) == (State.RENAMED, ("relay doctor",))
    found = [renamed, connector_state(None, "crm", None)]
    found += [connector_state(settings, name, None) for name in ("spare", "gone")]
    assert [one.state for one in found] == [State.RENAMED, State.UNKNOWN, State.OFF, State.MISSING]
    assert all(one.sentence and one.remedy for one in found)
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
    for state in State:
        assert f"| **{state}** |" in glossary, state


def test_a_circuit_that_is_open_is_never_called_a_pause(cli: CommandLine, page: Admin) -> None:
    """Nobody has to resume it."""
    status, doctor = cli.run("status"), cli.run("doctor", code=1)
    one = text_of(page.get("/connectors/silent").text).partition("State")[2].partition("Check")[0]
    deliveries = text_of(page.get("/conversations/1:2").text).partition("silent Blocked")[2].partition(" slow ")[0]
    faces = [
        row(page.get("/").text, "silent"),
        card_of(page.get("/connectors").text, "silent"),
        one,
        deliveries,
        "\n".join(status.partition("\nsilent: ")[2].splitlines()[:2]),
        "".join(line for line in status.splitlines() if line.startswith("silent ")),
        "\n".join(doctor.rpartition("connector silent: ")[2].splitlines()[:2]),
        cli.run("connectors", "list").partition("silent: ")[2].partition("slow: ")[0],
        cli.run("show", "silent:1:2"),
        json.dumps(cli.json("status")["connectors"]["silent"]),
    ]
    for face in faces:
        assert re.search("not responding|responds again", face), face
        assert not re.search(r"paus(?!e\b)", face, re.IGNORECASE), face
        assert "held back" not in face
    found = cli.json("show", "silent:1:2")
    assert (found["paused"], found["not_responding"]) == (False, True)
    assert re.search(r"Next test delivery in \d+(\.\d)? s\.", status)


def test_without_the_store_the_list_shows_the_states_of_the_file(cli: CommandLine) -> None:
    cli.environment["RELAY_REDIS_URL"] = "redis://127.0.0.1:1"
    said = cli.run("connectors", "list")
    assert "The store does not respond, so the states are those of relay.yaml" in said
    assert "unrouted: Archive (archive), no route" in said
    assert "spare: Archive (archive), off" in said
    assert "silent: Archive (archive), on" in said
