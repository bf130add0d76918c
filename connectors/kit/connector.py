"""What a connector is.

A connector says what to send; `connectors.kit.http` says how. It holds no loop, sleep, try, log line or Redis: what
goes wrong is raised as the error whose class is the recovery (core/errors.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import Field, IPvAnyNetwork
from requests import Response

from connectors.kit.auth.credentials import NOTHING, Credentials
from connectors.kit.auth.oauth import Provider
from connectors.kit.auth.tokens import Tokens
from connectors.kit.capabilities import Capabilities
from connectors.kit.files.waiting import WaitingFiles
from connectors.kit.http import Http, Judge
from connectors.kit.masking import Secrets
from connectors.kit.offered import ChoiceList
from connectors.kit.reply import Reply
from connectors.kit.responses import STATUS, Verdict, refusal
from connectors.kit.step import Copy, Receipt, Step
from connectors.kit.transport.attempt import Wire
from connectors.kit.vocabulary import Language, translated
from connectors.kit.wire.cache import Cache
from connectors.kit.wire.pager import Pager
from connectors.kit.wire.verdicts import Verdicts, When, judged
from core.config.settings import ConnectorSettings
from core.connector_state import ConnectorState, OwnState
from core.conversation import Conversation
from core.delivery import Exchange, Reference, made
from core.errors import DeliveryError, RecordRefused, Skipped
from core.ids import ConversationId
from core.redaction.chat import Redacted, redacted_chat
from core.values.chat import Values
from core.values.presets import left_out

__all__ = ["Change", "Connector", "Copy", "Finding", "HttpConnector", "HttpSettings", "Receipt", "Somebody", "Step"]

S = TypeVar("S", bound=ConnectorSettings)
H = TypeVar("H", bound="HttpSettings")


class HttpSettings(ConnectorSettings):
    """Settings of a connector that speaks HTTP."""

    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for each answer.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8.",
    )


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


@dataclass(frozen=True)
class Somebody:
    """A person at a destination: the id there, what admins know them by, and their page, or ""."""

    id: str
    name: str
    url: str = ""


class Connector(ABC, Generic[S]):
    """A destination. One instance serves all threads of a process, so it keeps nothing between deliveries."""

    #: The vendor's name as the vendor spells it.
    label: ClassVar[str]
    #: What it makes of a chat, for those who choose a connector.
    makes: ClassVar[str] = ""
    #: What else they choose it by; every connector that comes with Relay says it.
    capabilities: ClassVar[Capabilities | None] = None
    #: Its records are files of ours, which `erase` removes.
    keeps_files: ClassVar[bool] = False
    #: What `erase_person` does at this vendor, for whoever decides about it; "" where nobody can be erased from here.
    erases: ClassVar[str] = ""
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
        #: What all workers share of it. Whoever builds the connector puts the store's here.
        self.state: ConnectorState = OwnState()
        self._secrets = Secrets(settings)

    @property
    def names(self) -> tuple[str, ...]:
        """Its own, and those that it had."""
        return (self.name, *self.settings.formerly)

    @abstractmethod
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        """Bring the conversation to the destination, or up to date there. Raises DeliveryError."""

    def bring(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        """`deliver`, and once more where it met something dead that an earlier attempt remembered.

        What the destination has already is kept up to date there, whatever `only` says of it by now. What it must not
        see is taken out first.
        """
        try:
            return self._brought(conversation, receipt, step)
        except Skipped:
            if self.wire is None or not self.wire.is_pretending:
                # Nobody waits for its files; what cannot be removed now goes with what is old.
                with suppress(OSError):
                    WaitingFiles(self.data_dir, conversation.key).empty(*self.names)
            raise

    def _brought(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        own = self.settings
        if not receipt.continues and not made(dict.fromkeys(step.done)) and (own.only or own.min_visitor_messages):
            chat = Values(conversation, own._values)  # noqa: SLF001  # as in connectors/kit/record.py
            if reason := left_out(chat, own.only, own.min_visitor_messages):
                raise Skipped(reason)
        if not self.keeps_files:
            clean = self._clean(conversation)
            step.note("redacted", str(clean))
            conversation, receipt = clean.conversation, replace(receipt, redact=self.redacted)
        try:
            return self.deliver(conversation, receipt, step)
        except RecordRefused as refused:
            if not step.heals(refused):
                raise
        return self.deliver(conversation, receipt, step)

    def redacted(self, conversation: Conversation) -> Conversation:
        """As the destination may see it. Files of our own keep all of it, as the payload does."""
        return conversation if self.keeps_files else self._clean(conversation).conversation

    def _clean(self, conversation: Conversation) -> Redacted:
        own = self.settings
        # Those of records have a language, in which the marks are, too.
        language: Language = getattr(own, "language", "en")
        return redacted_chat(conversation, own._redact, lambda kind: translated(language, f"redacted {kind}"))  # noqa: SLF001

    def kept_file(self, conversation: ConversationId, mark: str) -> Path | None:
        """Where a file of a chat is kept for good, by its mark (kit/files/rules.py). Raises OSError."""
        return None

    def check(self) -> Iterator[Finding]:
        """Prove the settings at the destination, reading only. Raises DeliveryError where even that is refused."""
        yield from ()

    def choices(self) -> Iterable[ChoiceList]:
        """What the destination offers now for settings that name something there. Nothing is asked here, but by
        `ChoiceList.read`: a right that is missing for one list takes no other away."""
        return ()

    def setup(self) -> Iterator[Change]:
        """What is missing at the destination and can be made there, reading only until one is made."""
        yield from ()

    def copies(self, mentions: Callable[[bytes], bool]) -> Iterator[Copy]:
        """The revisions that this connector keeps on our own machines, whatever the store has removed since. Those that
        `mentions` says no to, given the bytes of their file, may be left out. Raises OSError."""
        yield from ()

    def files(self, conversation: ConversationId) -> Sequence[Path]:
        """What `erase` would remove of a conversation, for whoever asks to see all that is kept of them. Raises
        OSError."""
        return WaitingFiles(self.data_dir, conversation).files(*self.names)

    def erase(self, conversation: ConversationId) -> Sequence[str]:
        """Remove what this connector keeps of a conversation (`account:channel`) on our own machines.

        Returns what was removed, for people to read. What a vendor keeps, `erase_person` removes. Raises OSError.
        """
        # For whichever connector: one of them may be in the configuration no more.
        return WaitingFiles(self.data_dir, conversation).empty()

    def find_persons(self, email: str) -> Iterator[Somebody]:
        """Whom the destination keeps under an address, as it is now; reading only. Raises DeliveryError."""
        yield from ()

    def erase_person(self, person: Somebody) -> None:
        """Remove somebody at the destination; whoever is gone already is removed. Raises DeliveryError."""
        raise NotImplementedError(f"{self.label} erases nobody")

    @property
    def wire(self) -> Wire | None:
        """What it sends by, or None where it sends nothing."""
        return None

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        """Everything between is one attempt; the list fills with what went over the wire."""
        with self.wire.attempt() if self.wire else nullcontext([]) as exchanges:
            yield exchanges

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """For previews: the JSON that an empty account would answer to a request. Nothing is sent."""
        raise NotImplementedError(f"{self.label} has no preview")

    def mask(self, text: str) -> str:
        """The text without this connector's secrets: those in its settings, and those that it was given since."""
        return self._secrets.mask(text)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.name}'>"


class HttpConnector(Connector[H], Generic[H]):
    """A connector that speaks HTTP, by way of `self.http`."""

    #: What a status means to this vendor, where that is not what it means to all (connectors/kit/responses.py).
    statuses: ClassVar[Mapping[int, Verdict]] = {}
    #: Every answer of this vendor is JSON. What is not was written by a firewall or a proxy in between.
    speaks_json: ClassVar[bool] = True
    #: What its answers mean, where codes in the body and waits of its own matter, too; in place of the two above.
    verdicts: ClassVar[Verdicts | None] = None
    #: Sent with every request to a path.
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, name: str, settings: H, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self.http = Http(
            timeout=settings.timeout,
            allow_networks=settings.allow_networks,
            judge=self.judge,
            mask=self.mask,
            credentials=lambda: self.credentials,
        )

    @property
    def wire(self) -> Http:
        return self.http

    @property
    def base(self) -> str:
        """The address that every path begins with, without a slash at its end."""
        raise NotImplementedError(f"{self.label} names whole addresses")

    @cached_property
    def credentials(self) -> Credentials:
        """What every request is signed with."""
        return NOTHING

    @cached_property
    def cache(self) -> Cache:
        """What hardly changes at the vendor's, asked for once by all workers."""
        account = self.settings.model_dump_json() + self._secrets.digest
        return Cache(lambda: self.state, account, lambda: self.http.is_pretending)

    def tokens(self, provider: Provider) -> Tokens:
        """Credentials by OAuth 2, shared by all workers."""
        return Tokens(self.http, replace(provider, connector=self.name), lambda: self.state, self._secrets.learn)

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """The JSON that a path answers, wrapped. Raises and takes what Http.request does."""
        headers = {**self.headers, **(options.pop("headers", None) or {})}
        return self.http.reply(method, f"{self.base}{path}", headers=headers, **options)

    def judge(self, answer: Response) -> DeliveryError | None:
        """The error that an answer means, or None when it is a success. A vendor that hides errors in 200s, or means
        something else by a status, says so here."""
        if self.verdicts is not None:
            return self.verdicts.judge(answer, self.mask)
        if answer.status_code // 100 == 2:
            return None
        return refusal(answer, {**STATUS, **self.statuses}, self.mask, speaks_json=self.speaks_json, own=self.statuses)

    def entries(self, pager: Pager, path: str, judge: Judge | None = None, **params: Any) -> Iterator[Reply]:
        """Every entry of a list at a path, page by page as they are needed."""
        return pager.entries(self.http, f"{self.base}{path}", params, judge, self.headers)

    def when(self, *cases: When) -> Judge:
        """A judge for one request: the first of the cases that applies, or what an answer means anyway."""
        return lambda answer: judged(answer, self.judge, cases)
