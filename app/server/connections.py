"""Connections never run out: whoever does not read an answer, or takes a place and uses it for nothing, is cut off.

Granian has a time-out for a request's head and none for an answer that is not read, and it accepts no further
connection while CONNECTIONS are open. So this looks at the process's own sockets, which the system lists, and shuts
down those that hold others up; Granian then lets go of them as of any that broke.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import structlog

from app.proxies import Proxies, address_of, network_of

log = structlog.get_logger(__name__)

#: Seconds for an answer to be read, and bytes that give a reader another second: a large page over a slow line is read
#: steadily, and goes on.
UNREAD, STEADY = 10.0, 8_192
#: Connections of one public address. A private one may be a proxy's, behind which everybody is, so it has no bound.
ADDRESS_SHARE = 64
#: Seconds between two looks, and between two while more than half of the places are taken.
CALM, BUSY = 0.5, 0.1

_DESCRIPTORS = Path("/dev/fd")
#: tcpi_bytes_acked in struct tcp_info (linux/tcp.h), since Linux 4.1.
_ACKED = struct.Struct("=120xQ")

#: Address and port of the other end.
Peer = tuple[str, int]


@dataclass
class Open:
    """A connection, in seconds of the monotonic clock. `quiet`: since when nobody here works for it."""

    quiet: float
    working: bool = False
    unread: float | None = None
    acked: int = 0


@dataclass(frozen=True)
class Seen:
    """What the system says of a connection: bytes that were written and not taken yet, and those that were."""

    descriptor: int
    unread: int
    acked: int


class Connections:
    """Threads share it. `places` is how many connections the server takes; `closed` hears the address and why."""

    def __init__(self, port: int, places: int, proxies: Proxies, closed: Callable[[str, str], None]) -> None:
        self._port, self._places, self._proxies, self._closed = port, places, proxies, closed
        self._lock = threading.Lock()
        self._known: dict[Peer, Open] = {}

    def start(self) -> None:
        if _DESCRIPTORS.is_dir():
            threading.Thread(target=self._run, name="connections", daemon=True).start()
        else:
            log.warning("cannot list open connections: slow clients stay connected", path=str(_DESCRIPTORS))

    @contextmanager
    def working(self, peer: Peer) -> Iterator[None]:
        """While this lasts the peer waits for us, and is not cut off."""
        with self._lock:
            self._known.setdefault(peer, Open(time.monotonic())).working = True
        try:
            yield
        finally:
            with self._lock:
                self._known[peer] = Open(time.monotonic())

    def look(self) -> int:
        """Cut off whoever holds others up. Returns how many connections there were."""
        found = _seen(self._port)
        now = time.monotonic()
        with self._lock:
            # One that works may have been accepted since the system was asked.
            working = {peer: one for peer, one in self._known.items() if one.working}
            self._known = {peer: self._known.get(peer) or Open(now) for peer in found} | working
            # The one who was quiet the longest goes first: a post that has just come is the last.
            idle = sorted((one.quiet, peer) for peer, one in self._known.items() if not one.working)
            unread = [peer for _, peer in idle if _never_reads(self._known[peer], found[peer], now)]
        going = dict.fromkeys(unread, "unread")
        left = [peer for _, peer in idle if peer not in going]
        going.update(dict.fromkeys(self._beyond_their_share(left, found), "address"))
        left = [peer for peer in left if peer not in going]
        if len(found) - len(going) > self._places * 3 // 4:
            surplus = len(found) - len(going) - self._places // 2
            going.update(dict.fromkeys(left[:surplus], "crowded"))
        for peer, why in going.items():
            _cut(found[peer].descriptor, self._port, peer)
            self._closed(peer[0], why)
        return len(found)

    def _beyond_their_share(self, idle: list[Peer], found: Iterable[Peer]) -> Iterator[Peer]:
        numbers: dict[str, int] = defaultdict(int)
        for address, _ in found:
            numbers[network_of(address)] += 1
        for peer in idle:
            network = network_of(peer[0])
            if numbers[network] > ADDRESS_SHARE and self._bounded(address_of(peer[0])):
                numbers[network] -= 1
                yield peer

    def _bounded(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and address.is_global and not self._proxies.trusts(str(address))

    def _run(self) -> None:
        while True:
            number = 0
            try:
                number = self.look()
            except Exception:  # whatever goes wrong with one look, the next may go right
                log.exception("unhandled error while looking at connections")
            time.sleep(BUSY if number > self._places // 2 else CALM)


def peer_of(address: str, port: int) -> Peer:
    """As the system and an ASGI scope both spell it: without the interface of a link-local address."""
    return address.partition("%")[0], port


def _seen(port: int) -> dict[Peer, Seen]:
    """This process's connections to `port`."""
    found = {}
    for entry in list(_DESCRIPTORS.iterdir()):
        descriptor = int(entry.name)
        with _connection(descriptor, port) as connection:
            if connection:
                found[_peer(connection)] = Seen(descriptor, _unread(connection), _acked(connection))
    return found


def _cut(descriptor: int, port: int, peer: Peer) -> None:
    with _connection(descriptor, port) as connection:
        if connection and _peer(connection) == peer:  # else it is closed, and its number another one's
            # What is not read is thrown away: the system would keep it for minutes.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _connection(descriptor: int, port: int) -> Iterator[socket.socket | None]:
    """A copy of it for a moment, or None where it is no connection to `port`. It may break while it is used."""
    connection = _copied(descriptor, port)
    with suppress(OSError), connection or nullcontext():
        yield connection


def _copied(descriptor: int, port: int) -> socket.socket | None:
    try:
        copy = os.dup(descriptor)
    except OSError:  # closed since it was listed
        return None
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None
    with suppress(OSError):
        if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getsockname()[1] == port:
            connection.getpeername()  # fails where it only listens
            return connection
    connection.close()
    return None


def _peer(connection: socket.socket) -> Peer:
    name = connection.getpeername()
    return peer_of(name[0], name[1])


def _never_reads(one: Open, seen: Seen, now: float) -> bool:
    """Whether its answer has waited too long, for as much of it as was taken."""
    if not seen.unread:
        one.unread = None
        return False
    if one.unread is None:
        one.unread, one.acked = now, seen.acked
    return now - one.unread > UNREAD + (seen.acked - one.acked) / STEADY


def _unread(connection: socket.socket) -> int:
    """Bytes that were written and that the other end has not taken."""
    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0])


def _acked(connection: socket.socket) -> int:
    """Bytes that the other end has taken; 0 where the system does not say."""
    if not hasattr(socket, "TCP_INFO"):
        return 0
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED.size)
    return int(_ACKED.unpack(told)[0]) if len(told) == _ACKED.size else 0
