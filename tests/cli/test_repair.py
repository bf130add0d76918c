"""The store's files, damaged as power losses, disks and people damage them; and what mends them."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from app.admin.append_only import snapshot_checksum
from app.admin.append_only.commands import walk
from app.admin.append_only.faults import MANIFEST, Mend, files, folder, last_words, look, mark
from app.cli import doctor
from app.cli.sections import group
from app.supervisor import embedded
from core.config.environment import Environment, environment
from core.ids import PayloadId
from core.store import Store
from tests.support.server import Server
from tests.support.stack import chat, until

INCREMENT, BASE = "appendonly.aof.1.incr.aof", "appendonly.aof.1.base.rdb"
CHATS = 6


class Files:
    """A data folder with a store of some chats, which nobody runs."""

    def __init__(self, data: Path) -> None:
        self.variables = {"RELAY_DATA_DIR": str(data)}
        self.env: Environment = environment(self.variables)
        self.server = Server(folder(self.env), "--aof-load-truncated", "no")
        self.server.start()
        store = Store(self.server.client)
        self.payloads = [store.accept(chat(f"c{number}"), "1", "application/json").id for number in range(CHATS)]
        self.server.stop()
        self.place = files(self.env)

    def relay(self, *arguments: str, code: int = 0) -> Result:
        found = CliRunner().invoke(group, arguments, env={"RELAY_REDIS_URL": "", **self.variables})
        assert found.exit_code == code, (found.output, found.exception)
        return found

    def kept(self) -> list[PayloadId]:
        """The payloads that a server finds which loads what is there."""
        self.server.start()
        found = [one for one in self.payloads if self.server.client.exists(f"relay:raw:{one}")]
        self.server.stop()
        return found


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path / "var")
    yield made
    made.server.kill()


def spoil(file: Path, at: int, text: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[at : at + len(text)] = text
    file.write_bytes(data)


def end_of(kept: Files, writes: int) -> int:
    """The byte at which so many writes end."""
    data = (kept.place / INCREMENT).read_bytes()
    ends = (found.end() for found in re.finditer(rb"EXEC\r\n", data))
    return next(end for end in ends if walk(data[:end]).writes == writes)


def test_what_is_whole_is_loaded_and_not_repaired(kept: Files) -> None:
    assert look(kept.env, thorough=True) is None
    assert "The store's files are intact." in kept.relay("repair").output
    assert kept.kept() == kept.payloads


@pytest.mark.parametrize(
    "rest",
    [b"\0" * 4096, b"*3\r\n$3\r\nSET\r\n$1000\r\nab", b"*3\r\n$3\r\nSE" + b"\0" * 500, b"*", b"*1\r\n$5\r\nMULTI\r\n"],
    ids=["nuls", "cut off", "cut off and nuls", "one byte", "half a transaction"],
)
def test_what_was_never_acknowledged_is_cut_off_by_the_start_itself(
    kept: Files, rest: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = kept.place / INCREMENT
    before = file.read_bytes()
    file.write_bytes(before + rest)
    fault = look(kept.env, thorough=True)
    assert fault
    assert (fault.mend, fault.good) == (Mend.TAIL, len(before))
    (folder(kept.env) / "valkey.log").write_text("1:M now # Unexpected end of file reading the append only file\n")
    embedded._ready(kept.env)
    assert "never acknowledged; they were cut off" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert kept.kept() == kept.payloads


@pytest.mark.parametrize("text", [b"\0" * 16, b"$999999999\r\n", b"?"], ids=["nuls", "a length", "one byte"])
def test_damage_in_the_middle_is_named_and_cut_on_request(kept: Files, text: bytes) -> None:
    file = kept.place / INCREMENT
    good, size = end_of(kept, 3), file.stat().st_size
    assert file.read_bytes()[good:].startswith(b"*1\r\n$5\r\nMULTI\r\n")
    spoil(file, good + 4, text)
    before = file.read_bytes()
    # It shows only to who reads all of it, as is done after a start that failed.
    assert embedded.problems(kept.env) == []
    with pytest.raises(AssertionError, match="did not start"):
        kept.server.start()
    kept.server.kill()
    (kept.server.folder / "log").replace(folder(kept.env) / "valkey.log")
    (problem,) = embedded.problems(kept.env)
    assert f"complete writes end at byte {good:,}" in problem.text
    assert kept.relay("repair", code=2).output.count("Not a terminal") == 1
    assert file.read_bytes() == before
    told = json.loads(kept.relay("repair", "--yes", "--json").stdout)
    assert told["bytes"] == size - good
    assert told["commands"] > 0
    assert set(kept.payloads[3:]) <= set(told["ids"])
    assert (Path(told["copy"]) / INCREMENT).read_bytes() == before
    assert Path(told["copy"]).stat().st_mode & 0o077 == 0
    assert kept.kept() == kept.payloads[:3]


def test_a_manifest_that_is_lost_or_ruined_is_rebuilt(kept: Files) -> None:
    for ruin in (Path.unlink, lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"\0" * 88)):
        ruin(kept.place / MANIFEST)
        (problem,) = embedded.problems(kept.env)
        assert MANIFEST in problem.text
        assert "relay repair" in problem.text
        assert json.loads(kept.relay("repair", "--yes", "--json").stdout)["bytes"] == 0
        assert embedded.problems(kept.env) == []
    assert kept.kept() == kept.payloads


def lines(found: bytes, kind: str) -> bytes:
    return b"".join(line for line in found.splitlines(keepends=True) if line.endswith(f"type {kind}\n".encode()))


def test_a_manifest_that_lost_a_part_or_has_too_much_is_rebuilt(kept: Files) -> None:
    manifest = kept.place / MANIFEST
    whole = manifest.read_bytes()
    for text, said in {
        # Valkey would start with these, without what they do not name.
        lines(whole, "b"): f"does not name {INCREMENT}",
        lines(whole, "i"): f"does not name the base {BASE}",
        # And it does not start with these.
        whole.rstrip(): "is empty or damaged",
        whole + lines(whole, "i"): "is empty or damaged",
        whole + lines(whole, "b").replace(b"1 type", b"2 type"): "is empty or damaged",
        whole.replace(b"file ", b"file ../"): "is empty or damaged",
    }.items():
        manifest.write_bytes(text)
        (problem,) = embedded.problems(kept.env)
        assert said in problem.text, text
        assert "relay repair" in problem.text
        assert json.loads(kept.relay("repair", "--yes", "--json").stdout)["bytes"] == 0
        assert manifest.read_bytes() == whole
    assert kept.kept() == kept.payloads


def test_a_manifest_that_valkey_takes_is_taken(kept: Files) -> None:
    manifest = kept.place / MANIFEST
    whole = manifest.read_bytes()
    (kept.place / "appendonly.aof.2.incr.aof").touch()  # as of a server that was killed before it named it
    for text in (
        b"# a comment\n" + whole,
        whole.replace(b"\n", b"\r\n"),
        whole.replace(INCREMENT.encode(), f'"{INCREMENT}"'.encode()),
    ):
        manifest.write_bytes(text)
        assert embedded.problems(kept.env) == []
        assert kept.kept() == kept.payloads, text


def test_a_command_that_valkey_does_not_know_is_damage(kept: Files) -> None:
    file = kept.place / INCREMENT
    good = end_of(kept, 3)
    at = file.read_bytes().index(b"HSET", good)
    spoil(file, at, b"HSXT")
    with pytest.raises(AssertionError, match="did not start"):
        kept.server.start()
    kept.server.kill()
    (kept.server.folder / "log").replace(folder(kept.env) / "valkey.log")
    (problem,) = embedded.problems(kept.env)
    assert f"complete writes end at byte {good:,}" in problem.text
    said = kept.relay("repair", "--yes").output
    assert kept.kept() == kept.payloads[:3]
    # Valkey quotes what the command would have written.
    (folder(kept.env) / "valkey.log").write_text(
        "1:M now # Error reading f, error: unknown command 'X', with args beginning with: 'Ann' "
    )
    assert "Ann" not in said + last_words(kept.env)


@pytest.mark.parametrize(
    ("ruin", "good"),
    [(lambda file: shutil.copy(file.with_name(BASE), file), 0), (lambda file: spoil(file, 8, b"\xff"), 0)],
)
def test_an_increment_without_commands_is_damage(kept: Files, ruin: Callable[[Path], object], good: int) -> None:
    ruin(kept.place / INCREMENT)
    fault = look(kept.env, thorough=True)
    assert fault
    assert (fault.mend, fault.good) == (Mend.CUT, good)


def test_a_file_that_leads_nowhere_does_not_keep_the_rest_from_being_repaired(kept: Files) -> None:
    (kept.place / INCREMENT).unlink()
    (kept.place / INCREMENT).symlink_to("/nowhere/at/all")
    kept.relay("repair", "--yes")
    assert embedded.problems(kept.env) == []


@pytest.mark.parametrize(
    ("ruin", "said"),
    [
        (lambda place: (place / BASE).unlink(), "is missing"),
        (lambda place: (place / BASE).write_bytes(b""), "is empty"),
        (lambda place: os.truncate(place / BASE, 40), "cut off or damaged"),
        (lambda place: [(place / MANIFEST).unlink(), (place / BASE).unlink()], "is missing, but there are 1 files"),
    ],
)
def test_what_only_a_backup_helps_is_said_and_nothing_is_touched(
    kept: Files, ruin: Callable[[Path], object], said: str
) -> None:
    ruin(kept.place)
    there = {file.name: file.read_bytes() for file in kept.place.iterdir()}
    (problem,) = embedded.problems(kept.env)
    assert said in problem.text
    assert "restore a backup" in problem.text
    assert "restore a backup" in kept.relay("repair", "--yes", code=1).output
    assert {file.name: file.read_bytes() for file in kept.place.iterdir()} == there


def test_damage_in_the_middle_of_the_base_is_named_and_what_can_be_seen_is_counted(kept: Files) -> None:
    kept.server.start()
    kept.server.client.bgrewriteaof()
    until(lambda: not kept.server.client.info("persistence")["aof_rewrite_in_progress"], what="the rewriting")
    Store(kept.server.client).accept(chat("late"), "1", "application/json")
    kept.server.stop()
    [base] = kept.place.glob("*.base.rdb")
    there = base.read_bytes()
    assert look(kept.env, thorough=True) is None
    # The keys' order is left to chance; their names are what can still be seen.
    names = [found.span() for one in kept.payloads for found in re.finditer(one.encode(), there)]
    at = next(byte for byte in range(200, len(there)) if not any(begin - 40 <= byte < end for begin, end in names))
    base.write_bytes(there[:at] + bytes([there[at] ^ 0xFF]) + there[at + 1 :])
    said = kept.relay("repair", "--yes", code=1).output
    assert "is damaged: its checksum is wrong" in said
    assert re.search(rf"{CHATS + 1} payloads and 0 deliveries by their ids, and \d+ whole writes after the base", said)
    assert "no command can repair that: restore a backup" in said
    assert "relay import" in said


def test_the_checksum_of_a_snapshot_is_that_of_jones() -> None:
    assert snapshot_checksum._crc(memoryview(b"123456789")) == 0xE9C6D914C4B8D9CA
    assert snapshot_checksum.checksum_is_right(b"without" + bytes(8))


def test_an_increment_that_is_gone_can_be_given_up(kept: Files) -> None:
    (kept.place / INCREMENT).unlink()
    (problem,) = embedded.problems(kept.env)
    assert "every write in it is lost" in problem.text
    kept.relay("repair", "--yes")
    assert embedded.problems(kept.env) == []
    assert kept.kept() == []


def test_without_room_for_the_copy_nothing_is_touched(kept: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept.place / MANIFEST).unlink()

    def full(source: Path, target: Path, **_: object) -> None:
        Path(target).mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    assert "free disk space" in kept.relay("repair", "--yes", code=1).output
    assert not (kept.place / MANIFEST).exists()
    assert list(folder(kept.env).glob("appendonlydir-before-*")) == []


def test_a_folder_that_is_suddenly_empty_is_no_new_store(kept: Files) -> None:
    embedded.keep_mark(kept.env)
    for file in kept.place.iterdir():
        file.unlink()
    (problem,) = embedded.problems(kept.env)
    assert "there was a store here before" in problem.text
    assert f"delete {mark(kept.env)}" in problem.text
    kept.place.rmdir()
    assert len(embedded.problems(kept.env)) == 1
    mark(kept.env).unlink()
    assert embedded.problems(kept.env) == []


def test_doctor_and_every_command_say_why_there_is_no_store(kept: Files) -> None:
    (kept.place / MANIFEST).unlink()
    said = kept.relay("doctor", code=1).output
    assert "cannot start: appendonly.aof.manifest is missing" in said
    assert "relay repair" in said


def test_the_last_words_of_the_server_are_quoted(kept: Files) -> None:
    (folder(kept.env) / "valkey.log").write_text("7:M 27 Nov 2026 20:59:21.079 # Out of memory allocating 99 bytes!\n")
    assert "its log ends with: Out of memory allocating 99 bytes!" in kept.relay("doctor", code=1).output


def test_a_store_that_runs_is_not_repaired(kept: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = retry_if_exception_type(BlockingIOError)
    soon = retry(retry=taken, wait=wait_fixed(0.1), stop=stop_after_delay(0.3), reraise=True)
    monkeypatch.setattr(doctor, "_patiently", soon)
    descriptor = embedded.lock(kept.env)
    try:
        assert "the store is running" in kept.relay("repair", "--yes", code=1).output
    finally:
        os.close(descriptor)
