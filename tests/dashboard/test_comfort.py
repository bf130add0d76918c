"""Tabs with counts, the list of all pages, and the theme."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from app.dashboard.view.views import ViewCounts
from core.delivery import Nowhere, Outcome
from core.ids import ConversationId
from core.store import Filter, Search, Store, connect
from core.store.claims import Reading
from tests.support.admin import Admin, admin
from tests.support.made import chats, conversation
from tests.support.server import Server
from tests.support.stack import chat

CONFIG = json.dumps({"connectors": {name: {"type": "archive", "folder": name} for name in ("crm", "desk")}})


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


def tabs(html: str) -> dict[str, tuple[str, bool]]:
    """Count of each view, and whether it is the one that is shown."""
    part = re.search(r'<nav class="views".*?</nav>', html, re.DOTALL)
    assert part
    found = re.findall(r'<a href="[^"]*"( aria-current="page")?>(.*?) <span class="num">(.*?)</span></a>', part[0])
    return {label: (re.sub(r"<[^>]+>", "", count), bool(current)) for current, label, count in found}


def several(store: Store) -> None:
    chats(store, 3, crm=Outcome.DELIVERED)
    for number in (11, 12):
        conversation(store, chat(channel={"id": number, "isMissed": True}), crm=None)
    conversation(store, chat(channel={"id": 13, "isOffline": True}), crm=None)
    store.accept(chat(20))
    claim = store.claim("inbox", "t")
    assert claim
    store.fan_out_each([Reading(claim, ConversationId("1:20"), (), why=Nowhere.NO_ROUTE)])


@pytest.mark.parametrize(
    ("query", "current"),
    [("", "All"), ("?missed=1", "Missed"), ("?offline=1", "Offline"), ("?status=undelivered", "Not delivered")],
)
def test_each_view_has_its_count_and_the_one_that_is_shown_says_so(
    page: Admin, store: Store, query: str, current: str
) -> None:
    several(store)
    found = tabs(page.get(f"/conversations{query}").text)
    assert {label: count for label, (count, _) in found.items()} == {
        "All": "7",
        "Missed": "2",
        "Offline": "1",
        "Not delivered": "1",
    }
    assert [label for label, (_, shown) in found.items() if shown] == [current]


def test_a_search_is_no_view(page: Admin) -> None:
    assert not any(shown for _, shown in tabs(page.get("/conversations?q=ann&missed=1").text).values())


def test_a_count_is_kept_for_a_moment_and_says_when_there_may_be_more(
    server: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = [100.0], list[Filter]()
    search = Search(connect(server.url))
    count = search.count

    def noted(wanted: Filter, seconds: float | None = None) -> tuple[int, bool]:
        asked.append(wanted)
        return count(wanted, seconds)

    monkeypatch.setattr(search, "count", noted)
    counts = ViewCounts(search, lambda: now[0])
    several(store)
    monkeypatch.setattr("app.dashboard.view.views.url_for", lambda page, **query: page)
    counts.views(Filter())
    conversation(store, chat(channel={"id": 14, "isMissed": True}), crm=None)
    assert [one.count for one in counts.views(Filter())] == [8, 2, 1, 1]
    assert [one.tags for one in asked].count(("missed",)) == 1
    now[0] += 15
    assert [one.count for one in counts.views(Filter())] == [8, 3, 1, 1]
    monkeypatch.setattr(search, "count", lambda wanted, seconds=None: (2, False))
    now[0] += 15
    assert [one.whole for one in counts.views(Filter())] == [False] * 4


def test_the_list_of_all_pages_has_every_connector_and_each_link_works(page: Admin, store: Store) -> None:
    chats(store, 1, gone=None)
    html = page.get("/go").text
    part = html[html.index('id="go"') : html.index("</ul>", html.index('id="go"'))]
    links = {
        re.sub(r"<[^>]+>", "", label).strip(): unescape(url)
        for url, label in re.findall(r'<a href="([^"]+)">(.*?)</a>', part)
    }
    assert {"Overview", "Connector crm", "Settings of desk", "Chats of gone", "Deliveries: dead letter"} <= links.keys()
    assert "Settings of gone" not in links
    for label, url in links.items():
        assert page.get(url).status_code == 200, label


def test_the_theme_is_the_browsers_until_somebody_chooses(page: Admin) -> None:
    def dark(html: str) -> str:
        found = re.search(r'<link rel="stylesheet" href="/static/dark\.css[^"]*"([^>]*)>', html)
        return found[1].strip() if found else "none"

    before = page.get("/connectors").text
    assert dark(before) == 'media="(prefers-color-scheme: dark)"'
    assert "data-theme" not in before
    answer = page.submit("/theme", theme="dark", back="/connectors")
    assert (answer.status_code, answer.location) == (303, "/connectors")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    chosen = page.get("/connectors").text
    assert dark(chosen) == ""
    assert '<html lang="en" data-theme="dark">' in chosen
    page.submit("/theme", theme="light")
    assert dark(page.get("/").text) == "none"
    page.submit("/theme", theme="<script>")
    assert dark(page.get("/").text) == dark(before)


def test_the_theme_leads_nowhere_else_and_back_to_what_can_be_opened(page: Admin) -> None:
    assert page.submit("/theme", theme="dark", back="https://evil.example/").location == "/"
    assert 'name="back" value="/conversations?missed=1"' in page.get("/conversations?missed=1").text
    answered = page.submit("/connectors/crm/check").text
    assert 'class="theme"' in answered
    assert 'name="back" value="/"' in answered
