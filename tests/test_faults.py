"""What was answered with 202 arrives, whatever dies. (The long suite is a chapter of its own.)"""

from __future__ import annotations

import threading
import time
from collections import Counter

import requests

from tests.support.destination import Destination
from tests.support.stack import Stack, chat, kill, until
from tests.test_pipeline import config, webhook


def delivered(relay: Stack) -> int:
    return relay.ledger.lane("hook").counts["delivered"]


def test_a_worker_killed_in_the_middle_of_500_deliveries_loses_none(relay: Stack, destination: Destination) -> None:
    def slow(handler: object, number: int) -> None:
        time.sleep(0.05)
        handler.answer(200)  # type: ignore[attr-defined]

    destination.behaviour = slow
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    for number in range(500):
        assert relay.post(chat(f"c{number}")).status_code == 202
    for share in (50, 200):
        worker = relay.worker()
        until(lambda share=share: delivered(relay) >= share, what=f"{share} deliveries")  # type: ignore[misc]
        kill(worker)
    assert delivered(relay) < 500
    relay.worker()
    back = time.monotonic()
    until(lambda: delivered(relay) == 500, 60, what="all 500")
    took = time.monotonic() - back
    # An item that was in flight may be delivered twice; the repeat carries the same webhook-id.
    arrived = Counter(one.headers["webhook-id"] for one in destination.received)
    assert len(arrived) == 500
    assert sum(arrived.values()) <= 500 + 2 * 16
    assert took < 15
    assert relay.ledger.lane("hook").counts["dead"] == 0


def test_a_killed_server_loses_nothing_that_was_accepted(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    accepted: list[str] = []
    refused: list[int] = []
    over = threading.Event()

    def shop(name: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            identity = f"{name}-{number}"
            try:
                answer = relay.post(chat(identity))
            except requests.RequestException:
                continue
            accepted.append(identity) if answer.status_code == 202 else refused.append(answer.status_code)

    shops = [threading.Thread(target=shop, args=(name,)) for name in "abcd"]
    for thread in shops:
        thread.start()
    for _ in range(3):
        time.sleep(1.5)
        relay.server.kill()
        time.sleep(0.3)
        relay.server.start()
    time.sleep(1)
    over.set()
    for thread in shops:
        thread.join()
    assert len(accepted) > 100
    assert set(refused) <= {503}
    until(lambda: delivered(relay) >= len(accepted), 60, what=f"all {len(accepted)}")
    missing = {f"1:{identity}" for identity in accepted} - set(destination.conversations())
    assert missing == set()
    assert relay.ledger.lane("hook").counts["dead"] == 0


def test_a_worker_that_is_told_to_stop_finishes_what_it_holds(relay: Stack, destination: Destination) -> None:
    def slow(handler: object, number: int) -> None:
        time.sleep(2)
        handler.answer(200)  # type: ignore[attr-defined]

    destination.behaviour = slow
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    worker = relay.worker()
    for number in range(40):
        relay.post(chat(f"c{number}"))
    until(lambda: len(destination.received) >= 8, what="deliveries in flight")
    worker.terminate()
    assert worker.wait(timeout=30) == 0
    lane = relay.ledger.lane("hook")
    assert lane.in_flight == 0
    assert lane.counts["delivered"] == len(destination.received) < 40
    relay.worker()
    until(lambda: delivered(relay) == 40, 60, what="the rest")
    assert len(destination.received) == 40


def test_a_frozen_server_is_waited_for(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("before"))
    until(lambda: delivered(relay) == 1)
    relay.server.freeze()
    assert relay.post(chat("during")).status_code == 503
    time.sleep(2)
    relay.server.thaw()
    assert relay.post(chat("after")).status_code == 202
    until(lambda: {"1:before", "1:after"} <= set(destination.conversations()), 60)
    assert relay.ledger.lane("hook").counts["dead"] == 0


def test_two_workers_share_the_work_and_do_nothing_twice(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.worker()
    for number in range(200):
        relay.post(chat(f"c{number}"))
    until(lambda: delivered(relay) == 200, 60)
    assert sorted(destination.conversations()) == sorted(f"1:c{number}" for number in range(200))
    workers = {relay.ledger.delivery(f"hook:1:c{number}").attempts[0].worker for number in range(200)}
    assert len(workers) == 2
