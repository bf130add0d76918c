"""What a worker holds of the store: items that are its own for a while, and what it asks for and says about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from core.ids import NO_CONVERSATION, ConversationId, DeliveryId, PayloadId
from core.store.protocol.constants import Gate


@dataclass(frozen=True)
class Received:
    """A body, whose account it is where the token says so, and what it was sent as. `origin` is the account of the
    section `source` whose webhooks it came by, or "". `only` is the one connector that may get it, or "". `context` is
    that in which the workers are woken for it: a trace goes on there."""

    body: bytes
    account: str = ""
    content_type: str = ""
    origin: str = ""
    only: str = ""
    context: Context | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Accepted:
    """What became of a body: `known` when it was there before, then `id` is the first one's."""

    id: PayloadId
    known: bool


@dataclass(frozen=True)
class Limits:
    """Of a connector, over all workers: deliveries `at_once`, requests a second, and requests in a day that is over at
    `day_over` (ms). None: no limit."""

    at_once: int | None = None
    rate: float | None = None
    per_day: int | None = None
    day_over: int | None = None


UNLIMITED = Limits()


@dataclass(frozen=True)
class Order:
    """A chat that is to be fetched from Smartsupp's API, since `asked`; `tries` have failed so far, and `looks` came
    too early. It goes by the API's id; one that the hook sent goes by the hook's, and is looked for by when it `began`.
    `ends`: somebody said that it has ended; `handed`: an admin gave it to this account, whosever it is. Times are in
    ms."""

    conversation: ConversationId
    asked: int = 0
    began: int | None = None
    tries: int = 0
    looks: int = 0
    ends: int = 0
    handed: int = 0


@dataclass(frozen=True)
class Claim:
    """An item that is ours until its lease runs out. For the inbox `id` is the payload's, and `revision` is 0.

    `crashes` is how many processes died on it; `more`: there is more work than hands, and others were woken for it.
    `created`: when the delivery was, in ms, or 0 where another version kept nothing of that.
    `tries` have failed in the present series, with `waited` ms between them, as these were asked for.
    `delivered`: the chat was delivered to this connector before.
    `first`: nobody can have delivered this revision, as far as the store surely remembers; `late`: its conversation
    began before that, so revisions may have come of which it knows nothing.
    `beneath`: bodies that were filed before this revision since the delivery exists; they change its number, and not
    the one that marks at the destination carry.
    With `trouble` the body cannot be opened, and is empty. `paid`: requests that its connector's rate was charged.
    Of a source's lane, `order` is all there is. `origin` and `only`: see Received.
    """

    lane: str
    id: PayloadId | DeliveryId
    token: str
    crashes: int
    more: bool
    payload: PayloadId
    account: str
    received: int
    body: bytes = field(repr=False)
    trouble: str = ""
    conversation: ConversationId = NO_CONVERSATION
    revision: int = 0
    tries: int = 0
    waited: int = 0
    paid: float = 0
    steps: dict[str, Any] = field(default_factory=dict, repr=False)
    first: bool = True
    late: bool = False
    delivered: bool = False
    beneath: int = 0
    created: int = 0
    origin: str = ""
    only: str = ""
    order: Order | None = None


@dataclass(frozen=True)
class Reading:
    """What a claimed body turned out to be, and where it goes; `why` is a Nowhere where it goes to no connector.

    `begun` is when it began (ms), as it says itself, and `seen` how many conversations began at about that time when
    somebody looked; None: nobody did. `other` is another id by which it came this time. `beneath`: it says no more than
    the newest revision; `above`: that one says no more than it. `compared` is the payload of that one, where somebody
    looked: when another one is the newest by the time that this is written down, the look was too early. `waits`, where
    it has some of its own.
    """

    claim: Claim
    conversation: ConversationId
    connectors: tuple[str, ...]
    note: str = ""
    summary: bytes = field(default=b"", repr=False)
    why: str = ""
    #: When the conversation began, in ms; 0: nobody knows, so long ago; None: it is sure to be new.
    began: int | None = None
    begun: int | None = None
    seen: int | None = None
    other: str = ""
    beneath: bool = False
    above: bool = False
    compared: str = ""
    waits: Mapping[str, Quiet] | None = None


@dataclass(frozen=True)
class Quiet:
    """How long no revision may come before the last one is due; but `at_most` after the first that is not delivered.
    In ms. Without `first`, a chat that was never delivered does not wait."""

    quiet: int
    at_most: int
    first: bool = False


NO_WAITS: Mapping[str, Quiet] = MappingProxyType({})


@dataclass(frozen=True)
class ClaimRequest:
    """Asks for the next of the same lane in the journey that ends this one: half as many waits for the disk.

    `token` is new for each call. When the call raises StoreUnavailable, `disown` it later.
    """

    token: str
    limits: Limits = UNLIMITED


@dataclass(frozen=True)
class FannedOut:
    """For each body whether it is one of ours: False: its lease was lost. `following`: the next ones, or None where
    none were asked for. `stale`: for each whether nothing was done, as others began at that time meanwhile."""

    held: Sequence[bool]
    following: Sequence[Claim] | None
    stale: Sequence[bool] = ()


@dataclass(frozen=True)
class Settled:
    """What became of the connector's gate; `spared`: see `Store.settle`. `following`: the next one, if it was due, or
    None where none was asked for."""

    gate: Gate
    spared: bool
    following: Sequence[Claim] | None


#: Makes a request when it is wanted, or None. It learns whether the call that takes it came to an end.
Ask = Callable[[], AbstractContextManager[ClaimRequest | None]]


def ask_for_nothing() -> AbstractContextManager[None]:
    """The Ask of whoever takes nothing more."""
    return nullcontext()
