"""docs/privacy.md is true by the code: every kind of kept data stands in it, with the time for which it is kept."""

from __future__ import annotations

import re

from connectors.kit.people.settings import PeopleSettings
from core.config.editing import history
from core.config.settings import Retention
from core.store import jobs
from core.store.incidents import KEPT_MS as NOTICES_KEPT_MS
from core.store.protocol import keys
from core.store.protocol.constants import HOUR_KEPT_MS, MINUTE_KEPT_MS
from tests.support.package import ROOT

PAGE = (ROOT / "docs" / "privacy.md").read_text()
DAY = 86_400_000


def kinds() -> set[str]:
    """How keys begin, by the table of all keys."""
    table = keys.__doc__
    assert table
    names = re.findall(r"^\| ([a-z][^|]*?) *\|", table, re.MULTILINE)
    assert names[0] == "key"
    return {one.strip().split(":")[0] for row in names[1:] for one in row.split(",")}


def test_every_kind_of_key_stands_on_the_page_and_no_other() -> None:
    section = PAGE.partition("## What is kept")[2].partition("Outside of the store")[0]
    told = [row.split("|")[2] for row in section.splitlines() if row.startswith("| ")][1:]
    told += re.findall(r"^These hold no data.*?password\).*?$", section, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z-]+)`", " ".join(told)))
    assert named == kinds()
    assert len(named) > 50


def test_what_a_visitors_key_begins_with_is_in_the_table_and_not_among_those_that_hold_nothing() -> None:
    harmless = PAGE.partition("These hold no data of visitors:")[2].partition("\n\n")[0]
    for kind in ("raw", "payload", "summary", "delivery", "steps", "attempts", "person", "job", "backfill", "gate"):
        assert f"`{kind}`" in PAGE
        assert f"`{kind}`" not in harmless


def test_the_times_are_those_of_the_code() -> None:
    kept = Retention()
    assert kept.dead_days is None
    assert f"removed after {kept.settled_days:g} days; dead letters" in PAGE
    assert f"`settled_days` ({kept.settled_days:g}) and `dead_days` (never)" in PAGE
    assert f"`remember_days`, {PeopleSettings.model_fields['remember_days'].default} by default" in PAGE
    [job] = [row for row in PAGE.splitlines() if "`backfill`" in row and row.startswith("|")]
    assert job.endswith(f"| {jobs._KEPT_MS // DAY} days |")
    [alerts] = [row for row in PAGE.splitlines() if "`incidents`" in row]
    assert alerts.endswith("three days |")
    assert NOTICES_KEPT_MS == 3 * DAY
    assert MINUTE_KEPT_MS == 2 * 3_600_000
    assert f"two hours by the\nminute, {HOUR_KEPT_MS // DAY} days by the hour and the day" in PAGE
    assert f"(`config-history`, {history.KEPT_VERSIONS})" in PAGE
