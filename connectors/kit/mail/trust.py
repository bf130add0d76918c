"""Who may vouch for a mail server: the authorities that connectors trust."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

import certifi


def trusted() -> ssl.SSLContext:
    """TLS whose certificates are checked, with the name in them. Raises OSError."""
    place = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()
    return _context(place, Path(place).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _context(place: str, _changed: int) -> ssl.SSLContext:
    """One for all, until the file changes: to read it takes 10 ms."""
    folder = Path(place).is_dir()
    return ssl.create_default_context(cafile=None if folder else place, capath=place if folder else None)
