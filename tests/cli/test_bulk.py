"""Putting right from the command line: one, some, all that match. On a real server, and with a real worker."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.cli.times import parse_time
from core.delivery import DeliveryStatus, Outcome, PayloadStatus
from core.ids import DeliveryId
from core.store import Filter, Jobs, Ledger, Store, connect
from core.store import jobs as jobs_module
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import Stack, chat, until


@pytest.fixture
def store(server: Server) -> Store:
    """By the server's clock: times are given on the command line."""
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


def statuses(ledger: Ledger, connector: str = "crm") -> dict[str, int]:
    return {status: number for status, number in ledger.lane(connector).counts.items() if number}


@pytest.mark.processes
def test_everything_dead_of_a_connector_is_replayed_after_a_yes(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    made.chats(store, 3, crm=Outcome.REFUSED, archive=Outcome.REFUSED)
    command = ("replay", "--connector", "crm", "--status", "dead", "--since", "1h")
    assert "Replay 3 deliveries? Not a terminal" in cli.run(*command, code=2)
    assert "cancelled; nothing was changed" in cli.at_a_terminal(*command, says="n\n", code=1)
    assert statuses(ledger) == {"dead": 3}
    assert "Replay 3 deliveries? [y/N]" in cli.at_a_terminal(*command, says="y\n")
    assert statuses(ledger) == {"waiting": 3}
    assert statuses(ledger, "archive") == {"dead": 3}


def test_a_bulk_replay_is_done_by_a_real_worker(relay: Stack) -> None:
    control(relay.store).pause("archive", "not yet")
    relay.worker()
    for number in range(20):
        relay.store.accept(chat(number))
    until(lambda: relay.ledger.lane("archive").counts["waiting"] == 20, what="twenty that wait")
    relay.cli("resume", "archive")
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 20, what="twenty deliveries")
    assert "20 queued" in relay.cli("replay", "--connector", "archive", "--status", "delivered", "--yes")
    until(
        lambda: all(
            len(relay.ledger.delivery(DeliveryId(f"archive:1:{number}")).attempts) == 2 for number in range(20)
        ),
        what="twenty second attempts",
    )


def test_what_was_left_is_finished_by_a_worker(relay: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    made.chats(relay.store, 30, archive=Outcome.REFUSED)
    monkeypatch.setattr(jobs_module, "_PART", 10)
    jobs = Jobs(connect(relay.server.url), lambda: made.settings("archive"))
    job = jobs.start("replay", Filter(status=DeliveryStatus.DEAD))
    assert jobs.advance(job.id, 0).seen == 10  # and whoever began it went away
    assert "running" in relay.cli("jobs")
    relay.worker()
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 30, what="thirty deliveries")
    assert "finished" in relay.cli("jobs")


def test_ctrl_c_leaves_the_job_to_the_workers(
    cli: CommandLine, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.chats(store, 3, crm=Outcome.REFUSED)

    def pressed(self: Jobs, identity: str, seconds: float = 0.5) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "advance", pressed)
    said = cli.run("dead", "replay", "--all", "--yes", code=1)
    (job,) = cli.json("jobs")
    assert f"The workers finish job {job['id']} as soon as one runs" in said
    assert (job["seen"], job["finished"]) == (0, None)
    assert statuses(ledger) == {"dead": 3}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--connector", "crm", "--status", "dead"), 2),
        (("--status", "dead"), 3),
        (("--text", "ann"), 2),
        (("--missed",), 1),
        (("--rating", "5"), 1),
        (("--account", "1"), 2),
        (("--account", "2"), 0),
        (("--since", "1h"), 2),
        (("--until", "1h"), 0),
        (("--text", "hello", "--said"), 2),
        (("--text", "hello"), 0),
    ],
)
def test_filters_choose(cli: CommandLine, store: Store, options: tuple[str, ...], found: int) -> None:
    made.conversation(
        store,
        chat(1, channel={"id": 1, "isMissed": True, "rating": 5}),
        crm=Outcome.REFUSED,
        archive=Outcome.REFUSED,
    )
    made.conversation(store, chat(2), crm=Outcome.REFUSED)
    assert cli.json("replay", *options, "--yes")["matched"] == found


def test_replay_wants_to_be_told_what(cli: CommandLine) -> None:
    assert "name what to replay" in cli.run("replay", code=2)
    assert "not both" in cli.run("replay", "crm:1:1", "--status", "dead", code=2)
    assert "--said goes with --text" in cli.run("replay", "--said", code=2)
    assert "there is no connector 'nope'; available: archive, crm" in cli.run("replay", "--connector", "nope", code=1)
    assert "'yesterday' is not a time" in cli.run("replay", "--since", "yesterday", code=2)
    assert cli.run("replay", "--status", "dead") == "nothing matches\n"


def test_the_dead_are_listed_with_their_reasons(cli: CommandLine, store: Store) -> None:
    assert cli.run("dead", "list") == "no dead letters\n"
    made.chats(store, 2, crm=Outcome.REFUSED, archive=Outcome.DELIVERED)
    said = cli.run("dead", "list")
    assert "crm:1:1" in said
    assert "500 Internal Server Error" in said
    assert "archive" not in said
    assert [row["id"] for row in cli.json("dead", "list", "--connector", "crm")] == ["crm:1:2", "crm:1:1"]
    assert "1 of 2; --limit shows more" in cli.run("dead", "list", "--limit", "1")


def test_only_dead_ones_are_replayed_among_the_dead(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED, archive=Outcome.DELIVERED)
    assert (
        cli.run("dead", "replay", "crm:1:1")
        == "crm:1:1: queued for crm, which is off: it stays queued until the connector is on\n"
    )
    assert "archive:1:1 is not a dead letter, it is delivered" in cli.run("dead", "replay", "archive:1:1", code=1)
    assert "choose with --all" in cli.run("dead", "replay", code=2)
    assert "leave it out to choose" in cli.run("dead", "replay", "--all", "--connector", "crm", code=2)
    assert cli.json("dead", "replay", "--all", "--yes")["done"] == 1
    assert statuses(ledger) == {"waiting": 2}
    assert statuses(ledger, "archive") == {"delivered": 2}


def test_discarding_keeps_who_and_why(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    made.chats(store, 3, crm=Outcome.REFUSED)
    assert "Missing option '--reason'" in cli.run("dead", "discard", "--all", "--yes", code=2)
    assert cli.run("dead", "discard", "crm:1:1", "--reason", "a test of ours") == "crm:1:1: discarded\n"
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.error) == ("discarded", "a test of ours")
    assert found.attempts[-1].worker
    assert "2 discarded" in cli.run("dead", "discard", "--connector", "crm", "--reason", "too old", "--yes")
    assert statuses(ledger) == {"discarded": 3}
    assert "too old" in cli.run("deliveries", "--status", "discarded")


def test_a_quarantined_body_is_discarded_and_one_in_use_is_not(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    body = store.accept(b"nonsense").id
    store.divert(body, PayloadStatus.QUARANTINED, "not JSON")
    assert cli.run("discard", body, "--reason", "spam") == f"{body}: discarded\n"
    assert ledger.payload(body).status is PayloadStatus.DISCARDED
    made.conversation(store, chat(1), crm=None)
    made.claimed(store, "crm", "1:1")
    said = cli.json("discard", "crm:1:1", "nope", "--reason", "spam", code=1)
    assert [row["done"] for row in said] == [False, False]
    assert "being worked on" in said[0]["error"]
    assert "no delivery or payload 'nope'" in said[1]["error"]


def test_a_conversation_is_discarded_where_it_is_not_settled(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    made.conversation(store, chat(1), crm=Outcome.REFUSED, archive=Outcome.DELIVERED)
    assert cli.run("discard", "1:1", "--reason", "spam") == "crm:1:1: discarded\n"
    assert statuses(ledger, "archive") == {"delivered": 1}
    assert "no delivery is queued, retrying or dead" in cli.run("discard", "1:1", "--reason", "spam", code=1)


def test_one_that_fails_does_not_stop_the_others(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    said = cli.run("replay", "crm:1:1", "nope:1:1", "crm:1:2", code=1)
    assert "nope is not in relay.yaml, so nothing can be delivered to it" in said
    assert statuses(ledger) == {"waiting": 2}


def test_a_paused_connector_is_tried_with_one(cli: CommandLine, store: Store) -> None:
    assert cli.run("try", "crm") == "crm: is not paused\n"
    made.chats(store, 2, crm=None)
    cli.run("pause", "crm")
    assert store.claim("crm", "a") is None
    assert cli.run("try", "crm").startswith("crm: one test delivery is queued")
    assert store.claim("crm", "b")
    assert store.claim("crm", "c") is None
    told = cli.json("try", "crm")
    assert told.pop("text").startswith("crm: one test delivery is queued")
    assert told == {"connector": "crm", "changed": True, "waiting": 1, "due": 1}
    assert "there is no connector 'nope'" in cli.run("try", "nope", code=1)


def test_what_is_not_due_is_not_said_to_be_on_its_way(cli: CommandLine, store: Store) -> None:
    made.chats(store, 1, crm=Outcome.RETRY)
    cli.run("pause", "crm")
    assert cli.run("try", "crm") == "crm: nothing is due now; the next delivery that is due will be the test\n"
    told = cli.json("try", "crm")
    assert told.pop("text").startswith("crm: nothing is due now")
    assert told == {"connector": "crm", "changed": True, "waiting": 1, "due": 0}
    assert store.claim("crm", "a") is None


NOW = 1_760_000_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2h", NOW - 7_200_000),
        ("90 s", NOW - 90_000),
        ("1.5d", NOW - 129_600_000),
        ("2w", NOW - 14 * 86_400_000),
        ("2026-10-02T09:30+02:00", 1_790_926_200_000),
        ("2026-10-02T07:30:00Z", 1_790_926_200_000),
        ("2026-10-02 09:30", 1_790_926_200_000),
        ("2026-10-02", 1_790_892_000_000),
        ("20 w 1", None),
        ("2 months", None),
        ("9999999999h", None),
        ("2026-13-02", None),
        ("1960-01-01", 0),
        ("0001-01-01", None),
        ("", None),
    ],
)
def test_times_are_read(text: str, ms: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Prague")
    time.tzset()
    try:
        if ms is None:
            with pytest.raises(ValueError, match="is not a time; write how long ago"):
                parse_time(text, NOW)
        else:
            assert parse_time(text, NOW) == ms
    finally:
        monkeypatch.undo()
        time.tzset()
