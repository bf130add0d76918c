"""Webhook: a POST of the normalised conversation to any address, signed after Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, BaseModel, Field, field_validator
from requests import Response

from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Finding, HttpConnector, HttpSettings, Receipt, Step
from connectors.kit.responses import shown
from core import signing
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import DeliveryError


class WebhookSettings(HttpSettings):
    """Settings of `type: webhook`."""

    url: AnyHttpUrl = Field(description="Where the conversation is posted.")
    secret: signing.SigningSecret = Field(description="The signing secret: base64, with or without whsec_ in front.")

    @field_validator("url")
    @classmethod
    def _has_no_credentials(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("the address is shown to people; remove the credentials from it")
        return url


class Data(BaseModel):
    revision: int
    conversation: Conversation


class _Event(BaseModel):
    """What is posted, in the form that Standard Webhooks recommends."""

    type: str
    timestamp: str
    data: Data


class Webhook(HttpConnector[WebhookSettings]):
    label = "Webhook"
    makes = "a signed POST of the chat as JSON to an address of yours"
    capabilities = Capabilities(
        person="in the JSON",
        revision="a further POST",
        idempotent="`webhook-id`, the same in every repeat, which your program compares",
    )
    speaks_json = False

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        # The same for every try of one revision, so that the receiver can tell a repeat.
        message = "msg_" + hashlib.sha256(f"{receipt.delivery} {receipt.revision.payload}".encode()).hexdigest()[:32]
        body = _Event(
            type="conversation.received" if receipt.revision.number == 1 else "conversation.revised",
            timestamp=receipt.revision.received_at.isoformat(),
            data=Data(revision=receipt.revision.number, conversation=conversation),
        ).model_dump_json()
        self.http.request(
            "POST",
            str(self.settings.url),
            data=body.encode(),
            headers=signing.headers(message, body, self.settings.secret),
        )
        return Reference(message)

    def check(self) -> Iterator[Finding]:
        """That somebody answers there; what he thinks of our signature, only a chat tells, and none is sent."""
        url = str(self.settings.url)
        answer = self.http.request("HEAD", url, judge=self._judge_look)
        yield Finding(True, f"{urlsplit(url).netloc} answers (HTTP {answer.status_code} to a request without a chat)")
        moved = answer.headers.get("Location", "") if answer.is_redirect else ""
        if moved:
            yield Finding(False, f"the address has moved to {self.mask(shown(moved))}", "put that into url")

    def _judge_look(self, answer: Response) -> DeliveryError | None:
        """A program that takes chats alone may refuse everything else."""
        return super().judge(answer) if answer.status_code >= 500 or answer.status_code == 429 else None

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Any program answers something; nothing of it is read."""
        return {}
