"""Where a process runs: the environment variables, read once and checked, every problem at once."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from core.config.mistakes.files import file_mistake
from core.config.mistakes.values import EMPTY_SECRET, network_mistake
from core.config.redis_url import parse_redis_url
from core.errors import ConfigError, Problem

Network = IPv4Network | IPv6Network

MIN_TOKEN = 16
#: Free bytes of the disk with the data folder, at which it is filling, and nearly full.
DISK_FILLING, DISK_FULL = 1024**3, 100 * 1024**2

ACCOUNT_ID = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$")
# The token is one segment of a path: with a slash in it the address leads nowhere, with a '?' or '%' elsewhere.
_TOKEN = re.compile(r"[A-Za-z0-9._~!$&'()*+;=:@-]+")


class Strict(BaseModel):
    """Base of everything in the file: a key that nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _says_what_it_means(cls, value: Any, info: ValidationInfo) -> Any:
        """`off` is no number, though Python takes it for 0, and an empty secret is none."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            raise PydanticCustomError("switch_for_number", "a switch for a number")
        if isinstance(value, str) and SecretStr in kinds:
            if not value.strip():
                raise ValueError(EMPTY_SECRET)
            if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
                raise ValueError("looks like a variable; write it with braces: ${NAME}")
        return value


def _trouble(token: str) -> str:
    """What is wrong with a token and what to type, or ""."""
    if len(token) >= MIN_TOKEN and _TOKEN.fullmatch(token):
        return ""
    return f"a token needs at least {MIN_TOKEN} characters, none of them / ? # % or a space; try: openssl rand -hex 24"


def usable_token(token: SecretStr) -> SecretStr:
    """The token itself. Raises ValueError where it is no segment of a path, or can be guessed."""
    if trouble := _trouble(token.get_secret_value()):
        raise ValueError(trouble)
    return token


class Token(Strict):
    """A secret in the hook's URL. `account` ties it to one Smartsupp account."""

    token: Annotated[SecretStr, AfterValidator(usable_token)] = Field(
        description=f"At least {MIN_TOKEN} characters.", json_schema_extra={"minLength": MIN_TOKEN}
    )
    account: str | None = Field(
        default=None, pattern=ACCOUNT_ID.pattern, description="The account whose conversations come with it; or any."
    )


@dataclass(frozen=True)
class Environment:
    """Where this process runs. Paths are absolute; `public_url` has no slash at its end, and is "" where unknown."""

    redis_url: SecretStr
    config: Path
    config_required: bool
    data_dir: Path
    host: str
    port: int
    concurrency: int
    tokens: tuple[Token, ...] = ()
    encryption_keys: tuple[SecretStr, ...] = ()
    metrics_token: SecretStr = field(default=SecretStr(""))
    public_url: str = ""
    session_hours: int = 12
    trusted_proxies: tuple[Network, ...] = ()
    user_header: str = ""
    allowed_sources: tuple[Network, ...] = ()
    compress: bool = False

    @property
    def embedded(self) -> bool:
        """Whether the server is ours to start: no RELAY_REDIS_URL was given."""
        return not self.redis_url.get_secret_value()

    @property
    def disk(self) -> Path | None:
        """A folder on the disk of the store, where that is here."""
        return self.data_dir if self.embedded else None

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
        return self.redis_url.get_secret_value() or f"unix://{self.socket}"


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

    def switch(name: str) -> bool:
        text = variables.get(name, "").strip().lower()
        if text not in ("", "true", "false"):
            problems.append(Problem(name, f"expected true or false, got '{text}'"))
        return text == "true"

    data_dir = Path(os.path.abspath(variables.get("RELAY_DATA_DIR") or "var"))
    config = variables.get("RELAY_CONFIG") or ""
    redis_url = _secret("RELAY_REDIS_URL", variables, problems)
    try:
        parse_redis_url(redis_url or "unix:///embedded")
    except ValueError as error:
        problems.append(Problem("RELAY_REDIS_URL", str(error)))
    result = Environment(
        redis_url=SecretStr(redis_url),
        config=Path(os.path.abspath(config or "relay.yaml")),
        config_required=bool(config),
        data_dir=data_dir,
        host=variables.get("RELAY_HOST") or "127.0.0.1",
        # PORT is what platforms that run a Procfile set.
        port=number("RELAY_PORT" if variables.get("RELAY_PORT") else "PORT", 8000, 1, 65535),
        concurrency=number("RELAY_CONCURRENCY", 16, 2, 512),
        tokens=tuple(_tokens(variables.get("SMARTSUPP_TOKEN") or _kept(data_dir), problems)),
        encryption_keys=tuple(SecretStr(key) for key in _encryption_keys(variables, problems)),
        metrics_token=SecretStr(_secret("RELAY_METRICS_TOKEN", variables, problems)),
        public_url=_public_url(variables.get("RELAY_PUBLIC_URL") or "", problems),
        session_hours=number("RELAY_SESSION_HOURS", 12, 1, 24 * 30),
        trusted_proxies=tuple(_networks("RELAY_TRUSTED_PROXIES", variables, problems)),
        allowed_sources=tuple(_networks("RELAY_ALLOWED_SOURCES", variables, problems)),
        compress=switch("RELAY_COMPRESS"),
        user_header=_header(variables.get("RELAY_USER_HEADER") or "", problems),
    )
    if result.user_header and not (result.trusted_proxies or variables.get("RELAY_TRUSTED_PROXIES", "").strip()):
        problems.append(
            Problem("RELAY_USER_HEADER", "anyone could send it; name your proxies in RELAY_TRUSTED_PROXIES")
        )
    if problems:
        raise ConfigError("the environment", problems)
    return result


def _secret(name: str, variables: Mapping[str, str], problems: list[Problem]) -> str:
    """A variable, or what is in the file that `NAME_FILE` names; "" where there is neither."""
    file = variables.get(f"{name}_FILE")
    if not file:
        return variables.get(name) or ""
    why = "is empty"
    try:
        if text := Path(file).read_text(encoding="utf-8").strip():
            return text
    except (OSError, ValueError) as error:
        why = f"cannot be read: {file_mistake(error)}"
    problems.append(Problem(f"{name}_FILE", f"{file} {why}"))
    return ""


def _encryption_keys(variables: Mapping[str, str], problems: list[Problem]) -> Iterable[str]:
    """Fernet keys, the newest first, with commas or line ends between them; from the variable, or the file that another
    one names."""
    text = _secret("RELAY_ENCRYPTION_KEYS", variables, problems)
    for key in text.replace(",", " ").split():
        try:
            right = len(base64.urlsafe_b64decode(key)) == 32
        except ValueError:
            right = False
        if right:
            yield key
        else:
            problems.append(
                Problem(
                    "RELAY_ENCRYPTION_KEYS",
                    "expected 32 bytes in base64; make one with: openssl rand -base64 32 | tr +/ -_",
                )
            )


def _tokens(text: str, problems: list[Problem]) -> Iterable[Token]:
    """`TOKEN` or `ACCOUNT:TOKEN`, several with commas between them."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        account, _, token = part.rpartition(":")
        if trouble := _trouble(token):
            problems.append(Problem("SMARTSUPP_TOKEN", trouble))
        elif account and not ACCOUNT_ID.fullmatch(account):
            problems.append(Problem("SMARTSUPP_TOKEN", "write ACCOUNT:TOKEN, with Smartsupp's account id"))
        else:
            yield Token(token=SecretStr(token), account=account or None)


def _public_url(text: str, problems: list[Problem]) -> str:
    """`https://relay.example.com`: the pages and the hook are at the root of an address."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
        if not url or (right and url == f"{parts.scheme}://{parts.netloc}" and not re.search(r"[\s\\]", url)):
            return url
    except ValueError:
        pass
    problems.append(Problem("RELAY_PUBLIC_URL", "expected http(s)://HOST or http(s)://HOST:PORT, without a path"))
    return ""


def _networks(name: str, variables: Mapping[str, str], problems: list[Problem]) -> Iterable[Network]:
    for part in filter(None, (part.strip() for part in variables.get(name, "").split(","))):
        try:
            network = ip_network(part)
        except ValueError:
            problems.append(Problem(name, f"'{part}' {network_mistake(part)}; several have commas between them"))
            continue
        if network.prefixlen == 0:
            problems.append(Problem(name, f"{part} allows everybody; name smaller networks"))
            continue
        yield network


def _header(text: str, problems: list[Problem]) -> str:
    name = text.strip()
    if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        problems.append(Problem("RELAY_USER_HEADER", "expected the name of a header, such as X-Forwarded-User"))
        return ""
    return name


def token_file(data_dir: Path) -> Path:
    """Where `relay up` keeps the token that it made because none was given."""
    return data_dir / "smartsupp-token"


def _kept(data_dir: Path) -> str:
    try:
        return token_file(data_dir).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
