"""The receiver, as it really runs, and everything that should not be sent to it.

What is promised: never a 5xx, never a hang, memory within bounds; what was answered with a 2xx is in the store byte for
byte, and nothing else is.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings

from app.server.asgi import BODY_SECONDS
from app.server.main import CONNECTIONS
from core.delivery import PayloadStatus
from core.smartsupp.limits import LARGEST_BODY
from tests.fuzz.wire import HOOK, KEEP, Answer, Sent, chunked, exchange, memory, request, requests, worked
from tests.support.forked import forked
from tests.support.stack import Stack, chat, stack, until

MIB = 1024 * 1024
#: Times as many generated requests as in a short run.
LONGER = int(os.environ.get("FUZZ_TIMES", "1"))


@dataclass
class Receiver:
    """`relay web` on a server of its own, and how much memory it had when it had served its first chats."""

    relay: Stack
    pid: int
    memory: int = 0

    @property
    def port(self) -> int:
        return self.relay.port

    def kept(self) -> dict[str, bytes]:
        """Every body in the store."""
        ledger = self.relay.ledger
        found = (one.id for status in PayloadStatus for one in ledger.payloads(status, 10**6))
        return {identity: ledger.payload(identity).body for identity in found}

    def says(self, sent: bytes, *, cut: bool = False) -> list[int]:
        """The statuses of all answers to what is sent on one connection."""
        return [answer.status for answer in exchange(self.port, sent, cut=cut)]

    def serves(self) -> float:
        """Post a chat that is like no other; seconds until the 202."""
        started = time.monotonic()
        (answer,) = exchange(self.port, request(chat(str(random.getrandbits(60)))))
        assert answer.status == 202
        return time.monotonic() - started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with stack(tmp_path_factory.mktemp("hostile") / "relay", forked) as relay:
        receiver = Receiver(relay, relay.web().pid)
        for _ in range(50):
            receiver.serves()
        receiver.memory = memory(receiver.pid)
        yield receiver
        assert "Traceback" not in relay.logs()


@pytest.fixture
def receiver(running: Receiver) -> Receiver:
    """The running receiver, with an empty store."""
    running.relay.server.client.flushall()
    return running


def huge(byte: bytes) -> bytes:
    return byte * LARGEST_BODY


BODIES = {
    "lists 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a conversation with a list 100,000 deep": chat()[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list without an end": huge(b"["),
    "a number beyond all floats": chat()[:-1] + b', "beginAt": 1e999}',
    "a number of 100,000 digits": chat()[:-1] + b', "beginAt": ' + b"9" * 100_000 + b"}",
    "a number of a million digits": b"9" * LARGEST_BODY,
    "NaN": chat()[:-1] + b', "beginAt": NaN}',
    "members given twice": b'{"accountId": 1, "accountId": 2, "channel": {"id": 1}, "channel": {"id": 2, "id": 3}}',
    "100,000 members": json.dumps(
        {"accountId": 1, "channel": {"id": 1}, **dict.fromkeys(map(str, range(60_000)))}
    ).encode(),
    "60,000 messages": json.dumps({"accountId": 1, "channel": {"id": 1}, "messages": [{}] * 60_000}).encode(),
    "lone surrogates": chat(visitor={"name": "\ud83d", "email": "\udc00\ud800"}),
    "surrogates as bytes": chat()[:-1] + b', "x": "\xed\xa0\x80"}',
    "NUL": chat()[:-1] + b', "x": "\x00\\u0000"}',
    "NUL alone": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf" + chat(),
    "UTF-16": chat().decode().encode("utf-16"),
    "UTF-32": chat().decode().encode("utf-32"),
    "Latin-1": chat()[:-1] + b', "x": "\xe9"}',
    "1 MiB of NUL": huge(b"\x00"),
    "1 MiB of spaces": huge(b" "),
    "1 MiB of quotes": huge(b'"'),
    "1 MiB of backslashes": b'"' + b"\\" * (LARGEST_BODY - 1),
    "1 MiB of 0xFF": huge(b"\xff"),
    "1 MiB of dice": random.Random(1).randbytes(LARGEST_BODY),  # the same each time
    "gzip without saying so": zlib.compress(b"\x00" * 100 * MIB),
    "HTTP": request(chat()),
}


@pytest.mark.parametrize("name", BODIES)
def test_any_body_is_kept_byte_for_byte_and_answered_soon(receiver: Receiver, name: str) -> None:
    before = worked(receiver.pid)
    (answer,) = exchange(receiver.port, request(BODIES[name]))
    assert answer.status == 202
    assert answer.json()["status"] in ("accepted", "quarantined")
    assert receiver.kept() == {answer.json()["id"]: BODIES[name]}
    assert len(answer.body) < 1000
    assert worked(receiver.pid) - before < 5


def test_what_was_accepted_of_hostile_bodies_does_not_trouble_a_worker(receiver: Receiver) -> None:
    for body in BODIES.values():
        assert receiver.says(request(body)) == [202]
    receiver.relay.worker()
    ledger = receiver.relay.ledger
    until(lambda: ledger.payload_counts()["received"] == 0, 60, "the inbox is empty")
    counts = ledger.payload_counts()
    assert counts["routed"] + counts["quarantined"] == len(BODIES)
    lane = until(lambda: (found := ledger.lane("archive")).waiting + found.in_flight == 0 and found, 60, "the archive")
    assert lane.counts["dead"] == lane.counts["retrying"] == 0
    receiver.relay.processes.pop().terminate()
    assert "Traceback" not in receiver.relay.logs()


def test_one_byte_more_than_1_mib_is_refused_however_it_is_framed(receiver: Receiver) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    assert receiver.says(request(body)) == [413]
    pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    assert receiver.says(request(chunked(*pieces), b"Transfer-Encoding: chunked", length=False)) == [413]
    assert receiver.says(request(b"", b"Content-Length: %d" % 10**12, length=False)) == [413]
    assert receiver.kept() == {}


def test_a_packed_body_is_refused_unopened(receiver: Receiver) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(b"\x00" * MIB) for _ in range(128)) + squeeze.flush()
    assert len(bomb) < MIB
    before = memory(receiver.pid)
    for encoding in (b"gzip", b"deflate", b"br", b"zstd", b"GZIP", b"identity, gzip", b"no such thing"):
        (answer,) = exchange(receiver.port, request(bomb, b"Content-Encoding: " + encoding))
        assert answer.status == 415
        assert answer.json() == {"error": "Content-Encoding must be absent or 'identity': send the body uncompressed"}
    coded = request(chunked(bomb), b"Transfer-Encoding: gzip, chunked", length=False)
    assert receiver.says(coded) == [415]
    assert receiver.kept() == {}
    assert memory(receiver.pid) - before < 64 * MIB
    for encoding in (b"Identity", b""):
        assert receiver.says(request(chat(), b"Content-Encoding: " + encoding)) == [202]


def test_senders_that_stop_in_the_middle_hold_nobody_up(receiver: Receiver) -> None:
    begun = request(b"", b"Content-Length: 1000", length=False) + chat()[:50]
    kinds = {
        "a body": begun,
        "a chunk": request(b"", b"Transfer-Encoding: chunked", length=False) + b"ff\r\n{",
        "headers": begun[:40],
        "nothing at all": b"",
    }
    held: list[tuple[str, socket.socket]] = []
    for _ in range(40):  # fewer than would make places scarce
        for name, sent in kinds.items():
            connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=BODY_SECONDS + 60)
            connection.sendall(sent)
            held.append((name, connection))
    times = [receiver.serves() for _ in range(50)]
    # Who had to wait for them would have waited until they were cut off.
    assert max(times) < BODY_SECONDS, times
    for name, connection in held:
        with connection:
            came = b""
            while piece := connection.recv(1000):
                came += piece
            assert came[:13] == (b"HTTP/1.1 408 " if name in ("a body", "a chunk") else b""), name
    assert len(receiver.kept()) == 50


def test_more_connections_than_there_are_places_only_delay_others(receiver: Receiver) -> None:
    held = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(CONNECTIONS + 50)]
    receiver.serves()
    for connection in held:
        connection.close()


def test_a_body_that_trickles_in_within_its_time_is_kept(receiver: Receiver) -> None:
    body = chat("slow")
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
        connection.sendall(request(b"", b"Content-Length: %d" % len(body), length=False))
        for place in range(0, len(body), 50):
            time.sleep(0.2)
            connection.sendall(body[place : place + 50])
        assert connection.recv(1000).startswith(b"HTTP/1.1 202 ")
    assert list(receiver.kept().values()) == [body]


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: -1"],
        [b"Content-Length: +5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length: 99999999999999999999999999"],
        [b"Content-Length: "],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: chunked;q=1"],
    ],
    ids=repr,
)
def test_a_length_that_cannot_be_is_refused(receiver: Receiver, headers: list[bytes]) -> None:
    assert receiver.says(request(chat(), *headers, length=False)) == [400]
    assert receiver.kept() == {}


def test_a_length_that_is_too_long_is_a_body_cut_short(receiver: Receiver) -> None:
    body = chat()
    (answer,) = exchange(receiver.port, request(body, b"Content-Length: %d" % (len(body) + 1), length=False), cut=True)
    assert (answer.status, answer.json()) == (400, {"error": "the body is incomplete"})
    assert receiver.kept() == {}


def test_a_length_that_is_too_short_ends_the_body_there_and_the_rest_is_no_request(receiver: Receiver) -> None:
    body = chat()
    first, second = exchange(receiver.port, request(body, KEEP, b"Content-Length: 10", length=False))
    assert (first.status, first.json()["status"], second.status) == (202, "quarantined", 400)
    assert list(receiver.kept().values()) == [body[:10]]


@pytest.mark.parametrize(
    "body",
    [
        b"%x\r\n%s\r\n" % (len(chat()), chat()),
        b"%x\r\n%s\r\nzz\r\n" % (len(chat()), chat()),
        b"ffff\r\n" + chat(),
        b"ffffffffffffffffff\r\n" + chat(),
        b"-1\r\n" + chat(),
        chat(),
        b"",
    ],
    ids=repr,
)
def test_chunks_that_break_off_or_are_none_keep_nothing(receiver: Receiver, body: bytes) -> None:
    assert receiver.says(request(body, b"Transfer-Encoding: chunked", length=False), cut=True) in ([400], [])
    receiver.serves()
    assert len(receiver.kept()) == 1


def test_a_body_with_both_a_length_and_chunks_is_read_as_chunks(receiver: Receiver) -> None:
    body = chat()
    both = request(chunked(body), b"Content-Length: 3", b"Transfer-Encoding: chunked", length=False)
    assert receiver.says(both) == [202]
    assert list(receiver.kept().values()) == [body]


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"BREW"])
def test_other_methods_keep_nothing(receiver: Receiver, method: bytes) -> None:
    expected = 200 if method == b"OPTIONS" else 405
    assert receiver.says(request(chat(), method=method)) == [expected]
    assert receiver.kept() == {}


@pytest.mark.parametrize(
    "path",
    [
        HOOK + b"%00",
        HOOK + b"/more",
        b"/",
        HOOK[:-1],
        HOOK.upper(),
        b"/smartsupp/",
        b"/smartsupp/../" + HOOK,
        b"/smartsupp/%2e%2e" + HOOK,
        b"/smartsupp/\xc5\xbe",
        b"/smartsupp/%C5%BE%FF",
        b"/smartsupp/" + b"x" * 8000,
        b"/" + b"x" * 70_000,
        b"*",
        b"smartsupp",
        b"/smartsupp/%",
        b"/smartsupp/a b",
    ],
    ids=lambda path: repr(path[:30]),
)
def test_other_paths_keep_nothing(receiver: Receiver, path: bytes) -> None:
    found = receiver.says(request(chat(), path=path))
    assert found
    assert found[0] in (303, 308, 400, 403, 404, 405, 414)
    assert receiver.kept() == {}


def test_a_flood_of_headers_is_refused(receiver: Receiver) -> None:
    for headers in ([b"x-%d: y" % number for number in range(1000)], [b"x: " + b"y" * 600_000]):
        assert receiver.says(request(chat(), *headers)) == [431]
    assert receiver.kept() == {}


def test_a_header_with_an_underscore_does_not_pass_for_one_with_a_hyphen(receiver: Receiver) -> None:
    body = chat()
    assert receiver.says(request(body, b"Content_Encoding: gzip", b"Content_Length: 3")) == [202]
    assert list(receiver.kept().values()) == [body]


def test_requests_sent_all_at_once_are_all_answered_in_their_order(receiver: Receiver) -> None:
    bodies = [chat(number) for number in range(30)]
    found = exchange(receiver.port, b"".join(request(body, KEEP) for body in bodies[:-1]) + request(bodies[-1]))
    assert [answer.status for answer in found] == [202] * 30
    kept = receiver.kept()
    assert [kept[answer.json()["id"]] for answer in found] == bodies


def test_generated_requests_break_no_promise(receiver: Receiver) -> None:
    seen: Counter[int] = Counter()
    promised: set[str] = set()
    ledger = receiver.relay.ledger

    def told(sent: Sent, answer: Answer) -> None:
        seen[answer.status] += 1
        assert answer.status < 500, sent.raw[:300]
        if answer.status != 202:
            return
        kept = ledger.payload(answer.json()["id"]).body
        assert kept == sent.body if sent.body is not None else kept in sent.raw
        promised.add(answer.json()["id"])

    @given(requests())
    @settings(
        max_examples=400 * LONGER,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def send(sent: Sent) -> None:
        seen[0] += 1
        for answer in exchange(receiver.port, sent.raw, seconds=BODY_SECONDS + 5, cut=sent.cut):
            told(sent, answer)

    send()
    said = f"{seen.pop(0)} requests; answers by status: {dict(sorted(seen.items()))}; {len(promised)} bodies kept\n"
    sys.stdout.write(said)
    assert set(receiver.kept()) == promised
    assert {202, 400, 403, 404, 405, 415} <= set(seen)


def test_after_all_that_it_serves_as_before_and_has_not_grown(receiver: Receiver) -> None:
    for _ in range(40 * LONGER):
        receiver.says(request(BODIES["1 MiB of dice"][: -random.randint(1, 1000)]))
        receiver.relay.server.client.flushall()
    assert receiver.serves() < 2
    assert memory(receiver.pid) - receiver.memory < 200 * MIB
