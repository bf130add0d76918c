"""Who may use the dashboard: the password's hash, the secret that signs its cookies, logged-out sessions, and token
buckets that all processes share."""

from __future__ import annotations

import secrets
from typing import Any

import redis

from core.store import scripts
from core.store.client import errors
from core.store.keys import key


class Access:
    """Every method raises StoreUnavailable when the server does not answer. `clock` gives milliseconds, for tests."""

    def __init__(self, client: redis.Redis, clock: Any = None) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._clock = clock

    def secret(self) -> str:
        """What signs the dashboard's cookies, the same for all processes; made when it is asked for first."""
        with errors():
            found = self._redis.hget(key("admin"), "secret")
            if found is None:
                self._redis.hsetnx(key("admin"), "secret", _new_secret())
                found = self._redis.hget(key("admin"), "secret")
        return str(found.decode())

    def password(self) -> str:
        """The password's hash, or ""."""
        with errors():
            found = self._redis.hget(key("admin"), "password")
        return found.decode() if found else ""

    def set_password(self, hashed: str) -> None:
        """Replace the password, and with it the secret: every session ends, and what leaked of the old is worth
        nothing."""
        with errors():
            self._redis.hset(key("admin"), mapping={"password": hashed, "secret": _new_secret()})

    def set_first_password(self, hashed: str) -> bool:
        """Set the password if there is none. False: there is one."""
        with errors():
            return bool(self._redis.hsetnx(key("admin"), "password", hashed))

    def end(self, session: str, life_ms: int) -> None:
        """A session was logged out. `life_ms`: how long copies of its cookie would be good for."""
        with errors():
            self._redis.set(key("ended", session), "1", px=life_ms)

    def ended(self, session: str) -> bool:
        with errors():
            return bool(self._redis.exists(key("ended", session)))

    def take(self, bucket: str, capacity: float, per_second: float, cost: float = 1) -> int:
        """Take `cost` tokens from a bucket that holds `capacity` and is refilled steadily. Returns 0, or the
        milliseconds after which they can be had; then nothing was taken."""
        if not 0 < cost <= capacity or per_second <= 0:
            raise ValueError("a bucket must be able to hold and to refill what is taken from it")
        now = self._clock() if self._clock else ""
        with errors():
            return int(scripts.run(self._redis, "take", now, bucket, str(capacity), str(per_second), str(cost)))

    def refill(self, bucket: str) -> None:
        with errors():
            self._redis.delete(key("bucket", bucket))


def _new_secret() -> str:
    return secrets.token_urlsafe(32)
