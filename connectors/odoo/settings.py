"""Odoo's settings: what is named there, and what texts become.

https://www.odoo.com/documentation/19.0/developer/reference/backend/orm.html#fields
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import YES, PeopleSettings
from connectors.kit.work.chat import DeskSettings
from core.config.types.templated import Templated
from core.errors import ConnectorRefused, RecordRefused

_WON = 100  #: percent
Positive = Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class RecordKind:
    """The models around a record, and the field that keeps the chat's key unless the settings name another."""

    model: str
    tag: str
    team: str
    stage: str
    key: str
    #: The field that says whether it has ended: how probable a lead is, of which 100 is won; when a ticket was closed.
    ended: str

    def is_open(self, record: Mapping[str, Any]) -> bool:
        """Whether somebody still works on it. A lead that is lost is archived."""
        ended = record.get(self.ended)
        won = self.ended == "probability" and isinstance(ended, int | float) and ended >= _WON
        return record.get("active") is not False and not (won if self.ended == "probability" else ended)


#: A lead has a free text of its own, "Referred By"; a ticket has none.
RECORD_KINDS: Mapping[str, RecordKind] = {
    "lead": RecordKind("crm.lead", "crm.tag", "crm.team", "crm.stage", "referred", "probability"),
    "ticket": RecordKind(
        "helpdesk.ticket", "helpdesk.tag", "helpdesk.team", "helpdesk.stage", "x_smartsupp_chat", "close_date"
    ),
}


class OdooSettings(PeopleSettings, DeskSettings, FileSettings):
    """Settings of `type: odoo`."""

    # A server of a few workers does a request for each; more at once only wait, time out, and are done all the same.
    concurrency: int | None = Field(
        default=4,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )

    url: AnyHttpUrl = Field(description="Of the server, such as https://mycompany.odoo.com.")
    database: str = Field(
        default="", description="Needed for json-rpc, and for json-2 where the server's address does not tell it."
    )
    login: str = Field(default="", description="Of the user the API key belongs to; json-rpc needs it.")
    api_key: SecretStr = Field(description="From the user's preferences, under Account Security.")
    protocol: Literal["json-2", "json-rpc"] = Field(
        default="json-2", description="json-2 for Odoo 19 and later, json-rpc for 14 to 18."
    )
    record: Literal["lead", "ticket"] = Field(
        default="lead", description="lead is a lead of CRM, ticket one of Helpdesk (Enterprise)."
    )
    team_id: Templated[Positive] | None = Field(
        default=None,
        description="The sales team's or help desk team's id. Without it, a lead without a salesperson goes to the "
        "first sales team.",
    )
    stage_id: Templated[Positive] | None = Field(
        default=None, description="The id of the stage of new records; null: the team's first."
    )
    priority: Templated[Annotated[int, Field(ge=0, le=3)]] | None = Field(
        default=None, description="Stars of new records, from 0 to 3."
    )
    key_field: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]*)?$",
        description="The text field of the record that keeps the chat's key: "
        "'referred' of a lead and 'x_smartsupp_chat' of a ticket, unless another is named.",
    )

    @model_validator(mode="before")
    @classmethod
    def _knows_the_earlier_name(cls, given: Any) -> Any:
        """`user_id` is what `owner` was called in 0.1; it goes with 0.3."""
        if not isinstance(given, dict) or "user_id" not in given:
            return given
        if "owner" in given:
            raise ValueError("user_id is the earlier name of owner; remove user_id")
        return {("owner" if name == "user_id" else name): value for name, value in given.items()}

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        missing = [name for name in ("database", "login") if not getattr(self, name)]
        if self.protocol == "json-rpc" and missing:
            raise ValueError("json-rpc needs more; add " + " and ".join(f"'{name}: …'" for name in missing))
        return self


_NUMBERS = {"integer": int, "many2one": int, "float": float, "monetary": float}


def typed(setting: str, name: str, kind: str, text: str) -> Any:
    """A field's text as what Odoo wants for the field's type; the empty text as its `false`, which is no value."""
    if kind in ("many2many", "one2many", "binary"):
        raise ConnectorRefused(f"{setting}: '{name}' is of type {kind} in Odoo, which no text can fill")
    if kind == "boolean":
        return text.lower() in YES
    if not text or kind not in _NUMBERS:
        return text or False
    wanted = _NUMBERS[kind]
    if not re.fullmatch(r"-?\d+" if wanted is int else r"-?\d+(\.\d+)?", text, re.ASCII):
        raise RecordRefused(f"{setting}: '{name}' is of type {kind} in Odoo, and '{text}' is not a number")
    return wanted(text)
