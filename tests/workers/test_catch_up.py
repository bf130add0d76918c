"""Past chats come from Smartsupp's API, each once, whatever the hook sent and whoever dies in the middle."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.admin.source.comparisons import SecondSource, second_source
from app.demo.shop import SHOP_ACCOUNT, ms
from connectors.testing.fake import Answer, Request
from core.delivery import DeliveryStatus
from core.errors import LostLease, NotFound, StoreUnavailable
from core.ids import ConversationId
from core.smartsupp.api.body import FetchedConversation, as_body, lasting
from core.smartsupp.api.client import SmartsuppApi
from core.smartsupp.parser import parse_conversation
from core.store import Client, Eraser, Ledger, Received, Store, connect
from core.store.protocol.keys import key
from core.store.sources.catch_ups import RELAY, CatchUp, CatchUps, Comparison
from core.store.sources.known_chats import Listed
from tests.fakes.smartsupp import BEGINNING, Luck, SmartsuppFake, chats
from tests.support.inline import Inline
from tests.support.server import Server
from workers.alerts.detect import Look
from workers.source import api, past_chats
from workers.source import catch_up as module
from workers.source.api import opened_api
from workers.source.catch_up import CatchUpWork

SINCE, UNTIL = ms(BEGINNING), ms(BEGINNING + timedelta(days=365))
#: CATCH_UP_MANY=100000 measures what docs/adr/0029 says.
MANY = int(os.environ.get("CATCH_UP_MANY", "80"))


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def smartsupp() -> Iterator[SmartsuppFake]:
    with SmartsuppFake(chats(MANY)) as there:
        yield there


class Shop:
    """A relay whose hands are this test's, and a Smartsupp."""

    def __init__(self, smartsupp: SmartsuppFake, server: Server, folder: Path) -> None:
        self.smartsupp, self.server = smartsupp, server
        self.client: Client = connect(server.url)
        self.store, self.ledger, self.catch_ups = Store(self.client), Ledger(self.client), CatchUps(self.client)
        self.inline = Inline(self.store, folder, self.config())

    def config(self) -> str:
        return f"""
            source:
              account: "{SHOP_ACCOUNT}"
              api:
                token: {self.smartsupp.token}
                base_url: {self.smartsupp.base_url}
                allow_networks: [127.0.0.0/8]
                rate: 100
            connectors:
              archive: {{type: archive}}
              crm: {{type: archive, folder: crm}}
            routes:
              - to: [archive]
              - to: [crm]
                when: conversation.rating == 5
        """

    def work(self) -> CatchUpWork:
        """Of another process each time."""
        return CatchUpWork(self.client, lambda: self.inline.settings, threading.Event())

    def start(self, kind: Any = "backfill", **more: Any) -> CatchUp:
        return self.catch_ups.start(kind, "main", SHOP_ACCOUNT, SINCE, UNTIL, by="ann", **more)

    def finish(self, catch_up: CatchUp, work: CatchUpWork | None = None) -> CatchUp:
        """Until the end, with everything that lies in the way read and delivered."""
        work = work or self.work()
        for _ in range(10_000):
            found = self.catch_ups.get(catch_up.id)
            if found.finished is not None:
                return found
            assert not found.error, found.error
            if not work.advance(found):
                self.inline.read()
                self.inline.deliver()
        raise AssertionError("it does not end")

    def settle(self) -> None:
        self.inline.read()
        self.inline.deliver()

    def kept(self) -> int:
        return int(self.client.zcard(key("conversations")))

    def post(self, *bodies: bytes) -> None:
        for body in bodies:
            self.store.accept(body, "")
        self.settle()


@pytest.fixture
def shop(smartsupp: SmartsuppFake, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(module, "_BREATH", 0)
    return Shop(smartsupp, server, tmp_path)


def test_a_back_fill_brings_every_chat_once(shop: Shop) -> None:
    found = shop.finish(shop.start(expected=MANY))
    shop.settle()
    assert (found.listed, found.fetched, found.known, found.waiting) == (MANY, MANY, 0, 0)
    assert shop.kept() == MANY
    assert shop.ledger.lane("archive").counts[DeliveryStatus.DELIVERED] == MANY
    again = shop.finish(shop.start())
    assert (again.fetched, again.known) == (0, MANY)
    assert shop.catch_ups.open() == []
    assert [one.id for one in shop.catch_ups.recent()] == [again.id, found.id]


def test_what_completion_gives_a_chat_of_the_hook_a_back_filled_one_has_too(shop: Shop) -> None:
    shop.finish(shop.start())
    shop.settle()
    account = shop.inline.settings.accounts["main"]
    api_ = opened_api("main", account, shop.client)
    assert api_
    groups = set()
    for chat in list(shop.smartsupp)[:10]:
        conversation = ConversationId.of(SHOP_ACCOUNT, chat.id)
        [payload] = shop.ledger.conversation(conversation).payloads
        completed = as_body(api_.conversation(chat.id, visitor=True), SHOP_ACCOUNT)
        assert lasting(payload.body) == lasting(completed)
        groups.add(parse_conversation(payload.body, SHOP_ACCOUNT).visitor.group)
    assert groups - {""}


def test_it_goes_from_the_oldest_to_the_newest(shop: Shop) -> None:
    shop.finish(shop.start())
    asked = [one.path.rsplit("/", 1)[-1] for one in shop.smartsupp.requests if "/conversations/co" in one.path]
    assert asked == [chat.id for chat in shop.smartsupp]


def test_chats_that_the_hook_sent_are_not_fetched_again(shop: Shop) -> None:
    shop.post(*shop.smartsupp.hooks(Luck(lost=0.05, doubled=0.05, late=0.2)))
    missing = len(shop.smartsupp.lost)
    assert 0 < missing < 20
    found = shop.finish(shop.start())
    shop.settle()
    assert (found.fetched, found.known) == (missing, MANY - missing)
    assert shop.kept() == MANY


def test_whoever_dies_is_followed_by_another(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(3)
    began = shop.start()
    deaths = 0
    for method in ("page_listed", "done", "finish"):
        plain = getattr(CatchUps, method)

        def dies(*arguments: Any, plain: Any = plain, **more: Any) -> None:
            nonlocal deaths
            if dice.random() < 0.5:
                deaths += 1
                raise Killed  # the store has it by now, or not yet
            plain(*arguments, **more)
            if dice.random() < 0.2:
                deaths += 1
                raise Killed

        monkeypatch.setattr(CatchUps, method, dies)
    while shop.catch_ups.get(began.id).finished is None:
        with suppress(Killed):
            shop.work().advance(shop.catch_ups.get(began.id))
        shop.client.delete(key("catching-up"))  # its lease ran out
        shop.settle()
    assert deaths >= 3
    assert shop.kept() == MANY
    assert shop.ledger.lane("archive").counts[DeliveryStatus.DELIVERED] == MANY


def test_with_lost_doubled_and_late_hooks_and_kills_nothing_is_missing_and_nothing_double(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(5)
    hooks = shop.smartsupp.hooks(Luck(lost=0.05, doubled=0.05, late=0.3))
    plain = CatchUps.done

    def dies(*arguments: Any, **more: Any) -> None:
        if dice.random() < 0.1:
            raise Killed
        plain(*arguments, **more)

    monkeypatch.setattr(CatchUps, "done", dies)
    began = shop.start("reconcile")
    work, over = shop.work(), False
    while not over:
        for body in itertools.islice(hooks, 40):
            shop.store.accept(body, "")
        try:
            work.advance(shop.catch_ups.get(began.id))
        except Killed:
            work = shop.work()
        shop.settle()
        over = shop.catch_ups.get(began.id).finished is not None
    shop.post(*hooks)
    monkeypatch.undo()
    shop.finish(shop.start("reconcile"))
    shop.settle()
    assert shop.kept() == MANY
    assert shop.ledger.lane("archive").counts[DeliveryStatus.DELIVERED] == MANY
    # A folder for each, with a file for each revision.
    assert len({file.parent for file in (shop.inline.data / "archive").rglob("*.json")}) == MANY


def test_only_one_process_at_a_time_works(shop: Shop) -> None:
    work, began = shop.work(), shop.start()
    assert shop.catch_ups.hold("another process")
    assert not work.advance(began, 0)
    assert shop.catch_ups.hold("another process", keep=False)
    assert work.advance(began, 0)
    assert shop.catch_ups.hold("another process")


def test_a_process_that_lost_its_lease_writes_nothing_any_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was cut off in the middle of its chats, and another one has gone on by the time it comes back."""
    slow, other, began = shop.work(), shop.work(), shop.start()
    assert slow.advance(began, 0)
    halfway = threading.Event()
    go_on = threading.Event()
    plain = SmartsuppApi.conversation

    def conversation(self: SmartsuppApi, identity: str, **more: Any) -> FetchedConversation:
        found = plain(self, identity, **more)
        if threading.current_thread().name == "slow" and not halfway.is_set():
            halfway.set()
            assert go_on.wait(60)
        return found

    monkeypatch.setattr(SmartsuppApi, "conversation", conversation)
    went_on: list[bool] = []
    thread = threading.Thread(
        target=lambda: went_on.append(slow.advance(shop.catch_ups.get(began.id), 60)), name="slow"
    )
    thread.start()
    assert halfway.wait(60)
    shop.client.delete(key("catching-up"))  # its lease ran out
    for _ in range(3):
        assert other.advance(shop.catch_ups.get(began.id), 0)
        shop.settle()
    before, asked = shop.catch_ups.get(began.id), len(shop.smartsupp.requests)
    assert shop.catch_ups.hold("the other goes on")
    go_on.set()
    thread.join(60)
    assert went_on == [False]
    assert shop.catch_ups.get(began.id) == before, "neither list nor figures"
    assert shop.ledger.lane("inbox").waiting == 0, "nor chats"
    assert len(shop.smartsupp.requests) == asked, "nor does it ask for another chat"
    assert shop.catch_ups.hold("the other goes on"), "nor takes the lease away"
    shop.catch_ups.hold("the other goes on", keep=False)
    found = shop.finish(before, other)
    assert (found.listed, found.fetched, found.known) == (MANY, MANY, 0)


def test_each_step_without_the_lease_is_refused_by_the_store(shop: Shop) -> None:
    began, before = shop.start(), shop.work()
    assert before.advance(began, 0)
    now = shop.catch_ups.get(began.id)
    assert shop.catch_ups.hold("another process")
    row, *_ = shop.catch_ups.oldest(now, 1)
    steps: list[Callable[[], object]] = [
        lambda: shop.catch_ups.page_listed(now, [Listed("co-x", 1)], None, token="lost"),
        lambda: shop.catch_ups.done(now, [row.id], fetched=1, token="lost"),
        lambda: shop.catch_ups.put_off(now, 2**50, "no", token="lost"),
        lambda: shop.catch_ups.finish(now, token="lost"),
        lambda: shop.catch_ups.compared("main", Comparison(1, worked=True), token="lost"),
        lambda: shop.store.accept_each([Received(b"{}", SHOP_ACCOUNT)], holder="lost"),
    ]
    for step in steps:
        with pytest.raises(LostLease):
            step()
    assert shop.catch_ups.get(began.id) == now
    assert shop.catch_ups.comparisons() == {}
    assert shop.ledger.lane("inbox").waiting == 0


def test_one_that_somebody_stops_takes_nothing_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    work, began = shop.work(), shop.start()
    assert work.advance(began, 0)
    plain = SmartsuppApi.conversation

    def conversation(self: SmartsuppApi, identity: str, **more: Any) -> FetchedConversation:
        found = plain(self, identity, **more)
        if shop.catch_ups.get(began.id).finished is None:
            shop.catch_ups.finish(began, stopped=True)
        return found

    monkeypatch.setattr(SmartsuppApi, "conversation", conversation)
    assert not work.advance(shop.catch_ups.get(began.id), 60)
    found = shop.catch_ups.get(began.id)
    assert (found.stopped, found.fetched, found.waiting) == (1, 0, 0)
    assert shop.ledger.lane("inbox").waiting == 0


def test_one_chat_that_the_token_may_not_read_does_not_keep_the_others_from_coming(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, plain = list(shop.smartsupp)[5].id, SmartsuppFake.respond

    def respond(self: SmartsuppFake, request: Request) -> tuple[Answer, bool]:
        return (Answer(403, {"code": "forbidden"}), False) if bad in request.path else plain(self, request)

    monkeypatch.setattr(SmartsuppFake, "respond", respond)
    found = shop.finish(shop.start())
    assert (found.fetched, found.failed) == (MANY - 1, 1)


def test_it_waits_while_deliveries_are_due(shop: Shop) -> None:
    work, began = shop.work(), shop.start()
    while shop.catch_ups.get(began.id).fetched < module._PATIENCE:
        assert work.advance(shop.catch_ups.get(began.id), 0)
    assert not work.advance(shop.catch_ups.get(began.id), 60)
    assert shop.ledger.lane("inbox").waiting < module._PATIENCE + module._GIVEN
    shop.settle()
    assert work.advance(shop.catch_ups.get(began.id), 0)


def test_for_one_connector_the_others_get_nothing(shop: Shop) -> None:
    found = shop.finish(shop.start(connector="crm"))
    shop.settle()
    rated = sum((chat.conversation["rating"] or {}).get("value") == 5 for chat in shop.smartsupp)
    assert found.fetched == MANY
    assert shop.ledger.lane("crm").counts[DeliveryStatus.DELIVERED] == rated > 0
    assert shop.ledger.lane("archive").counts[DeliveryStatus.DELIVERED] == 0
    assert shop.ledger.undelivered() == 0


def test_what_an_admin_erased_does_not_come_back(shop: Shop) -> None:
    shop.post(*shop.smartsupp.hooks(Luck()))
    gone, *_ = shop.smartsupp
    Eraser(shop.client).conversation(ConversationId.of(SHOP_ACCOUNT, str(gone.hook["channel"]["id"])))
    found = shop.finish(shop.start())
    assert (found.fetched, found.known) == (0, MANY)
    assert shop.kept() == MANY - 1


def test_what_was_erased_does_not_come_back_from_an_api_that_knows_only_seconds(shop: Shop) -> None:
    gone, *_ = shop.smartsupp
    shop.post(json.dumps(gone.hook).encode())
    Eraser(shop.client).conversation(ConversationId.of(SHOP_ACCOUNT, str(gone.hook["channel"]["id"])))
    assert ms(gone.began) % 1000, "the hook knows it to the millisecond"
    second = Listed(gone.id, ms(gone.began) // 1000 * 1000)
    assert shop.catch_ups.kept(SHOP_ACCOUNT, [second]) == {gone.id: "erased"}
    others = [Listed("co-other", second.began - 1000), Listed("co-exact", ms(gone.began) + 1)]
    assert shop.catch_ups.kept(SHOP_ACCOUNT, others) == {}


def test_a_conversation_deleted_meanwhile_is_counted(shop: Shop) -> None:
    work, began = shop.work(), shop.start()
    assert work.advance(began, 0)
    *_, newest = shop.smartsupp
    shop.smartsupp.remove(newest.id)
    found = shop.finish(began, work)
    assert (found.fetched, found.gone) == (MANY - 1, 1)


@pytest.mark.parametrize("lost", [False, True], ids=["an error", "no answer"])
def test_one_that_smartsupp_cannot_give_does_not_keep_the_others_from_coming(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    bad = list(shop.smartsupp)[5].id
    plain = SmartsuppFake.respond

    def respond(self: SmartsuppFake, request: Request) -> tuple[Answer, bool]:
        return (Answer(500, {"code": "bug"}), lost) if bad in request.path else plain(self, request)

    monkeypatch.setattr(SmartsuppFake, "respond", respond)
    work, began = shop.work(), shop.start()
    while shop.catch_ups.get(began.id).finished is None:
        work.advance(shop.catch_ups.get(began.id))
        shop.settle()
    found = shop.catch_ups.get(began.id)
    assert (found.fetched, found.failed) == (MANY - 1, 1)


def test_an_internal_error_about_one_chat_does_not_keep_the_others_from_coming(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = list(shop.smartsupp)[5].id

    def broken(found: FetchedConversation, account: str) -> bytes:
        if found.id == bad:
            raise TypeError("of a shape that nobody thought of")
        return as_body(found, account)

    monkeypatch.setattr(past_chats, "as_body", broken)
    found = shop.finish(shop.start())
    assert (found.fetched, found.failed) == (MANY - 1, 1)


def test_one_that_takes_longer_than_its_record_is_kept_ends_like_any_other(shop: Shop) -> None:
    work, began = shop.work(), shop.start()
    assert work.advance(began, 0)
    assert shop.catch_ups.get(began.id).stage == "fetching"
    names = (key("catch-up", began.id), key("catch-up-rows", began.id))
    for name in names:
        shop.client.pexpire(name, 60_000)
    assert work.advance(shop.catch_ups.get(began.id), 0)
    assert all(shop.client.pttl(name) > 60_000 for name in names), "whoever works on it remembers it"


def test_one_that_was_forgotten_meanwhile_leaves_nothing_behind(shop: Shop) -> None:
    began = shop.start()
    shop.client.delete(key("catch-up", began.id))
    shop.catch_ups.put_off(began, 0, "too late")
    shop.catch_ups.done(began, [], fetched=1)
    shop.catch_ups.finish(began)
    assert shop.catch_ups.open() == []
    assert not shop.client.exists(key("catch-up", began.id))


def test_agents_are_read_anew_now_and_then(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    work, now = shop.work(), 1_000.0
    monkeypatch.setattr(api, "monotonic", lambda: now)

    def asked() -> int:
        shop.smartsupp.requests.clear()
        began = shop.start("reconcile")
        while shop.catch_ups.get(began.id).finished is None:
            work.advance(shop.catch_ups.get(began.id))
            shop.settle()
        return sum(one.path.endswith("/agents") for one in shop.smartsupp.requests)

    assert asked() == 1
    chat, *others = shop.smartsupp
    Eraser(shop.client).conversation(ConversationId.of(SHOP_ACCOUNT, chat.id))
    shop.client.delete(key("erased", SHOP_ACCOUNT), key("removed", SHOP_ACCOUNT))
    now += api.OPEN_SECONDS + 1
    assert asked() == 1
    assert others


@pytest.mark.parametrize(
    ("answer", "wait", "said"),
    [
        (Answer(401, {"code": "unauthorized"}), 600_000, "rejects the token"),
        (Answer(429, {"code": "slow"}, {"Retry-After": "300"}), 300_000, "429"),
        (Answer(503, {"code": "down"}, {"Retry-After": "7"}), 30_000, "503"),
    ],
)
def test_what_smartsupp_refuses_puts_it_off(shop: Shop, answer: Answer, wait: int, said: str) -> None:
    work, began = shop.work(), shop.start()
    shop.smartsupp.instead = [answer]
    before = shop.catch_ups.now()
    assert not work.advance(began)
    found = shop.catch_ups.get(began.id)
    assert said in found.error
    assert 0 <= found.hold - before - wait < 60_000
    assert not work.work()
    assert shop.finish(released(shop, found)).fetched == MANY


def released(shop: Shop, found: CatchUp) -> CatchUp:
    """Its time has come."""
    shop.catch_ups.put_off(found, 0, "")
    return shop.catch_ups.get(found.id)


def test_an_account_that_is_not_configured_any_more_says_so(shop: Shop) -> None:
    other = shop.catch_ups.start("backfill", "gone", SHOP_ACCOUNT, SINCE, UNTIL, by="ann")
    assert not shop.work().advance(other)
    assert "no source 'gone'" in shop.catch_ups.get(other.id).error


def test_a_comparison_fetches_what_the_hook_never_sent_and_says_how_many(shop: Shop) -> None:
    shop.post(*shop.smartsupp.hooks(Luck(lost=0.1)))
    missing = len(shop.smartsupp.lost)
    shop.finish(shop.start("reconcile"))
    shop.settle()
    assert shop.kept() == MANY
    assert shop.catch_ups.missing() == missing > 0
    [found] = shop.catch_ups.comparisons().values()
    assert (found.checked, found.missing, found.silent, found.worked) == (MANY, missing, 0, True)
    shop.finish(shop.start("reconcile"))
    assert shop.catch_ups.missing() == missing


def test_a_lost_reply_to_the_last_step_costs_nothing_of_what_was_found(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.post(*shop.smartsupp.hooks(Luck(lost=0.1)))
    began, work, plain = shop.start("reconcile"), shop.work(), CatchUps.finish

    def unheard(*arguments: Any, **more: Any) -> None:
        plain(*arguments, **more)
        plain(*arguments, **more)  # the client repeats what it has no reply to

    monkeypatch.setattr(CatchUps, "finish", unheard)
    for _ in range(10_000):
        if shop.catch_ups.get(began.id).finished is not None:
            break
        work.advance(shop.catch_ups.get(began.id))
        shop.settle()
    [found] = shop.catch_ups.comparisons().values()
    assert (found.checked, found.missing) == (MANY, len(shop.smartsupp.lost))
    assert shop.catch_ups.missing() == len(shop.smartsupp.lost)


def test_a_hook_that_went_quiet_is_noticed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    days = 30 * 86_400_000
    late = [chat for chat in shop.smartsupp if ms(chat.began) >= UNTIL - days]
    early = [chat for chat in shop.smartsupp if chat not in late]
    assert len(late) >= 3
    shop.post(*shop.smartsupp.hooks(Luck(), early))
    monkeypatch.setattr(module, "_DAY_MS", days)
    shop.finish(shop.start("reconcile"))
    [found] = shop.catch_ups.comparisons().values()
    assert found.silent == UNTIL


def test_comparisons_begin_by_themselves(shop: Shop) -> None:
    work = shop.work()
    work.compare_when_due()
    [deep] = shop.catch_ups.open()
    assert (deep.kind, deep.by) == ("reconcile", "relay")
    work.compare_when_due()
    assert len(shop.catch_ups.open()) == 1
    shop.client.delete(key("compared-hours:main"))
    work.compare_when_due()
    shallow = shop.catch_ups.open()[-1]
    assert shallow.until - shallow.since <= 86_400_000


def test_nothing_before_this_store_began_is_missing(shop: Shop) -> None:
    now = shop.catch_ups.now()
    shop.client.hset(key("epoch"), "memory", now - 3_600_000)
    found = shop.work().compare("main", SHOP_ACCOUNT, 7, by="relay")
    assert found.since == now - 3_600_000 or found.since == found.until
    assert shop.finish(found).listed == 0


def test_two_chats_of_one_moment_are_told_apart_by_their_bodies(shop: Shop) -> None:
    first, second, *_ = shop.smartsupp
    began = ms(first.began)
    shop.post(*shop.smartsupp.hooks(Luck(), [first]))
    rows = [Listed(first.id, began), Listed(second.id, began)]
    assert shop.catch_ups.kept(SHOP_ACCOUNT, rows) == {}
    assert shop.catch_ups.kept(SHOP_ACCOUNT, rows[:1]) == {first.id: "hook"}


def test_a_store_that_is_away_raises_and_loses_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    work, began = shop.work(), shop.start()
    assert work.advance(began, 0)
    monkeypatch.setattr(Store, "accept_each", lambda self, bodies, holder: [StoreUnavailable("away")] * len(bodies))
    with pytest.raises(StoreUnavailable):
        work.advance(shop.catch_ups.get(began.id))
    monkeypatch.undo()
    monkeypatch.setattr(module, "_BREATH", 0)
    assert shop.finish(began, work).fetched == MANY


def test_a_catch_up_that_nobody_knows_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.catch_ups.get("nothing")
    shop.client.sadd(key("catch-ups", "open"), "nothing")
    assert shop.catch_ups.open() == []


def test_a_silent_hook_is_an_incident_until_it_sends_again(shop: Shop) -> None:
    look = Look(shop.client)
    shop.catch_ups.compared("main", Comparison(at=9, checked=4, missing=4, silent=7, worked=True))
    [found] = [one for one in look.troubles(shop.inline.settings) if one.kind == "silent"]
    assert (found.subject, found.since, found.count) == ("main", 7, 4)
    shop.catch_ups.compared("main", Comparison(at=10, checked=4, missing=0, worked=True))
    assert not [one for one in look.troubles(shop.inline.settings) if one.kind == "silent"]
    shop.catch_ups.compared("other", Comparison(at=9, missing=4, silent=7))
    assert not [one for one in look.troubles(shop.inline.settings) if one.kind == "silent"]


def test_an_admin_sees_what_the_hook_never_sent(shop: Shop) -> None:
    found = second_source(shop.client, shop.inline.settings)
    assert found == SecondSource(0, 0, (), ())
    shop.post(*shop.smartsupp.hooks(Luck(lost=0.1)))
    shop.finish(shop.start("reconcile"))
    found = second_source(shop.client, shop.inline.settings)
    assert found
    missing = len(shop.smartsupp.lost)
    assert f"{missing} chats that Smartsupp's hook never sent were fetched" in found.sentence
    assert found.at > 0
    running = shop.start()
    found = second_source(shop.client, shop.inline.settings)
    assert found
    assert [one.id for one in found.open] == [running.id]
    assert second_source(shop.client, None) is None


def test_comparisons_by_the_clock_that_found_nothing_hide_no_back_fill(shop: Shop) -> None:
    backfill = shop.start()
    for _ in range(25):
        found = shop.catch_ups.start("reconcile", "main", SHOP_ACCOUNT, 1, 2, by=RELAY)
        shop.catch_ups.finish(found)
    asked_for = shop.catch_ups.start("reconcile", "main", SHOP_ACCOUNT, 1, 2, by="ann")
    shop.catch_ups.finish(asked_for)
    assert [one.id for one in shop.catch_ups.recent()] == [asked_for.id, backfill.id]
