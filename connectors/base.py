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

from connectors.http import Http
from core.conversation import Conversation
from core.delivery import Exchange, Reference, Revision
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


class Step:
    """Remembers what was made at the destination, the moment it is known.

    `step("ticket", create)` runs `create` once in the life of a delivery: a retry, a replay or a new revision gets the
    remembered value. The value is anything JSON can spell.
    """

    def __init__(self, known: Mapping[str, Any], remember: Callable[[str, Any], None]) -> None:
        self._known = dict(known)
        self._remember = remember

    def __call__(self, name: str, do: Callable[[], T]) -> T:
        if name not in self._known:
            value = do()
            self._remember(name, value)
            self._known[name] = value
        return self._known[name]  # type: ignore[no-any-return]  # what `do` returned, now or then


class Connector(ABC, Generic[S]):
    """A destination. One instance serves all threads of a process, so it keeps nothing between deliveries."""

    #: The vendor's name as the vendor spells it.
    label: ClassVar[str]
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

    def __init__(self, name: str, settings: H, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self.http = Http(timeout=settings.timeout, allow_networks=settings.allow_networks)

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
