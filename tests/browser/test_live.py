"""What relay.js does to any page: parts that keep themselves up to date, times, forms."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Blueprint, Response, render_template_string
from playwright.sync_api import Browser, Locator, Route, expect
from werkzeug.serving import make_server

from app.dashboard.frame.context import Site
from tests.support.admin import PASSWORD, web_app
from tests.support.browser import NARROW, Tab
from tests.support.server import Server

_PAGE = """{% extends "base.html" %}{% block title %}Live{% endblock %}{% block content %}
{% call ui.live(url_for("dashboard.part"), 1000, "part") %}first{% endcall %}
<form method="post" action="{{ url_for('dashboard.slow') }}">{{ csrf_field() }}{{ ui.submit("Send") }}</form>
{{ ui.when(1795379362550) }}{% endblock %}"""
_PART = """{% import "macros.html" as ui %}<p>number {{ number }}</p>
<details id="more"><summary>More</summary><p>inside</p></details><details open><summary>Open</summary></details>
<a href="/">one</a> <a href="/">two</a> <label>Type <input></label>{{ ui.when(now, relative=True) }}
<pre class="code" tabindex="0">{{ "line\n" * 200 }}</pre>
<div role="region" tabindex="0" aria-label="Gates">{% for name, paused in gates.items() %}
{% for what in (("try", "resume") if paused else ("pause",)) %}
{{ ui.post_button("/gates/" ~ name ~ "/" ~ what, what) }}
{% endfor %}
{% if not paused %}
<form method="post" action="/gates/{{ name }}/reason"><label>Reason {{ name }} <input name="reason"></label></form>
{% endif %}
{% endfor %}</div>"""


class Part:
    """A page whose part changes with every look at it."""

    def __init__(self) -> None:
        self.looks = self.sent = 0
        self.done = False
        self.gates = {"a": False, "b": True}

    def routes(self, pages: Blueprint, site: Site) -> None:
        @pages.get("/live")
        def live() -> str:
            return render_template_string(_PAGE)

        @pages.get("/part")
        def part() -> Response:
            self.looks += 1
            now = site.ledger.now() - 120_000
            text = render_template_string(_PART, number=self.looks, now=now, gates=self.gates)
            return Response(text, headers={"X-Relay-Done": "1"} if self.done else {})

        @pages.post("/slow")
        def slow() -> str:
            self.sent += 1
            time.sleep(1)
            return render_template_string("{% extends 'base.html' %}{% block title %}Sent{% endblock %}")


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def page(browser: Browser, server: Server, part: Part, tmp_path: Path) -> Iterator[Tab]:
    """An admin's window on the page."""
    http = make_server("127.0.0.1", 0, web_app(server, tmp_path, (part.routes,)), threaded=True)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    tab = Tab(browser, f"http://127.0.0.1:{http.port}")
    tab.expect(404)  # there is no overview here
    tab.log_in(PASSWORD)
    tab.page.goto("/live")
    yield tab
    tab.close()
    http.shutdown()
    thread.join()
    tab.quiet()


def test_a_part_follows_and_what_was_opened_focused_and_scrolled_stays(page: Tab) -> None:
    expect(page.page.get_by_text("number 1")).to_be_visible()
    page.page.locator("#more > summary").click()
    page.page.get_by_text("Open", exact=True).click()
    # In one step: between finding and scrolling it, the part may be another.
    page.page.evaluate("document.querySelector('.code').scrollTo(0, 300)")
    page.page.get_by_role("link", name="two").focus()
    before = page.page.locator("#part").inner_html()
    expect(page.page.get_by_text("number 3")).to_be_visible()
    assert page.page.locator("#part").inner_html() != before
    expect(page.page.get_by_text("inside")).to_be_visible()
    expect(page.page.locator("details").nth(1)).not_to_have_attribute("open", "")
    expect(page.page.get_by_role("link", name="two")).to_be_focused()
    assert page.page.evaluate("document.querySelector('.code').scrollTop") == 300


def test_nothing_is_taken_from_under_somebody_who_types(page: Tab, part: Part) -> None:
    expect(page.page.get_by_text("number 1")).to_be_visible()
    field = page.page.get_by_label("Type")
    field.fill("half a w")
    looks = part.looks
    page.page.wait_for_timeout(2500)
    assert part.looks > looks
    expect(field).to_have_value("half a w")


def test_what_was_typed_stays_when_the_field_is_left_and_the_part_goes_on(page: Tab, part: Part) -> None:
    expect(page.page.get_by_text("number 1")).to_be_visible()
    fields = {page.page.get_by_label("Type"): "half a word", page.page.get_by_label("Reason a"): "while it moves"}
    for field, text in fields.items():
        field.fill(text)
        field.blur()

    def replaced() -> None:
        expect(page.page.get_by_text(f"number {part.looks + 1}")).to_be_visible()

    replaced()
    replaced()
    for field, text in fields.items():
        expect(field).to_have_value(text)
    # Gone for a moment, and what is cleared stays clear.
    part.gates["a"] = True
    field.fill("again")
    field.blur()
    expect(field).to_have_count(0)
    part.gates["a"] = False
    expect(field).to_have_value("again")
    field.fill("")
    field.blur()
    replaced()
    expect(field).to_have_value("")


def button(page: Tab, action: str) -> Locator:
    return page.page.locator(f"form[action='/gates/{action}'] button")


def test_focus_stays_on_a_button_that_does_the_same(page: Tab, part: Part) -> None:
    button(page, "b/try").focus()
    part.gates["a"] = True
    expect(button(page, "a/resume")).to_be_visible()
    expect(button(page, "b/try")).to_be_focused()
    part.gates = {"new": True, "a": False, "b": True}
    expect(button(page, "new/resume")).to_be_visible()
    expect(button(page, "b/try")).to_be_focused()


def test_focus_of_a_button_that_is_gone_goes_to_what_was_around_it(page: Tab, part: Part) -> None:
    button(page, "a/pause").focus()
    part.gates["a"] = True
    expect(button(page, "a/resume")).to_be_visible()
    expect(page.page.get_by_role("region", name="Gates")).to_be_focused()
    # And to the part itself, when that is gone, too.
    page.page.evaluate("document.querySelector('[aria-label=Gates]').setAttribute('aria-label', 'Others')")
    button(page, "a/try").focus()
    part.gates = {}
    expect(button(page, "a/try")).to_have_count(0)
    expect(page.page.locator("#part")).to_be_focused()


def test_a_relay_that_is_away_is_said_and_forgotten_when_it_is_back(page: Tab) -> None:
    expect(page.page.get_by_text("number 1")).to_be_visible()

    def away(route: Route) -> None:
        route.abort("aborted")  # the kind of failure that a window does not report as a fault

    page.page.route("**/part", away)
    note = page.page.get_by_text("Not live: the relay does not respond.")
    expect(note).to_be_visible()
    expect(page.page.get_by_text("inside")).to_be_attached()
    page.page.unroute("**/part", away)
    expect(note).to_have_count(0)


def test_a_part_that_is_done_is_asked_for_no_more(page: Tab, part: Part) -> None:
    part.done = True
    expect(page.page.get_by_text("number")).to_be_visible()
    looks = part.looks
    page.page.wait_for_timeout(2500)
    assert part.looks <= looks + 1


def test_a_form_that_is_being_sent_cannot_be_sent_again(page: Tab, part: Part) -> None:
    button = page.page.get_by_role("button", name="Send")
    disabled = button.evaluate("""(one) => new Promise((done) => {
      one.click();
      setTimeout(() => { done(one.disabled); one.click(); }, 100);
    })""")
    assert disabled
    expect(page.page).to_have_title("Sent · Relay for Smartsupp")
    assert part.sent == 1
    page.page.go_back()
    expect(button).to_be_enabled()


def test_times_are_those_of_the_reader(page: Tab) -> None:
    # 20:29:22 UTC, read in Prague.
    expect(page.page.locator("time[data-local]")).to_have_text("22 Nov 2026, 21:29")
    expect(page.page.locator("time[data-relative]")).to_have_text("2 minutes ago")
    # The server is told, so that its days are the reader's, too.
    assert "Europe/Prague" in [one.get("value") for one in page.context.cookies()]


def test_times_are_in_the_language_of_the_page(browser: Browser, page: Tab) -> None:
    """Which is English for a Finn, whose language it is not in."""
    finn = Tab(browser, page.home, language="fi-FI")
    finn.expect(404)
    finn.log_in(PASSWORD)
    finn.page.goto("/live")
    expect(finn.page.locator("time[data-local]")).to_have_text("22 Nov 2026, 21:29")
    expect(finn.page.locator("time[data-relative]")).to_have_text("2 minutes ago")
    finn.page.locator("#language").select_option("cs")
    finn.page.locator(".language button").click()
    finn.page.goto("/live")
    expect(finn.page.locator("time[data-local]")).to_have_text("22. 11. 2026 21:29")
    expect(finn.page.locator("time[data-relative]")).to_have_text("před 2 minutami")
    finn.close()
    finn.quiet()


def test_without_scripts_times_are_in_utc_and_nothing_is_hidden(browser: Browser, page: Tab) -> None:
    plain = Tab(browser, page.home, NARROW, scripts=False)
    plain.expect(404)
    plain.log_in(PASSWORD)
    plain.page.goto("/live")
    expect(plain.page.locator("time")).to_have_text("2026-11-22 20:29:22 UTC")
    expect(plain.page.get_by_text("first")).to_be_visible()
    plain.fits()
    plain.close()
    plain.quiet()


def test_the_keyboard_can_skip_what_is_the_same_on_every_page(page: Tab) -> None:
    page.page.keyboard.press("Tab")
    expect(page.page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(page.page.locator("main")).to_be_focused()
