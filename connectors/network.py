"""Where a connector may connect to: no loopback, private or link-local address unless the config allows its network.

Checked when the connection is made, on the address that DNS gave for it, so that no answer of a name server that
changes its mind leads inside.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from core.errors import ConnectorRefused

Network = IPv4Network | IPv6Network


def is_allowed(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Whether an address may be reached: any public one, and what lies in `networks`."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_global and not address.is_multicast:
        return True
    return any(address.version == network.version and address in network for network in networks)


def addresses(host: str, port: int, networks: Sequence[Network]) -> list[str]:
    """The addresses of `host` that may be reached. Raises ConnectorRefused when none may, OSError as DNS does."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    allowed = [one for one in dict.fromkeys(found) if is_allowed(ip_address(one.split("%")[0]), networks)]
    if not allowed:
        raise ConnectorRefused(
            f"{host} is {found[0]}, which is not a public address; if it is meant, add it to allow_networks"
            f" (allow_networks: [{found[0]}])"
        )
    return allowed


class GuardedAdapter(HTTPAdapter):
    """The transport of requests, held to public addresses and `networks`."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        super().__init__(max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        attributes = {"networks": self._networks}
        plain = type("GuardedHTTP", (_Guarded, HTTPConnection), attributes)
        secure = type("GuardedHTTPS", (_Guarded, HTTPSConnection), attributes)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class _Guarded:
    """Mixed into urllib3's connections: the one place where they open a socket."""

    networks: Sequence[Network] = ()

    def _new_conn(self: Any) -> socket.socket:
        name = self._dns_host
        try:
            candidates = addresses(name, self.port, self.networks)
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        try:
            for position, candidate in enumerate(candidates):
                self._dns_host = candidate
                try:
                    return super()._new_conn()  # type: ignore[misc, no-any-return]  # urllib3's
                except NewConnectionError:
                    if position == len(candidates) - 1:
                        raise
        finally:
            self._dns_host = name  # TLS checks the certificate against the name
        raise AssertionError("addresses() gave none")
