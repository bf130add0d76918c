"""Settings of `type: zendesk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator

from connectors.kit.auth.oauth import OAuthSettings
from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PersonSettings
from connectors.kit.work.chat import DeskSettings
from core.config.types.templated import Templated

#: The fields of a user that are not custom ones, as far as a chat may fill them.
#: https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format
OF_USER = ("name", "email", "phone", "external_id", "notes", "details", "locale", "time_zone")
#: https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
TOKENS_END = (
    "Zendesk switches off all API tokens on 30 April 2027, and a token that is not used for 30 days earlier. "
    "It has made no new ones since 27 October 2026."
)
MOVE = "Make an OAuth client in Zendesk, and put client_id and client_secret in place of email and api_token."


class ZendeskSettings(OAuthSettings, DeskSettings, PersonSettings, FileSettings):
    """Settings of `type: zendesk`."""

    # 200 requests a minute on the smallest plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: no limit.")
    subdomain: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9-]*)?$", description="acme, for https://acme.zendesk.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of subdomain.")
    email: str = Field(default="", description="With api_token: email of the agent in whose name Relay works.")
    api_token: SecretStr | None = Field(default=None, description="An API token from before 27 October 2026.")
    group_id: Templated[int] | None = Field(default=None, description="The group that gets the tickets.")
    brand_id: Templated[int] | None = Field(default=None, description="The brand of the tickets.")
    ticket_form_id: Templated[int] | None = Field(default=None, description="The form of the tickets.")
    ticket_type: Templated[Literal["problem", "incident", "question", "task"]] | None = Field(
        default=None, description="Of new tickets."
    )
    priority: Templated[Literal["urgent", "high", "normal", "low"]] | None = Field(
        default=None, description="Of new tickets."
    )
    status: Templated[Literal["new", "open", "pending", "hold", "solved"]] | None = Field(
        default=None, description="Of new tickets."
    )
    past_status: Literal["new", "open", "pending", "hold", "solved", "closed"] | None = Field(
        default=None, description="Of tickets for past chats, which are imported; null: as status."
    )

    @field_validator("fields", mode="before")
    @classmethod
    def _are_numbers(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        # YAML reads a number without quotation marks as one.
        texts = {str(name): template for name, template in fields.items()}
        if wrong := [name for name in texts if not (name.isascii() and name.isdecimal())]:
            raise ValueError(f"'{wrong[0]}' is not the number of a custom field; Admin Center shows it in its list")
        return texts

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        for user, secret in (("email", "api_token"), ("client_id", "client_secret")):
            if getattr(self, user) and secret in self.model_fields_set and not getattr(self, secret):
                raise ValueError(f"{secret}: is empty; type the secret, or ${{NAME}}")
        oauth = bool(self.client_id and self.client_secret)
        if oauth == bool(self.api_token) or bool(self.api_token) != bool(self.email):
            raise ValueError(
                "write client_id and client_secret of an OAuth client; or, until 30 April 2027, email and api_token"
            )
        return self

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if bool(self.subdomain) == bool(self.base_url):
            raise ValueError("write either 'subdomain: acme' or 'base_url: https://acme.zendesk.com'")
        if self.base_url and (self.base_url.username or self.base_url.password):
            raise ValueError("base_url is shown to people; remove the credentials from it")
        return self

    def doubts(self) -> Iterator[tuple[str, str]]:
        if self.api_token:
            yield TOKENS_END, MOVE
