"""`relay doctor`: it finds what is wrong, says what to do, and works where everything else does not."""

from __future__ import annotations

import base64
import json
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from app.admin import doctor, doctor_store
from connectors.testing.fake import Answer
from core.delivery import Outcome, PayloadStatus
from core.store import Access, Store, connect
from core.store.connection.condition import StoreCondition
from tests.fakes.naive import NaiveVendor
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import Stack


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


def findings(cli: CommandLine, *options: str, code: int = 0) -> list[dict[str, Any]]:
    found = cli.json("doctor", *options, code=code)
    assert found["right"] is (code == 0)
    return list(found["findings"])


def about(found: list[dict[str, Any]], what: str) -> list[tuple[str, str]]:
    return [(one["verdict"], one["text"]) for one in found if one["about"] == what]


def test_all_is_well_where_everything_runs(relay: Stack) -> None:
    relay.worker()
    Access(connect(relay.server.url)).set_password("a hash")
    said = relay.cli("doctor")
    assert "✗" not in said
    assert "!" not in said
    for part in (
        "versions: Python 3.",
        "config: ",
        "token: set",
        "store: valkey",
        "clock: within",
        "workers: 1 alive",
    ):
        assert f"✓ {part}" in said
    found = json.loads(relay.cli("doctor", "--json"))
    assert {one["verdict"] for one in found["findings"]} == {"right"}


def test_a_broken_config_and_a_server_that_is_away_are_two_findings(relay: Stack) -> None:
    relay.configure("connectors:\n  a: {type: archiv}\n  b: {type: webhook}\n")
    relay.server.kill()
    said = relay.cli("doctor", code=1)
    assert "Traceback" not in said
    assert "did you mean 'archive'?" in said
    assert "line 2" in said
    assert "connectors.b.url: is missing" in said
    assert "✗ store: does not respond" in said
    assert "correct its address and password in RELAY_REDIS_URL" in said
    assert "✓ data folder" in said


def test_an_environment_that_cannot_be_read_is_said(cli: CommandLine) -> None:
    cli.environment |= {"RELAY_PORT": "many", "SMARTSUPP_TOKEN": "short"}
    found = findings(cli, code=1)
    assert [one["verdict"] for one in found if one["about"] == "environment"] == ["wrong", "wrong"]
    assert "RELAY_PORT expected a number" in found[-2]["text"]
    assert "short" not in json.dumps(found)


def test_an_embedded_server_that_does_not_run_is_to_be_started(cli: CommandLine) -> None:
    del cli.environment["RELAY_REDIS_URL"]
    assert "relay up" in next(one["remedy"] for one in findings(cli, code=1) if one["about"] == "store")


def test_a_server_that_would_lose_chats_is_wrong(cli: CommandLine, tmp_path: Path) -> None:
    careless = Server(tmp_path / "own", "--appendonly", "no", "--maxmemory-policy", "allkeys-lru").start()
    try:
        cli.environment["RELAY_REDIS_URL"] = careless.url
        found = [one for one in findings(cli, code=1) if one["about"] == "store" and one["verdict"] == "wrong"]
    finally:
        careless.stop()
    assert [one["text"] for one in found] == [
        "the append-only file is off",
        "maxmemory-policy is allkeys-lru, which drops keys",
    ]
    assert found[0]["remedy"].startswith("CONFIG SET appendonly yes")


def test_a_server_with_hardly_any_memory_left_is_wrong(cli: CommandLine, own_server: Server) -> None:
    used = int(own_server.client.info()["used_memory"])
    own_server.client.config_set("maxmemory", round(used * 1.02))
    cli.environment["RELAY_REDIS_URL"] = own_server.url
    ((verdict, text),) = about(findings(cli, code=1), "memory")
    assert verdict == "wrong"
    assert text.endswith("of maxmemory")


@pytest.mark.parametrize(
    ("off", "verdict"), [(0, "right"), (1_500, "right"), (10_000, "doubt"), (-10_000, "doubt"), (7_200_000, "wrong")]
)
def test_clocks_that_differ_are_seen(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, off: int, verdict: str) -> None:
    def elsewhere(client: object) -> StoreCondition:
        return StoreCondition(1, 0, 0, 1, True, 0, round(time.time() * 1000) + off)

    monkeypatch.setattr(doctor_store, "store_condition", elsewhere)
    ((found, _),) = about(findings(cli, code=1), "clock")
    assert found == verdict


def test_no_worker_is_wrong_and_no_password_is_doubtful(cli: CommandLine) -> None:
    found = findings(cli, code=1)
    assert about(found, "workers") == [
        ("wrong", "No worker is running. Chats are accepted and kept, but not delivered.")
    ]
    assert about(found, "dashboard") == [("doubt", "no password is set, so nobody can log in")]
    cli.environment |= {"RELAY_USER_HEADER": "X-User", "RELAY_TRUSTED_PROXIES": "10.0.0.1"}
    assert about(findings(cli, code=1), "dashboard") == [("right", "the proxy names users in X-User")]


def test_no_token_is_wrong(cli: CommandLine) -> None:
    cli.environment["SMARTSUPP_TOKEN"] = ""
    assert about(findings(cli, code=1), "token")[0][0] == "wrong"


def test_a_token_that_others_can_read_is_doubtful(cli: CommandLine, tmp_path: Path) -> None:
    cli.environment["SMARTSUPP_TOKEN"] = ""
    kept = tmp_path / "smartsupp-token"
    kept.write_text("token-for-tests-0123456789")
    kept.chmod(0o600)
    assert about(findings(cli, code=1), "token") == [("right", "set")]
    kept.chmod(0o644)
    assert about(findings(cli, code=1), "token")[1][0] == "doubt"


def test_what_waits_what_is_paused_and_what_is_dead_are_told(cli: CommandLine, store: Store, server: Server) -> None:
    late = Store(connect(server.url), lambda: round(time.time() * 1000) - 120_000)
    made.conversation(late, b'{"accountId": 1, "channel": {"id": 1}}', crm=Outcome.REFUSED, archive=None)
    store.divert(store.accept(b"nonsense").id, PayloadStatus.QUARANTINED, "not JSON")
    found = findings(cli, code=1)
    assert about(found, "connector crm")[-1] == (
        "doubt",
        "1 dead letter, kept until you decide. Cause: 500 Internal Server Error.",
    )
    verdict, text = about(found, "connector archive")[-1]
    assert (verdict, text[:38]) == ("doubt", "the oldest delivery has been due for 2")
    verdict, text = about(found, "inbox")[-1]
    assert (verdict, text[:27]) == ("doubt", "1 payload in quarantine, ke")
    control(store).pause("archive", "the key \u202e\x07has expired")
    found = findings(cli, code=1)
    assert about(found, "connector archive")[-1] == (
        "doubt",
        "Paused by you: the key \u202e\x07has expired.",
    )
    assert not {"\x07", "\u202e"} & set(cli.run("doctor", code=1))


def test_a_body_that_was_sealed_with_another_key_is_wrong(cli: CommandLine, server: Server) -> None:
    assert about(findings(cli, code=1), "encryption") == [("right", "payloads are not encrypted")]
    mine, other = (base64.urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2))
    Store(connect(server.url, keys=[mine])).accept(b"{}")
    cli.environment["RELAY_ENCRYPTION_KEYS"] = f"{other},{mine}"
    assert about(findings(cli, code=1), "encryption") == [("right", "payloads are encrypted with the first of 2 keys")]
    cli.environment["RELAY_ENCRYPTION_KEYS"] = other
    ((verdict, text),) = about(findings(cli, code=1), "encryption")
    assert verdict == "wrong"
    assert "put it back" in text


def test_a_worker_that_refuses_the_configuration_is_told(cli: CommandLine, store: Store) -> None:
    store.beat("there:1", "line 3: is not a setting")
    assert about(findings(cli, code=1), "workers") == [
        ("right", "1 alive: there:1"),
        (
            "wrong",
            "there:1 rejected the changed configuration and still uses the previous version: line 3: is not a setting",
        ),
    ]


def test_connectors_are_asked_when_it_is_wished(cli: CommandLine) -> None:
    with NaiveVendor() as vendor:
        desk = {"type": "tests.fakes.naive.Naive", "base_url": vendor.url, "key": "key-0123456789"}
        networks = {"allow_networks": ["127.0.0.0/8"]}
        cli.config.write_text(json.dumps({"connectors": {"desk": {**desk, **networks}}}))
        assert "not checked at the destination" in about(findings(cli, code=1), "connector desk")[0][1]
        assert vendor.requests == []
        assert about(findings(cli, "--check", code=1), "connector desk")[0] == ("right", "works")
        vendor.instead = [Answer(401, {"message": "bad key key-0123456789"})]
        found = findings(cli, "--check", code=1)
        assert about(found, "connector desk")[0][0] == "wrong"
        assert "key-0123456789" not in json.dumps(found)


def test_a_connector_that_cannot_be_made_is_one_finding(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "broken_for_doctor.py").write_text(
        "from connectors.archive import Archive\n\n\nclass Broken(Archive):\n    def __init__(self, *_): 1 / 0\n"
    )
    cli.config.write_text("connectors: {x: {type: broken_for_doctor.Broken}, archive: {type: archive}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        found = findings(cli, code=1)
    assert about(found, "connector x")[0] == ("wrong", "ZeroDivisionError: division by zero")
    assert about(found, "connector archive")[0][0] == "right"


@pytest.mark.parametrize(("free", "verdict"), [(50, "wrong"), (500, "doubt"), (5_000, "right")])
def test_a_disk_that_fills_up_is_seen_in_time(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr("app.admin.doctor.shutil.disk_usage", lambda there: usage(1, 1, free * 1024 * 1024))
    assert about(findings(cli, code=1), "data folder")[0][0] == verdict


def test_a_data_folder_that_cannot_be_written_is_wrong(cli: CommandLine) -> None:
    cli.environment["RELAY_DATA_DIR"] = "/proc/relay"  # not even root can
    assert about(findings(cli, code=1), "data folder") == [("wrong", "/proc is not writable")]
    assert not Path("/proc/relay").exists()


def test_other_versions_than_the_tested_are_doubtful(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda package: ["redis==1.2.3", "nope[x]==1", 'x==1; extra == "dev"'])
    assert about(findings(cli, code=1), "versions")[1:] == [
        ("doubt", f"redis is {version('redis')}; this version was tested with 1.2.3"),
        ("doubt", "nope is missing; this version was tested with 1"),
    ]
