"""Where bodies may come from, and how often somebody may guess a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.proxies import Network, Proxies, address_of, network_of
from core.errors import StoreUnavailable
from core.store import Access

#: Wrong tokens that one source may send at once, and how many more a second.
GUESSES, PER_SECOND = 20, 0.2


class Sources:
    """`allowed` are the networks that may post; empty: all. Every method takes a WSGI environ."""

    def __init__(self, proxies: Proxies, allowed: Sequence[Network], access: Access) -> None:
        self._proxies, self._allowed, self._access = proxies, allowed, access

    def admits(self, environ: Mapping[str, Any]) -> bool:
        if not self._allowed:
            return True
        address = address_of(self._proxies.client(environ))
        return address is not None and any(address in network for network in self._allowed)

    def guessed(self, environ: Mapping[str, Any]) -> int:
        """Note a wrong token. Returns 0, or the seconds that its sender had better wait."""
        try:
            wait = self._access.take(f"tokens:{network_of(self._proxies.client(environ))}", GUESSES, PER_SECOND)
        except StoreUnavailable:
            return 0
        return -(-wait // 1000)
