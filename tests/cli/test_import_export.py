"""Bodies in from files, however they were saved, and conversations out. On a real server, and with a real worker."""

from __future__ import annotations

import base64
import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.admin.transfer.importer import Ends, Piece, pieces, together
from core.delivery import Outcome, PayloadStatus
from core.errors import StoreUnavailable
from core.ids import ConversationId
from core.smartsupp.limits import LARGEST_BODY
from core.smartsupp.parser import parse_conversation
from core.store import Accepted, Ledger, Received, Store, connect
from core.store.accept import JOURNEY_BODIES
from core.store.protocol.keys import key
from tests.support import made
from tests.support.command_line import CommandLine, interrupted
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import Stack, chat, until


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


def read(data: bytes) -> list[Piece]:
    return list(pieces(io.BytesIO(data), "f"))


def shapes(data: bytes) -> list[tuple[int, bytes]]:
    """Line and body of each."""
    return [(int(one.place.partition(":")[2]), one.body) for one in read(data)]


PRETTY = json.dumps(json.loads(chat("p")), indent=2).encode()
A, B, C = chat("a"), chat("b", note='{"[\\"}'), chat("c")
# As Smartsupp's are: the account comes first.
CUT = b'{"accountId": 1, "channel": {"id": "x"}, "visitor": {"name": "An'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_powershell_wrote_is_read(encoding: str) -> None:
    lines = [chat(number, note="Žluťoučký kůň 🐎") for number in range(2_000)]
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    text = b"\r\n".join(lines).decode().encode(encoding)
    assert [one.body for one in read(mark + text)] == lines


@pytest.mark.parametrize("packed", [gzip.compress(A), bz2.compress(A), lzma.compress(A)])
def test_what_is_packed_says_what_to_type(packed: bytes) -> None:
    [found] = read(packed)
    assert found.trouble == "compressed: decompress it first, as in: zcat f | relay import -"


def test_an_archive_is_taken_in_as_what_smartsupp_sent(cli: CommandLine, store: Store, ledger: Ledger) -> None:
    for number in (1, 2):
        relay = Inline(store, cli.folder, "connectors: {archive: {type: archive}}")
        relay.take(chat(number))
    store._redis.flushall()
    said = cli.run("import", str(relay.data / "archive"))
    assert "2 processed: 2 new" in said
    assert ledger.payload_counts() == {"received": 2} | {
        name: 0 for name in ledger.payload_counts() if name != "received"
    }


def test_the_lines_of_an_export_are_refused_with_what_to_import_instead(cli: CommandLine, store: Store) -> None:
    made.chats(store, 2, crm=None)
    file = cli.folder / "export.jsonl"
    cli.run("export", "--output", str(file))
    said = cli.run("import", str(file), code=1)
    assert said.count("relay export writes no payloads") == 2
    assert "quarantined" not in said


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (A, [(1, A)]),
        (b"\xef\xbb\xbf" + A + b"\n", [(1, A)]),
        (A + b"\n" + B + b"\r\n\n" + C, [(1, A), (2, B), (4, C)]),
        (A + B + C, [(1, A), (1, B), (1, C)]),
        (PRETTY + PRETTY + b"\n" + A, [(1, PRETTY), (20, PRETTY), (40, A)]),
        (b"[" + A + b",\n" + B + b"]", [(1, A), (2, B)]),
        (b"\x1e" + A + b"\n\x1e" + B + b"\n", [(1, A), (2, B)]),
        (b"", []),
        (b" \n\t", []),
        (b"{}", [(1, b"{}")]),
    ],
)
def test_bodies_are_found_however_they_were_saved(data: bytes, found: list[tuple[int, bytes]]) -> None:
    assert shapes(data) == found
    assert not any(one.trouble for one in read(data))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (A + b"\n" + CUT + b"\n" + B, [(1, A), (2, CUT + b"\n"), (3, B)]),
        (A + CUT + B, [(1, A), (1, CUT), (1, B)]),
        (A + b"\n" + CUT, [(1, A), (2, CUT)]),
        (PRETTY[:200] + b"\n" + A, [(1, PRETTY[:200] + b"\n"), (15, A)]),
        (b'{"a": 1,}' + B, [(1, b'{"a": 1,}'), (1, B)]),
        (b'{"a": 1,}\n' + B, [(1, b'{"a": 1,}'), (2, B)]),
    ],
)
def test_a_broken_body_costs_none_but_itself(data: bytes, found: list[tuple[int, bytes]]) -> None:
    assert shapes(data) == found


def test_what_is_no_json_is_told_once_and_passed_over() -> None:
    found = read(b"Saved by hook.php\non Monday\n" + A + b"\n" + bytes(range(256)) * 1000)
    assert [(one.place, one.trouble) for one in found] == [
        ("f:1", "not a JSON object"),
        ("f:3", ""),
        ("f:4", "not a JSON object"),
    ]
    assert found[1].body == A


@pytest.mark.parametrize("after", [b"\n", b""])
def test_a_body_over_the_limit_is_passed_over_and_the_next_is_found(after: bytes) -> None:
    fits = b'{"a": "' + b"x" * (LARGEST_BODY - 9) + b'"}'
    assert len(fits) == LARGEST_BODY
    large = fits[:-2] + b'x"}'
    huge = fits[:-2] + b"x" * 3 * LARGEST_BODY + b'"}'
    found = read(A + after + fits + after + large + after + huge + after + b'{"accountId": 1}')
    assert [(len(one.body), one.trouble[:11]) for one in found] == [
        (len(A), ""),
        (LARGEST_BODY, ""),
        (0, "larger than"),
        (0, "larger than"),
        (16, ""),
    ]


def test_a_large_file_is_read_in_a_small_memory() -> None:
    class Endless(io.RawIOBase):
        left = 200_000_000

        def read(self, size: int = -1) -> bytes:
            self.left -= size
            return b"x" * size if self.left > 0 else b""

    stream: Any = Endless()
    began = time.monotonic()
    assert [one.trouble for one in pieces(stream, "f")] == ["not a JSON object"]
    assert time.monotonic() - began < 20


def test_a_folder_is_taken_in_and_delivered_by_a_real_worker(relay: Stack) -> None:
    saved = relay.folder / "saved"
    (saved / "2025").mkdir(parents=True)
    (saved / "data.json").write_bytes(A + B)
    (saved / "2025" / "chats.jsonl").write_bytes(C + b"\n" + PRETTY)
    (saved / ".hidden").write_bytes(chat("hidden"))
    relay.worker()
    assert "4 processed: 4 new" in relay.cli("import", str(saved))
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 4, what="four deliveries")
    assert "4 processed: 4 already stored" in relay.cli("import", str(saved))
    assert json.loads((relay.data / "archive" / "1" / "b" / "r1.json").read_text())["payload"]["note"] == '{"[\\"}'
    assert not (relay.data / "archive" / "1" / "hidden").exists()


def test_what_came_by_the_hook_is_known_and_the_account_counts(cli: CommandLine, store: Store, tmp_path: Path) -> None:
    store.accept(A, "1")
    file = tmp_path / "data.json"
    file.write_bytes(A)
    assert cli.json("import", str(file), "--account", "1")["duplicate"] == 1
    assert cli.json("import", str(file))["new"] == 1
    assert "expected Smartsupp's account id" in cli.run("import", str(file), "--account", "a:b", code=2)


def test_what_is_no_conversation_is_kept_with_its_place(cli: CommandLine, ledger: Ledger, tmp_path: Path) -> None:
    report = (Path(__file__).parents[1] / "payloads" / "domain-stats-report.json").read_bytes()
    file = tmp_path / "data.jsonl"
    file.write_bytes(b"\n".join([A, CUT, b'{"hello": 1}', report, b"words", B]))
    found = cli.json("import", str(file), code=1)
    assert {name: found[name] for name in ("new", "set-aside", "quarantined", "refused")} == {
        "new": 2,
        "set-aside": 1,
        "quarantined": 2,
        "refused": 1,
    }
    first, second, third = found["troubles"]
    assert (first["place"], first["what"]) == (f"{file}:2", "quarantined")
    assert ledger.payload(first["id"]).error == f"{first['why']} (imported from {file}:2)"
    assert ledger.payload(first["id"]).body == CUT + b"\n"
    assert second["why"] == "channel: no conversation: expected an object, got nothing"
    assert third["why"] == "not a JSON object"
    assert ledger.payload_counts()["quarantined"] == 2
    assert ledger.payload_counts()["set-aside"] == 1
    said = cli.run("import", str(file), code=1)
    assert "not a JSON object" in said
    assert "6 processed: 5 already stored, 1 refused" in said


def test_a_dry_run_needs_no_server_and_keeps_nothing(relay: Stack) -> None:
    relay.server.kill()
    file = relay.folder / "data.json"
    file.write_bytes(A + b"{}" + B)
    said = relay.cli("import", "--dry-run", str(file), code=1)
    assert "3 processed: 2 chats, 1 without a chat" in said
    assert f"{file}:1: quarantined: channel: no conversation" in said


def test_a_server_that_goes_away_leaves_a_place_to_go_on(relay: Stack) -> None:
    file = relay.folder / "data.json"
    file.write_bytes(A + B)
    relay.server.kill()
    said = relay.cli("import", "--skip", "1", str(file), code=1)
    assert "the store is unavailable: " in said
    assert "). Everything imported so far is stored. Continue with: --skip 1\n" in said


def test_ctrl_c_leaves_a_place_to_go_on(relay: Stack) -> None:
    file = relay.folder / "data.jsonl"
    file.write_bytes(b"\n".join(chat(number) for number in range(50_000)))
    code, said, beside = interrupted(
        ["import", str(file)], relay.environment, lambda: relay.ledger.payload_counts()["received"] > 100
    )
    assert code == 1, beside
    looked = int(said.split()[0].replace(",", ""))
    assert 0 < looked < 50_000
    assert f"interrupted. Everything imported so far is stored. Continue with: --skip {looked}" in beside
    file.write_bytes(b"\n".join(chat(number) for number in range(looked + 100)))
    found = json.loads(relay.cli("import", str(file), "--skip", str(looked), "--json"))
    # Those that were just being taken may be there without having been counted.
    assert found["looked_at"] == looked + 100
    assert found["new"] + found["duplicate"] == 100
    assert found["duplicate"] <= JOURNEY_BODIES
    assert relay.ledger.payload_counts()["received"] == looked + 100


def test_many_go_to_the_store_together_and_in_their_order(
    cli: CommandLine, server: Server, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journeys: list[int] = []
    accept_each = Store.accept_each

    def counted(self: Store, bodies: Sequence[Received]) -> list[Accepted | StoreUnavailable]:
        journeys.append(len(bodies))
        return accept_each(self, bodies)

    monkeypatch.setattr(Store, "accept_each", counted)
    file = tmp_path / "data.jsonl"
    # A chat that goes on: each body is a later revision of it.
    file.write_bytes(b"\n".join(chat(1, endAt=number) for number in range(1, JOURNEY_BODIES + 7)))
    assert cli.json("import", str(file))["new"] == JOURNEY_BODIES + 6
    assert journeys == [JOURNEY_BODIES, 6]
    ids = [one.id for one in ledger.payloads(PayloadStatus.RECEIVED, limit=100)]
    ids.sort(key=lambda one: int(server.client.hget(key("payload", one), "sequence") or 0))
    ends = [json.loads(ledger.payload(one).body)["endAt"] for one in ids]
    assert ends == [*range(1, JOURNEY_BODIES + 7)]


def test_a_journey_has_a_limit_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.admin.transfer.importer.JOURNEY_BYTES", 10)
    pieces = [Piece(str(number), b"x" * size, 0) for number, size in enumerate((4, 4, 4, 30, 1))]
    assert [[one.place for one in several] for several in together(pieces)] == [["0", "1"], ["2"], ["3"], ["4"]]


def test_standard_input_is_a_file_too(cli: CommandLine) -> None:
    assert cli.json("import", "-", given=A + B)["new"] == 2


def test_an_older_body_does_not_take_back_what_came_since(cli: CommandLine, store: Store, tmp_path: Path) -> None:
    made.conversation(store, chat(1, endAt=2_000), crm=Outcome.DELIVERED)
    file = tmp_path / "data.json"
    file.write_bytes(chat(1, endAt=1_000) + chat(1, endAt=3_000) + chat(2, endAt=1_000))
    found = cli.json("import", str(file))
    assert (found["older"], found["new"]) == (1, 2)


def test_an_older_body_does_not_take_back_a_newer_one_that_no_worker_has_read_yet(
    cli: CommandLine, ledger: Ledger, tmp_path: Path
) -> None:
    new, old = chat(1, endAt=2_000), chat(1, endAt=1_000)
    file = tmp_path / "data.json"
    file.write_bytes(new + old + chat(1) + chat(2, endAt=1_000) + old)
    for options in (["--dry-run"], []):
        found = cli.json("import", str(file), *options)
        assert (found["new"], found["older"], found["duplicate"]) == (3, 2, 0)
    assert ledger.payload_counts()["received"] == 3
    # It goes on where the first one ended: what was taken then counts, too.
    found = cli.json("import", str(file), "--skip", "4")
    assert (found["looked_at"], found["older"], found["new"]) == (5, 1, 0)
    found = cli.json("import", str(file))
    assert (found["duplicate"], found["older"]) == (3, 2)


def test_the_memory_for_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.admin.transfer.importer._REMEMBERED", 2)
    ends = Ends()

    def passed(channel: str, end: int) -> bool:
        return ends.passed(parse_conversation(chat(channel, endAt=end)))

    assert not passed("a", 3_000)
    assert not passed("b", 3_000)
    assert passed("a", 2_000)
    assert not passed("c", 3_000)  # and b, which was seen longest ago, is forgotten
    assert passed("a", 2_500)
    assert not passed("b", 2_000)


def test_an_export_has_every_conversation_with_its_deliveries(cli: CommandLine, store: Store, tmp_path: Path) -> None:
    made.conversation(store, chat(1), crm=Outcome.DELIVERED, archive=Outcome.REFUSED)
    made.conversation(store, chat(2), crm=Outcome.REFUSED)
    made.conversation(store, chat(1, endAt=1_760_000_000_000), crm=Outcome.DELIVERED)
    second, first = [json.loads(line) for line in cli.result("export").stdout.splitlines()][::-1]
    assert (first["id"], first["revision"], first["conversation"]["end_at"]) == ("1:1", 2, "2025-10-09T08:53:20Z")
    assert [(one["connector"], one["status"]) for one in first["deliveries"]] == [
        ("archive", "waiting"),
        ("crm", "delivered"),
    ]
    assert first["deliveries"][1]["record"] == {"id": "T-1", "url": "https://crm.example.com/tickets/1"}
    assert second["conversation"]["visitor"]["email"] == "ann@example.com"
    file = tmp_path / "out.jsonl"
    said = cli.result("export", "--connector", "crm", "--status", "dead", "-o", str(file))
    assert said.stdout == ""
    assert f"1 chat in {file}" in said.stderr
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["1:2"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_conversation_that_matches_by_two_deliveries_comes_once(
    cli: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.admin.transfer.exporter._BATCH", 1)
    made.conversation(store, chat(1), crm=Outcome.REFUSED, archive=Outcome.REFUSED)
    assert len(cli.result("export", "--status", "dead").stdout.splitlines()) == 1


SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


@pytest.mark.parametrize(
    ("evil", "written"),
    [
        ('=HYPERLINK("https://evil.example")', '\'=HYPERLINK("https://evil.example")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("＝1+1", "'＝1+1"),
        (" =1", " '=1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\n=1", "'\n'=1"),
        ("Ann;=1+1;", "Ann;'=1+1;"),
        ("Ann; ＋1;-2", "Ann; '＋1;'-2"),
        ('Ann;"=1+1"', 'Ann;"\'=1+1"'),
        ('Ann, "tea";""=1;"', 'Ann, "tea";""\'=1;"'),
        ("Ann\n=1+1", "Ann\n'=1+1"),
        ("Ann\t@SUM(1)|=2", "Ann\t'@SUM(1)|'=2"),
        ("email a=b, -5 °C; x-y @ z", "email a=b, -5 °C; x-y @ z"),
    ],
)
def test_no_cell_of_a_table_is_a_formula(cli: CommandLine, store: Store, evil: str, written: str) -> None:
    visitor = {"id": 7, "name": evil, "email": evil, "note": evil, "group": evil}
    channel = {"id": 1, "ratingDesc": evil, "duration": -5}
    made.conversation(store, chat(1, visitor=visitor, channel=channel, paths=[{"url": evil}]), crm=Outcome.DELIVERED)
    text = cli.result("export", "--format", "csv").stdout_bytes.decode()
    for delimiter in (",", ";", "\t", "|"):
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        cells = [cell for row in rows for cell in row]
        assert len(cells) >= len(rows) > 1
        assert [
            cell for cell in cells if cell.strip(' "').startswith((*SIGNS, "\t", "\r", "\n")) and cell != "-5"
        ] == []
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["name"], row["duration"]) == (written, "-5")


def test_a_table_is_as_rfc_4180_says(cli: CommandLine, store: Store) -> None:
    name = 'Ann "the tea", Žofie\n🍵'
    made.conversation(store, chat(1, visitor={"id": 7, "name": name}), crm=Outcome.DELIVERED)
    made.conversation(store, b'{"accountId": 1, "channel": {"id": "s"}, "visitor": {"name": "half \\ud83c"}}', crm=None)
    plain = cli.result("export", "--format", "csv").stdout_bytes
    marked = cli.result("export", "--format", "csv", "--bom").stdout_bytes
    assert marked == b"\xef\xbb\xbf" + plain
    assert plain.count(b"\r\n") == 3
    half, whole = csv.DictReader(io.StringIO(plain.decode(), newline=""))
    assert whole["name"] == name
    assert (whole["crm status"], whole["crm record"]) == ("delivered", "https://crm.example.com/tickets/1")
    assert (half["crm status"], half["crm record"]) == ("waiting", "")
    assert half["name"].startswith("half ")
    assert "--bom goes with --format csv" in cli.run("export", "--bom", code=2)


def test_an_export_that_fails_leaves_nothing(cli: CommandLine, server: Server, tmp_path: Path) -> None:
    assert "cannot write" in cli.run("export", "-o", str(tmp_path / "no" / "such.jsonl"), code=1)
    mine, other = (base64.urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2))
    made.conversation(Store(connect(server.url, keys=[mine])), chat(1), crm=None)
    cli.environment["RELAY_ENCRYPTION_KEYS"] = other
    before = {one.name for one in tmp_path.iterdir()}
    assert "put it back" in cli.run("export", "-o", str(tmp_path / "out.jsonl"), code=1)
    assert {one.name for one in tmp_path.iterdir()} == before


def test_an_export_of_what_an_earlier_version_took_has_no_conversation(
    cli: CommandLine, store: Store, server: Server, ledger: Ledger
) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.DELIVERED)
    payload = ledger.conversation(ConversationId(identity)).payloads[0]
    assert payload.status is PayloadStatus.ROUTED
    server.client.set(f"relay:raw:{payload.id}", b"not JSON")
    assert json.loads(cli.result("export").stdout)["conversation"] is None
    assert cli.result("export", "--format", "csv").stdout.splitlines()[1].startswith("1:1,1,1,")
