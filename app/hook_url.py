"""The addresses that Smartsupp is given, and how to try them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from app.up import local_url
from core.environment import Environment
from core.settings import Settings

_SAMPLE = {"accountId": 1000, "channel": {"id": "hello-1"}, "visitor": {"name": "Ann"}, "messages": []}


@dataclass(frozen=True)
class Hook:
    """`url` holds the token, which is a secret; `hidden` is the address without it. `account` is the only one whose
    chats come with this token, or ""."""

    url: str
    hidden: str
    account: str

    @property
    def curl(self) -> str:
        """A line for a shell that sends a small chat."""
        return f"curl -d {shlex.quote(json.dumps(_SAMPLE))} {shlex.quote(self.url)}"


def hooks(env: Environment, settings: Settings) -> list[Hook]:
    """One for each token."""
    base = env.public_url or local_url(env)
    return [
        Hook(f"{base}/smartsupp/{token.token.get_secret_value()}", f"{base}/smartsupp/…", token.account or "")
        for token in settings.tokens
    ]
