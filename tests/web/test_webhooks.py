"""`POST /smartsupp/webhooks/NAME`: whoever signs is taken, kept before the answer, and refused as by the hook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app import create_app
from app.receiver.hook import canonical
from app.receiver.posted import GUESSES
from app.server.application import Relay
from core.smartsupp.limits import LARGEST_BODY
from core.store import Ledger
from tests.fakes.smartsupp import SECRET, signed
from tests.support.server import Server
from tests.support.stack import TOKEN
from tests.web.test_receiver import reasons

SOURCE = {
    "account": "208",
    "api": {"token": "a-token-of-the-api"},
    "webhooks": {"secret": SECRET},
}
#: What no log may have.
SECRETS = (SECRET, "a-token-of-the-api")


def event(number: int = 1, name: str = "conversation.closed") -> bytes:
    return json.dumps(
        {"type": "event_callback", "event": name, "data": {"conversation": {"id": f"co{number}"}}}
    ).encode()


@pytest.fixture
def client(server: Server, tmp_path: Path) -> FlaskClient:
    return built(server, tmp_path)


def built(server: Server, folder: Path, **variables: str) -> FlaskClient:
    config = folder / "relay.yaml"
    accounts = {"main": SOURCE, "other": {"account": "209", "hook": {"token": "token-of-the-other-one"}}}
    config.write_text(json.dumps({"source": {"accounts": accounts}, "connectors": {"archive": {"type": "archive"}}}))
    given = {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(folder), "SMARTSUPP_TOKEN": TOKEN}
    return create_app(variables={**given, "RELAY_CONFIG": str(config), **variables}).test_client()


def post(client: FlaskClient, body: bytes, name: str = "main", **options: Any) -> TestResponse:
    _, headers = signed(body)
    return client.post(f"/smartsupp/webhooks/{name}", data=body, **{"headers": headers, **options})


def test_a_signed_webhook_is_kept_as_it_came_and_the_same_again_is_a_duplicate(
    client: FlaskClient, ledger: Ledger
) -> None:
    first, second = post(client, event()), post(client, event())
    assert first.json
    assert (first.status_code, first.json["status"]) == (202, "accepted")
    assert second.json == {"id": first.json["id"], "status": "duplicate"}
    found = ledger.payload(first.json["id"])
    assert (found.body, found.account, found.origin, found.status) == (event(), "208", "main", "received")


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "no digest", "sha256=", "ž" * 64])
def test_a_webhook_with_a_wrong_signature_is_refused_logged_and_counted(
    client: FlaskClient, ledger: Ledger, signature: str | None
) -> None:
    headers = {} if signature is None else {"X-Smartsupp-Hmac": signature.encode().decode("latin-1")}
    answer = post(client, event(), headers=headers)
    assert (answer.status_code, answer.json) == (403, {"error": "wrong signature in X-Smartsupp-Hmac"})
    assert not any(ledger.payload_counts().values())
    with capture_logs() as logs:
        cast(Relay, client.application).refusals.tell()
    assert [(one["event"], one["status"]) for one in logs] == [("refused", 403)]
    assert not any(one in str(logs) for one in SECRETS)
    assert {key for key, number in reasons(client).items() if number} == {("403", "signature")}


def test_a_body_that_was_changed_on_its_way_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    _, headers = signed(event(1))
    assert post(client, event(2), headers=headers).status_code == 403
    assert not any(ledger.payload_counts().values())


@pytest.mark.parametrize("name", ["nobody", "other", "MAIN", "..", "main/x"])
def test_only_a_name_with_webhooks_takes_any(client: FlaskClient, name: str) -> None:
    answer = post(client, event(), name)
    assert answer.status_code == 404
    assert set(answer.get_json()) == {"error"}


def test_wrong_signatures_are_bounded_and_keep_no_right_one_out(client: FlaskClient) -> None:
    wrong = [post(client, event(), headers={"X-Smartsupp-Hmac": f"{number:064x}"}) for number in range(GUESSES + 2)]
    assert [answer.status_code for answer in wrong] == [403] * GUESSES + [429] * 2
    assert post(client, event()).status_code == 202
    assert client.post(f"/smartsupp/{TOKEN}", data=b'{"channel": {"id": 1}, "accountId": 1}').status_code == 202


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"x" * (LARGEST_BODY + 1), 413), (b" " * LARGEST_BODY, 202)])
def test_the_limits_are_those_of_the_hook(client: FlaskClient, body: bytes, status: int) -> None:
    assert post(client, body).status_code == status


def test_what_is_packed_is_refused(client: FlaskClient) -> None:
    body, headers = signed(event())
    answer = post(client, body, headers={**headers, "Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_signed_body_that_is_no_webhook_is_kept_and_says_so(client: FlaskClient, ledger: Ledger) -> None:
    answer = post(client, b'{"event": "conversation.closed", "data": {}}')
    assert answer.json
    error = "data.conversation.id: expected the id of a conversation, got nothing"
    assert (answer.status_code, answer.json["status"], answer.json["error"]) == (202, "quarantined", error)
    assert ledger.payload(answer.json["id"]).status == "quarantined"


def test_who_may_not_post_to_the_hook_may_post_no_webhook(server: Server, tmp_path: Path) -> None:
    client = built(server, tmp_path, RELAY_ALLOWED_SOURCES="192.0.2.0/24")
    assert post(client, event()).status_code == 403
    assert {key for key, number in reasons_told(client).items() if number} == {("403", "source")}


def reasons_told(client: FlaskClient) -> dict[tuple[str, str], int]:
    cast(Relay, client.application).refusals.tell()
    return reasons(client)


@pytest.mark.parametrize("trouble", ["away", "full"])
def test_what_cannot_be_kept_is_never_answered_with_a_2xx(own_server: Server, tmp_path: Path, trouble: str) -> None:
    client = built(own_server, tmp_path)
    if trouble == "away":
        own_server.kill()
    else:
        own_server.client.config_set("maxmemory", "1")
    answer = post(client, event())
    assert (answer.status_code, answer.json) == (503, {"error": "not stored; try again"})
    assert int(answer.headers["Retry-After"]) > 0


def test_who_knows_a_token_of_the_hook_cannot_send_beforehand_what_is_to_be_signed(
    client: FlaskClient, ledger: Ledger
) -> None:
    taken = client.post(f"/smartsupp/{TOKEN}", data=event())
    assert taken.json
    assert taken.json["status"] == "quarantined"
    answer = post(client, event())
    assert answer.json
    assert answer.json["status"] == "accepted"
    assert ledger.payload(answer.json["id"]).origin == "main"


def test_the_token_of_an_account_in_source_is_one_of_the_hooks(client: FlaskClient, ledger: Ledger) -> None:
    answer = client.post("/smartsupp/token-of-the-other-one", data=b'{"channel": {"id": 1}}')
    assert answer.json
    assert ledger.payload(answer.json["id"]).account == "209"


def test_an_address_that_was_typed_a_little_differently_is_the_webhooks() -> None:
    assert canonical("//Smartsupp//webhooks/main/") == "/smartsupp/webhooks/main"
    assert canonical("/smartsupp/webhooks") == "/smartsupp/webhooks"
    assert canonical("/smartsupp/webhooks/a/b") == "/smartsupp/webhooks/a/b"
