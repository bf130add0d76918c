"""How Zendesk is asked, and what its answers mean.

https://developer.zendesk.com/api-reference/introduction/requests/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Table
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from requests import Response

from connectors.kit.auth.credentials import Basic, Credentials
from connectors.kit.auth.oauth import OAuthSettings, Provider
from connectors.kit.connector import HttpConnector
from connectors.kit.record import RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.responses import STATUS, Verdict, refusal
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater

#: What the codes, and the names of the fields complained of, in the body of a 400 or 422 mean. What is not here is a
#: refusal of this record. https://developer.zendesk.com/api-reference/introduction/requests/#400-range
MEANS: Table[bytes, Verdict] = {
    # The key was used for another body: an earlier create got through after all, and the next try will find it.
    b"IdempotentRequestError": RetryLater,
    # These come from our settings, so every record would be refused for them.
    b"group": ConnectorRefused,
    b"brand": ConnectorRefused,
    b"ticket_form": ConnectorRefused,
}
#: https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
TOKENS_END = (
    "Zendesk switches off all API tokens on 30 April 2027, and a token that is not used for 30 days earlier. "
    "It has made no new ones since 27 October 2026."
)
MOVE = "Make an OAuth client in Zendesk, and put client_id and client_secret in place of email and api_token."
# Within a text every quotation mark has a backslash, so nothing that a visitor wrote looks like these.
_CODE = re.compile(rb'"error"\s*:\s*"(\w+)"|"(\w+?)(?:_id)?"\s*:\s*\[')


class ZendeskSettings(OAuthSettings, RecordSettings):
    """Settings of `type: zendesk`."""

    # 200 requests a minute on the smallest plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: any.")
    subdomain: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9-]*)?$", description="acme, for https://acme.zendesk.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of subdomain.")
    email: str = Field(default="", description="With api_token: of the agent as whom we work.")
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
            raise ValueError("base_url is shown to people; take the credentials out of it")
        return self

    def doubts(self) -> Iterator[tuple[str, str]]:
        if self.api_token:
            yield TOKENS_END, MOVE


class ZendeskApi(HttpConnector[ZendeskSettings]):
    """The part of the connector that knows nothing of chats."""

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
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        return super().ask(method, f"/api/v2/{path}", headers=headers, **options)

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code // 100 == 2:
            return None
        said = _said(answer)
        known = next((verdict for code, verdict in MEANS.items() if code in said), RecordRefused)
        # 409: somebody changed the same thing at the same moment.
        error = refusal(answer, {**STATUS, 400: known, 409: RetryLater, 422: known}, self.mask)
        reset = answer.headers.get("ratelimit-reset", "")
        if answer.status_code == 429 and isinstance(error, RetryLater) and error.retry_after is None:
            # https://developer.zendesk.com/api-reference/introduction/rate-limits/ : seconds, not a time.
            error.retry_after = float(reset) if reset.isdecimal() else None
        return error

    def judge_of_ticket(self, answer: Response) -> DeliveryError | None:
        """What an answer means when the request names a ticket that was made earlier."""
        said = self.judge(answer)
        if answer.status_code == 404:
            return RecordRefused(f"the ticket was deleted in Zendesk; restore it and replay: {said}", status=404)
        if answer.status_code == 422 and b"prevents ticket update" in answer.content:
            # No follow-up ticket: one conversation is one record, and whoever closed it had seen the chat.
            return RecordRefused(
                f"the ticket is closed, and Zendesk adds nothing to closed tickets; read on in Smartsupp: {said}",
                status=422,
            )
        return said

    def judge_of_person(self, answer: Response) -> DeliveryError | None:
        """What an answer means when the request brings a visitor, by address or by number."""
        error = self.judge(answer)
        if answer.status_code != 422 or type(error) is not RecordRefused:
            return error
        # Suspended, deleted, or an address that Zendesk takes for none.
        steps = {b"requester": "requester", b"email": "requester", b"submitter": "agent"}
        named = [step for code, step in steps.items() if code in _said(answer)]
        return Gone(str(error), *named, status=422) if named else error

    def judge_of_new_user(self, answer: Response) -> DeliveryError | None:
        """The same; but that somebody has the address already is an answer."""
        taken = answer.status_code == 422 and b"DuplicateValue" in _said(answer)
        return None if taken else self.judge_of_person(answer)


def _said(answer: Response) -> set[bytes]:
    """The codes of an answer, and the fields that it complains of."""
    return {code or field for code, field in _CODE.findall(answer.content)}
