"""What a worker remembers of what it has read."""

from __future__ import annotations

from typing import Any

import pytest

from core.ids import PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import Claim
from tests.support.stack import chat
from workers import parse_cache
from workers.parse_cache import PART_BYTES, REMEMBERED_SECONDS, ParseCache, weight


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that are read anew."""
    found: list[bytes] = []

    def noted(body: bytes, account: str) -> Any:
        found.append(body)
        return parse_conversation(body, account)

    monkeypatch.setattr(parse_cache, "parse_conversation", noted)
    return found


def claim(number: int) -> Claim:
    body = chat(f"c{number}")
    return Claim("inbox", PayloadId(f"p{number}"), "t", 0, False, PayloadId(f"p{number}"), "", 0, body)


def add(there: ParseCache, *numbers: int) -> None:
    for number in numbers:
        there.add(claim(number), parse_conversation(claim(number).body))


def test_what_was_read_is_not_read_again(reads: list[bytes]) -> None:
    there = ParseCache()
    add(there, 1)
    assert there.conversation(claim(1)).id == "c1"
    assert reads == []
    assert there.conversation(claim(2)).id == "c2"
    assert reads == [claim(2).body]


def test_the_oldest_make_room(reads: list[bytes]) -> None:
    there = ParseCache(limit=2 * weight(claim(1), parse_conversation(claim(1).body)))
    add(there, 1, 2, 1, 3)  # the second time, 1 is newer than 2
    for number in (1, 3, 2):
        assert there.conversation(claim(number)).id == f"c{number}"
    assert reads == [claim(2).body]


def test_one_that_is_larger_than_the_whole_memory_is_read_each_time(reads: list[bytes]) -> None:
    there = ParseCache(limit=10)
    add(there, 1)
    assert there.conversation(claim(1)).id == "c1"
    assert reads == [claim(1).body]


def test_nothing_is_remembered_for_long(reads: list[bytes], clock: Clock) -> None:
    there = ParseCache(clock=clock)
    add(there, 1)
    clock.now = REMEMBERED_SECONDS / 2
    add(there, 2)
    clock.now = REMEMBERED_SECONDS + 1
    there.forget_old()
    there.conversation(claim(2))
    assert reads == []
    there.conversation(claim(1))
    assert reads == [claim(1).body]


def test_what_has_many_small_parts_weighs_more_than_its_text() -> None:
    body = chat(messages=[{}] * 5_000)
    many = Claim("inbox", PayloadId("p"), "t", 0, False, PayloadId("p"), "", 0, body)
    assert weight(many, parse_conversation(body)) > 5_000 * PART_BYTES
