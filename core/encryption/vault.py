"""Encryption at rest: what is kept of conversations, and the secrets of relay.yaml, is sealed with Fernet, when there
are keys.

Sealed are bodies and attempts, with what was sent and answered in them, and what is wrong with bodies and deliveries:
whatever a visitor wrote; and the hash of the dashboard's password. Not sealed are ids, times, statuses, flags, ratings,
sizes, names of connectors, references to records, why a connector is paused, the filters of bulk jobs, and reasons that
admins give. Summaries are kept without name, e-mail and words. What signs the dashboard's cookies is made of a kept
text and a key. A body that was kept before there were keys stays as it is.

Bodies and attempts are made smaller before that, where it is wished (compression.py). Whether they are or not, what is
kept can be read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from core.encryption.compression import compressed, expanded
from core.errors import StoreUnsafe

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

#: Stands before what is not kept as it came; no text begins with it.
_MARK = b"\x00relay:"
#: Bytes that hashlib digests without letting go of Python's lock.
_SMALL = 2_047
_SEALED, _PLAIN = _MARK + b"fernet:", _MARK + b"plain:"
#: Deflated, with the first dictionary. Inside of what is sealed, too.
_DEFLATED = _MARK + b"deflate1:"


def _unmarked(text: bytes) -> bytes:
    if text.startswith(_PLAIN):
        return text[len(_PLAIN) :]
    if text.startswith(_DEFLATED):
        with suppress(ValueError):  # versions without compression sealed a body as it came, with whatever it begins
            return expanded(text[len(_DEFLATED) :])
    return text


class Vault:
    """`keys` are Fernet keys; the first one seals, all of them open, so that one can be replaced. Without any, things
    are kept as they are. With `compress` what is long is made smaller. Raises ValueError for a key that is none."""

    def __init__(self, keys: Sequence[str] = (), *, compress: bool = False) -> None:
        self._compress = compress
        self._fernet: MultiFernet | None = None
        self._newest: Fernet | None = None
        if keys:
            from cryptography.fernet import Fernet, MultiFernet

            self._fernet, self._newest = MultiFernet([Fernet(key) for key in keys]), Fernet(keys[0])
        # An equal body has an equal digest, whichever key seals it. The oldest key stays the longest.
        self._secret = keys[-1].encode() if keys else b""

    @property
    def seals(self) -> bool:
        return self._fernet is not None

    def seal(self, text: bytes) -> bytes:
        return self._sealed(_PLAIN + text if text.startswith(_MARK) else text)

    def seal_small(self, text: bytes) -> bytes:
        """The same of what may be long, and smaller, where that is wished."""
        made = compressed(text) if self._compress else None
        return self.seal(text) if made is None else self._sealed(_DEFLATED + made)

    def _sealed(self, marked: bytes) -> bytes:
        return _SEALED + self._fernet.encrypt(marked) if self._fernet else marked

    def open(self, kept: bytes) -> bytes:
        """Raises StoreUnsafe when it was sealed with a key that is not there."""
        if not kept.startswith(_MARK):
            return kept
        if not kept.startswith(_SEALED):
            return _unmarked(kept)
        if self._fernet:
            from cryptography.fernet import InvalidToken

            with suppress(InvalidToken):
                return _unmarked(self._fernet.decrypt(kept[len(_SEALED) :]))
        raise StoreUnsafe(
            "this was encrypted with a key that is not in RELAY_ENCRYPTION_KEYS; put it back, as the last one"
        )

    def would_seal_anew(self, kept: bytes) -> bool:
        """Whether today's first key did not seal this: it stands open, or would be lost with an older key."""
        if self._newest is None:
            return False
        from cryptography.fernet import InvalidToken

        try:
            self._newest.decrypt(kept[len(_SEALED) :])
        except InvalidToken:
            return True
        return not kept.startswith(_SEALED)

    def derived(self, purpose: str, text: str) -> str:
        """A secret that only whoever has the keys can make of a text; without keys the text itself. Replacing a key
        keeps it until the oldest one is taken away."""
        if not self._secret:
            return text
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()

    def digest(self, account: str, body: bytes) -> str:
        """What tells a body that is known. With keys it tells nothing to whoever has only the store."""
        found = hmac.new(self._secret, digestmod=hashlib.sha256) if self._secret else hashlib.sha256()
        found.update(account.encode() + b"\0")
        # In small parts: at a longer one another thread goes first, which takes far longer than the digest.
        for start in range(0, len(body), _SMALL):
            found.update(body[start : start + _SMALL])
        # 128 bits, in 22 characters: it stands in the store twice for every body.
        return base64.urlsafe_b64encode(found.digest()[:16]).decode().rstrip("=")
