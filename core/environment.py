"""Where a process runs: the environment variables, read once and checked, every problem at once."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from core.errors import ConfigError, Problem

MIN_TOKEN = 16

_ACCOUNT = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$")
# The token is one segment of a path: with a slash in it the address leads nowhere, with a '?' or '%' elsewhere.
_TOKEN = re.compile(r"[A-Za-z0-9._~!$&'()*+;=:@-]+")


class Strict(BaseModel):
    """Base of everything in the file: a key that nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _trouble(token: str) -> str:
    """What is wrong with a token and what to type, or ""."""
    if len(token) >= MIN_TOKEN and _TOKEN.fullmatch(token):
        return ""
    return f"a token needs at least {MIN_TOKEN} characters, none of them / ? # % or a space; try: openssl rand -hex 24"


def _usable(token: SecretStr) -> SecretStr:
    if trouble := _trouble(token.get_secret_value()):
        raise ValueError(trouble)
    return token


class Token(Strict):
    """A secret in the hook's URL. `account` ties it to one Smartsupp account."""

    token: Annotated[SecretStr, AfterValidator(_usable)] = Field(
        description=f"At least {MIN_TOKEN} characters.", json_schema_extra={"minLength": MIN_TOKEN}
    )
    account: str | None = Field(
        default=None, pattern=_ACCOUNT.pattern, description="The account whose conversations come with it; or any."
    )


@dataclass(frozen=True)
class Environment:
    """Where this process runs. Paths are absolute."""

    redis_url: str
    config: Path
    config_required: bool
    data_dir: Path
    host: str
    port: int
    concurrency: int
    tokens: tuple[Token, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the server is ours to start: no RELAY_REDIS_URL was given."""
        return not self.redis_url

    @property
    def socket(self) -> Path:
        """The embedded server's Unix socket. The system allows about 100 characters; a longer path moves to /tmp."""
        socket = self.data_dir / "valkey" / "valkey.sock"
        if len(os.fsencode(socket)) < 100:
            return socket
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"relay-{os.getuid()}-{digest}" / "valkey.sock"

    @property
    def server_url(self) -> str:
        """The address of the server, whoever starts it."""
        return self.redis_url or f"unix://{self.socket}"


def environment(variables: Mapping[str, str]) -> Environment:
    """Read the variables. Raises ConfigError with every problem."""
    problems: list[Problem] = []

    def number(name: str, default: int, low: int, high: int) -> int:
        text = variables.get(name, "").strip()
        if not text:
            return default
        if text.isdecimal() and len(text) < 10 and low <= int(text) <= high:
            return int(text)
        problems.append(Problem(name, f"expected a number from {low} to {high}, got '{text}'"))
        return default

    data_dir = Path(os.path.abspath(variables.get("RELAY_DATA_DIR") or "var"))
    config = variables.get("RELAY_CONFIG") or ""
    redis_url = variables.get("RELAY_REDIS_URL") or ""
    if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        problems.append(Problem("RELAY_REDIS_URL", "expected redis://host:6379/0, rediss://… or unix:///path"))
    result = Environment(
        redis_url=redis_url,
        config=Path(os.path.abspath(config or "relay.yaml")),
        config_required=bool(config),
        data_dir=data_dir,
        host=variables.get("RELAY_HOST") or "127.0.0.1",
        # PORT is what platforms that run a Procfile set.
        port=number("RELAY_PORT" if variables.get("RELAY_PORT") else "PORT", 8000, 1, 65535),
        concurrency=number("RELAY_CONCURRENCY", 16, 2, 512),
        tokens=tuple(_tokens(variables.get("SMARTSUPP_TOKEN") or _kept(data_dir), problems)),
    )
    if problems:
        raise ConfigError("the environment", problems)
    return result


def _tokens(text: str, problems: list[Problem]) -> Iterable[Token]:
    """`TOKEN` or `ACCOUNT:TOKEN`, several with commas between them."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        account, _, token = part.rpartition(":")
        if trouble := _trouble(token):
            problems.append(Problem("SMARTSUPP_TOKEN", trouble))
        elif account and not _ACCOUNT.fullmatch(account):
            problems.append(Problem("SMARTSUPP_TOKEN", "write ACCOUNT:TOKEN, with Smartsupp's account id"))
        else:
            yield Token(token=SecretStr(token), account=account or None)


def token_file(data_dir: Path) -> Path:
    """Where `relay up` keeps the token that it made because none was given."""
    return data_dir / "smartsupp-token"


def _kept(data_dir: Path) -> str:
    try:
        return token_file(data_dir).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
