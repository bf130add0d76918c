"""A shop whose chats come by Smartsupp's API, its hook and signed webhooks at the same time: the fault of one row."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import requests

from app.demo.shop import SHOP_ACCOUNT, MadeChat, made_chat, moments, ms
from core.delivery import PayloadStatus
from core.ids import ConversationId
from core.smartsupp.api.body import is_fetched
from core.store import connect
from core.store.protocol.keys import key
from core.store.sources.catch_ups import CatchUp, CatchUps
from core.store.sources.orders import source_lane
from tests.fakes.smartsupp import Luck, SmartsuppFake, event, signed
from tests.faults.load import Load
from tests.faults.rig import ALL, SHOP_TOKEN, Rig
from tests.support.stack import until

#: Chats for each kill, and seconds between two posts.
_CHATS, _PAUSE = 40, 0.05

#: URL, body, headers.
_Posted = tuple[str, bytes, dict[str, str]]


def backfill_and_workers_killed(rig: Rig, load: Load, rounds: int) -> None:
    """All chats of the shop are fetched by a backfill; meanwhile its hook sends them, but for some, twice or late, and
    so do webhooks. The lease of a backfill that a kill leaves behind is ended at once, whoever holds it by then."""
    now = datetime.now(UTC)
    times = moments(now - timedelta(hours=20), now - timedelta(hours=1), _CHATS * rounds)
    made_up = [made_chat(number, began) for number, began in enumerate(times)]
    with SmartsuppFake(made_up) as smartsupp:
        rig.configure(shop=smartsupp)
        catch_ups = CatchUps(connect(rig.server.url))
        since = ms(now - timedelta(days=1))
        backfill = catch_ups.start("backfill", "main", SHOP_ACCOUNT, since, ms(now), by="a row of the faults")
        with _posting(rig, smartsupp, made_up):
            for _ in range(rounds):
                _until_it_goes_on(catch_ups, backfill)
                rig.until_alive()
                rig.kill_worker()
                rig.server.client.delete(key("catching-up"))
        until(lambda: _is_settled(rig, catch_ups, backfill), 240, what="the shop's chats, delivered")
        done = catch_ups.get(backfill.id)
        assert (done.listed, done.failed, done.gone) == (len(made_up), 0, 0), done
        rig.configure()
    _count(rig, made_up)
    rig.note = f"{len(made_up)} chats: {done.fetched} by the backfill, the rest by hook and webhooks"


def _until_it_goes_on(catch_ups: CatchUps, backfill: CatchUp) -> None:
    """Until it has looked at another chat, so that it is killed at work; or is over, so that webhooks are."""
    before = catch_ups.get(backfill.id)

    def went_on() -> bool:
        now = catch_ups.get(backfill.id)
        return now.finished is not None or now.fetched + now.known > before.fetched + before.known

    until(went_on, 60, what="a chat of the backfill")


@contextmanager
def _posting(rig: Rig, smartsupp: SmartsuppFake, made_up: Sequence[MadeChat]) -> Iterator[None]:
    """Post what Smartsupp posts; at the end, the rest of it."""
    posts = list(_posts(rig, smartsupp, made_up))
    answers: Counter[int] = Counter()

    def post() -> None:
        session = requests.Session()
        session.trust_env = False
        for url, body, headers in posts:
            answers[session.post(url, data=body, headers=headers, timeout=30).status_code] += 1
            time.sleep(_PAUSE)  # a rate, which nobody could signal

    thread = threading.Thread(target=post, name="smartsupp")
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert answers == {202: len(posts)}, answers


def _posts(rig: Rig, smartsupp: SmartsuppFake, made_up: Sequence[MadeChat]) -> Iterator[_Posted]:
    base = f"http://127.0.0.1:{rig.relay.port}/smartsupp"
    luck = Luck(lost=0.05, doubled=0.05, late=0.3)
    hooks: list[_Posted] = [(f"{base}/{SHOP_TOKEN}", body, {}) for body in smartsupp.hooks(luck, made_up)]
    webhooks: list[_Posted] = []
    for chat in made_up:
        # Some are lost, and some come twice, which the store must not take for a duplicate alone.
        for number in range(random.choice((0, 1, 1, 2))):
            body, headers = signed(event("conversation.closed", chat, {"attempt": number}))
            webhooks.append((f"{base}/webhooks/main", body, headers))
    random.shuffle(webhooks)
    for number in range(max(len(hooks), len(webhooks))):
        yield from hooks[number : number + 1]
        yield from webhooks[number : number + 1]


def _is_settled(rig: Rig, catch_ups: CatchUps, backfill: CatchUp) -> bool:
    """Nothing of the shop is to be fetched or delivered; what was put off has its time, without the wait."""
    rig.pass_time(20)
    time.sleep(0.5)
    lanes = [rig.relay.ledger.lane(name) for name in ("shop", source_lane("main"))]
    unread = rig.relay.ledger.payloads(PayloadStatus.RECEIVED, limit=ALL)
    read = not any(one.account == SHOP_ACCOUNT for one in unread)
    over = catch_ups.get(backfill.id).finished is not None
    return over and read and not any(one.waiting or one.in_flight for one in lanes)


def _count(rig: Rig, made_up: Sequence[MadeChat]) -> None:
    """Each chat has one ticket, under whichever of its two ids; one conversation; and what the API knows of it."""
    tickets = rig.desk.tickets()
    for chat in made_up:
        ids = [f"{SHOP_ACCOUNT}:{one}" for one in (chat.id, chat.hook["channel"]["id"])]
        number = sum(len(tickets.get(one, ())) for one in ids)
        kept = [one for one in ids if rig.server.client.exists(key("revisions", one))]
        if not number or not kept:
            rig.astray.append(f"{ids}: {number} tickets, {len(kept)} conversations")
        elif number > 1 or len(kept) > 1:
            rig.twice.append(f"{ids}: {number} tickets, {len(kept)} conversations")
        else:
            [newest] = rig.relay.ledger.newest([ConversationId(kept[0])])
            if not is_fetched(newest.payloads[-1].body):
                rig.astray.append(f"{ids}: without what the API knows")
