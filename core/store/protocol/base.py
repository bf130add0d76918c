"""What all that speak to the store share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis.exceptions import RedisError

from core.errors import StoreUnavailable
from core.store.connection.client import Client, errors
from core.store.protocol import scripts
from core.store.protocol.scripts import Argument


class Base:
    """`clock` gives milliseconds and is for tests; without it the server's own is used, one for all machines."""

    def __init__(self, client: Client, clock: Callable[[], int] | None = None) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._vault = client.vault
        #: For whatever makes something due: no caller has to.
        self._wake_up = client.wake_up
        self._clock = clock

    def now(self) -> int:
        """Ms. Raises StoreUnavailable."""
        if self._clock:
            return self._clock()
        with errors():
            seconds, micros = self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def _run(self, script: str, /, **arguments: Argument) -> Any:
        """Run a script (scripts.py), which is given the time if it asks for it."""
        with errors():
            return scripts.run_script(self._redis, script, **self._timed(script, arguments))

    def _run_each(self, script: str, calls: Iterable[Mapping[str, Argument]]) -> list[Any]:
        with errors():
            return scripts.run_each(self._redis, script, [self._timed(script, one) for one in calls])

    def _try_each(self, script: str, calls: Iterable[Mapping[str, Argument]]) -> list[Any]:
        """The same, with StoreUnavailable in place of the reply of each that the server did not take."""
        with errors():
            found = scripts.try_each(self._redis, script, [self._timed(script, one) for one in calls])
        return [_unavailable(one) if isinstance(one, RedisError) else one for one in found]

    def _timed(self, script: str, arguments: Mapping[str, Argument]) -> Mapping[str, Argument]:
        if "now" not in scripts.script(script).arguments:
            return arguments
        return {"now": str(self._clock()) if self._clock else "", **arguments}

    def _sealed(self, text: str) -> bytes:
        """What may quote a visitor; nothing stays nothing."""
        return self._vault.seal(text.encode()) if text else b""


def _unavailable(error: RedisError) -> StoreUnavailable:
    """Raises what is a mistake of our own."""
    try:
        with errors():
            raise error
    except StoreUnavailable as unavailable:
        return unavailable
