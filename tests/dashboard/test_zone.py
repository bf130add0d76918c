"""Days are those of whoever looks: yesterday's chat of half past midnight is in yesterday."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.dashboard.view.filters import asked
from app.dashboard.view.zone import COOKIE
from core.store import Store, connect
from tests.conftest import Clock
from tests.support import made
from tests.support.admin import Admin, admin
from tests.support.server import Server

#: 2026-11-22 23:30 UTC, which is half past midnight of the next day in Prague.
LATE = 1_795_390_200_000


@pytest.fixture
def page(server: Server, tmp_path: Path, clock: Clock) -> Admin:
    store = Store(connect(server.url), clock)
    clock.now = LATE
    made.chats(store, 1, archive=None)
    return admin(server, tmp_path)


def found(page: Admin, day: str) -> bool:
    return "/conversations/1:1" in page.get(f"/conversations?from={day}&to={day}").text


def in_zone(page: Admin, zone: str) -> None:
    page.client.set_cookie(COOKIE, zone)


def test_a_day_is_that_of_the_browsers_zone(page: Admin) -> None:
    in_zone(page, "Europe/Prague")
    assert found(page, "2026-11-23")
    assert not found(page, "2026-11-22")
    assert "From (Europe/Prague)" in page.get("/conversations").text


@pytest.mark.parametrize(
    "cookie", ["", "Nowhere/Town", "Europe", "../../etc/passwd", "/etc/passwd", "x" * 500, "a\x00b"]
)
def test_without_a_zone_that_there_is_a_day_is_one_of_utc(page: Admin, cookie: str) -> None:
    in_zone(page, cookie)
    assert found(page, "2026-11-22")
    assert not found(page, "2026-11-23")
    assert "From (UTC)" in page.get("/conversations").text


def test_a_bulk_job_means_and_says_the_same_days(page: Admin) -> None:
    in_zone(page, "America/New_York")
    assert found(page, "2026-11-22")
    query = {"action": "replay", "from": "2026-11-22", "to": "2026-11-22"}
    assert "1 chat" in page.get("/conversations/bulk", query_string=query).text
    started = page.submit("/conversations/bulk", **query)
    told = page.get(started.headers["Location"]).text
    assert told.count("2026-11-22") == 2
    assert "2026-11-21" not in told
    assert "2026-11-23" not in told


def test_a_day_of_23_hours_ends_at_midnight() -> None:
    """The clock goes forward on 29 March 2026 in Prague."""
    day = asked({"from": "2026-03-29", "to": "2026-03-29"}, (), ZoneInfo("Europe/Prague")).filter
    assert day.since is not None
    assert day.until is not None
    assert day.until - day.since == 23 * 3_600_000


def test_the_hours_of_a_chart_are_those_of_the_zone(page: Admin) -> None:
    in_zone(page, "Asia/Kolkata")
    titles = re.findall(r"<title>([^<]*?: \d+ received[^<]*)</title>", page.get("/").text)
    assert titles
    assert all(re.search(r"\d\d:30 – .*\d\d:30 IST: ", title) for title in titles)
