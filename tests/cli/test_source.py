"""`relay source …` and `relay backfill`: what they say, and what is there afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.demo.shop import SHOP_ACCOUNT
from connectors.testing.fake import Answer
from core.ids import ConversationId
from core.store import Ledger, Store, connect
from core.store.sources.catch_ups import CatchUps
from core.store.sources.orders import Wish, source_lane
from tests.fakes.smartsupp import BEGINNING, SmartsuppFake, chats
from tests.support.command_line import CommandLine
from tests.support.server import Server

MANY = 30


@pytest.fixture(scope="module")
def smartsupp() -> Iterator[SmartsuppFake]:
    with SmartsuppFake([*chats(MANY), *chats(3, datetime.now(UTC) - timedelta(days=3), 2, MANY)]) as there:
        yield there


@pytest.fixture
def cli(smartsupp: SmartsuppFake, server: Server, tmp_path: Path) -> CommandLine:
    found = CommandLine(tmp_path, server)
    configure(found, smartsupp)
    return found


def configure(cli: CommandLine, smartsupp: SmartsuppFake, **more: Any) -> None:
    about = {"token": smartsupp.token, "base_url": smartsupp.base_url, "allow_networks": ["127.0.0.0/8"], "rate": 100}
    connectors = {"archive": {"type": "archive"}, "crm": {"type": "archive", "folder": "crm"}}
    source = {"account": SHOP_ACCOUNT, "api": {**about, **more}}
    cli.config.write_text(json.dumps({"source": source, "connectors": connectors}))


SINCE = BEGINNING.date().isoformat()


def test_a_check_says_what_the_token_may_and_what_there_is(cli: CommandLine, smartsupp: SmartsuppFake) -> None:
    said = cli.run("source", "check")
    assert f"main: account {SHOP_ACCOUNT} at {smartsupp.base_url}" in said
    assert "Token accepted: " in said
    assert "fields in snake_case" in said
    assert "3 agents" in said
    [found] = cli.json("source", "check")
    assert (found["dialect"], found["refused"], found["lacks"]) == ("snake_case", {}, [])
    assert smartsupp.token not in said


def test_a_check_of_a_wrong_token_says_what_to_do(cli: CommandLine, smartsupp: SmartsuppFake) -> None:
    configure(cli, smartsupp, token="another-token")
    said = cli.run("source", "check", code=1)
    assert "rejects the token (HTTP 401)" in said
    assert "source.api.token" in said
    assert cli.json("source", "check", code=1)[0]["error"]


@pytest.mark.parametrize("command", [("source", "check"), ("source", "reconcile"), ("backfill", "--since", "7d")])
def test_without_an_api_each_says_what_to_add(cli: CommandLine, command: tuple[str, ...]) -> None:
    cli.config.write_text("connectors: {archive: {type: archive}}")
    assert "Add the section source" in cli.run(*command, code=1)


def test_an_account_that_is_not_there_is_named_with_those_that_are(cli: CommandLine) -> None:
    assert "available: main" in cli.run("source", "check", "--account", "other", code=1)


def test_a_back_fill_counts_first_and_asks(cli: CommandLine, server: Server) -> None:
    said = cli.run("backfill", "--since", SINCE, "--until", "2026-01-01", code=2)
    assert f"Smartsupp has about {MANY} chats." in said
    assert "wherever the routes say (archive, crm)" in said
    assert CatchUps(cli_client(server)).recent() == []


def cli_client(server: Server) -> Any:
    return connect(server.url)


def test_a_back_fill_fetches_them_and_says_how_many(cli: CommandLine) -> None:
    said = cli.run("backfill", "--since", SINCE, "--until", "2026-01-01", "--yes")
    assert f"{MANY} conversations: {MANY} fetched, 0 already stored" in said
    found = cli.json("backfill", "--since", SINCE, "--until", "2026-01-01", "--yes")
    [one] = found["catch_ups"]
    assert (one["fetched"], one["known"], one["state"], found["ended"]) == (0, MANY, "finished", "complete")
    assert "backfill" in cli.run("source", "status")
    assert len(cli.json("source", "status")["catch_ups"]) == 2


def test_nothing_to_fetch_says_so(cli: CommandLine) -> None:
    assert "no chats of that time" in cli.run("backfill", "--since", "2019-01-01", "--until", "2019-02-01", "--yes")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--since", "2026-01-01", "--until", "2025-01-01"), 2, "must be earlier"),
        (("--since", "soon"), 2, "is not a time"),
        (("--since", "7d", "--connector", "nobody"), 1, "there is no connector 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: CommandLine, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in cli.run("backfill", *arguments, code=code)


def test_what_smartsupp_refuses_ends_the_command_and_not_the_back_fill(
    cli: CommandLine, smartsupp: SmartsuppFake
) -> None:
    found = {"items": [], "total": MANY, "after": None}
    smartsupp.instead = [Answer(200, found), Answer(429, {"code": "slow"}, {"Retry-After": "60"})]
    said = cli.run("backfill", "--since", SINCE, "--until", "2026-01-01", "--yes", code=1)
    assert "put off" in said
    assert "The workers try again" in said
    [one] = cli.json("source", "status")["catch_ups"]
    stopped = cli.run("source", "stop", one["id"])
    assert "stopped" in stopped
    assert "stopped" in cli.run("source", "status")


def test_a_comparison_on_demand_fetches_what_is_missing(cli: CommandLine, server: Server) -> None:
    server.client.hset("relay:epoch", "memory", 0)
    assert "3 conversations: 3 fetched" in cli.run("source", "reconcile")
    found = cli.json("source", "status")
    assert (found["missing"], found["compared"]["main"]["missing"]) == (3, 3)
    assert cli.json("source", "reconcile", "--days", "5")["catch_ups"][0]["fetched"] == 0


# --- accounts that are gone ------------------------------------------------------------------------------------------


def order(server: Server, name: str, *channels: str, account: str = "4711") -> None:
    store = Store(connect(server.url))
    for one in channels:
        store.order(Wish(ConversationId.of(account, one), source_lane(name), wait_ms=0, at_most_ms=0))


def test_chats_of_an_account_that_is_gone_are_said_and_moved(cli: CommandLine, server: Server) -> None:
    order(server, "gone", "co1", "co2")
    sentence = "2 chats wait to be fetched for source 'gone' (account 4711)"
    for said in (cli.run("status"), cli.run("doctor", code=1)):
        assert sentence in " ".join(said.split())
        assert "relay source move gone --to main · relay source drop gone" in " ".join(said.split())
    [line] = [one for one in cli.json("status")["attention"] if one["kind"] == "stranded"]
    assert line["commands"] == ["relay source move gone --to main", "relay source drop gone"]
    assert sentence in cli.run("source", "move", "gone", "--to", "main", code=2)
    assert "2 moved to main" in cli.run("source", "move", "gone", "--to", "main", "--yes")
    assert Ledger(connect(server.url)).lane(source_lane("main")).waiting == 2
    assert "there are: none" in cli.run("source", "drop", "gone", "--yes", code=1)


def test_chats_of_an_account_that_is_gone_are_dropped(cli: CommandLine, server: Server) -> None:
    order(server, "gone", "co1", "co2")
    assert cli.json("source", "drop", "gone", "--yes") == {"name": "gone", "dropped": 2}
    order(server, "gone", "co3")
    assert "1 chat waits to be fetched" in cli.run("source", "drop", "gone", code=2)
    assert "1 dropped" in cli.run("source", "drop", "gone", "--yes")
    order(server, "gone", "co4")
    found = cli.json("source", "move", "gone", "--to", "main", "--yes")
    assert found == {"name": "gone", "to": "main", "moved": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drop", "main"), "'main' is in relay.yaml: its chats are fetched"),
        (("drop", "nobody"), "no chats wait for a removed account 'nobody'; there are: gone"),
        (("move", "gone", "--to", "nobody"), "there is no account 'nobody' with an API; available: main"),
    ],
)
def test_what_waits_for_an_account_that_is_there_is_not_touched(
    cli: CommandLine, server: Server, arguments: tuple[str, ...], said: str
) -> None:
    order(server, "main", "co1")
    order(server, "gone", "co2")
    assert said in cli.run("source", *arguments, "--yes", code=1)
    assert Ledger(connect(server.url)).lane(source_lane("main")).waiting == 1
