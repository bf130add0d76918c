"""The environment variables: read once, checked, every problem at once."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.config.environment import Environment, environment, token_file
from core.errors import ConfigError

TOKEN = "0123456789abcdef"


def problems(**variables: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        environment(variables)
    return [str(problem) for problem in raised.value.problems]


def tokens(env: Environment) -> list[tuple[str | None, str]]:
    return [(token.account, token.token.get_secret_value()) for token in env.tokens]


def test_nothing_needs_to_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert environment({}) == Environment(
        redis_url=SecretStr(""),
        config=tmp_path / "relay.yaml",
        config_required=False,
        data_dir=tmp_path / "var",
        host="127.0.0.1",
        port=8000,
        concurrency=16,
        tokens=(),
        public_url="",
        session_hours=12,
        trusted_proxies=(),
        user_header="",
    )
    assert environment({}).embedded
    assert environment({}).server_url == f"unix://{tmp_path}/var/valkey/valkey.sock"


def test_everything_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = environment(
        {
            "RELAY_REDIS_URL": "redis://example.com:6379/0",
            "RELAY_CONFIG": "conf/relay.yaml",
            "RELAY_DATA_DIR": "/srv/../srv/relay",
            "RELAY_HOST": "::",
            "RELAY_PORT": " 80 ",
            "RELAY_CONCURRENCY": "2",
            "RELAY_PUBLIC_URL": " https://relay.example.com:8443/ ",
            "RELAY_SESSION_HOURS": "720",
            "RELAY_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,, 2001:db8::/32",
            "RELAY_USER_HEADER": "X-Forwarded-User",
        }
    )
    assert found.config == tmp_path / "conf" / "relay.yaml"
    assert found.config_required
    assert found.data_dir == Path("/srv/relay")
    assert (found.host, found.port, found.concurrency, found.embedded) == ("::", 80, 2, False)
    assert found.server_url == "redis://example.com:6379/0"
    assert (found.public_url, found.session_hours) == ("https://relay.example.com:8443", 720)
    assert [str(one) for one in found.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
    assert found.user_header == "X-Forwarded-User"


def test_the_port_of_a_platform_is_taken_unless_ours_is_set() -> None:
    assert environment({"PORT": "5000"}).port == 5000
    assert environment({"PORT": "5000", "RELAY_PORT": "6000"}).port == 6000
    assert environment({"PORT": "", "RELAY_PORT": ""}).port == 8000


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.0", "8 0", "²", "9" * 5000])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    (problem,) = problems(RELAY_PORT=port)
    assert problem.startswith("RELAY_PORT: expected a number from 1 to 65535, got '")
    (problem,) = problems(PORT=port)
    assert problem.startswith("PORT: expected a number from 1 to 65535, got '")


def test_a_token_may_be_tied_to_an_account_and_there_may_be_several() -> None:
    found = environment({"SMARTSUPP_TOKEN": f" {TOKEN} , 208:{TOKEN}2,, co_1.x:{TOKEN}3 "})
    assert tokens(found) == [(None, TOKEN), ("208", TOKEN + "2"), ("co_1.x", TOKEN + "3")]


def test_the_last_colon_parts_account_and_token() -> None:
    assert problems(SMARTSUPP_TOKEN=f"a:b:{TOKEN}") == [
        "SMARTSUPP_TOKEN: write ACCOUNT:TOKEN, with Smartsupp's account id"
    ]


@pytest.mark.parametrize(
    "token", ["short", "208:short", f"{TOKEN}/x", f"{TOKEN}?", f"{TOKEN} x", f"{TOKEN}%2F", f"{TOKEN}ž"]
)
def test_a_token_that_is_too_short_or_no_part_of_an_address_is_refused_and_not_shown(token: str) -> None:
    assert problems(SMARTSUPP_TOKEN=token) == [
        "SMARTSUPP_TOKEN: a token needs at least 16 characters, none of them / ? # % or a space; "
        "try: openssl rand -hex 24"
    ]


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        RELAY_REDIS_URL="http://:hunter2@example.com",
        RELAY_PORT="x",
        RELAY_CONCURRENCY="1",
        SMARTSUPP_TOKEN=f"short,a/b:{TOKEN}",
    )
    assert [problem.split(":")[0] for problem in found] == [
        "RELAY_REDIS_URL",
        "RELAY_PORT",
        "RELAY_CONCURRENCY",
        "SMARTSUPP_TOKEN",
        "SMARTSUPP_TOKEN",
    ]
    assert "hunter2" not in "".join(found)
    assert TOKEN not in "".join(found)


def test_a_token_is_masked_in_every_repr() -> None:
    assert TOKEN not in repr(environment({"SMARTSUPP_TOKEN": f"208:{TOKEN}"}))


def test_the_token_that_was_made_is_used_when_none_is_given(tmp_path: Path) -> None:
    token_file(tmp_path).write_text(f"{TOKEN}\n")
    assert tokens(environment({"RELAY_DATA_DIR": str(tmp_path)})) == [(None, TOKEN)]
    given = environment({"RELAY_DATA_DIR": str(tmp_path), "SMARTSUPP_TOKEN": TOKEN + "2"})
    assert tokens(given) == [(None, TOKEN + "2")]


def test_the_socket_of_the_embedded_server_moves_when_its_path_gets_too_long() -> None:
    near = environment({"RELAY_DATA_DIR": "/srv/relay"})
    far = environment({"RELAY_DATA_DIR": "/srv/" + "x" * 200})
    assert str(near.socket) == "/srv/relay/valkey/valkey.sock"
    assert len(str(far.socket)) < 100
    assert far.socket == environment({"RELAY_DATA_DIR": "/srv/" + "x" * 200}).socket
    assert far.socket != environment({"RELAY_DATA_DIR": "/srv/" + "y" * 200}).socket


KEYS = [base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in range(2)]


def test_encryption_keys_come_from_the_variable_or_from_a_file(tmp_path: Path) -> None:
    assert environment({}).encryption_keys == ()
    found = environment({"RELAY_ENCRYPTION_KEYS": ",".join(KEYS)})
    assert [key.get_secret_value() for key in found.encryption_keys] == KEYS
    file = tmp_path / "keys"
    file.write_text("\n".join(KEYS) + "\n")
    found = environment({"RELAY_ENCRYPTION_KEYS_FILE": str(file)})
    assert [key.get_secret_value() for key in found.encryption_keys] == KEYS
    assert KEYS[0] not in repr(found)


def test_a_wrong_encryption_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        environment({"RELAY_ENCRYPTION_KEYS": f"{KEYS[0]},half-a-key"})
    assert "openssl rand" in str(caught.value)
    assert "half-a-key" not in str(caught.value)
    with pytest.raises(ConfigError, match="RELAY_ENCRYPTION_KEYS_FILE"):
        environment({"RELAY_ENCRYPTION_KEYS_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "url",
    [
        "relay.example.com",
        "ftp://relay.example.com",
        "https://",
        "https://relay.example.com/relay",
        "https://relay.example.com?x",
        "https://ann:hunter2@relay.example.com",
        "https://relay.example.com:0",
        "https://relay.example.com:99999",
        "https://relay example.com",
        "https://[::1",
        "https:\\\\relay.example.com",
    ],
)
def test_a_public_address_that_is_none_or_has_more_to_it_is_refused(url: str) -> None:
    assert problems(RELAY_PUBLIC_URL=url) == [
        "RELAY_PUBLIC_URL: expected http(s)://HOST or http(s)://HOST:PORT, without a path"
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://relay.example.com", "https://[2001:db8::1]:8443/"])
def test_a_public_address_is_taken_without_its_last_slash(url: str) -> None:
    assert environment({"RELAY_PUBLIC_URL": url}).public_url == url.rstrip("/")


@pytest.mark.parametrize("hours", ["0", "721", "12.5", "a day"])
def test_sessions_last_from_an_hour_to_a_month(hours: str) -> None:
    (problem,) = problems(RELAY_SESSION_HOURS=hours)
    assert problem.startswith("RELAY_SESSION_HOURS: expected a number from 1 to 720")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0", "proxy.example.com", "10.0.0.0/33", "::1/x"])
def test_a_trusted_proxy_is_an_address_or_a_network(network: str) -> None:
    (problem,) = problems(RELAY_TRUSTED_PROXIES=f"127.0.0.1,{network}")
    assert problem.startswith("RELAY_TRUSTED_PROXIES: ")
    assert "10.0.0.0/8" in problem


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_not_everybody_is_a_trusted_proxy(network: str) -> None:
    assert problems(RELAY_TRUSTED_PROXIES=network) == [
        f"RELAY_TRUSTED_PROXIES: {network} allows everybody; name smaller networks"
    ]


def test_a_users_header_needs_a_proxy_that_may_send_it() -> None:
    assert problems(RELAY_USER_HEADER="Remote-User") == [
        "RELAY_USER_HEADER: anyone could send it; name your proxies in RELAY_TRUSTED_PROXIES"
    ]
    (problem,) = problems(RELAY_USER_HEADER="Remote User:", RELAY_TRUSTED_PROXIES="127.0.0.1")
    assert problem == "RELAY_USER_HEADER: expected the name of a header, such as X-Forwarded-User"
    # Each mistake is told, none twice.
    found = problems(RELAY_USER_HEADER="Remote-User", RELAY_TRUSTED_PROXIES="nonsense")
    assert [one.split(":")[0] for one in found] == ["RELAY_TRUSTED_PROXIES"]
