"""What waits to be fetched from Smartsupp's API, and why, for people. Only reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.config.settings import Settings
from core.store.ledger import Ledger
from core.store.sources.orders import source_lane
from core.wording.sentence import say, say_n

#: What to do, of either trouble.
REMEDY = say(
    "Nothing is lost: it is tried at least every ten minutes. To see what the API says, run: relay source check"
)


@dataclass(frozen=True)
class FetchQueue:
    """Of one account in `source`: how many chats are to be fetched, of these `due` now, the oldest since `oldest_due`
    ms; and since when (ms) the API gives none, and why; 0 and "" where it does. `rejected`: the token is."""

    name: str
    waiting: int
    due: int
    oldest_due: int
    since: int = 0
    reason: str = ""
    rejected: bool = False
    next_test: int | None = None

    @property
    def sentence(self) -> str:
        """What is wrong, or ""."""
        if not self.since:
            return ""
        if self.rejected:
            return say_n(
                "Smartsupp's API rejects the token, so %(count)s chat waits to be fetched: %(reason)s",
                "Smartsupp's API rejects the token, so %(count)s chats wait to be fetched: %(reason)s",
                self.waiting,
                reason=self.reason,
            )
        return say_n(
            "Smartsupp's API is not responding, so %(count)s chat waits to be fetched: %(reason)s",
            "Smartsupp's API is not responding, so %(count)s chats wait to be fetched: %(reason)s",
            self.waiting,
            reason=self.reason,
        )


def fetch_queues(ledger: Ledger, settings: Settings) -> Iterable[FetchQueue]:
    """One for each account with an API. Raises StoreUnavailable."""
    for name, account in settings.accounts.items():
        if account.api:
            lane = ledger.lane(source_lane(name))
            gate = lane.gate
            yield FetchQueue(
                name,
                lane.waiting,
                lane.due,
                lane.oldest_due,
                gate.since if gate else 0,
                gate.reason if gate else "",
                bool(gate and gate.by == "relay"),
                gate.until if gate else None,
            )
