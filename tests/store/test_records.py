"""What a newer version keeps, this one reads: in the ledger, on the pages, on the command line, in alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from core.delivery import Attempt, DeliveryStatus, Outcome, PayloadStatus
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store import Filter, Jobs, Ledger, Search, Store, connect
from core.store.causes import Causes
from core.store.incidents import Incident, Incidents
from core.store.protocol.keys import key
from core.store.protocol.records import from_json, from_record, word
from tests.support import made
from tests.support.admin import admin
from tests.support.command_line import CommandLine
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat
from workers.alerts.messages import written

#: A word and a field that no version has had.
NEW = "half-done"


class Newer:
    """Records of a version that keeps more than this one."""

    def __init__(self, server: Server, store: Store) -> None:
        self.redis = cast(Any, server.client)
        self.conversation = made.conversation(store, chat(1), archive=Outcome.REFUSED, crm=Outcome.DELIVERED)
        self.delivery = f"archive:{self.conversation}"
        store.accept(b"{")
        [body] = store.claim_bodies("token")
        store.divert(body.payload, PayloadStatus.QUARANTINED, "no JSON", token=body.token)
        self.body = body.id
        control(store).pause("crm", "why not")
        job = Jobs(connect(server.url), made.configured).start("discard", Filter(connector="archive"), reason="why not")
        self.job = job.id
        incidents = Incidents(connect(server.url))
        incidents.compare([Incident("dead", "archive", 1, 1), Incident("paused", "crm", 1, 1)], ["email"])

        for name in ("payload", "delivery", "gate", "job"):
            for one in self.redis.keys(key(name, "*")):
                self.redis.hset(one, NEW, NEW)
        for one in self.redis.keys(key("attempts", "*")):
            self.changed(one, lambda kept: {**kept, NEW: {NEW: [1]}, "requests": [{**kept["requests"][0], NEW: 1}]})
        self.changed(key("attempts", self.delivery), lambda kept: kept | {"outcome": NEW})
        self.changed(key("notices", "email"), lambda kept: kept | {NEW: NEW})
        for one in self.redis.hkeys(key("incidents")):
            kept = json.loads(self.redis.hget(key("incidents"), one))
            self.redis.hset(key("incidents"), one, json.dumps(kept | {NEW: NEW}))
        for one, about in self.redis.hgetall(key("cause", "archive")).items():
            self.redis.hset(key("cause", "archive"), one, json.dumps(json.loads(about) | {NEW: NEW, "outcome": NEW}))
        tags, shown, searched = self.redis.get(key("summary", self.conversation)).split(b"\n")
        more = json.dumps(json.loads(shown) | {NEW: NEW}).encode()
        self.redis.set(key("summary", self.conversation), b"\n".join((tags, more, searched)))

    def changed(self, name: str | bytes, change: Any) -> None:
        """Every record of a list."""
        for index, kept in enumerate(self.redis.lrange(name, 0, -1)):
            self.redis.lset(name, index, json.dumps(change(json.loads(kept))))

    def status(self, record: str, identity: str, status: str) -> None:
        """As a newer version comes to a status of its own: with a place in that one's list."""
        before = self.redis.hget(key(record, identity), "status").decode()
        plural = "payloads" if record == "payload" else f"deliveries:{identity.split(':', maxsplit=1)[0]}"
        score = self.redis.zscore(key(plural, before), identity)
        self.redis.zrem(key(plural, before), identity)
        self.redis.zadd(key(plural, status), {identity: score})
        self.redis.hset(key(record, identity), "status", status)


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def newer(server: Server, store: Store) -> Newer:
    return Newer(server, store)


@pytest.fixture(params=["fields", "statuses"])
def kept(request: pytest.FixtureRequest, newer: Newer) -> Newer:
    """With unknown fields alone, and with unknown statuses as well."""
    if request.param == "statuses":
        newer.status("payload", newer.body, NEW)
        newer.status("delivery", newer.delivery, NEW)
        newer.redis.hset(key("gate", "crm"), "by", NEW)
    return newer


def test_the_ledger_reads_it(kept: Newer, ledger: Ledger) -> None:
    [last] = ledger.delivery(DeliveryId(kept.delivery)).attempts
    assert last.outcome == NEW
    assert last.outcome not in tuple(Outcome)
    assert last.requests[0].method == "POST"
    [cause] = Causes(ledger._redis).most_frequent(["archive"]).rows
    assert cause.cause
    assert cause.cause.outcome == NEW
    assert ledger.payload(PayloadId(kept.body)).error == "no JSON"
    found = ledger.conversation(ConversationId(kept.conversation))
    assert {one.connector for one in found.deliveries} == {"archive", "crm"}
    assert ledger.newest([ConversationId(kept.conversation)])[0].id == kept.conversation
    gate = ledger.lane("crm").gate
    assert gate
    assert gate.reason == "why not"
    search = Search(ledger._redis)
    assert [row.id for row in search.page(Filter(text="ann")).rows] == [kept.conversation]
    [(_, delivered)] = search.deliveries([ConversationId(kept.conversation)]).items()
    assert set(delivered) == {"archive", "crm"}


def test_the_pages_show_it(kept: Newer, server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path, config="connectors: {archive: {type: archive}, crm: {type: archive}}")
    for path in (
        "/",
        "/conversations",
        "/conversations?connector=archive",
        f"/conversations/{kept.conversation}",
        f"/conversations/{kept.conversation}/deliveries",
        "/connectors",
        "/connectors/crm",
        "/connectors/archive",
        "/quarantine",
        f"/quarantine/{kept.body}",
        "/conversations/jobs",
        f"/conversations/jobs/{kept.job}",
        "/erase?visitor=ann@example.com",
    ):
        answer = page.get(path)
        assert answer.status_code in (200, 302, 303), (path, answer.text)
    assert NEW in page.get(f"/conversations/{kept.conversation}").text.lower()


def test_the_command_line_prints_it(kept: Newer, server: Server, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path, server)
    assert NEW in cli.run("show", kept.delivery)
    for command in (
        ("status",),
        ("show", kept.conversation),
        ("show", kept.body),
        ("deliveries",),
        ("payloads",),
        ("jobs",),
        ("dead", "list"),
    ):
        cli.run(*command)
        cli.json(*command)


def test_alerts_are_read_and_put_into_words(newer: Newer, server: Server) -> None:
    incidents = Incidents(connect(server.url))
    newer.changed(key("notices", "email"), lambda kept: kept | {"kind": NEW} if kept["subject"] == "crm" else kept)
    found = []
    while notice := incidents.next("email"):
        found.append(written(notice, "https://relay.example.com"))
        incidents.sent(notice)
    assert len(found) == 2
    assert NEW in found[1].title
    assert incidents.compare([], ["email"], calm_ms=0) == 2  # what is over is said with the fields of before


def test_a_newer_status_is_replaced_like_any_other(newer: Newer, store: Store, ledger: Ledger) -> None:
    newer.status("delivery", newer.delivery, NEW)
    control(store).replay(DeliveryId(newer.delivery))
    assert ledger.delivery(DeliveryId(newer.delivery)).status is DeliveryStatus.WAITING
    assert newer.redis.zcard(key("deliveries", "archive", NEW)) == 0


@pytest.mark.parametrize(
    "change",
    [{"kind": NEW}, {"filter": json.dumps({NEW: "only these"})}, {"filter": json.dumps({"status": NEW})}],
)
def test_a_job_with_a_condition_that_is_unknown_is_left_to_the_version_that_knows_it(
    newer: Newer, server: Server, change: dict[str, str]
) -> None:
    jobs = Jobs(connect(server.url), made.configured)
    assert jobs.open() == [newer.job]
    newer.redis.hset(key("job", newer.job), mapping=change)
    assert jobs.open() == []
    assert jobs.advance(newer.job).seen == 0
    assert newer.redis.sismember(key("jobs", "open"), newer.job)


def test_an_older_record_has_the_defaults_of_what_it_is_without() -> None:
    found = from_json(Attempt, '{"at": 1, "ms": 2, "outcome": "retry", "revision": 1}')
    assert found == Attempt(1, 2, Outcome.RETRY, 1)
    assert found.outcome is Outcome.RETRY
    assert from_record(Attempt, {}) == Attempt(0, 0, word(Outcome, ""), 0)


def test_an_unknown_word_is_its_text() -> None:
    found = word(DeliveryStatus, NEW)
    assert (str(found), f"{found}", found.value, json.dumps(found)) == (NEW, NEW, NEW, f'"{NEW}"')
    assert found == NEW
    assert found not in tuple(DeliveryStatus)
    assert word(DeliveryStatus, "dead") is DeliveryStatus.DEAD
