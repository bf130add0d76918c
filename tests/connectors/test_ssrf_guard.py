"""Where a connector may connect to, checked on the address that is connected to and at that moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from urllib3.util import connection

from connectors.kit import resolver
from connectors.kit.http import Http
from connectors.kit.ssrf_guard import addresses, is_allowed
from core.config.environment import Network
from core.errors import ConnectorRefused, RetryLater
from tests.support.destination import Destination
from tests.support.stack import until

LOOPBACK = (ip_network("127.0.0.0/8"),)


def networks(*names: str) -> tuple[Network, ...]:
    return tuple(ip_network(name) for name in names)


class Names:
    """A name server that answers what a test says; addresses are looked up as always."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Sequence[str]] = []
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not name.endswith(".example"):
            return self._real(host, port, *args, **options)
        self.asked.append(name)
        found = self.answers.pop(0)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for address in found for entry in self._real(address, port, type=socket.SOCK_STREAM)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.255.255", "169.253.0.1"),
        *("2606:4700::1111", "2a00:1450:4014::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
        *("168.63.129.15", "3ffe::1", "2606:4700::5efe:808:808"),
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), ())


INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "192.0.0.1", "198.18.0.1", "192.0.2.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "4000::1"),
    *(
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "192.88.99.1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
    ),
    *("2001::1", "2001:0:808:808::1", "2606:4700::5efe:a00:1", "2606:4700::200:5efe:7f00:1", "fe80::5efe:808:808"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_every_other_address_is_refused(address: str) -> None:
    assert not is_allowed(ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "listed"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::a01:203", "10.1.2.3/32"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("169.254.169.254", "169.254.0.0/16"),
        ("fd00::5", "fd00::/8"),
        ("::1", "::1/128"),
        ("fe80::1", "fe80::/10"),
    ],
)
def test_a_network_that_is_listed_is_allowed(address: str, listed: str) -> None:
    assert is_allowed(ip_address(address), networks("192.168.0.0/16", listed))


def test_and_no_other() -> None:
    listed = networks("10.0.0.0/8", "fd00:ec2::/32", "203.0.113.0/24")
    found = [address for address in INSIDE if is_allowed(ip_address(address), listed)]
    assert found == ["10.0.0.1", "fd00:ec2::254", "::ffff:10.0.0.1", "2606:4700::5efe:a00:1"]


def test_a_name_with_addresses_inside_and_outside_leads_outside(names: Names) -> None:
    names.answers = [["10.0.0.1", "1.1.1.1", "::1", "1.1.1.1", "8.8.8.8"]]
    assert addresses("mixed.example", 443, ()) == ["1.1.1.1", "8.8.8.8"]


def test_a_name_that_leads_inside_is_refused_with_what_to_type(names: Names) -> None:
    names.answers = [["169.254.169.254", "fd00::1"]]
    with pytest.raises(ConnectorRefused) as raised:
        addresses("meta.example", 80, ())
    assert str(raised.value) == (
        "meta.example is 169.254.169.254, a private address. If you mean it, add allow_networks: [169.254.169.254]"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_by_default_however_it_is_spelled(destination: Destination, host: str) -> None:
    url = destination.url.replace("127.0.0.1", host)
    with pytest.raises(ConnectorRefused, match="allow_networks"):
        Http(timeout=10).request("GET", url)
    assert not destination.received


def test_loopback_is_reached_when_it_is_listed(destination: Destination) -> None:
    assert Http(timeout=10, allow_networks=LOOPBACK).request("GET", destination.url).json() == {}
    assert len(destination.received) == 1


def test_a_name_is_looked_up_when_it_is_connected_to_and_called_by_its_name(
    destination: Destination, names: Names
) -> None:
    names.answers = [["127.0.0.1"]]
    url = destination.url.replace("127.0.0.1", "shop.example")
    http = Http(timeout=10, allow_networks=LOOPBACK)
    http.request("GET", url)
    http.request("GET", url)
    assert names.asked == ["shop.example"]  # once: what was checked is what was connected to, and it stays open
    assert {received.headers["host"] for received in destination.received} == {url.split("/")[2]}


def test_a_name_that_changes_its_mind_does_not_lead_inside(
    destination: Destination, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reached = connection.create_connection, []

    def create(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        reached.append(address[0])
        # The public one leads to the destination here.
        return real(("127.0.0.1", address[1]), *args, **options)

    monkeypatch.setattr(connection, "create_connection", create)
    destination.behaviour = lambda handler, _: handler.answer(200, Connection="close")
    names.answers = [["8.8.8.8"], ["127.0.0.1"]]
    url = destination.url.replace("127.0.0.1", "shop.example")
    http = Http(timeout=10)
    # What was checked is what is connected to: between the two the name is not looked up again.
    assert http.request("GET", url).ok
    assert names.asked == ["shop.example"]
    with pytest.raises(ConnectorRefused, match=r"shop\.example is 127\.0\.0\.1"):
        http.request("GET", url)
    assert reached == ["8.8.8.8"]
    assert len(destination.received) == 1


def test_the_next_address_is_tried_when_one_refuses_or_does_not_answer(
    destination: Destination, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = connection.create_connection, []

    def create(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        tried.append(address[0])
        if address[0] == "127.0.0.2":
            raise TimeoutError("timed out")
        if address[0] == "127.0.0.3":
            raise ConnectionRefusedError(111, "Connection refused")
        return real(address, *args, **options)

    monkeypatch.setattr(connection, "create_connection", create)
    names.answers = [["127.0.0.2", "127.0.0.3", "127.0.0.1"]]
    url = destination.url.replace("127.0.0.1", "shop.example")
    assert Http(timeout=10, allow_networks=LOOPBACK).request("POST", url).ok
    assert tried == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]


def test_a_name_that_nobody_knows_is_tried_again_later_and_a_write_too(names: Names) -> None:
    names.answers = [[], [], []]
    with pytest.raises(RetryLater, match=r"does not exist \(DNS\)") as raised:
        Http(timeout=10).request("POST", "http://nowhere.example/hook?token=hunter2")
    assert raised.value.untaken
    assert names.asked == ["nowhere.example"] * 3
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_says_where_to(destination: Destination, status: int) -> None:
    with Destination() as other:
        place = other.url.replace("http://", "http://user:hunter2@") + "/new?token=hunter2"
        destination.behaviour = lambda handler, _: handler.answer(status, Location=place)
        with pytest.raises(ConnectorRefused) as raised:
            Http(timeout=10, allow_networks=LOOPBACK).request("GET", destination.url)
        assert str(raised.value) == f"HTTP {status}: the address has moved to {other.url}/new; use that in relay.yaml"
        assert raised.value.status == status
        assert not other.received
    assert len(destination.received) == 1


@pytest.mark.parametrize(
    "place", ["http://[", "http://[::1", "//", "\u00ff\u00fe", "\x01", "http://a:b:c/", "x" * 5000]
)
def test_a_redirect_to_nonsense_is_refused_too(destination: Destination, place: str) -> None:
    destination.behaviour = lambda handler, _: handler.answer(302, Location=place)
    with pytest.raises(ConnectorRefused, match="HTTP 302") as raised:
        Http(timeout=10, allow_networks=LOOPBACK).request("POST", destination.url)
    assert len(str(raised.value)) < 500
    assert str(raised.value).isprintable()


def test_a_name_server_that_hangs_ends_the_attempt_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))
    http = Http(timeout=5)
    with pytest.raises(RetryLater), http.attempt(0.3):
        http.request("GET", "http://slow.example/")
    assert [one for one in threading.enumerate() if one.name == "resolver"]  # it hangs still
    over.set()


def test_a_name_server_that_hangs_takes_a_bounded_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    for _ in range(resolver.HANGING):
        with pytest.raises(TimeoutError, match="did not respond within"):
            resolver.look_up("slow.example", 80, 0.001)
    with pytest.raises(TimeoutError, match="open queries"):
        resolver.look_up("slow.example", 80, 0.001)
    over.set()
    until(lambda: not [one for one in threading.enumerate() if one.name == "resolver"], what="the threads' end")
    assert resolver.look_up("fast.example", 80, 5) == []
