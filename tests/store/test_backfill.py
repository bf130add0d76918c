"""What was not delivered anywhere, and past chats for a connector that came later. On a real server."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import pytest

from core.config.settings import ConnectorSettings, Route, Settings
from core.delivery import Nowhere, Outcome
from core.errors import InUse
from core.ids import ConversationId, identified
from core.smartsupp.parser import parse_conversation
from core.store import Aim, Backfill, Filter, Jobs, Ledger, Store, connect
from core.store import jobs as module
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat
from workers.intake import take_in

NONE = made.settings(off=["crm"], to=["crm"])
LOST = Filter(undelivered=True)


def read(store: Store, settings: Settings, *numbers: int) -> list[str]:
    """Take chats in as a worker does under these settings."""
    for number in numbers:
        store.accept(chat(number))
        take_in(store, store.claim_bodies(secrets.token_hex(4)), settings)
    return [parse_conversation(chat(number)).key for number in numbers]


def configuration(routes: Sequence[Route], *names: str) -> Settings:
    connectors = {name: ConnectorSettings(type="archive", enabled=name != "off") for name in names}
    return Settings("relay.yaml", (), connectors, tuple(routes))


@pytest.mark.parametrize(
    ("settings", "why", "lost"),
    [
        (configuration([], "crm"), Nowhere.NO_ROUTE, 1),
        (configuration([Route(to=["crm"], when="conversation.is_missed and false")], "crm"), Nowhere.NO_ROUTE, 1),
        (configuration([Route(to=["off"])], "off", "crm"), Nowhere.OFF, 1),
        (configuration([], "off"), Nowhere.OFF, 1),
        (configuration([]), Nowhere.NO_CONNECTOR, 1),
        (configuration([Route(to=[])], "crm"), Nowhere.MEANT, 0),
    ],
)
def test_a_chat_that_goes_nowhere_says_why(
    store: Store, ledger: Ledger, settings: Settings, why: Nowhere, lost: int
) -> None:
    [conversation] = read(store, settings, 1)
    found = ledger.conversation(ConversationId(conversation)).nowhere
    assert found
    assert found.why == why
    assert ledger.undelivered() == lost


def test_a_replay_delivers_it_by_the_routes_of_today(store: Store, ledger: Ledger, server: Server) -> None:
    [conversation] = read(store, NONE, 1)
    knocks: list[str] = []
    off = Backfill(connect(server.url, wake_up=knocks.append), lambda: NONE)
    assert off.one(ConversationId(conversation), Aim()).connectors == ()
    assert ledger.undelivered() == 1
    assert not knocks
    on = Backfill(connect(server.url, wake_up=knocks.append), lambda: made.settings("crm", "desk"))
    assert on.one(ConversationId(conversation), Aim()).connectors == ("crm", "desk")
    assert knocks == ["crm", "desk"]
    assert ledger.undelivered() == 0
    assert ledger.payload_counts()["unrouted"] == 0
    assert ledger.lane("crm").counts["waiting"] == ledger.lane("desk").counts["waiting"] == 1


def test_a_newer_revision_with_a_connector_takes_it_off_the_list(store: Store, ledger: Ledger) -> None:
    [conversation] = read(store, NONE, 1)
    store.accept(chat(1).replace(b'"rating"', b'"rating" ') + b" ")
    take_in(store, store.claim_bodies("t"), made.settings("crm"))
    assert ledger.undelivered() == 0
    assert [one.status for one in ledger.conversation(ConversationId(conversation)).payloads] == ["routed", "routed"]


def test_one_that_is_discarded_is_counted_no_more_and_can_still_be_delivered(
    store: Store, ledger: Ledger, server: Server
) -> None:
    [conversation] = read(store, NONE, 1)
    control(store).discard(identified(conversation), "a test of ours")
    assert ledger.undelivered() == 0
    with pytest.raises(InUse):
        control(store).discard(identified(conversation), "twice")
    on = Backfill(connect(server.url), lambda: made.settings("crm"))
    assert on.one(ConversationId(conversation), Aim()).connectors == ("crm",)
    assert ledger.payload_counts()["discarded"] == 0


def test_a_job_that_was_cut_off_goes_on_where_it_was(
    store: Store, ledger: Ledger, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(store, NONE, *range(30))
    monkeypatch.setattr(module, "_PART", 10)
    first = Jobs(connect(server.url), lambda: made.settings("crm"))
    job = first.advance(first.start("replay", LOST).id, 0)
    assert (job.seen, job.done, job.finished) == (10, 10, None)
    assert ledger.undelivered() == 20
    second = Jobs(connect(server.url), lambda: made.settings("crm"))
    assert second.open() == [job.id]
    while job.finished is None:
        job = second.advance(job.id, 0)
    assert (job.found, job.done) == (30, 30)
    assert ledger.undelivered() == 0
    assert ledger.lane("crm").counts["waiting"] == 30


def test_a_job_is_not_done_by_somebody_who_has_not_adopted_the_routes_that_it_was_begun_under(
    store: Store, ledger: Ledger, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(store, NONE, 1, 2)
    saved = Jobs(connect(server.url), lambda: made.settings("crm"))
    job = saved.start("replay", LOST)
    behind = Jobs(connect(server.url), lambda: NONE)
    assert behind.advance(job.id).finished is None
    assert ledger.undelivered() == 2
    assert saved.advance(job.id).done == 2
    read(store, NONE, 3)
    job = saved.start("replay", LOST)
    monkeypatch.setattr(module, "ADOPTED_MS", 0)  # nobody waits for ever for one who went away
    assert behind.advance(job.id).finished is not None
    assert ledger.undelivered() == 1


def test_a_job_that_finds_no_connector_has_done_nothing(store: Store, ledger: Ledger, server: Server) -> None:
    read(store, NONE, 1, 2)
    jobs = Jobs(connect(server.url), lambda: NONE)
    job = jobs.advance(jobs.start("replay", LOST).id)
    assert (job.found, job.done) == (2, 0)
    assert ledger.undelivered() == 2


@pytest.mark.parametrize(
    ("aim", "to", "due"),
    [
        (Aim("desk"), ("crm", "desk"), 3),
        (Aim("desk", repeat=True), ("crm", "desk"), 5),
        (Aim("desk"), ("crm",), 0),
        (Aim("desk", anyway=True), ("crm",), 3),
        (Aim("desk", repeat=True, anyway=True), ("crm",), 5),
    ],
)
def test_a_connector_that_came_later_gets_past_chats(
    store: Store, ledger: Ledger, server: Server, aim: Aim, to: Sequence[str], due: int
) -> None:
    made.chats(store, 3, crm=Outcome.DELIVERED)
    made.chats(store, 2, first=10, crm=Outcome.DELIVERED, desk=Outcome.DELIVERED)
    settings = made.settings("crm", "desk", to=to)
    counted = Backfill(connect(server.url), lambda: settings).count(Filter(), aim, 5)
    assert (counted.matched, counted.due, counted.whole) == (5, due, True)
    jobs = Jobs(connect(server.url), lambda: settings)
    job = jobs.advance(jobs.start("replay", Filter(), aim=aim).id)
    assert (job.found, job.done) == (5, due)
    assert ledger.lane("desk").counts["waiting"] == due
    assert ledger.lane("crm").counts["delivered"] == 5
