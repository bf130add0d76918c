"""Standard Webhooks: a secret that can sign, and the headers that prove who posts.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from standardwebhooks import Webhook as Signer


def _is_base64(secret: SecretStr) -> SecretStr:
    try:
        size = len(base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not 24 <= size <= 64:
        raise ValueError(
            "expected base64 of 24 to 64 bytes, with or without whsec_ in front; make one with: openssl rand -base64 32"
        )
    return secret


SigningSecret = Annotated[SecretStr, AfterValidator(_is_base64)]


def headers(message: str, body: str, secret: SecretStr | None) -> dict[str, str]:
    """What goes with a JSON body. `message` is its id, the same for every try; without a secret nothing is signed."""
    now = datetime.now(UTC)
    found = {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if secret is not None:
        found["webhook-signature"] = _signer(secret.get_secret_value()).sign(message, now, body)
    return found


@lru_cache
def _signer(secret: str) -> Signer:
    return Signer(secret)
