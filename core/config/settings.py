"""Settings: what we accept and what we deliver to. The shape of relay.yaml, and of what was read from it.

The settings of one connector are a subclass of `ConnectorSettings`, in that connector's module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator

from core.config import former_names
from core.config.alerts import Alerts
from core.config.business_hours import BusinessHours, known_zone
from core.config.environment import Strict, Token
from core.config.extracted import only_extracted
from core.config.sections.presets import Preset, QuietWait
from core.config.sections.redact import Redact
from core.config.sections.source import Account, SourceSection
from core.config.values import ValueSettings
from core.templates.language import Condition, condition, wording

#: The lane of bodies that no worker has read yet.
_RESERVED = "inbox"
_CONNECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _expression(source: str, info: ValidationInfo) -> str:
    condition(source)
    return only_extracted(source, info)


def _template(source: str, info: ValidationInfo) -> str:
    wording(source)
    return only_extracted(source, info)


def _html_template(source: str, info: ValidationInfo) -> str:
    wording(source, html=True)
    return only_extracted(source, info)


Expression = Annotated[str, AfterValidator(_expression), Field(json_schema_extra={"format": "jinja-expression"})]
HtmlTemplate = Annotated[
    str, AfterValidator(_html_template), Field(json_schema_extra={"format": "jinja-template, HTML"})
]
Template = Annotated[str, AfterValidator(_template), Field(json_schema_extra={"format": "jinja-template"})]


def connector_name(name: str) -> str:
    """The name itself. Raises ValueError where no connector can be called that."""
    if not _CONNECTOR_NAME.fullmatch(name) or name == _RESERVED:
        raise ValueError(f"a name has at most 63 lower-case letters, digits, '-' and '_', and is not '{_RESERVED}'")
    return name


class ConnectorSettings(Strict):
    """What every connector has. A connector's own settings are a subclass."""

    #: What the values of a chat are worked out with: sections that all connectors share (connectors/registry.py).
    _values: ValueSettings = PrivateAttr(default_factory=ValueSettings)

    #: What is taken out of a chat before this connector is given it; likewise.
    _redact: Redact = PrivateAttr(default_factory=Redact)

    #: Settings of all connectors that mean nothing to this type, and why: no form shows them, and none may be set.
    refused: ClassVar[Mapping[str, str]] = {}

    #: The address of the dashboard, or ""; likewise.
    _public_url: str = PrivateAttr(default="")

    type: str = Field(description="The type of connector: a built-in name, or the dotted path of a class.")
    enabled: bool = Field(default=True, description="false: nothing is sent to it; its deliveries stay queued.")
    concurrency: int | None = Field(
        default=None,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="Requests a second, over all workers, with bursts of one second's worth; null: no limit.",
    )
    per_day: int | None = Field(
        default=None,
        gt=0,
        description="Requests a day, over all workers; what is left waits for the next day. null: no limit.",
    )
    per_day_time_zone: Annotated[str, AfterValidator(known_zone)] = Field(
        default="UTC", description="The time zone by whose midnight `per_day` begins anew, such as Europe/Prague."
    )
    only: tuple[Preset, ...] | None = Field(
        default=None, min_length=1, description="It takes only chats of one of these kinds; null: all."
    )
    min_visitor_messages: int = Field(
        default=0, ge=0, le=1_000, description="Messages that the visitor must have written."
    )
    wait: QuietWait | None = Field(
        default=None,
        description="How long a chat must have been quiet before its next revision is sent; null: not at all.",
    )
    redact: Redact | None = Field(
        default=None,
        description="What this connector must not see, where that differs from the section redact; null: as there.",
    )
    formerly: tuple[Annotated[str, AfterValidator(connector_name)], ...] = Field(
        default=(),
        description="Earlier names of this connector, the oldest first: its deliveries and records continue under it.",
    )

    @field_validator("*")
    @classmethod
    def _means_something(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and (why := cls.refused.get(info.field_name or "")):
            raise ValueError(f"{why}; remove it")
        return value

    def day_over(self, moment: datetime | None = None) -> int | None:
        """When the day of `per_day` is over, in ms; None where there is no such limit."""
        if self.per_day is None:
            return None
        zone = ZoneInfo(self.per_day_time_zone)
        tomorrow = (moment or datetime.now(UTC)).astimezone(zone).date() + timedelta(days=1)
        return round(datetime.combine(tomorrow, time(), zone).timestamp() * 1000)

    def doubts(self) -> Iterator[tuple[str, str]]:
        """What will not work for ever, though it does today: a text and what to do."""
        yield from ()


class Route(Strict):
    """Conversations for which `when` is true go to the connectors in `to`. Every route is asked."""

    to: list[str] = Field(description="Names of connectors; []: these chats are excluded on purpose.")
    when: Expression = Field(default="true", description="A Jinja expression over conversation and visitor.")
    _applies: Condition = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        # Kept here: a cache of compiled expressions that 10,000 routes overflow would compile all for each chat.
        self._applies = condition(self.when)

    def __reduce__(self) -> tuple[Any, ...]:
        # What was compiled is compiled anew where a copy is read: a worker hands its settings to a process of its own.
        return type(self).model_validate, (self.model_dump(),)

    @property
    def applies(self) -> Condition:
        return self._applies


class Retention(Strict):
    """How long the store keeps what is done with. What was delivered stays at its destination."""

    settled_days: float | None = Field(
        default=30,
        gt=0,
        le=36_500,
        description="Days after which delivered, skipped and discarded chats are removed; null: never.",
    )
    dead_days: float | None = Field(
        default=None,
        gt=0,
        le=36_500,
        description="The same for dead letters and quarantined payloads; null: never.",
    )


class Document(ValueSettings):
    """The whole file."""

    tokens: tuple[Token, ...] = ()
    source: SourceSection = SourceSection()
    connectors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: list[Route] | None = Field(
        default=None, description="Without this section everything goes to every enabled connector."
    )
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    redact: Redact = Redact()
    business_hours: BusinessHours | None = Field(default=None, description="When somebody is there; null: always.")
    notices: Alerts | None = Field(
        default=None,
        description="What `alerts` was called in version 0.1; it goes with 0.3.",
        json_schema_extra={"deprecated": True},
    )


@dataclass(frozen=True)
class Settings:
    """A configuration that was read and found right. `source` is the file; `accounts` is its section `source`, by name.
    `connectors` has the disabled ones too."""

    source: str
    tokens: tuple[Token, ...]
    connectors: Mapping[str, ConnectorSettings]
    routes: tuple[Route, ...]
    fingerprints: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    retention: Retention = field(default_factory=Retention)
    alerts: Alerts = field(default_factory=Alerts)
    business_hours: BusinessHours | None = None
    redact: Redact = field(default_factory=Redact)
    values: ValueSettings = field(default_factory=ValueSettings)
    #: The address of the dashboard, or "".
    public_url: str = ""
    accounts: Mapping[str, Account] = field(default_factory=dict)
    #: Sections of the file that have another name by now.
    renamed: tuple[str, ...] = ()

    @property
    def renames(self) -> dict[str, str]:
        """Every earlier name of a connector -> its name."""
        return former_names.renames(self.connectors)

    @property
    def enabled(self) -> tuple[str, ...]:
        return tuple(name for name, connector in self.connectors.items() if connector.enabled)

    def conditions(self) -> list[tuple[Condition, tuple[str, ...]]]:
        return [(route.applies, tuple(route.to)) for route in self.routes]


def masked(settings: Settings) -> dict[str, Any]:
    """The effective configuration for people to read. Secrets stay hidden."""
    return {
        "tokens": [token.model_dump(mode="json", exclude_none=True) for token in settings.tokens],
        **({"source": _masked_accounts(settings.accounts)} if settings.accounts else {}),
        "connectors": {name: item.model_dump(mode="json", by_alias=True) for name, item in settings.connectors.items()},
        "routes": [route.model_dump(mode="json") for route in settings.routes],
        "retention": settings.retention.model_dump(mode="json"),
        "alerts": settings.alerts.model_dump(mode="json", by_alias=True),
        "redact": settings.redact.model_dump(mode="json"),
        **({"business_hours": settings.business_hours.model_dump(mode="json")} if settings.business_hours else {}),
        **settings.values.model_dump(mode="json"),
    }


def _masked_accounts(accounts: Mapping[str, Account]) -> dict[str, Any]:
    return {"accounts": {name: one.model_dump(mode="json", exclude={"accounts"}) for name, one in accounts.items()}}
