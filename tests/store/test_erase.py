"""Erasing a visitor: everything is found, everything goes, and the receipt says what is left elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from tenacity import nap

from app.admin.erasing import erasure
from app.admin.erasing.receipt import receipt_text
from connectors.archive import Archive
from connectors.kit.connector import Receipt, Step
from core.conversation import Conversation
from core.delivery import Attempt, DeliveryStatus, Outcome, PayloadStatus, Reference
from core.errors import InUse, LostLease, NotFound
from core.ids import ConversationId, DeliveryId, PayloadId, identified
from core.store import INBOX, Claim, Eraser, Filter, Jobs, Ledger, Store, connect, statistics
from core.store.connection.client import Client
from core.store.erase import Rewrite
from core.store.protocol.constants import LEASE_MS
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support import made
from tests.support.destination import Destination, Handler
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat, until
from tests.support.visitor import EMAIL, NAME, SAID, VISITOR, petra, remains
from workers.delivery import deliver

ARCHIVE = "connectors: {archive: {type: archive}}"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


def hooks(*there: Destination) -> str:
    """A configuration with an archive and a webhook for each destination: hook1, hook2 …"""
    rows = [
        f"  hook{number}: {{type: webhook, url: '{one.url}', secret: {SECRET}, allow_networks: [127.0.0.0/8]}}"
        for number, one in enumerate(there, 1)
    ]
    return "\n".join(["connectors:", "  archive: {type: archive}", *rows])


@pytest.fixture
def eraser(server: Server, clock: Clock) -> Eraser:
    return Eraser(connect(server.url), clock)


@pytest.fixture
def inline(store: Store, tmp_path: Path) -> Inline:
    return Inline(store, tmp_path, ARCHIVE)


class Bench:
    """What an erasing needs."""

    def __init__(self, inline: Inline, eraser: Eraser, ledger: Ledger) -> None:
        self.inline, self.eraser, self.ledger = inline, eraser, ledger

    def erase(self, visitor: str = EMAIL, patience: float = 0.3) -> erasure.ErasureReceipt:
        traces = erasure.find_traces(visitor, self.eraser, self.inline.connectors)
        return erasure.erase(visitor, traces, self.eraser, self.ledger, self.inline.connectors, patience)


@pytest.fixture
def bench(inline: Inline, eraser: Eraser, ledger: Ledger) -> Bench:
    return Bench(inline, eraser, ledger)


def attempt(outcome: Outcome, error: str = "") -> Attempt:
    return Attempt(at=1, ms=2, outcome=outcome, revision=1, error=error)


# --- Finding


@pytest.mark.parametrize("asked", [EMAIL, EMAIL.upper(), f"  {EMAIL}\n", VISITOR, VISITOR.upper()])
def test_a_visitor_is_found_by_e_mail_or_id_in_any_case(inline: Inline, eraser: Eraser, asked: str) -> None:
    inline.take(petra(), petra("c2", visitor={"email": EMAIL.title()}), chat("c3"))
    assert eraser.traces(asked).conversations == ("1:c1", "1:c2")


def test_nobody_is_found_by_a_blank_or_by_a_part_of_an_address(inline: Inline, eraser: Eraser) -> None:
    inline.take(petra(), petra("c2", visitor={"id": 7, "email": "ann@x.example"}))
    for text in (b"broken: joann@x.example,", b"<ann@x.example.au>", b"x.ann@x.example", b"ann@x.example-shop.com"):
        inline.take(text)
    for asked in ("", "  ", EMAIL[1:], EMAIL[:-1], "vondrackova", VISITOR[:-1], "@", "{"):
        assert not eraser.traces(asked), asked
    assert eraser.traces("ann@x.example").payloads == ()
    told = inline.take(b"Mail to ann@x.example.")[0]
    assert eraser.traces("ann@x.example").payloads == (told,)


def test_every_revision_is_looked_at_not_only_the_newest(inline: Inline, eraser: Eraser) -> None:
    inline.take(petra(), petra(visitor={"email": "other@posta.example"}))
    assert eraser.traces(EMAIL).conversations == eraser.traces("other@posta.example").conversations == ("1:c1",)


@pytest.mark.parametrize(
    "spelled",
    [
        petra().replace(b"@", b"\\u0040"),
        petra().replace(b"petra.v", b"\\u0050ETRA.\\u0076"),
        petra().decode().encode("utf-16"),
        petra().decode().encode("utf-32-be"),
        b"\xef\xbb\xbf" + petra(),
        petra(visitor={"email": f" {EMAIL} "}),
    ],
    ids=["escaped", "escaped in capitals", "UTF-16", "UTF-32", "BOM", "spaces"],
)
def test_however_a_body_spells_the_address_it_is_found(inline: Inline, eraser: Eraser, spelled: bytes) -> None:
    inline.take(spelled)
    assert eraser.traces(EMAIL).conversations == ("1:c1",)


@pytest.mark.parametrize("address", ["žofie@pošta.example", 'a"b@x.example', "a/b@x.example", "ŽOFIE@pošta.example"])
@pytest.mark.parametrize("php", [True, False])
def test_an_unusual_address_is_found_too(inline: Inline, eraser: Eraser, address: str, php: bool) -> None:
    body = json.dumps(json.loads(petra(visitor={"email": address})), ensure_ascii=php)
    inline.take((body.replace("/", "\\/") if php else body).encode())
    assert eraser.traces(address.lower()).conversations == ("1:c1",)


@pytest.mark.parametrize(
    "broken",
    [
        petra()[:-10],
        petra(messages=["yesterday"]),
        b"data=" + quote(petra().decode(), safe="").encode(),
        f"Email: <{EMAIL}>, wrote".encode(),
        petra().replace(b"@", b"\\u0040")[:-10],
        petra()[:-10].decode().encode("utf-16"),
        b"\xff\xfe\x00" + petra()[:-3],
    ],
    ids=["cut", "wrong type", "form", "text", "escaped and cut", "UTF-16 and cut", "bytes"],
)
def test_bodies_that_could_not_be_read_are_looked_through(inline: Inline, eraser: Eraser, broken: bytes) -> None:
    payload = inline.take(broken)[0]
    assert eraser.traces(EMAIL).payloads == (payload,)


def test_a_short_id_is_only_found_where_it_is_the_visitors_id(inline: Inline, eraser: Eraser) -> None:
    wrong = petra(visitor={"id": 7}, messages=["no"])
    other = petra(visitor={"id": 8}, messages=["no", 7])
    payload, _, _ = inline.take(wrong, other, b"broken 7 ")
    assert eraser.traces("7").payloads == (payload,)


def test_whoever_is_named_in_the_chats_of_others_is_shown_apart_and_can_be_chosen(bench: Bench) -> None:
    chatted = [{"type": "visitor", "content": f"Write to <{EMAIL}>, please. My id is {VISITOR}"}]
    bench.inline.take(petra(), chat("c2", messages=chatted), chat("c3"))
    found = bench.eraser.traces(EMAIL)
    assert (found.conversations, found.named) == (("1:c1",), ("1:c2",))
    assert bench.eraser.traces(VISITOR).named == ()
    receipt = bench.erase()
    assert (receipt.conversations, receipt.named) == (("1:c1",), ("1:c2",))
    chosen = bench.eraser.traces(EMAIL).taking(["1:c2", "1:c3", "nonsense"])
    assert (chosen.conversations, chosen.named) == (("1:c2",), ())
    again = erasure.erase(EMAIL, chosen, bench.eraser, bench.ledger, bench.inline.connectors, 0.3)
    assert (again.conversations, again.named) == (("1:c2",), ())
    assert bench.ledger.conversation(ConversationId("1:c3"))


def test_nothing_is_passed_over_while_bodies_change_their_status(server: Server, eraser: Eraser, store: Store) -> None:
    """Bodies go round between quarantine and inbox all the time that is looked for them."""
    bodies = [store.accept(petra(f"c{number}")[:-1]).id for number in range(300)]
    over = threading.Event()

    def churn() -> None:
        busy = Store(connect(server.url))
        while not over.is_set():
            for one in bodies:
                busy.divert(one, PayloadStatus.QUARANTINED, "why")
                control(busy).replay(one)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(5):
            assert set(eraser.traces(EMAIL).payloads) == set(bodies)
    finally:
        over.set()
        thread.join()


# --- Everything goes


def test_nothing_of_a_visitor_is_left_anywhere(
    server: Server, store: Store, ledger: Ledger, eraser: Eraser, destination: Destination, tmp_path: Path
) -> None:
    def echo(handler: Handler, _: int) -> None:
        # An answer, and an error, that repeat what was sent.
        received = destination.received[-1]
        handler.answer(422 if received.path.endswith("dead") else 200, received.body)

    destination.behaviour = echo
    config = hooks(destination) + (
        f"\n  hook2: {{type: webhook, url: '{destination.url}/dead', secret: {SECRET}, allow_networks: [127.0.0.0/8]}}"
    )
    inline = Inline(store, tmp_path, config)
    inline.take(petra(), petra(visitor={"note": "second"}), chat("c9"))
    inline.take(petra("c2"))
    quarantined, discarded = inline.take(petra()[:-1], petra("c7")[:-2])
    control(store).discard(identified(discarded), f"corrected for {NAME}")
    store.accept(petra("unread"))
    control(store).pause("hook1", f"the shop asked, because of {NAME}")
    jobs = Jobs(connect(server.url), made.configured)
    for about in (Filter(text=EMAIL), Filter(text=NAME.split()[1]), Filter(text=SAID), Filter(connector="archive")):
        job = jobs.start("replay", about, reason=f"for {EMAIL}" if about.connector else "")
        while not jobs.advance(job.id).finished:
            pass
    kept = jobs.start("replay", Filter(connector="hook2"), reason="hook2 was away")
    inline.deliver()
    control(inline.store).resume("archive")
    assert len(ledger.delivery(DeliveryId("hook2:1:c1")).attempts) >= 2
    where = remains(server.client, inline.data)
    kinds = {"raw", "attempts", "summary", "payload", "job", "backfill", "gate"}
    assert {name.split(":")[1] for name in where if name.startswith("relay:")} == kinds
    assert sum("archive" in name for name in where) == 6

    receipt = erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, ledger, inline.connectors, 1)

    assert remains(server.client, inline.data) == []
    assert receipt.complete
    assert receipt.conversations == ("1:c1", "1:c2")
    assert set(receipt.payloads) >= {quarantined, discarded}
    assert (len(receipt.payloads), receipt.revisions, receipt.deliveries) == (3, 3, 6)
    assert len(receipt.files) == 6
    assert {one.connector for one in receipt.elsewhere} == {"hook1"}
    assert jobs.get(kept.id).reason == "hook2 was away"
    gate = ledger.lane("hook1").gate
    assert gate is not None
    assert "erased" in gate.reason
    # Nothing of hers is in any index, and what was Ann's is all there.
    assert "1:c1" not in str(
        [server.client.zrange(name, 0, -1) for name in server.client.scan_iter("relay:*", _type="zset")]
    )
    assert [one.status for one in ledger.conversation(ConversationId("1:c9")).deliveries]
    assert (inline.data / "archive" / "1" / "c9" / "r1.json").exists()


@pytest.mark.parametrize("sealed", [False, True])
def test_why_others_were_discarded_names_nobody_any_more(server: Server, tmp_path: Path, sealed: bool) -> None:
    keys = [Fernet.generate_key().decode()] if sealed else []
    client = connect(server.url, keys=keys)
    inline = Inline(Store(client), tmp_path, ARCHIVE)
    bench = Bench(inline, Eraser(client), Ledger(client))
    for conversation in ("c8", "c9", "c10"):
        made.conversation(inline.store, chat(conversation), crm=Outcome.REFUSED)
    (_, body) = inline.take(petra(), b"no JSON")
    for conversation in ("1:c8", "1:c9"):
        control(inline.store).discard(identified(f"crm:{conversation}"), f"request of {EMAIL}")
    control(inline.store).discard(DeliveryId("crm:1:c10"), "a test of ours")
    control(inline.store).discard(identified(body), f"as {NAME} said")
    control(inline.store).replay(DeliveryId("crm:1:c9"))
    bench.erase()
    assert remains(server.client, inline.data) == []
    assert bench.ledger.payload(PayloadId(body)).error == "(the reason named a visitor who was erased)"
    discarded, again, other = (bench.ledger.delivery(DeliveryId(f"crm:1:{one}")) for one in ("c8", "c9", "c10"))
    assert discarded.error == "(the reason named a visitor who was erased)"
    for one in (discarded, again):
        assert one.attempts[-1].error == "(the reason named a visitor who was erased)"
        assert [tried.outcome for tried in one.attempts] == ["refused", "discarded"]
    assert (other.error, other.attempts[-1].error) == ("a test of ours", "a test of ours")


def test_what_else_a_visitor_was_called_is_told(bench: Bench) -> None:
    bench.inline.take(petra("c1", visitor={"id": "vi-1", "email": ""}), petra("c1"), petra("c2"))
    receipt = bench.erase()
    assert receipt.conversations == ("1:c1", "1:c2")
    assert "vi-1" in receipt.known_as
    assert EMAIL not in receipt.known_as
    text = receipt_text(EMAIL, receipt, datetime(2026, 11, 22, tzinfo=UTC))
    assert "Other addresses and ids of this visitor. Search for these as well\n" in text
    assert "  vi-1\n" in text


def test_what_was_not_the_visitors_is_as_it_was(bench: Bench, server: Server) -> None:
    bench.inline.take(chat("c9"), chat("c9", accountId=2))

    def dump() -> dict[bytes, Any]:
        skip = (b"totals", b"count", b"sequence", b"knock", b"rewrite")
        names = [one for one in server.client.scan_iter("*") if not any(part in one for part in skip)]
        return {name: server.client.dump(name) for name in names}

    before, files = dump(), sorted(bench.inline.data.rglob("*"))
    bench.inline.take(petra())
    counted = statistics(connect(server.url), "hour", 1_700_000_000_000)
    assert bench.erase().conversations == ("1:c1",)
    assert dump() == before
    assert sorted(bench.inline.data.rglob("*")) == files
    assert statistics(connect(server.url), "hour", 1_700_000_000_000) == counted


def test_the_same_body_is_new_after_it_was_erased(bench: Bench) -> None:
    bench.inline.take(petra())
    assert bench.inline.store.accept(petra()).known
    bench.erase()
    assert not bench.inline.store.accept(petra()).known


def test_a_conversation_that_two_people_share_goes_as_a_whole(bench: Bench, server: Server) -> None:
    bench.inline.take(petra(), chat("c1"))
    assert bench.erase("ann@example.com").revisions == 2
    assert remains(server.client, bench.inline.data) == []


def test_a_body_that_no_worker_has_read_goes(bench: Bench, server: Server) -> None:
    payload = bench.inline.store.accept(petra()).id
    assert bench.erase().payloads == (payload,)
    assert bench.inline.claim(INBOX) is None
    assert remains(server.client) == []


def test_a_body_that_was_read_after_it_was_found_goes_as_a_conversation(bench: Bench, server: Server) -> None:
    bench.inline.store.accept(petra())
    traces = bench.eraser.traces(EMAIL)
    bench.inline.read()
    receipt = erasure.erase(EMAIL, traces, bench.eraser, bench.ledger, bench.inline.connectors, 0.3)
    assert (receipt.conversations, receipt.payloads, receipt.in_use) == (("1:c1",), (), ())
    assert remains(server.client) == []


def test_what_came_in_meanwhile_goes_too(server: Server, tmp_path: Path) -> None:
    store, ledger, eraser = Store(connect(server.url)), Ledger(connect(server.url)), Eraser(connect(server.url))
    inline = Inline(store, tmp_path, ARCHIVE)
    inline.take(petra())
    traces = eraser.traces(EMAIL)
    inline.take(petra("late"), chat("other"))
    receipt = erasure.erase(EMAIL, traces, eraser, ledger, inline.connectors, 5)
    assert receipt.conversations == ("1:c1", "1:late")
    assert ledger.conversation(ConversationId("1:other"))


def test_an_erasing_that_was_cut_off_is_finished_by_the_next(bench: Bench, server: Server) -> None:
    bench.inline.take(petra(), petra("c2"))
    bench.eraser.conversation(ConversationId("1:c1"))
    receipt = bench.erase()
    # The files of the other are still there.
    assert receipt.conversations == ("1:c1", "1:c2")
    bench.inline.connectors["archive"].erase(ConversationId("1:c1"))
    assert remains(server.client, bench.inline.data) == []
    assert not bench.erase().conversations


# --- What is going on at the same time


def in_flight(bench: Bench) -> Claim:
    bench.inline.store.accept(petra())
    bench.inline.read()
    claim = bench.inline.claim("archive")
    assert claim is not None
    return claim


def test_an_attempt_that_is_going_on_is_waited_for(bench: Bench) -> None:
    claim = in_flight(bench)
    store = bench.inline.store
    settle = threading.Timer(0.6, lambda: store.settle(claim, attempt(Outcome.DELIVERED), reference=Reference("5")))
    settle.start()
    receipt = bench.erase(patience=20)
    assert (receipt.conversations, receipt.attempts, receipt.in_use) == (("1:c1",), 1, ())
    settle.join()


def test_one_that_takes_too_long_is_named_and_kept_until_it_is_erased_again(bench: Bench) -> None:
    claim = in_flight(bench)
    receipt = bench.erase()
    assert (receipt.conversations, receipt.in_use, receipt.complete) == ((), ("1:c1",), False)
    assert bench.ledger.conversation(ConversationId("1:c1"))
    bench.inline.store.settle(claim, attempt(Outcome.DELIVERED), reference=Reference("5"))
    assert bench.erase().conversations == ("1:c1",)


def test_the_patience_is_for_all_of_them_together(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(erasure, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    monkeypatch.setattr(nap, "time", SimpleNamespace(sleep=waits.append))
    bench.inline.store.accept(petra())
    for number in range(5):
        bench.inline.store.accept(petra(f"d{number}"))
    bench.inline.read()
    while bench.inline.claim("archive"):
        pass
    assert len(bench.erase(patience=10).in_use) == 6
    assert 10 <= sum(waits) < 11


def test_a_body_that_is_being_read_is_waited_for(bench: Bench) -> None:
    bench.inline.store.accept(petra())
    claim = bench.inline.claim(INBOX)
    assert claim is not None
    assert bench.erase().in_use == (claim.id,)
    bench.inline.store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    assert bench.erase().conversations == ("1:c1",)


def test_whoever_lost_its_lease_to_an_erasing_writes_nothing_any_more(
    bench: Bench, server: Server, clock: Clock
) -> None:
    claim = in_flight(bench)
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert bench.erase().conversations == ("1:c1",)
    store = bench.inline.store
    with pytest.raises(LostLease):
        store.settle(claim, attempt(Outcome.DELIVERED, NAME), reference=Reference(EMAIL))
    with pytest.raises(LostLease):
        store.remember(claim, "ticket", NAME)
    assert store.renew([claim]) == 0
    store.release(claim)
    store.disown("archive", claim.token)
    assert bench.inline.claim("archive") is None
    assert remains(server.client) == []


def test_a_reader_that_lost_its_lease_to_an_erasing_writes_nothing_any_more(
    bench: Bench, server: Server, clock: Clock
) -> None:
    bench.inline.store.accept(petra())
    claim = bench.inline.claim(INBOX)
    assert claim is not None
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert len(bench.erase().payloads) == 1
    with pytest.raises(LostLease):
        bench.inline.store.fan_out(claim, ConversationId("1:c1"), ["archive"], summary=NAME.encode())
    assert not bench.inline.store.divert(claim.payload, PayloadStatus.QUARANTINED, NAME, token=claim.token)
    assert remains(server.client) == []


def test_a_worker_that_died_behind_a_closed_gate_hinders_nobody(bench: Bench, clock: Clock) -> None:
    in_flight(bench)
    control(bench.inline.store).pause("archive", "maintenance")
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert bench.inline.claim("archive") is None
    assert bench.erase().conversations == ("1:c1",)
    assert bench.ledger.lane("archive").in_flight == 0


def test_after_the_server_was_away_leases_that_ran_out_still_count(bench: Bench, clock: Clock, server: Server) -> None:
    in_flight(bench)
    clock.pass_by(LEASE_MS / 1000 + 1)
    server.client.delete(key("steady"))
    bench.inline.store.beat("a worker that has just come back")
    assert bench.erase().in_use == ("1:c1",)


def test_an_archive_that_was_being_written_by_somebody_who_lost_the_lease_leaves_no_file(
    bench: Bench, clock: Clock, server: Server
) -> None:
    writing, erased = threading.Event(), threading.Event()

    class Slow(Archive):
        def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
            writing.set()
            assert erased.wait(20)
            return super().deliver(conversation, receipt, step)

    archive = bench.inline.connectors["archive"]
    slow = Slow("archive", archive.settings, archive.data_dir)
    claim = in_flight(bench)
    lost: list[bool] = []

    def attempt_it() -> None:
        with pytest.raises(LostLease):
            deliver(bench.inline.store, claim, slow, "fingerprint")
        lost.append(True)

    thread = threading.Thread(target=attempt_it)
    thread.start()
    assert writing.wait(20)
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert bench.erase().conversations == ("1:c1",)
    erased.set()
    thread.join()
    assert lost
    assert remains(server.client, bench.inline.data) == []


def test_a_file_of_somebody_who_died_right_after_writing_it_goes(
    bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.inline.take(petra())
    late = bench.inline.data / "archive" / "1" / "c1" / "r1.json"
    real = Eraser.conversation

    def written_at_the_last_moment(self: Eraser, identity: str) -> Any:
        late.parent.mkdir(parents=True)
        late.write_bytes(petra())
        return real(self, ConversationId(identity))

    monkeypatch.setattr(Eraser, "conversation", written_at_the_last_moment)
    assert bench.erase().conversations == ("1:c1",)
    assert remains(server.client, bench.inline.data) == []


def test_whoever_lost_its_lease_to_another_worker_leaves_the_files_alone(bench: Bench, clock: Clock) -> None:
    old = in_flight(bench)
    clock.pass_by(LEASE_MS / 1000 + 1)
    bench.inline.deliver()
    with pytest.raises(LostLease):
        deliver(bench.inline.store, old, bench.inline.connectors["archive"], "fingerprint")
    assert (bench.inline.data / "archive" / "1" / "c1" / "r1.json").exists()


def test_erasing_beside_working_processes_ends_with_nothing_left(server: Server, tmp_path: Path) -> None:
    """Writers, readers and the eraser at once; whatever the order, the last erasing leaves nothing."""
    inline = Inline(Store(connect(server.url)), tmp_path, ARCHIVE)
    ledger, eraser = Ledger(connect(server.url)), Eraser(connect(server.url))
    over = threading.Event()
    bugs: list[BaseException] = []

    # Made before the threads begin: they write their configuration into the same file.
    writers = [Inline(Store(connect(server.url)), tmp_path, ARCHIVE) for _ in range(3)]

    def work(mine: Inline) -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                mine.take(petra(f"c{number % 3}", nonce=number))
            except LostLease:
                continue
            except BaseException as error:  # noqa: BLE001  # a thread's error would be lost
                bugs.append(error)
                return

    threads = [threading.Thread(target=work, args=(mine,)) for mine in writers]
    for thread in threads:
        thread.start()
    gone = 0
    for _ in range(40):
        if gone > 2:  # often they are in the middle of all of them
            break
        receipt = erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, ledger, inline.connectors, 0.5)
        gone += len(receipt.conversations)
    over.set()
    for thread in threads:
        thread.join()
    assert bugs == []
    assert gone
    inline.read()
    inline.deliver()
    assert erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, ledger, inline.connectors, 5).complete
    assert remains(server.client, inline.data) == []


# --- Elsewhere


def test_records_at_vendors_are_listed_with_their_links(store: Store, server: Server, bench: Bench) -> None:
    def settled(conversation: str, outcome: Outcome, reference: Reference | None = None, **steps: Any) -> None:
        claim = store.claim("desk", conversation)
        assert claim is not None
        for name, value in steps.items():
            store.remember(claim, name.replace("_", "?"), value)
        store.settle(claim, attempt(outcome, "why"), reference=reference)

    for number, _ in enumerate("abc"):
        store.accept(petra(f"c{number}"))
        claim = store.claim(INBOX, f"t{number}")
        assert claim is not None
        store.fan_out(claim, ConversationId(f"1:c{number}"), ["desk"])
    settled("1:c0", Outcome.DELIVERED, Reference("55", "https://desk.example/55"))
    settled("1:c1", Outcome.REFUSED, contact=7, ticket_=True, note_=True, note=3)
    settled("1:c2", Outcome.REFUSED)
    receipt = bench.erase()
    assert receipt.elsewhere == (
        erasure.Elsewhere("desk", "55", "https://desk.example/55"),
        erasure.Elsewhere("desk", "contact 7, note 3, ticket (possibly)", ""),
    )
    assert list(server.client.scan_iter("*:1:c*")) == []


def test_the_files_of_an_archive_that_is_switched_off_go_too(
    store: Store, ledger: Ledger, eraser: Eraser, tmp_path: Path
) -> None:
    Inline(store, tmp_path, ARCHIVE).take(petra())
    off = Inline(store, tmp_path, "connectors: {archive: {type: archive, enabled: false}}")
    receipt = erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, ledger, off.connectors, 0.3)
    assert len(receipt.files) == 2
    assert receipt.elsewhere == ()
    assert not [file for file in off.data.rglob("*") if file.is_file()]


def test_files_of_an_archive_that_was_taken_out_of_the_configuration_are_named(
    store: Store, ledger: Ledger, eraser: Eraser, tmp_path: Path
) -> None:
    Inline(store, tmp_path, ARCHIVE).take(petra())
    receipt = erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, ledger, {}, 0.3)
    assert receipt.elsewhere == (erasure.Elsewhere("archive", "1/c1/r1", ""),)


def test_a_disk_that_fails_keeps_the_conversation_so_that_it_can_be_erased_again(
    bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.inline.take(petra(), petra("c2"))

    def fail(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    with monkeypatch.context() as broken:
        broken.setattr("connectors.archive.shutil.rmtree", fail)
        receipt = bench.erase()
    assert [(one.conversation, one.connector) for one in receipt.failed] == [("1:c1", "archive"), ("1:c2", "archive")]
    assert "permission denied" in receipt.failed[0].error
    assert (receipt.conversations, receipt.complete, receipt.rewrite) == ((), False, None)
    assert bench.erase().conversations == ("1:c1", "1:c2")
    assert remains(server.client, bench.inline.data) == []


# --- The server's own file


def held(server: Server) -> bool:
    """Whether her address stands in any file of the server."""

    def holds(file: Path) -> bool:
        try:
            return EMAIL.encode() in file.read_bytes()
        except FileNotFoundError:  # a rewriting puts its own in its place
            return False

    return any(holds(file) for file in server.folder.rglob("*") if file.is_file())


def rewriting(server: Server) -> bool:
    return bool(server.client.info("persistence")["aof_rewrite_in_progress"])


def own_bench(server: Server, folder: Path, client: Client | None = None) -> Bench:
    inline = Inline(Store(connect(server.url)), folder, ARCHIVE)
    return Bench(inline, Eraser(client or connect(server.url)), Ledger(connect(server.url)))


def test_the_bytes_leave_the_append_only_file_when_it_is_rewritten(own_server: Server, tmp_path: Path) -> None:
    bench = own_bench(own_server, tmp_path)
    own_server.client.config_set("rdbcompression", "no")
    bench.inline.take(petra(), chat("c2"))
    bench.eraser.conversation(ConversationId("1:c1"))
    assert held(own_server)
    bench.inline.take(petra())
    assert bench.erase().rewrite is Rewrite.BEGUN
    until(lambda: not held(own_server), what="the rewriting")
    own_server.kill()
    own_server.start()
    assert remains(own_server.client) == []
    assert bench.ledger.conversation(ConversationId("1:c2"))


def test_a_rewriting_that_began_before_is_followed_by_another(own_server: Server, tmp_path: Path) -> None:
    bench = own_bench(own_server, tmp_path)
    bench.inline.take(petra())
    own_server.client.config_set("rdbcompression", "no")
    own_server.client.config_set("rdb-key-save-delay", "100000")
    own_server.client.bgrewriteaof()
    assert bench.erase().rewrite is Rewrite.LATER
    bench.eraser.rewrite_if_due()
    assert own_server.client.exists("relay:rewrite")
    own_server.client.config_set("rdb-key-save-delay", "0")
    until(lambda: not rewriting(own_server), what="the first rewriting")
    assert held(own_server)
    bench.eraser.rewrite_if_due()
    until(lambda: not held(own_server), what="the second rewriting")
    assert not own_server.client.exists("relay:rewrite")


def test_a_managed_server_that_refuses_is_said_so(own_server: Server, tmp_path: Path) -> None:
    own_server.client.acl_setuser(
        "shop", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"], commands=["-bgrewriteaof"]
    )
    client = connect(own_server.url.replace("unix://", "unix://shop:secret@"))
    bench = own_bench(own_server, tmp_path, client)
    bench.inline.take(petra())
    assert bench.erase().rewrite is Rewrite.REFUSED
    client.set("relay:rewrite", "1")
    bench.eraser.rewrite_if_due()
    assert not client.exists("relay:rewrite")


def test_a_server_without_the_file_is_said_so(own_server: Server, tmp_path: Path) -> None:
    bench = own_bench(own_server, tmp_path)
    bench.inline.take(petra())
    own_server.client.config_set("appendonly", "no")
    assert bench.erase().rewrite is Rewrite.NO_FILE


def test_nothing_is_rewritten_when_nothing_was_erased(bench: Bench) -> None:
    assert bench.erase("nobody@x.example").rewrite is None


# --- Bulk jobs


@pytest.fixture
def jobs(server: Server) -> Jobs:
    return Jobs(connect(server.url), made.configured)


@pytest.mark.parametrize(
    ("wanted", "reason", "goes"),
    [
        (Filter(text=EMAIL.upper()), "", True),
        (Filter(text=f"to {NAME}"), "", True),
        (Filter(status=DeliveryStatus.DEAD), f"{NAME} asked", True),
        (Filter(text="somebody else"), "", False),
        (Filter(status=DeliveryStatus.DEAD), "after the outage", False),
    ],
)
def test_an_open_job_goes_when_it_names_the_visitor(
    jobs: Jobs, eraser: Eraser, wanted: Filter, reason: str, goes: bool
) -> None:
    job = jobs.start("replay", wanted, reason=reason)
    eraser.forget({EMAIL, NAME, VISITOR, "7", "a", ""})
    if goes:
        with pytest.raises(NotFound):
            jobs.get(job.id)
        assert jobs.open() == []
    else:
        assert jobs.open() == [job.id]


def test_a_finished_job_that_looked_for_a_text_goes_whatever_it_was(jobs: Jobs, eraser: Eraser) -> None:
    text, plain = jobs.start("replay", Filter(text="order 7781")), jobs.start("replay", Filter(offline=True))
    for one in (text, plain):
        jobs.advance(one.id)
    eraser.forget({EMAIL})
    assert [one.id for one in jobs.recent()] == [plain.id]


def test_a_gate_that_was_opened_meanwhile_stays_open(store: Store, eraser: Eraser, ledger: Ledger) -> None:
    control(store).pause("crm", f"because of {EMAIL}")
    control(store).resume("crm")
    eraser.forget({EMAIL})
    assert ledger.lane("crm").gate is None


# --- One step


def test_a_body_of_a_conversation_is_not_erased_by_itself(inline: Inline, eraser: Eraser, ledger: Ledger) -> None:
    payload = inline.take(petra())[0]
    with pytest.raises(InUse):
        eraser.payload(PayloadId(payload))
    assert ledger.payload(PayloadId(payload))
    assert eraser.payload(PayloadId("nothing")) is False
    assert eraser.conversation(ConversationId("1:nothing")) is None


@pytest.mark.parametrize("do", [lambda one: replace(one, payloads=("x",)), lambda one: replace(one, named=("1:2",))])
def test_traces_say_whether_anything_of_the_visitors_was_found(eraser: Eraser, do: Callable[[Any], Any]) -> None:
    found = eraser.traces("nobody@x.example")
    assert not found
    assert bool(do(found)) == bool(do(found).payloads)


# --- Sealed


def test_sealed_bodies_are_looked_into_and_those_without_a_key_are_counted(
    server: Server, clock: Clock, ledger: Ledger, tmp_path: Path
) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    old, new = connect(server.url, keys=[first]), connect(server.url, keys=[second])
    Inline(Store(old, clock), tmp_path, ARCHIVE).take(petra())
    Inline(Store(new, clock), tmp_path, ARCHIVE).take(petra("c2"))
    both = connect(server.url, keys=[second, first])
    found = Eraser(both, clock).traces(EMAIL)
    assert (found.conversations, found.closed) == (("1:c1", "1:c2"), 0)
    found = Eraser(new, clock).traces(EMAIL)
    assert (found.conversations, found.closed) == (("1:c2",), 1)
    receipt = erasure.erase(EMAIL, found, Eraser(new, clock), Ledger(new), {}, 0.3)
    assert (receipt.conversations, receipt.closed, receipt.complete) == (("1:c2",), 1, False)


def test_a_conversation_of_which_one_body_cannot_be_opened_goes_as_a_whole(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    old, new = connect(server.url, keys=[first]), connect(server.url, keys=[second])
    Inline(Store(old, clock), tmp_path, ARCHIVE).take(chat("c1"))
    store = Store(new, clock)
    store.accept(petra())
    claim = store.claim(INBOX, "token")
    assert claim is not None
    store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    eraser = Eraser(new, clock)
    receipt = erasure.erase(EMAIL, eraser.traces(EMAIL), eraser, Ledger(new), {}, 0.3)
    assert (receipt.conversations, receipt.revisions) == (("1:c1",), 2)
    assert not server.client.exists("relay:revisions:1:c1")


# --- By phone number

NUMBER = "+420 777 123 456"


@pytest.mark.parametrize(
    "spelled", ["+420777123456", "00420 777 123 456", "777-123-456", "(777) 123 456", "420/777123456"]
)
def test_a_visitor_is_found_by_a_number_in_a_form_however_it_is_grouped(
    inline: Inline, eraser: Eraser, spelled: str
) -> None:
    form = {"telefon": {"label": "Telefon", "value": spelled}}
    inline.take(petra(visitor={"variables": form}), petra("c2"))
    assert eraser.traces(NUMBER).conversations == eraser.traces("+420777123456").conversations == ("1:c1",)


def test_a_number_in_a_message_may_be_anybodys_and_other_numbers_are_not_it(inline: Inline, eraser: Eraser) -> None:
    def says(channel: str, text: str) -> bytes:
        return petra(channel, messages=[{"type": "visitor", "content": text}])

    inline.take(says("c1", "call 777 123 456"), says("c2", "1777123456"), says("c3", "order 77712345 6789"))
    found = eraser.traces(NUMBER)
    assert (found.conversations, found.named) == ((), ("1:c1",))
    assert not eraser.traces("777 123 456").named  # of which country?
