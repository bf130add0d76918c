"""What hardly changes is asked for once by all workers, for a while."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kit.wire import cache
from connectors.kit.wire.cache import Cache
from core.connector_state import ConnectorState, OwnState
from core.store import StoredState, connect
from tests.conftest import Clock
from tests.support.server import Server

KEY = "kRyPUPQ0RZxGAJvYQKbQpBpAhBDDeKKyWlpvyKxWrJg="


@pytest.fixture(params=["store", "own"])
def state(request: pytest.FixtureRequest) -> ConnectorState:
    if request.param == "own":
        return OwnState()
    server: Server = request.getfixturevalue("server")
    return StoredState(connect(server.url), "desk")


class Vendor:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        return {"agents": [self.asked]}


def made(state: ConnectorState, settings: str = "acme", *, pretends: bool = False) -> Cache:
    return Cache(lambda: state, settings, lambda: pretends)


def test_it_is_asked_for_once_by_all_workers(state: ConnectorState) -> None:
    ask = Vendor()
    for _ in range(3):
        assert made(state).get("agents", ask) == {"agents": [1]}
    assert ask.asked == 1


def test_other_names_and_other_settings_are_other_answers(state: ConnectorState) -> None:
    ask = Vendor()
    made(state).get("agents", ask)
    assert made(state).get("labels", ask) == {"agents": [2]}
    assert made(state, "another account").get("agents", ask) == {"agents": [3]}


def test_it_is_asked_for_again_when_it_was_refused_or_must_be_sure(state: ConnectorState) -> None:
    ask = Vendor()
    made(state).get("agents", ask)
    made(state).forget("agents")
    assert made(state).get("agents", ask) == {"agents": [2]}
    assert made(state).get("agents", ask, anew=True) == {"agents": [3]}
    assert made(state).get("agents", ask) == {"agents": [3]}


def test_its_time_is_over() -> None:
    clock = Clock()
    state, ask = OwnState(lambda: clock() / 1000), Vendor()
    made(state).get("agents", ask, life=60)
    clock.pass_by(59)
    assert made(state).get("agents", ask, life=60) == {"agents": [1]}
    clock.pass_by(2)
    assert made(state).get("agents", ask, life=60) == {"agents": [2]}


def test_the_store_lets_go_of_it_by_itself_and_keeps_it_sealed(server: Server) -> None:
    redis: Any = server.client
    made(StoredState(connect(server.url, keys=[KEY]), "desk")).get("agents", lambda: ["ann@example.com"], life=60)
    [kept] = redis.keys("relay:cache:desk:*")
    assert 0 < redis.pttl(kept) <= 60_000
    assert b"ann@example.com" not in redis.get(kept)


def test_a_preview_remembers_nothing_and_asks_nobody_else(state: ConnectorState) -> None:
    ask = Vendor()
    made(state).get("agents", ask)
    assert made(state, pretends=True).get("agents", ask) == {"agents": [2]}
    made(state, pretends=True).forget("agents")
    assert made(state).get("agents", ask) == {"agents": [1]}


def test_what_is_too_long_is_not_remembered(state: ConnectorState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_LONGEST", 10)
    ask = Vendor()
    made(state).get("agents", ask)
    assert made(state).get("agents", ask) == {"agents": [2]}


def test_what_a_vendor_refuses_to_say_is_not_remembered(state: ConnectorState) -> None:
    def refused() -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        made(state).get("agents", refused)
    assert made(state).get("agents", Vendor()) == {"agents": [1]}
