"""How Zendesk is asked, and what its answers mean.

https://developer.zendesk.com/api-reference/introduction/requests/
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from requests import Response

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
# Within a text every quotation mark has a backslash, so nothing that a visitor wrote looks like these.
_CODE = re.compile(rb'"error"\s*:\s*"(\w+)"|"(\w+?)(?:_id)?"\s*:\s*\[')


class ZendeskSettings(RecordSettings):
    """Settings of `type: zendesk`."""

    # 200 requests a minute on the smallest plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: no limit.")
    subdomain: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9-]*)?$", description="acme, for https://acme.zendesk.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of subdomain.")
    email: str = Field(
        min_length=3, description="Email of the agent in whose name Relay works; the author of the comments."
    )
    api_token: SecretStr = Field(description="From Admin Center, Apps and integrations, APIs, API tokens.")
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
    def _has_one_address(self) -> Self:
        if bool(self.subdomain) == bool(self.base_url):
            raise ValueError("write either 'subdomain: acme' or 'base_url: https://acme.zendesk.com'")
        if self.base_url and (self.base_url.username or self.base_url.password):
            raise ValueError("base_url is shown to people; remove the credentials from it")
        return self


class ZendeskApi(HttpConnector[ZendeskSettings]):
    """The part of the connector that knows nothing of chats."""

    @property
    def base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.subdomain}.zendesk.com").rstrip("/")

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
        auth = (f"{self.settings.email}/token", self.settings.api_token.get_secret_value())
        return self.http.reply(method, f"{self.base}/api/v2/{path}", auth=auth, headers=headers, **options)

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
