"""The difference between two versions of relay.yaml, for people: secrets that stand in the file are not shown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from core.config.settings import Settings

_MASK = "**********"
#: A shorter value would blank words that are none.
_SHORTEST = 4
#: What a setting with a secret is called; also in comments, which nobody has checked. A reference is no secret.
_SECRET_LINE = re.compile(
    r"^([ +-]?[\s#-]*(?:\w+[_-])?(?:token|secret|password|passphrase|key|credentials?)\s*:\s+)"
    r"(?!['\"]?\$\{|null\b|#)(\S.*)$",
    re.IGNORECASE,
)


def difference(before: str, after: str, name: str, *settings: Settings | None) -> str:
    """As `diff -u` writes it; "" where nothing changes. Secrets of the settings are masked wherever they stand."""
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (new)", lineterm="")
    )
    secrets = sorted({one for found in settings if found for one in _secrets_of(found)}, key=len, reverse=True)
    return "".join(f"{_masked(line, secrets)}\n" for line in lines)


def _masked(line: str, secrets: Iterable[str]) -> str:
    line = _SECRET_LINE.sub(rf"\1{_MASK}", line)
    for secret in secrets:
        line = line.replace(secret, _MASK)
    return line


def _secrets_of(settings: Settings) -> Iterator[str]:
    for part in (settings.tokens, settings.connectors, settings.alerts):
        yield from (one for one in _within(part) if len(one) >= _SHORTEST)


def _within(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        # A secret of several lines stands in the file line by line.
        yield from value.get_secret_value().splitlines()
    elif isinstance(value, BaseModel):
        yield from (one for name in type(value).model_fields for one in _within(getattr(value, name)))
    elif isinstance(value, Mapping):
        yield from (one for item in value.values() for one in _within(item))
    elif isinstance(value, list | tuple):
        yield from (one for item in value for one in _within(item))
