"""The webhook: a signed POST that any receiver of Standard Webhooks can check, the same for every try."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError

from connectors.kit.connector import Finding, Receipt, Step
from connectors.testing.chats import HOOK
from connectors.webhook import Webhook, WebhookSettings
from core.delivery import Reference, Revision
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from core.ids import PayloadId
from core.smartsupp.parser import parse_conversation
from tests.support.destination import Destination, Received
from tests.support.stack import free_port

SECRET = base64.b64encode(bytes(range(32))).decode()


def settings(url: str, **more: Any) -> WebhookSettings:
    wanted = {"type": "webhook", "url": url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"], **more}
    return WebhookSettings.model_validate(wanted)


def revision(number: int = 1, body: bytes = HOOK) -> Revision:
    return Revision(number, PayloadId(f"p{number}"), 1_700_000_000_000, "", body)


def deliver(there: Destination, sent: Revision, delivery: str = "shop/208:55039", **more: Any) -> Reference:
    webhook = Webhook("shop", settings(there.url, **more), Path("unused"))
    receipt = Receipt(delivery, sent, lambda: [sent])
    return webhook.deliver(parse_conversation(sent.body), receipt, Step({}, lambda *_: None))


def verified(received: Received, secret: str = SECRET) -> Any:
    return Standard(secret).verify(received.body.decode(), received.headers)


def test_the_signature_verifies_and_the_body_is_the_whole_conversation(destination: Destination) -> None:
    reference = deliver(destination, revision())
    (received,) = destination.received
    assert (received.method, received.headers["content-type"]) == ("POST", "application/json")
    assert verified(received) == {
        "type": "conversation.received",
        "timestamp": "2023-11-14T22:13:20+00:00",
        "data": {"revision": 1, "conversation": parse_conversation(HOOK).model_dump(mode="json")},
    }
    assert reference.id == received.headers["webhook-id"]


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_secret_may_have_its_prefix(destination: Destination, prefix: str) -> None:
    deliver(destination, revision(), secret=prefix + SECRET)
    assert verified(destination.received[0])


def test_another_secret_or_another_body_does_not_verify(destination: Destination) -> None:
    deliver(destination, revision())
    (received,) = destination.received
    with pytest.raises(WebhookVerificationError):
        verified(received, base64.b64encode(bytes(32)).decode())
    with pytest.raises(WebhookVerificationError):
        Standard(SECRET).verify(received.body.decode() + " ", received.headers)


def test_any_language_is_signed_as_the_bytes_that_are_sent(destination: Destination) -> None:
    body = {"accountId": 1, "channel": {"id": 2}, "visitor": {"name": "Žofie 🍵 \ud83d", "note": "שלום\u2028\x00"}}
    deliver(destination, revision(1, json.dumps(body).encode()))
    visitor = verified(destination.received[0])["data"]["conversation"]["visitor"]
    assert (visitor["name"], visitor["note"]) == ("Žofie 🍵 \ufffd", "שלום\u2028\x00")


def test_the_id_is_the_same_for_every_try_and_another_for_every_revision_and_delivery(destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer(500 if number == 0 else 200)
    with pytest.raises(RetryLater):
        deliver(destination, revision())
    deliver(destination, revision())
    deliver(destination, revision(2))
    deliver(destination, revision(), delivery="other/208:55039")
    first, again, revised, other = (received.headers["webhook-id"] for received in destination.received)
    assert first == again
    assert len({first, revised, other}) == 3
    assert [verified(received)["type"] for received in destination.received] == [
        "conversation.received",
        "conversation.received",
        "conversation.revised",
        "conversation.received",
    ]


def test_the_signature_says_when_it_was_made(destination: Destination) -> None:
    deliver(destination, revision())
    signed = datetime.fromtimestamp(int(destination.received[0].headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - signed) < timedelta(minutes=2)


def test_the_address_is_called_as_it_is_written(destination: Destination) -> None:
    webhook = Webhook("shop", settings(destination.url + "/in?a=1&b=%20x"), Path("unused"))
    receipt = Receipt("d", revision(), list)
    webhook.deliver(parse_conversation(HOOK), receipt, Step({}, lambda *_: None))
    assert destination.received[0].path == "/hook/in?a=1&b=%20x"


@pytest.mark.parametrize(
    ("status", "error"), [(410, ConnectorRefused), (422, RecordRefused), (503, RetryLater), (302, ConnectorRefused)]
)
def test_what_the_receiver_answers_is_raised(destination: Destination, status: int, error: type[Exception]) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, b"no")
    with pytest.raises(error, match=f"HTTP {status}"):
        deliver(destination, revision())
    assert len(destination.received) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2",
        "whsec_",
        "whsec_!!!!",
        base64.b64encode(bytes(23)).decode(),
        base64.b64encode(bytes(65)).decode(),
        base64.urlsafe_b64encode(b"\xff" * 33).decode(),
        SECRET + " ",
        SECRET[:-1],
        "ž" * 40,
    ],
)
def test_a_secret_that_cannot_sign_is_refused_with_what_to_type_and_not_shown(secret: str) -> None:
    with pytest.raises(ValidationError, match="make one with: openssl rand -base64 32") as raised:
        settings("https://example.com/", secret=secret)
    assert secret not in str(raised.value).replace("whsec_ in front", "")


def test_an_empty_secret_is_refused_with_what_to_type() -> None:
    with pytest.raises(ValidationError, match="is empty; type the secret"):
        settings("https://example.com/", secret="")


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_the_right_size_is_taken(size: int) -> None:
    assert settings("https://example.com/", secret=base64.b64encode(bytes(size)).decode()).secret


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "//example.com", "http://", "javascript:1", ""])
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(url)


def test_the_secret_is_in_no_repr_and_masked_in_every_text() -> None:
    webhook = Webhook("shop", settings("https://example.com/"), Path("unused"))
    assert SECRET not in repr(webhook) + repr(webhook.settings) + str(webhook.settings.model_dump())
    assert webhook.mask(f"the secret {SECRET} is out") == "the secret ********** is out"


def checked(url: str) -> list[Finding]:
    return list(Webhook("shop", settings(url), Path("unused")).check())


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 405])
def test_a_check_sees_that_somebody_answers_and_sends_no_chat(destination: Destination, status: int) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, b"")
    [found] = checked(destination.url)
    assert found.right
    assert found.text.endswith(f"answers (HTTP {status} to a request without a chat)")
    assert [one.method for one in destination.received] == ["HEAD"]


def test_a_check_names_an_address_that_has_moved(destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(301, b"", Location="https://there.example.com/new?key=1")
    found = [one for one in checked(destination.url) if not one.right]
    assert [one.text for one in found] == ["the address has moved to https://there.example.com/new"]


@pytest.mark.parametrize("status", [500, 503])
def test_a_check_of_a_program_that_is_out_of_order_fails(destination: Destination, status: int) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, b"")
    with pytest.raises(RetryLater):
        checked(destination.url)


def test_a_check_of_an_address_at_which_nobody_listens_fails() -> None:
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1"):
        checked(f"http://127.0.0.1:{free_port()}/hook")
