from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.receiver import LARGEST_BODY
from app.sources import GUESSES
from core.delivery import PayloadStatus
from core.store import Ledger, Store, connect
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import TOKEN, Stack, chat, until

Client = Callable[..., FlaskClient]


@pytest.fixture
def client_of(tmp_path: Path) -> Client:
    """Builds a client of an app on a server; further arguments are environment variables."""

    def build(server: Server, **variables: str) -> FlaskClient:
        environment = {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(tmp_path), "SMARTSUPP_TOKEN": TOKEN}
        config = tmp_path / "relay.yaml"
        config.write_text(variables.pop("config", "connectors: {archive: {type: archive}}"))
        return create_app(variables={**environment, "RELAY_CONFIG": str(config), **variables}).test_client()

    return build


@pytest.fixture
def client(server: Server, client_of: Client) -> FlaskClient:
    return client_of(server)


def post(client: FlaskClient, body: bytes, token: str = TOKEN, **options: Any) -> TestResponse:
    return client.post(f"/smartsupp/{token}", data=body, **options)


def test_a_conversation_is_accepted_and_the_same_body_again_is_a_duplicate(client: FlaskClient) -> None:
    first, second = post(client, chat()), post(client, chat())
    assert (first.status_code, first.json and first.json["status"]) == (202, "accepted")
    assert second.json == {"id": first.json and first.json["id"], "status": "duplicate"}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "ž"],
)
def test_any_content_type_is_kept_unchanged(client: FlaskClient, ledger: Ledger, content_type: str) -> None:
    body = chat(visitor={"name": "a=b&c=%20+d"})
    answer = post(client, body, content_type=content_type.encode().decode("latin-1"))
    assert answer.json
    assert answer.json["status"] == "accepted"
    assert ledger.payload(answer.json["id"]).body == body


NO_ID = "channel.id: expected an id (letters, digits, '_', '-' and '.', at most 64 of them), got text \"\""


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"domains": {"example.com": {"visits": 1}}}', "set-aside", None),
        (b"not json", "quarantined", "not JSON: Expecting value at line 1, column 1"),
        (b" ", "quarantined", "not JSON: Expecting value at line 1, column 2"),
        (b"{}", "quarantined", "channel: no conversation: expected an object, got nothing"),
        (chat(channel={"id": ""}), "quarantined", NO_ID),
    ],
)
def test_a_body_without_a_conversation_is_kept_and_says_so(
    client: FlaskClient, ledger: Ledger, body: bytes, status: str, error: str | None
) -> None:
    answer = post(client, body)
    assert answer.status_code == 202
    assert answer.json
    assert (answer.json["status"], answer.json.get("error")) == (status, error)
    assert [one.id for one in ledger.payloads(PayloadStatus(status))] == [answer.json["id"]]
    assert ledger.payload(answer.json["id"]).body == body


def test_what_is_wrong_inside_a_conversation_is_left_to_a_worker(
    client: FlaskClient, server: Server, ledger: Ledger, tmp_path: Path
) -> None:
    answer = post(client, chat(messages=[{"sentAt": "soon"}]))
    assert answer.json
    assert answer.json["status"] == "accepted"
    Inline(Store(connect(server.url)), tmp_path, "connectors: {}").read()
    found = ledger.payload(answer.json["id"])
    assert (found.status, found.error) == ("quarantined", 'messages[0].sentAt: expected a number, got text "soon"')


def test_an_empty_body_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    answer = post(client, b"")
    assert (answer.status_code, answer.json) == (400, {"error": "the body is empty"})
    assert not any(ledger.payload_counts().values())


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%00", "ž" * 30])
def test_a_wrong_token_is_refused_and_nothing_is_kept(client: FlaskClient, ledger: Ledger, token: str) -> None:
    answer = post(client, chat(), token=token)
    assert (answer.status_code, answer.json) == (403, {"error": "unknown token"})
    assert not any(ledger.payload_counts().values())


def test_several_tokens_are_valid_at_once_and_may_name_an_account(
    server: Server, client_of: Client, ledger: Ledger
) -> None:
    client = client_of(
        server,
        SMARTSUPP_TOKEN="first-token-0123456789,208:second-token-0123456789",
        config="tokens: [{token: third-token-0123456789, account: '9'}]",
    )
    for token, account in (("first", ""), ("second", "208"), ("third", "9")):
        body = chat(accountId=int(account or 1))
        answer = post(client, body, token=f"{token}-token-0123456789")
        assert answer.json
        assert answer.json["status"] == "accepted"
        assert ledger.payload(answer.json["id"]).account == account


def test_a_body_of_another_account_than_its_tokens_is_quarantined(server: Server, client_of: Client) -> None:
    client = client_of(server, SMARTSUPP_TOKEN=f"208:{TOKEN}")
    answer = post(client, chat())
    assert answer.json
    assert answer.json["status"] == "quarantined"
    assert answer.json["error"] == "accountId: the token belongs to account 208, this is from account 1"


def test_a_body_of_one_mebibyte_is_accepted_and_one_byte_more_is_not(client: FlaskClient, ledger: Ledger) -> None:
    frame = len(chat(pad=""))
    assert post(client, chat(pad="x" * (LARGEST_BODY - frame))).status_code == 202
    assert post(client, chat(pad="x" * (LARGEST_BODY - frame + 1))).status_code == 413
    assert ledger.payload_counts()["received"] == 1


def test_other_methods_and_pages_say_what_they_are(client: FlaskClient) -> None:
    assert client.get(f"/smartsupp/{TOKEN}").status_code == 405
    assert client.get("/no-such-page").status_code == 404


@pytest.mark.parametrize("trouble", ["away", "full", "read-only", "disk"])
def test_what_cannot_be_kept_is_never_answered_with_a_2xx(own_server: Server, client_of: Client, trouble: str) -> None:
    client = client_of(own_server)
    match trouble:
        case "away":
            own_server.kill()
        case "full":
            own_server.client.config_set("maxmemory", "1")
        case "read-only":
            own_server.client.replicaof("127.0.0.1", "1")
        case "disk":
            own_server.client.config_set("min-replicas-to-write", "1")  # writes are refused, as on a failing disk
    answer = post(client, chat())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json == {"error": "not kept, try again"}


def test_a_server_that_restarts_while_a_body_arrives_costs_no_chat(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    own_server.kill()
    starting = threading.Timer(0.5, own_server.start)
    starting.start()
    answer = post(client, chat())
    starting.join()
    assert answer.status_code == 202


def test_readyz_tells_a_fit_server_from_an_unfit_one(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    fit = client.get("/readyz")
    assert fit.status_code == 200
    assert fit.json
    assert fit.json["wrong"] == []
    assert fit.json["doubts"] == ["no worker was heard of in the last minute"]
    own_server.client.config_set("maxmemory-policy", "allkeys-lru")
    unfit = client.get("/readyz")
    assert unfit.status_code == 503
    assert unfit.json
    assert "noeviction" in unfit.json["wrong"][0]
    own_server.kill()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_the_real_server_takes_chunked_bodies_and_refuses_what_is_too_long(relay: Stack) -> None:
    relay.web()
    assert relay.post(iter([chat()[:10], chat()[10:]])).json()["status"] == "accepted"  # type: ignore[arg-type]
    assert relay.post(b"x" * (LARGEST_BODY + 1)).status_code == 413
    assert relay.post(iter([b"x" * 100_000] * 11)).status_code == 413  # type: ignore[arg-type]
    assert relay.post(b"").status_code == 400
    assert relay.ledger.payload_counts()["received"] == 1


def test_the_real_server_keeps_nothing_of_a_body_that_was_cut_off(relay: Stack) -> None:
    relay.web()
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        path = relay.hook.partition(str(relay.port))[2]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + chat()[:50])
    assert relay.post(chat()).json()["status"] == "accepted"
    assert sum(relay.ledger.payload_counts().values()) == 1


def test_an_unfit_server_is_refused_at_start(relay: Stack) -> None:
    relay.server.client.config_set("maxmemory-policy", "allkeys-lru")
    for command in ("web", "worker"):
        assert "noeviction" in relay.cli(command, code=1)


def test_the_token_is_in_no_log(relay: Stack) -> None:
    relay.web()
    relay.post(chat())
    relay.post(b"")
    relay.server.kill()
    assert relay.post(chat(2)).status_code == 503
    assert "could not be kept" in relay.logs()
    assert TOKEN not in relay.logs()


def test_guessing_tokens_is_slowed_down_and_keeps_nobody_else_out(client: FlaskClient) -> None:
    guesses = [post(client, chat(), f"wrong-token-{number:08}") for number in range(GUESSES + 5)]
    assert [answer.status_code for answer in guesses] == [403] * GUESSES + [429] * 5
    assert 1 <= int(guesses[-1].headers["Retry-After"]) <= 5
    assert post(client, chat()).status_code == 202
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    assert post(client, chat(), "wrong-token-00000000", environ_base=elsewhere).status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("203.0.113.9", "", 202),
        ("198.51.100.1", "", 403),
        ("127.0.0.1", "203.0.113.9", 202),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", 403),
        ("198.51.100.1", "203.0.113.9", 403),
        ("127.0.0.1", "", 403),
    ],
)
def test_only_allowed_sources_may_post_as_trusted_proxies_tell(
    server: Server, client_of: Client, peer: str, forwarded: str, status: int
) -> None:
    client = client_of(server, RELAY_ALLOWED_SOURCES="203.0.113.0/24", RELAY_TRUSTED_PROXIES="127.0.0.1")
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = post(client, chat(), headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status


def test_a_bug_in_the_receiver_does_not_write_the_token_down(relay: Stack) -> None:
    relay.web()
    relay.server.client.set("relay:sequence", "no number")  # the store's own script fails on it
    assert relay.post(chat()).status_code == 500
    until(lambda: "bug in a page" in relay.logs(), what="the log")
    assert "Traceback" in relay.logs()
    assert TOKEN not in relay.logs()
