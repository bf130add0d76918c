"""Where the server is: one URL, for the store and for Celery.

    redis://[USER:PASSWORD@]HOST[:6379][/DB]                    rediss:// the same over TLS
    sentinel://[USER:PASSWORD@]HOST[:26379],HOST,…/NAME[/DB]    sentinels:// the same over TLS
    unix://[USER:PASSWORD@]/PATH[?db=DB]

USER and PASSWORD are the server's. Options follow a '?': `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` are files;
`sentinel_username` and `sentinel_password` are for Sentinels that want their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

#: Scheme -> (port, TLS).
_SCHEMES = {"redis": (6379, False), "rediss": (6379, True), "sentinel": (26379, False), "sentinels": (26379, True)}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OF_SENTINELS = ("sentinel_username", "sentinel_password")
_SHAPE = (
    "expected redis://host:6379/0, rediss://…, sentinel://host:26379,host:26379/NAME/0, sentinels://… or unix:///path"
)

_WRITTEN = f"a port is not a number, or one of / ? # [ in a password is not written as %2F and so on; {_SHAPE}"


@dataclass(frozen=True)
class Address:
    """`hosts` are the server's, or its Sentinels' when there is a `service`, which is what they call it. `path` is that
    of a socket, or "". `files` are redis-py's options of these names; a certificate is always verified."""

    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


def parse_redis_url(url: str) -> Address:
    """Raises ValueError, which says what to type and shows nothing of the URL but names."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in (*_SCHEMES, "unix"):
        raise ValueError(_SHAPE)
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:  # its words have the password in them
        raise ValueError(_WRITTEN) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user, _, netloc = parts.netloc.rpartition("@")
    name, _, word = user.partition(":")
    port, tls = _SCHEMES.get(scheme, (0, False))
    username, password = unquote(name) or None, unquote(word) or None
    if scheme == "unix":
        if netloc or not parts.path:
            raise ValueError(_SHAPE)
        database = _database(options.pop("db", ""))
        _only(options, ())
        return Address(path=unquote(parts.path), database=database, username=username, password=password)
    hosts = tuple(_host(part, port) for part in netloc.split(","))
    pieces = parts.path.strip("/").split("/")
    service = unquote(pieces.pop(0)) if scheme.startswith("sentinel") else ""
    if (len(hosts) > 1 or scheme.startswith("sentinel")) and not service:
        raise ValueError("Sentinels need a name: sentinel://host:26379,host:26379/NAME/0, with NAME as they call it")
    if len(pieces) > 1:
        raise ValueError(_SHAPE)
    database = _database(options.pop("db", "") or "".join(pieces))
    _verified(options)
    _only(options, (*(_FILES if tls else ()), *(_OF_SENTINELS if service else ())))
    for option in _FILES:
        if option in options and not Path(options[option]).is_file():
            raise ValueError(f"{option}: there is no file {options[option]}")
    return Address(
        hosts=hosts,
        service=service,
        database=database,
        username=username,
        password=password,
        tls=tls,
        files={option: options[option] for option in _FILES if option in options},
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _host(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return unquote(parts.hostname or "localhost"), parts.port or port
    except ValueError:
        raise ValueError(_WRITTEN) from None


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise ValueError("the database is a number, such as 0")
    return int(text or 0)


def _verified(options: dict[str, str]) -> None:
    """Who can read what passes by can read every chat; who can answer instead of the server can lose them."""
    if options.pop("ssl_cert_reqs", "required").lower() not in ("required", "cert_required"):
        raise ValueError("ssl_cert_reqs: certificates are always verified; name the authority's file in ssl_ca_certs")
    if options.pop("ssl_check_hostname", "true").lower() not in ("true", "yes", "1"):
        raise ValueError("ssl_check_hostname: names are always verified; use the name that the certificate has")


def _only(options: Mapping[str, str], known: tuple[str, ...]) -> None:
    for option in options:
        if option in (*_FILES, *_OF_SENTINELS) and option not in known:
            raise ValueError(f"{option} goes with {'rediss:// or sentinels://' if option in _FILES else 'sentinel://'}")
        if option not in known:
            raise ValueError(f"unknown option; available: db, {', '.join((*_FILES, *_OF_SENTINELS))}")
