"""Erasing from the dashboard: it shows what there is, asks, erases everything and gives a receipt."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.fernet import Fernet

from app.dashboard.pages import erase as erase_page
from connectors.archive import Archive
from connectors.kit.connector import Copy
from core.delivery import Attempt, Outcome, PayloadStatus, Reference
from core.ids import ConversationId
from core.store import INBOX, Eraser, Ledger, Store, connect
from tests.support import hostile, made
from tests.support.admin import admin, token_in
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import chat
from tests.support.visitor import EMAIL, NAME, VISITOR, petra, remains

ARCHIVE = "connectors: {archive: {type: archive}}"


class Shop:
    """The page of an admin, and the pipeline beside it on the same store and in the same folder."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.page = admin(server, folder, config=ARCHIVE)
        self.store, self.ledger = Store(connect(server.url)), Ledger(connect(server.url))
        self.inline = Inline(self.store, folder, ARCHIVE, folder)
        self.archive = folder / "archive"

    def look(self, visitor: str = EMAIL) -> str:
        answer = self.page.submit("/erase", visitor=visitor)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def erase(self, visitor: str = EMAIL, **fields: Any) -> str:
        answer = self.page.submit("/erase/now", visitor=visitor, **fields)
        assert answer.status_code == 200, answer.text
        return answer.text

    def left(self) -> list[str]:
        return remains(self.server.client, self.archive)


@pytest.fixture
def shop(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(erase_page, "_PATIENCE", 0.3)
    return Shop(server, tmp_path)


def receipt(html: str) -> str:
    """The text that the link downloads; the page shows the same."""
    link = re.search(r'href="data:text/plain;charset=utf-8,([^"]+)" download="receipt.txt"', html)
    shown = re.search(r"<pre class=\"code\"[^>]*><code>(.*?)</code></pre>", html, re.DOTALL)
    assert link
    assert shown
    text = unquote(unescape(link[1]))
    assert text == unescape(shown[1])
    return text


def test_it_shows_what_there_is_erases_nothing_yet_and_asks(shop: Shop) -> None:
    shop.inline.take(petra(), petra("c2", visitor={"name": "Petra N."}), chat("c3"))
    body = shop.inline.take(petra("c4")[:-9])[0]
    html = shop.look(EMAIL.upper())
    for wanted in (
        "2 chats and 1 payload without",
        "/conversations/1:c1",
        "/conversations/1:c2",
        f"/quarantine/{body}",
    ):
        assert wanted in html
    assert f"{NAME} <{EMAIL}>" in html
    assert "1:c3" not in html
    assert shop.ledger.conversation(ConversationId("1:c1"))
    assert "Erase permanently" in html


def test_everything_goes_and_the_receipt_says_what(shop: Shop) -> None:
    shop.inline.take(petra(), petra(visitor={"note": "second"}), petra("c2"), chat("c3"))
    body = shop.inline.take(petra("c4")[:-9])[0]
    unread = shop.store.accept(petra("c5")).id
    text = receipt(shop.erase())
    assert shop.left() == []
    assert shop.ledger.conversation(ConversationId("1:c3"))
    assert list(shop.archive.rglob("r1.txt")) == [shop.archive / "1" / "c3" / "r1.txt"]
    for wanted in (
        EMAIL,
        "2  chats",
        "3  payloads of them",
        "2  payloads without",
        "6  files",
        "1:c1",
        "1:c2",
        body,
        unread,
    ):
        assert wanted in text
    assert "NOT COMPLETE" not in text
    assert "being rewritten" in text
    assert "No data found" in shop.look()


def test_what_only_files_are_left_of_is_shown_and_goes(shop: Shop) -> None:
    shop.inline.take(petra(), petra("c2", visitor={"id": "vi-2"}))
    eraser = Eraser(connect(shop.server.url))
    assert eraser.settled([ConversationId("1:c1"), ConversationId("1:c2")], 2**52, 0) == 2
    html = shop.look()
    assert "2 chats" in html
    assert html.count("only files are left") == 2
    assert "/conversations/1:c1" not in html
    assert "4  files" in receipt(shop.erase())
    assert shop.left() == []


def test_what_else_the_visitor_was_called_can_be_looked_for(shop: Shop) -> None:
    shop.inline.take(petra(), petra("c2", visitor={"email": ""}))
    html = unescape(shop.erase())
    assert "Other addresses and ids of this visitor" in html
    assert f'<input type="hidden" name="visitor" value="{VISITOR}">' in html
    assert "1 chat" in shop.look(VISITOR)


def test_files_that_cannot_be_read_are_no_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[Copy]:
        raise PermissionError(13, "Permission denied", "/archive/1")
        yield

    monkeypatch.setattr(Archive, "copies", broken)
    for path in ("/erase", "/erase/now"):
        answer = shop.page.submit(path, visitor=EMAIL)
        assert answer.status_code == 500
        assert "the files of archive cannot be read" in unescape(answer.text)
        assert "No data found" not in answer.text


def test_by_id_the_same_goes(shop: Shop) -> None:
    shop.inline.take(petra())
    shop.erase(VISITOR.lower())
    assert shop.left() == []


def test_a_conversation_with_two_names_says_so(shop: Shop) -> None:
    shop.inline.take(petra(), chat("c1"))
    html = shop.look()
    assert "More than one name" in html
    assert "Ann <ann@example.com>" in html


def test_conversations_of_others_stay_unless_they_are_ticked(shop: Shop) -> None:
    message = [{"type": "visitor", "content": f"ask {EMAIL}"}]
    shop.inline.take(petra(), chat("c2", messages=message), chat("c3", messages=message), chat("c4"))
    html = shop.look()
    assert sorted(re.findall(r'name="also" value="([^"]+)"', html)) == ["1:c2", "1:c3"]
    text = receipt(shop.erase(also=["1:c3", "1:c4"]))
    assert "Kept: chats of others" in text
    assert [one for one in ("c1", "c2", "c3", "c4") if shop.server.client.exists(f"relay:revisions:1:{one}")] == [
        "c2",
        "c4",
    ]


def test_nothing_of_their_own_needs_a_choice(shop: Shop) -> None:
    shop.inline.take(chat("c2", messages=[{"type": "visitor", "content": f"ask {EMAIL}"}]))
    assert "No chat is theirs" in shop.look()
    assert shop.page.submit("/erase/now", visitor=EMAIL).status_code == 422
    assert shop.ledger.conversation(ConversationId("1:c2"))


def test_records_elsewhere_are_links_only_when_they_are_addresses_of_the_web(shop: Shop) -> None:
    for number, url in enumerate(("https://desk.example/5", "javascript:alert(1)", "")):
        shop.store.accept(petra(f"c{number}"))
        claim = shop.store.claim(INBOX, f"t{number}")
        assert claim is not None
        shop.store.fan_out(claim, ConversationId(f"1:c{number}"), ["desk"])
        claim = made.claimed(shop.store, "desk", f"1:c{number}")
        tried = Attempt(at=1, ms=2, outcome=Outcome.DELIVERED, revision=1)
        shop.store.settle(claim, tried, reference=Reference(f"T-{number}", url))
    looked, erased = shop.look(), shop.erase()
    for html in (looked, erased):
        assert 'href="https://desk.example/5"' in html
        assert 'href="javascript' not in html
        assert "T-1" in html
    assert "desk: T-1 javascript:alert(1)" in receipt(erased)


def test_what_is_in_use_is_listed_to_be_erased_again(shop: Shop) -> None:
    shop.store.accept(petra())
    shop.inline.read()
    claim = shop.inline.claim("archive")
    assert claim is not None
    html = shop.erase()
    assert "Something could not be erased" in html
    assert "Search again" in html
    assert "NOT COMPLETE" in receipt(html)
    assert "1:c1" in receipt(html)
    shop.store.release(claim)
    assert "NOT COMPLETE" not in receipt(shop.erase())
    assert shop.left() == []


def test_files_that_cannot_be_removed_are_named_and_the_conversation_is_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.inline.take(petra())

    def fail(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    with monkeypatch.context() as broken:
        broken.setattr("connectors.archive.shutil.rmtree", fail)
        text = receipt(shop.erase())
    assert "1:c1, archive: permission denied for the relay's user" in text
    assert shop.ledger.conversation(ConversationId("1:c1"))
    shop.erase()
    assert shop.left() == []


@pytest.mark.parametrize("given", ["", "  \n "])
def test_it_wants_to_know_who(shop: Shop, given: str) -> None:
    shop.inline.take(petra(visitor={"email": "", "id": ""}))
    answer = shop.page.submit("/erase", visitor=given)
    assert answer.status_code == 422
    assert "Enter an email address" in answer.text
    assert shop.page.submit("/erase/now", visitor=given).status_code == 303
    assert shop.ledger.conversation(ConversationId("1:c1"))


@pytest.mark.parametrize("path", ["/erase", "/erase/now"])
def test_nothing_is_done_without_the_forms_token(shop: Shop, path: str) -> None:
    shop.inline.take(petra())
    assert shop.page.client.post(path, data={"visitor": EMAIL}).status_code == 403
    assert shop.ledger.conversation(ConversationId("1:c1"))


def test_no_address_holds_the_visitor_and_the_log_does_not_name_them(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.inline.take(petra())
    assert shop.page.get(f"/erase?visitor={EMAIL}").text.count(EMAIL) == 0
    assert shop.page.get("/erase/now").status_code in (404, 405)
    html = shop.look()
    assert f"visitor={EMAIL}" not in html
    capsys.readouterr()
    shop.erase()
    said = capsys.readouterr().out
    assert "a visitor was erased" in said
    assert EMAIL not in said


def test_a_hostile_visitor_is_text_and_can_be_erased(shop: Shop) -> None:
    payload = hostile.payload(channel="hostile")
    shop.store.accept(json.dumps(payload).encode())
    claim = shop.store.claim(INBOX, "t")
    assert claim is not None
    shop.store.fan_out(claim, ConversationId("1:hostile"), ["archive"])
    shop.inline.take(petra("hostile"), b"<script data-evil>alert(1)</script> " + EMAIL.encode())
    for html in (shop.page.submit("/erase", visitor=EMAIL).text, shop.erase()):
        for mark in ("<script data-evil", "<img src=x", "<svg data-evil", "<style", "<iframe", "<form action=http"):
            assert mark not in html
        assert hostile.COMPUTED not in html
    wanted = f'<img src=x data-evil onerror=1>"{EMAIL}'
    assert "<img src=x" not in shop.page.submit("/erase", visitor=wanted).text
    assert shop.ledger.payload_counts()[PayloadStatus.QUARANTINED] == 0


def test_many_are_counted_and_the_first_are_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase_page, "SHOWN", 3)
    shop.inline.take(*(petra(f"c{number}") for number in range(5)))
    html = shop.look()
    assert "5 chats" in html
    assert len(set(re.findall(r'href="/conversations/(1:c\d)"', html))) == 3
    assert "And 2 more, which are erased as well" in html
    assert receipt(shop.erase()).count("\n  1:c") == 5


def test_retention_is_told(server: Server, tmp_path: Path) -> None:
    text = f"{ARCHIVE}\nretention: {{settled_days: 0.5, dead_days: null}}"
    html = admin(server, tmp_path, config=text).get("/erase").text
    assert "after 0.5 days" in html
    assert "never, until you decide" in html


def test_what_is_sealed_with_a_lost_key_is_a_page_that_says_so(server: Server, tmp_path: Path) -> None:
    lost, key = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    old, new = Store(connect(server.url, keys=[lost])), Store(connect(server.url, keys=[key]))
    identity = old.accept(b"broken").id
    old.divert(identity, PayloadStatus.QUARANTINED, "no JSON")
    for store, body in ((old, chat("c1")), (new, petra())):
        store.accept(body)
        claim = store.claim(INBOX, "t")
        assert claim is not None
        store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    page = admin(server, tmp_path, RELAY_ENCRYPTION_KEYS=key)
    answer = page.get(f"/quarantine/{identity}")
    assert answer.status_code == 409
    assert "RELAY_ENCRYPTION_KEYS" in answer.text
    html = page.submit("/erase", visitor=EMAIL).text
    assert "2 payloads could not be searched" in html
    assert "encrypted with a key that is not in" in html
    assert "NOT COMPLETE" in receipt(page.submit("/erase/now", visitor=EMAIL).text)


# --- The data for the visitor


def downloaded(shop: Shop, visitor: str = EMAIL, **fields: Any) -> dict[str, bytes]:
    answer = shop.page.submit("/erase/download", visitor=visitor, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/zip"
    assert re.fullmatch(r'attachment; filename="visitor-[\d-]+\.zip"', answer.headers["Content-Disposition"])
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_their_data_can_be_downloaded_and_nothing_is_erased(shop: Shop) -> None:
    shop.inline.take(petra(), petra("c4")[:-9])
    assert re.search(
        r'<button class="button" formaction="/erase/download">.*?Download their data</button>', shop.look()
    )
    before = shop.left()
    members = downloaded(shop)
    assert members["chats/0001/r1.json"] == petra()
    assert "1  payloads without a chat" in members["index.txt"].decode()
    assert shop.left() == before


def test_what_was_ticked_is_in_it_too(shop: Shop) -> None:
    message = [{"type": "visitor", "content": f"ask {EMAIL}"}]
    shop.inline.take(petra(), chat("c2", messages=message), chat("c3", messages=message))
    members = downloaded(shop, also=["1:c3"])
    assert members["chats/0002/r1.json"] == chat("c3", messages=message)
    assert "chats/0003/chat.json" not in members


def test_a_download_wants_the_forms_token_and_a_visitor_of_whom_there_is_something(shop: Shop) -> None:
    shop.inline.take(petra(), chat("c2", messages=[{"type": "visitor", "content": "ask bob@x.example"}]))
    assert shop.page.client.post("/erase/download", data={"visitor": EMAIL}).status_code == 403
    assert shop.page.get("/erase/download").status_code == 405
    assert shop.page.submit("/erase/download", visitor=" ").status_code == 422
    assert shop.page.submit("/erase/download", visitor="bob@x.example").status_code == 422
    assert "No data found" in shop.page.submit("/erase/download", visitor="nobody@x.example").text


def test_whoever_is_not_logged_in_gets_no_data(shop: Shop) -> None:
    shop.inline.take(petra())
    token = token_in(shop.page.get("/no-such-page").text)
    stranger = shop.page.app.test_client()
    answer = stranger.post("/erase/download", data={"visitor": EMAIL, "csrf_token": token})
    assert answer.status_code in (302, 303, 403)
    assert b"PK" not in answer.data


def test_what_is_too_large_for_a_page_is_for_the_command_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase_page, "LARGEST_DOWNLOAD", 10)
    shop.inline.take(petra())
    answer = shop.page.submit("/erase/download", visitor=EMAIL)
    assert answer.status_code == 413
    assert "relay export --visitor WHO -o FILE" in answer.text


def test_the_log_does_not_name_whose_data_was_downloaded(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.inline.take(petra())
    capsys.readouterr()
    downloaded(shop)
    said = capsys.readouterr().out
    assert "a visitor's data was downloaded" in said
    assert EMAIL not in said
