"""An address that is a secret as a whole: chat services put into it what lets somebody write there."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def _web_address(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or any(one.isspace() or not one.isprintable() for one in value.get_secret_value()):
        raise ValueError("must be a whole address, such as https://example.com/alerts")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user and password")
    return value


SecretUrl = Annotated[SecretStr, AfterValidator(_web_address)]
