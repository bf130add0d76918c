"""HubSpot's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PeopleSettings
from connectors.kit.work.one_record import OneRecordSettings
from connectors.kit.work.owner import OwnerSettings
from connectors.kit.work.task import WorkSettings
from core.config.types.templated import Templated

Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class HubSpotSettings(PeopleSettings, OwnerSettings, OneRecordSettings, WorkSettings, FileSettings):
    """Settings of `type: hubspot`."""

    account_settings: ClassVar[tuple[str, ...]] = ("base_url", "portal_id", "token")

    # 100 requests in ten seconds on the smallest plans; a second's worth may come at once.
    rate: float | None = Field(default=9, gt=0, description="Requests a second, over all workers; null: no limit.")
    token: SecretStr = Field(description="A service key, or the access token of a private app.")
    base_url: AnyHttpUrl = Field(default=AnyHttpUrl("https://api.hubapi.com"), description="Where the API is.")
    portal_id: Id | None = Field(default=None, description="The account's number, for links; without it, it is asked.")
    ticket: bool = Field(default=True, description="false: no ticket, only notes on the contact.")
    pipeline: Templated[Id] = Field(default="0", description="Id of the ticket's pipeline.")
    stage: Templated[Id] = Field(default="1", description="Id of the stage in it where new tickets begin.")

    @model_validator(mode="after")
    def _has_what_is_shared(self) -> Self:
        if self.one_record == "per_person_open" and not self.ticket:
            raise ValueError("one_record: per_person_open adds chats to a ticket; it needs ticket: true")
        return self
