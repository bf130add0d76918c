"""What workers share of a connector: one of them fetches a token, and the newest one is kept."""

from __future__ import annotations

from typing import Any

import pytest

from core.connector_state import ConnectorState, OwnState
from core.store import StoredState, connect
from tests.conftest import Clock
from tests.support.server import Server

KEY = "kRyPUPQ0RZxGAJvYQKbQpBpAhBDDeKKyWlpvyKxWrJg="
LEASE = 30_000


@pytest.fixture(params=["store", "own"])
def state(request: pytest.FixtureRequest, clock: Clock) -> ConnectorState:
    if request.param == "own":
        return OwnState(lambda: clock() / 1000)
    server: Server = request.getfixturevalue("server")
    return StoredState(connect(server.url), "desk", clock)


def test_one_of_them_may_fetch_and_the_others_get_what_it_has_kept(state: ConnectorState) -> None:
    assert state.take_token("client", 0, "a", LEASE).what == "renew"
    assert state.take_token("client", 0, "b", LEASE).what == "busy"
    assert state.keep_token("client", 0, "a", b"first") == 1
    found = state.take_token("client", 0, "b", LEASE)
    assert (found.what, found.version, found.kept) == ("new", 1, b"first")
    assert state.take_token("client", 1, "b", LEASE).what == "renew"


def test_whoever_fails_lets_the_next_one_try(state: ConnectorState) -> None:
    state.take_token("client", 0, "a", LEASE)
    state.release_token("somebody else")
    assert state.take_token("client", 0, "b", LEASE).what == "busy"
    state.release_token("a")
    assert state.take_token("client", 0, "b", LEASE).what == "renew"


def test_whoever_dies_is_waited_for_no_longer_than_its_lease(state: ConnectorState, clock: Clock) -> None:
    state.take_token("client", 0, "a", LEASE)
    clock.pass_by(LEASE / 1000 + 1)
    assert state.take_token("client", 0, "b", LEASE).what == "renew"


def test_who_was_late_keeps_his_only_while_there_is_no_newer_one(state: ConnectorState, clock: Clock) -> None:
    state.take_token("client", 0, "a", LEASE)
    clock.pass_by(LEASE / 1000 + 1)
    state.take_token("client", 0, "b", LEASE)
    # Nobody has kept any: a late one is better than none, and the newer one follows.
    assert state.keep_token("client", 0, "a", b"late") == 1
    assert state.keep_token("client", 0, "b", b"newer") == 2
    assert state.keep_token("client", 0, "a", b"late again") == 0
    assert state.take_token("client", 0, "c", LEASE).kept == b"newer"


def test_the_token_of_another_client_is_as_good_as_none(state: ConnectorState) -> None:
    state.take_token("client", 0, "a", LEASE)
    state.keep_token("client", 0, "a", b"first")
    found = state.take_token("other", 0, "b", LEASE)
    assert (found.what, found.kept) == ("renew", b"")
    assert state.keep_token("other", 0, "b", b"second") == 2
    assert state.take_token("other", 0, "c", LEASE).kept == b"second"


def test_what_is_kept_is_sealed(server: Server) -> None:
    state = StoredState(connect(server.url, keys=[KEY]), "desk")
    state.take_token("client", 0, "a", LEASE)
    state.keep_token("client", 0, "a", b"access-token-0123456789")
    redis: Any = server.client
    assert b"access-token" not in b"".join(redis.hgetall("relay:token:desk").values())
    # Without the key nobody can tell whose it is, and nothing of it is read.
    found = StoredState(connect(server.url), "desk").take_token("client", 0, "b", LEASE)
    assert (found.what, found.kept) == ("renew", b"")


def test_a_person_goes_by_every_name_that_was_noted_until_its_time_is_over(state: ConnectorState, clock: Clock) -> None:
    state.note_person(b"7", ["email:Ann@Example.com", "visitor:v1"], LEASE)
    state.note_person(b"8", ["email:bob@example.com"], LEASE)
    wanted = ["email:ann@example.com", "visitor:v1", "email:bob@example.com", "phone:+420777123456"]
    assert state.persons(wanted) == [b"7", b"7", b"8", None]
    state.note_person(b"8", ["visitor:v1"], LEASE)  # somebody else at the same computer
    assert state.persons(wanted) == [b"7", b"8", b"8", None]
    if isinstance(state, OwnState):  # the server's own clock cannot be moved
        clock.pass_by(LEASE / 1000 + 1)
        assert state.persons(wanted) == [None] * 4


def test_a_person_who_died_is_forgotten_by_every_name(state: ConnectorState) -> None:
    state.note_person(b"7", ["email:ann@example.com"], LEASE)
    state.note_person(b"7", ["phone:+420777123456"], LEASE)
    state.note_person(b"8", ["email:bob@example.com"], LEASE)
    state.forget_person(b"7")
    state.forget_person(b"9")
    wanted = ["email:ann@example.com", "phone:+420777123456", "email:bob@example.com"]
    assert state.persons(wanted) == [None, None, b"8"]
