"""What a worker holds of the store: items that are its own for a while, and what it asks for and says about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.identity import fresh


@dataclass(frozen=True)
class Limits:
    """Of a connector, over all workers: deliveries `at_once`, and requests a second. None: no limit."""

    at_once: int | None = None
    rate: float | None = None

    def spelled(self) -> tuple[str, str]:
        """As the scripts take them."""
        return "" if self.at_once is None else str(self.at_once), "" if self.rate is None else str(self.rate)


UNLIMITED = Limits()


@dataclass(frozen=True)
class Claim:
    """An item that is ours until its lease runs out. For the inbox `id` is the payload's, and `revision` is 0.

    `crashes` is how many processes died on it; `more` asks for one more knock: there is more work than hands.
    `tries` have failed in the present series, with `waited` ms between them, as these were asked for.
    With `trouble` the body cannot be opened, and is empty. `paid`: requests that its connector's rate was charged.
    """

    lane: str
    id: str
    token: str
    crashes: int
    more: bool
    payload: str
    account: str
    received: int
    body: bytes = field(repr=False)
    trouble: str = ""
    conversation: str = ""
    revision: int = 0
    tries: int = 0
    waited: int = 0
    paid: float = 0
    steps: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Reading:
    """What a claimed body turned out to be, and where it goes."""

    claim: Claim
    conversation: str
    connectors: tuple[str, ...]
    note: str = ""
    summary: bytes = field(default=b"", repr=False)


@dataclass
class Next:
    """Asks for the next of the same lane in the journey that ends this one: half as many waits for the disk.

    `wanted` is asked at that moment. Afterwards `claims` are those that were due: one, or of bodies up to BATCH.
    `tokens` are those that were asked with; only the last one is `answered`, if any. `disown` the others.
    """

    limits: Limits
    wanted: Callable[[], bool]
    claims: Sequence[Claim] = ()
    answered: bool = False
    tokens: list[str] = field(default_factory=list)

    def token(self) -> str:
        """A new one, or "" when none is wanted."""
        if not self.wanted():
            return ""
        self.tokens.append(fresh())
        return self.tokens[-1]

    def answer(self, claims: Sequence[Claim]) -> None:
        self.claims, self.answered = claims, True
