"""The connection to Redis, and its errors as ours."""

from __future__ import annotations

import errno
import re
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

from core.config.environment import Environment
from core.config.redis_url import Address, parse_redis_url
from core.encryption import Vault
from core.errors import StoreLoading, StoreUnavailable
from core.store.connection.pool import Pool

# Half-open connections are noticed after about 12 s only with all of these (docs/adr/0001).
TIMEOUTS: dict[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
}

# What a server says that cannot take a write at this moment, but may soon.
_PASSING = ("MISCONF", "NOREPLICAS", "LOADING", "OOM", "READONLY", "MASTERDOWN", "UNKILLABLE", "BUSY")


class Managed(SentinelManagedConnection):
    """To the server that the Sentinels name. redis-py's own stays open after a time-out: it takes the late reply for
    that of the next command, and never asks for the new primary (https://github.com/redis/redis-py/pull/4292)."""

    def read_response(
        self, disable_decoding: Any = False, *, disconnect_on_error: bool | None = True, **options: Any
    ) -> Any:
        return super().read_response(disable_decoding, disconnect_on_error=disconnect_on_error, **options)


class ManagedTls(Managed, redis.SSLConnection):
    pass


class Ours(redis.UnixDomainSocketConnection):
    """To the embedded server, whose socket may be in a folder that others can write to: whoever listens there must be
    the owner of the data folder, or root."""

    def __init__(self, *, owner: int, **options: Any) -> None:
        self._owner = owner
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        made = cast(socket.socket, super()._connect())  # type: ignore[no-untyped-call]
        if hasattr(socket, "SO_PEERCRED"):
            _, user, _ = struct.unpack("3i", made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if user not in (self._owner, 0):
                made.close()
                raise RedisConnectionError(f"{self.path} belongs to user {user}, not to the owner of the data folder")
        return made


#: Tells the workers that a lane has work. It never raises: a tick makes up for a wake-up that is lost.
WakeUp = Callable[[str], None]


def to_nobody(_lane: str) -> None:
    """The WakeUp of whoever has no workers."""


def cannot_wake(lane: str) -> None:
    """The WakeUp of a client that is for reading. Raises RuntimeError: what is due would wait for the next tick."""
    raise RuntimeError(f"lane '{lane}' has work, and this client was made without a way to wake the workers")


class Client(redis.Redis):
    """A connection to the server, with the keys to what it holds, and the way to wake those who work on it."""

    vault = Vault()
    wake_up: WakeUp = staticmethod(to_nobody)


def connect(
    url: str,
    *,
    patient: bool = False,
    keys: Sequence[str] = (),
    owner: int | None = None,
    wake_up: WakeUp = to_nobody,
    compress: bool = False,
) -> Client:
    """A client with its own pool. Nothing is sent until the first command. `keys` seal and open (encryption.py); where
    an `owner` is given, a socket must be that user's. `wake_up` is called by what makes something due. With `compress`
    bodies are kept smaller.

    A `patient` one tries a connection that is refused or breaks again for about two seconds, which is how long a
    server takes to restart: it is the receiver's, because Smartsupp may never send a body twice. Workers are not
    patient; they come back by themselves, and must know when a reply was lost. A time-out is never tried again.
    """
    retries = 6 if patient else 0
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries, supported_errors=(RedisConnectionError,))
    client = cast(Client, Client.from_pool(_pool(parse_redis_url(url), {**TIMEOUTS, "retry": retry}, owner)))
    client.vault = Vault(keys, compress=compress)
    client.wake_up = wake_up
    return client


def _pool(address: Address, options: dict[str, Any], owner: int | None) -> redis.ConnectionPool:
    options |= {"username": address.username, "password": address.password, "db": address.database, **address.files}
    if address.path:
        del options["socket_keepalive"]
        if owner is None:
            return Pool(redis.UnixDomainSocketConnection, path=address.path, **options)
        return Pool(Ours, path=address.path, owner=owner, **options)
    if not address.service:
        kind = redis.SSLConnection if address.tls else redis.Connection
        host, port = address.hosts[0]
        return Pool(kind, host=host, port=port, **options)
    # Each new connection asks the Sentinels where the server is now.
    sentinels = Sentinel(address.hosts, sentinel_kwargs=sentinel_options(address))  # type: ignore[no-untyped-call]
    options["connection_class"] = ManagedTls if address.tls else Managed
    return SentinelConnectionPool(address.service, sentinels, **options)  # type: ignore[no-untyped-call]


def sentinel_options(address: Address) -> dict[str, Any]:
    """How Sentinels are spoken to, as redis.Redis wants it: they answer at once, or there are others to ask."""
    who = {"username": address.sentinel_username, "password": address.sentinel_password}
    tls = {"ssl": True, **address.files} if address.tls else {}
    soon = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)}
    return {**who, **tls, **soon}


def connected(env: Environment, *, patient: bool = False, wake_up: WakeUp = cannot_wake) -> Client:
    """The client of this process. Whoever makes something due with it says how to wake the workers
    (workers.celery.waker)."""
    owner = None
    if env.embedded:
        with suppress(OSError):  # it is not there yet, and nobody listens
            owner = (env.data_dir / "valkey").stat().st_uid
    keys = [key.get_secret_value() for key in env.encryption_keys]
    return connect(
        env.server_url,
        patient=patient,
        keys=keys,
        owner=owner,
        wake_up=wake_up,
        compress=env.compress,
    )


@contextmanager
def errors() -> Iterator[None]:
    """Turn what redis-py raises into StoreUnavailable. A mistake of our own, such as a broken script, stays."""
    try:
        yield
    except BusyLoadingError as error:
        raise StoreLoading from error
    except (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError) as error:
        raise StoreUnavailable(_said(error)) from error
    except ResponseError as error:
        if str(error).startswith(_PASSING):
            raise StoreUnavailable(str(error)) from error
        raise
    except RedisError as error:
        raise StoreUnavailable(str(error)) from error


#: What the system says of a connection to the store that failed -> the sentence.
_ERRNO = {
    errno.ECONNREFUSED: "it refused the connection; check that it is running",
    errno.ENOENT: "its socket does not exist; check that it is running",
    errno.EACCES: "permission denied for the relay's user",
    errno.ECONNRESET: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.EHOSTUNREACH: "its address cannot be reached",
    errno.ENETUNREACH: "its address cannot be reached",
    errno.ETIMEDOUT: "no response in time",
}


def _said(error: RedisError) -> str:
    """Why the store did not respond, in plain words where there are any; redis-py's own have numbers in them."""
    text = str(error) or type(error).__name__
    cause = error.__cause__ or error.__context__
    found = re.match(r"Error -?\d+ connecting to (.+?)\. ", text)
    place = f" ({found[1]})" if found else ""
    if isinstance(error, RedisTimeoutError):
        return "no response in time"
    if isinstance(cause, socket.gaierror):
        return f"the name in its address does not exist in DNS{place}"
    if isinstance(cause, OSError) and cause.errno in _ERRNO:
        return _ERRNO[cause.errno] + place
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"its certificate is not trusted: name its authority's file in RELAY_REDIS_URL (?ssl_ca_certs=…). {text}"
    return text
