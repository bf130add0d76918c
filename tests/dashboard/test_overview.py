"""`/`: what came in and went out, how connectors are, and what should be looked at."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.dashboard.view import charts
from core.delivery import DeliveryStatus, Outcome
from core.store import Filter, Jobs, Store, connect
from core.store.statistics import Bar
from tests.support import made
from tests.support.admin import Admin, admin
from tests.support.inline import Inline
from tests.support.made import chats, control
from tests.support.past import Past, Try
from tests.support.server import Server
from tests.support.stack import TOKEN, chat, until

HOUR = 3_600_000
CONFIG = json.dumps(
    {
        "connectors": {
            "archive": {"type": "archive"},
            "desk": {"type": "webhook", "url": "https://example.com/x", "secret": "c2VjcmV0" * 5},
            "spare": {"type": "archive", "enabled": False},
        }
    }
)
HOSTILE = "</p><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


@pytest.fixture
def store(server: Server) -> Store:
    """By the server's own clock."""
    return Store(connect(server.url))


@pytest.fixture
def past(server: Server) -> Past:
    return Past(connect(server.url), {})


def ago(ms: int) -> int:
    return int(time.time() * 1000) - ms


class Words(HTMLParser):
    """What a page says, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._said: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._said).split())

    def all(self, name: str, **wanted: str) -> list[dict[str, str | None]]:
        return [given for tag, given in self.elements if tag == name and wanted.items() <= given.items()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._said.append(data)


def words(page: Admin, path: str = "/") -> Words:
    answer = page.get(path)
    assert answer.status_code == 200, answer.text
    return Words(answer.text)


def tiles(page: Admin, path: str = "/") -> dict[str, str]:
    found = re.findall(
        r'tile-label">.*?</svg>(.*?)</span>\s*<span class="tile-value">(.*?)</span>', page.get(path).text
    )
    return {name: value.replace("\u202f", "") for name, value in found}


def row(page: Admin, connector: str, path: str = "/") -> dict[str, str]:
    """The cells of a connector's row, by their labels."""
    html = page.get(path).text
    start = html.index(f'/connectors/{connector}"><strong>')
    part = html[start : html.index("</tr>", start)]
    cells = re.findall(r'data-label="(.*?)">(.*?)</td>', part)
    return {name: re.sub(r"<[^>]+>", "", unescape(value)).strip() for name, value in cells}


# --- the first run -----------------------------------------------------------


def test_before_the_first_chat_it_says_where_to_send_one(server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path, RELAY_PUBLIC_URL="https://relay.example.com/")
    html = page.get("/").text
    assert "No chats received yet" in html
    assert f"<code>https://relay.example.com/smartsupp/{TOKEN}</code>" in html
    assert "relay send --sample" in html
    line = re.search(r"<code>(curl .*?)</code>", html)
    assert line
    assert unescape(line[1]).endswith(f"https://relay.example.com/smartsupp/{TOKEN}")
    assert "RELAY_PUBLIC_URL" not in html


def test_the_token_shows_only_when_it_is_asked_for_and_is_in_no_fragment(page: Admin) -> None:
    html = page.get("/").text
    before, _, inside = html.partition('<details id="token-1">')
    assert TOKEN not in before
    assert inside.index(TOKEN) < inside.index("</details>")
    assert TOKEN not in inside.partition("</details>")[2]
    assert TOKEN not in page.get("/overview/live").text


def test_an_address_of_this_machine_comes_with_the_advice_to_set_another(page: Admin) -> None:
    html = page.get("/").text
    assert f"http://127.0.0.1:8000/smartsupp/{TOKEN}" in html
    assert "RELAY_PUBLIC_URL" in html


def test_tokens_of_several_accounts_each_have_their_address(server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path, SMARTSUPP_TOKEN="208:first-0123456789abcdef,309:it's-0123456789abcdef")
    html = page.get("/").text
    assert "For account 208:" in html
    assert "For account 309:" in html
    line = unescape(re.findall(r"<code>(curl .*?)</code>", html)[1])
    assert line.endswith("""'http://127.0.0.1:8000/smartsupp/it'"'"'s-0123456789abcdef'""")


def test_once_something_came_the_page_is_about_that(page: Admin, store: Store) -> None:
    store.accept(chat())
    page.submit("/setup/first-steps/hide")
    html = page.get("/").text
    assert "No chats received yet" not in html
    assert "Hook address for Smartsupp" in html


def steps(page: Admin) -> list[str]:
    """Whether each of the first steps is done; empty when they are not shown."""
    html = page.get("/").text
    found = re.findall(r'<li id="step-\w+">.*?</svg>([^<]+)</span>', html, re.DOTALL)
    if found:
        assert f"First steps: {found.count('Done')} of 5 done" in html
    return found


def test_the_first_steps_are_shown_until_they_are_done(server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path)
    assert steps(page) == ["To do"] * 5
    answer = page.submit("/setup/test-chat")
    assert answer.location == "/"
    inline = Inline(Store(connect(server.url)), tmp_path, "connectors: {archive: {type: archive}}")
    inline.read()
    assert steps(page) == ["Done", *["To do"] * 4]
    page = admin(server, tmp_path, config=CONFIG, RELAY_PUBLIC_URL="https://relay.example.com")
    assert steps(page) == ["Done", "Done", "Done", "To do", "To do"]
    # A second test chat is no real one.
    page.submit("/setup/test-chat")
    inline.read()
    assert len(steps(page)) == 5
    inline.take(chat("real"))
    assert steps(page) == []
    assert steps(admin(server, tmp_path)) == []


def test_the_first_steps_can_be_hidden_for_good(page: Admin) -> None:
    assert len(steps(page)) == 5
    assert page.get("/setup/first-steps/hide").status_code == 405
    page.submit("/setup/first-steps/hide")
    assert steps(page) == []
    assert "No chats received yet" in page.get("/").text


def test_the_email_to_the_support_has_the_address(server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path, RELAY_PUBLIC_URL="https://relay.example.com")
    mail = re.search(r'aria-label="An email"><code>(.*?)</code>', page.get("/").text, re.DOTALL)
    assert mail
    assert f"https://relay.example.com/smartsupp/{TOKEN}\n" in mail[1]


# --- figures -----------------------------------------------------------------


def test_tiles_count_the_span_and_what_is_waiting_now(page: Admin, past: Past, store: Store) -> None:
    past.came(ago(72 * HOUR), chat("old"), {"archive": [Try(100)]})
    for number in range(5):
        past.came(ago(3 * HOUR - 1000 * number), chat(number), {"archive": [Try(700)], "desk": [Try(900)]})
    past.came(ago(2 * HOUR), chat("dead"), {"desk": [Try(50, Outcome.REFUSED, error="no")]})
    past.came(ago(2 * HOUR - 1000), chat("retried"), {"desk": [Try(50, Outcome.RETRY, delay=24 * HOUR)]})
    past.quarantined(ago(HOUR + 120_000), b"{")
    past.came(ago(65_000), chat("waits"), {"archive": []})
    store.accept(chat("waits"))
    store.accept(chat("inbox"))
    found = tiles(page)
    assert re.fullmatch(r"1(\.\d+)? min", found.pop("Waiting longest"))
    assert found == {
        "Chats received": "10",
        "Not delivered anywhere": "0",
        "Deliveries made": "10",
        "Queued": "2",
        "Retrying": "1",
        "Blocked": "0",
        "Dead letters": "1",
        "Quarantined": "1",
    }
    said = words(page).text
    assert "to be delivered, 1 of them not yet read" in said
    assert "in the last day, 1 repeated" in said
    assert "in the last day, 90.9 % success" in said
    assert "for archive" in said
    assert tiles(page, "/?span=week")["Chats received"] == "11"
    assert tiles(page, "/?span=hour")["Chats received"] == "2"
    assert tiles(page, "/?span=hour")["Deliveries made"] == "0"


@pytest.mark.parametrize(("span", "bars"), [("hour", 30), ("day", 24), ("week", 28), ("month", 30)])
def test_each_span_has_its_bars_and_a_table_that_says_the_same(page: Admin, past: Past, span: str, bars: int) -> None:
    past.came(ago(60_000), chat(), {"archive": [Try(700)], "desk": [Try(800, Outcome.RETRY, delay=HOUR)]})
    found = words(page, f"/?span={span}")
    assert len(found.all("svg", role="img")) == 2
    assert len(found.all("g", **{"class": "slot"})) == 2 * bars
    html = page.get(f"/?span={span}").text
    table = html[html.index('id="figures"') : html.index("</details>", html.index('id="figures"'))]
    rows = [re.sub(r"<[^>]+>", " ", one).split()[-4:] for one in table.split("<tr>")[2:]]
    assert len(rows) == bars
    assert [sum(int(one[column]) for one in rows) for column in range(4)] == [1, 1, 1, 0]
    assert found.all("a", **{"aria-current": "true"}) == [{"href": f"/?span={span}", "aria-current": "true"}]


def test_a_span_that_is_none_is_the_day(page: Admin) -> None:
    assert words(page, "/?span=<script>").all("a", **{"aria-current": "true"})[0]["href"] == "/?span=day"


def test_charts_say_in_words_what_they_draw(page: Admin, past: Past) -> None:
    past.came(ago(60_000), chat(), {"archive": [Try(700)], "desk": [Try(800, Outcome.REFUSED)]})
    found = words(page)
    labels = [str(one["aria-label"]) for one in found.all("svg", role="img")]
    assert "Received 1, Delivered 1" in labels[0]
    assert "Failed attempts 0, Dead letters 1" in labels[1]
    assert re.search(r"\d+ \w{3} \d\d:00 – .*?\d\d:00 UTC: 1 received, 1 delivered", found.text)
    marks = [str(one["class"]) for one in found.all("rect") if str(one.get("class")).startswith("mark")]
    assert marks == ["mark series-4", "mark series-good", "mark series-bad"]


def test_a_connectors_row_has_its_share_and_its_times(page: Admin, past: Past) -> None:
    for number in range(20):
        past.came(ago(3 * HOUR - 60_000 * number), chat(number), {"archive": [Try(950 if number < 18 else 30_000)]})
    past.came(ago(HOUR), chat("refused"), {"archive": [Try(50, Outcome.REFUSED)]})
    cells = row(page, "archive")
    assert cells["Delivered in the last day"] == "20"
    assert cells["Success"] == "95.2 %"
    assert cells["Dead letters"] == "1"
    assert cells["Median delivery time"] == "939 ms"
    assert cells["95th percentile"] == "30 s"
    assert row(page, "desk")["Success"] == "–"


# --- connectors --------------------------------------------------------------


def test_dead_and_waiting_ones_lead_to_their_conversations(page: Admin, store: Store) -> None:
    chats(store, 2, desk=Outcome.REFUSED)
    chats(store, 1, first=3, desk=None)
    links = [str(one["href"]) for one in words(page).all("a")]
    assert "/conversations?connector=desk&status=dead" in links
    assert "/conversations?connector=desk&status=queued" in links
    assert "/conversations?connector=desk&status=retrying" not in links
    assert "/conversations?status=dead" in links


def test_what_is_queued_for_a_paused_connector_is_blocked_and_the_reason_is_shown_as_text(
    page: Admin, store: Store
) -> None:
    chats(store, 2, desk=Outcome.RETRY)
    chats(store, 3, first=3, desk=None)
    control(store).pause("desk", HOSTILE)
    cells = row(page, "desk")
    assert (cells["Queued"], cells["Retrying"], cells["Blocked"]) == ("3", "2", "5")
    shown = tiles(page)
    assert (shown["Queued"], shown["Retrying"], shown["Blocked"]) == ("3", "2", "5")
    # Each number is that of the list that it leads to.
    links = [str(one["href"]) for one in words(page).all("a")]
    for address, status in (("status=queued", "Queued"), ("status=retrying", "Retrying")):
        for query in (address, f"connector=desk&{address}"):
            assert f"/conversations?{query}" in links
            listing = page.get(f"/conversations?{query}").text
            assert listing.count('desk<span class="visually-hidden">: Blocked') == int(shown[status])
    assert "#connectors" in links
    assert words(page).all("section", id="connectors")
    html = page.get("/").text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    found = words(page)
    assert HOSTILE in found.text
    actions = [one["action"] for one in found.all("form")]
    assert "/connectors/desk/resume" in actions
    assert "/connectors/desk/try" in actions
    assert "/connectors/archive/pause" in actions
    assert "/connectors/desk/pause" not in actions


def test_one_that_is_off_or_gone_from_the_config_says_so(page: Admin, store: Store) -> None:
    chats(store, 1, gone=None)
    said = words(page).text
    assert "spare Off " in said
    assert " Off in relay.yaml: nothing is delivered to spare." in said
    assert "gone Not in relay.yaml" in said
    assert row(page, "gone")["Queued"] == "1"


# --- health ------------------------------------------------------------------


def test_it_says_when_no_worker_is_there(page: Admin, store: Store) -> None:
    assert "No worker is running" in page.get("/").text
    store.beat("here:1")
    said = words(page).text
    assert "No worker is running" not in said
    assert "1 running here:1 last seen" in said


def test_what_a_worker_has_against_the_configuration_is_shown_as_text(page: Admin, store: Store) -> None:
    store.beat("here:1", f"relay.yaml: line 3: {HOSTILE}")
    html = page.get("/").text
    assert "<script>alert" not in html
    assert f"line 3: {HOSTILE}" in unescape(html)
    assert "here:1 rejected the changed configuration" in html


def test_a_change_that_the_receiver_refused_shows_too(page: Admin, tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("connectors: {archive: {type: nonsense}}")
    until(lambda: "there is no connector type &#39;nonsense&#39;" in page.get("/").text)
    assert "the previous version is still used" in page.get("/").text


def test_a_server_that_is_not_fit_is_said_at_the_top(own_server: Server, tmp_path: Path) -> None:
    page = admin(own_server, tmp_path)
    assert "valkey" in words(page).text
    own_server.client.config_set("appendfsync", "everysec")
    assert "Needs attention" in page.get("/").text
    own_server.client.config_set("maxmemory-policy", "allkeys-lru")
    said = words(page).text
    assert said.index("The store could lose chats") < said.index("Chats received")
    assert "allkeys-lru" in said


def test_an_open_job_shows_how_far_it_is(page: Admin, server: Server, store: Store) -> None:
    chats(store, 3, desk=Outcome.REFUSED)
    jobs = Jobs(connect(server.url), made.configured)
    job = jobs.start("replay", Filter(connector="desk", status=DeliveryStatus.DEAD))
    found = words(page)
    assert "Bulk replay 0 of 3 processed, 0 done" in found.text
    assert found.all("progress") == [{"value": "0", "max": "3"}]
    assert found.all("a", href=f"/conversations/jobs/{job.id}")
    while jobs.advance(job.id).finished is None:
        pass
    assert "Bulk replay" not in page.get("/").text


# --- the part that is live ---------------------------------------------------


def test_the_fragment_is_what_the_page_shows(page: Admin, store: Store) -> None:
    def plain(html: str) -> str:
        # The server's memory is another at every look.
        return " ".join(re.sub(r'name="csrf_token" value="[^"]+"|[0-9.]+ MiB', "", html).split())

    chats(store, 3, archive=Outcome.DELIVERED, desk=Outcome.REFUSED)
    for span in ("hour", "month"):
        fragment = page.get(f"/overview/live?span={span}", headers={"X-Relay-Live": "1"}).text
        whole = page.get(f"/?span={span}").text
        assert f'data-live="/overview/live?span={span}"' in whole
        assert plain(fragment) in plain(whole)
        assert "<html" not in fragment


def test_nothing_in_it_needs_what_the_policy_forbids(page: Admin, store: Store) -> None:
    chats(store, 3, archive=Outcome.DELIVERED)
    control(store).pause("desk", "why")
    for tag, given in words(page).elements:
        assert tag != "style"
        assert not [name for name in given if name == "style" or name.startswith("on")], (tag, given)
        assert tag != "script" or given.get("src")


def test_ids_on_the_page_are_there_once(page: Admin, store: Store) -> None:
    chats(store, 1, archive=Outcome.DELIVERED)
    ids = [given["id"] for _, given in words(page).elements if "id" in given]
    assert len(ids) == len(set(ids))


# --- charts ------------------------------------------------------------------


def drawn(*values: int) -> charts.Chart:
    bars = [Bar(index * HOUR, 0, 0, 0, 0) for index in range(len(values))]
    return charts.chart("day", HOUR, bars, [charts.Series("series-1", "In", values, "%(value)s in")])


def test_bars_are_as_high_as_their_values() -> None:
    marks = [slot.marks[0] if slot.marks else None for slot in drawn(0, 50, 100).slots]
    assert marks[0] is None
    assert marks[1]
    assert marks[2]
    assert marks[2].height == 2 * marks[1].height == charts.FOOT - charts.TOP
    assert marks[2].y == charts.TOP


def test_a_little_of_a_lot_can_still_be_seen() -> None:
    (mark,) = drawn(1, 100_000).slots[0].marks
    assert mark.height == 2
    assert mark.y == charts.FOOT - 2


@pytest.mark.parametrize(
    ("highest", "rules"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (7, ["0", "2", "4", "6", "8"]),
        (99, ["0", "50", "100"]),
        (4100, ["0", "2k", "4k", "6k"]),
        (3_000_000, ["0", "1M", "2M", "3M"]),
    ],
)
def test_rules_stand_at_round_numbers(highest: int, rules: list[str]) -> None:
    assert [one.text for one in drawn(highest).rules] == rules


def test_slots_fill_the_width_and_bars_of_two_series_stand_side_by_side() -> None:
    bars = [Bar(index * HOUR, 0, 0, 0, 0) for index in range(24)]
    series = [charts.Series("series-1", "In", (5,) * 24), charts.Series("series-2", "Out", (3,) * 24)]
    made = charts.chart("day", HOUR, bars, series)
    assert made.slots[0].x == charts.LEFT
    assert made.slots[-1].x + made.slots[-1].width == pytest.approx(100, abs=0.01)
    for slot in made.slots:
        first, second = slot.marks
        assert slot.x < first.x < first.x + first.width <= second.x + 0.002
        assert second.x + second.width < slot.x + slot.width


def test_words_below_count_back_from_now() -> None:
    assert [one.text for one in drawn(*[1] * 24).times] == ["−24 h", "−18 h", "−12 h", "−6 h", "now"]
    weeks = charts.chart("week", 6 * HOUR, [Bar(0, 0, 0, 0, 0)] * 28, [charts.Series("series-1", "In", (1,) * 28)])
    assert [one.text for one in weeks.times][:2] == ["−7 d", "−6 d"]
    assert weeks.times[-1].at == 100


def test_hovering_tells_the_day_once_unless_it_ends() -> None:
    titles = [slot.title for slot in drawn(*[1] * 24).slots]
    assert titles[3] == "1 Jan 03:00 – 04:00 UTC: 1 in"
    assert titles[23] == "1 Jan 23:00 – 2 Jan 00:00 UTC: 1 in"


def test_the_tab_says_how_many_things_need_somebody(page: Admin, store: Store) -> None:
    store.beat("here:1")
    calm = page.get("/").text
    assert "<title>Overview" in calm
    assert "icon.svg" in calm
    assert "icon-problem.svg" not in calm
    chats(store, 3, desk=Outcome.REFUSED)
    control(store).pause("desk", "they move house")
    html = page.get("/").text
    assert "<title>(2) Overview" in html  # the dead letters, and desk
    assert "<h1>Overview</h1>" in html
    assert re.search(r'<link rel="icon" href="[^"]*/icon-problem.svg', html)
    live = page.get("/overview/live").text
    assert 'data-problems="2"' in live
    assert "icon-problem.svg" in live
    assert page.get("/static/icon-problem.svg").mimetype == "image/svg+xml"
