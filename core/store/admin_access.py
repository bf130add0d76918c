"""Who may use the dashboard: the password's hash, the secret that signs its cookies, logged-out sessions, and links
that log in once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key


class Access(Base):
    """Every method raises StoreUnavailable when the server does not answer."""

    def secret(self) -> str:
        """What signs the dashboard's cookies, the same for all processes; made when it is asked for first. With
        encryption keys, what is kept of it signs nothing without them."""
        with errors():
            found = self._redis.hget(key("admin"), "secret")
            if found is None:
                self._redis.hsetnx(key("admin"), "secret", _new_secret())
                found = self._redis.hget(key("admin"), "secret")
        return self._vault.derived("cookies", found.decode())

    def password(self) -> str:
        """The password's hash, or "". Raises StoreUnsafe when it was sealed with a key that is not there."""
        with errors():
            found = self._redis.hget(key("admin"), "password")
        return self._vault.open(found).decode() if found else ""

    def seal_anew(self) -> None:
        """Seal the password's hash with the first key of today: it was kept before there were keys, or its own is about
        to be taken away."""
        with errors():
            found = self._redis.hget(key("admin"), "password")
            if found and self._vault.would_seal_anew(found):
                sealed = self._vault.seal(self._vault.open(found))
                # Unless it was set meanwhile.
                self._run("reword", what="admin", name="", words=found, others=sealed)

    def set_password(self, hashed: str) -> None:
        """Replace the password, and with it the secret: every session ends, and what leaked of the old is worth
        nothing."""
        with errors():
            sealed = self._vault.seal(hashed.encode())
            self._redis.hset(key("admin"), mapping={"password": sealed, "secret": _new_secret()})

    def set_first_password(self, hashed: str) -> bool:
        """Set the password if there is none. False: there is one."""
        with errors():
            return bool(self._redis.hsetnx(key("admin"), "password", self._vault.seal(hashed.encode())))

    def first_steps_are_over(self) -> bool:
        """Whether the first steps are done, or nobody wants to see them."""
        with errors():
            return bool(self._redis.hexists(key("admin"), "first-steps"))

    def end_first_steps(self, how: Literal["done", "hidden"]) -> None:
        with errors():
            self._redis.hset(key("admin"), "first-steps", how)

    def end(self, session: str, life_ms: int) -> None:
        """A session was logged out. `life_ms`: how long copies of its cookie would be good for."""
        with errors():
            self._redis.set(key("ended", session), "1", px=life_ms)

    def ended(self, session: str) -> bool:
        with errors():
            return bool(self._redis.exists(key("ended", session)))

    def make_login_link(self, life_ms: int) -> str:
        """The secret part of a link that logs in once, within `life_ms`, unless the password is changed before."""
        token = secrets.token_urlsafe(32)
        with errors():
            self._redis.set(key("login-link", _digest(token)), _digest(self.secret()), px=life_ms)
        return token

    def use_login_link(self, token: str) -> bool:
        """Whether this is the secret part of a link that is good; from now on it is not."""
        with errors():
            found = self._redis.getdel(key("login-link", _digest(token)))
        return found is not None and hmac.compare_digest(found, _digest(self.secret()).encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _new_secret() -> str:
    return secrets.token_urlsafe(32)
