"""What a connector is.

A connector says what to send; `connectors.http` says how. It holds no loop, sleep, try, log line or Redis: what goes
wrong is raised as the error whose class is the recovery (core/errors.py).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr
from requests import Response

from connectors.answers import STATUS, Verdict, refusal
from connectors.http import Http
from core.conversation import Conversation
from core.delivery import Exchange, Reference, Revision
from core.errors import DeliveryError
from core.settings import ConnectorSettings

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

    `delivery` names the delivery and stays the same over retries, replays and revisions. `history` gives every
    revision, this one included, in the order of arrival: of those that came quickly after each other, only the last is
    delivered.
    """

    delivery: str
    revision: Revision
    history: Callable[[], Sequence[Revision]] = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """A revision in a file: its conversation (`account:channel`), and what Smartsupp sent, as JSON."""

    conversation: str
    body: bytes = field(repr=False)


class Step:
    """Remembers what was made at the destination, the moment it is known.

    `step("ticket", create)` runs `create` once in the life of a delivery: a retry, a replay or a new revision gets the
    remembered value. The value is anything JSON can spell.

    `step.once("note", create, find=look)` is for a vendor that makes a second one when asked twice: it notes that a
    create has begun, and whoever comes back to a begun one (its reply was lost, or its process died) looks first.
    `look` returns what it found, or None.
    """

    def __init__(self, known: Mapping[str, Any], remember: Callable[[str, Any], None]) -> None:
        self._known = dict(known)
        self._remember = remember

    def __call__(self, name: str, do: Callable[[], T]) -> T:
        if name not in self._known:
            self._keep(name, do())
        return self._known[name]  # type: ignore[no-any-return]  # what `do` returned, now or then

    def once(self, name: str, create: Callable[[], T], *, find: Callable[[], T | None]) -> T:
        begun = f"{name}?"
        if name not in self._known:
            found = find() if begun in self._known else None
            if found is None:
                self._keep(begun, True)
                found = create()
            self._keep(name, found)
        return self._known[name]  # type: ignore[no-any-return]

    def knows(self, name: str) -> bool:
        """Whether a step was done, by this attempt or an earlier one."""
        return name in self._known

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

    def erase(self, conversation: str) -> Sequence[str]:
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

    #: What a status means to this vendor, where that is not what it means to all (connectors/answers.py).
    statuses: ClassVar[Mapping[int, Verdict]] = {}

    def __init__(self, name: str, settings: H, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self.http = Http(
            timeout=settings.timeout, allow_networks=settings.allow_networks, judge=self.judge, mask=self.mask
        )

    def judge(self, answer: Response) -> DeliveryError | None:
        """The error that an answer means, or None when it is a success. A vendor that hides errors in 200s, or means
        something else by a status, says so here."""
        return None if answer.status_code // 100 == 2 else refusal(answer, {**STATUS, **self.statuses}, self.mask)

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
