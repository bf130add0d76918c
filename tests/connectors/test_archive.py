"""The archive: every revision, whole or not at all, and nowhere but in its folder."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.archive import Archive, ArchiveSettings
from connectors.kit.connector import Receipt, Step
from core.delivery import Reference, Revision
from core.errors import PayloadError, RetryLater
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation


def body(text: str = "Hello", **members: Any) -> bytes:
    messages = [{"type": "visitor", "name": "Ann", "content": text}]
    return json.dumps({"accountId": 208, "channel": {"id": "co1"}, "messages": messages, **members}).encode()


def revision(number: int, content: bytes) -> Revision:
    return Revision(number, PayloadId(f"p{number}"), 1_700_000_000_000 + number, "", content)


class Box:
    """An archive in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.place = folder / "archive" / "208" / "co1"
        self.archive = Archive("files", ArchiveSettings(type="archive"), folder)
        self.step = Step({}, lambda *_: None)

    def deliver(self, *history: Revision) -> Reference:
        receipt = Receipt("files/208:co1", history[-1], lambda: history)
        return self.archive.deliver(parse_conversation(history[-1].body), receipt, self.step)

    def names(self) -> list[str]:
        return sorted(str(file.relative_to(self.data)) for file in self.data.rglob("*") if file.is_file())

    def record(self, number: int) -> Any:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        return json.loads((self.place / f"r{number}.json").read_text(encoding="ascii"), parse_constant=refuse)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_body_that_is_nested_deeply_takes_no_multiple_of_its_size(box: Box) -> None:
    deep: Any = 1
    for _ in range(90):
        deep = [deep]
    sent = revision(1, body(visitor={"variables": {"v": [deep] * 200}}))
    box.deliver(sent)
    assert (box.place / "r1.json").stat().st_size < 10 * len(sent.body)
    assert box.record(1)["payload"] == json.loads(sent.body)


def test_a_conversation_is_kept_as_it_came_and_as_it_was_read(box: Box) -> None:
    sent = revision(1, body("Žluťoučký 🐴", beginAt=1427470439703))
    assert box.deliver(sent) == Reference("208/co1/r1")
    assert box.names() == ["archive/208/co1/r1.json", "archive/208/co1/r1.txt"]
    record = box.record(1)
    assert record["payload"] == json.loads(sent.body)
    assert record["conversation"] == parse_conversation(sent.body).model_dump(mode="json")
    assert (record["account"], record["conversation_id"], record["revision"]) == ("208", "co1", 1)
    assert (record["received_at"], record["payload_id"]) == ("2023-11-14T22:13:20.001000+00:00", "p1")
    assert "Ann: Žluťoučký 🐴" in (box.place / "r1.txt").read_text(encoding="utf-8")


def test_every_revision_is_kept_also_those_that_were_overtaken(box: Box) -> None:
    history = [revision(number, body(f"text {number}")) for number in (1, 2, 3)]
    assert box.deliver(history[0]) == Reference("208/co1/r1")
    assert box.deliver(*history) == Reference("208/co1/r3")
    assert [box.record(number)["payload"]["messages"][0]["content"] for number in (1, 2, 3)] == [
        "text 1",
        "text 2",
        "text 3",
    ]
    assert [box.record(number)["revision"] for number in (1, 2, 3)] == [1, 2, 3]


def test_a_body_that_came_first_and_was_read_second_takes_its_place(box: Box) -> None:
    first, second = revision(1, body("first")), revision(2, body("second"))
    box.deliver(replace(second, number=1))  # nobody knew of the other yet
    box.deliver(first, second)
    assert [box.record(number)["payload_id"] for number in (1, 2)] == ["p1", "p2"]
    assert [box.record(number)["payload"]["messages"][0]["content"] for number in (1, 2)] == ["first", "second"]


def test_doing_it_again_writes_the_same(box: Box) -> None:
    box.deliver(revision(1, body()))
    before = {name: (box.data / name).read_bytes() for name in box.names()}
    box.deliver(revision(1, body()))
    assert {name: (box.data / name).read_bytes() for name in box.names()} == before


def test_a_revision_of_which_only_half_was_written_is_written_again(box: Box) -> None:
    history = [revision(1, body("one")), revision(2, body("two"))]
    box.deliver(*history)
    (box.place / "r1.json").unlink()  # it comes last, so this is what a crash leaves
    box.deliver(*history)
    assert box.record(1)["payload"]["messages"][0]["content"] == "one"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_file_and_no_draft(
    box: Box, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.deliver(revision(1, body("old")))
    before = {name: (box.data / name).read_bytes() for name in box.names()}

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(RetryLater, match=r"cannot write to .*: the disk is full"):
        box.deliver(revision(1, body("new")))
    assert {name: (box.data / name).read_bytes() for name in box.names()} == before


def test_a_folder_that_cannot_be_made_is_tried_again_later(box: Box) -> None:
    (box.data / "archive").write_text("in the way")
    with pytest.raises(RetryLater, match="cannot write to"):
        box.deliver(revision(1, body()))


def test_a_reader_beside_many_writers_never_sees_half_a_file(box: Box) -> None:
    history = [revision(1, body("one " * 5_000)), revision(2, body("two " * 50_000))]
    box.deliver(*history)
    over = threading.Event()

    def look() -> None:
        done = False
        while not done:
            done = over.is_set()
            assert box.record(1)["payload"] == json.loads(history[0].body)
            assert box.record(2)["payload"] == json.loads(history[1].body)

    with ThreadPoolExecutor(9) as pool:
        looking = pool.submit(look)
        writers = [pool.submit(box.deliver, *history) for _ in range(24)]
        references = {writer.result() for writer in writers}
        over.set()
        looking.result()
    assert references == {Reference("208/co1/r2")}
    assert box.names() == [f"archive/208/co1/r{number}.{kind}" for number in (1, 2) for kind in ("json", "txt")]


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        (rb'"new": NaN', "NaN"),
        (rb'"new": [-Infinity, 1e999, -1e999]', ["-Infinity", "1e999", "-1e999"]),
        (rb'"new": "\ud83d"', "\ud83d"),
        (b'"new": "a\nb"', "a\nb"),
        (b'"new": ' + b"[" * 99 + b"]" * 99, None),
        (b'"new": ' + b"9" * 4000, int("9" * 4000)),
        (b'"new": 0.5', 0.5),
    ],
    ids=["NaN", "infinity", "lone surrogate", "line break", "deep", "digits", "float"],
)
def test_whatever_was_taken_can_be_written(box: Box, more: bytes, kept: Any) -> None:
    box.deliver(revision(1, b'{"accountId": 208, "channel": {"id": "co1"}, %s}' % more))
    found = box.record(1)["payload"]["new"]
    assert kept is None or found == kept


@pytest.mark.parametrize("folder", ["elsewhere", "a/b"])
def test_the_folder_is_below_the_data_folder_unless_it_is_absolute(tmp_path: Path, folder: str) -> None:
    sent = revision(1, body())
    for configured in (Path(folder), tmp_path / "absolute" / folder):
        archive = Archive("files", ArchiveSettings(type="archive", folder=configured), tmp_path / "data")
        archive.deliver(parse_conversation(sent.body), Receipt("d", sent, lambda: [sent]), Step({}, lambda *_: None))
        assert (tmp_path / "data" / configured / "208" / "co1" / "r1.json").is_file()


def allowed(account: str, channel: str) -> bool:
    """Whether these ids get past the parser, which is what holds them to one name in one folder."""
    try:
        parse_conversation(json.dumps({"accountId": account, "channel": {"id": channel}}).encode())
    except PayloadError:
        return False
    return True


@pytest.mark.parametrize("name", ["..", ".", "../x", "/etc", "a/b", "a\x00b", "", "~", "C:\\x", "x" * 300, ".hidden"])
def test_no_id_leads_out_of_the_folder(name: str) -> None:
    assert not allowed(name, "1")
    assert not allowed("1", name)


@pytest.mark.parametrize("name", ["-rf", "--", "_", "con", "a..b", "a.", "x" * 64])
def test_strange_ids_stay_in_the_folder(box: Box, name: str) -> None:
    sent = revision(1, json.dumps({"accountId": name, "channel": {"id": name}}).encode())
    assert box.deliver(sent) == Reference(f"{name}/{name}/r1")
    assert box.names() == [f"archive/{name}/{name}/r1.{kind}" for kind in ("json", "txt")]


def test_erasing_removes_the_files_of_one_conversation_and_says_which(box: Box) -> None:
    box.deliver(revision(1, body("one")), revision(2, body("two")))
    other = revision(1, json.dumps({"accountId": 208, "channel": {"id": "co2"}}).encode())
    box.deliver(other)
    (box.place / ".r2.json.abcd").write_text("a draft of a process that died")
    (box.place / "notes").mkdir()
    (box.place / "notes" / "mine.txt").write_text("somebody's own")
    there = [str(file) for file in box.archive.files(ConversationId("208:co1"))]
    removed = box.archive.erase(ConversationId("208:co1"))
    assert there == removed
    assert sorted(Path(one).name for one in removed) == [
        ".r2.json.abcd",
        "mine.txt",
        "r1.json",
        "r1.txt",
        "r2.json",
        "r2.txt",
    ]
    assert box.names() == ["archive/208/co2/r1.json", "archive/208/co2/r1.txt"]
    assert not box.place.exists()
    for conversation in ("208:co1", "208:never", "9:9"):
        assert box.archive.erase(ConversationId(conversation)) == []


def test_what_was_erased_can_be_delivered_again(box: Box) -> None:
    box.deliver(revision(1, body("one")), revision(2, body("two")))
    box.archive.erase(ConversationId("208:co1"))
    box.deliver(revision(1, body("new")))
    assert box.names() == ["archive/208/co1/r1.json", "archive/208/co1/r1.txt"]


def test_erasing_beside_a_writer_ends_and_neither_breaks(box: Box) -> None:
    over = threading.Event()

    def write() -> int:
        refused = 0
        while not over.is_set():
            try:
                box.deliver(revision(1, body("one")))
            except RetryLater:  # its folder went away in the middle
                refused += 1
        return refused

    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(write) for _ in range(2)]
        erased: list[str] = []
        ends = time.monotonic() + 30
        while len(erased) < 50 and time.monotonic() < ends:
            erased += box.archive.erase(ConversationId("208:co1"))
        over.set()
        for one in writing:
            one.result()
    assert erased
    box.archive.erase(ConversationId("208:co1"))
    assert box.names() == []


def test_a_disk_that_does_not_let_go_is_an_error_and_not_a_loop(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.deliver(revision(1, body()))

    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(PermissionError):
        box.archive.erase(ConversationId("208:co1"))
    monkeypatch.undo()
    assert len(box.archive.erase(ConversationId("208:co1"))) == 2


def test_a_folder_that_is_a_link_is_left_alone(box: Box, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "r1.json").write_text("not ours")
    box.place.parent.mkdir(parents=True)
    box.place.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        box.archive.erase(ConversationId("208:co1"))
    assert (elsewhere / "r1.json").exists()
