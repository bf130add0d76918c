"""Deadlines in business hours: over nights, holidays, and the days on which clocks change."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.config.business_hours import BusinessHours, due_after

SHOP: dict[str, Any] = {
    "time_zone": "Europe/Prague",
    "open": {"mon-fri": "8:00-12:00, 13:00-16:00", "Saturday": "22:00-24:00"},
    "closed": ["12-24", date(2026, 12, 25)],
}


def hours(**more: Any) -> BusinessHours:
    return BusinessHours.model_validate({**SHOP, **more})


@pytest.mark.parametrize(
    ("asked", "length", "due"),
    [
        # A Friday afternoon: half an hour is left, then two on Saturday night, then it is Monday.
        ("2026-11-27T15:30+01:00", {"hours": 4}, "2026-11-30T09:30+01:00"),
        ("2026-11-27T15:30+01:00", {"hours": 1}, "2026-11-28T22:30+01:00"),
        ("2026-11-27T15:30+01:00", {"minutes": 30}, "2026-11-27T16:00+01:00"),
        # Over lunch, at night, and on a Sunday.
        ("2026-11-26T11:30+01:00", {"hours": 1}, "2026-11-26T13:30+01:00"),
        ("2026-11-25T23:00+01:00", {"hours": 1}, "2026-11-26T09:00+01:00"),
        ("2026-11-29T10:00+01:00", {"hours": 1}, "2026-11-30T09:00+01:00"),
        # Days are days on which somebody is there, at the same time of day as far as somebody is there then.
        ("2026-11-23T10:00+01:00", {"days": 1}, "2026-11-24T10:00+01:00"),
        ("2026-11-23T07:00+01:00", {"days": 1}, "2026-11-24T08:00+01:00"),
        ("2026-11-23T12:30+01:00", {"days": 1}, "2026-11-24T13:00+01:00"),
        ("2026-11-23T19:00+01:00", {"days": 1}, "2026-11-24T16:00+01:00"),
        ("2026-11-27T10:00+01:00", {"days": 2}, "2026-11-30T10:00+01:00"),
        # Two holidays, of which one is every year's.
        ("2026-12-23T15:00+01:00", {"hours": 2}, "2026-12-26T23:00+01:00"),
        ("2027-12-23T15:00+01:00", {"hours": 2}, "2027-12-25T23:00+01:00"),
        # In the night to 25 October the clock is put back: Sunday has 25 hours, and nobody is there.
        ("2026-10-24T23:30+02:00", {"hours": 1}, "2026-10-26T08:30+01:00"),
    ],
)
def test_a_deadline(asked: str, length: dict[str, float], due: str) -> None:
    found = hours().after(datetime.fromisoformat(asked), timedelta(**length))
    assert found == datetime.fromisoformat(due)


def test_an_hour_is_an_hour_when_the_clock_changes() -> None:
    always = hours(open={"mon-sun": "0:00-24:00"}, closed=[])
    for asked in ("2026-10-25T00:30+02:00", "2026-03-29T00:30+01:00"):
        moment = datetime.fromisoformat(asked)
        assert always.after(moment, timedelta(hours=5)) - moment == timedelta(hours=5)


WEEK = {**dict.fromkeys(range(5), ((8, 12), (13, 16))), 5: ((22, 24),)}
OFF = {(12, 24)}


def somebody_is_there(minute: datetime) -> bool:
    local = minute.astimezone(ZoneInfo("Europe/Prague"))
    off = (local.month, local.day) in OFF or local.date() == date(2026, 12, 25)
    return not off and any(opens <= local.hour < closes for opens, closes in WEEK.get(local.weekday(), ()))


@given(st.integers(0, 600 * 24 * 60), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_as_many_minutes_as_asked_for_lie_between_in_which_somebody_was_there(after: int, minutes: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=after)
    due = hours().after(moment, timedelta(minutes=minutes))
    between = int((due - moment) / timedelta(minutes=1))
    assert sum(somebody_is_there(moment + timedelta(minutes=one)) for one in range(between)) == minutes
    assert somebody_is_there(due - timedelta(minutes=1))


def test_without_business_hours_time_goes_by_as_it_does() -> None:
    moment = datetime(2026, 11, 29, 10, tzinfo=UTC)
    assert due_after(moment, timedelta(hours=4), None) == moment + timedelta(hours=4)
    assert due_after(moment, timedelta(hours=4), hours()) == datetime(2026, 11, 30, 11, tzinfo=UTC)


def test_a_shop_that_is_never_open_has_deadlines_all_the_same() -> None:
    closed = [f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32) if (month, day) <= (12, 31)]
    never = hours(closed=[one for one in closed if _is_a_day(one)])
    moment = datetime(2026, 11, 29, 10, tzinfo=UTC)
    assert never.after(moment, timedelta(hours=4)) == moment + timedelta(hours=4)
    assert never.after(moment, timedelta(days=1)) == moment + timedelta(days=1)


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(f"2024-{text}")
    except ValueError:
        return False
    return True


def test_a_copy_in_another_process_is_the_same() -> None:
    shop = hours()
    moment = datetime(2026, 11, 29, 10, tzinfo=UTC)
    shop.after(moment, timedelta(hours=1))
    copy = pickle.loads(pickle.dumps(shop))  # noqa: S301  # our own
    assert copy == shop
    assert copy.after(moment, timedelta(hours=1)) == shop.after(moment, timedelta(hours=1))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"time_zone": "Prague"}, "'Prague' is not a time zone; write one such as Europe/Prague"),
        ({"open": {}}, "names no day"),
        ({"open": {"monday to friday": "8:00-16:00"}}, "is not a day; write mon, or mon-fri"),
        ({"open": {"fri-mon": "8:00-16:00"}}, "the week begins on Monday"),
        ({"open": {"mon": "8-16"}}, "write times such as 8:00-16:30"),
        ({"open": {"mon": "8:00-16:75"}}, "has a time that no day has"),
        ({"open": {"mon": "16:00-8:00"}}, "ends before it begins"),
        ({"open": {"mon": "8:00-12:00, 11:00-16:00"}}, "has times that overlap"),
        ({"open": {"mon-wed": "8:00-12:00", "wed": "13:00-16:00"}}, "wed is in 'mon-wed' and in 'wed'"),
        ({"closed": ["Christmas"]}, "write a date: 2026-12-24, or 12-24 for every year"),
        ({"closed": ["2026-02-30"]}, "write a date"),
    ],
)
def test_a_mistake_says_what_to_type(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        hours(**wrong)
