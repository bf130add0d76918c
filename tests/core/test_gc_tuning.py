"""Nothing that a visitor wrote waits for Python's search for garbage, and nothing that was replaced stays."""

from __future__ import annotations

import gc
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest

from connectors.webhook import Webhook, WebhookSettings
from core.delivery import Outcome
from core.errors import RetryLater
from core.gc_tuning import loaded, replaced
from core.ids import ConversationId
from core.store import INBOX, Store
from tests.support.destination import Destination
from tests.support.stack import chat
from workers.celery import in_background
from workers.delivery import deliver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def by_counting() -> Iterator[None]:
    """What goes now goes because nobody holds it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def webhook(url: str) -> Webhook:
    settings = {"type": "webhook", "url": url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"], "timeout": 2}
    return Webhook("hook", WebhookSettings.model_validate(settings), Path())


def nowhere() -> str:
    """An address at which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("by_counting")
@pytest.mark.parametrize("how", ["500", "refused", "delivered"])
def test_an_attempt_leaves_nothing_behind(store: Store, destination: Destination, how: str) -> None:
    if how == "500":
        destination.behaviour = lambda handler, _: handler.answer(500)
    store.accept(chat("c1"))
    body = store.claim(INBOX, "t1")
    assert body
    store.fan_out(body, ConversationId("1:c1"), ["hook"])
    claim = store.claim("hook", "t2")
    assert claim
    connector = webhook(nowhere() if how == "refused" else destination.url)
    attempt, _ = deliver(store, claim, connector, "")
    assert attempt.outcome is (Outcome.DELIVERED if how == "delivered" else Outcome.RETRY)
    gone = weakref.ref(claim)
    del claim, attempt
    assert gone() is None
    assert connector.http._own.exchanges == []


def test_a_connector_that_was_replaced_goes_with_its_connections(destination: Destination) -> None:
    connector = webhook(destination.url)
    connector.http.request("POST", destination.url, data=b"1")
    gone = weakref.ref(connector.http)
    (idle,) = connector.http._transport._idle.values()
    open_still = weakref.ref(idle[0][0])
    loaded()
    try:
        del connector, idle
        replaced()
        gc.collect()
        assert gone() is None
        assert open_still() is None
    finally:
        gc.set_threshold(700, 10, 10)


def test_a_request_when_the_attempt_is_over_is_neither_sent_nor_noted(destination: Destination) -> None:
    http = webhook(destination.url).http
    with http.attempt() as exchanges:
        http.request("POST", destination.url, data=b"1")
        http._clock.ends = time.monotonic()
        with pytest.raises(RetryLater, match="longer than it may"):
            http.request("POST", destination.url, data=b"2")
    assert len(exchanges) == len(destination.received) == 1


def test_a_knock_that_hangs_holds_nobody_up() -> None:
    knocked: SimpleQueue[str] = SimpleQueue()
    go = threading.Event()

    def knock(lane: str) -> None:
        assert go.wait(60)
        knocked.put(lane)

    later = in_background(knock)
    for lane in "abc":
        later(lane)  # or nobody would get to the next line
    go.set()
    assert [knocked.get(timeout=60) for _ in range(3)] == ["a", "b", "c"]


def test_a_knock_that_fails_unexpectedly_does_not_keep_the_next_ones() -> None:
    knocked: SimpleQueue[str] = SimpleQueue()

    def knock(lane: str) -> None:
        if lane == "a":
            raise ValueError("nobody thought of this")
        knocked.put(lane)

    later = in_background(knock)
    for lane in "abc":
        later(lane)
    assert [knocked.get(timeout=60), knocked.get(timeout=60)] == ["b", "c"]
