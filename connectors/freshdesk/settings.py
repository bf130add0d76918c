"""Settings of `type: freshdesk`."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PersonSettings
from connectors.kit.work.chat import DeskSettings
from core.config.types.templated import Templated

#: Freshdesk wants these of every ticket; a template that comes out as nothing leaves them at this.
STANDARD = {"status": 2, "priority": 1, "source": 7}

#: The fields of a contact that are not custom ones, as far as a chat may fill them.
#: https://developers.freshdesk.com/api/#contact_attributes
CONTACT_FIELDS = (
    *("name", "email", "phone", "mobile", "unique_external_id", "twitter_id"),
    *("address", "description", "job_title", "language", "time_zone"),
)

Positive = Annotated[int, Field(ge=1)]
Status = Annotated[int, Field(ge=2)]
Priority = Annotated[int, Field(ge=1, le=4)]


class FreshdeskSettings(DeskSettings, PersonSettings, FileSettings):
    """Settings of `type: freshdesk`."""

    # 200 requests a minute on the smallest paid plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: no limit.")
    domain: str = Field(default="", description="What stands before .freshdesk.com.")
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of domain.")
    api_key: SecretStr = Field(description="Of the agent who makes the tickets, from the profile settings.")
    status: Templated[Status] = Field(
        default=STANDARD["status"], description="2 open, 3 pending, 4 resolved, 5 closed, or one of your own."
    )
    priority: Templated[Priority] = Field(
        default=STANDARD["priority"], description="1 low, 2 medium, 3 high, 4 urgent."
    )
    source: Templated[Positive] = Field(default=STANDARD["source"], description="7 is chat.")
    group_id: Templated[int] | None = Field(default=None, description="The group that gets the tickets.")
    product_id: Templated[int] | None = Field(default=None, description="The product that the tickets are about.")
    ticket_type: Templated[str] | None = Field(default=None, description="The ticket's type, such as Question.")
    key_field: str = Field(default="", description="A custom text field that marks the ticket, instead of a tag.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if bool(self.domain) == bool(self.base_url):
            raise ValueError("expected one of domain and base_url; write, for one, domain: shop")
        if self.domain and not re.fullmatch(r"[A-Za-z0-9-]+", self.domain):
            raise ValueError("domain: expected what stands before .freshdesk.com, such as shop")
        return self
