"""Files of a chat in the archive: fetched once, while their addresses work; nothing that could do harm, and no name
that leads out of the folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from requests import Response
from urllib3.exceptions import ProtocolError

from connectors.archive import Archive, ArchiveSettings, files
from connectors.archive.files import named_files
from connectors.kit import http
from connectors.kit.connector import Receipt, Step
from connectors.kit.files.fetching import FETCH_TRIES, fetch
from connectors.kit.files.rules import FileRules
from connectors.kit.files.waiting import WaitingFiles
from connectors.kit.http import Http
from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from connectors.testing.fake import Answer, Fake
from core.conversation import ChatFile, Conversation, Message
from core.delivery import Revision
from core.errors import RetryLater, TimedOut
from core.ids import ConversationId, PayloadId

SENT = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
BODY = b'{"accountId": 208, "channel": {"id": "co1"}}'


class Storage(Fake):
    """Where files lie, by address: what is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Answer] = {}
        self.route("GET", r"/(.*)", lambda request, path: self.kept.get(path) or Answer(404, {"message": "gone"}))


@pytest.fixture(scope="module")
def served() -> Iterator[Storage]:
    with Storage() as storage:
        yield storage


@pytest.fixture
def storage(served: Storage) -> Storage:
    served.kept.clear()
    served.requests.clear()
    return served


class Box:
    """An archive that keeps files, and what its deliveries remember."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"type": "archive", "files": True, "allow_networks": ["127.0.0.1"], **settings}
        self.archive = Archive("files", ArchiveSettings.model_validate(given), folder)
        self.folder = folder / "archive" / "208" / "co1"
        self.known: dict[str, Any] = {}

    def deliver(self, *files: ChatFile) -> None:
        message = Message(type="visitor", content="here", sent_at=SENT, files=files)
        chat = Conversation(account="208", id="co1", messages=(message,))
        history = (Revision(1, PayloadId("p1"), 1_700_000_000_000, "", BODY),)
        step = Step(self.known, self.known.__setitem__, forget=lambda name: self.known.pop(name, None) and None)
        with self.archive.attempt():
            self.archive.deliver(chat, Receipt("files/208:co1", history[-1], lambda: history), step)

    def files(self) -> dict[str, bytes]:
        """What is there, by name without its mark."""
        found = sorted((self.folder / "files").glob("*"))
        return {one.name.partition("-")[2]: one.read_bytes() for one in found}

    @property
    def note(self) -> str:
        return str(self.known.get("note files", ""))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def file(storage: Storage, name: str = "invoice.pdf", kind: str = "application/pdf", **changes: Any) -> ChatFile:
    return ChatFile(name=name, type=kind, url=f"{storage.url}/{changes.pop('path', 'one')}?signature=1", **changes)


def test_a_file_is_fetched_once_and_lies_beside_the_transcript(box: Box, storage: Storage) -> None:
    storage.kept["one"] = Answer(200, b"%PDF-1.7 hello", {"Content-Type": "application/pdf"})
    box.deliver(file(storage))
    assert box.files() == {"invoice.pdf": b"%PDF-1.7 hello"}
    assert (box.folder / "r1.txt").exists()
    box.deliver(file(storage, path="another-address-of-it"))
    assert len(storage.requests) == 1
    assert box.note == ""
    [kept] = (box.folder / "files").iterdir()
    assert not kept.stat().st_mode & 0o111


def test_erasing_the_chat_takes_its_files(box: Box, storage: Storage) -> None:
    storage.kept["one"] = Answer(200, b"%PDF-1.7", {"Content-Type": "application/pdf"})
    box.deliver(file(storage))
    chat = ConversationId("208:co1")
    [kept] = (box.folder / "files").iterdir()
    assert kept in box.archive.files(chat)
    assert str(kept) in box.archive.erase(chat)
    assert not box.folder.exists()


def test_without_the_setting_nothing_is_fetched(tmp_path: Path, storage: Storage) -> None:
    box = Box(tmp_path, files=False)
    box.deliver(file(storage))
    assert not storage.requests
    assert not (box.folder / "files").exists()


@pytest.mark.parametrize(
    ("answer", "changes", "why"),
    [
        (Answer(404, {"message": "no"}), {}, "expired or refused"),
        (Answer(403, b"<Error>AccessDenied</Error>", {"Content-Type": "application/xml"}), {}, "expired or refused"),
        (Answer(302, b"", {"Location": "http://169.254.169.254/"}), {}, "expired or refused"),
        (Answer(200, b"<script>", {"Content-Type": "text/html"}), {}, "of a type that is not allowed"),
        (Answer(200, b"MZ\x90", {"Content-Type": "application/pdf"}), {}, "of a type that is not allowed"),
        (Answer(200, b"x" * 2_000_000, {"Content-Type": "application/pdf"}), {}, "larger than 1 MB"),
        (Answer(200, b"x", {"Content-Type": "application/pdf"}), {"size": 2_000_000}, "larger than 1 MB"),
        (Answer(200, b"x" * (9 << 20), {"Content-Type": "application/pdf"}), {}, "larger than 1 MB"),
        (Answer(200, b"x", {"Content-Type": "application/pdf"}), {"expires_at": SENT - timedelta(days=99)}, "expired"),
        (Answer(200, b"x", {"Content-Type": "image/svg+xml"}), {"kind": "image/svg+xml"}, "of a type that is not"),
        (Answer(200, b"x", {"Content-Type": "application/octet-stream"}), {"kind": "application/x-sh"}, "of a type"),
    ],
)
def test_what_cannot_or_may_not_be_kept_is_noted_without_its_name_and_the_chat_is_there(
    tmp_path: Path, storage: Storage, answer: Answer, changes: dict[str, Any], why: str
) -> None:
    box = Box(tmp_path, largest_file=1)
    storage.kept["one"] = answer
    box.deliver(file(storage, "secret name.pdf", **changes))
    assert box.files() == {}
    assert box.note.startswith(f"1 not kept: {why}")
    assert "secret" not in box.note
    assert (box.folder / "r1.json").exists()


def test_storage_that_knows_no_type_is_believed_by_what_was_declared(box: Box, storage: Storage) -> None:
    storage.kept["one"] = Answer(200, b"%PDF-1.7", {"Content-Type": "application/octet-stream"})
    box.deliver(file(storage))
    assert box.files() == {"invoice.pdf": b"%PDF-1.7"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://[::1]/x", "http://169.254.169.254/latest", "file:///etc/x"]
)
def test_an_address_in_a_chat_leads_to_no_private_network(tmp_path: Path, url: str) -> None:
    box = Box(tmp_path, allow_networks=[])
    box.deliver(ChatFile(name="a.pdf", type="application/pdf", url=url))
    assert box.files() == {}
    assert box.note.startswith("1 not kept: ")


def test_a_file_that_broke_off_in_the_middle_is_asked_for_again(
    box: Box, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.kept["one"] = Answer(200, b"%PDF-1.7 whole", {"Content-Type": "application/pdf"})

    def broken(answer: Response) -> None:
        raise ProtocolError("Connection broken", ConnectionResetError(104, "reset"))

    with monkeypatch.context() as breaking:
        breaking.setattr(http, "_pieces", broken)
        with pytest.raises(RetryLater):
            box.deliver(file(storage))
    assert box.note == ""
    box.deliver(file(storage))
    assert box.files() == {"invoice.pdf": b"%PDF-1.7 whole"}


def test_a_storage_that_is_down_is_asked_again_a_few_times_and_the_transcript_is_there(
    box: Box, storage: Storage
) -> None:
    storage.kept["one"] = Answer(503, {"message": "later"})
    storage.kept["two"] = Answer(200, b"GIF89a", {"Content-Type": "image/gif"})
    both = (file(storage), file(storage, "smile.gif", "image/gif", path="two"))
    for _ in range(3):
        with pytest.raises(RetryLater):
            box.deliver(*both)
        assert box.files() == {"smile.gif": b"GIF89a"}, "one that fails keeps no other from coming"
    box.deliver(*both)
    assert box.note == "1 not kept: not to be had"


def test_a_slow_file_takes_no_time_from_the_others_and_no_try(
    box: Box, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.kept["two"] = Answer(200, b"GIF89a", {"Content-Type": "image/gif"})
    both = (file(storage), file(storage, "smile.gif", "image/gif", path="two"))
    asked, left = list[str](), ATTEMPT_SECONDS

    def slow(wanted: ChatFile, rules: FileRules, http: Http, place: Path) -> None:
        nonlocal left
        if left <= 0:
            raise TimedOut("the attempt took longer than it may")
        asked.append(wanted.name)
        if wanted.name == "invoice.pdf":
            left = 0.0
            raise TimedOut("no answer in time")
        fetch(wanted, rules, http, place)

    monkeypatch.setattr(files, "fetch", slow)
    monkeypatch.setattr(Http, "remaining", lambda _: left)
    for number in range(FETCH_TRIES):
        left = ATTEMPT_SECONDS
        with pytest.raises(RetryLater) if number < FETCH_TRIES - 1 else nullcontext():
            box.deliver(*both)
        assert ("smile.gif" in box.files()) == (number > 0)
    assert asked == ["invoice.pdf", "smile.gif", *["invoice.pdf"] * (FETCH_TRIES - 1)]
    assert box.note == "1 not kept: not to be had"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd", "etc_passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/absolute", "absolute"),
        (".hidden", "hidden"),
        ("žluťoučký kůň.PDF", "zlutoucky_kun.PDF"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a\0b\nc.txt", "a_b_c.txt"),
        ("", "file"),
        ("….…", "file"),
        ("x" * 500 + ".pdf", "x" * 68 + ".pdf"),
        ("CON", "CON"),
    ],
)
def test_a_name_is_a_name_and_nothing_else(name: str, kept: str) -> None:
    message = Message(sent_at=SENT, files=(ChatFile(name=name),))
    [(_, found)] = named_files(Conversation(account="208", id="co1", messages=(message,)))
    assert found.partition("-")[2] == kept
    assert len(found) <= 90
    assert "/" not in found


def test_two_files_of_one_name_are_two(box: Box, storage: Storage) -> None:
    storage.kept["one"] = Answer(200, b"1", {"Content-Type": "image/png"})
    storage.kept["two"] = Answer(200, b"22", {"Content-Type": "image/png"})
    first = file(storage, "image.png", "image/png", size=1)
    box.deliver(first, file(storage, "image.png", "image/png", size=2, path="two"))
    assert len([*(box.folder / "files").iterdir()]) == 2


def test_two_files_of_which_nothing_but_the_address_differs_are_two(box: Box, storage: Storage) -> None:
    for path, content in (("one", b"1"), ("two", b"22")):
        storage.kept[path] = Answer(200, content, {"Content-Type": "image/png"})
    box.deliver(file(storage, "image.png", "image/png"), file(storage, "image.png", "image/png", path="two"))
    assert sorted(one.read_bytes() for one in (box.folder / "files").iterdir()) == [b"1", b"22"]


def test_erasing_takes_what_waits_for_a_connector_that_is_there_no_more(box: Box, storage: Storage) -> None:
    chat = ConversationId("208:co1")
    left = WaitingFiles(box.archive.data_dir, chat).place("0123abcd", "desk")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    assert [*box.archive.erase(chat)] == [str(left)]
    assert not left.exists()
