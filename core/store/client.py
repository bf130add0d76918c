"""The connection to Redis, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)
from redis.retry import Retry

from core.environment import Environment
from core.errors import StoreUnavailable
from core.store.vault import Vault

# Half-open connections are noticed after about 12 s only with all of these (docs/adr/0001).
TIMEOUTS: dict[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
}

# What a server says that cannot take a write at this moment, but may soon.
_PASSING = ("MISCONF", "NOREPLICAS", "LOADING", "OOM", "READONLY", "MASTERDOWN", "UNKILLABLE", "BUSY")


class Client(redis.Redis):
    """A connection to the server, with the keys to what it holds."""

    vault = Vault()


def connect(url: str, *, patient: bool = False, keys: Sequence[str] = ()) -> Client:
    """A client with its own pool. Nothing is sent until the first command. `keys` seal and open (vault.py).

    A `patient` one tries a connection that is refused or breaks again for about two seconds, which is how long a
    server takes to restart: it is the receiver's, because Smartsupp may never send a body twice. Workers are not
    patient; they come back by themselves, and must know when a reply was lost. A time-out is never tried again.
    """
    timeouts = dict(TIMEOUTS)
    if url.startswith("unix://"):
        del timeouts["socket_keepalive"]
    retries = 6 if patient else 0
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries, supported_errors=(RedisConnectionError,))
    client = cast(Client, Client.from_url(url, retry=retry, **timeouts))
    client.vault = Vault(keys)
    return client


def connected(env: Environment, *, patient: bool = False) -> Client:
    """The client of this process."""
    return connect(env.server_url, patient=patient, keys=env.encryption_keys)


@contextmanager
def errors() -> Iterator[None]:
    """Turn what redis-py raises into StoreUnavailable. A mistake of our own, such as a broken script, stays."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError) as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
    except ResponseError as error:
        if str(error).startswith(_PASSING):
            raise StoreUnavailable(str(error)) from error
        raise
    except RedisError as error:
        raise StoreUnavailable(str(error)) from error
