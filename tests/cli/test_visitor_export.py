"""`relay export --visitor`: a new file, for its owner alone. (What is in it: tests/store/test_visitor_data.py.)"""

from __future__ import annotations

import base64
import os
import stat
import zipfile
from pathlib import Path

import pytest

from core.delivery import Outcome, PayloadStatus
from core.store import Store, connect
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.server import Server
from tests.support.stack import chat

ANN = "ann@example.com"


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


@pytest.fixture
def kept(server: Server) -> str:
    """Two chats of Ann, a payload that nobody could read, and one of Bob's that mentions her. Its id."""
    store = Store(connect(server.url))
    made.conversation(store, chat(1), desk=Outcome.DELIVERED)
    made.conversation(store, chat(2), crm=Outcome.REFUSED)
    store.divert(store.accept(b'{"email": "ann@example.com", ').id, PayloadStatus.QUARANTINED, "not JSON")
    said = [{"type": "visitor", "content": f"ask {ANN}", "sentAt": 1}]
    return made.conversation(store, chat(3, visitor={"id": 8, "email": "bob@example.com"}, messages=said), crm=None)


def test_the_file_is_new_and_for_its_owner_alone(cli: CommandLine, kept: str, tmp_path: Path) -> None:
    file = tmp_path / "ann.zip"
    before = os.umask(0)
    try:
        said = cli.run("export", "--visitor", f" {ANN.upper()}", "-o", str(file))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"Of another visitor, but mentioning this one; --also exports it as well: {kept}\n" in said
    assert "2  chats" in said
    assert "desk: T-1 https://crm.example.com/tickets/1" in said
    assert said.endswith(f"Written to {file}.\n")
    with zipfile.ZipFile(file) as archive:
        assert archive.read("chats/0001/r1.json") == chat(1)
        assert {"index.txt", "visitor.json"} <= {*archive.namelist()}
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".ann")] == []
    content = file.read_bytes()
    assert "exists; name another file" in cli.run("export", "--visitor", ANN, "-o", str(file), code=1)
    assert file.read_bytes() == content


def test_a_chat_that_mentions_them_is_in_it_when_it_is_named(cli: CommandLine, kept: str, tmp_path: Path) -> None:
    file = tmp_path / "ann.zip"
    wrong = cli.run("export", "--visitor", ANN, "--also", "1:99", "-o", str(file), code=1)
    assert "is not a chat of another visitor" in wrong
    assert not file.exists()
    assert "3  chats" in cli.run("export", "--visitor", ANN, "--also", kept, "-o", str(file))


def test_of_whom_nothing_is_kept_no_file_is_made(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    assert "No data found for x@example.com. Nothing was written." in cli.run(
        "export", "--visitor", "x@example.com", "-o", str(file), code=1
    )
    assert not file.exists()


def test_what_could_not_be_read_is_an_exit_code(cli: CommandLine, server: Server, tmp_path: Path) -> None:
    mine, other = (base64.urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2))
    store = Store(connect(server.url, keys=[mine]))
    made.conversation(store, chat(1), crm=None)
    made.conversation(Store(connect(server.url, keys=[other])), chat(2), crm=None)
    cli.environment["RELAY_ENCRYPTION_KEYS"] = other
    file = tmp_path / "ann.zip"
    said = cli.run("export", "--visitor", ANN, "-o", str(file), code=1)
    assert "1 encrypted payloads that could not be searched" in said
    assert file.exists()
    assert "could not be searched" in cli.run("export", "--visitor", "x@y.z", "-o", str(tmp_path / "x.zip"), code=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--visitor", ANN], "name it with -o FILE"),
        (["--visitor", " ", "-o", "x"], "needs an email address"),
        (["--visitor", ANN, "-o", "x", "--missed"], "it goes with --also and -o alone"),
        (["--visitor", ANN, "-o", "x", "--format", "csv"], "it goes with --also and -o alone"),
        (["--also", "1:2"], "--also goes with --visitor"),
    ],
)
def test_wrong_usage_says_what_to_type(cli: CommandLine, arguments: list[str], said: str) -> None:
    assert said in cli.run("export", *arguments, code=2)


def test_a_folder_that_is_not_there_is_said_and_leaves_nothing(cli: CommandLine, kept: str, tmp_path: Path) -> None:
    assert "cannot write" in cli.run("export", "--visitor", ANN, "-o", str(tmp_path / "no" / "x.zip"), code=1)


def test_a_full_disk_leaves_no_file(
    cli: CommandLine, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.admin.transfer.visitor_data._Work.rest", broken)
    assert "cannot write" in cli.run("export", "--visitor", ANN, "-o", str(tmp_path / "x.zip"), code=1)
    assert [one.name for one in tmp_path.iterdir() if "x.zip" in one.name] == []
