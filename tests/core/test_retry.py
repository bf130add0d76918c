"""The long schedule: 30 s to 12 h, three days in all, and the vendor's wish before it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.retry import DAY, GIVE_UP, HOUR, LONGEST_RETRY_AFTER, MINUTE, SCHEDULE, SHORTEST_RETRY_AFTER, next_try


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [
        (1, 30),
        (2, 2 * MINUTE),
        (3, 10 * MINUTE),
        (4, 30 * MINUTE),
        (5, HOUR),
        (6, 3 * HOUR),
        (7, 6 * HOUR),
        (8, 12 * HOUR),
        (9, 12 * HOUR),
        (1000, 12 * HOUR),
    ],
)
def test_it_waits_as_the_schedule_says_and_up_to_a_tenth_longer(tries: int, seconds: int) -> None:
    waits = [next_try(tries, 0.0) for _ in range(300)]
    assert all(wait is not None and seconds <= wait <= seconds * 1.1 for wait in waits)
    assert len(set(waits)) > 100  # what failed together does not come back together


def test_no_wait_is_shorter_than_the_one_before_it() -> None:
    assert all(later > earlier * 1.1 for earlier, later in pairwise(SCHEDULE))


@pytest.mark.parametrize("asked", [1.0, 7.5, 45, 5 * HOUR, DAY])
@pytest.mark.parametrize("tries", [1, 8])
def test_what_the_vendor_asks_for_wins(asked: float, tries: int) -> None:
    assert next_try(tries, 0.0, asked) == asked


@pytest.mark.parametrize("asked", [DAY + 1, 400 * DAY, float("inf")])
def test_but_not_for_longer_than_a_day(asked: float) -> None:
    assert next_try(1, 0.0, asked) == LONGEST_RETRY_AFTER == DAY


@pytest.mark.parametrize("asked", [0.0, -5.0, 0.01])
def test_and_never_without_a_pause(asked: float) -> None:
    assert next_try(1, 0.0, asked) == SHORTEST_RETRY_AFTER > 0


@pytest.mark.parametrize("asked", [None, 60.0])
def test_it_gives_up_after_three_days(asked: float | None) -> None:
    assert GIVE_UP == 3 * DAY
    assert next_try(3, GIVE_UP - 1, asked) is not None
    assert next_try(3, GIVE_UP, asked) is None
    assert next_try(1, GIVE_UP * 10, asked) is None


def test_a_delivery_that_always_fails_is_tried_for_three_days_and_not_for_ever() -> None:
    waited, tries = 0.0, 1
    while (wait := next_try(tries, waited)) is not None:
        waited, tries = waited + wait, tries + 1
    assert 3 * DAY <= waited <= 3.7 * DAY
    assert 12 <= tries <= 15
