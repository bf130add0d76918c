"""Token buckets that all processes share."""

from __future__ import annotations

from typing import Any

import pytest

from core.store import RateLimit, connect
from tests.support.server import Server


def test_a_bucket_gives_what_it_holds_and_then_what_is_refilled(server: Server, clock: Any) -> None:
    one, other = RateLimit(connect(server.url), clock), RateLimit(connect(server.url), clock)
    assert [limit.take("b", 3, 0.5) for limit in (one, other, one)] == [0, 0, 0]
    assert one.take("b", 3, 0.5) == 2000
    clock.pass_by(1.5)
    assert other.take("b", 3, 0.5) == 500
    clock.pass_by(0.5)
    assert other.take("b", 3, 0.5) == 0
    assert one.take("b", 3, 0.5, 3) == 6000
    assert one.take("another", 3, 0.5, 3) == 0
    clock.pass_by(3600)
    assert one.take("b", 3, 0.5, 3) == 0
    assert one.take("b", 3, 0.5, 0.25) == 500


def test_a_refusal_writes_nothing_and_a_full_bucket_is_gone(server: Server, clock: Any) -> None:
    limit = RateLimit(connect(server.url), clock)
    limit.take("b", 2, 1, 2)
    before = server.client.dump("relay:bucket:b"), server.client.pttl("relay:bucket:b")
    assert 0 < before[1] <= 3000
    clock.pass_by(0.5)
    assert limit.take("b", 2, 1, 2) == 1500
    assert server.client.dump("relay:bucket:b") == before[0]
    limit.refill("b")
    assert limit.take("b", 2, 1, 2) == 0


def test_a_clock_that_is_set_back_gives_nothing_away(server: Server, clock: Any) -> None:
    limit = RateLimit(connect(server.url), clock)
    limit.take("b", 1, 1)
    clock.pass_by(-3600)
    assert limit.take("b", 1, 1) == 1000
    clock.pass_by(3600.5)
    assert limit.take("b", 1, 1) == 500


@pytest.mark.parametrize("arguments", [(1, 1, 2), (1, 0, 1), (1, 1, 0), (1, 1, -1)])
def test_what_a_bucket_can_never_give_is_a_mistake(server: Server, arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="bucket"):
        RateLimit(connect(server.url)).take("b", *arguments)
