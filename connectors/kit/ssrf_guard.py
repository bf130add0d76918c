"""Where a connector may connect to, and for how long it may listen.

No loopback, private or link-local address unless the config allows its network. Checked when the connection is made,
on the address that DNS gave for it, so that no answer of a name server that changes its mind leads inside.

A time-out of sockets is one of each read: a server that sends a byte a second keeps it for ever. So each read also
asks how much is left of the attempt.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError

from connectors.kit.resolver import look_up
from core.errors import ConnectorRefused

Network = IPv4Network | IPv6Network


#: Addresses in which an IPv4 address is meant, for a gateway to unpack (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: Interface identifiers in which an IPv4 address is meant, for a tunnel to unpack (ISATAP, RFC 5214).
_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))

#: Networks that lead inside or nowhere, and that some version of Python calls global.
_NOT_PUBLIC: tuple[Network, ...] = (
    # Azure's host of a virtual machine: keys and agents, link-local in all but name.
    # https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up by RFC 7526
    IPv6Network("2001::/32"),  # Teredo (RFC 4380): whoever tunnels chooses the address in it
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
    IPv6Network("5f00::/16"),  # segment routing inside a network (RFC 9602)
)


def is_allowed(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Whether an address may be reached: any public one, and what lies in `networks`."""
    return all(_is_public(meant) or _is_in(meant, networks) for meant in _meanings(address))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    special = address.is_multicast or address.is_reserved or _is_site_local(address)
    return address.is_global and not special and not _is_in(address, _NOT_PUBLIC)


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _meanings(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The IPv4 address that an IPv6 address stands for, or the address itself; both where a tunnel decides."""
    if isinstance(address, IPv4Address):
        return [address]
    if address in _NAT64:
        return [IPv4Address(address.packed[-4:])]
    if address.packed[8:12] in _ISATAP:
        return [address, IPv4Address(address.packed[-4:])]
    return [address.ipv4_mapped or address.sixtofour or address]


def _is_site_local(address: IPv4Address | IPv6Address) -> bool:
    """fec0::/10, the private addresses before fc00::/7: Python calls them global."""
    return isinstance(address, IPv6Address) and address.is_site_local


def addresses(host: str, port: int, networks: Sequence[Network], seconds: float = 20.0) -> list[str]:
    """The addresses of `host` that may be reached, known within `seconds`. Raises ConnectorRefused when none may,
    OSError as DNS does."""
    found = [str(entry[4][0]) for entry in look_up(host, port, seconds)]
    allowed = [one for one in dict.fromkeys(found) if is_allowed(ip_address(one.split("%")[0]), networks)]
    if not allowed:
        name = f"{host} is a" if host == found[0] else f"{host} is {found[0]}, a"
        raise ConnectorRefused(f"{name} private address. If you mean it, add allow_networks: [{found[0]}]")
    return allowed


class GuardedAdapter(HTTPAdapter):
    """The transport of requests, held to public addresses and `networks`, and to the time that is `left`.

    `left` gives seconds, and raises when there are none.
    """

    def __init__(self, networks: Sequence[Network], left: Callable[[], float]) -> None:
        self._networks = tuple(networks)
        self._left = left
        self._pools: dict[tuple[str, str, bool | str | None], ConnectionPool] = {}
        super().__init__(max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        left = staticmethod(self._left)
        attributes = {
            "networks": self._networks,
            "left": left,
            "response_class": type("TimedResponse", (_Timed,), {"left": left}),
        }
        plain = type("GuardedHTTP", (_Guarded, HTTPConnection), attributes)
        secure = type("GuardedHTTPS", (_Guarded, HTTPSConnection), attributes)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        # urllib3 makes a key of all its settings for every request. Here only these differ.
        parts = urlsplit(request.url or "")
        key = (parts.scheme, parts.netloc, verify)
        if key not in self._pools:
            self._pools[key] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self._pools[key]


class _Guarded:
    """Mixed into urllib3's connections: where they open a socket and where they write to it."""

    networks: Sequence[Network]
    left: Callable[[], float]

    def _new_conn(self: Any) -> socket.socket:
        name = self._dns_host
        try:
            candidates = addresses(name, self.port, self.networks, self.left())
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        try:
            for position, candidate in enumerate(candidates):
                self._dns_host = candidate
                self.timeout = min(self.timeout, self.left())
                try:
                    return super()._new_conn()  # type: ignore[misc, no-any-return]  # urllib3's
                except ConnectTimeoutError:  # or NewConnectionError, which is one of them
                    if position == len(candidates) - 1:
                        raise
        finally:
            self._dns_host = name  # TLS checks the certificate against the name
        raise AssertionError("addresses() gave none")

    def send(self: Any, data: Any) -> None:
        # Else it would be the time-out of connecting, or, when the connection was kept, of the last answer.
        if self.sock:
            self.sock.settimeout(self.left())
        super().send(data)  # type: ignore[misc]  # http.client's


class _Timed(HTTPResponse):
    """An answer whose head and body are read in the time that is left."""

    left: Callable[[], float]

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Stream(sock, self.fp.detach(), self.left))


class _Stream(RawIOBase):
    """The bytes of a socket; each read waits as long as the socket's time-out and what is `left` allow."""

    def __init__(self, sock: socket.socket, raw: RawIOBase, left: Callable[[], float]) -> None:
        self._socket, self._raw, self._left = sock, raw, left
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._left()
        self._socket.settimeout(left if self._patience is None else min(self._patience, left))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._socket.settimeout(self._patience)  # the next request may come over the same socket

    def close(self) -> None:
        self._raw.close()
        super().close()
