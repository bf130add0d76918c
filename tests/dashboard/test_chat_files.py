"""`/conversations/ID/files/MARK`: a record at a destination leads there where its file is only linked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from connectors import registry
from connectors.archive import Archive, ArchiveSettings
from connectors.freshdesk import Freshdesk
from connectors.freshdesk.settings import FreshdeskSettings
from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.record import Mapping
from connectors.kit.text.parts import Layout
from connectors.testing.fake import Fake
from connectors.testing.files import chat_with
from core.config.settings import Route, Settings
from core.delivery import Revision
from core.ids import PayloadId
from core.smartsupp.parser import parse_conversation
from tests.dashboard.test_conversations import text_of
from tests.support.admin import Admin, admin, web_app
from tests.support.server import Server

PUBLIC = "https://relay.example.com"
HOSTILE = ("page.txt", "text/plain", b"<!doctype html><script>alert(document.cookie)</script>")
INVOICE = ("invoice of ann.pdf", "application/pdf", b"%PDF-1.7 the invoice")
ALLOWED = {"allow_networks": ["127.0.0.0/8"]}
CONFIG = json.dumps({"connectors": {"archive": {"type": "archive", "files": True, **ALLOWED}}})


@pytest.fixture(scope="module")
def smartsupp() -> Iterator[Fake]:
    with Fake() as there:
        yield there


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


def configured(
    public: str = PUBLIC, when: str = "true", archive: dict[str, Any] | None = None, **desk: Any
) -> Settings:
    """A help desk that is given addresses of files, beside an archive that keeps them."""
    kept = ArchiveSettings.model_validate({"type": "archive", "files": True, **ALLOWED, **(archive or {})})
    own = {"type": "freshdesk", "domain": "shop", "api_key": "key-0123456789", "files": "link", **ALLOWED, **desk}
    routes = (Route(to=["desk"]), Route(to=["archive"], when=when))
    connectors = {"archive": kept, "desk": FreshdeskSettings.model_validate(own)}
    return Settings("relay.yaml", (), connectors, routes, public_url=public)


def archived(body: bytes, folder: Path) -> None:
    history = (Revision(1, PayloadId("p1"), 1_700_000_000_000, "", body),)
    archive = cast(Archive, registry.make(configured(), "archive", folder))
    with archive.attempt():
        archive.deliver(parse_conversation(body), Receipt("archive:c", history[-1], lambda: history), Step({}, _forget))


def _forget(name: str, value: Any) -> None:
    """Nothing is asked of it again."""


def links(body: bytes, folder: Path, settings: Settings) -> list[str]:
    """The addresses that the record gets."""
    desk, chat = cast(Freshdesk, registry.make(settings, "desk", folder)), parse_conversation(body)
    notes: list[FileNote] = []
    with desk.attempt():
        words = Mapping(desk.settings, chat)
        ChatFiles(desk, chat, Step({}, _forget)).add(words, Layout(10_000), write=notes.append, texts=list)
    return [found for note in notes for found in re.findall(r'href="([^"]+)"', note.body)]


def test_a_linked_file_is_saved_by_who_is_logged_in_and_shown_by_no_browser(
    page: Admin, smartsupp: Fake, tmp_path: Path
) -> None:
    body = json.dumps(chat_with(smartsupp, HOSTILE, INVOICE)).encode()
    archived(body, tmp_path)
    found = links(body, tmp_path, configured())
    assert all(link.startswith(f"{PUBLIC}/conversations/208:coKettle7/files/") for link in found)
    for link, (name, _, content) in zip(found, (HOSTILE, INVOICE), strict=True):
        # The store knows nothing of this chat: its time was over, and the archive's is not.
        answer = page.get(link.removeprefix(PUBLIC))
        assert (answer.status_code, answer.data) == (200, content)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == f"attachment; filename={name.replace(' ', '_')}"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_who_is_not_logged_in_is_asked_to(server: Server, smartsupp: Fake, tmp_path: Path) -> None:
    body = json.dumps(chat_with(smartsupp, INVOICE)).encode()
    archived(body, tmp_path)
    [link] = links(body, tmp_path, configured())
    answer = web_app(server, tmp_path, config=CONFIG).test_client().get(link.removeprefix(PUBLIC))
    assert answer.status_code in (302, 303)
    assert "/login" in answer.headers["Location"]
    assert INVOICE[2] not in answer.data


def test_a_file_that_is_not_kept_any_more_is_said_to_be(page: Admin, smartsupp: Fake, tmp_path: Path) -> None:
    body = json.dumps(chat_with(smartsupp, INVOICE)).encode()
    archived(body, tmp_path)
    [link] = links(body, tmp_path, configured())
    path = link.removeprefix(PUBLIC)
    for wrong in (path[:-8] + "0000dead", path.replace("coKettle7", "coKettle8"), path[:-8] + "..%2F..%2Fr1.json"):
        assert page.get(wrong).status_code == 404, wrong
    shutil.rmtree(tmp_path / "archive" / "208" / "coKettle7")
    answer = page.get(path)
    assert answer.status_code == 404
    assert "This file of chat 208:coKettle7 is not kept here" in text_of(answer.text)


@pytest.mark.parametrize(
    ("what", "settings"),
    [
        ("no address of the dashboard", configured(public="")),
        ("an archive that keeps no files", configured(archive={"files": False})),
        ("one that is off", configured(archive={"enabled": False})),
        ("one that takes no such type", configured(archive={"file_types": ["image/*"]})),
        ("one that takes none that large", configured(archive={"largest_file": 0.000001})),
        ("one that gets some chats", configured(when="conversation.rating == 5")),
        ("one that leaves out chats", configured(archive={"min_visitor_messages": 2})),
    ],
)
def test_what_no_archive_is_sure_to_keep_is_linked_at_smartsupp(
    smartsupp: Fake, tmp_path: Path, what: str, settings: Settings
) -> None:
    body = json.dumps(chat_with(smartsupp, INVOICE)).encode()
    [link] = links(body, tmp_path, settings)
    assert link.startswith(smartsupp.url), what
