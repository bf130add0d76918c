"""From a signed webhook, and from the hook with an API, to the record: real receiver, real workers, a Smartsupp of our
own that is asked over HTTP."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.demo.shop import SHOP_ACCOUNT, MadeChat, made_chat
from connectors.testing.fake import Answer
from core.store.sources.orders import source_lane
from tests.fakes.smartsupp import SECRET, Luck, SmartsuppFake, event, signed
from tests.support.stack import Stack, kill, until

LANE = source_lane("main")


def configured(fake: SmartsuppFake, **more: Any) -> str:
    api = {"token": fake.token, "base_url": fake.base_url, "rate": 100, "allow_networks": ["127.0.0.0/8"]}
    source = {
        "account": SHOP_ACCOUNT,
        "api": {**api, "reconcile_days": 0},
        "webhooks": {"secret": SECRET, "wait": "1s"},
    }
    return json.dumps({"source": {**source, **more}, "connectors": {"archive": {"type": "archive"}}})


def today(count: int) -> list[MadeChat]:
    began = datetime.now(UTC) - timedelta(hours=2)
    return [made_chat(number, began + timedelta(seconds=number)) for number in range(count)]


def hooked(chat: MadeChat) -> bytes:
    return json.dumps(chat.hook).encode()


def newest(relay: Stack, channel: str) -> Any:
    """The newest revision in the archive."""
    files = (relay.data / "archive" / SHOP_ACCOUNT / channel).glob("r*.json")
    last = max(files, key=lambda file: int(file.stem[1:]), default=None)
    return json.loads(last.read_text()) if last else None


@pytest.mark.processes
def test_chats_that_come_both_ways_arrive_once_and_whole_whoever_dies_meanwhile(relay: Stack) -> None:
    chats = today(30)
    with SmartsuppFake(chats) as fake:
        relay.configure(configured(fake))
        relay.web()
        workers = [relay.worker(), relay.worker()]
        luck = Luck(lost=0.1, doubled=0.2, late=0.3)
        posts: list[tuple[str, bytes, dict[str, str]]] = [(relay.hook, body, {}) for body in fake.hooks(luck, chats)]
        address = f"http://127.0.0.1:{relay.port}/smartsupp/webhooks/main"
        posts += [(address, body, headers) for body, headers in fake.webhooks(luck, chats)]
        random.Random(15).shuffle(posts)
        for number, (url, body, headers) in enumerate(posts):
            assert relay.post_to(url, body, headers=headers).status_code == 202
            if number == len(posts) // 2:
                kill(workers.pop())
                workers.append(relay.worker())
        assert relay.post_to(address, event("conversation.closed", chats[0], {})).status_code == 403

        def whole() -> bool:
            relay.hurry(LANE)
            relay.hurry("archive")
            return all(_is_whole(relay, chat) for chat in chats)

        until(whole, what="every chat with what the API knows")
    for chat in chats:
        folders = [one for one in _names(chat) if (relay.data / "archive" / SHOP_ACCOUNT / one).exists()]
        assert len(folders) == 1, "one conversation, by whichever id it came first"


def _names(chat: MadeChat) -> tuple[str, str]:
    return chat.id, str(chat.hook["channel"]["id"])


def _is_whole(relay: Stack, chat: MadeChat) -> bool:
    found: Any = next((one for name in _names(chat) if (one := newest(relay, name))), None)
    return found is not None and bool(found["conversation"]["tags"] == chat.conversation["tags"])


@pytest.mark.processes
def test_webhooks_outlive_an_api_that_is_down_and_it_is_shown(relay: Stack) -> None:
    [chat] = today(1)
    with SmartsuppFake([chat]) as fake:
        fake.instead += [Answer(503, {"code": "unavailable", "message": "no"})] * 6
        relay.configure(configured(fake))
        relay.web()
        relay.worker()
        body, headers = signed(event("conversation.closed", chat, {}))
        address = f"http://127.0.0.1:{relay.port}/smartsupp/webhooks/main"
        assert relay.post_to(address, body, headers=headers).json()["status"] == "accepted"
        until(lambda: relay.ledger.lane(LANE).gate, what="the closed gate")
        shown = json.loads(relay.cli("status", "--json"))["sources"]
        assert [(one["name"], one["waiting"], one["rejected"]) for one in shown] == [("main", 1, False)]
        assert "Smartsupp's API is not responding" in relay.cli("status")
        relay.server.client.hset(f"relay:gate:{LANE}", "until", 1)  # its time has come
        until(lambda: newest(relay, chat.id), what="the chat")
        assert relay.ledger.lane(LANE).gate is None
