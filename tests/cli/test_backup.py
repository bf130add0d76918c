"""A backup is made while posts come in, restored into a fresh folder, and what was delivered is not delivered twice."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis.exceptions import ResponseError

from app.admin.append_only.faults import folder
from app.cli.sections import group
from core.config.environment import environment
from core.config.sources.secret_store import SecretStore
from core.store import Ledger, Store, connect
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import chat

CONFIG = "connectors: {archive: {type: archive}}\n"


class Place:
    """A data folder with a running store, a relay.yaml and an archive."""

    def __init__(self, root: Path) -> None:
        self.data, self.config = root / "var", root / "relay.yaml"
        self.config.write_text(CONFIG)
        self.variables = {"RELAY_DATA_DIR": str(self.data), "RELAY_CONFIG": str(self.config), "RELAY_REDIS_URL": ""}
        self.server = Server(folder(environment(self.variables)))
        self.server.start()
        (self.data / "smartsupp-token").write_text("token-of-a-test-0123456789\n")

    def relay(self, *arguments: str, code: int = 0, **more: str) -> Result:
        found = CliRunner().invoke(group, arguments, env={**self.variables, **more})
        assert found.exit_code == code, (found.output, found.exception)
        return found

    def take(self, *channels: str) -> None:
        relay = Inline(Store(connect(self.server.url)), self.data.parent, CONFIG)
        relay.take(*(chat(channel) for channel in channels))


def said(found: Result) -> str:
    """With what `relay` itself makes of an error."""
    return f"{found.output}{found.stderr}{found.exception or ''}"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "old")
    yield made
    made.server.kill()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()


def restored(tmp_path: Path, file: Path, code: int = 0) -> tuple[dict[str, str], Result]:
    variables = {
        "RELAY_DATA_DIR": str(tmp_path / "new" / "var"),
        "RELAY_CONFIG": str(tmp_path / "new" / "relay.yaml"),
        "RELAY_REDIS_URL": "",
    }
    found = CliRunner().invoke(group, ["restore", str(file)], env=variables)
    assert found.exit_code == code, (found.output, found.exception)
    return variables, found


def test_everything_comes_back_in_a_fresh_folder(place: Place, tmp_path: Path) -> None:
    place.take("c1", "c2")
    Store(connect(place.server.url)).accept(chat("waits"))
    SecretStore(environment(place.variables)).set({"crm": "kept-0123456789"}, "ann")
    file = tmp_path / "relay.tar.gz"
    assert (
        "4 files of the archive, relay.yaml, the hook's token, the secrets" in place.relay("backup", str(file)).output
    )
    assert file.stat().st_mode & 0o077 == 0
    variables, found = restored(tmp_path, file)
    assert "Next: relay up" in found.output
    new = tmp_path / "new"
    assert (new / "relay.yaml").read_text() == CONFIG
    assert (new / "var" / "smartsupp-token").read_text() == "token-of-a-test-0123456789\n"
    assert SecretStore(environment(variables)).get("crm") == "kept-0123456789"
    one = Path("archive") / "1" / "c1" / "r1.json"
    assert (new / "var" / one).read_bytes() == (place.data / one).read_bytes()
    for path in (one for one in (new / "var").rglob("*") if one.is_file()):
        assert path.stat().st_mode & 0o077 == 0, path
    server = Server(folder(environment(variables)))
    server.start()
    try:
        ledger = Ledger(connect(server.url))
        assert ledger.lane("archive").counts["delivered"] == 2
        assert ledger.payload_counts()["received"] == 1
    finally:
        server.kill()


def test_one_that_is_made_while_chats_come_and_files_are_rewritten_is_whole(place: Place, tmp_path: Path) -> None:
    stop = threading.Event()
    accepted: list[str] = []

    def post() -> None:
        store = Store(connect(place.server.url))
        while not stop.is_set():
            accepted.append(store.accept(chat(f"c{len(accepted)}", note="x" * 20_000)).id)
            if len(accepted) % 40 == 0:
                with contextlib.suppress(ResponseError):  # the one before it is still going on
                    place.server.client.bgrewriteaof()

    poster = threading.Thread(target=post)
    poster.start()
    try:
        for number in range(5):
            before = len(accepted)
            file = tmp_path / f"{number}.tar.gz"
            place.relay("backup", str(file))
            variables, _ = restored(tmp_path, file)
            data = tmp_path / "new" / "var"
            server = Server(folder(environment(variables)))
            server.start()
            try:
                kept = [one for one in accepted[:before] if server.client.exists(f"relay:raw:{one}")]
            finally:
                server.kill()
            assert kept == accepted[:before]
            data.rename(tmp_path / f"seen-{number}")
    finally:
        stop.set()
        poster.join()
    assert accepted


def test_nothing_is_overwritten(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "relay.tar.gz"
    place.relay("backup", str(file))
    assert "exists; name another file" in said(place.relay("backup", str(file), code=1))
    assert "already holds a store" in said(place.relay("restore", str(file), code=1))
    (tmp_path / "new" / "relay.yaml").write_text("connectors: {}\n")
    _, found = restored(tmp_path, file)
    assert "relay.yaml is unchanged" in found.output
    assert (tmp_path / "new" / "relay.yaml").read_text() == "connectors: {}\n"
    assert (tmp_path / "new" / "relay.yaml.restored").read_text() == CONFIG


def packed(file: Path, *members: tuple[str, bytes], link: str = "") -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for name, text in members:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        if link:
            member = tarfile.TarInfo("archive/link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return file


ABOUT = json.dumps(
    {"version": "0.2.0", "taken": "now", "store": 0, "archive": 0, "config": False, "token": False}
).encode()


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("other.txt", b"x")], "is not a backup of Relay"),
        ([("relay-backup.json", ABOUT), ("../../evil", b"x")], "is not a backup of Relay"),
        ([("relay-backup.json", ABOUT), ("/etc/evil", b"x")], "is not a backup of Relay"),
        ([("relay-backup.json", ABOUT), ("archive/archive/../../../evil", b"x")], "is not a backup of Relay"),
        ([("relay-backup.json", b"{}")], "is not a backup of Relay"),
        ([("relay-backup.json", b"[")], "is not a backup of Relay"),
        ([("relay-backup.json", ABOUT.replace(b'"store": 0', b'"store": 99'))], "is incomplete"),
        ([], "is empty"),
    ],
)
def test_what_is_no_backup_is_refused_and_leaves_nothing(
    tmp_path: Path, members: list[tuple[str, bytes]], says: str
) -> None:
    _, found = restored(tmp_path, packed(tmp_path / "x.tar.gz", *members), code=1)
    assert says in said(found)
    assert list((tmp_path / "new").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_link_and_a_file_that_is_cut_off_are_refused(place: Place, tmp_path: Path) -> None:
    linked = packed(tmp_path / "link.tar.gz", ("relay-backup.json", ABOUT), link="/etc/passwd")
    assert "is not a backup" in said(restored(tmp_path, linked, code=1)[1])
    file = tmp_path / "relay.tar.gz"
    place.take("c1")
    place.relay("backup", str(file))
    text = file.read_bytes()
    for size in (0, 20, len(text) // 3, len(text) // 2):
        file.write_bytes(text[:size])
        restored(tmp_path, file, code=1)
        assert list((tmp_path / "new").iterdir()) == []


def test_a_store_elsewhere_is_said_to_need_a_backup_of_its_own(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "relay.tar.gz"
    place.variables["RELAY_REDIS_URL"] = "redis://127.0.0.1:1/0"
    assert "relay backup --without-store" in said(place.relay("backup", str(file), code=2))
    assert not file.exists()
    place.relay("backup", "--without-store", str(file))
    assert "no store" in restored(tmp_path, file)[1].output


def test_a_folder_that_takes_no_file_is_named(place: Place, tmp_path: Path) -> None:
    text = said(place.relay("backup", str(tmp_path / "nowhere" / "x.tar.gz"), code=1))
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in text


def test_an_archive_outside_the_data_folder_is_named(place: Place, tmp_path: Path) -> None:
    place.config.write_text(f"connectors: {{archive: {{type: archive, folder: {tmp_path}/elsewhere}}}}\n")
    found = json.loads(place.relay("backup", str(tmp_path / "x.tar.gz"), "--json").output)
    assert found["left_out"] == [str(tmp_path / "elsewhere")]
    assert (tmp_path / "x.tar.gz").stat().st_size > 0
