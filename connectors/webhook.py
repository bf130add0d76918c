"""Webhook: a POST of the normalised conversation to any address, signed after Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import AnyHttpUrl, BaseModel, Field, field_validator

from connectors.kit.connector import HttpConnector, HttpSettings, Receipt, Step
from core import signing
from core.conversation import Conversation
from core.delivery import Reference


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


class Event(BaseModel):
    """What is posted, in the form that Standard Webhooks recommends."""

    type: str
    timestamp: str
    data: Data


class Webhook(HttpConnector[WebhookSettings]):
    label = "Webhook"
    speaks_json = False

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        # The same for every try of one revision, so that the receiver can tell a repeat.
        message = "msg_" + hashlib.sha256(f"{receipt.delivery} {receipt.revision.payload}".encode()).hexdigest()[:32]
        body = Event(
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

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Any program answers something; nothing of it is read."""
        return {}
