"""A connector's secrets, to be taken out of whatever is kept or shown."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from pydantic import BaseModel, SecretStr

MASK = "**********"
#: So many that came while it ran are known at once. An access token is used for minutes.
LEARNED = 40


class Secrets:
    """Those in the settings, and what is learned: tokens that a vendor gave. Threads share it."""

    def __init__(self, settings: BaseModel) -> None:
        self._own = _sorted(spelled for secret in _declared(settings) for spelled in _parts(secret))
        self._learned: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Tells two settings apart that differ in their secrets alone."""
        return hashlib.sha256("\0".join(self._own).encode()).hexdigest()

    def learn(self, secret: str) -> None:
        if secret not in self._learned:
            self._learned = (secret, *self._learned[: LEARNED - 1])

    def mask(self, text: str) -> str:
        for secret in self._own:
            text = text.replace(secret, MASK)
        for secret in self._learned:
            for spelled in _spellings(secret):
                text = text.replace(spelled, MASK)
        return text


def _sorted(secrets: Iterator[str]) -> tuple[str, ...]:
    """The longest first: one may be part of another."""
    return tuple(sorted(dict.fromkeys(secrets), key=len, reverse=True))


def _declared(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _declared(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _declared(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _declared(item)


def _parts(secret: str) -> Iterator[str]:
    """A secret; and of one that is an address, what is secret in it: it is called with another path, or shown without
    its query."""
    yield from _spellings(secret)
    if "://" in secret:
        parts = urlsplit(secret)
        pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.password or ""]
        for piece in pieces:
            # Words such as "services" are none.
            if len(piece) >= 8 and re.search(r"\d", piece):
                yield from _spellings(piece)


def _spellings(secret: str) -> Iterator[str]:
    """As it is, and as JSON and URLs may spell it."""
    if len(secret) >= 4:
        spelled = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        # PHP writes \/ for a slash.
        slashed = {text.replace("/", "\\/") for text in spelled}
        yield from {secret, *spelled, *slashed, quote(secret, safe=""), quote_plus(secret)}
