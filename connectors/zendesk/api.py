"""How Zendesk is asked, and what its answers mean.

https://developer.zendesk.com/api-reference/introduction/requests/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator

from connectors.kit.auth.credentials import Basic, Credentials
from connectors.kit.auth.oauth import OAuthSettings, Provider
from connectors.kit.connector import HttpConnector
from connectors.kit.record import RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.wire.verdicts import PAUSE, WAIT, Hint, Verdicts, When

#: Codes, and the names of the fields complained of, in the body of a 400 or 422. What is not here is a refusal of this
#: record. https://developer.zendesk.com/api-reference/introduction/requests/#400-range
VERDICTS = Verdicts(
    # 409: somebody changed the same thing at the same moment.
    statuses={409: WAIT},
    only=frozenset({400, 422}),
    codes={
        # The key was used for another body: an earlier create got through after all, and the next try will find it.
        "error": {"IdempotentRequestError": WAIT},
        # These come from our settings, so every record would be refused for them.
        "details{}": {name: PAUSE for one in ("group", "brand", "ticket_form") for name in (one, f"{one}_id")},
    },
    # https://developer.zendesk.com/api-reference/introduction/rate-limits/ : seconds, not a time.
    hints=(Hint(header="ratelimit-reset", on=(429,)),),
)
#: When the request names a ticket that was made earlier. No follow-up ticket: one conversation is one record, and
#: whoever closed it had seen the chat.
OF_TICKET = (
    When((404,), text="the ticket was deleted in Zendesk; restore it and replay"),
    When(
        (422,),
        text="the ticket is closed, and Zendesk adds nothing to closed tickets; read on in Smartsupp",
        said=(b"prevents ticket update",),
    ),
)
REQUESTER = frozenset({"requester", "requester_id", "email"})
#: When it brings a visitor, by address or by number: suspended, deleted, or an address that Zendesk takes for none.
OF_PERSON = (
    When((422,), steps=("requester",), codes={"details{}": REQUESTER}, refused=True),
    When((422,), steps=("agent",), codes={"details{}": frozenset({"submitter", "submitter_id"})}, refused=True),
)
#: When it brings a new user: that somebody has the address already is an answer.
OF_NEW_USER = (When((422,), then=None, codes={"details.*[].error": frozenset({"DuplicateValue"})}), *OF_PERSON)
#: https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
TOKENS_END = (
    "Zendesk switches off all API tokens on 30 April 2027, and a token that is not used for 30 days earlier. "
    "It has made no new ones since 27 October 2026."
)
MOVE = "Make an OAuth client in Zendesk, and put client_id and client_secret in place of email and api_token."


class ZendeskSettings(OAuthSettings, RecordSettings):
    """Settings of `type: zendesk`."""

    # 200 requests a minute on the smallest plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: no limit.")
    subdomain: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9-]*)?$", description="acme, for https://acme.zendesk.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of subdomain.")
    email: str = Field(default="", description="With api_token: email of the agent in whose name Relay works.")
    api_token: SecretStr | None = Field(default=None, description="An API token from before 27 October 2026.")
    group_id: int | None = Field(default=None, description="The group that gets the tickets.")
    brand_id: int | None = Field(default=None, description="The brand of the tickets.")
    ticket_form_id: int | None = Field(default=None, description="The form of the tickets.")
    priority: Literal["urgent", "high", "normal", "low"] | None = Field(default=None, description="Of new tickets.")
    status: Literal["new", "open", "pending", "hold", "solved"] | None = Field(
        default=None, description="Of new tickets."
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


class ZendeskApi(HttpConnector[ZendeskSettings]):
    """The part of the connector that knows nothing of chats."""

    verdicts: ClassVar[Verdicts | None] = VERDICTS
    headers: ClassVar[Mapping[str, str]] = {"Accept": "application/json"}

    @property
    def base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.subdomain}.zendesk.com").rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        own = self.settings
        if own.api_token:
            # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
            return Basic(f"{own.email}/token", own.api_token.get_secret_value())
        # https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
        return self.tokens(
            Provider(
                token_url=f"{self.base}/oauth/tokens",
                authorize_url=f"{self.base}/oauth/authorizations/new",
                client_id=own.client_id,
                client_secret=own.client_secret,
                grant=own.grant,
                scope=own.scope or "read write",
                as_json=True,
            )
        )

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        return super().ask(method, f"/api/v2/{path}", **options)
