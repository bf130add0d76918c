"""The data of a visitor, for them: all that an erasing would remove, and nothing of anybody else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.admin.erasing import erasure
from app.admin.transfer import visitor_data
from app.admin.transfer.visitor_index import VisitorData
from connectors.archive import Archive
from connectors.kit.connector import Connector
from core.delivery import CONFLICTS, Outcome
from core.encryption import Vault
from core.ids import ConversationId, identified
from core.store import AdminNotes, Eraser, Filter, Jobs, Ledger, Store, StoredState, VisitorRecords, connect
from core.store.claims import Reading
from tests.support import hostile, made
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat
from tests.support.visitor import EMAIL, NAME, SAID, VISITOR, petra, remains

ARCHIVE = "connectors: {archive: {type: archive}}"
NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
DAY = 86_400_000
#: Of somebody else, in every place where Petra's are. Long enough that no time and no random id contains one by chance.
OTHERS = ("bob@jinde.example", "Bohumil Jindra", "viBob9Qw3e4r", "zelená konvice 3312", "contact-of-Bob-8822")
#: Kinds of keys that count and pace, and hold nobody's data. An erasing moves some of them.
COUNTERS = {"epoch", "totals", "count", "rewrite", "knock", "sequence", "tick", "recount"}


def bob(channel: str, **changes: Any) -> bytes:
    email, name, identity, said, _ = OTHERS
    message = [{"type": "visitor", "content": said, "sentAt": 1427470439703}]
    visitor = {"id": identity, "name": name, "email": email}
    return chat(channel, visitor=visitor, **{"messages": message, **changes})


class Shop:
    """A store in which everything that can be kept of Petra is, beside the same of Bob; and what asks it."""

    def __init__(self, server: Server, folder: Path, keys: tuple[str, ...]) -> None:
        self.client = connect(server.url, keys=keys)
        self.store, self.ledger, self.eraser = Store(self.client), Ledger(self.client), Eraser(self.client)
        self.inline = Inline(self.store, folder, ARCHIVE)
        self.jobs = Jobs(self.client, made.configured)

    def fill(self) -> None:
        store, inline = self.store, self.inline
        attacked = hostile.payload(channel="hostile") | {"visitor": {"id": VISITOR, "name": NAME, "email": EMAIL}}
        inline.take(petra(), petra(visitor={"note": "second"}), json.dumps(attacked).encode(), bob("b1"))
        inline.take(bob("b2"))
        _, cut, _ = inline.take(petra("c4")[:-1], petra("c5")[:-2], bob("b4")[:-1])
        control(store).discard(identified(cut), f"corrected for {NAME}")
        for identity, body in (("1:c6", petra("c6")), ("1:b5", bob("b5"))):
            made.conversation(store, body, crm=None)
            claim = made.claimed(store, "crm", identity)
            store.remember(claim, "contact", "c-55" if identity == "1:c6" else OTHERS[-1])
            store.remember(claim, CONFLICTS, [{"field": "title", "said": SAID if identity == "1:c6" else OTHERS[3]}])
            made.settle(store, claim, Outcome.RETRY, error=f"500 for {identity}", next=NOW_MS)
        for identity, reason in (("8", f"as {NAME} asked"), ("9", f"as {OTHERS[1]} asked")):
            made.conversation(store, chat(identity), crm=Outcome.REFUSED)
            control(store).discard(identified(f"crm:1:{identity}"), reason)
        store.accept(petra("c7"))
        [came_twice] = store.claim_bodies("came twice")
        began, other = 1_427_470_439_703, ConversationId("1:coPetra")
        store.fan_out_each([Reading(came_twice, ConversationId("1:c7"), ("crm",), begun=began, other=other)])
        (spam,) = inline.take(b"no JSON")
        control(store).discard(identified(spam), f"{NAME} wrote it")
        control(store).pause("crm", f"the shop asked, because of {NAME}")
        control(store).pause("archive", f"because of {OTHERS[1]}")
        for text, reason in ((EMAIL, ""), (SAID, ""), (OTHERS[0], ""), (OTHERS[3], ""), ("", f"for {NAME}")):
            job = self.jobs.start("replay", Filter(text=text, connector="" if text else "crm"), reason=reason)
            while not self.jobs.advance(job.id).finished:
                pass
        store.accept(petra("unread"))
        state = StoredState(self.client, "crm")
        state.note_person(b'"4711"', [f"email:{EMAIL}", f"visitor:{VISITOR}", "phone:+420777123456"], DAY)
        state.note_person(json.dumps(OTHERS[-1]).encode(), [f"email:{OTHERS[0]}", f"visitor:{OTHERS[2]}"], DAY)

    def export(self, who: str = EMAIL, **changes: Any) -> Exported:
        out = io.BytesIO()
        traces = erasure.find_traces(who, self.eraser, self.inline.connectors)
        asked = {"client": self.client, "connectors": self.inline.connectors, "now": NOW, **changes}
        return Exported(visitor_data.write_data(out, who, traces, **asked), out.getvalue())

    def erase(self, who: str = EMAIL) -> erasure.ErasureReceipt:
        traces = erasure.find_traces(who, self.eraser, self.inline.connectors)
        return erasure.erase(who, traces, self.eraser, self.ledger, self.inline.connectors, 0.3)


NOW_MS = int(NOW.timestamp() * 1000) + 3_600_000


@dataclass
class Exported:
    contents: VisitorData
    file: bytes

    def members(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.file)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def values(self) -> set[str]:
        """All that stands in a JSON file of ours, each value for itself."""
        ours = [body for name, body in self.members().items() if name.endswith(("chat.json", "visitor.json"))]
        ours += [body for name, body in self.members().items() if name.startswith("payloads/") and b'"fields"' in body]
        return {leaf for body in ours for leaf in leaves(json.loads(body))}

    def record(self, name: str) -> Any:
        return json.loads(self.members()[name])


def leaves(value: Any) -> Iterator[str]:
    """Each value for itself; a field that is JSON is read."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    elif value not in (None, ""):
        yield str(value)


def kept(client: Any, vault: Vault) -> set[tuple[str, bytes]]:
    """Everything that the server holds but counters: key, and each field, item or member, opened."""
    found = set()
    for name in client.scan_iter(count=1000):
        if name.decode().split(":")[1] in COUNTERS:
            continue
        match client.type(name):
            case b"string":
                items = [client.get(name)]
            case b"hash":
                items = list(client.hgetall(name).values())
            case b"list":
                items = client.lrange(name, 0, -1)
            case b"set":
                items = list(client.smembers(name))
            case b"zset":
                items = client.zrange(name, 0, -1)
        found |= {(name.decode(), vault.open(one)) for one in items if one}
    return found


def missing(gone: set[tuple[str, bytes]], files: dict[str, bytes], exported: Exported, vault: Vault) -> set[str]:
    """Kinds of places of which something went that is not in the export."""
    values, bodies = exported.values(), {*exported.members().values()}
    lacks = {"files" for body in files.values() if body not in bodies}
    for name, item in gone:
        kind = name.split(":")[1]
        if kind == "raw":
            if item not in bodies:
                lacks.add(kind)
        elif not {*_read(item, vault)} <= values:
            lacks.add(kind)
    return lacks


def _read(item: bytes, vault: Vault) -> Iterator[str]:
    value = json.loads(item) if item[:1] in b'{["' else item.decode()
    if isinstance(value, dict) and value.keys() == {"sealed"}:
        value = json.loads(vault.open(value["sealed"].encode("latin-1")))
    yield from leaves(value)


def walked(shop: Shop, exported: Exported) -> set[str]:
    """Erase, and see what of all that went is not in the export."""
    archive = shop.inline.data / "archive"
    before, there = kept(shop.client, shop.client.vault), {str(one): one.read_bytes() for one in archive.rglob("*.*")}
    receipt = shop.erase()
    assert receipt.complete
    assert remains(shop.client, archive) == []
    gone = before - kept(shop.client, shop.client.vault)
    # An erasing removes every finished job that looked for a text. Those that looked for Bob are not Petra's to see.
    bobs = {name.rpartition(":")[2] for name, item in gone if any(word.encode() in item for word in OTHERS)}
    bobs |= {name.rpartition(":")[2] for name, item in gone if json.dumps(OTHERS[3])[1:-1].encode() in item}
    assert len(bobs) == 2
    gone = {(name, item) for name, item in gone if not bobs & {name.rpartition(":")[2], item.decode("latin-1")}}
    kinds = {"raw", "payload", "payloads", "body", "summary", "revisions", "conversations", "delivery", "deliveries"}
    kinds |= {"steps", "attempts", "job", "backfill", "gate", "person", "person-names", "lane", "deliveries-of", "jobs"}
    kinds |= {"begun", "other-id", "other-ids"}
    assert {name.split(":")[1] for name, _ in gone} == kinds
    return missing(gone, {name: there[name] for name in receipt.files}, exported, shop.client.vault)


KEYS = [(), (Fernet.generate_key().decode(),)]


@pytest.fixture(params=KEYS, ids=["open", "sealed"])
def shop(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Shop:
    made_ = Shop(server, tmp_path, request.param)
    made_.fill()
    return made_


def test_all_that_an_erasing_would_remove_is_in_the_export(shop: Shop) -> None:
    exported = shop.export()
    assert walked(shop, exported) == set()


def _without(**nothing: Any) -> Callable[[Any], Any]:
    return lambda real: lambda *given: None if (found := real(*given)) is None else replace(found, **nothing)


def _nameless(real: Any) -> Any:
    return lambda *given: [replace(one, names=()) for one in real(*given)]


def _none(_: Any) -> Any:
    return lambda *_: iter(())


#: What would forget a place, and the kind of key that the walk then misses.
FORGETFUL: dict[str, tuple[type, str, Callable[[Any], Any]]] = {
    "raw": (VisitorRecords, "payload", _without(body=b"")),
    "payload": (VisitorRecords, "payload", _without(fields={})),
    "summary": (VisitorRecords, "conversation", _without(summary=None)),
    "other-ids": (VisitorRecords, "conversation", _without(other_ids=())),
    "delivery": (VisitorRecords, "_delivery", _without(fields={})),
    "steps": (VisitorRecords, "_delivery", _without(steps={})),
    "attempts": (VisitorRecords, "_delivery", _without(attempts=())),
    "person": (VisitorRecords, "persons", _none),
    "person-names": (
        VisitorRecords,
        "persons",
        _nameless,
    ),
    "job": (AdminNotes, "_of_jobs", _none),
    "gate": (AdminNotes, "_of_connectors", _none),
    "files": (Archive, "files", lambda _: lambda *_: ()),
}


@pytest.mark.parametrize("place", FORGETFUL)
def test_a_place_that_is_forgotten_is_noticed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    shop = Shop(server, tmp_path, ())
    shop.fill()
    owner, name, forgetful = FORGETFUL[place]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, forgetful(getattr(owner, name)))
        exported = shop.export()
    assert place in walked(shop, exported)


def test_nothing_of_anybody_else_is_in_it(shop: Shop) -> None:
    shop.inline.take(bob("b3", messages=[{"type": "visitor", "content": f"ask {EMAIL}", "sentAt": 1}]))
    exported = shop.export()
    assert exported.contents.named == 1
    for name, body in exported.members().items():
        text = body.decode("utf-8", "replace")
        for word in OTHERS:
            assert word not in text, name
            assert json.dumps(word)[1:-1] not in text, name
    # And the other way round.
    other = shop.export(OTHERS[0])
    text = b"".join(body for name, body in other.members().items() if not name.endswith("b3")).decode(
        "utf-8", "replace"
    )
    assert OTHERS[3] in text
    for word in (SAID, NAME, VISITOR):
        assert word not in text


def test_an_export_changes_nothing(shop: Shop) -> None:
    before = {name: shop.client.dump(name) for name in shop.client.scan_iter("*")}
    shop.export()
    assert {name: shop.client.dump(name) for name in shop.client.scan_iter("*")} == before


@pytest.mark.parametrize("who", [EMAIL.upper(), VISITOR.lower()])
def test_it_is_the_same_by_every_name_that_an_erasing_takes(server: Server, tmp_path: Path, who: str) -> None:
    shop = Shop(server, tmp_path, ())
    shop.fill()
    one, other = shop.export(), shop.export(who)
    assert [*other.members()] == [*one.members()]
    assert other.contents.chats == one.contents.chats


def test_the_index_says_what_is_inside_and_what_nobody_here_can_know(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    made.conversation(shop.store, petra(), desk=Outcome.DELIVERED)
    shop.inline.take(petra("c2", visitor={"email": "jina@posta.example"}))
    shop.inline.take(
        bob("b3", messages=[{"type": "visitor", "content": f"ask {EMAIL}", "sentAt": 1}]), petra("c4")[:-1]
    )
    index = shop.export(VISITOR).members()["index.txt"].decode()
    for line in (
        f"Visitor    {VISITOR}",
        "        2  chats",
        "        1  payloads without a chat",
        "        2  files in archives",
        "  0001: 1:c1",
        "  desk: T-1 https://crm.example.com/tickets/1",
        "  jina@posta.example",
        "Relay knows that they were created, and not what they hold today",
        "Backups and replicas of the store",
    ):
        assert line in index
    assert "archive:" not in index
    assert "Not inside: what could not be read" not in index
    assert "1 in which this visitor is mentioned" in shop.export().members()["index.txt"].decode()


def test_by_phone_number_it_is_the_chats_with_it_and_what_is_remembered(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.fill()
    form = {"tel": {"label": "", "value": "777 123 456"}}
    shop.inline.take(*(petra("c9", nonce=one, visitor={"variables": form}) for one in range(2)))
    exported = shop.export("+420 777-123-456")
    assert (exported.contents.chats, exported.contents.shared) == (["1:c9"], [])
    assert [one.person for one in exported.contents.remembered] == ['"4711"']
    assert EMAIL in exported.contents.known_as
    shop.inline.take(bob("c9"))
    assert shop.export("+420 777-123-456").contents.shared == ["1:c9"]


def test_a_chat_with_another_name_in_it_is_said_to_be_looked_through(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra(), bob("c1"), petra("c2"))
    exported = shop.export()
    assert exported.contents.shared == ["1:c1"]
    assert "Look through these before you hand them over" in exported.members()["index.txt"].decode()


def test_a_revision_can_be_read_and_is_there_as_it_came(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra())
    members = shop.export().members()
    assert members["chats/0001/r1.json"] == petra()
    assert SAID in members["chats/0001/r1.txt"].decode()
    record = json.loads(members["chats/0001/chat.json"])
    assert [record[name] for name in ("id", "only_files_are_left")] == ["1:c1", False]
    [revision] = record["revisions"]
    assert revision["body"] == "chats/0001/r1.json"
    assert record["files"][0]["file"] in members


def test_of_what_the_store_has_removed_the_files_are_there(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra())
    assert shop.eraser.settled([ConversationId("1:c1")], 2**52, 0) == 1
    exported = shop.export()
    assert exported.record("chats/0001/chat.json")["only_files_are_left"] is True
    assert (exported.contents.files, exported.contents.complete) == (2, True)


def test_what_nobody_can_open_is_said_and_hides_nothing_else(server: Server, tmp_path: Path) -> None:
    lost, key = (Fernet.generate_key().decode() for _ in range(2))
    Shop(server, tmp_path, (lost,)).inline.take(chat("c1"), b"no JSON")
    shop = Shop(server, tmp_path, (key,))
    shop.inline.take(petra("c1"))
    exported = shop.export()
    assert exported.contents.closed == 2
    assert exported.contents.encrypted >= 1
    assert not exported.contents.complete
    index = exported.members()["index.txt"].decode()
    assert "2 encrypted payloads that could not be searched" in index
    record = exported.record("chats/0001/chat.json")
    assert [one["body"] for one in record["revisions"]] == [None, "chats/0001/r2.json"]
    assert exported.members()["chats/0001/r2.json"] == petra("c1")


def test_a_link_in_the_archive_leads_nowhere(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra())
    (tmp_path / "secret").write_text("of somebody else")
    (shop.inline.data / "archive" / "1" / "c1" / "r9.json").symlink_to(tmp_path / "secret")
    exported = shop.export()
    assert b"of somebody else" not in b"".join(exported.members().values())
    assert "r9.json" in exported.members()["index.txt"].decode()
    assert not exported.contents.complete


def test_a_connector_that_keeps_files_and_cannot_list_them_is_named(server: Server, tmp_path: Path) -> None:
    class Drawer(Archive):
        files = Connector.files

    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra())
    archive = shop.inline.connectors["archive"]
    drawer = Drawer("drawer", archive.settings, archive.data_dir)
    exported = shop.export(connectors={"drawer": drawer})
    assert exported.contents.unlisted == ["drawer"]
    assert "files of drawer: this connector cannot list them" in exported.members()["index.txt"].decode()


def test_one_that_is_too_large_is_not_made(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra())
    with pytest.raises(visitor_data.TooLarge):
        shop.export(most=100)


def test_no_name_in_the_file_leads_out_of_it(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, ())
    shop.inline.take(petra("c1"), petra("../../etc"), petra("c4")[:-1])
    folder = next((shop.inline.data / "archive").glob("*/*"))
    (folder / "a\n..\\b.json").write_text("{}")
    for name in shop.export().members():
        assert ".." not in name.split("/")
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"), name
