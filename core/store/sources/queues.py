"""What waits to be fetched from Smartsupp's API, and why, for people. Only reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.config.settings import Settings
from core.store.ledger import Ledger
from core.store.sources.orders import source_lane
from core.wording.sentence import say, say_n

#: A chat that was tried so often is worth a word.
_FAILING = 2
#: What to do where the API gives nothing, and where it does not give certain chats.
EACH_REMEDY = say("Nothing is lost: each is tried again, less and less often. Correct what the error names")
REMEDY = say(
    "Nothing is lost: it is tried at least every ten minutes. To see what the API says, run: relay source check"
)


@dataclass(frozen=True)
class FetchQueue:
    """Of one account in `source`: how many chats are to be fetched, of these `due` now, the oldest since `oldest_due`
    ms; and since when (ms) the API gives none, and why; 0 and "" where it does. `rejected`: the token is. `failing`
    chats could not be fetched again and again, for an `error` of their own."""

    name: str
    waiting: int
    due: int
    oldest_due: int
    since: int = 0
    reason: str = ""
    rejected: bool = False
    next_test: int | None = None
    failing: int = 0
    error: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, or ""."""
        if not self.since:
            last = say("%(what)s. Last error: %(error)s.", what=self.failed, error=self.error)
            return last if self.failing else ""
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

    @property
    def failed(self) -> str:
        """Of chats of which each has an error of its own."""
        return say_n(
            "%(count)s chat could not be fetched from Smartsupp so far (%(name)s)",
            "%(count)s chats could not be fetched from Smartsupp so far (%(name)s)",
            self.failing,
            name=self.name,
        )

    @property
    def remedy(self) -> str:
        """Of what is wrong, or ""."""
        return REMEDY if self.since else EACH_REMEDY if self.failing else ""


def fetch_queues(ledger: Ledger, settings: Settings) -> Iterable[FetchQueue]:
    """One for each account with an API. Raises StoreUnavailable."""
    for name, account in settings.accounts.items():
        if account.api:
            lane = ledger.lane(source_lane(name))
            gate = lane.gate
            failed = ledger.failed_fetches(lane.name, _FAILING) if lane.waiting else []
            yield FetchQueue(
                name,
                lane.waiting,
                lane.due,
                lane.oldest_due,
                gate.since if gate else 0,
                gate.reason if gate else "",
                bool(gate and gate.by == "relay"),
                gate.until if gate else None,
                len(failed),
                failed[0].rstrip(".") if failed else "",
            )
