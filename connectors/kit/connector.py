"""What a connector is.

A connector says what to send; `connectors.kit.http` says how. It holds no loop, sleep, try, log line or Redis: what
goes wrong is raised as the error whose class is the recovery (core/errors.py).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr
from requests import Response

from connectors.kit.http import Http
from connectors.kit.responses import STATUS, Verdict, refusal
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Exchange, Reference, Revision
from core.errors import DeliveryError, Gone, RecordRefused
from core.ids import ConversationId

S = TypeVar("S", bound=ConnectorSettings)
H = TypeVar("H", bound="HttpSettings")
T = TypeVar("T")

MASK = "**********"


class HttpSettings(ConnectorSettings):
    """Settings of a connector that speaks HTTP."""

    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for each answer.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8.",
    )


@dataclass(frozen=True)
class Receipt:
    """Where the conversation of this attempt came from: the newest `revision` of it, and all that there are.

    `delivery` names the delivery and stays the same over retries, replays, revisions, and a renaming of the connector.
    `history` gives every revision, this one included, in the order of arrival: of those that came quickly after each
    other, only the last is delivered.

    `number` is what marks at the destination carry, so that each text arrives once: the revision's number; or, when
    the store may have forgotten earlier revisions, one that none of them can have had. Later ones have greater ones.
    """

    delivery: str
    revision: Revision
    history: Callable[[], Sequence[Revision]] = field(repr=False)
    number: int = 0
    began: datetime | None = None

    @property
    def since(self) -> datetime:
        """Nothing of this conversation can be older at the destination: when it began, or when the first body of it
        that is known came, whichever was earlier."""
        came = min(revision.received_at for revision in self.history())
        return min(came, self.began) if self.began else came

    def __post_init__(self) -> None:
        if not self.number:
            object.__setattr__(self, "number", self.revision.number)


@dataclass(frozen=True)
class Copy:
    """A revision in a file: its conversation, and what Smartsupp sent, as JSON."""

    conversation: ConversationId
    body: bytes = field(repr=False)


class Step:
    """Remembers what was made at the destination, the moment it is known.

    `step("ticket", create)` runs `create` once in the life of a delivery: a retry, a replay or a new revision gets the
    remembered value. The value is anything JSON can spell.

    `step.once("note", create, find=look)` is for a vendor that makes a second one when asked twice: whoever cannot be
    sure to be the first looks first. That is who comes back to a create that has begun (its reply was lost, or its
    process died), and who works for a store that may have forgotten. `look` returns what it found, or None.

    `identity=` names the person that a step looks for or makes, such as an email address: one delivery at a time does
    that for one identity, over all workers. Where the destination refuses what follows, the step is forgotten and the
    delivery begins again, once in an attempt: the person may have been merged or deleted.
    """

    def __init__(
        self,
        known: Mapping[str, Any],
        remember: Callable[[str, Any], None],
        *,
        forget: Callable[[str], None] = lambda _: None,
        alone: Callable[[str], AbstractContextManager[object]] = lambda _: nullcontext(),
        first: bool = True,
    ) -> None:
        """`known` is what earlier attempts remembered; `remember` and `forget` change that. `alone` holds an identity
        for as long as its context lasts, and raises Occupied. `first`: nobody can have delivered this before."""
        self.first = first
        self._known = dict(known)
        self._remember = remember
        self._forget = forget
        self._alone = alone
        self._earlier = frozenset(known)
        self._identities: set[str] = set()

    def __call__(self, name: str, do: Callable[[], T], *, identity: str = "") -> T:
        return self._value(name, do, identity)

    def once(self, name: str, create: Callable[[], T], *, find: Callable[[], T | None], identity: str = "") -> T:
        begun = f"{name}?"

        def do() -> T:
            found = None if self.first and begun not in self._known else find()
            if found is None:
                self._keep(begun, True)
                found = create()
            return found

        return self._value(name, do, identity)

    def knows(self, name: str) -> bool:
        """Whether a step was done, by this attempt or an earlier one."""
        return name in self._known

    @property
    def done(self) -> frozenset[str]:
        """The names of all steps that were done or begun (`NAME?`), by this attempt or earlier ones."""
        return frozenset(self._known)

    def forget(self, *names: str) -> None:
        """Do these steps again."""
        for name in names:
            if name in self._known:
                self._forget(name)
                del self._known[name]

    def heals(self, refused: RecordRefused) -> bool:
        """Forget what may have died since an earlier attempt, if there is any: what `refused` names, else persons."""
        names = refused.steps if isinstance(refused, Gone) else tuple(self._identities)
        # Where there is a record, it is that which was refused.
        recorded = not isinstance(refused, Gone) and any(
            f"{name}?" in self._earlier for name in self._earlier - self._identities
        )
        if recorded or not self._earlier.intersection(names):
            return False
        self.forget(*names)
        self._earlier = frozenset()
        return True

    def _value(self, name: str, do: Callable[[], T], identity: str) -> T:
        if identity:
            self._identities.add(name)
        if name not in self._known:
            with self._alone(identity.lower()) if identity else nullcontext():
                self._keep(name, do())
        return self._known[name]  # type: ignore[no-any-return]  # what `do` returned, now or then

    def _keep(self, name: str, value: Any) -> None:
        self._remember(name, value)
        self._known[name] = value


@dataclass(frozen=True)
class Finding:
    """What a check saw: whether it is right, what it is, and what to do when it is not."""

    right: bool
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Change:
    """Something that the vendor lets us set up: what it is for people, and how."""

    text: str
    make: Callable[[], None]


class Connector(ABC, Generic[S]):
    """A destination. One instance serves all threads of a process, so it keeps nothing between deliveries."""

    #: The vendor's name as the vendor spells it.
    label: ClassVar[str]
    #: Its records are files of ours, which `erase` removes.
    keeps_files: ClassVar[bool] = False
    settings_model: ClassVar[type[ConnectorSettings]] = ConnectorSettings

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the settings model from `class Zendesk(HttpConnector[ZendeskSettings])`."""
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in get_args(base) if isinstance(get_origin(base), type) else ():
                if isinstance(argument, type) and issubclass(argument, ConnectorSettings):
                    cls.settings_model = argument

    def __init__(self, name: str, settings: S, data_dir: Path) -> None:
        """`name` is the connector's in the config, `data_dir` the folder of RELAY_DATA_DIR."""
        self.name = name
        self.settings = settings
        self.data_dir = data_dir
        self._secrets = tuple(sorted(_secrets(settings), key=len, reverse=True))

    @abstractmethod
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        """Bring the conversation to the destination, or up to date there. Raises DeliveryError."""

    def bring(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        """`deliver`, and once more where it met something dead that an earlier attempt remembered."""
        try:
            return self.deliver(conversation, receipt, step)
        except RecordRefused as refused:
            if not step.heals(refused):
                raise
        return self.deliver(conversation, receipt, step)

    def check(self) -> Iterator[Finding]:
        """Prove the settings at the destination, reading only. Raises DeliveryError where even that is refused."""
        yield from ()

    def setup(self) -> Iterator[Change]:
        """What is missing at the destination and can be made there, reading only until one is made."""
        yield from ()

    def copies(self, mentions: Callable[[bytes], bool]) -> Iterator[Copy]:
        """The revisions that this connector keeps on our own machines, whatever the store has removed since. Those that
        `mentions` says no to, given the bytes of their file, may be left out. Raises OSError."""
        yield from ()

    def erase(self, conversation: ConversationId) -> Sequence[str]:
        """Remove what this connector keeps of a conversation (`account:channel`) on our own machines.

        Returns what was removed, for people to read. Records at a vendor are the shop's to erase.
        """
        return ()

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        """Everything between is one attempt; the list fills with what went over the wire."""
        yield []

    def mask(self, text: str) -> str:
        """The text without any of this connector's secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.name}'>"


class HttpConnector(Connector[H], Generic[H]):
    """A connector that speaks HTTP, by way of `self.http`."""

    #: What a status means to this vendor, where that is not what it means to all (connectors/kit/responses.py).
    statuses: ClassVar[Mapping[int, Verdict]] = {}
    #: Every answer of this vendor is JSON. What is not was written by a firewall or a proxy in between.
    speaks_json: ClassVar[bool] = True

    def __init__(self, name: str, settings: H, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self.http = Http(
            timeout=settings.timeout, allow_networks=settings.allow_networks, judge=self.judge, mask=self.mask
        )

    def judge(self, answer: Response) -> DeliveryError | None:
        """The error that an answer means, or None when it is a success. A vendor that hides errors in 200s, or means
        something else by a status, says so here."""
        if answer.status_code // 100 == 2:
            return None
        return refusal(answer, {**STATUS, **self.statuses}, self.mask, speaks_json=self.speaks_json, own=self.statuses)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """For previews: the JSON that an empty account would answer to a request. Nothing is sent."""
        raise NotImplementedError(f"{self.label} has no preview")

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        with self.http.attempt() as exchanges:
            yield exchanges


def _secrets(model: BaseModel) -> Iterator[str]:
    """Every secret in the settings, as it is and as JSON and URLs may spell it."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            for name in type(value).model_fields:
                yield from walk(getattr(value, name))
        elif isinstance(value, Mapping):
            for item in value.values():
                yield from walk(item)
        elif isinstance(value, list | tuple | set | frozenset):
            for item in value:
                yield from walk(item)

    for secret in walk(model):
        if len(secret) >= 4:
            spelt = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
            # PHP writes \/ for a slash.
            slashed = {text.replace("/", "\\/") for text in spelt}
            yield from {secret, *spelt, *slashed, quote(secret, safe=""), quote_plus(secret)}
