"""The quarantine: what is wrong is shown where it is, corrected, read again or discarded, and nothing is lost."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.dashboard.pages.quarantine import ROWS, SLICE
from app.dashboard.view.body_view import excerpt, shown_body
from core.delivery import PayloadStatus
from core.errors import PayloadError
from core.ids import ConversationId, PayloadId, identified
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Control, Ledger, Store, connect
from tests.conftest import Clock
from tests.support import hostile
from tests.support.admin import Admin, admin
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat, until

WRONG = chat("c1", messages=[{"type": "visitor", "content": "Hello"}, "yesterday"])
RIGHT = chat("c1", messages=[{"type": "visitor", "content": "Hello"}, {"sentAt": 1427470439703}])


@pytest.fixture
def store(server: Server) -> Store:
    """By the server's own clock, as the app's."""
    return Store(connect(server.url))


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path)


def quarantined(store: Store, body: bytes, account: str = "", content_type: str = "") -> str:
    """As the receiver puts it there."""
    identity = store.accept(body, account, content_type).id
    try:
        parse_conversation(body, account)
        error = "put there by a test"
    except PayloadError as problem:
        error = str(problem)
    store.divert(identity, PayloadStatus.QUARANTINED, error)
    return identity


def edited(html: str) -> str:
    """What the textarea holds, as a browser reads it: the first line end belongs to the tag."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", html, re.DOTALL)
    assert found, html
    return unescape(found[1])


def crlf(text: str) -> str:
    """As browsers send a textarea."""
    return text.replace("\n", "\r\n")


# --- The list


def test_the_list_has_the_newest_first_and_goes_on(page: Admin, server: Server, clock: Clock) -> None:
    store = Store(connect(server.url), clock)
    ids = [quarantined(store, b"broken %d" % number) for number in range(ROWS * 2 + 3)]
    seen, address = [], "/quarantine"
    while address:
        html = page.get(address).text
        seen.append(re.findall(r'href="/quarantine/([0-9a-f]{16})"', html))
        older = re.search(r'rel="next" href="([^"]+)"', html)
        address = unescape(older[1]) if older else ""
    # All came in one millisecond of the test's clock: their order is that of the ids.
    assert [len(part) for part in seen] == [ROWS, ROWS, 3]
    assert [one for part in seen for one in part] == sorted(ids, reverse=True)


def test_the_tabs_have_what_was_set_aside_and_discarded(page: Admin, store: Store) -> None:
    report = store.accept(b'{"domains": {}}').id
    store.divert(report, PayloadStatus.SET_ASIDE)
    gone = quarantined(store, b"gone")
    control(store).discard(identified(gone), "an advertisement")
    there = quarantined(store, b"there")
    lists = {
        status: page.get(f"/quarantine?status={status}").text for status in ("quarantined", "set-aside", "discarded")
    }
    assert all(identity in lists[status] for status, identity in zip(lists, (there, report, gone), strict=True))
    assert there not in lists["discarded"]
    assert "an advertisement" in lists["discarded"]


@pytest.mark.parametrize(
    "query", ["?after=nonsense", "?status=nonsense", "?after=", "?after=1~%00", "?after=99999999999999999~x"]
)
def test_an_address_that_makes_no_sense_shows_the_newest(page: Admin, store: Store, query: str) -> None:
    identity = quarantined(store, b"broken")
    assert identity in page.get(f"/quarantine{query}").text


def test_an_empty_quarantine_says_so(page: Admin) -> None:
    assert "Nothing is in quarantine" in page.get("/quarantine").text
    assert "Retry all" not in page.get("/quarantine").text


def test_the_buttons_for_all_come_with_the_first_row(page: Admin, store: Store) -> None:
    """They are in the part that keeps itself up to date, not above it."""
    quarantined(store, b"broken")
    before, _, inside = page.get("/quarantine").text.partition('<div id="payloads"')
    assert "Retry all" not in before
    assert "Discard all" not in before
    assert inside.index("Retry all") < inside.index("<table>")
    assert "Discard all" in inside


# --- One body


def test_what_is_wrong_is_shown_with_its_place_and_the_body_in_lines(page: Admin, store: Store) -> None:
    identity = quarantined(store, WRONG, "1", "application/json; charset=utf-8")
    html = page.get(f"/quarantine/{identity}").text
    assert "messages[1]: expected an object, got text" in unescape(html)
    assert "<mark>&#34;yesterday&#34;</mark>" in html
    assert "application/json; charset=utf-8" in html
    assert json.loads(edited(html)) == json.loads(WRONG)
    assert '\n  "accountId": 1,\n' in edited(html)


def test_a_corrected_body_is_taken_in_and_the_wrong_one_discarded(
    page: Admin, store: Store, ledger: Ledger, server: Server
) -> None:
    identity = quarantined(store, WRONG, "1")
    text = edited(page.get(f"/quarantine/{identity}").text).replace('"yesterday"', '{"sentAt": 1427470439703}')
    server.client.delete("relay:knock:inbox")
    answer = page.submit(f"/quarantine/{identity}/correct", body=crlf(text))
    assert answer.status_code == 303
    new = answer.location.rsplit("/", 1)[1]
    kept = ledger.payload(PayloadId(new))
    assert kept.body == text.encode()
    assert (kept.account, kept.content_type, kept.status) == ("1", "application/json", PayloadStatus.RECEIVED)
    old = ledger.payload(PayloadId(identity))
    assert (old.status, old.error, old.body) == (PayloadStatus.DISCARDED, f"corrected: {new}", WRONG)
    assert server.client.llen("relay:celery:knocks") == 1
    claim = store.claim(INBOX, "token")
    assert claim is not None
    assert parse_conversation(claim.body, claim.account).key == "1:c1"
    assert f'href="/quarantine/{new}"' in page.get(f"/quarantine/{identity}").text


def test_one_that_is_still_wrong_is_shown_again_with_what_was_typed(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = quarantined(store, b'{"accountId": 1}')
    typed = '{"accountId": 1,\n "channel": {"id": "x"},\n "messages": ["no</textarea><script>x"]}'
    answer = page.submit(f"/quarantine/{identity}/correct", body=crlf(typed))
    assert answer.status_code == 422
    assert edited(answer.text) == typed
    assert "messages[0]: expected an object" in unescape(answer.text)
    assert "<script>x" not in answer.text
    assert "<mark>&#34;no&lt;/textarea&gt;" in answer.text
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.QUARANTINED
    assert ledger.payload_counts()["received"] == 0


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "It is empty"),
        ("\r\n \r\n", "It is empty"),
        ("{", "not JSON: "),
        ('{"domains": {}}', "statistics report"),
        ('"' + "ž" * 600_000 + '"', "larger than 1 MiB"),
        (chat("c1", accountId=2).decode(), "the token belongs to account 1, this is from account 2"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_taken_in_says_why(page: Admin, store: Store, ledger: Ledger, typed: str, says: str) -> None:
    identity = quarantined(store, b"broken", "1")
    answer = page.submit(f"/quarantine/{identity}/correct", body=typed)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.QUARANTINED


def test_the_account_of_the_token_ties_the_corrected_body_too(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = quarantined(store, b"broken", "208")
    body = json.loads(chat("c1"))
    del body["accountId"]
    answer = page.submit(f"/quarantine/{identity}/correct", body=json.dumps(body))
    new = ledger.payload(PayloadId(answer.location.rsplit("/", 1)[1]))
    assert parse_conversation(new.body, new.account).account == "208"


def test_a_duplicate_is_said_to_be_one(page: Admin, store: Store, ledger: Ledger) -> None:
    first = store.accept(RIGHT).id
    claim = store.claim(INBOX, "t")
    assert claim is not None
    store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    identity = quarantined(store, WRONG)
    answer = page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode())
    assert answer.location.endswith(first)
    assert page.get(answer.location).location.endswith("/conversations/1:c1")
    assert "duplicate" in page.get("/conversations/1:c1").text
    assert ledger.payload(PayloadId(identity)).error == f"corrected: {first}"


def test_a_duplicate_of_one_that_was_never_taken_in_discards_nothing(page: Admin, store: Store, ledger: Ledger) -> None:
    first = quarantined(store, RIGHT)
    control(store).discard(PayloadId(first), "by mistake")
    identity = quarantined(store, WRONG)
    answer = page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode())
    assert answer.location.endswith(first)
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.QUARANTINED
    assert "stored already" in page.get(answer.location).text


def test_an_unchanged_body_that_can_be_read_today_is_read_again(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = quarantined(store, RIGHT)
    assert page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode()).location.endswith(identity)
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.RECEIVED
    claim = store.claim(INBOX, "token")
    assert claim is not None
    assert claim.id == identity


def test_a_store_that_takes_nothing_loses_nothing_of_what_was_typed(page: Admin, store: Store, server: Server) -> None:
    identity = quarantined(store, WRONG)
    server.client.config_set("maxmemory", "1")
    try:
        answer = page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode())
    finally:
        server.client.config_set("maxmemory", "0")
    assert answer.status_code == 503
    assert edited(answer.text) == RIGHT.decode()
    assert "try again" in answer.text


def test_when_it_cannot_be_discarded_afterwards_both_are_kept(
    page: Admin, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = quarantined(store, WRONG)
    real = Store.accept

    def and_somebody_reads_the_old_one_again(self: Store, *arguments: Any) -> Any:
        accepted = real(self, *arguments)
        control(store).replay(PayloadId(identity))
        return accepted

    monkeypatch.setattr(Store, "accept", and_somebody_reads_the_old_one_again)
    answer = page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode())
    assert answer.status_code == 303
    assert ledger.payload_counts()["received"] == 2


def test_one_that_left_the_quarantine_meanwhile_is_not_corrected(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = quarantined(store, WRONG)
    control(store).replay(PayloadId(identity))
    answer = page.submit(f"/quarantine/{identity}/correct", body=RIGHT.decode())
    assert answer.status_code == 409
    assert edited(answer.text) == RIGHT.decode()
    assert ledger.payload_counts()["received"] == 1


def test_bytes_are_shown_as_bytes_and_downloaded_as_they_came(page: Admin, store: Store) -> None:
    body = bytes(range(256)) * 20
    identity = quarantined(store, body, "208")
    html = page.get(f"/quarantine/{identity}").text
    assert "<textarea" not in html
    assert "relay import FILE --account 208" in html
    assert "000000  00 01 02" in html
    file = page.get(f"/quarantine/{identity}/body")
    assert file.data == body
    assert file.content_type == "application/octet-stream"
    assert file.headers["Content-Disposition"] == f'attachment; filename="{identity}.txt"'
    assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_changes_nothing_of_text_but_line_ends_and_says_that(page: Admin, store: Store, ledger: Ledger) -> None:
    body = "\ufeff\n  žluťoučký\t\u2028 &amp; <b>\r\n\n".encode()
    identity = quarantined(store, body)
    html = page.get(f"/quarantine/{identity}").text
    assert edited(html).encode() == body
    assert "line feed" in html


def test_a_discarded_one_can_be_read_again_and_one_of_a_conversation_cannot(
    page: Admin, store: Store, ledger: Ledger
) -> None:
    identity = quarantined(store, RIGHT)
    page.submit(f"/quarantine/{identity}/discard", reason="  by \n mistake ")
    assert ledger.payload(PayloadId(identity)).error == "by mistake"
    page.submit(f"/quarantine/{identity}/replay")
    claim = store.claim(INBOX, "t")
    assert claim is not None
    page.submit(f"/quarantine/{identity}/replay")
    assert store.renew([claim]) == 1
    store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    page.submit(f"/quarantine/{identity}/replay")
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.ROUTED
    assert page.get(f"/quarantine/{identity}").location.endswith("/conversations/1:c1")


def test_discarding_needs_a_reason_and_something_to_discard(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = quarantined(store, WRONG)
    answer = page.submit(f"/quarantine/{identity}/discard", reason="  ")
    assert answer.status_code == 422
    assert "Enter a reason" in answer.text
    control(store).replay(PayloadId(identity))
    page.submit(f"/quarantine/{identity}/discard", reason="late")
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.RECEIVED


@pytest.mark.parametrize("path", ["", "/body"])
def test_what_is_not_there_is_a_page_that_says_so(page: Admin, path: str) -> None:
    assert page.get(f"/quarantine/0123456789abcdef{path}").status_code == 404


# --- All at once


def test_all_are_read_again_in_slices_and_none_twice(
    page: Admin, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {quarantined(store, b"broken %d" % number) for number in range(SLICE + 20)}
    replayed: list[str] = []
    real = Control.replay

    def still_wrong(self: Control, identity: str) -> str:
        replayed.append(identity)
        found = real(self, PayloadId(identity))
        store.divert(PayloadId(identity), PayloadStatus.QUARANTINED, "still")
        return found

    monkeypatch.setattr(Control, "replay", still_wrong)
    assert f"{SLICE + 20} payloads are in quarantine" in page.get("/quarantine/all?action=replay").text
    answer = page.submit("/quarantine/all", action="replay")
    assert answer.status_code == 200
    after = re.search(r'name="after" value="([^"]+)"', answer.text)
    assert after
    done = page.submit("/quarantine/all", action="replay", after=after[1], done=str(SLICE))
    assert done.status_code == 303
    assert len(replayed) == len(set(replayed)) == len(ids)
    assert f"{SLICE + 20} payloads queued for another reading" in page.get("/quarantine").text


def test_all_are_discarded_with_a_reason(page: Admin, store: Store, ledger: Ledger) -> None:
    for number in range(3):
        quarantined(store, b"broken %d" % number)
    assert page.submit("/quarantine/all", action="discard", reason=" ").status_code == 422
    assert ledger.payload_counts()["quarantined"] == 3
    page.submit("/quarantine/all", action="discard", reason="a test of Smartsupp's")
    assert [one.error for one in ledger.payloads(PayloadStatus.DISCARDED)] == ["a test of Smartsupp's"] * 3
    assert "Nothing is in quarantine" in page.get("/quarantine/all?action=discard").text


def test_what_comes_after_the_page_was_shown_stays(page: Admin, store: Store, ledger: Ledger) -> None:
    quarantined(store, b"meant")
    asked = page.get("/quarantine/all?action=discard").text
    after = re.search(r'name="after" value="([^"]+)"', asked)
    assert after
    until(lambda: ledger.now() > int(after[1].partition("~")[0]), what="the next millisecond")
    later = quarantined(store, b"not meant")
    page.submit("/quarantine/all", action="discard", reason="why", after=after[1])
    assert [one.id for one in ledger.payloads(PayloadStatus.QUARANTINED)] == [later]


@pytest.mark.parametrize("fields", [{}, {"action": "drop"}, {"action": "replay", "after": "nonsense"}])
def test_a_form_that_makes_no_sense_changes_nothing(page: Admin, store: Store, ledger: Ledger, fields: Any) -> None:
    identity = quarantined(store, b"broken")
    assert page.submit("/quarantine/all", **fields).status_code == 400
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.QUARANTINED


@pytest.mark.parametrize("path", ["all", "ID/replay", "ID/discard", "ID/correct"])
def test_nothing_is_done_without_the_forms_token(page: Admin, store: Store, ledger: Ledger, path: str) -> None:
    identity = quarantined(store, RIGHT)
    fields = {"action": "discard", "reason": "why", "body": RIGHT.decode()}
    answer = page.client.post(f"/quarantine/{path.replace('ID', identity)}", data=fields)
    assert answer.status_code == 403
    assert ledger.payload(PayloadId(identity)).status is PayloadStatus.QUARANTINED


def test_hostile_bodies_are_text(page: Admin, store: Store) -> None:
    payload = hostile.payload()
    payload["messages"] = [{"sentAt": hostile.ALL}, *payload["messages"]]
    bodies = [json.dumps(payload).encode(), *(attack.encode("utf-8", "replace") for attack in hostile.ATTACKS)]
    ids = [quarantined(store, body) for body in bodies]
    for html in [page.get("/quarantine").text, *(page.get(f"/quarantine/{one}").text for one in ids)]:
        for mark in ("<script data-evil", "<img src=x", "<svg data-evil", "<style", "<iframe", "<form action=http"):
            assert mark not in html
        assert hostile.COMPUTED not in html


# --- A body as text


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [], "b": {}, "c": [[], {}, [1, -2.50e3, NaN]], "d": {"e": null}}',
        '[{"}": "]{", "\\"": "\\\\", "é": "a\\u0000"}, 1e999, 123456789012345678901234567890]',
        '{"same": 1, "same": 2}',
        '{"line\nbreak": "\t"}',
        "[]",
        "{}",
    ],
)
def test_setting_in_changes_nothing_but_space(text: str) -> None:
    view = shown_body(text.encode())
    assert (view.kind, view.editable) == ("JSON", True)

    def squeezed(one: str) -> list[str]:
        return re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+?', one, re.DOTALL)

    assert squeezed(view.text) == squeezed(text)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"plain", "text"),
        (b'{"a": 1', "text"),
        (b'"just text"', "text"),
        (b"\xff", "bytes"),
        (b"a\x00b", "bytes"),
        (b"", "text"),
    ],
)
def test_what_is_no_json_stays_as_it_is(body: bytes, kind: str) -> None:
    view = shown_body(body)
    assert view.kind == kind
    assert view.editable == (kind == "text")
    if kind == "text":
        assert view.text.encode() == body


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (chat("c1", messages=[{}, {}, "x"]), '"x"'),
        (chat("c1", messages={"0": {}, "a b": 1}), '"messages": {'),
        (chat("c1", visitor=[1]), '"visitor": ['),
        (chat("c1", accountId="a/b"), '"accountId": "a/b",'),
        (chat("c1", accountId=[1]), '"accountId": ['),
        (chat("c1", channel=5), '"channel": 5,'),
        (b'{"accountId": 1,\n "channel" 5}', "5"),
        (b'{"accountId": 1', "⟂"),
    ],
)
def test_the_place_that_is_wrong_is_found(body: bytes, wrong: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_conversation(body)
    found = excerpt(body, str(caught.value))
    assert found is not None
    assert found.wrong == wrong


@pytest.mark.parametrize(
    "error", ["channel: no conversation", "", "nonsense", "not JSON: x at line 99, column 99", "bug: TypeError: x"]
)
def test_a_place_that_is_not_there_is_not_shown(error: str) -> None:
    found = excerpt(b'{"accountId": 1}', error)
    assert found is None or found.wrong == "⟂"


def test_a_body_of_340_000_parts_is_shown_in_part(page: Admin, store: Store) -> None:
    body = b'{"accountId":1,"channel":{"id":""},"messages":[' + b",".join([b"{}"] * 340_000) + b"]}"
    identity = store.accept(body).id
    store.divert(identity, PayloadStatus.QUARANTINED, "channel.id: expected an id")
    html = page.get(f"/quarantine/{identity}").text
    assert len(html) < 400_000
    assert "Only the beginning is shown" in html
    assert page.get(f"/quarantine/{identity}/body").data == body


def test_a_webhook_is_corrected_as_a_webhook(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = store.accept(b'{"event": "conversation.closed", "data": {}}', "208", "application/json", "main").id
    store.divert(identity, PayloadStatus.QUARANTINED, "data.conversation.id: expected the id of a conversation")
    assert "Signed webhook of" in page.get(f"/quarantine/{identity}").text
    kept = page.submit(
        f"/quarantine/{identity}/correct", body='{"event": "conversation.closed", "data": {"id": "a:b"}}'
    )
    assert kept.status_code == 422
    right = '{"event": "conversation.closed", "data": {"id": "co1"}}'
    assert page.submit(f"/quarantine/{identity}/correct", body=right).status_code in (200, 303)
    [found] = ledger.payloads(PayloadStatus.RECEIVED)
    assert (ledger.payload(found.id).body, found.origin, found.account) == (right.encode(), "main", "208")
    assert ledger.payload(identity).status == "discarded"
