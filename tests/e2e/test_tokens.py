"""OAuth tokens that rotate, with two real workers and a vendor that loses replies."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from core.delivery import DeliveryStatus
from core.store.protocol.keys import key
from tests.fakes.authorization import CLIENT, SECRET
from tests.fakes.zendesk import ZendeskVendor
from tests.support.stack import RELAY, Stack, chat, until

CHATS = 30


@pytest.fixture
def desk() -> Iterator[ZendeskVendor]:
    with ZendeskVendor() as there:
        # Renewed all the time: an access token lasts for a second.
        there.authorization.lasts = 1.0
        yield there


def configured(relay: Stack, desk: ZendeskVendor, grant: str) -> None:
    desk_settings = {
        "type": "zendesk",
        "base_url": desk.url,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "grant": grant,
        "rate": None,
        "concurrency": 2,
        "allow_networks": ["127.0.0.0/8"],
    }
    relay.configure(json.dumps({"connectors": {"desk": desk_settings}}))


def visitor(number: int) -> bytes:
    return chat(number, visitor={"id": number, "name": f"Ann {number}", "email": f"ann{number}@shop.example.com"})


def log_in(relay: Stack, desk: ZendeskVendor) -> None:
    """As a person who pastes the code does."""
    command = [RELAY, "connectors", "login", "desk", "--paste"]
    done = subprocess.run(
        command,
        env=relay.environment,
        input="code-0123456789\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def delivered(relay: Stack) -> bool:
    return relay.ledger.lane("desk").counts[DeliveryStatus.DELIVERED] == CHATS


def test_a_refresh_token_is_used_once_by_two_workers_and_lost_replies_lose_nothing(
    relay: Stack, desk: ZendeskVendor
) -> None:
    configured(relay, desk, "login")
    relay.store.beat("worker")
    log_in(relay, desk)
    desk.pause = 0.05
    relay.worker()
    relay.worker()
    for number in range(CHATS):
        relay.store.accept(visitor(number))
    until(lambda: len(desk.records()) >= 3, what="the first tickets")
    # The next answer of the token endpoint gets lost: the vendor has changed the pair, and nobody has the new one.
    desk.authorization.lose_next = True
    until(lambda: delivered(relay), seconds=90, what="all tickets")
    assert len(desk.records()) == len(desk.people()) == CHATS
    used = Counter(one["refresh_token"] for one in desk.authorization.asked if one["grant_type"] == "refresh_token")
    assert len(used) >= 3, "it was not renewed"
    assert sorted(used.values())[:-1] == [1] * (len(used) - 1), used
    assert max(used.values()) == 2, "the one whose reply was lost, again"
    assert desk.authorization.refused == 0
    assert relay.ledger.lane("desk").gate is None
    seen = relay.logs() + json.dumps(relay.cli("deliveries", "--json"))
    redis: Any = relay.server.client
    for kept in redis.scan_iter(key("*")):
        if redis.type(kept) == b"list":
            seen += b"".join(redis.lrange(kept, 0, -1)).decode("utf-8", "replace")
        elif redis.type(kept) == b"hash":
            seen += b"".join(redis.hgetall(kept).values()).decode("utf-8", "replace")
    assert "access-token-" not in seen
    assert "refresh-token-" not in seen
    assert SECRET not in seen


def test_where_a_lost_reply_ends_the_login_nothing_is_lost_and_a_login_delivers_all(
    relay: Stack, desk: ZendeskVendor
) -> None:
    configured(relay, desk, "login")
    desk.authorization.graceful = False
    relay.store.beat("worker")
    log_in(relay, desk)
    relay.worker()
    relay.worker()
    desk.authorization.lose_next = True
    desk.authorization.end_all()
    for number in range(CHATS):
        relay.store.accept(visitor(number))
    until(lambda: relay.ledger.lane("desk").gate, what="the pause")
    gate = relay.ledger.lane("desk").gate
    assert gate is not None
    assert "run: relay connectors login desk" in gate.reason
    log_in(relay, desk)
    relay.cli("resume", "desk")
    until(lambda: delivered(relay), seconds=90, what="all tickets")
    assert len(desk.records()) == len(desk.people()) == CHATS


def test_two_workers_share_the_tokens_of_client_credentials(relay: Stack, desk: ZendeskVendor) -> None:
    desk.authorization.lasts = 3600.0
    configured(relay, desk, "client_credentials")
    relay.store.beat("worker")
    for number in range(CHATS):
        relay.store.accept(visitor(number))
    relay.worker()
    relay.worker()
    until(lambda: delivered(relay), seconds=90, what="all tickets")
    assert len(desk.authorization.asked) == 1
    assert len(desk.records()) == CHATS
