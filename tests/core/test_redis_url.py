"""The server's address: what is understood, what is refused, and what Celery is told of it."""

from __future__ import annotations

from pathlib import Path
from ssl import CERT_REQUIRED
from typing import Any

import pytest

from core.config.environment import environment
from core.config.redis_url import Address, parse_redis_url
from core.errors import ConfigError
from core.store import connect
from workers.celery import create


@pytest.fixture
def pem(tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text("")
    return str(file)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://", Address((("localhost", 6379),))),
        ("redis://there", Address((("there", 6379),))),
        ("redis://there:1/2", Address((("there", 1),), database=2)),
        ("redis://there?db=2", Address((("there", 6379),), database=2)),
        ("redis://[::1]:1/0", Address((("::1", 1),))),
        ("redis://:p%2Fw%40@there", Address((("there", 6379),), password="p/w@")),
        ("rediss://me:pw@there", Address((("there", 6379),), username="me", password="pw", tls=True)),
        ("unix:///run/s", Address(path="/run/s")),
        ("unix://me:pw@/run/a%20b?db=3", Address(path="/run/a b", database=3, username="me", password="pw")),
        ("sentinel://a/chats", Address((("a", 26379),), service="chats")),
        (
            "sentinel://:pw@a,b:1,[::2]/chats/2?sentinel_password=x%26y&sentinel_username=u",
            Address(
                (("a", 26379), ("b", 1), ("::2", 26379)),
                service="chats",
                database=2,
                password="pw",
                sentinel_username="u",
                sentinel_password="x&y",
            ),
        ),
        ("sentinels://a/chats", Address((("a", 26379),), service="chats", tls=True)),
    ],
)
def test_an_address_is_understood(url: str, wanted: Address) -> None:
    assert parse_redis_url(url) == wanted


def test_files_of_certificates_are_taken_where_there_is_tls(pem: str) -> None:
    assert parse_redis_url(f"rediss://a?ssl_ca_certs={pem}&ssl_cert_reqs=required").files == {"ssl_ca_certs": pem}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://there", "expected redis://"),
        ("there:6379", "expected redis://"),
        ("redis://there/1/2", "expected redis://"),
        ("unix://there/path", "expected redis://"),
        ("redis://there/zero", "the database is a number"),
        ("redis://there:port", "a port is not a number"),
        ("redis://there:99999", "a port is not a number"),
        ("redis://:hunter2/@there", "in a password is not written as %2F"),
        ("redis://:hunter2[@there", "in a password is not written as %2F"),
        ("redis://:hunter2?@there", "a port is not a number"),
        ("redis://there?hunter2", "unknown option"),
        ("redis://a,b/0", "sentinel://host:26379,host:26379/NAME/0"),
        ("sentinel://a,b", "sentinel://host:26379,host:26379/NAME/0"),
        ("rediss://there?ssl_cert_reqs=none", "certificates are always verified"),
        ("rediss://there?ssl_cert_reqs=CERT_NONE", "certificates are always verified"),
        ("rediss://there?ssl_cert_reqs=optional", "certificates are always verified"),
        ("rediss://there?ssl_check_hostname=false", "names are always verified"),
        ("rediss://there?ssl_ca_certs=/no/such/file", "there is no file /no/such/file"),
        ("redis://there?ssl_ca_certs=/etc/hosts", "ssl_ca_certs goes with rediss:// or sentinels://"),
        ("redis://there?sentinel_password=hunter2", "sentinel_password goes with sentinel://"),
        ("redis://there?socket_timeout=1", "unknown option; available: db, ssl_ca_certs"),
    ],
)
def test_a_wrong_address_says_what_to_type_and_shows_no_password(url: str, why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        environment({"RELAY_REDIS_URL": url})
    (problem,) = raised.value.problems
    assert why in str(problem)
    assert "RELAY_REDIS_URL" in str(problem)
    assert "hunter2" not in str(problem)


def test_a_password_is_in_no_repr() -> None:
    assert "hunter2" not in repr(parse_redis_url("sentinel://:hunter2@a/chats?sentinel_password=hunter22"))
    for url in ("redis://:hunter2@a", "sentinel://:hunter2@a/chats?sentinel_password=hunter22"):
        client = connect(url)
        assert "hunter2" not in repr(client) + repr(client.connection_pool)


def test_secrets_come_from_files_too_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:pw@there/1\n")
    (tmp_path / "token").write_text("a-token\n")
    files = {"RELAY_REDIS_URL_FILE": str(tmp_path / "url"), "RELAY_METRICS_TOKEN_FILE": str(tmp_path / "token")}
    env = environment(files)
    assert env.redis_url.get_secret_value() == "redis://:pw@there/1"
    assert env.metrics_token.get_secret_value() == "a-token"
    assert ":pw@" not in repr(env)
    assert "a-token" not in repr(env)
    (tmp_path / "token").write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigError) as raised:
        environment({**files, "RELAY_REDIS_URL_FILE": str(tmp_path / "none")})
    assert [str(problem) for problem in raised.value.problems] == [
        f"RELAY_REDIS_URL_FILE: {tmp_path}/none cannot be read: it does not exist",
        f"RELAY_METRICS_TOKEN_FILE: {tmp_path}/token cannot be read: it is not text in UTF-8; save it as UTF-8",
    ]
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigError, match="token is empty"):
        environment(files)


def kombu(url: str) -> Any:
    """The connection that a worker would make. (Its types leave out what is looked at here.)"""
    return create(environment({"RELAY_REDIS_URL": url})).connection_for_write()


def connparams(url: str) -> dict[str, Any]:
    """What kombu gives to redis-py for it."""
    connection = kombu(url)
    channel = connection.transport.Channel.__new__(connection.transport.Channel)
    channel.connection = connection.transport
    for name, value in connection.transport_options.items():
        setattr(channel, name, value)
    found: dict[str, Any] = channel._connparams()
    return found


def test_celery_is_told_the_same(pem: str) -> None:
    found = connparams("redis://me:p%2Fw%40@there:1/2")
    assert [found[name] for name in ("host", "port", "db", "username", "password")] == ["there", 1, 2, "me", "p/w@"]
    found = connparams("unix://:pw@/run/s?db=3")
    assert [found[name] for name in ("path", "password")] == ["/run/s", "pw"]
    found = connparams(f"rediss://there?ssl_ca_certs={pem}")
    assert (found["ssl_cert_reqs"], found["ssl_ca_certs"]) == (CERT_REQUIRED, pem)
    assert "SSL" in found["connection_class"].__name__
    found = connparams("sentinel://:pw@a,[::1]:2/chats/2?sentinel_password=x")
    assert (found["db"], found["password"]) == (2, "pw")
    connection = kombu("sentinel://:pw@a,[::1]:2/chats/2?sentinel_password=x")
    assert connection.alt == ["sentinel://:pw@a:26379/2", "sentinel://:pw@[::1]:2/2"]
    assert connection.transport_options["master_name"] == "chats"
    assert connection.transport_options["sentinel_kwargs"]["password"] == "x"
    assert "pw" not in connection.as_uri()
