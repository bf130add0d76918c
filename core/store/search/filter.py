"""Which conversations somebody wants to see, and the form in which a bulk job keeps that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace

from core.delivery import DeliveryStatus
from core.store.protocol.records import from_json


@dataclass(frozen=True)
class Filter:
    """Which conversations. "" and None ask for nothing; `since` and `until` are ms, until excluded; `rating` is 5, 3,
    1 or `none`. `text` is looked for in name, email and ids (`account:channel`, or a part), with `said` also in the
    newest body.

    With `connector` or `status` it is about deliveries, times are those of their last change, and a conversation comes
    once for each of its deliveries that match; also with `job`, the id of the bulk job that was the last to queue or
    discard them. `undelivered` asks for conversations that were delivered nowhere; `cause` for
    dead letters that have it, and goes with that status.
    """

    text: str = ""
    said: bool = False
    connector: str = ""
    status: DeliveryStatus | None = None
    account: str = ""
    missed: bool = False
    offline: bool = False
    rating: str = ""
    since: int | None = None
    until: int | None = None
    undelivered: bool = False
    job: str = ""
    cause: str = ""

    @property
    def about_deliveries(self) -> bool:
        return bool(self.connector or self.status or self.job or self.cause)

    @property
    def exact(self) -> bool:
        """Whether the order alone tells what matches, so that nothing has to be looked through."""
        return not (self.text or self.account or self.missed or self.offline or self.rating or self.job)

    @property
    def tags(self) -> tuple[str, ...]:
        """What must stand among a summary's tags."""
        pairs = (
            ("missed", self.missed),
            ("offline", self.offline),
            (f"rating:{self.rating}", self.rating),
            (f"account:{self.account}", self.account),
        )
        return tuple(tag for tag, wanted in pairs if wanted)

    def as_of(self, now: int) -> Filter:
        """The same without what is later than a time (ms)."""
        return replace(self, until=now + 1 if self.until is None else min(self.until, now + 1))

    def as_json(self) -> str:
        defaults = asdict(Filter())
        return json.dumps({name: value for name, value in asdict(self).items() if value != defaults[name]})

    @classmethod
    def from_json(cls, text: str | bytes) -> Filter:
        """A condition that this version does not know is left out: see `understands`."""
        return from_json(cls, text)

    @classmethod
    def understands(cls, text: str | bytes) -> bool:
        """Whether `from_json` leaves nothing out."""
        found = json.loads(text)
        return found.keys() <= {one.name for one in fields(cls)} and found.get("status") in (None, *DeliveryStatus)
