"""The addresses of the pages and of the hook, as this machine and as Smartsupp reach them, and how to try them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from core.config.environment import Environment
from core.config.settings import Settings

_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on
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


def local_url(env: Environment) -> str:
    """Where this machine reaches the pages and the hook."""
    name = "127.0.0.1" if env.host in _ANY_ADDRESS else env.host
    return f"http://{f'[{name}]' if ':' in name else name}:{env.port}"


def hook_path(settings: Settings) -> str:
    """What follows the address in the hook's URL."""
    return f"/smartsupp/{settings.tokens[0].token.get_secret_value() if settings.tokens else 'TOKEN'}"


def hook_url(env: Environment, settings: Settings) -> str:
    """The hook, from this machine."""
    return local_url(env) + hook_path(settings)
