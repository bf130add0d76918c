"""Files of a chat on their way: bodies that stream, texts that bring few enough, and a folder that empties itself.

What every vendor must do with them is in connectors/testing/files.py.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.settings import FreshdeskSettings
from connectors.kit.files import carrying
from connectors.kit.files.carrying import SEND_TRIES, ChatFiles, FileNote
from connectors.kit.files.fetching import FETCH_TRIES, fetch
from connectors.kit.files.marks import files_mark
from connectors.kit.files.rules import MIB, FileRules, marked_files
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import Outgoing, json_options, media_type, multipart_body, raw_body
from connectors.kit.files.waiting import KEPT_SECONDS, WaitingFiles, sweep_files
from connectors.kit.http import Http
from connectors.kit.record import Mapping
from connectors.kit.step import Receipt, Step
from connectors.kit.text.formats import FORMS
from connectors.kit.text.parts import Layout
from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from connectors.testing.fake import Answer, Fake, Request
from connectors.testing.files import chat_with
from core.config.environment import DISK_FILLING
from core.conversation import ChatFile, Conversation
from core.delivery import Reference, Revision
from core.errors import RecordRefused, RetryLater, Skipped, TimedOut
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation

NAMES = ("one.pdf", "two.pdf", "three.pdf")


class Desk(Fake):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.route("POST", "/in", lambda request: {"ok": True})


@pytest.fixture
def desk() -> Iterator[Fake]:
    with Desk() as there:
        yield there


@pytest.fixture
def http() -> Http:
    return Http(timeout=20, allow_networks=FreshdeskSettings.model_validate(SETTINGS).allow_networks)


SETTINGS = {"type": "freshdesk", "domain": "shop", "api_key": "key-0123456789", "allow_networks": ["127.0.0.0/8"]}


def outgoing(folder: Path, content: bytes, name: str = "photo.png") -> Outgoing:
    path = folder / name
    path.write_bytes(content)
    return Outgoing("0123abcd", name, name, "image/png", len(content), path)


def sent(desk: Fake) -> Request:
    [request] = desk.requests
    assert int(request.headers["content-length"]) == len(request.raw)
    return request


# --- bodies --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 49_151, 49_152, 49_153, 300_001])
def test_a_file_inside_json_is_the_base64_of_all_of_it(desk: Fake, http: Http, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    document = {"a": 1, "files": [{"data": outgoing(tmp_path, content), "ü": '"'}, "end"]}
    http.request("POST", f"{desk.url}/in", **json_options(document))
    body = json.loads(sent(desk).raw)
    assert base64.b64decode(body["files"][0].pop("data"), validate=True) == content
    assert body == {"a": 1, "files": [{"ü": '"'}, "end"]}


def test_json_without_a_file_is_sent_as_ever() -> None:
    assert json_options({"a": [1]}) == {"json": {"a": [1]}}


def test_a_form_has_its_fields_and_its_files(desk: Fake, http: Http, tmp_path: Path) -> None:
    contents = os.urandom(100_000), b"\r\n--relay-\r\n"
    files = [("files[]", outgoing(tmp_path, one, f"{n}.png")) for n, one in enumerate(contents)]
    http.request("POST", f"{desk.url}/in", **multipart_body({"body": "<p>ü</p>\n", "private": "true"}, files).options)
    fields, arrived = sent(desk).form()
    assert fields == {"body": "<p>ü</p>\n", "private": "true"}
    assert arrived == [
        ("files[]", "0.png", "image/png", contents[0]),
        ("files[]", "1.png", "image/png", contents[1]),
    ]


def test_a_body_is_sent_whole_again_after_a_busy_moment(desk: Fake, http: Http, tmp_path: Path) -> None:
    desk.instead = [Answer(429, {}, {"Retry-After": "0"})]
    content = os.urandom(100_000)
    http.request("POST", f"{desk.url}/in", **raw_body(outgoing(tmp_path, content)).options)
    assert [one.raw for one in desk.requests] == [content, content]


def test_what_is_kept_of_a_request_names_the_file_and_has_nothing_of_it(desk: Fake, http: Http, tmp_path: Path) -> None:
    file = outgoing(tmp_path, b"what-is-in-the-photo " * 10)
    with http.attempt() as exchanges:
        http.request("POST", f"{desk.url}/in", **multipart_body({"body": "hello"}, [("file", file)]).options)
        http.request("POST", f"{desk.url}/in", **json_options({"data": file}))
    for one in exchanges:
        assert "<photo.png, 210 bytes>" in one.sent
        assert "what-is-in-the-photo" not in one.sent


def test_a_large_file_is_never_in_memory(desk: Fake, http: Http, tmp_path: Path) -> None:
    file = outgoing(tmp_path, bytes(24 * MIB))
    for body in (raw_body(file), multipart_body({}, [("file", file)]), json_options({"data": file})["data"]):
        tracemalloc.start()
        try:
            size = sum(map(len, body))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size == len(body) >= file.size
        assert peak < MIB


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("image/PNG; charset=x", "image/png"),
        ("", "application/octet-stream"),
        ("text/html\r\nX-Evil: 1", "application/octet-stream"),
        ("no type", "application/octet-stream"),
    ],
)
def test_a_media_type_is_one_or_none_is_believed(declared: str, found: str) -> None:
    assert media_type(declared) == found


# --- texts ---------------------------------------------------------------------------


class Carried:
    """A delivery of three files that a test looks into."""

    def __init__(self, desk: Fake, folder: Path, sizes: tuple[int, ...] = (10, 10, 10), **settings: Any) -> None:
        contents = [(name, "application/pdf", b"%PDF" + bytes(size)) for name, size in zip(NAMES, sizes, strict=True)]
        self.chat = parse_conversation(json.dumps(chat_with(desk, *contents)).encode())
        self.freshdesk = Freshdesk("desk", FreshdeskSettings.model_validate({**SETTINGS, **settings}), folder)
        self.known: dict[str, Any] = {}
        self.notes: list[FileNote] = []
        self.layout = Layout(10_000)

    def step(self, **more: Any) -> Step:
        return Step(self.known, self.known.__setitem__, forget=self.known.pop, **more)

    def bring(self, limits: FileLimits, texts: Iterable[str] = (), write: Any = None, **more: Any) -> None:
        step = self.step(**more)
        with self.freshdesk.attempt():
            files = ChatFiles(self.freshdesk, self.chat, step, limits)
            words = Mapping(self.freshdesk.settings, self.chat)
            files.add(words, self.layout, write=write or self.notes.append, texts=lambda: texts)


@pytest.mark.parametrize(
    ("limits", "texts"),
    [
        (FileLimits(), [3]),
        (FileLimits(count=2), [2, 1]),
        (FileLimits(together=30), [2, 1]),
        (FileLimits(together=20), [1, 1, 1]),
        (FileLimits(count=1), [1, 1, 1]),
    ],
)
def test_a_text_brings_as_many_as_the_vendor_takes(
    desk: Fake, tmp_path: Path, limits: FileLimits, texts: list[int]
) -> None:
    carried = Carried(desk, tmp_path)
    carried.bring(limits)
    assert [len(note.files) for note in carried.notes] == texts
    assert len({one.mark for note in carried.notes for one in note.files}) == 3


@pytest.mark.parametrize("form", sorted(FORMS))
def test_whoever_has_forgotten_finds_each_file_by_its_mark_in_every_format(
    desk: Fake, tmp_path: Path, form: str
) -> None:
    carried = Carried(desk, tmp_path)
    carried.layout = Layout(10_000, form=FORMS[form])
    carried.bring(FileLimits(count=2))
    first, second = carried.notes
    carried.known.clear()
    carried.bring(FileLimits(count=3), ("[smartsupp:208:coKettle7 1.1]", first.body), first=False)
    assert [note.marks for note in carried.notes] == [first.marks, second.marks, second.marks]


def test_a_mark_that_a_visitor_wrote_is_none(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    carried.bring(FileLimits())
    [note] = carried.notes
    mark = files_mark("smartsupp:208:coKettle7", note.marks)
    carried.known.clear()
    carried.bring(FileLimits(), (f"<p>I write {mark}</p><p>[smartsupp:208:coKettle7 1.1]</p>",), first=False)
    assert len(carried.notes) == 2


def test_a_file_that_was_swept_away_before_it_was_sent_is_fetched_again(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)

    def down(note: FileNote) -> None:
        raise RetryLater("away", status=503)

    with pytest.raises(RetryLater):
        carried.bring(FileLimits(), write=down)
    assert len(WaitingFiles(tmp_path, carried.chat.key).files()) == 3
    WaitingFiles(tmp_path, carried.chat.key).empty()
    carried.bring(FileLimits())
    assert [len(note.files) for note in carried.notes] == [3]


def test_what_an_attempt_left_that_died_at_its_end_goes_with_the_next(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    carried.bring(FileLimits())
    left = WaitingFiles(tmp_path, carried.chat.key).place("0123abcd", "desk")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    carried.bring(FileLimits())
    assert len(carried.notes) == 1
    assert not left.exists()


def test_a_data_folder_that_takes_no_file_stops_no_chat(desk: Fake, tmp_path: Path) -> None:
    (tmp_path / "chat-files").write_text("not a folder")
    carried = Carried(desk, tmp_path)
    for _ in range(3):
        with pytest.raises(RetryLater, match="fetched again"):
            carried.bring(FileLimits())
    carried.bring(FileLimits())
    [note] = carried.notes
    assert note.files == ()
    assert carried.known["note files"] == "3 files not carried: not to be had"


def test_a_file_that_is_never_taken_holds_up_no_other_and_is_linked_at_last(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    sent: list[list[str]] = []

    def fails(note: FileNote) -> None:
        sent.append([one.name for one in note.files])
        if "one.pdf" in sent[-1]:
            raise RetryLater("internal error", status=500)
        carried.notes.append(note)

    for _ in range(SEND_TRIES):
        with pytest.raises(RetryLater, match="internal error"):
            carried.bring(FileLimits(), write=fails)
    arrived = [one.name for note in carried.notes for one in note.files]
    assert arrived == ["two.pdf", "three.pdf"]
    carried.bring(FileLimits(), write=fails)
    assert sent[:3] == [["one.pdf", "two.pdf", "three.pdf"]] * 2 + [["one.pdf"]]
    assert carried.notes[-1].files == ()
    assert carried.known["note files"] == "1 file not carried: not taken by Freshdesk"
    assert WaitingFiles(tmp_path, carried.chat.key).files() == []


def test_a_destination_that_is_down_or_busy_costs_a_file_no_try(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    begun: list[FileNote] = []

    def lost(note: FileNote) -> None:
        begun.append(note)
        raise RetryLater("no answer")

    def busy(note: FileNote) -> None:
        raise RetryLater("too many requests", status=429)

    def down() -> Iterator[str]:
        raise RetryLater("away", status=503)
        yield

    with pytest.raises(RetryLater):
        carried.bring(FileLimits(), write=lost)
    for _ in range(SEND_TRIES):
        with pytest.raises(RetryLater, match="away"):
            carried.bring(FileLimits(), texts=down())
        with pytest.raises(RetryLater, match="too many"):
            carried.bring(FileLimits(), write=busy)
    carried.bring(FileLimits())
    assert [len(note.files) for note in carried.notes] == [3]


def test_files_after_a_slow_one_lose_no_try_to_it(desk: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = Carried(desk, tmp_path)
    now, asked = 0.0, list[str]()

    class Clock:
        time = staticmethod(time.time)

        @staticmethod
        def monotonic() -> float:
            return now

    def slow(file: ChatFile, rules: FileRules, http: Http, place: Path) -> None:
        nonlocal now
        if now >= ends:
            raise TimedOut("the attempt took longer than it may")
        asked.append(file.name)
        if file.name == "one.pdf":
            now = ends - 1
            raise TimedOut("no answer in time")
        if file.name == "two.pdf" and now:
            now = ends
            raise TimedOut("no answer in time")
        fetch(file, rules, http, place)

    monkeypatch.setattr(carrying, "time", Clock)
    monkeypatch.setattr(carrying, "fetch", slow)
    for number in range(FETCH_TRIES):
        now, ends = 0.0, carrying._PATIENCE
        with pytest.raises(RetryLater, match="fetched again") if number < FETCH_TRIES - 1 else nullcontext():
            carried.bring(FileLimits())
        if number:  # the slow one came last, and they did not wait for it again
            assert [one.name for note in carried.notes for one in note.files] == ["two.pdf", "three.pdf"]
    assert asked == ["one.pdf", "two.pdf", "two.pdf", "three.pdf", *["one.pdf"] * (FETCH_TRIES - 1)]
    assert carried.known["note files"] == "1 file not carried: not to be had"


def test_a_file_that_began_with_an_earlier_text_is_looked_for(desk: Fake, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    carried = Carried(desk, first)

    def lost(note: FileNote) -> None:
        carried.notes.append(note)
        raise RetryLater("no answer")

    def only(*names: str) -> None:
        for name in NAMES:
            answer = desk.chat_files[name.encode().hex()]
            status = 200 if name in names else 503
            desk.chat_files[name.encode().hex()] = Answer(status, answer.body, answer.headers)

    only("one.pdf")
    with pytest.raises(RetryLater):
        carried.bring(FileLimits(), write=lost)
    # Another machine, with a disk of its own, to which that file does not come.
    carried.freshdesk = Freshdesk("desk", carried.freshdesk.settings, second)
    only("two.pdf")
    with pytest.raises(RetryLater):
        carried.bring(FileLimits(), tuple(note.body for note in carried.notes))
    only(*NAMES)
    carried.bring(FileLimits(), tuple(note.body for note in carried.notes))
    assert sorted(one.name for note in carried.notes for one in note.files) == sorted(NAMES)


def test_files_that_have_all_but_their_address_in_common_are_each_attached(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    _, *files = [file for message in carried.chat.messages for file in message.files]
    message = carried.chat.messages[1]
    alike = tuple(one.model_copy(update={"size": None}) for one in files)
    both = [message.model_copy(update={"files": (one,)}) for one in alike]
    alone = carried.chat.model_copy(update={"messages": tuple(both[:1])})
    mark = [mark for _, mark in marked_files(alone)]
    carried.chat = carried.chat.model_copy(update={"messages": tuple(both)})
    carried.bring(FileLimits())
    [note] = carried.notes
    assert [one.name for one in note.files] == ["two.pdf", "three.pdf"]
    assert len({one.path for one in note.files}) == 2
    assert [*note.marks[:1]] == mark, "the first has the mark that it had when it was alone"


def test_what_waits_under_the_name_that_a_connector_had_is_attached_and_goes(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)

    def down(note: FileNote) -> None:
        raise RetryLater("away", status=503)

    with pytest.raises(RetryLater):
        carried.bring(FileLimits(), write=down)
    desk.chat_files.clear()
    waiting = WaitingFiles(tmp_path, carried.chat.key)
    renamed = FreshdeskSettings.model_validate({**SETTINGS, "formerly": ["desk"]})
    carried.freshdesk = Freshdesk("helpdesk", renamed, tmp_path)
    assert [*carried.freshdesk.files(carried.chat.key)] == waiting.files()
    carried.bring(FileLimits())
    assert [len(note.files) for note in carried.notes] == [3]
    assert waiting.files() == []


def test_files_of_a_chat_that_is_skipped_wait_no_more(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    waiting = WaitingFiles(tmp_path, carried.chat.key)

    class Skips(Freshdesk):
        def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
            ChatFiles(self, conversation, step)
            assert len(waiting.files()) == 3
            raise Skipped("the visitor has no email")

    connector = Skips("desk", carried.freshdesk.settings, tmp_path)
    revision = Revision(1, PayloadId("p1"), 1_700_000_000_000, "", b"{}")
    with connector.attempt(), pytest.raises(Skipped):
        connector.bring(carried.chat, Receipt("desk/208:co1", revision, lambda: (revision,)), carried.step())
    assert waiting.files() == []


def test_an_upload_of_this_very_second_is_remembered(
    desk: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = Carried(desk, tmp_path)
    uploads: list[str] = []

    def upload(file: Outgoing) -> str:
        uploads.append(file.name)
        return "token"

    class Clock:
        monotonic = staticmethod(time.monotonic)
        time = staticmethod(lambda: 1_700_000_000.9)

    files, one = ChatFiles(carried.freshdesk, carried.chat, carried.step()), outgoing(tmp_path, b"x")
    monkeypatch.setattr(carrying, "time", Clock)
    for _ in range(2):
        assert files.uploaded(one, upload, lasts=60) == "token"
    assert uploads == ["photo.png"]


def test_a_disk_that_is_filling_takes_no_more_files_and_stops_no_chat(
    desk: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = Carried(desk, tmp_path)
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: used._replace(free=DISK_FILLING - 1))
    for _ in range(FETCH_TRIES - 1):
        with pytest.raises(RetryLater, match="1024 MiB are free"):
            carried.bring(FileLimits())
    carried.bring(FileLimits())
    assert desk.fetched == []
    assert carried.known["note files"] == "3 files not carried: not to be had"


def test_a_record_that_takes_no_text_is_the_chats_matter_and_not_the_files(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    tried: list[int] = []

    def closed(note: FileNote) -> None:
        tried.append(len(note.files))
        raise RecordRefused("the ticket is closed", status=422)

    with pytest.raises(RecordRefused, match="closed"):
        carried.bring(FileLimits(), write=closed)
    assert tried == [3, 1, 0]


def test_an_address_with_a_card_number_in_it_is_not_shown(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path, files="link")
    message = carried.chat.messages[1]
    [file] = message.files
    secret = file.model_copy(update={"url": "https://files.example.com/4111111111111111.pdf"})
    changed = message.model_copy(update={"files": (secret,)})
    carried.chat = carried.chat.model_copy(update={"messages": (changed,)})
    carried.bring(FileLimits())
    [note] = carried.notes
    assert "41111111" not in note.body
    assert "one.pdf" in note.body


def test_files_are_fetched_without_the_exchanges_being_lost(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    with carried.freshdesk.attempt() as exchanges:
        ChatFiles(carried.freshdesk, carried.chat, carried.step())
    assert [one.status for one in exchanges] == [200, 200, 200]
    assert "signature" not in "".join(one.url for one in exchanges)


def test_fetching_leaves_most_of_an_attempt_to_the_destination() -> None:
    assert carrying._PATIENCE <= ATTEMPT_SECONDS / 2


# --- where they wait -------------------------------------------------------------------


def waiting(folder: Path, connector: str, mark: str, age: float) -> Path:
    place = WaitingFiles(folder, ConversationId("208:co1")).place(mark, connector)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x")
    os.utime(place, (1_000_000 - age, 1_000_000 - age))
    return place


def test_what_waited_too_long_goes_and_so_do_folders_that_are_empty(tmp_path: Path) -> None:
    old = waiting(tmp_path, "desk", "00000001", KEPT_SECONDS + 60)
    young = waiting(tmp_path, "crm", "00000001", KEPT_SECONDS - 60)
    assert sweep_files(tmp_path, now=1_000_000) == 1
    assert not old.parent.exists()
    assert young.exists()
    assert sweep_files(tmp_path, now=1_000_000 + 120) == 1
    assert [one for one in (tmp_path / "chat-files").rglob("*") if one.is_file()] == []


def test_a_data_folder_without_files_is_swept_as_well(tmp_path: Path) -> None:
    assert sweep_files(tmp_path) == 0


def test_one_connectors_files_go_without_anothers(tmp_path: Path) -> None:
    mine, other = waiting(tmp_path, "desk", "00000001", 0), waiting(tmp_path, "crm", "00000001", 0)
    there = WaitingFiles(tmp_path, ConversationId("208:co1"))
    assert there.empty("desk") == [str(mine)]
    assert there.files() == [other]
    assert there.empty() == [str(other)]
    assert there.files() == []
    assert not (tmp_path / "chat-files" / "208").exists()


def test_no_folder_in_which_a_file_waits_is_anyone_elses(desk: Fake, tmp_path: Path) -> None:
    carried = Carried(desk, tmp_path)
    with carried.freshdesk.attempt():
        ChatFiles(carried.freshdesk, carried.chat, carried.step())
    folders = [one for one in (tmp_path / "chat-files", *(tmp_path / "chat-files").rglob("*")) if one.is_dir()]
    assert len(folders) == 4
    assert [one for one in folders if one.stat().st_mode & 0o077] == []


def test_a_folder_that_goes_while_it_is_read_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = waiting(tmp_path, "desk", "00000001", 0)
    scan = os.scandir

    def gone(folder: Any) -> Any:
        if str(folder) == str(mine.parent):
            raise FileNotFoundError(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", gone)
    there = WaitingFiles(tmp_path, ConversationId("208:co1"))
    assert there.files() == []
    assert sweep_files(tmp_path, now=1_000_000) == 0


def test_files_of_a_conversation_that_nobody_knows_go_with_the_next_sweep(tmp_path: Path) -> None:
    erased = waiting(tmp_path, "desk", "00000001", 0)
    other = WaitingFiles(tmp_path, ConversationId("208:co2")).place("00000001", "desk")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x")
    os.utime(other, (1_000_000, 1_000_000))
    assert sweep_files(tmp_path, now=1_000_000, known=lambda one: one == "208:co2") == 1
    assert not erased.exists()
    assert other.exists()
