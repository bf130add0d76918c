"""The store's own scripts for many items at once: their calls travel together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.ids import DeliveryId, PayloadId
from core.store import Claim, Store
from core.store.connection.client import Client
from core.store.protocol import scripts

#: Calls that travel together.
TOGETHER = 2_000

#: What the scripts answer when all is well and no next item was asked for.
_NOTHING_NEXT: Mapping[str, Any] = {
    "claim": [],
    "divert": 1,
    "fan_out": [[], []],
    "settle": [[], b"", 0],
}


class Piece:
    """What the store sends together; here it goes the way of all the rest."""

    def __init__(self, piped: Pipelined) -> None:
        self._piped = piped
        self._answers: list[Any] = []

    def evalsha(self, *arguments: Any) -> None:
        self._answers.append(self._piped.evalsha(*arguments))

    def execute(self, *, raise_on_error: bool = True) -> list[Any]:  # noqa: ARG002  # the whole raises, or nothing does
        return self._answers


class Pipelined:
    """Takes the place of a client: calls of scripts are sent together, and each is answered with what it will say."""

    def __init__(self, client: Client) -> None:
        self.vault, self.wake_up = client.vault, client.wake_up
        self._pipe: Any = client.pipeline(transaction=False)
        self._names = {
            client.script_load(scripts.source(name)): name
            for name in ("accept", "claim", "divert", "fan_out", "settle")
        }
        self.made = ""

    def evalsha(self, sha: str, _: int, *arguments: Any) -> Any:
        self._pipe.evalsha(sha, 0, *arguments)
        if self._names[sha] == "accept":
            self.made = arguments[1]
            return [b"accepted", arguments[1].encode(), 0]
        return _NOTHING_NEXT[self._names[sha]]

    def pipeline(self, **_: Any) -> Piece:
        return Piece(self)

    def send(self, at_least: int = 1) -> None:
        if len(self._pipe) >= at_least:
            self._pipe.execute()


def leased(store: Store, lane: str, item: DeliveryId | str, at: int, body: bytes, payload: str = "") -> Claim:
    """What is due there is this one alone."""
    token = f"{item}/t"
    store.claim(lane, token)
    made = PayloadId(payload or item)
    return Claim(lane, item if isinstance(item, DeliveryId) else made, token, 0, False, made, "", at, body, revision=1)
