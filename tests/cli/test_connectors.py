"""`relay connectors …` and `relay preview`, on a real server and a vendor on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.sections import group
from connectors.testing import chats
from connectors.testing.fake import Answer
from tests.fakes.naive import NaiveVendor
from tests.support.stack import chat

PAYLOAD = Path(chats.__file__).with_name("hook.json")
KEY = "key-0123456789"


@pytest.fixture
def vendor() -> Iterator[NaiveVendor]:
    with NaiveVendor() as there:
        yield there


class Cli:
    def __init__(self, folder: Path, url: str) -> None:
        self.environment = {"RELAY_DATA_DIR": str(folder), "RELAY_CONFIG": str(folder / "relay.yaml"), "KEY": KEY}
        desk = {"type": "tests.fakes.naive.Naive", "base_url": url, "key": "${KEY}", "allow_networks": ["127.0.0.0/8"]}
        connectors = {"desk": desk, "archive": {"type": "archive", "enabled": False}}
        (folder / "relay.yaml").write_text(json.dumps({"connectors": connectors}))

    def run(self, *arguments: str, code: int = 0) -> str:
        found = CliRunner().invoke(group, arguments, env=self.environment)
        assert found.exit_code == code, (found.output, found.exception)
        assert KEY not in found.output
        return found.stdout if "--json" in arguments else found.output


@pytest.fixture
def cli(tmp_path: Path, vendor: NaiveVendor) -> Cli:
    return Cli(tmp_path, vendor.url)


def test_list_shows_what_is_configured_and_what_there_is(cli: Cli) -> None:
    said = cli.run("connectors", "list")
    assert "desk: Naive (tests.fakes.naive.Naive), on" in said
    assert "archive: Archive (archive), off" in said
    assert "zendesk" in said
    assert json.loads(cli.run("connectors", "list", "--json"))[0]["label"] == "Naive"


def test_check_tells_right_from_wrong_and_exits_accordingly(cli: Cli, vendor: NaiveVendor) -> None:
    assert cli.run("connectors", "check", "desk") == "desk: ✓ works\n"
    vendor.instead = [Answer(401, {"message": f"bad key {KEY}"})]
    said = cli.run("connectors", "check", code=1)
    assert "desk: ✗ HTTP 401 Unauthorized" in said
    assert "replace the credentials in relay.yaml" in said
    vendor.instead = [Answer(401, {"message": "no"})]
    assert json.loads(cli.run("connectors", "check", "--json", code=1))["desk"][0]["right"] is False
    assert cli.run("connectors", "check", "archive") == "archive: nothing to check\n"


def test_a_bug_in_a_check_is_a_finding_without_secrets(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Iterator[Any]:
        raise KeyError(KEY)
        yield

    monkeypatch.setattr("tests.fakes.naive.Naive.check", broken)
    said = cli.run("connectors", "check", "desk", code=1)
    assert "desk: ✗ internal error in this check: KeyError: '**********' (broken, line " in said


def test_preview_prints_the_requests_and_sends_none(cli: Cli, vendor: NaiveVendor) -> None:
    said = cli.run("preview", str(PAYLOAD), "--connector", "desk")
    assert f"POST {vendor.url}/people" in said
    assert "Authorization: Bearer **********" in said
    assert "Dusan Kmet" in said
    assert "agent.name: John Doe" in said
    assert "phone:" not in said
    assert vendor.requests == []
    found = json.loads(cli.run("preview", str(PAYLOAD), "--connector", "desk", "--json"))
    assert [one["request"].split()[0] for one in found["requests"]] == ["POST", "POST"]
    assert found["values"]["csat"] == "good"
    assert found["values"]["phone"] == ""
    assert found["skipped"] == ""


def test_preview_of_a_chat_that_the_connector_leaves_out_says_why(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "relay.yaml"
    document = json.loads(config.read_text())
    document["connectors"]["desk"]["only"] = ["rated_bad"]
    config.write_text(json.dumps(document))
    found = json.loads(cli.run("preview", str(PAYLOAD), "--connector", "desk", "--json"))
    assert found["requests"] == []
    assert found["skipped"].endswith("and only is [rated_bad]")


def test_a_preview_says_what_would_be_redacted_and_shows_none_of_it(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    file.write_bytes(chat(1, visitor={"id": 7, "name": "Ann 4111 1111 1111 1111", "email": "ann@example.com"}))
    said = cli.run("preview", str(file), "--connector", "desk")
    assert "Redacted before it was sent: card number in the visitor's name." in said
    assert "Ann [card number redacted]" in said
    assert "1111 1111" not in said
    found = json.loads(cli.run("preview", str(file), "--connector", "desk", "--json"))
    assert found["notes"] == ["Redacted before it was sent: card number in the visitor's name."]


def test_a_preview_hides_a_secret_wherever_it_stands(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    file.write_bytes(chat(1, visitor={"id": 7, "name": f"Ann {KEY}", "email": "ann@example.com"}))
    assert "Ann **********" in cli.run("preview", str(file), "--connector", "desk")
    file.write_bytes(chat(1, paths=[{"url": f"https://shop.example.com/?key={KEY}", "title": ""}]))
    said = cli.run("preview", str(file), "--connector", "desk")
    assert KEY not in said
    assert "landing_page: https://shop.example.com/?key=**********" in said


def test_preview_of_what_is_no_conversation_says_so(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("{}")
    found = CliRunner().invoke(group, ["preview", str(file), "--connector", "desk"], env=cli.environment)
    assert found.exit_code == 1
    assert "no conversation" in found.output


def test_setup_asks_first(cli: Cli, vendor: NaiveVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    said = cli.run("connectors", "setup", "desk", code=2)
    assert said == "desk: the queue Chats? Not a terminal: pass --yes to confirm.\n"
    assert vendor.queues == 0
    monkeypatch.setattr("app.cli.options.at_a_terminal", lambda: True)

    def answered(answer: str, *options: str) -> str:
        command = ["connectors", "setup", "desk", *options]
        found = CliRunner().invoke(group, command, env=cli.environment, input=answer)
        assert found.exit_code == 0, found.output
        return found.output

    assert "desk: the queue Chats? [y/N]" in answered("n\n")
    assert vendor.queues == 0
    assert "desk: done: the queue Chats" in answered("y\n")
    assert vendor.queues == 1
    answered("", "--yes")
    assert vendor.queues == 2
    assert cli.run("connectors", "setup", "archive") == "archive: nothing to set up\n"


def test_setup_tells_scripts_what_it_made(cli: Cli, vendor: NaiveVendor) -> None:
    found = json.loads(cli.run("connectors", "setup", "desk", "--yes", "--json"))
    assert found == [{"change": "the queue Chats", "made": True}]
    assert vendor.queues == 1
    assert json.loads(cli.run("connectors", "setup", "archive", "--json")) == []
