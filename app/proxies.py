"""Who is at the other end, when reverse proxies stand between: their headers count only where they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from core.config.environment import Network


@dataclass(frozen=True)
class Proxies:
    """`networks` are the trusted proxies' own, `user_header` the header in which they say who has signed in there, or
    "". Every method takes a WSGI environ."""

    networks: Sequence[Network]
    user_header: str = ""

    def client(self, environ: Mapping[str, Any]) -> str:
        """The address that the request came from: the last one that no trusted proxy has."""
        address = str(environ.get("REMOTE_ADDR", ""))
        for hop in reversed(_listed(environ, "X-Forwarded-For")):
            if not self.trusts(address):
                break
            if address_of(hop) is None:  # what stands before it cannot be believed either
                break
            address = hop
        return address

    def secure(self, environ: Mapping[str, Any]) -> bool:
        """Whether the browser spoke TLS."""
        if self.trusts(str(environ.get("REMOTE_ADDR", ""))) and (said := _listed(environ, "X-Forwarded-Proto")):
            return said[-1].lower() == "https"
        return environ.get("wsgi.url_scheme") == "https"

    def user(self, environ: Mapping[str, Any]) -> str:
        """Who has signed in at the proxy, or ""."""
        if not self.user_header or not self.trusts(str(environ.get("REMOTE_ADDR", ""))):
            return ""
        name = str(environ.get(_variable(self.user_header), "")).strip()
        # The bytes of a header come as Latin-1.
        return name.encode("latin-1", "replace").decode("utf-8", "replace")[:200]

    def trusts(self, text: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        address = address_of(text)
        return address is not None and any(address in network for network in self.networks)


def network_of(address: str) -> str:
    """What one user can hold: an IPv4 address, or a /64 of IPv6."""
    found = address_of(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, 64), strict=False))
    return str(found) if found else "unknown"


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also in brackets; an IPv4 one that a listener for both spells as IPv6 is IPv4. None: it is none."""
    try:
        found = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _listed(environ: Mapping[str, Any], header: str) -> list[str]:
    return [part.strip() for part in str(environ.get(_variable(header), "")).split(",") if part.strip()]


def _variable(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
