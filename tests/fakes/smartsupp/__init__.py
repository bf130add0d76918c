"""Smartsupp as tests need it: the demo's server, and what goes wrong with it.

It posts its hook and its signed webhooks as Smartsupp does: once each, some of them lost, doubled, or late. Signature
and envelope: https://docs.smartsupp.com/rest-api/webhooks/, as far as others' code shows it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.demo.shop import SHOP_ACCOUNT, MadeChat, api_time, made_chat, moments
from app.demo.smartsupp import SmartsuppVendor, Spelling

SECRET = "the-app's-shared-secret"
#: Everything is made up from here on.
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)


def chats(count: int, since: datetime = BEGINNING, days: int = 365, first: int = 0) -> list[MadeChat]:
    """So many chats of a shop, the oldest first; `first` is the number of that one."""
    times = moments(since, since + timedelta(days=days), count)
    return [made_chat(number, began) for number, began in enumerate(times, first)]


@dataclass(frozen=True)
class Luck:
    """Shares of what is posted that are lost, sent twice, and delayed until everything else was sent."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0


class SmartsuppFake(SmartsuppVendor):
    def __init__(self, chats: Iterable[MadeChat] = (), spelling: Spelling = "snake_case", seed: int = 1) -> None:
        super().__init__(chats, spelling)
        self._dice = random.Random(seed)
        #: What was lost on its way to the hook, by the chat's id.
        self.lost: set[str] = set()

    def hooks(self, luck: Luck, chats: Iterable[MadeChat] | None = None) -> Iterator[bytes]:
        """The bodies that reach the hook, in the order in which they arrive."""
        late = []
        for chat in self if chats is None else chats:
            body = json.dumps(chat.hook, ensure_ascii=False).encode()
            if self._dice.random() < luck.lost:
                self.lost.add(chat.id)
                continue
            if self._dice.random() < luck.late:
                late.append(body)
                continue
            yield body
            if self._dice.random() < luck.doubled:
                yield body
        self._dice.shuffle(late)
        yield from late

    def webhooks(self, luck: Luck, chats: Iterable[MadeChat] | None = None) -> Iterator[tuple[bytes, dict[str, str]]]:
        """Body and headers of the events that arrive, in random order: those of one chat, too."""
        sent = []
        for chat in self if chats is None else chats:
            for name, data in _events(chat):
                times = 0 if self._dice.random() < luck.lost else 2 if self._dice.random() < luck.doubled else 1
                sent += [signed(event(name, chat, data))] * times
        self._dice.shuffle(sent)
        yield from sent


def event(name: str, chat: MadeChat, data: dict[str, Any]) -> bytes:
    """A webhook's body."""
    about = {"type": "event_callback", "event": name, "timestamp": chat.conversation["finishedAt"]}
    told = {"account_id": SHOP_ACCOUNT, "app_id": "ap1", "data": {"conversation_id": chat.id, **data}}
    return json.dumps({**about, **told}).encode()


def signed(body: bytes, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """The body, and the header that proves whose it is."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Smartsupp-Hmac": digest, "Content-Type": "application/json"}


def _events(chat: MadeChat) -> Iterator[tuple[str, dict[str, Any]]]:
    agent = (chat.conversation["agentIds"] or [None])[0]
    yield "conversation.opened", {}
    for message in chat.messages:
        if message["sub_type"] in ("contact", "agent") and message["type"] == "message":
            yield f"conversation.{message['sub_type']}_replied", {"message": {"id": message["id"]}}
    yield "conversation.closed", {"close_type": "agent_close", "agent_id": agent}
    if rating := chat.conversation["rating"]:
        yield "conversation.rated", {"rating_value": rating["value"], "rating_text": rating["text"]}


def much_said(chat: MadeChat, count: int) -> MadeChat:
    """The same chat with so many messages: more than come with a conversation. Three of them share each moment."""
    first = chat.messages[0]
    for number in range(count):
        at = chat.began + timedelta(milliseconds=number // 3)
        said = {"type": "text", "text": f"line {number}", "data": None}
        chat.messages.append({**first, "id": f"msmany{number}", "createdAt": api_time(at), "content": said})
    return chat
