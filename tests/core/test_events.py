"""What Smartsupp's webhooks say, and who signed it. Nobody has documented where the id stands, so every place that was
seen, or guessed, is read."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from core.errors import PayloadError
from core.smartsupp.events import WebhookEvent, read_event, signed

SECRET = "a-secret-of-an-app-0123456789"


def event(name: str, data: Any, **changes: Any) -> bytes:
    envelope = {"type": "event_callback", "timestamp": "2026-11-28T09:00:00Z", "account_id": "208", "app_id": "app1"}
    return json.dumps({**envelope, "event": name, "data": data, **changes}).encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("closed", {"conversation": {"id": "co1"}, "close_type": "agent_close", "agent_id": "3"}),
        ("closed", {"id": "co1", "close_type": "agent_close"}),
        ("closed_by_contact", {"conversation_id": "co1", "id": "ev9"}),
        ("rated", {"conversation": {"id": "co1"}, "rating_value": 5}),
        ("rated", {"conversationId": "co1"}),
        ("closed", {"conversation": "co1"}),
    ],
)
def test_what_ends_a_conversation_names_it_wherever_the_id_stands(name: str, data: Any) -> None:
    assert read_event(event(f"conversation.{name}", data)) == WebhookEvent(f"conversation.{name}", "co1", ends=True)


@pytest.mark.parametrize(
    "data",
    [
        {"conversation": {"id": "co1"}, "message": {"id": "ms1"}},
        {"message": {"id": "ms1", "chatId": "co1"}},
        {"message": {"id": "ms1", "conversation_id": "co1"}, "id": "ms1"},
    ],
)
@pytest.mark.parametrize("name", ["contact_replied", "agent_replied", "bot_replied"])
def test_a_reply_names_its_conversation_and_never_its_message(name: str, data: Any) -> None:
    assert read_event(event(f"conversation.{name}", data)) == WebhookEvent(f"conversation.{name}", "co1", goes_on=True)


@pytest.mark.parametrize(
    "name", ["conversation.opened", "conversation.agent_joined", "contact.updated", "something.new"]
)
def test_an_event_that_changes_nothing_kept_needs_no_id(name: str) -> None:
    assert read_event(event(name, None)) == WebhookEvent(name)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not json", "not JSON: a value is missing (line 1, column 1)"),
        (b"[]", "no webhook of Smartsupp's: expected a JSON object with 'event'"),
        (b"{}", "event: no webhook of Smartsupp's: expected the name of an event, got nothing"),
        (event("conversation.closed", {}), "data.conversation.id: expected the id of a conversation, got nothing"),
        (event("conversation.agent_replied", {"id": "ms1"}), "data.conversation.id: expected the id"),
        (event("conversation.closed", {"id": "a:b"}), "data.id: expected an id"),
        (event("conversation.closed", [1]), "data: expected an object, got a list"),
    ],
)
def test_what_cannot_be_read_says_where(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError) as raised:
        read_event(body)
    assert str(raised.value).startswith(said)


def test_a_body_is_signed_by_whoever_knows_the_secret_and_by_nobody_else() -> None:
    body = event("conversation.closed", {"id": "co1"})
    right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert signed(body, right, SECRET)
    assert signed(body, f" {right.upper()} ", SECRET)
    for wrong in ("", right[:-1], right[:-1] + ("0" if right[-1] != "0" else "1"), "ž" * 64, right + right):
        assert not signed(body, wrong, SECRET)
    assert not signed(body + b" ", right, SECRET)
    assert not signed(body, right, SECRET + "x")
