"""Chats by signed webhooks and from the API: real store, real intake and fetch, and a Smartsupp of our own."""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.admin.attention.lines import Attention
from app.demo.shop import SHOP_ACCOUNT as ACCOUNT
from app.demo.shop import MadeChat, ms
from app.demo.shop import api_time as iso
from app.demo.shop import made_chat as made
from connectors.kit.http import ANSWER_LIMIT
from connectors.testing.fake import Answer, Request
from core.delivery import Payload, PayloadStatus
from core.ids import ConversationId, PayloadId
from core.smartsupp.api.body import is_fetched
from core.smartsupp.parser import parse_conversation
from core.store import Client, Control, Eraser, Ledger, RateLimit, Store, connect
from core.store.protocol.keys import key
from core.store.sources.orders import Wish, source_lane
from core.store.sources.queues import fetch_queues
from tests.conftest import Clock
from tests.fakes.smartsupp import SECRET, Luck, SmartsuppFake, chats, event
from tests.support.inline import Inline
from tests.support.server import Server
from workers.alerts.detect import Look
from workers.delivery import receipt_of
from workers.intake import take_in
from workers.maintenance import Chores
from workers.source import fetching
from workers.source.fetching import Fetching

LANE = source_lane("main")
#: Of a chat in these tests.
BEGAN = datetime(2026, 11, 28, 9, 0, 0, 123_000, UTC)
WAIT = 120
KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def smartsupp() -> Iterator[SmartsuppFake]:
    with SmartsuppFake() as fake:
        yield fake


def source_config(fake: SmartsuppFake) -> dict[str, Any]:
    about = {"token": fake.token, "base_url": fake.base_url, "rate": 100, "allow_networks": ["127.0.0.1"]}
    return {"account": ACCOUNT, "api": about, "webhooks": {"secret": SECRET, "wait": f"{WAIT}s"}}


class Relay(Inline):
    """What workers do, by hand, and with a clock that is moved by hand."""

    def __init__(
        self,
        server: Server,
        clock: Clock,
        folder: Path,
        fake: SmartsuppFake,
        source: Mapping[str, Any] | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.clock, self.fake = clock, fake
        client = connect(server.url, keys=keys)
        section = source_config(fake) if source is None else source
        config = {"source": section, "connectors": {"archive": {"type": "archive"}}}
        super().__init__(Store(client, clock), folder, json.dumps(config))
        self.client: Client = client
        self.fetching = Fetching(self.store, client)
        self.ledger = Ledger(client, clock)

    def webhook(self, *bodies: bytes) -> None:
        for body in bodies:
            self.store.accept(body, ACCOUNT, "application/json", "main")
        self.read()

    def fetch(self, lane: str = LANE) -> int:
        """Carry out what is due; returns how much that was."""
        number = 0
        while claim := self.store.claim_order(lane, secrets.token_hex(8)):
            self.fetching.fetch(claim, self.settings)
            number += 1
        self.read()
        return number

    def pass_by(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    def conversations(self) -> list[ConversationId]:
        rows: Any = self.client.zrange(key("conversations"), 0, -1)
        return [ConversationId(one.decode()) for one in rows]

    def payloads(self, conversation: ConversationId) -> tuple[Payload, ...]:
        return self.ledger.conversation(conversation).payloads

    def queued(self) -> int:
        return self.ledger.lane(LANE).waiting


Make = Callable[..., Relay]


@pytest.fixture
def relay(server: Server, clock: Clock, tmp_path: Path, smartsupp: SmartsuppFake) -> Relay:
    clock.now = ms(BEGAN) + 600_000
    for chat in list(smartsupp):
        smartsupp.remove(chat.id)
    smartsupp.instead.clear()
    smartsupp.requests.clear()
    return Relay(server, clock, tmp_path, smartsupp)


def talk(number: int = 1, began: datetime = BEGAN) -> MadeChat:
    return made(number, began)


def hook(chat: MadeChat) -> bytes:
    return json.dumps(chat.hook).encode()


def closed(chat: MadeChat, **changes: Any) -> bytes:
    return event("conversation.closed", chat, changes)


def hook_id(chat: MadeChat) -> ConversationId:
    return ConversationId.of(ACCOUNT, str(chat.hook["channel"]["id"]))


def api_id(chat: MadeChat) -> ConversationId:
    return ConversationId.of(ACCOUNT, chat.id)


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_leads_to_one_fetch_of_the_whole_chat_after_the_wait(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat), event("conversation.rated", chat, {"rating_value": 5}))
    assert relay.queued() == 1
    assert relay.fetch() == 0
    relay.pass_by(WAIT + 1)
    assert relay.fetch() == 1
    assert relay.conversations() == [api_id(chat)]
    [payload] = relay.payloads(api_id(chat))
    found = parse_conversation(payload.body, payload.account)
    assert (found.tags, found.agents[0].email) != ((), "")
    relay.deliver()
    assert relay.ledger.conversation(api_id(chat)).deliveries[0].status == "delivered"
    assert relay.queued() == 0
    # What said so has done its work, and nothing of it is kept.
    assert sum(relay.ledger.payload_counts().values()) == 1


def test_each_event_begins_the_wait_anew_but_not_for_ever(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    fetched_after = 0
    while not relay.fetch():
        relay.pass_by(WAIT - 10)
        fetched_after += WAIT - 10
        relay.webhook(event("conversation.contact_replied", chat, {"message": {"id": f"ms{fetched_after}"}}))
        assert fetched_after <= 11 * WAIT
    assert fetched_after > 9 * WAIT


def test_a_reply_in_a_chat_that_is_not_over_orders_nothing_and_one_after_it_brings_the_rest(relay: Relay) -> None:
    chat = talk()
    reply = event("conversation.contact_replied", chat, {"message": {"id": "ms1"}})
    relay.fake.add(chat)
    relay.webhook(reply)
    assert relay.queued() == 0
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    chat.messages.append({**chat.messages[0], "id": "mslater", "createdAt": iso(BEGAN + timedelta(hours=1))})
    relay.webhook(event("conversation.contact_replied", chat, {"message": {"id": "mslater"}}))
    relay.pass_by(WAIT + 1)
    assert relay.fetch() == 1
    first, second = (parse_conversation(one.body, ACCOUNT) for one in relay.payloads(api_id(chat)))
    assert len(second.messages) == len(first.messages) + 1


def test_what_was_heard_of_during_a_fetch_is_fetched_once_more(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    claim = relay.store.claim_order(LANE, "token")
    assert claim
    relay.webhook(event("conversation.rated", chat, {"rating_value": 1}))
    relay.fetching.fetch(claim, relay.settings)
    assert relay.queued() == 1
    relay.pass_by(WAIT + 1)
    assert relay.fetch() == 1
    assert len(relay.payloads(api_id(chat))) == 1, "it says nothing new"


def test_an_event_about_nothing_that_is_kept_is_set_aside(relay: Relay) -> None:
    relay.webhook(event("conversation.agent_joined", talk(), {}), event("contact.updated", talk(), {}))
    assert relay.queued() == 0
    assert relay.ledger.payload_counts()["set-aside"] == 2


def test_an_event_that_cannot_be_read_is_kept_in_quarantine_with_the_place(relay: Relay) -> None:
    relay.webhook(json.dumps({"event": "conversation.closed", "data": {"what": 1}}).encode())
    [found] = relay.ledger.payloads(PayloadStatus.QUARANTINED)
    assert found.error == "data.conversation.id: expected the id of a conversation, got nothing"
    assert found.origin == "main"


def test_a_webhook_of_a_source_that_was_removed_says_what_to_do(server: Server, relay: Relay, tmp_path: Path) -> None:
    other = Relay(server, relay.clock, tmp_path, relay.fake, {})
    other.webhook(closed(talk()))
    [found] = relay.ledger.payloads(PayloadStatus.QUARANTINED)
    assert found.error.startswith("relay.yaml has no source 'main' with api and webhooks any more")


# --- an API that does not answer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "by"),
    [
        (Answer(503, {"code": "unavailable", "message": "try later"}), "breaker"),
        (Answer(429, {"code": "too_many", "message": "slow"}, {"Retry-After": "40"}), "breaker"),
        (Answer(401, {"code": "unauthorized", "message": "Access token is not valid"}), "relay"),
        (Answer(403, {"code": "forbidden", "message": "no"}), "relay"),
    ],
)
def test_while_the_api_does_not_answer_orders_wait_and_none_is_lost(relay: Relay, answer: Answer, by: str) -> None:
    some = [talk(number, BEGAN + timedelta(minutes=number)) for number in range(3)]
    for chat in some:
        relay.fake.add(chat)
    relay.webhook(*map(closed, some))
    relay.pass_by(WAIT + 1)
    relay.fake.instead[:] = [answer] * 6  # as often as one attempt repeats, and as a look whether it answers at all
    assert relay.fetch() == 1
    relay.fake.instead.clear()
    gate = relay.ledger.lane(LANE).gate
    assert gate
    assert (gate.by, relay.queued()) == (by, 3)
    assert relay.fetch() == 0
    [incident] = [one for one in Look(relay.client).troubles(relay.settings) if one.kind == "source"]
    assert (incident.subject, incident.count) == ("main", 3)
    [queue] = fetch_queues(relay.ledger, relay.settings)
    assert queue.sentence.startswith("Smartsupp's API ")
    assert "3 chats wait to be fetched: " in queue.sentence
    relay.pass_by(41)
    assert relay.fetch() == 3
    assert relay.ledger.lane(LANE).gate is None
    assert not [one for one in Look(relay.client).troubles(relay.settings) if one.kind == "source"]
    assert len(relay.conversations()) == 3


def test_an_api_that_stays_away_is_asked_less_and_less_and_at_least_every_ten_minutes(relay: Relay) -> None:
    chat = talk()
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    waits = []
    for _ in range(8):
        relay.fake.instead[:] = [Answer(503, {})] * 6
        assert relay.fetch() == 1
        gate = relay.ledger.lane(LANE).gate
        assert gate
        assert gate.until
        waits.append((gate.until - relay.clock()) / 1000)
        relay.pass_by(waits[-1])
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]


def test_one_chat_whose_answer_cannot_be_read_is_in_quarantine_and_keeps_no_other_waiting(relay: Relay) -> None:
    bad, good = talk(1), talk(2, BEGAN + timedelta(minutes=1))
    relay.fake.add(bad)
    relay.fake.add(good)
    bad.conversation["createdAt"], kept = [], bad.conversation["createdAt"]
    bad.conversation["channel"] = "x"
    relay.webhook(closed(bad), closed(good))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert relay.conversations() == [api_id(good)]
    assert relay.queued() == 0
    [unread] = relay.ledger.payloads(PayloadStatus.QUARANTINED)
    assert unread.error
    bad.conversation.update(createdAt=kept, channel={"type": "default", "id": None})
    relay.webhook(closed(bad, more=1))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert set(relay.conversations()) == {api_id(bad), api_id(good)}


def test_a_chat_that_was_deleted_at_smartsupp_is_given_up_and_a_wrong_address_gives_up_nothing(relay: Relay) -> None:
    gone = talk()
    relay.webhook(closed(gone))
    relay.pass_by(WAIT + 1)
    for _ in range(3):
        assert relay.fetch() == 1
        relay.pass_by(600)
    assert relay.queued() == 0
    relay.webhook(closed(gone, more=1))
    relay.pass_by(WAIT + 1)
    nowhere = [Answer(404, {"code": "not_found", "message": "no such page"})] * 2
    for _ in range(5):
        relay.fake.instead[:] = nowhere
        assert relay.fetch() == 1
        relay.pass_by(600)
    gate = relay.ledger.lane(LANE).gate
    assert gate
    assert relay.queued() == 1
    assert "is source.api.base_url right?" in gate.reason


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {"code": "bug"}),
        Answer(200, "<html>not for people</html>", {"Content-Type": "text/html"}),
        Answer(200, f'"{"x" * (ANSWER_LIMIT + 1)}"', {"Content-Type": "application/json"}),
    ],
    ids=["500", "no JSON", "too long"],
)
def test_one_chat_that_smartsupp_cannot_give_keeps_no_other_waiting(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    bad, good, plain = talk(1), talk(2, BEGAN + timedelta(minutes=1)), SmartsuppFake.respond

    def respond(self: SmartsuppFake, request: Request) -> tuple[Answer, bool]:
        return (answer, False) if bad.id in request.path else plain(self, request)

    monkeypatch.setattr(SmartsuppFake, "respond", respond)
    relay.fake.add(good)
    relay.webhook(closed(bad))
    relay.pass_by(1)
    relay.webhook(closed(good))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert relay.conversations() == [api_id(good)]
    assert not relay.ledger.lane(LANE).gate, "the API is not out of order"
    assert relay.queued() == 1
    assert relay.client.hget(key("order", api_id(bad)), "tries") == b"1"


@pytest.mark.parametrize(
    ("answer", "lost"),
    [(Answer(200, {}), True), (Answer(403, {"code": "forbidden", "message": "not this one"}), False)],
    ids=["no answer", "403"],
)
def test_one_chat_that_smartsupp_never_gives_closes_the_gate_for_nobody(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, answer: Answer, lost: bool
) -> None:
    bad, good, plain = talk(1), talk(2, BEGAN + timedelta(minutes=1)), SmartsuppFake.respond

    def respond(self: SmartsuppFake, request: Request) -> tuple[Answer, bool]:
        return (answer, lost) if bad.id in request.path else plain(self, request)

    monkeypatch.setattr(SmartsuppFake, "respond", respond)
    relay.fake.add(good)
    relay.webhook(closed(bad))
    relay.pass_by(1)
    relay.webhook(closed(good))
    relay.pass_by(WAIT + 1)
    assert relay.fetch() == 2
    assert relay.conversations() == [api_id(good)]
    assert not relay.ledger.lane(LANE).gate
    assert relay.queued() == 1


def test_a_fetch_that_ends_as_the_worker_stops_has_lost_no_try(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    stopping = threading.Event()
    stopping.set()
    claim = relay.store.claim_order(LANE, "of the one that stops")
    assert claim
    with monkeypatch.context() as used_up:
        used_up.setattr(RateLimit, "take", lambda *_, **__: 60_000)
        Fetching(relay.store, relay.client, stopping).fetch(claim, relay.settings)
    assert relay.client.hget(key("order", api_id(chat)), "tries") is None
    assert relay.fetch() == 1, "it is due at once"


# --- an encryption key that is missing -------------------------------------------------------------------------------


def test_without_its_key_a_chat_waits_to_be_completed_and_that_is_said(
    relay: Relay, server: Server, tmp_path: Path
) -> None:
    sealing = Relay(server, relay.clock, tmp_path, relay.fake, keys=[KEY])
    chat = talk()
    relay.fake.add(chat)
    sealing.take(hook(chat))
    relay.pass_by(4)
    assert relay.fetch() == 1
    assert relay.queued() == 1, "it is not done"
    assert not relay.ledger.lane(LANE).gate, "the API is not to blame"
    for _ in range(3):
        relay.pass_by(600)
        relay.fetch()
    [queue] = fetch_queues(relay.ledger, relay.settings)
    assert queue.failing == 1
    assert "RELAY_ENCRYPTION_KEYS" in queue.sentence
    [line] = [one for one in Attention(relay.client).lines(relay.settings) if one.about == "source main"]
    assert "RELAY_ENCRYPTION_KEYS" in line.sentences
    assert line.needs_somebody
    relay.pass_by(3600)
    assert sealing.fetch() == 1
    assert [is_fetched(one.body) for one in sealing.payloads(hook_id(chat))] == [False, True]
    [queue] = fetch_queues(relay.ledger, relay.settings)
    assert queue.sentence == ""


def test_what_may_be_the_same_chat_and_cannot_be_read_makes_no_second_conversation(
    relay: Relay, server: Server, tmp_path: Path
) -> None:
    sealing = Relay(server, relay.clock, tmp_path, relay.fake, keys=[KEY])
    chat = talk()
    relay.fake.add(chat)
    sealing.take(hook(chat))
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert relay.conversations() == [hook_id(chat)]
    [waiting] = relay.ledger.payloads(PayloadStatus.QUARANTINED)
    assert "RELAY_ENCRYPTION_KEYS" in waiting.error
    Control(sealing.client, relay.clock).replay(waiting.id)
    sealing.read()
    assert len(sealing.payloads(hook_id(chat))) == 2


# --- a webhook that is ahead of the API --------------------------------------------------------------------------


def test_a_chat_whose_end_the_api_does_not_show_yet_is_looked_at_again_with_growing_pauses(relay: Relay) -> None:
    chat = talk()
    chat.conversation["status"] = "open"
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    assert relay.fetch() == 1
    assert relay.conversations() == []
    assert relay.queued() == 1
    waits = [due(relay, chat)]
    relay.pass_by(waits[0] + 1)
    assert relay.fetch() == 1
    waits.append(due(relay, chat))
    assert 20 <= waits[0] < waits[1]
    chat.conversation["status"] = "closed"
    relay.pass_by(waits[1] + 1)
    assert relay.fetch() == 1
    assert relay.conversations() == [api_id(chat)]
    assert relay.queued() == 0


def test_a_chat_that_goes_on_is_not_looked_at_for_ever(relay: Relay) -> None:
    chat = talk()
    chat.conversation["status"] = "open"
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    looks = 0
    while relay.queued():
        relay.pass_by(3 * 3600)
        looks += relay.fetch()
        assert looks < 20
    assert 3 <= looks <= 8
    [queue] = fetch_queues(relay.ledger, relay.settings)
    assert queue.failing == 0, "nothing was wrong"
    # Its end will be heard of.
    relay.webhook(closed(chat, more=1))
    chat.conversation["status"] = "closed"
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert relay.conversations() == [api_id(chat)]


def due(relay: Relay, chat: MadeChat) -> float:
    """Seconds until it is fetched."""
    at = relay.client.zscore(key("lane", LANE), api_id(chat))
    assert at is not None
    return (float(at) - relay.clock()) / 1000


def test_the_chat_that_found_the_api_out_of_order_is_not_the_next_one_to_try(relay: Relay) -> None:
    relay.webhook(closed(talk(1)))
    relay.pass_by(WAIT + 1)
    first = relay.store.claim_order(LANE, "first")
    assert first
    assert relay.store.settle_order(first, "down", 0, "no answer")
    relay.store.order(Wish(api_id(talk(2)), LANE, wait_ms=10_000, at_most_ms=10_000))
    relay.pass_by(31)
    second = relay.store.claim_order(LANE, "second")
    assert second
    assert second.id != first.id
    assert relay.store.settle_order(second, "done")
    last = relay.store.claim_order(LANE, "third")
    assert last
    assert last.id == first.id


def test_an_internal_error_in_a_fetch_is_said_and_the_chat_is_tried_again(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    with monkeypatch.context() as broken:
        broken.setattr(fetching, "as_body", lambda *_: dict[str, bytes]()["of a shape that nobody thought of"])
        assert relay.fetch() == 1
    assert relay.client.hget(key("order", api_id(chat)), "error") == b"internal error: KeyError"
    assert not relay.client.hlen(key("leases", LANE)), "it is nobody's crash"
    relay.pass_by(600)
    assert relay.fetch() == 1
    assert relay.conversations() == [api_id(chat)]


def test_a_worker_that_dies_in_a_fetch_loses_no_order(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    assert relay.store.claim_order(LANE, "of the one that dies")
    assert relay.fetch() == 0
    relay.pass_by(6)
    assert relay.fetch() == 1
    assert relay.conversations() == [api_id(chat)]


# --- one conversation, whichever way it came -----------------------------------------------------------


@pytest.mark.parametrize("first", ["hook", "api"])
def test_a_chat_that_came_both_ways_is_one_conversation_with_two_revisions(relay: Relay, first: str) -> None:
    chat = talk()
    relay.fake.add(chat)
    body = hook(chat)
    if first == "hook":
        relay.take(body)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    relay.deliver()
    if first == "api":
        relay.take(body)
    own = hook_id(chat) if first == "hook" else api_id(chat)
    assert relay.conversations() == [own]
    found = relay.payloads(own)
    assert [is_fetched(one.body) for one in found] == [False, True], "the one that says more is the newest"
    relay.pass_by(600)
    relay.fetch()
    relay.deliver()
    [delivery] = relay.ledger.conversation(own).deliveries
    assert (delivery.status, delivery.revision) == ("delivered", 2)
    # Its folder, and every mark at a destination, is that of the id by which it came first.
    assert [file.name for file in (relay.data / "archive" / ACCOUNT).iterdir()] == [own.channel]


def test_what_the_api_knows_is_the_newest_though_the_hook_came_later_and_was_read_before_it(relay: Relay) -> None:
    """Whoever reads what was fetched is slow, or dies; the hook's body comes after it, and is read by another one."""
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    order = relay.store.claim_order(LANE, "fetches")
    assert order
    relay.fetching.fetch(order, relay.settings)
    fetched = relay.store.claim_bodies("reads slowly")
    relay.take(hook(chat))
    take_in(relay.store, fetched, relay.settings)
    found = relay.payloads(hook_id(chat))
    assert [is_fetched(one.body) for one in found] == [False, True], "the one that says more is the newest"
    relay.pass_by(600)
    relay.fetch()
    relay.deliver()
    [delivery] = relay.ledger.conversation(hook_id(chat)).deliveries
    assert (delivery.status, delivery.revision) == ("delivered", 2)
    folder = relay.data / "archive" / ACCOUNT / hook_id(chat).channel
    assert json.loads((folder / "r2.json").read_text())["conversation"]["tags"] == chat.conversation["tags"]


def test_what_is_filed_beneath_a_chat_that_is_read_again_waits_for_nobody(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    [newest] = relay.payloads(api_id(chat))
    relay.store.accept(hook(chat), ACCOUNT)
    claims = relay.store.claim_bodies("one", "leave")
    Control(relay.client, relay.clock).replay(newest.id)
    take_in(relay.store, claims, relay.settings)
    relay.read()
    assert [one.status for one in relay.payloads(api_id(chat))] == ["routed", "routed"]
    assert not relay.ledger.payloads(PayloadStatus.RECEIVED)


def test_what_is_filed_beneath_changes_no_mark_at_a_destination(relay: Relay) -> None:
    """Or a chat of which a part arrived would arrive again, under the next number."""
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    relay.deliver()
    relay.take(hook(chat))
    [delivery] = relay.ledger.conversation(api_id(chat)).deliveries
    assert delivery.revision == 2, "as lists count"
    Control(relay.client, relay.clock).replay(delivery.id)
    claim = relay.store.claim(delivery.connector, secrets.token_hex(4))
    assert claim
    conversation = parse_conversation(claim.body, ACCOUNT)
    # Of a chat that began before all that the store remembers, the time of its end is the number.
    _, ends = conversation.span()
    for late, wanted in ((False, 1), (True, ends // 1000)):
        receipt = receipt_of(relay.store, replace(claim, late=late), conversation, delivery.connector)
        assert (receipt.revision.number, receipt.number) == (2, wanted)


def test_two_chats_of_one_moment_stay_two(relay: Relay) -> None:
    one, other = talk(1), talk(2)
    relay.fake.add(one)
    relay.fake.add(other)
    relay.take(hook(one), hook(other))
    relay.webhook(closed(one), closed(other))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert set(relay.conversations()) == {hook_id(one), hook_id(other)}
    for chat in (one, other):
        [first, second] = relay.payloads(hook_id(chat))
        said = {parse_conversation(body.body, ACCOUNT).visitor.name for body in (first, second)}
        assert said == {chat.hook["visitor"]["name"]}


def test_both_bodies_at_the_same_moment_are_one_conversation_all_the_same(relay: Relay) -> None:
    """Whoever reads one sees nothing of the other yet; the store says so, and it is read again."""
    for number in range(10):
        chat = talk(number, BEGAN + timedelta(minutes=number))
        relay.fake.add(chat)
        relay.store.accept(hook(chat))
        relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    while claim := relay.store.claim_order(LANE, secrets.token_hex(8)):
        relay.fetching.fetch(claim, relay.settings)
    for _ in range(3):
        claims = relay.store.claim_bodies(secrets.token_hex(8))
        if claims:
            take_in(relay.store, claims, relay.settings)
    assert len(relay.conversations()) == 10


def test_events_in_any_order_twice_late_or_lost_give_the_same_conversations(relay: Relay) -> None:
    made_up = chats(40, BEGAN, 1)
    for chat in made_up:
        relay.fake.add(chat)
    luck, dice = Luck(lost=0.2, doubled=0.3, late=0.2), random.Random(15)
    posts = [("", body) for body in relay.fake.hooks(luck, made_up)]
    posts += [("main", body) for body, _ in relay.fake.webhooks(luck, made_up)]
    dice.shuffle(posts)
    for origin, body in posts:
        relay.store.accept(body, ACCOUNT, "application/json", origin)
        if dice.random() < 0.2:
            relay.read()
        if dice.random() < 0.1:
            relay.pass_by(WAIT)
            relay.fetch()
    relay.read()
    for _ in range(4):
        relay.pass_by(600)
        relay.fetch()
        relay.deliver()
    found = relay.conversations()
    them = {chat.id: chat for chat in made_up} | {str(chat.hook["channel"]["id"]): chat for chat in made_up}
    assert len({them[one.channel].number for one in found}) == len(found), "none is there twice"
    assert len(found) >= 38
    for one in found:
        newest = relay.payloads(one)[-1]
        assert is_fetched(newest.body), "whichever way it came, it ends as the whole chat"
        assert relay.ledger.conversation(one).deliveries[0].status == "delivered"
        assert parse_conversation(newest.body, ACCOUNT).visitor.name == them[one.channel].hook["visitor"]["name"]


def test_a_chat_that_an_older_version_read_is_found_to_be_the_same(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.take(hook(chat))
    relay.client.delete(key("begun", ACCOUNT))  # which that version did not keep
    Chores(relay.client, relay.store, lambda: relay.settings, threading.Event()).note_beginnings()
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    assert relay.conversations() == [hook_id(chat)]


def test_who_is_erased_leaves_neither_beginning_nor_ids_nor_orders(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.take(hook(chat))
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    relay.webhook(closed(chat, more=1))
    claim = relay.store.claim_order(LANE, "at work") or None
    relay.pass_by(600)
    claim = claim or relay.store.claim_order(LANE, "at work")
    assert claim
    assert Eraser(relay.client, relay.clock).conversation(hook_id(chat))
    relay.fetching.fetch(claim, relay.settings)
    relay.read()
    assert relay.conversations() == []
    names: Any = relay.client.keys(key("*"))
    left = {name.decode() for name in names}
    assert not [name for name in left if "begun" in name or "other-id" in name or "order:" in name or "raw" in name]


# --- enrichment ------------------------------------------------------------------------------------------


def test_a_chat_of_the_hook_waits_for_its_completion_and_is_delivered_once_with_all(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.take(hook(chat))
    [delivery] = relay.ledger.conversation(hook_id(chat)).deliveries
    assert delivery.status == "waiting"
    assert delivery.awaits_quiet
    relay.pass_by(4)
    assert relay.fetch() == 1
    relay.deliver()
    [delivery] = relay.ledger.conversation(hook_id(chat)).deliveries
    assert (delivery.status, delivery.revision, len(delivery.attempts)) == ("delivered", 2, 1)
    newest = relay.payloads(hook_id(chat))[-1]
    assert parse_conversation(newest.body, ACCOUNT).visitor.phone == (chat.contact["phone"] or "")
    assert parse_conversation(newest.body, ACCOUNT).tags == tuple(chat.conversation["tags"])


def test_a_chat_that_cannot_be_completed_is_delivered_without_after_the_wait(relay: Relay) -> None:
    chat = talk()
    relay.take(hook(chat))
    for _ in range(12):
        relay.pass_by(30)
        relay.fetch()
    assert relay.queued() == 0
    relay.deliver()
    [delivery] = relay.ledger.conversation(hook_id(chat)).deliveries
    assert (delivery.status, delivery.revision) == ("delivered", 1)


def test_nobody_waits_for_an_api_that_is_known_to_be_out_of_order(relay: Relay) -> None:
    first, second = talk(1), talk(2, BEGAN + timedelta(minutes=1))
    relay.take(hook(first))
    relay.pass_by(4)
    relay.fake.instead[:] = [Answer(401, {"code": "unauthorized", "message": "no"})]
    relay.fetch()
    relay.take(hook(second))
    assert relay.ledger.conversation(hook_id(second)).deliveries[0].status == "delivered"
    relay.fake.add(second)
    relay.pass_by(60)
    relay.fetch()
    assert len(relay.payloads(hook_id(second))) == 2, "it is completed all the same"


def test_an_old_chat_waits_for_nothing(relay: Relay) -> None:
    relay.take(hook(talk(1, BEGAN - timedelta(days=3))))
    assert relay.queued() == 0
    assert relay.ledger.deliveries()[0].status == "delivered"


def test_an_api_that_takes_no_cursor_is_read_from_the_beginning_in_the_end(relay: Relay) -> None:
    crowd = chats(600, BEGAN - timedelta(hours=14), 1)
    chat = talk(700)
    for one in (*crowd, chat):
        relay.fake.add(one)
    relay.take(hook(chat))
    relay.pass_by(4)
    relay.fetch()
    assert len(relay.payloads(hook_id(chat))) == 2
    asked = [one for one in relay.fake.requests if one.path.endswith("/search")]
    assert len(asked) == 1, "one page of a day is enough"


def test_a_conversation_is_found_by_either_of_its_ids(relay: Relay) -> None:
    chat = talk()
    relay.fake.add(chat)
    [first] = relay.take(hook(chat))
    assert isinstance(first, PayloadId)
    relay.pass_by(4)
    relay.fetch()
    assert relay.ledger.payload(first).conversation == hook_id(chat)
    assert relay.ledger.conversation(api_id(chat)) == relay.ledger.conversation(hook_id(chat))


# --- an account that was removed -------------------------------------------------------------------------------------


def test_what_came_by_the_api_continues_by_the_hook_after_the_account_was_removed(
    relay: Relay, server: Server, tmp_path: Path
) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    relay.fetch()
    without = Relay(server, relay.clock, tmp_path, relay.fake, {})
    without.take(hook(chat))
    assert without.conversations() == [api_id(chat)]
    assert len(without.payloads(api_id(chat))) == 2


def test_a_shop_that_never_had_an_api_pays_no_journey_for_it(
    relay: Relay, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = Relay(server, relay.clock, tmp_path, relay.fake, {})

    def kin(*_: object) -> Any:
        raise AssertionError("nothing of it came from an API")

    monkeypatch.setattr(Store, "kin", kin)
    without.take(hook(talk()))
    assert len(without.conversations()) == 1
