"""Pipedrive's settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PeopleSettings
from connectors.kit.work.one_record import OneRecordSettings
from connectors.kit.work.owner import OwnerSettings
from connectors.kit.work.task import WorkSettings
from core.config.types.templated import Templated

#: A custom field's API key.
CUSTOM = re.compile("[0-9a-f]{40}")
#: Whether somebody has consented to campaigns, which is no custom field, and `no_consent` before they are asked.
MARKETING = "marketing_status"

Number = Annotated[int, Field(gt=0)]


class PipedriveSettings(PeopleSettings, OwnerSettings, OneRecordSettings, WorkSettings, FileSettings):
    """Settings of `type: pipedrive`."""

    # Ten searches in two seconds; at most every other request of a delivery is one, or four of seven where neither of
    # three identifiers finds somebody, nor the domain a company. A second's worth may come at once.
    rate: float | None = Field(default=6, gt=0, description="Requests a second, over all workers; null: no limit.")
    company: str = Field(
        default="", pattern=r"^[a-z0-9-]*$", description="The company's domain: acme for acme.pipedrive.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of `company`.")
    api_token: SecretStr = Field(description="From Personal preferences > API.")
    record: Literal["note", "lead", "deal"] = Field(
        default="note", description="A note on the person, or a new lead or deal with the note on it."
    )
    pipeline_id: Templated[Number] | None = Field(default=None, description="Of a deal. Without it, Pipedrive's first.")
    stage_id: Templated[Number] | None = Field(default=None, description="Of a deal. Without it, the pipeline's first.")

    @model_validator(mode="before")
    @classmethod
    def _knows_the_earlier_name(cls, given: Any) -> Any:
        """`owner_id` is what `owner` was called in 0.1; it goes with 0.3."""
        if not isinstance(given, dict) or "owner_id" not in given:
            return given
        if "owner" in given:
            raise ValueError("owner_id is the earlier name of owner; remove owner_id")
        return {("owner" if name == "owner_id" else name): value for name, value in given.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.company) == bool(self.base_url):
            raise ValueError("write either company or base_url")
        if self.record != "deal" and (self.pipeline_id or self.stage_id):
            raise ValueError("pipeline_id and stage_id need record: deal")
        if self.record == "note" and self.fields:
            raise ValueError("fields need record: lead or record: deal; a note has none")
        if self.record == "note" and self.one_record == "per_person_open":
            raise ValueError(
                "one_record: per_person_open adds chats to a lead or a deal; it needs record: lead or deal"
            )
        named = {"fields": self.fields, "customer_id_field": filter(None, [self.customer_id_field])}
        named |= {"person": self.person, "new_person": self.new_person, "marketing": self.marketing}
        for setting, keys in named.items():
            for key in keys:
                if not CUSTOM.fullmatch(key) and (setting in ("fields", "customer_id_field") or key != MARKETING):
                    text = "is not the API key of a custom field: 40 characters, 0-9 and a-f"
                    raise ValueError(f"{setting}: '{key}' {text}")
        return self

    @property
    def base(self) -> str:
        return str(self.base_url).rstrip("/") if self.base_url else f"https://{self.company}.pipedrive.com"
