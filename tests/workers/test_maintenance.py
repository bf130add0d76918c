"""What workers do beside deliveries: what is old goes, what must stay stays, bulk jobs get done."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.kit.files.waiting import WaitingFiles
from core.config.settings import Retention
from core.delivery import Attempt, DeliveryStatus, Outcome, PayloadStatus, Reference
from core.errors import NotFound
from core.ids import ConversationId, DeliveryId, PayloadId, identified
from core.store import INBOX, Eraser, Filter, Jobs, Ledger, Store, connect, statistics
from core.store.backfill import Backfill
from core.store.claims import Reading
from core.store.erase import PART, Rewrite
from core.store.protocol.keys import key
from core.store.search import blocks as search_blocks
from tests.conftest import Clock
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import Stack, chat, until
from workers.maintenance import Chores

DAY = 86_400


class Past:
    """A store whose clock can be set back, and the chores of a worker of today."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clock = Clock()
        self.store = Store(connect(server.url), self.clock)
        self.ledger = Ledger(connect(server.url))
        self.woken: list[str] = []
        self.retention = Retention()
        self.stopping = threading.Event()
        self.set_back(0)

    def set_back(self, days: float) -> None:
        self.clock.now = round((time.time() - days * DAY) * 1000)

    def delivery(self, days: float, conversation: str, outcome: Outcome | None, name: str = "crm") -> str:
        """A conversation of that long ago whose delivery ended so; None: it never ended. Returns the payload."""
        self.set_back(days)
        payload = self.store.accept(f"{conversation} {name} {days}".encode()).id
        claim = self.store.claim(INBOX, secrets.token_hex(4))
        assert claim is not None
        self.store.fan_out(claim, ConversationId(conversation), [name])
        if outcome:
            self.settle(conversation, outcome, name)
        return payload

    def settle(self, conversation: str, outcome: Outcome, name: str = "crm") -> None:
        claim = self.store.claim(name, secrets.token_hex(4))
        assert claim is not None
        assert claim.conversation == conversation
        tried = Attempt(at=1, ms=2, outcome=outcome, revision=claim.revision, error="why")
        self.store.settle(claim, tried, reference=Reference("r"), delay_ms=1)

    def diverted(self, days: float, status: PayloadStatus) -> str:
        self.set_back(days)
        payload = self.store.accept(secrets.token_bytes(8)).id
        if status is PayloadStatus.DISCARDED:
            self.store.divert(payload, PayloadStatus.QUARANTINED, "why")
            control(self.store).discard(payload, "because")
        else:
            self.store.divert(payload, status, "why")
        return payload

    @property
    def chores(self) -> Chores:
        client = connect(self.server.url, wake_up=self.woken.append)
        return Chores(
            client,
            Store(client),
            lambda: replace(made.configured(), retention=self.retention),
            self.stopping,
        )

    def sweep(self, settled: float | None = 30, dead: float | None = None) -> tuple[int, int]:
        self.retention = Retention(settled_days=settled, dead_days=dead)
        return self.chores.sweep()

    def left(self) -> list[str]:
        return sorted(one for part in Eraser(connect(self.server.url)).old(2**52) for one in part)


@pytest.fixture
def past(server: Server) -> Past:
    return Past(server)


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SKIPPED])
def test_settled_conversations_go_after_their_time_and_not_before(past: Past, outcome: Outcome) -> None:
    past.delivery(30.1, "1:old", outcome)
    past.delivery(29.9, "1:young", outcome)
    assert past.sweep() == (1, 0)
    assert past.left() == ["1:young"]
    assert past.sweep() == (0, 0)


def test_what_goes_stands_in_no_search_block_any_more_when_the_file_is_written_anew(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = connect(past.server.url)
    for number in range(4):
        past.delivery(31, f"1:vzacna-{number}", Outcome.DELIVERED)
    monkeypatch.setattr(search_blocks, "SIZE", 4)
    assert search_blocks.SearchBlocks(client).build()

    def names() -> list[str]:
        return [
            name.decode() for name in client.keys(key("search-block", "*")) if b"vzacna" in client.hget(name, "lines")
        ]

    assert names()
    written: list[list[str]] = []
    monkeypatch.setattr(Eraser, "rewrite", lambda _: written.append(names()))
    assert past.sweep() == (4, 0)
    assert written == [[]]


def test_discarded_ones_count_from_when_they_were_discarded(past: Past) -> None:
    past.delivery(60, "1:c1", Outcome.REFUSED)
    past.delivery(60, "1:c2", Outcome.REFUSED)
    past.set_back(31)
    control(past.store).discard(DeliveryId("crm:1:c1"), "old news")
    past.set_back(29)
    control(past.store).discard(DeliveryId("crm:1:c2"), "old news")
    assert past.sweep() == (1, 0)
    assert past.left() == ["1:c2"]


def test_dead_ones_never_go_without_being_told(past: Past) -> None:
    past.delivery(4000, "1:dead", Outcome.REFUSED)
    quarantined = past.diverted(4000, PayloadStatus.QUARANTINED)
    assert past.sweep() == (0, 0)
    assert past.ledger.delivery(DeliveryId("crm:1:dead")).status is DeliveryStatus.DEAD
    assert past.sweep(dead=5000) == (0, 0)
    assert past.sweep(dead=3999) == (1, 1)
    with pytest.raises(NotFound):
        past.ledger.payload(PayloadId(quarantined))
    assert past.left() == []


@pytest.mark.parametrize("outcome", [None, Outcome.RETRY, Outcome.PAUSED])
def test_what_has_not_ended_never_goes(past: Past, outcome: Outcome | None) -> None:
    past.delivery(4000, "1:on", outcome)
    past.set_back(4000)
    past.store.accept(b"unread")
    assert past.sweep(settled=1, dead=1) == (0, 0)
    assert past.left() == ["1:on"]
    assert past.ledger.payload_counts()["received"] == 1


@pytest.mark.parametrize(
    ("days", "outcome", "goes"),
    [
        (31, Outcome.SKIPPED, True),
        (29, Outcome.DELIVERED, False),
        (60, Outcome.REFUSED, False),
        (60, None, False),
    ],
)
def test_every_delivery_must_be_settled_for_long_enough(
    past: Past, days: float, outcome: Outcome | None, goes: bool
) -> None:
    past.set_back(60)
    past.store.accept(b"body")
    claim = past.store.claim(INBOX, "token")
    assert claim is not None
    past.store.fan_out(claim, ConversationId("1:c1"), ["crm", "desk"])
    past.settle("1:c1", Outcome.DELIVERED)
    past.set_back(days)
    if outcome:
        past.settle("1:c1", outcome, "desk")
    assert past.sweep() == (int(goes), 0)


def nowhere(past: Past, days: float, why: str = "no-route") -> str:
    past.set_back(days)
    past.store.accept(f"{days} {why}".encode())
    [claim] = past.store.claim_bodies(secrets.token_hex(4))
    conversation = f"1:{why}-{days:g}"
    past.store.fan_out_each([Reading(claim, ConversationId(conversation), (), why=why)])
    return conversation


@pytest.mark.parametrize("why", ["", "no-route", "off", "no-connector"])
def test_one_that_was_delivered_nowhere_stays_like_a_dead_letter(past: Past, why: str) -> None:
    nowhere(past, 31, why)
    younger = nowhere(past, 29, why)
    assert past.sweep(settled=1) == (0, 0)
    assert past.ledger.undelivered() == 2
    assert past.sweep(settled=None, dead=30) == (1, 0)
    assert past.left() == [younger]
    assert past.ledger.undelivered() == 1


def test_one_that_was_meant_to_go_nowhere_or_was_discarded_goes_like_a_settled_one(past: Past) -> None:
    nowhere(past, 31, "meant")
    past.set_back(31)
    control(past.store).discard(identified(nowhere(past, 31)), "a test of ours")
    younger = nowhere(past, 29, "meant")
    assert past.ledger.undelivered() == 0
    assert past.sweep(settled=None, dead=1) == (0, 0)
    assert past.sweep() == (2, 0)
    assert past.left() == [younger]


def test_what_another_version_left_undelivered_is_found(past: Past) -> None:
    """A version before this one kept no list of it, and took nothing off the list."""
    lost, meant, delivered = nowhere(past, 1), nowhere(past, 1, "meant"), nowhere(past, 2)
    past.delivery(1, "1:fine", Outcome.DELIVERED)
    client = cast(Any, past.server.client)
    client.delete(key("undelivered"))
    client.zadd(key("undelivered"), {delivered: 1, "1:erased": 1})
    client.sadd(key("deliveries-of", delivered), "crm")
    backfill = Backfill(connect(past.server.url, wake_up=past.woken.append), made.configured)
    assert backfill.recount() == 3
    assert [one.decode() for one in client.zrange(key("undelivered"), 0, -1)] == [lost]
    assert backfill.recount() == 0
    assert meant != lost


def test_reports_and_discarded_bodies_go_like_settled_ones(past: Past) -> None:
    for status in (PayloadStatus.SET_ASIDE, PayloadStatus.DISCARDED):
        past.diverted(31, status)
        past.diverted(29, status)
    assert past.sweep() == (0, 2)
    assert past.sweep(settled=None) == (0, 0)
    counts = past.ledger.payload_counts()
    assert (counts["set-aside"], counts["discarded"]) == (1, 1)


@pytest.mark.parametrize("status", [PayloadStatus.QUARANTINED, PayloadStatus.DISCARDED])
def test_a_body_counts_from_when_it_was_put_where_it_is(past: Past, status: PayloadStatus) -> None:
    payload = past.diverted(60, PayloadStatus.QUARANTINED)
    past.set_back(29)
    if status is PayloadStatus.DISCARDED:
        control(past.store).discard(identified(payload), "because")
    else:
        control(past.store).replay(PayloadId(payload))
        past.store.divert(PayloadId(payload), status, "why")
    assert past.sweep(dead=30) == (0, 0)
    assert past.sweep(settled=28, dead=28) == (0, 1)


def test_null_keeps_everything(past: Past) -> None:
    past.delivery(4000, "1:c1", Outcome.DELIVERED)
    past.diverted(4000, PayloadStatus.SET_ASIDE)
    assert past.sweep(settled=None) == (0, 0)


def test_settled_ones_stay_when_only_dead_ones_are_to_go(past: Past) -> None:
    past.delivery(60, "1:c1", Outcome.DELIVERED)
    past.delivery(60, "1:c2", Outcome.REFUSED)
    assert past.sweep(settled=None, dead=30) == (1, 0)
    assert past.left() == ["1:c1"]


def test_a_revision_that_could_not_be_read_again_is_kept_like_a_quarantined_body(past: Past) -> None:
    payload = past.delivery(60, "1:c1", Outcome.DELIVERED)
    control(past.store).replay(PayloadId(payload))
    assert past.sweep() == (0, 0)  # it waits in the inbox
    claim = past.store.claim(INBOX, "again")
    assert claim is not None
    past.store.divert(PayloadId(payload), PayloadStatus.QUARANTINED, "another account", token=claim.token)
    assert past.sweep() == (0, 0)
    assert past.sweep(dead=30) == (1, 0)


def test_a_newer_revision_keeps_the_older_ones(past: Past) -> None:
    past.delivery(60, "1:c1", Outcome.DELIVERED)
    past.delivery(1, "1:c1", Outcome.DELIVERED)
    assert past.sweep() == (0, 0)
    assert len(past.ledger.conversation(ConversationId("1:c1")).payloads) == 2


def test_after_a_sweep_statistics_are_the_same_and_a_body_that_comes_again_is_new(past: Past) -> None:
    client = connect(past.server.url)
    past.delivery(31, "1:c1", Outcome.DELIVERED)
    then = past.clock.now
    before = statistics(client, "day", then)
    assert before.connectors["crm"].delivered == 1
    assert past.store.accept(b"1:c1 crm 31").known
    assert past.sweep() == (1, 0)
    assert statistics(client, "day", then).connectors == before.connectors
    assert past.ledger.connectors() == ["crm"]
    assert not past.store.accept(b"1:c1 crm 31").known


def test_a_sweep_leaves_no_key_of_what_went(past: Past) -> None:
    past.delivery(31, "1:c1", Outcome.DELIVERED)
    past.diverted(31, PayloadStatus.SET_ASIDE)
    past.sweep()
    mine = {name.decode().split(":")[1] for name in past.server.client.scan_iter("relay:*")}
    # "rewrite" when the server was at it already: a worker asks again.
    assert mine <= {"connectors", "count", "totals", "sequence", "knock", "rewritten", "rewrite", "epoch"}


def test_an_attempt_that_goes_on_is_left_alone(past: Past) -> None:
    past.delivery(60, "1:c1", Outcome.DELIVERED)
    control(past.store).replay(DeliveryId("crm:1:c1"))
    past.set_back(0)
    claim = past.store.claim("crm", "now")
    assert claim is not None
    assert past.sweep(settled=0.001, dead=0.001) == (0, 0)
    assert past.store.renew([claim]) == 1


def many(past: Past, number: int, days: float, outcome: Outcome) -> None:
    """As if they had come: one of each kind of key that a sweep looks at, made in bulk."""
    past.set_back(days)
    client, now = past.server.client, past.clock.now
    status = "delivered" if outcome is Outcome.DELIVERED else "dead"
    pipe = client.pipeline(transaction=False)
    for index in range(number):
        # Many in the same millisecond, as after an import.
        conversation, payload, at = f"1:{status}{index:06}", f"{status}{index:06}", now + index // 700
        pipe.hset(
            f"relay:payload:{payload}", mapping={"status": "routed", "received": at, "conversation": conversation}
        )
        pipe.zadd("relay:payloads:routed", {payload: at})
        pipe.set(f"relay:raw:{payload}", b"x" * 2000)
        pipe.zadd("relay:conversations", {conversation: at})
        pipe.zadd(f"relay:revisions:{conversation}", {payload: index})
        pipe.sadd(f"relay:deliveries-of:{conversation}", "crm")
        pipe.hset(
            f"relay:delivery:crm:{conversation}",
            mapping={"connector": "crm", "conversation": conversation, "status": status, "updated": at, "created": at},
        )
        pipe.zadd(f"relay:deliveries:crm:{status}", {f"crm:{conversation}": at})
        if index % 1000 == 0:
            pipe.execute()
    pipe.execute()


def test_a_sweep_over_many_blocks_nobody_and_looks_at_each_once(past: Past) -> None:
    many(past, 5_000, 40, Outcome.REFUSED)
    many(past, 5_000, 35, Outcome.DELIVERED)
    client = past.server.client
    client.config_set("slowlog-log-slower-than", "5000")
    client.config_set("slowlog-max-len", "1000")
    Eraser(connect(past.server.url)).settled([ConversationId("the server"), ConversationId("knows the script")], 0, 0)
    client.slowlog_reset()
    client.config_resetstat()
    assert past.sweep() == (5_000, 0)
    # Besides there is the turn, and it is asked for open jobs, which is no script.
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 10_001
    # A machine that is busy with other things may stop any of them for a moment.
    assert len([entry for entry in client.slowlog_get(1_000) if b"EVAL" in entry["command"].upper()]) < 100
    assert client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"] < 1_000
    assert client.zcard("relay:conversations") == 5_000
    assert past.sweep() == (0, 0)


def test_those_that_stay_are_passed_once_even_when_all_came_in_one_millisecond(server: Server) -> None:
    server.client.zadd("relay:conversations", {f"1:{index}": 5 for index in range(1_000)})
    seen = [one for part in islice(Eraser(connect(server.url)).old(6), 100) for one in part]
    assert len(seen) == len(set(seen)) == 1_000


def test_those_that_go_meanwhile_hide_none_that_stay(server: Server) -> None:
    server.client.zadd("relay:conversations", {f"1:{index:04}": index // 300 for index in range(1_000)})
    seen = []
    for part in Eraser(connect(server.url)).old(100):
        seen += part
        server.client.zrem("relay:conversations", *part[::3], *part[1::3])
    assert len(seen) == len(set(seen)) == 1_000


def test_a_sweep_stops_when_its_worker_does(past: Past) -> None:
    many(past, 300, 40, Outcome.DELIVERED)
    past.stopping.set()
    assert past.sweep() == (PART, 0)


def test_a_bulk_job_is_worked_on_during_a_sweep(past: Past) -> None:
    many(past, 300, 40, Outcome.DELIVERED)
    past.delivery(1, "1:dead", Outcome.REFUSED)
    job = Jobs(connect(past.server.url, wake_up=past.woken.append), made.configured).start(
        "replay", Filter(status=DeliveryStatus.DEAD)
    )
    chores = past.chores
    past.retention = Retention()
    assert chores.sweep() == (300, 0)
    assert Jobs(connect(past.server.url, wake_up=past.woken.append), made.configured).get(job.id).finished
    assert past.ledger.delivery(DeliveryId("crm:1:dead")).status is DeliveryStatus.WAITING


def test_the_append_only_file_is_rewritten_after_a_sweep_once_a_day(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def rewrite(self: Eraser) -> Rewrite:
        asked.append("x")
        return Rewrite.BEGUN

    monkeypatch.setattr(Eraser, "rewrite", rewrite)
    past.sweep()
    assert asked == []
    for number in range(2):
        past.delivery(40, f"1:c{number}", Outcome.DELIVERED)
        past.sweep()
    assert asked == ["x"]
    assert 86_000 < past.server.client.ttl("relay:rewritten") <= 86_400


def test_an_open_job_is_finished_by_the_workers(past: Past) -> None:
    for number in range(5):
        past.delivery(1, f"1:c{number}", Outcome.REFUSED)
    jobs = Jobs(connect(past.server.url, wake_up=past.woken.append), made.configured)
    job = jobs.start("discard", Filter(status=DeliveryStatus.DEAD), reason="a test of ours")
    past.chores.work_on_jobs()
    assert jobs.get(job.id).done == 5
    assert jobs.open() == []
    assert past.ledger.delivery(DeliveryId("crm:1:c0")).error == "a test of ours"


def test_a_job_that_was_erased_meanwhile_stops_nobody(past: Past) -> None:
    jobs = Jobs(connect(past.server.url, wake_up=past.woken.append), made.configured)
    gone, there = (jobs.start("replay", Filter()) for _ in range(2))
    past.server.client.delete(f"relay:job:{gone.id}")
    past.server.client.delete("relay:chore")
    past.chores.work_on_jobs()
    past.server.client.delete("relay:chore")
    past.chores.work_on_jobs()
    assert jobs.get(there.id).finished


def logged(relay: Stack, text: str) -> Callable[[], bool]:
    return lambda: text in relay.logs()


def test_a_running_worker_sweeps_by_the_retention_of_its_configuration(relay: Stack) -> None:
    relay.web()
    relay.configure("connectors: {archive: {type: archive}}\nretention: {settled_days: 0.00001}")
    assert relay.post(chat("c1")).ok
    worker = relay.worker()
    until(lambda: relay.ledger.lane("archive").counts["delivered"], what="the delivery")

    def swept() -> bool:
        relay.server.client.delete("relay:sweep")  # as an hour later
        return not relay.server.client.exists("relay:revisions:1:c1")

    until(swept, what="the sweep")
    assert (relay.data / "archive" / "1" / "c1" / "r1.json").exists()
    until(logged(relay, "retention: removed old data"), what="a line in the log")
    assert worker.poll() is None


def test_files_that_waited_too_long_go_from_this_machine_once_an_hour(server: Server, tmp_path: Path) -> None:
    client = connect(server.url)
    chores = Chores(client, Store(client), made.configured, threading.Event(), tmp_path)
    server.client.zadd("relay:revisions:208:co1", {"p1": 1})
    files = [WaitingFiles(tmp_path, ConversationId("208:co1")).place(f"0000000{n}", "desk") for n in range(3)]
    for file in files[:2]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    os.utime(files[0], (1, 1))
    chores.sweep_disk()
    assert [file.exists() for file in files] == [False, True, False]
    files[2].write_bytes(b"x")
    os.utime(files[2], (1, 1))
    chores.sweep_disk()
    assert files[2].exists(), "an hour has not gone by"


def test_files_of_a_chat_that_another_machine_erased_go_from_this_one(server: Server, tmp_path: Path) -> None:
    client = connect(server.url)
    chores = Chores(client, Store(client), made.configured, threading.Event(), tmp_path)
    server.client.zadd("relay:revisions:208:co1", {"p1": 1})
    kept, erased = (WaitingFiles(tmp_path, ConversationId(f"208:co{n}")).place("00000001", "desk") for n in (1, 2))
    for file in (kept, erased):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
    chores.sweep_disk()
    assert kept.exists()
    assert not erased.exists()
