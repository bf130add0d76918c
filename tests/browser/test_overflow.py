"""Every page with the longest of everything, at nine widths: nothing sticks out, and no button is cut off.

Thirty connectors with names of 60 letters, in every state; errors of 2,000 characters; names and addresses without a
place to break.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from app.admin.connector_state import State
from app.dashboard.language.choice import LANGUAGE_COOKIE
from core.delivery import Attempt, Exchange, Outcome, PayloadStatus, Reference
from core.store import INBOX, Filter, Jobs, Store, connect
from core.store.claims import Limits
from core.store.sources.catch_ups import CatchUps, Comparison
from tests.support import hostile, made
from tests.support.admin import PASSWORD, web_app
from tests.support.browser import Tab
from tests.support.server import Server
from tests.support.stack import chat

WIDTHS = (320, 480, 641, 768, 911, 1024, 1200, 1366, 2560)

_LETTERS = 60
LONG = "Zahlungsverkehrsdienstleistungsvertragsunterlagenverwaltung"
#: 2,000 characters, half of them without a place to break.
ERROR = ("HTTP 400 Bad Request: " + f"{LONG} is not valid. " * 20)[:1000] + "0123456789abcdef" * 62 + "12345678"
_URL = f"https://crm.example.com/api/{'v9' * 900}"


def _name(number: int) -> str:
    return f"{'abcdefghijklmnopqrstuvwxyz'[number % 26]}{number:02}".ljust(_LETTERS, "x")


NAMES = [_name(number) for number in range(30)]
ON, PAUSED, REJECTED, SILENT, SLOW, OFF, LONELY = NAMES[:7]
GONE = _name(99)

ACCOUNT, SOURCE = (
    "s" * 60,
    {"account": "9" * 60, "api": {"token": "0123456789abcdef", "base_url": "http://127.0.0.1:9"}},
)
PAGES = {
    "overview": "/?span=month",
    "chats": "/conversations",
    "causes": "/conversations?status=dead",
    "dead letters": f"/conversations?status=dead&connector={SILENT}",
    "a filter with every mistake": f"/conversations?q={'x' * 150}&from=yesterday&to=x&status={LONG}&account={LONG}!",
    "a search that finds nothing": f"/conversations?q={'x' * 150}",
    "a chat": "/conversations/1:long",
    "a chat of which everything is an attack": "/conversations/1:hostile",
    "a chat that went nowhere": "/conversations/1:nowhere",
    "replay": f"/conversations/bulk?action=replay&status=dead&connector={REJECTED}",
    "discard": f"/conversations/bulk?action=discard&q={'x' * 150}",
    "bulk jobs": "/conversations/jobs",
    "a bulk job": "/conversations/jobs/{job}",
    "connectors": "/connectors",
    "a connector": f"/connectors/{SILENT}",
    "a connector that is gone": f"/connectors/{GONE}",
    "types of connectors": "/setup/connectors",
    "settings of a new connector": "/setup/connectors/zendesk",
    "settings of a connector": f"/connectors/{REJECTED}/settings",
    "removing a connector": f"/connectors/{REJECTED}/remove",
    "history of relay.yaml": "/setup/history",
    "routes": "/setup/routes",
    "agents": "/setup/agents",
    "past chats": f"/connectors/{REJECTED}/past",
    "a preview": f"/connectors/{REJECTED}/preview?conversation=1:long",
    "quarantine": "/quarantine",
    "a quarantined payload": "/quarantine/{payload}",
    "all of the quarantine": "/quarantine/all?action=discard",
    "Smartsupp's API": "/source",
    "erase": "/erase",
    "all pages": "/go",
    "no such page": f"/{'x' * 300}",
}


@dataclass(frozen=True)
class Shown:
    tab: Tab
    ids: dict[str, str]


def config() -> str:
    connectors: dict[str, Any] = {
        name: {"type": "archive", "folder": name[:30], "enabled": name != OFF} for name in NAMES
    }
    secret = f"whsec_{'MfKQ9r8GKYqrTwjU' * 3}"
    connectors[REJECTED] = {"type": "webhook", "url": _URL, "secret": secret}
    routes = [{"to": [one for one in NAMES if one != LONELY]}]
    return json.dumps({"connectors": connectors, "routes": routes, "source": {"accounts": {ACCOUNT: SOURCE}}})


def fill(server: Server) -> dict[str, str]:
    store, client = Store(connect(server.url)), connect(server.url)
    visitor = {"id": LONG, "name": LONG, "email": f"{LONG}@{LONG}.example.com", "country": LONG}
    long = made.conversation(store, chat("long", visitor=visitor), **dict.fromkeys([*NAMES, GONE]))
    made.conversation(store, json.dumps(hostile.payload()).encode(), **dict.fromkeys(NAMES))
    made.conversation(store, chat("nowhere", visitor=visitor))
    sent = Exchange("POST", _URL, 400, 12, sent=ERROR, answered=ERROR)
    for name in NAMES[6:20]:
        claim = made.claimed(store, name, long)
        attempt = Attempt(claim.received, 10, Outcome.REFUSED, 1, 400, ERROR, worker=LONG, requests=(sent,))
        store.settle(claim, attempt)
    for name in NAMES[20:28]:
        claim = made.claimed(store, name, long)
        attempt = Attempt(claim.received, 10, Outcome.DELIVERED, 1, 201, requests=(sent,))
        store.settle(claim, attempt, reference=Reference("9" * 60, _URL))
    made.control(store).pause(PAUSED, ERROR[:200])
    made.settle(store, made.claimed(store, REJECTED, long), Outcome.PAUSED, error=ERROR)
    silent = made.claimed(store, SILENT, long)
    attempt = Attempt(silent.received, 10, Outcome.RETRY, 1, 503, ERROR, requests=(sent,))
    store.settle(silent, attempt, delay_ms=30_000, trouble="outage", breaker=1, blame="chat 1:long: ")
    store.settle(made.claimed(store, SLOW, long, Limits(rate=5)), attempt, delay_ms=1000, trouble="throttled")
    accepted = store.accept(b"x" * 3000)
    broken = store.claim(INBOX, "q")
    assert broken
    store.divert(broken.payload, PayloadStatus.QUARANTINED, ERROR, token=broken.token)
    store.beat(f"{LONG}.internal.example.com:4711", ERROR)
    catch_ups = CatchUps(client)
    put_off = catch_ups.start("backfill", ACCOUNT, "9" * 60, 1, 2, by=LONG, connector=REJECTED, expected=10**9)
    catch_ups.put_off(put_off, 2**50, ERROR)
    catch_ups.compared(ACCOUNT, Comparison(1, 10**9, 10**9, 1, worked=True))
    jobs = Jobs(client, made.configured)
    job = jobs.start("discard", Filter(text="x" * 150, connector=REJECTED), reason=LONG * 3, by=LONG)
    jobs.advance(job.id)
    return {"job": job.id, "payload": accepted.id}


@pytest.fixture(scope="module")
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("overflow")
    server = Server(folder / "valkey").start()
    ids = fill(server)
    http = make_server("127.0.0.1", 0, web_app(server, folder, config=config()), threaded=True)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    tab = Tab(browser, f"http://127.0.0.1:{http.port}")
    tab.expect(404, 422)
    tab.log_in(PASSWORD)
    yield Shown(tab, ids)
    tab.close()
    http.shutdown()
    thread.join()
    server.stop()


# What may scroll within itself or be cut: code and fields, names with a title, and what nobody sees.
_FAULTS = """() => {
  const shown = (one) =>
    one.checkVisibility({ visibilityProperty: true }) && !one.closest(".visually-hidden, .skip, svg, .stacks thead");
  const named = (one) => `${one.localName}.${one.className} "${one.textContent.trim().slice(0, 40)}"`;
  const page = document.documentElement, faults = [];
  if (page.scrollWidth > page.clientWidth) faults.push(`the page is ${page.scrollWidth} px wide`);
  for (const one of document.querySelectorAll("body *")) {
    if (!shown(one)) continue;
    const { left, right } = one.getBoundingClientRect();
    if (right > page.clientWidth + 1 || left < -1) faults.push(`sticks out to ${Math.round(right)}: ${named(one)}`);
    if (one.matches("pre, textarea, input, select, .clip")) continue;
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
      faults.push(`${one.scrollWidth} px in ${one.clientWidth}: ${named(one)}`);
  }
  return faults;
}"""


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_at_any_width(name: str, shown: Shown) -> None:
    tab = shown.tab
    tab.page.goto(PAGES[name].format(**shown.ids))
    faults = {}
    for width in WIDTHS:
        tab.look((width, 800), "light")
        if found := tab.page.evaluate(_FAULTS):
            faults[width] = found
    assert not faults, "\n".join(f"{width} px: {one}" for width, found in faults.items() for one in found[:6])


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_in_a_language_of_long_words(name: str, shown: Shown) -> None:
    tab = shown.tab
    context = tab.page.context
    context.add_cookies([{"name": LANGUAGE_COOKIE, "value": "de", "domain": "127.0.0.1", "path": "/"}])
    try:
        tab.page.goto(PAGES[name].format(**shown.ids))
        assert tab.page.locator("html").get_attribute("lang") == "de"
        for width in (320, 1024):
            tab.look((width, 800), "light")
            assert not tab.page.evaluate(_FAULTS), f"{width} px"
    finally:
        context.clear_cookies(name=LANGUAGE_COOKIE)


def heights(tab: Tab, rows: str) -> list[int]:
    return [round(one) for one in tab.page.locator(rows).evaluate_all("all => all.map((one) => one.offsetHeight)")]


def test_a_chat_of_thirty_deliveries_takes_little_room_and_its_failures_are_first(shown: Shown) -> None:
    tab = shown.tab
    tab.look((1366, 800), "light")
    tab.page.goto("/conversations")
    assert max(heights(tab, "tbody tr")) <= 200
    (long,) = [row for row in tab.page.locator("tbody tr").all() if "more dead letters" in row.inner_text()]
    marks = [one.strip() for one in long.locator(".badge").all_text_contents()]
    assert [one[-13:] for one in marks[:3]] == [": Dead letter"] * 3
    assert marks[3:] == ["11 more dead letters", "3 blocked", "1 retrying", "5 queued", "8 delivered"]


def test_a_reason_has_the_width_of_the_table_and_what_needs_somebody_is_on_top(shown: Shown) -> None:
    tab = shown.tab
    tab.look((1366, 800), "light")
    tab.page.goto("/")
    table = tab.page.locator("#connectors table")
    wide = table.evaluate("(one) => one.offsetWidth")
    reasons = table.locator(".why td").all()
    assert [one.evaluate("(one) => one.offsetWidth") for one in reasons] == [wide] * len(reasons)
    assert max(heights(tab, "#connectors tbody tr")) <= 140
    states = [one.strip() for one in table.locator(".connector .badge").all_text_contents()]
    worst = [State.MISSING, State.REJECTED, State.NOT_RESPONDING, State.PAUSED, State.NO_ROUTE, State.THROTTLED]
    assert [one.lower() for one in states[: len(worst)]] == list(worst)
    (first, *_) = tab.page.locator("#attention .attention-line").all()
    # Above all that is merely to be read.
    assert first.evaluate("(one) => one.getBoundingClientRect().top") < table.evaluate(
        "(one) => one.getBoundingClientRect().top"
    )
    assert first.get_attribute("data-kind") in ("rejected", "gone")


@pytest.mark.parametrize("width", [1024, 1366, 2560])
@pytest.mark.parametrize("address", ["/connectors", f"/connectors/{NAMES[0]}"], ids=["all", "one"])
def test_no_row_of_cards_ends_before_the_page_does(address: str, width: int, shown: Shown) -> None:
    tab = shown.tab
    tab.look((width, 800), "light")
    tab.page.goto(address)
    ends = tab.page.evaluate(
        """() => [...document.querySelectorAll(".grid.wide")].flatMap((grid) => {
            const rows = new Map();
            for (const card of grid.children) {
                const { top, right } = card.getBoundingClientRect();
                rows.set(Math.round(top), Math.max(rows.get(Math.round(top)) ?? 0, right));
            }
            return [...rows.values()].map((right) => Math.round(grid.getBoundingClientRect().right - right));
        })"""
    )
    assert ends
    assert not any(ends), ends
