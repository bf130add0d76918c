"""The tree of errors. The class of an error is the recovery.

RelayError
├── ConfigError          the configuration is wrong: every problem at once, nothing is started or replaced
├── PayloadError         a body holds no conversation: it is quarantined, with the path of what is wrong
├── NotFound             an id that the store does not know
├── Unreadable           files that cannot be looked into: put that right and ask again
├── InUse                somebody works on it at this moment, or it is settled: ask again, or leave it
├── StoreError
│   ├── StoreUnavailable the store does not respond, is full or read-only: answer 503, or try again soon
│   │   └── StoreLoading it has been started and reads its file: wait
│   ├── StoreUnsafe      the server would lose what it was given: do not start
│   └── LostLease        somebody else works on this item by now: drop it, write nothing
└── DeliveryError        what a connector raises
    ├── RetryLater       temporary: the lane tries again, when the vendor says or after its schedule
    │   ├── TimedOut     no answer in time: fewer at once, until some arrive again
    │   ├── Intercepted  a firewall or a proxy answered, not the vendor: says nothing of the credentials
    │   └── Occupied     another delivery works for the same person: in a moment, and no try is spent
    ├── RecordRefused    this record will never be taken: dead at once, with the reason
    │   └── Gone         what an earlier step made has died: forget that step, and begin again once
    ├── ConnectorRefused credentials, address or rights are wrong for every record: pause the connector
    └── Skipped          nothing is to be delivered, on purpose: settled, with the reason
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RelayError(Exception):
    """Anything that this project raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the configuration.

    `path` is where (`connectors.shop.url`), `text` what is wrong and what to type, `line` the line in the file
    or 0 where there is none.
    """

    path: str
    text: str
    line: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.path}: {self.text}" if self.path else f"{place}{self.text}"


class ConfigError(RelayError):
    """The configuration is wrong; `problems` has every reason, `source` the file or variable."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{source}:", *(f"  {problem}" for problem in self.problems)]))


class PayloadError(RelayError):
    """A body that is no conversation. `path` says where (`messages[3].sentAt`), or is empty for the whole."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        super().__init__(f"{path}: {text}" if path else text)


class NotFound(RelayError):
    """The store has no such payload, conversation or delivery."""


class Unreadable(RelayError):
    """Files that cannot be looked into; the text says whose, and why."""


class InUse(RelayError):
    """Somebody works on it at this moment, or it is settled."""


class StoreError(RelayError):
    """Something about the store."""


class StoreUnavailable(StoreError):
    """The server cannot take a write now: away, starting, full, read-only or its disk fails."""


class StoreLoading(StoreUnavailable):
    """The server has been started and reads its append-only file."""

    def __init__(self) -> None:
        super().__init__("the store is loading; it answers in a moment")


class StoreUnsafe(StoreError):
    """The server's settings would lose payloads; the text says which to change."""


class LostLease(StoreError):
    """The lease ran out and the item was claimed again, or it was settled by somebody else."""


class DeliveryError(RelayError):
    """Base of what a connector raises. `status` is that of HTTP or SMTP, or None where there was no answer."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


class RetryLater(DeliveryError):
    """Temporary. `retry_after` is the vendor's wish in seconds, or None.

    `untaken` is True when the vendor surely did not act on the request (connection refused, 429): then, and
    only then, a write may be repeated at once.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        untaken: bool = False,
    ) -> None:
        self.retry_after = retry_after
        self.untaken = untaken
        super().__init__(text, status=status)


class TimedOut(RetryLater):
    """No answer in time. The destination may have more to do than it can, what we gave up waiting for included."""


class Intercepted(RetryLater):
    """An answer that is not the vendor's own, such as the page of a firewall that dislikes what a visitor wrote."""


class Occupied(RetryLater):
    """Another delivery looks for the same person, or creates it, at this moment."""


class RecordRefused(DeliveryError):
    """The vendor understood and said no to this record."""


class Gone(RecordRefused):
    """The vendor no longer has what the named steps made: it was deleted, merged or archived.

    Where an earlier attempt made it, the steps are forgotten and the delivery begins again, once in an attempt. Else
    it is what its base class says.
    """

    def __init__(self, text: str, *steps: str, status: int | None = None) -> None:
        self.steps = steps
        super().__init__(text, status=status)


class ConnectorRefused(DeliveryError):
    """The vendor would say the same to every record: wrong credentials, rights, address or setting."""


class Skipped(DeliveryError):
    """The connector's settings say that this conversation is not to be delivered."""
