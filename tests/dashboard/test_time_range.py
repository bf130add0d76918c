"""One control for the time that a page is about, in the days of whoever looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.dashboard.view.over_time.charts import Series, chart
from app.dashboard.view.over_time.ranges import NAMED, OF_DAYS, days_of, time_range
from app.dashboard.view.zone import COOKIE
from core.store import Store, connect
from core.store.protocol.keys import key
from tests.support.admin import Admin, admin
from tests.support.made import chats
from tests.support.server import Server

HOUR = 3_600_000
PRAGUE = ZoneInfo("Europe/Prague")
#: 2026-11-22 23:30 UTC, which is half past midnight of the next day in Prague.
LATE = 1_795_390_200_000


def at(text: str, zone: ZoneInfo = PRAGUE) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("name", "begins", "ends", "bars"),
    [
        ("today", "2026-11-23", "2026-11-24", 24),
        ("yesterday", "2026-11-22", "2026-11-23", 24),
        ("week", "2026-11-17", "2026-11-24", 28),
        ("month", "2026-10-25", "2026-11-24", 30),
    ],
)
def test_days_begin_at_midnight_of_the_viewers_zone(name: str, begins: str, ends: str, bars: int) -> None:
    found = time_range({"span": name}, LATE, PRAGUE)
    edges = found.stretch.edges
    assert (edges[0], edges[-1], len(edges) - 1) == (at(begins), at(ends), bars)
    assert found.query == {"span": name}
    assert days_of(name, LATE, PRAGUE) == {"from": begins, "to": str(datetime.fromisoformat(ends) - timedelta(1))[:10]}


@pytest.mark.parametrize(
    ("first", "last", "step", "bars"),
    [
        ("2026-11-22", "2026-11-22", "hour", 24),
        ("2026-10-25", "2026-10-25", "hour", 25),  # clocks were put back
        ("2026-03-29", "2026-03-29", "hour", 23),
        ("2026-11-16", "2026-11-22", "6 hours", 28),
        ("2026-03-25", "2026-04-01", "6 hours", 32),
        ("2026-10-01", "2026-11-22", "day", 53),
        ("2026-06-01", "2026-11-22", "week", 25),
        ("2025-11-24", "2026-11-23", "month", 13),
    ],
)
def test_from_one_day_to_another_both_are_whole(first: str, last: str, step: str, bars: int) -> None:
    found = time_range({"from": first, "to": last, "span": "hour"}, LATE, PRAGUE)
    edges = found.stretch.edges
    assert (edges[0], edges[-1]) == (at(first), at(last) + _length(last))
    assert (found.step, len(edges) - 1, found.errors) == (step, bars, {})
    assert all(one < two for one, two in pairwise(edges))
    assert found.query == {"from": first, "to": last}
    assert len(found.marks) <= 8
    assert found.marks[0].at == 0


def _length(day: str) -> int:
    return at(str(datetime.fromisoformat(day) + timedelta(1))[:10]) - at(day)


@pytest.mark.parametrize(
    ("first", "last", "wrong"),
    [
        ("2026-11-22", "2026-11-20", {"to": "This is before “From”."}),
        ("2026-11-24", "2026-11-25", {"from": "This day has not come yet."}),
        ("2025-10-01", "2025-10-02", {"from": "Figures are kept for 400 days."}),
        ("", "2026-11-20", {"from": "The first day is missing."}),
        ("20.11.2026", "x", {"from": "Write a day as 2026-11-22.", "to": "Write a day as 2026-11-22."}),
    ],
)
def test_days_that_cannot_be_meant_are_an_error_at_their_field(first: str, last: str, wrong: dict[str, str]) -> None:
    found = time_range({"from": first, "to": last}, LATE, PRAGUE)
    assert (found.name, found.errors) == ("day", wrong)
    assert found.values == {"from": first, "to": last}


def test_what_has_not_come_yet_is_left_out_and_no_end_means_until_today() -> None:
    for last in ("2026-12-31", ""):
        assert time_range({"from": "2026-11-20", "to": last}, LATE, PRAGUE).stretch.edges[-1] == at("2026-11-24")


def test_in_a_zone_of_half_hours_a_day_begins_with_the_hour_in_which_it_does() -> None:
    edges = time_range({"span": "today"}, LATE, ZoneInfo("Asia/Kolkata")).stretch.edges
    assert edges[0] == at("2026-11-23", ZoneInfo("Asia/Kolkata")) - HOUR // 2
    assert {edge % HOUR for edge in edges} == {0}


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"])
def test_in_any_zone_words_below_a_chart_are_those_of_its_days(zone: str) -> None:
    for name in NAMED:
        assert time_range({"span": name}, LATE, ZoneInfo(zone)).marks
    week = time_range({"span": "week"}, LATE, ZoneInfo(zone))
    first, last = days_of("week", LATE, ZoneInfo(zone)).values()
    spelled = [f"{datetime.fromisoformat(day):%-d %b}" for day in (first, last)]
    assert [week.marks[0].text, week.marks[-1].text, len(week.marks)] == [*spelled, 7]


def test_charts_of_days_say_days_and_those_of_hours_their_hours() -> None:
    def drawn(**query: str) -> tuple[list[str], str]:
        asked = time_range(query, LATE, PRAGUE)
        made = chart(asked, [Series("series-1", "In", (1,) * (len(asked.stretch.edges) - 1), "%(value)s in")], PRAGUE)
        return [one.text for one in made.times], made.slots[0].title

    assert drawn(span="today") == (["00:00", "06:00", "12:00", "18:00"], "23 Nov 00:00 – 01:00 CET: 1 in")
    assert drawn(span="week")[0] == ["17 Nov", "18 Nov", "19 Nov", "20 Nov", "21 Nov", "22 Nov", "23 Nov"]
    assert drawn(span="month")[1] == "25 Oct CEST: 1 in"
    times, title = drawn(**{"from": "2025-12-01", "to": "2026-11-22"})
    assert (times[0], times[-1], title) == ("Dec 2025", "Oct 2026", "1 Dec – 31 Dec CET: 1 in")


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    made = admin(server, tmp_path)
    made.client.set_cookie(COOKIE, "Europe/Prague")
    return made


def counted(server: Server, ms: int, number: int) -> None:
    server.client.hincrby(key("count", "hour", str(ms // HOUR)), "in:accepted", number)
    server.client.hincrby(key("count", "hour", str(ms // HOUR)), "out:archive:delivered", number)


def test_the_overview_and_a_connector_show_the_same_days(page: Admin, server: Server) -> None:
    now = datetime.now(UTC)
    first, last = (str((now - timedelta(ahead)).date()) for ahead in (90, 80))
    counted(server, at(first), 5)
    counted(server, at(first) - HOUR, 100)  # the evening before
    counted(server, at(last) + 23 * HOUR, 6)
    counted(server, at(last) + 24 * HOUR, 100)
    chats(Store(connect(server.url)), 1, archive=None)
    query = f"from={first}&to={last}"
    html = page.get(f"/?{query}").text
    assert re.search(r'Chats received</span>\s*<span class="tile-value">11<', html)
    assert f'data-live="/overview/live?from={first}&amp;to={last}"' in html
    assert 'aria-current="true"' not in html
    assert f'<a class="break" href="/connectors/archive?from={first}&amp;to={last}">' in html
    html = page.get(f"/connectors/archive?{query}").text
    assert "<dt>Delivered</dt><dd>11</dd>" in html
    assert f'data-live="/connectors/archive?from={first}&amp;to={last}"' in html
    assert f'value="{first}"' in html


@pytest.mark.parametrize("place", ["/", "/connectors/archive"])
def test_the_control_is_the_same_and_a_mistake_stands_at_its_field(page: Admin, place: str) -> None:
    html = page.get(f"{place}?from=2026-11-22&to=yesterday").text
    assert re.findall(r'href="[^"]*\?span=(\w+)', html) == [*NAMED]
    assert "Write a day as 2026-11-22." in html
    assert 'value="yesterday"' in html
    assert "From (Europe/Prague)" in html
    assert re.search(r'<details id="range-days" open>', html)


def test_chats_have_the_same_days_and_keep_their_other_filters(page: Admin) -> None:
    html = page.get("/conversations?q=ann&status=dead").text
    now = round(datetime.now(UTC).timestamp() * 1000)
    for name in OF_DAYS:
        days = days_of(name, now, PRAGUE)
        assert f"/conversations?q=ann&status=dead&from={days['from']}&to={days['to']}" in unescape(html)
        shown = page.get("/conversations", query_string={"q": "ann", **days}).text
        assert re.search(rf'aria-current="true">{NAMED[name][0]}<', shown), name
    assert re.search(r'href="/conversations\?q=ann&amp;status=dead" aria-current="true">Any time<', html)
