"""A connector gets another name, and everything of its own follows: on a real server, whoever dies in between."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.delivery import DeliveryStatus, Outcome
from core.ids import NO_DELIVERY, ConversationId, DeliveryId, identified
from core.smartsupp.parser import parse_conversation
from core.store import (
    INBOX,
    Aim,
    Backfill,
    Claim,
    Filter,
    Jobs,
    Ledger,
    Renames,
    Store,
    StoredState,
    connect,
    statistics,
)
from core.store.incidents import Incident, Incidents
from core.store.jobs import ADOPTED_MS
from core.store.protocol.constants import LEASE_MS
from core.store.protocol.keys import key
from core.summary import line
from tests.conftest import Clock
from tests.store.test_store_model import DUMP
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat

OLD = made.settings("old", "desk")
NEW = made.settings("new", "desk", formerly={"new": ["old"]})
LEASE = LEASE_MS / 1000


@pytest.fixture
def names(server: Server, clock: Clock) -> Renames:
    return Renames(connect(server.url), clock)


def finish(names: Renames) -> None:
    names.finish(60)
    assert names.unfinished() == []


def mentions(server: Server, word: str = "old") -> list[str]:
    """Everything in the store that names a connector, but the note that it is renamed."""
    dump: Any = server.client.eval(DUMP, 0, key(""))
    rest = {name.decode(): str(value) for name, _, value in dump if not name.startswith(b"renamed")}
    named = re.compile(rf"\b{word}\b")
    return [name for name, value in rest.items() if named.search(name) or named.search(value)]


def claim(store: Store, lane: str) -> Claim:
    found = store.claim(lane, secrets.token_hex(8))
    assert found
    return found


def test_deliveries_of_every_kind_go_on_under_the_new_name(
    server: Server, store: Store, ledger: Ledger, names: Renames
) -> None:
    for number, outcome in enumerate((None, Outcome.RETRY, Outcome.REFUSED, Outcome.DELIVERED, Outcome.SKIPPED), 1):
        made.chats(store, 1, first=number, old=outcome)
    started = made.claimed(store, "old", made.conversation(store, chat(6), old=None))
    store.remember(started, "ticket", 42)
    made.settle(store, started, Outcome.RETRY)
    control(store).discard(identified(f"old:{made.conversation(store, chat(7), old=None)}"), "enough")
    before = {one.conversation: one for one in ledger.deliveries(connector="old")}
    dues = {one.conversation: one.due for one in before.values()}
    assert names.adopt(NEW) == [("old", "new")]
    assert names.adopt(NEW) == []
    finish(names)
    assert mentions(server) == []
    assert ledger.connectors() == ["new"]
    after = {one.conversation: one for one in ledger.deliveries(connector="new")}
    assert {name: replace(one, id=NO_DELIVERY, connector="") for name, one in after.items()} == {
        name: replace(one, id=NO_DELIVERY, connector="") for name, one in before.items()
    }
    assert {one.conversation: one.due for one in after.values()} == dues
    story = ledger.delivery(DeliveryId(f"new:{started.conversation}"))
    assert (story.steps, [one.outcome for one in story.attempts]) == ({"ticket": 42}, ["retry"])
    assert [one.id for one in ledger.conversation(started.conversation).deliveries] == [f"new:{started.conversation}"]


def test_pause_limits_suspicion_and_circuit_follow_at_once(server: Server, store: Store, names: Renames) -> None:
    redis: Any = server.client
    made.chats(store, 1, old=None)
    redis.hset(key("gate", "old"), mapping={"since": 5, "reason": "no", "by": "relay", "caused": '["old:1:1"]'})
    redis.hset(key("pace", "old"), mapping={"slow": 4})
    redis.hset(key("circuit", "old"), mapping={"outages": 3, "last": "old:1:1"})
    redis.set(key("suspect", "old"), "old:1:1", px=60_000)
    names.adopt(NEW)
    assert redis.hgetall(key("gate", "new")) == {
        b"since": b"5", b"reason": b"no", b"by": b"relay", b"caused": b'["new:1:1"]',
    }  # fmt: skip
    assert redis.hget(key("pace", "new"), "slow") == b"4"
    assert redis.hget(key("circuit", "new"), "last") == b"new:1:1"
    assert redis.get(key("suspect", "new")) == b"new:1:1"
    assert 0 < redis.pttl(key("suspect", "new")) <= 60_000
    finish(names)
    assert mentions(server) == []


def test_a_token_follows_at_once_and_nobody_has_to_log_in_again(server: Server, names: Renames) -> None:
    old = StoredState(connect(server.url), "old")
    old.take_token("client", 0, "a", 30_000)
    old.keep_token("client", 0, "a", b"first")
    names.adopt(NEW)
    new = StoredState(connect(server.url), "new")
    assert new.take_token("client", 0, "b", 30_000).kept == b"first"
    # Who has the old file still renews the same one.
    assert old.take_token("client", 1, "a", 30_000).what == "renew"
    assert new.take_token("client", 1, "b", 30_000).what == "busy"
    old.keep_token("client", 1, "a", b"second")
    assert new.take_token("client", 1, "b", 30_000).kept == b"second"
    finish(names)
    assert mentions(server) == []


@pytest.mark.parametrize(("old", "new", "stands"), [("admin", "breaker", "old"), ("relay", "admin", "new")])
def test_of_two_pauses_the_one_that_a_person_wants_stands(
    server: Server, store: Store, ledger: Ledger, names: Renames, old: str, new: str, stands: str
) -> None:
    made.chats(store, 1, old=None)
    for name, by in (("old", old), ("new", new)):
        server.client.hset(key("gate", name), mapping={"since": 5, "reason": name, "by": by})
    names.adopt(NEW)
    gate = ledger.lane("new").gate
    assert gate
    assert (gate.by, gate.reason) == ("admin", stands)
    assert ledger.lane("old").gate is None


def test_statistics_and_incidents_follow(server: Server, store: Store, clock: Clock, names: Renames) -> None:
    made.chats(store, 3, old=Outcome.DELIVERED)
    made.chats(store, 1, first=9, old=Outcome.REFUSED)
    server.client.hset(key("totals"), "out:old-2:delivered", 7)  # one whose name begins the same
    incidents = Incidents(connect(server.url), clock)
    incidents.compare([Incident("paused", "old", clock.now, 1)], ["email"])
    figures = statistics(connect(server.url), "day", clock.now).connectors["old"]
    names.adopt(NEW)
    finish(names)
    found = statistics(connect(server.url), "day", clock.now).connectors
    assert found["new"] == figures
    assert (found["new"].delivered, found["new"].dead) == (3, 1)
    assert server.client.hget(key("totals"), "out:old-2:delivered") == b"7"
    clock.pass_by(3600)
    assert incidents.compare([Incident("paused", "new", clock.now, 1)], ["email"]) == 0  # neither over nor begun anew
    assert incidents.waiting("email") == 1


def test_what_is_worked_on_ends_under_the_old_name_and_follows_then(
    store: Store, ledger: Ledger, names: Renames
) -> None:
    made.chats(store, 3, old=None)
    held = claim(store, "old")
    names.adopt(NEW)
    assert store.claim("old", "t") is None  # nobody begins anything under it
    assert names.finish(60) == []
    assert [one.id for one in ledger.deliveries(connector="old")] == [held.id]
    assert store.renew([held]) == 1
    store.remember(held, "ticket", 42)
    made.settle(store, held, Outcome.RETRY, delay_ms=0)
    assert names.finish(60) == [("old", "new")]
    assert {claim(store, "new").conversation for _ in range(3)} == {"1:1", "1:2", "1:3"}
    assert ledger.delivery(DeliveryId(f"new:{held.conversation}")).steps == {"ticket": 42}


def test_whose_worker_died_has_a_crash_under_the_new_name(store: Store, clock: Clock, names: Renames) -> None:
    made.chats(store, 1, old=None)
    held = claim(store, "old")
    names.adopt(NEW)
    clock.pass_by(LEASE + 1)
    finish(names)
    assert store.renew([held]) == 0
    found = claim(store, "new")
    assert (found.conversation, found.crashes) == (held.conversation, 1)


def test_a_revision_that_comes_meanwhile_is_no_second_delivery(store: Store, ledger: Ledger, names: Renames) -> None:
    made.chats(store, 2, old=None)
    held = claim(store, "old")
    names.adopt(NEW)
    for number in (1, 2):  # one of them is in flight, and was not moved; the other follows at once
        made.conversation(store, chat(number) + b" ", new=None, desk=None)
        of = [one.connector for one in ledger.conversation(ConversationId(f"1:{number}")).deliveries]
        assert of == sorted(["desk", "old" if held.conversation == f"1:{number}" else "new"])
    made.settle(store, held, Outcome.DELIVERED)
    finish(names)
    found = [claim(store, "new") for _ in range(2)]
    assert [one.revision for one in found] == [2, 2]
    assert ledger.delivery(DeliveryId(f"new:{held.conversation}")).reference


def test_a_worker_that_has_the_old_file_gives_to_the_new_name(store: Store, ledger: Ledger, names: Renames) -> None:
    names.adopt(NEW)
    assert names.keep(OLD) == {"old"}
    made.chats(store, 1, old=None)
    assert ledger.connectors() == ["new"]
    assert claim(store, "new").conversation == "1:1"


def test_past_chats_are_not_given_to_the_new_name_once_more(
    server: Server, store: Store, ledger: Ledger, clock: Clock
) -> None:
    made.chats(store, 3, old=Outcome.DELIVERED)
    backfill = Backfill(connect(server.url), lambda: NEW)
    assert backfill.count(Filter(), Aim("new"), 60).due == 0
    assert backfill.one(ConversationId("1:1"), Aim("new", repeat=True)).connectors == ("new",)
    assert ledger.lane("new").counts["waiting"] == 1
    jobs = Jobs(connect(server.url), lambda: NEW)
    job = jobs.start("replay", Filter(connector="new", status=DeliveryStatus.DELIVERED))
    assert jobs.advance(job.id, 60).done == job.total == 2
    assert ledger.lane("new").counts["waiting"] == 3


def test_a_bulk_job_that_has_begun_goes_on(
    server: Server, store: Store, ledger: Ledger, names: Renames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.jobs._PART", 2)
    made.chats(store, 9, old=Outcome.REFUSED)
    made.chats(store, 9, first=20, desk=Outcome.REFUSED)
    jobs = Jobs(connect(server.url), lambda: OLD)
    mine = jobs.start("replay", Filter(connector="old", status=DeliveryStatus.DEAD))
    every = jobs.start("replay", Filter(status=DeliveryStatus.DEAD))
    jobs.advance(mine.id, 0)
    jobs.advance(every.id, 0)
    names.adopt(NEW)
    after = Jobs(connect(server.url), lambda: NEW)
    # Until each worker has adopted the new file, it waits.
    assert after.advance(mine.id, 0).done == jobs.get(mine.id).done
    later = after.now() + ADOPTED_MS
    monkeypatch.setattr(after, "now", lambda: later)
    for job in (mine, every):
        while after.advance(job.id, 0).finished is None:
            pass
    assert ledger.lane("new").counts["dead"] == ledger.lane("desk").counts["dead"] == 0
    assert after.get(mine.id).filter.connector == "new"
    assert after.get(mine.id).done + after.get(every.id).done == 18


def test_an_old_id_is_understood_by_replay_and_discard(store: Store, ledger: Ledger, names: Renames) -> None:
    made.chats(store, 2, old=Outcome.REFUSED)
    names.adopt(NEW)
    finish(names)
    assert control(store).replay(DeliveryId("old:1:1")) == "new"
    control(store).discard(identified("old:1:2"), "enough")
    assert ledger.lane("new").counts["discarded"] == 1


def test_a_name_belongs_to_another_connector_a_minute_after_nobody_says_otherwise(
    store: Store, ledger: Ledger, clock: Clock, names: Renames
) -> None:
    names.adopt(NEW)
    made.chats(store, 1, new=Outcome.DELIVERED)
    both = made.settings("old", "new")
    assert names.adopt(both) == []
    assert names.keep(both) == {"old"}
    clock.pass_by(50)
    names.keep(NEW)  # a worker that still has it
    clock.pass_by(50)
    assert names.keep(both) == {"old"}
    clock.pass_by(20)
    assert names.keep(both) == set()
    made.chats(store, 1, first=5, old=None)
    assert claim(store, "old").conversation == "1:5"
    assert ledger.lane("new").counts["delivered"] == 1


def test_a_renaming_is_taken_back_and_goes_on_in_a_row(store: Store, ledger: Ledger, names: Renames) -> None:
    made.chats(store, 2, old=None)
    names.adopt(NEW)
    finish(names)
    names.adopt(made.settings("old", formerly={"old": ["new"]}))
    finish(names)
    assert ledger.connectors() == ["old"]
    names.adopt(made.settings("third", formerly={"third": ["old", "new"]}))
    finish(names)
    made.chats(store, 1, first=7, new=None)
    assert ledger.connectors() == ["third"]
    assert {claim(store, "third").conversation for _ in range(3)} == {"1:1", "1:2", "1:7"}


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        (Outcome.DELIVERED, None, "old"),
        (None, Outcome.DELIVERED, "new"),
        (Outcome.REFUSED, Outcome.DELIVERED, "new"),
        (Outcome.DELIVERED, Outcome.DELIVERED, "new"),  # it was changed last
    ],
)
def test_of_two_deliveries_of_one_chat_the_one_with_a_record_stays_and_nothing_that_waits_is_lost(
    store: Store, ledger: Ledger, clock: Clock, names: Renames, old: Outcome | None, new: Outcome | None, stays: str
) -> None:
    """Somebody gave it another name first, and wrote `formerly` later."""
    [chat_id] = made.chats(store, 1, old=None)
    if old:
        held = made.claimed(store, "old", chat_id)
        store.remember(held, "ticket", "old")
        made.settle(store, held, old)
    clock.pass_by(1)
    made.conversation(store, chat(1) + b" ", new=None)
    if new:
        held = made.claimed(store, "new", chat_id)
        store.remember(held, "ticket", "new")
        made.settle(store, held, new)
    names.adopt(NEW)
    finish(names)
    [found] = ledger.conversation(ConversationId(chat_id)).deliveries
    assert ledger.delivery(found.id).steps == {"ticket": stays}
    assert claim(store, "new").revision == 2


def test_whoever_dies_in_the_middle_of_moving_is_followed_by_another(
    server: Server, store: Store, ledger: Ledger, names: Renames, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.chats(store, 10, old=None)
    names.adopt(NEW)
    monkeypatch.setattr("core.store.renames._MANY", 3)
    assert not names.move(0)  # one step, and then it is killed
    assert ledger.lane("new").waiting == 3
    assert ledger.lane("old").waiting == 7
    assert claim(store, "new").conversation  # the workers go on with what is there
    finish(Renames(connect(server.url)))
    assert ledger.lane("new").waiting + ledger.lane("new").in_flight == 10
    assert mentions(server) == []


class Fleet:
    """Workers with the old file and with the new one, and what the destination got."""

    def __init__(self, server: Server) -> None:
        server.empty()
        self.server, self.clock = server, Clock(server)
        self.clock.pass_by(0)
        client = connect(server.url)
        self.store, self.names, self.ledger = Store(client, self.clock), Renames(client, self.clock), Ledger(client)
        self.settings = {"a": OLD, "b": OLD}
        self.held: dict[str, list[Claim]] = {"a": [], "b": []}
        self.revisions: dict[str, int] = {}
        self.records: dict[str, list[int]] = {}

    def lane(self, worker: str) -> str:
        return next(iter(self.settings[worker].connectors))

    def take_in(self, worker: str, number: int) -> None:
        revision = self.revisions[f"1:{number}"] = self.revisions.get(f"1:{number}", 0) + 1
        self.store.accept(chat(number) + b" " * revision)
        for claim in self.store.claim_bodies(secrets.token_hex(4)):
            parsed = parse_conversation(claim.body)
            self.store.fan_out(claim, parsed.key, [self.lane(worker)], summary=line(parsed))

    def reload(self, worker: str) -> None:
        self.names.adopt(NEW)
        self.settings[worker] = NEW

    def begin(self, worker: str, _: int) -> None:
        if claim := self.store.claim(self.lane(worker), secrets.token_hex(4)):
            at_work = [one.conversation for held in self.held.values() for one in held]
            assert claim.conversation not in at_work, "two at one chat"
            self.held[worker].append(claim)

    def end(self, worker: str, kind: int) -> None:
        if not self.held[worker]:
            return
        claim = self.held[worker].pop(0)
        if "ticket" not in claim.steps:  # a record is made once, and noted
            self.records.setdefault(claim.conversation, []).append(claim.revision)
            self.store.remember(claim, "ticket", len(self.records[claim.conversation]))
        outcome = (Outcome.DELIVERED, Outcome.RETRY, Outcome.REFUSED)[kind % 3]
        made.settle(self.store, claim, outcome, delay_ms=0)

    def look_after(self, worker: str, _: int) -> None:
        self.names.keep(self.settings[worker])
        self.names.move(0)


steps = st.lists(
    st.tuples(
        st.sampled_from(("take_in", "take_in", "begin", "begin", "end", "end", "reload", "look_after")),
        st.sampled_from(("a", "b")),
        st.integers(0, 4),
    ),
    min_size=5,
    max_size=60,
)


@hypothesis_settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_workers_that_reload_at_different_moments_make_one_record_of_each_chat(
    server: Server, plan: list[tuple[str, str, int]]
) -> None:
    fleet = Fleet(server)
    for what, worker, number in plan:
        if what == "reload":
            fleet.reload(worker)
        else:
            getattr(fleet, what)(worker, number)
    for worker in ("a", "b"):
        fleet.reload(worker)
        while fleet.held[worker]:
            fleet.end(worker, 0)
    finish(fleet.names)
    for one in fleet.ledger.deliveries(limit=100):
        if one.status == "dead":
            control(fleet.store).replay(one.id)
    while found := fleet.store.claim("new", secrets.token_hex(4)):
        fleet.held["a"].append(found)
        fleet.end("a", 0)
    assert {name: len(made) for name, made in fleet.records.items()} == dict.fromkeys(fleet.revisions, 1)
    delivered = {one.conversation: one.revision for one in fleet.ledger.deliveries(limit=100)}
    assert delivered == fleet.revisions
    assert mentions(server) == []
    assert fleet.ledger.lane(INBOX).waiting == 0
