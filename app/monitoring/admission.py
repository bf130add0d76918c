"""Who may read more than a stranger: `/metrics`, and the details of `/readyz`."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import request

from app.proxies import address_of

#: What proxies add. One that adds nothing speaks HTTP/1.0 by default (nginx), or passes the public Host on.
_OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
_PRIVATE_NAMES = ("localhost", "local", "internal", "lan", "home.arpa", "svc", "svc.cluster.local")


class Admission:
    """With a `token`, whoever shows it as bearer. Without one, whoever asks from this machine or a private network,
    straight and by a private name, as long as `public_url` names no address that strangers can reach."""

    def __init__(self, token: str, public_url: str) -> None:
        self._token = token
        self._published = bool(public_url) and not _is_private(urlsplit(public_url).hostname or "")

    def admits(self) -> bool:
        if self._token:
            shown = request.headers.get("Authorization", "").encode()
            return hmac.compare_digest(shown, f"Bearer {self._token}".encode())
        if self._published or _passed_on(request.headers.keys()):
            return False
        peer = address_of(request.remote_addr or "")
        near = peer is not None and (peer.is_loopback or peer.is_private)
        return near and _is_private(urlsplit(f"//{request.headers.get('Host', '')}").hostname or "")


def _passed_on(headers: Iterable[str]) -> bool:
    named = {name.lower() for name in headers}
    return request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0" or any(one.lower() in named for one in _OF_PROXIES)


def _is_private(host: str) -> bool:
    """Whether a name or an address means something in a private network only. A name without a dot is a neighbour's."""
    if address := address_of(host):
        return address.is_loopback or address.is_private
    return bool(host) and ("." not in host or host.rstrip(".").endswith(tuple(f".{one}" for one in _PRIVATE_NAMES)))
