"""`/connectors`: settings without secrets, checks one at a time, previews that send nothing, and the gate."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from app.dashboard.frame.context import Site
from connectors.testing.fake import Answer
from core.delivery import Attempt, Outcome
from core.store import Ledger, Store, connect
from core.store.claims import Limits
from core.store.protocol.keys import key
from tests.fakes.naive import NaiveVendor
from tests.support.admin import Admin, admin
from tests.support.made import chats, claimed, control, conversation, settle
from tests.support.server import Server
from tests.support.stack import chat, until

KEY = 'key/0123"456789'
SIGNING = "c2lnbmluZy1zZWNyZXQtMDEyMzQ1Njc4OQ=="
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def vendor() -> Iterator[NaiveVendor]:
    with NaiveVendor() as there:
        yield there


@pytest.fixture
def page(server: Server, tmp_path: Path, vendor: NaiveVendor) -> Admin:
    desk = {"type": "tests.fakes.naive.Naive", "base_url": vendor.url, "key": KEY, "allow_networks": ["127.0.0.0/8"]}
    hook = {"type": "webhook", "url": "https://example.com/chats", "secret": SIGNING, "enabled": False}
    routes = [
        {"to": ["desk"], "when": "conversation.is_missed"},
        {"to": ["desk"], "when": 'visitor.country_code == "CZ"'},
        {"to": ["archive"]},
    ]
    config = {"connectors": {"desk": desk, "hook": hook, "archive": {"type": "archive"}}, "routes": routes}
    return admin(server, tmp_path, config=json.dumps(config))


@pytest.fixture
def store(server: Server) -> Store:
    """By the server's own clock."""
    return Store(connect(server.url))


def said(page: Admin, path: str, status: int = 200) -> str:
    """What a page says, without its tags."""
    return plain(page.get(path).text) if status == 200 else plain(_answered(page, path, status))


def _answered(page: Admin, path: str, status: int) -> str:
    answer = page.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def flashed(page: Admin) -> str:
    found = re.search(r'<div class="flashes" role="status">(.*?)</div>', page.get("/connectors").text, re.DOTALL)
    assert found
    return plain(found[1])


# --- what there is -----------------------------------------------------------


def test_the_list_has_each_connector_with_its_routes_and_state(page: Admin, store: Store) -> None:
    control(store).pause("archive", f"disk is full {HOSTILE}")
    html = page.get("/connectors").text
    assert HOSTILE not in html
    text = plain(html)
    desk, hook, archive = (
        part.partition("Check and preview")[0] for part in re.split(r" (?=hook Off)| (?=archive Paused)", text)
    )
    assert "desk On Naive, type: tests.fakes.naive.Naive" in desk
    assert 'Chats where one of these is true: conversation.is_missed , visitor.country_code == "CZ"' in desk
    assert "Webhook, type: webhook" in hook
    assert "routes None" in hook
    assert "Paused by you" in archive
    assert f"disk is full {HOSTILE}" in archive
    assert "Every chat" in archive


@pytest.mark.parametrize("path", ["/connectors", "/connectors/desk", "/connectors/hook", "/connectors/desk/preview"])
def test_no_page_shows_a_secret(page: Admin, store: Store, path: str) -> None:
    chats(store, 1, desk=None)
    html = page.get(path).text
    for spelled in (KEY, json.dumps(KEY)[1:-1], SIGNING):
        assert spelled not in unescape(html)
    assert "**********" in html


def test_settings_that_were_given_come_before_those_that_were_not_and_are_explained(page: Admin) -> None:
    text = said(page, "/connectors/desk")
    given, _, defaults = text.partition("settings at their defaults")
    assert 'allow_networks ["127.0.0.0/8"] Loopback, private and link-local networks' in given
    assert "key **********" in given
    assert "timeout 20.0 Seconds to wait for each answer." in defaults


def test_one_that_is_not_in_the_config_any_more_can_still_be_seen(page: Admin, store: Store) -> None:
    chats(store, 2, gone=Outcome.REFUSED)
    assert "gone Not in relay.yaml" in said(page, "/connectors")
    text = said(page, "/connectors/gone")
    assert "gone is not in relay.yaml" in text
    assert "Dead letter 2" in text
    assert "Check now" not in text


def test_one_that_never_was_is_not_found(page: Admin) -> None:
    assert page.get("/connectors/nobody").status_code == 404
    assert page.get("/connectors/nobody/preview").status_code == 404
    for what in ("check", "pause", "resume", "try"):
        assert page.submit(f"/connectors/nobody/{what}").status_code == 404


# --- check -------------------------------------------------------------------


def test_a_check_tells_what_it_found(page: Admin, vendor: NaiveVendor) -> None:
    assert "Result of the check" not in said(page, "/connectors/desk")
    assert vendor.requests == []
    answer = page.submit("/connectors/desk/check")
    assert answer.status_code == 200
    assert "Result of the check OK works" in plain(answer.text)
    assert len(vendor.requests) == 1


def test_a_check_that_is_refused_says_what_to_do_and_shows_no_secret(page: Admin, vendor: NaiveVendor) -> None:
    vendor.instead = [Answer(401, {"message": f"bad key {KEY} {HOSTILE}"})]
    html = page.submit("/connectors/desk/check").text
    assert "Problem HTTP 401 Unauthorized" in plain(html)
    assert "replace the credentials in relay.yaml" in html
    assert KEY not in unescape(html)
    assert json.dumps(KEY)[1:-1] not in unescape(html)
    assert HOSTILE not in html


def test_a_connector_without_a_check_says_so(page: Admin) -> None:
    assert "nothing to check for this connector" in page.submit("/connectors/archive/check").text


def test_only_one_check_runs_at_a_time(page: Admin, vendor: NaiveVendor, tmp_path: Path) -> None:
    vendor.hanging = True
    other = Admin(page.app)
    other.log_in()
    first = threading.Thread(target=other.submit, args=("/connectors/desk/check",))
    first.start()
    checking = page.app.view_functions["dashboard.connectors_check"]
    assert checking.__closure__
    site = next(cell.cell_contents for cell in checking.__closure__ if isinstance(cell.cell_contents, Site))
    until(lambda: site.checking._value == 0, what="the first check")
    second = page.submit("/connectors/archive/check")
    assert second.status_code == 409
    assert "Another check is running" in second.text
    assert page.get("/connectors/desk").status_code == 200
    vendor.hanging = False
    vendor.over.set()
    first.join(timeout=60)
    assert not first.is_alive()
    assert page.submit("/connectors/archive/check").status_code == 200


def test_a_bug_in_a_check_is_shown_and_lets_the_next_one_run(page: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> Iterator[object]:
        raise RuntimeError("a unhandled error in a connector")
        yield

    monkeypatch.setattr("tests.fakes.naive.Naive.check", broken)
    assert (
        "internal error in this check: RuntimeError: a unhandled error in a connector (broken, line"
        in page.submit("/connectors/desk/check").text
    )
    monkeypatch.undo()
    assert "internal error in this check" not in page.submit("/connectors/desk/check").text


# --- preview -----------------------------------------------------------------


def test_a_preview_shows_the_newest_conversation_unless_another_is_named(
    page: Admin, store: Store, vendor: NaiveVendor
) -> None:
    conversation(store, chat("old", visitor={"name": "Old", "email": "old@example.com"}), desk=None)
    conversation(store, chat("new", visitor={"name": "New", "email": "new@example.com"}), desk=None)
    html = page.get("/connectors/desk/preview").text
    assert 'value="1:new"' in html
    assert '"email": "new@example.com"' in unescape(html)
    assert f"1. POST {vendor.url}/people" in plain(html)
    assert "Authorization Bearer **********" in plain(html)
    assert "What templates can name kind chat" in plain(html)
    other = unescape(page.get("/connectors/desk/preview?conversation=1:old").text)
    assert '"email": "old@example.com"' in other
    assert "new@example.com" not in other
    assert vendor.requests == []


def test_a_preview_is_of_the_newest_revision(page: Admin, store: Store) -> None:
    conversation(store, chat("c", visitor={"name": "Before"}), desk=None)
    conversation(store, chat("c", visitor={"name": "After"}), desk=None)
    text = said(page, "/connectors/desk/preview?conversation=1:c")
    assert "After" in text
    assert "Before" not in text


def test_what_a_visitor_wrote_is_text_in_a_preview(page: Admin, store: Store) -> None:
    conversation(store, chat("c", visitor={"name": HOSTILE, "email": "x@example.com"}), desk=None)
    html = page.get("/connectors/desk/preview").text
    assert HOSTILE not in html
    assert HOSTILE in unescape(html)


def test_a_preview_says_what_would_be_redacted(page: Admin, store: Store) -> None:
    card = "4111 1111 1111 1111"
    conversation(store, chat("c", visitor={"name": f"Ann {card}", "email": "x@example.com"}), desk=None)
    text = said(page, "/connectors/desk/preview?conversation=1:c")
    assert "Redacted before it was sent: card number in the visitor's name." in text
    assert "Ann [card number redacted]" in text
    assert card not in text


def test_a_conversation_that_is_none_is_the_fields_mistake(page: Admin) -> None:
    text = said(page, "/connectors/desk/preview?conversation=1:" + HOSTILE, 422)
    assert f"There is no chat '1:{HOSTILE}'." in text
    assert "No chats are stored yet" in said(page, "/connectors/desk/preview")


def test_a_connector_that_sends_nothing_has_no_preview(page: Admin, store: Store) -> None:
    chats(store, 1, archive=None)
    assert "archive sends no requests" in said(page, "/connectors/archive/preview", 422)


# --- the gate ----------------------------------------------------------------


def test_pausing_keeps_the_reason_and_goes_back_to_where_it_was_pressed(page: Admin, ledger: Ledger) -> None:
    answer = page.submit("/connectors/desk/pause", reason="  stock\ntaking ", back="/?span=week")
    assert (answer.status_code, answer.location) == (303, "/?span=week")
    assert "desk is paused. Its deliveries are queued; nothing is lost." in flashed(page)
    gate = ledger.lane("desk").gate
    assert gate
    assert (gate.reason, gate.by) == ("stock taking", "admin")


def test_without_a_reason_it_was_by_hand_and_a_long_one_is_cut(page: Admin, ledger: Ledger) -> None:
    for given, kept in (("  ", "paused manually"), ("x" * 5000, "x" * 200)):
        page.submit("/connectors/desk/pause", reason=given)
        gate = ledger.lane("desk").gate
        assert gate
        assert gate.reason == kept


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(page: Admin, back: str) -> None:
    assert page.submit("/connectors/desk/pause", back=back).location == "/"
    assert page.submit("/connectors/desk/resume").location == "/connectors/desk"


def test_resuming_opens_the_gate_and_wakes_a_worker(page: Admin, server: Server, store: Store, ledger: Ledger) -> None:
    chats(store, 1, desk=None)
    control(store).pause("desk", "why")
    server.client.delete("relay:knock:desk", "relay:celery:knocks")
    page.submit("/connectors/desk/resume")
    assert "desk resumed." in flashed(page)
    assert ledger.lane("desk").gate is None
    assert server.client.llen("relay:celery:knocks") == 1
    page.submit("/connectors/desk/resume")
    assert "desk was not paused." in flashed(page)


def test_trying_lets_one_through_a_gate_and_no_more(page: Admin, store: Store, ledger: Ledger) -> None:
    chats(store, 2, desk=None)
    control(store).pause("desk", "why")
    assert store.claim("desk", "a") is None
    page.submit("/connectors/desk/try")
    assert "One test delivery to desk is made now; the others stay queued." in flashed(page)
    assert store.claim("desk", "b")
    assert store.claim("desk", "c") is None


def test_one_that_paused_itself_goes_on_when_the_one_that_was_tried_arrives(
    page: Admin, store: Store, ledger: Ledger
) -> None:
    (first,) = chats(store, 1, desk=None)
    settle(store, claimed(store, "desk", first), Outcome.PAUSED, error="HTTP 401")
    assert "Credentials rejected" in said(page, "/connectors/desk")
    page.submit("/connectors/desk/try")
    assert "if it succeeds, all others follow" in flashed(page)
    settle(store, claimed(store, "desk", first), Outcome.DELIVERED)
    assert ledger.lane("desk").gate is None
    page.submit("/connectors/desk/try")
    assert "desk is not paused; deliveries are made as usual." in flashed(page)


def test_one_that_is_out_of_order_says_when_the_next_try_is(page: Admin, store: Store) -> None:
    (first,) = chats(store, 1, desk=None)
    claim = claimed(store, "desk", first)
    attempt = Attempt(claim.received, 10, Outcome.RETRY, 1, 503, "HTTP 503 Service Unavailable")
    store.settle(claim, attempt, delay_ms=30_000, trouble="outage", breaker=1)
    text = said(page, "/connectors/desk")
    assert re.search(r"Not responding .* not responding: HTTP 503 Service Unavailable. Next test delivery \d{4}-", text)
    assert "Retrying 1 Blocked 1" in text


def test_one_that_is_late_because_of_a_limit_of_its_own_is_said_to(page: Admin, store: Store, server: Server) -> None:
    first, second = chats(store, 2, desk=None)
    claimed(store, "desk", first)
    assert store.claim("desk", secrets.token_hex(8), limits=Limits(at_once=1)) is None
    words = "Its own limit (concurrency or rate in relay.yaml) is reached; the rest follows in turn."
    assert words not in said(page, "/connectors/desk")
    server.client.zincrby(key("lane", "desk"), -61_000, f"desk:{second}")
    assert words in said(page, "/connectors/desk")
    assert words in said(page, "/")


def test_one_that_answered_429_is_said_to_be_slowed_down(page: Admin, store: Store) -> None:
    (first,) = chats(store, 1, desk=None)
    claim = claimed(store, "desk", first, Limits(rate=5))
    attempt = Attempt(claim.received, 10, Outcome.RETRY, 1, 429, "HTTP 429 Too Many Requests")
    assert "Throttled" not in said(page, "/connectors/desk")
    store.settle(claim, attempt, delay_ms=30_000, trouble="throttled")
    assert "answered 429" in said(page, "/connectors/desk")
    assert "answered 429" in said(page, "/")


def test_trying_when_nothing_is_due_says_so(page: Admin, store: Store) -> None:
    control(store).pause("desk", "why")
    page.submit("/connectors/desk/try")
    assert "Nothing is queued for desk." in flashed(page)


@pytest.mark.parametrize("what", ["check", "pause", "resume", "try"])
def test_nothing_happens_without_the_forms_token_or_by_a_link(
    page: Admin, store: Store, ledger: Ledger, vendor: NaiveVendor, what: str
) -> None:
    control(store).pause("desk", "before")
    assert page.client.post(f"/connectors/desk/{what}", data={"reason": "after"}).status_code == 403
    assert page.get(f"/connectors/desk/{what}").status_code == 405
    gate = ledger.lane("desk").gate
    assert gate
    assert gate.reason == "before"
    assert vendor.requests == []
    assert store.claim("desk", "a") is None


def test_buttons_are_those_that_make_sense(page: Admin, store: Store) -> None:
    def actions(path: str) -> set[str]:
        return set(re.findall(r'action="/connectors/(\w+/\w+)"', page.get(path).text)) - {"desk/preview", "desk/setup"}

    assert actions("/connectors/desk") == {"desk/check", "desk/pause"}
    control(store).pause("desk", "why")
    control(store).pause("hook", "why")
    assert actions("/connectors/desk") == {"desk/check", "desk/try", "desk/resume"}
    assert actions("/connectors") == {"desk/try", "desk/resume", "hook/resume", "archive/pause"}
