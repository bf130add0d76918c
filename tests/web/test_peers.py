"""Whoever is at the other end of a connection: reads nothing, says nothing, or comes with hundreds of them."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network

import pytest

from app.proxies import Proxies
from app.server import connections
from app.server.connections import ADDRESS_SHARE, Connections, Open, Seen
from app.server.main import CONNECTIONS
from tests.support.stack import SOON_LOGGED, Stack, chat, until

#: Granian's own, after which a place is free in any case (app/server/main.py).
HEAD_SECONDS = 10
UNREAD = b"GET /static/relay.css HTTP/1.1\r\nHost: x\r\n\r\n" * 400


def peer(port: int, sent: bytes = b"", room: int = 0) -> socket.socket:
    """A connection that sends something and reads nothing; into as little `room` as the system allows."""
    made = socket.socket()
    if room:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.settimeout(10)
    made.connect(("127.0.0.1", port))
    made.sendall(sent)
    return made


def posts_go_through(relay: Stack, first: int, number: int = 5) -> None:
    """Posts of one after the other, each on a connection of its own, answered while somebody holds all places."""
    for one in range(first, first + number):
        started = time.monotonic()
        assert relay.post(chat(one)).status_code == 202
        assert time.monotonic() - started < HEAD_SECONDS, "it had to wait until they were given up"


@pytest.mark.parametrize(("sent", "room"), [(UNREAD, 2048), (b"", 0), (b"POST /smartsupp/x HTTP/1.1\r\nHos", 0)])
def test_hundreds_of_peers_that_never_read_or_finish_keep_no_post_out(relay: Stack, sent: bytes, room: int) -> None:
    relay.constants |= SOON_LOGGED
    relay.web()
    with ExitStack() as held:
        for _ in range(CONNECTIONS + 50):
            held.enter_context(peer(relay.port, sent, room))
        posts_go_through(relay, 1)
        for _ in range(CONNECTIONS + 50):
            held.enter_context(peer(relay.port, sent, room))
        posts_go_through(relay, 10)
        until(lambda: "connection closed" in relay.logs(), what="the line about it")
    assert "Traceback" not in relay.logs()


def test_an_answer_that_is_not_read_ends_its_connection(relay: Stack) -> None:
    relay.constants |= {**SOON_LOGGED, "app.server.connections.UNREAD": 1.0}
    relay.web()
    with peer(relay.port, UNREAD, 2048) as stuck:
        until(lambda: "unread" in relay.logs(), 40, "the line about it")
        stuck.settimeout(10)
        read = stuck.recv
        with pytest.raises(ConnectionResetError):
            all(iter(lambda: read(65536), b""))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as made:
        yield made


class Held:
    """Connections of this very process to a listener, and who was cut off why."""

    def __init__(self, listener: socket.socket, number: int, proxies: Proxies, places: int = 1000) -> None:
        self.port = int(listener.getsockname()[1])
        self.cut: list[tuple[str, str]] = []
        self.watch = Connections(self.port, places, proxies, lambda address, why: self.cut.append((address, why)))
        self.clients = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(number)]
        self.accepted = [listener.accept()[0] for _ in range(number)]

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self.clients, *self.accepted):
            one.close()

    def open(self) -> list[int]:
        """Numbers of the clients whose connection still stands."""
        found = []
        for number, client in enumerate(self.clients):
            client.setblocking(False)
            try:
                client.recv(1)
            except BlockingIOError:
                found.append(number)
            except ConnectionResetError:
                pass
        return found


def test_when_places_get_scarce_the_longest_idle_goes_and_who_is_worked_for_stays(listener: socket.socket) -> None:
    with Held(listener, 10, Proxies(()), places=12) as held:
        first = held.clients[0].getsockname()
        with held.watch.working((first[0], first[1])):
            assert held.watch.look() == 10
            assert held.cut == [("127.0.0.1", "crowded")] * 4
            assert 0 in held.open()
            assert len(held.open()) == 6


@pytest.mark.parametrize(
    ("address", "trusted", "kept"),
    [
        ("8.8.8.8", "", ADDRESS_SHARE),
        ("2606:4700::1", "", ADDRESS_SHARE),
        ("8.8.8.8", "8.8.8.0/24", 100),
        ("127.0.0.1", "", 100),
        ("10.0.0.7", "", 100),
    ],
)
def test_a_public_address_has_a_share_and_a_proxy_none(
    monkeypatch: pytest.MonkeyPatch, address: str, trusted: str, kept: int
) -> None:
    found = {(address, port): Seen(port, 0, 0) for port in range(100)}
    gone: Counter[str] = Counter()
    monkeypatch.setattr(connections, "_seen", lambda _: found)
    monkeypatch.setattr(connections, "_cut", lambda *_: None)
    networks = (ip_network(trusted),) if trusted else ()
    watch = Connections(1, 1000, Proxies(networks), lambda _, why: gone.update([why]))
    watch.look()
    assert gone.total() == 100 - kept
    assert set(gone) <= {"address"}


def test_a_reader_that_takes_its_time_is_waited_for_and_one_that_stops_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [0.0]
    acked = {"slow": 0, "stopped": 0}
    gone: list[str] = []
    monkeypatch.setattr("app.server.connections.time.monotonic", lambda: seconds[0])
    monkeypatch.setattr(
        connections, "_seen", lambda _: {(name, 1): Seen(1, 5000, number) for name, number in acked.items()}
    )
    monkeypatch.setattr(connections, "_cut", lambda *_: None)
    watch = Connections(1, 1000, Proxies(()), lambda address, _: gone.append(address))
    for _ in range(60):
        watch.look()
        seconds[0] += 1
        acked["slow"] += 16_384
        if gone:
            break
    assert gone == ["stopped"]
    assert seconds[0] >= connections.UNREAD


def test_one_that_begins_to_be_worked_for_while_others_are_looked_at_is_known() -> None:
    watch = Connections(1, 1, Proxies(()), lambda *_: None)
    with watch.working(("127.0.0.1", 5)):
        watch.look()
        assert watch._known == {("127.0.0.1", 5): Open(watch._known["127.0.0.1", 5].quiet, working=True)}
