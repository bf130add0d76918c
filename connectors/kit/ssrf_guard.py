"""Where a connector may connect to.

No loopback, private or link-local address unless the config allows its network. Checked when the connection is made,
on the address that DNS gave for it, so that no answer of a name server that changes its mind leads inside.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from urllib3.util import connection

from connectors.kit.resolver import look_up
from core.config.environment import Network
from core.errors import ConnectorRefused

#: A request is written at once, not when the answer to the one before it has been acknowledged.
_OPTIONS: list[tuple[int, int, int | bytes]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

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


def connect_guarded(
    host: str, port: int, networks: Sequence[Network], left: Callable[[], float], seconds: float
) -> socket.socket:
    """A connection to an address of `host` that may be reached, the next one where one does not answer within
    `seconds`. `left` gives the seconds that the attempt has, and raises when there are none.

    Raises ConnectorRefused, and OSError as DNS and the system do.
    """
    *others, last = addresses(host, port, networks, left())
    for address in others:
        with suppress(OSError):
            return _connected(address, port, min(seconds, left()))
    return _connected(last, port, min(seconds, left()))


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    return connection.create_connection((address, port), seconds, socket_options=_OPTIONS)
