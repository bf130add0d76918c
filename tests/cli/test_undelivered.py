"""Chats that no connector took, and past chats for a connector that came later: as an admin's commands find them."""

from __future__ import annotations

import csv
import io
import json
import secrets
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.delivery import Nowhere, Outcome
from core.ids import DeliveryId
from core.store import Ledger, Store, connect
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.server import Server
from tests.support.stack import Stack, chat, until
from workers.intake import take_in
from workers.maintenance import Chores

ARCHIVE, NEW = {"type": "archive"}, {"type": "archive", "folder": "new"}


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    """One connector is on and one is off; both are in the only route, but no chat meets its condition."""
    made = CommandLine(tmp_path, server)
    configure(made, {"on": ARCHIVE, "off": {**NEW, "enabled": False}}, to=["on", "off"], when="conversation.is_missed")
    return made


def configured(connectors: dict[str, Any], **route: Any) -> str:
    return json.dumps({"connectors": connectors, **({"routes": [route]} if route else {})})


def configure(cli: CommandLine | Stack, connectors: dict[str, Any], **route: Any) -> None:
    cli.config.write_text(configured(connectors, **route))


#: Configurations of a worker, by why it has no connector for a chat.
UNDER = {
    Nowhere.NO_ROUTE: replace(made.settings("on"), routes=()),
    Nowhere.OFF: made.settings(off=["off"], to=["off"]),
    Nowhere.MEANT: made.settings("on", to=[]),
}


def nowhere(store: Store, *numbers: int, why: Nowhere = Nowhere.NO_ROUTE) -> None:
    for number in numbers:
        store.accept(chat(number))
        take_in(store, store.claim_bodies(secrets.token_hex(4)), UNDER[why])


# --- who says it ---------------------------------------------------------------


def test_doctor_counts_them_and_says_what_to_type(cli: CommandLine, store: Store) -> None:
    def said() -> list[tuple[str, str, str]]:
        findings = cli.json("doctor", code=1)["findings"]  # no worker runs here
        return [(one["verdict"], one["text"], one["remedy"]) for one in findings if "anywhere" in one["text"]]

    assert said() == []
    nowhere(store, 1)
    nowhere(store, 2, why=Nowhere.MEANT)
    [(verdict, text, remedy)] = said()
    assert (verdict, text) == (
        "doubt",
        "1 chat was not delivered anywhere. Nothing is lost. Last error: No route matched.",
    )
    assert "relay deliveries --status undelivered" in remedy
    assert "relay replay --status undelivered" in remedy
    nowhere(store, 3, why=Nowhere.OFF)
    assert said()[0][1].startswith("2 chats were not delivered anywhere.")


def test_doctor_says_that_a_connector_has_no_route_and_that_one_left_the_file_with_work_waiting(
    cli: CommandLine, store: Store
) -> None:
    configure(cli, {"crm": ARCHIVE, "desk": NEW}, to=["crm"])
    made.chats(store, 2, old=None)
    found = {one["text"]: one for one in cli.json("doctor", code=1)["findings"]}
    assert found["No route leads to desk: no chat goes there."]["verdict"] == "doubt"
    assert "routes: - to: [desk]" in found["No route leads to desk: no chat goes there."]["remedy"]
    waits = found["old is not in relay.yaml: nothing is delivered to it. 2 deliveries are queued for it."]
    assert (waits["verdict"], waits["about"]) == ("wrong", "connector old")
    assert "write formerly: [old] below that one; else put it back into relay.yaml" in waits["remedy"]


def test_status_counts_them_and_names_what_is_odd(cli: CommandLine, store: Store) -> None:
    configure(cli, {"crm": ARCHIVE, "desk": NEW}, to=["crm"])
    nowhere(store, 1, 2)
    made.chats(store, 1, first=9, old=None)
    said = " ".join(cli.run("status").split())
    for part in (
        "inbox: 2 chats were not delivered anywhere.",
        "relay deliveries --status undelivered",
        "relay replay --status undelivered",
        "No route leads to desk: no chat goes there. Add desk to a route",
        "1 delivery is queued for it. If old has another name now, write formerly: [old]",
    ):
        assert part in said
    found = cli.json("status")
    assert found["undelivered"] == 2
    assert found["connectors"]["desk"]["state"] == "no route"
    assert found["connectors"]["old"]["state"] == "not in relay.yaml"


@pytest.mark.parametrize(
    ("connectors", "route", "said"),
    [
        ({"crm": ARCHIVE, "desk": NEW}, {"to": ["crm"]}, "! No route leads to desk: no chat goes there."),
        ({"crm": {**ARCHIVE, "enabled": False}}, {"to": ["crm"]}, "! Every connector is off"),
        (
            {"crm": {**ARCHIVE, "enabled": False}, "desk": NEW},
            {"to": ["crm"]},
            "! routes[0] leads only to crm, which is off.",
        ),
        ({}, {}, "! No connector is configured"),
    ],
)
def test_config_check_warns_and_is_right_all_the_same(
    cli: CommandLine, connectors: dict[str, Any], route: dict[str, Any], said: str
) -> None:
    configure(cli, connectors, **route)
    assert said in cli.run("config", "check")


def test_a_connector_check_says_that_no_route_leads_there(cli: CommandLine) -> None:
    configure(cli, {"crm": ARCHIVE, "desk": NEW}, to=["crm"])
    said = cli.run("connectors", "check", "desk")
    assert "desk: ! No route leads to it: no chat goes there" in said
    assert "Add desk to a route (routes: - to: [desk])" in said
    assert "No route" not in cli.run("connectors", "check", "crm")


def test_a_worker_logs_once_what_is_odd_about_each_configuration(
    server: Server, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    made.chats(store, 3, old=None)
    settings = made.settings("crm", "desk", to=["crm"])

    def reported() -> str:
        chores.report()
        return capsys.readouterr().out

    chores = Chores(connect(server.url), store, lambda: settings, threading.Event())
    first = reported()
    assert "No route leads to desk: no chat goes there." in first
    assert "connector with queued deliveries is not in relay.yaml" in first
    assert "connector=old" in first
    assert "queued=3" in first
    assert reported() == ""
    settings = made.settings("crm", "old", to=["crm", "old"])
    assert reported() == ""
    settings = made.settings("crm", "desk", to=["crm"])
    assert "No route leads to desk" in reported()


def test_they_are_listed_with_the_reason_and_filtered_in_every_format(cli: CommandLine, store: Store) -> None:
    made.chats(store, 2, first=50, on=Outcome.DELIVERED)
    nowhere(store, 1)
    nowhere(store, 2, why=Nowhere.OFF)
    nowhere(store, 3, why=Nowhere.MEANT)
    said = cli.run("deliveries", "--status", "undelivered")
    assert "No route matched" in said
    assert "Every connector is off" in said
    assert {one["conversation"] for one in cli.json("deliveries", "--status", "undelivered")} == {"1:1", "1:2"}
    text = cli.result("export", "--format", "csv", "--status", "undelivered").stdout
    assert {row["conversation"] for row in csv.DictReader(io.StringIO(text, newline=""))} == {"1:1", "1:2"}
    lines = cli.result("export", "--status", "undelivered").stdout.splitlines()
    assert len(lines) == 2
    for command in ("deliveries", "export", "replay"):
        said = cli.run(command, "--status", "undelivered", "--connector", "on", code=2)
        assert "a chat that was not delivered anywhere has no --connector" in said


# --- delivered by hand, end to end --------------------------------------------


def archived(relay: Stack, folder: str = "archive") -> list[str]:
    return sorted(path.parent.name for path in (relay.data / folder / "1").glob("*/r1.json"))


def test_all_that_went_nowhere_are_delivered_by_the_routes_of_the_moment(relay: Stack) -> None:
    configure(relay, {"archive": {**ARCHIVE, "enabled": False}})
    relay.worker()
    relay.web()
    for number in range(5):
        assert relay.post(chat(number)).status_code == 202
    until(lambda: relay.ledger.undelivered() == 5, what="five that go nowhere")
    said = relay.cli("replay", "--status", "undelivered", "--yes", code=1)
    assert "5 chats are still not delivered anywhere" in said
    assert "nothing was queued" in said
    assert "all connectors of its routes are off" in relay.cli("replay", "1:0", code=1)
    relay.reconfigure(configured({"archive": ARCHIVE}))
    assert "1 queued" in relay.cli("replay", "--status", "undelivered", "--text", "1:3", "--yes")
    until(lambda: archived(relay) == ["3"], what="the one that was named")
    relay.cli("replay", "1:4")
    assert "3 queued" in relay.cli("replay", "--status", "undelivered", "--yes")
    until(lambda: archived(relay) == ["0", "1", "2", "3", "4"], what="all of them")
    assert relay.ledger.undelivered() == 0
    assert "nothing matches" in relay.cli("replay", "--status", "undelivered", "--yes")


def test_a_connector_that_came_later_gets_the_chats_of_a_time(relay: Stack) -> None:
    configure(relay, {"archive": ARCHIVE})
    relay.worker()
    for number in range(4):
        relay.store.accept(chat(number))
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 4, what="four deliveries")
    relay.reconfigure(configured({"archive": ARCHIVE, "new": NEW}, to=["archive"]))
    said = relay.cli("replay", "--connector", "new", "--since", "7d", "--yes", code=1)
    assert "No route leads to new. Add it to a route in relay.yaml, then try again. Or ignore the routes: --all" in said
    relay.reconfigure(configured({"archive": ARCHIVE, "new": NEW}))
    assert "nothing matches" in relay.cli("replay", "--connector", "new", "--until", "2d", "--yes")
    assert "4 queued" in relay.cli("replay", "--connector", "new", "--since", "1h", "--yes")
    until(lambda: archived(relay, "new") == ["0", "1", "2", "3"], what="the past chats")
    said = relay.cli("replay", "--connector", "new", "--since", "1h", "--yes")
    assert "new has received them before (--again repeats them)" in said
    assert relay.ledger.lane("archive").counts["delivered"] == 4
    assert all(len(relay.ledger.delivery(DeliveryId(f"archive:1:{number}")).attempts) == 1 for number in range(4))
    assert "4 queued" in relay.cli("replay", "--connector", "new", "--since", "1h", "--again", "--yes")
    until(lambda: _tried(relay.ledger, "new", 4, 2), what="a second time")


def _tried(ledger: Ledger, name: str, many: int, times: int) -> bool:
    return all(len(ledger.delivery(DeliveryId(f"{name}:1:{number}")).attempts) == times for number in range(many))
