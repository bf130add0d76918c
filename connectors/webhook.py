"""Webhook: a POST of the normalised conversation to any address, signed after Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from connectors.base import HttpConnector, HttpSettings, Receipt, Step
from core.conversation import Conversation
from core.delivery import Reference


class WebhookSettings(HttpSettings):
    """Settings of `type: webhook`."""

    url: AnyHttpUrl = Field(description="Where the conversation is posted.")
    secret: SecretStr = Field(description="The signing secret: base64, with or without whsec_ in front.")

    @field_validator("url")
    @classmethod
    def _has_no_credentials(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("an address is no secret and is shown; take the credentials out of it")
        return url

    @field_validator("secret")
    @classmethod
    def _is_base64(cls, secret: SecretStr) -> SecretStr:
        try:
            size = len(base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True))
        except ValueError:
            size = 0
        if not 24 <= size <= 64:
            raise ValueError(
                "expected base64 of 24 to 64 bytes, with or without whsec_ in front; "
                "make one with: openssl rand -base64 32"
            )
        return secret


class Webhook(HttpConnector[WebhookSettings]):
    label = "Webhook"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        # The same for every try of one revision, so that the receiver can tell a repeat.
        message = "msg_" + hashlib.sha256(f"{receipt.delivery} {receipt.revision.payload}".encode()).hexdigest()[:32]
        now = datetime.now(UTC)
        body = json.dumps(
            {
                "type": "conversation.received" if receipt.revision.number == 1 else "conversation.revised",
                "timestamp": receipt.revision.received_at.isoformat(),
                "data": {"revision": receipt.revision.number, "conversation": conversation.model_dump(mode="json")},
            },
            ensure_ascii=False,
        )
        self.http.request(
            "POST",
            str(self.settings.url),
            data=body.encode(),
            headers={
                "Content-Type": "application/json",
                "webhook-id": message,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Signer(self.settings.secret.get_secret_value()).sign(message, now, body),
            },
        )
        return Reference(message)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Any program answers something; nothing of it is read."""
        return {}
