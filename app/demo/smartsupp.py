"""A small Smartsupp on loopback: it has chats, answers as Smartsupp's document of its API says.

Source: Smartsupp's OpenAPI document of January 2021, github.com/smartsupp/openapi-client. `spelling` is `camelCase`, as
there, or `snake_case`, as the API of today has been seen; what is asked in the other one is refused.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from app.demo.shop import MadeChat, agents, api_time, ms
from connectors.testing.fake import Answer, Fake, Refuse, Request
from core.smartsupp.api.rows import time_of
from core.smartsupp.api.spelling import snake, snaked

Spelling = Literal["camelCase", "snake_case"]

#: How long the address of a file is good.
_LINK_LIFE = timedelta(hours=1)
#: One pixel.
_PICTURE = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
#: Of a page of conversations, by the document.
_LARGEST = 250
_NAMES = frozenset(
    {
        *("timezone", "size", "after", "sort", "filters", "query", "field", "value", "op", "createdAt", "finishedAt"),
        *("dateFrom", "dateTo", "pageUrl", "locIp", "contactId", "contactDetails", "visitorDetails", "lastMessage"),
        *("unreadInfo", "readInfo", "allowExtraSize", "messages", "messagesOrder", "paths", "pathsOrder", "order"),
    }
)


class SmartsuppVendor(Fake):
    """`chats` are there from the beginning, and `add` brings more. `token` is the one that is right."""

    def __init__(self, chats: Iterable[MadeChat] = (), spelling: Spelling = "snake_case") -> None:
        super().__init__()
        self.token = "a-token-of-the-demo"  # noqa: S105  # of nothing
        self.spelling: Spelling = spelling
        #: For whatever runs out.
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._by_id: dict[str, MadeChat] = {}
        self._order: list[tuple[int, str]] = []
        self.contacts: dict[str, dict[str, Any]] = {}
        self.visitors: dict[str, dict[str, Any]] = {}
        for path, handler in self._handlers():
            self.route("POST" if path.endswith("/search") else "GET", path, self._guarded(handler))
        self.route("GET", r"/files/([^/]+)", self._file)
        for chat in chats:
            self.add(chat)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v2/"

    def add(self, chat: MadeChat) -> None:
        """A chat that is over."""
        with self._lock:
            self._by_id[chat.id] = chat
            bisect.insort(self._order, (ms(chat.began), chat.id))
            self.contacts[str(chat.contact["id"])] = chat.contact
            self.visitors[str(chat.visitor["id"])] = chat.visitor

    def remove(self, identity: str) -> None:
        """Somebody deletes it."""
        with self._lock:
            chat = self._by_id.pop(identity)
            self._order.remove((ms(chat.began), identity))

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[MadeChat]:
        """The oldest first."""
        return iter([self._by_id[identity] for _, identity in self._order])

    def records(self) -> list[Any]:
        return list(self)

    def texts(self) -> list[str]:
        return [json.dumps(one["content"]) for chat in self for one in chat.messages]

    def _handlers(self) -> list[tuple[str, Callable[..., Any]]]:
        return [
            ("/v2/conversations/search", self._search),
            (r"/v2/conversations/([^/]+)", self._conversation),
            (r"/v2/conversations/([^/]+)/messages", self._messages),
            (r"/v2/conversations/([^/]+)/paths", self._paths),
            (r"/v2/contacts/([^/]+)", lambda _, one: self._one(self.contacts, one, "Contact")),
            (r"/v2/visitors/([^/]+)", lambda _, one: self._one(self.visitors, one, "Visitor")),
            (r"(?:/v2)?/agents", lambda _: agents()),
        ]

    def _file(self, request: Request, name: str) -> Answer:
        """A small picture, for as long as its address is good."""
        if int(request.query.get("expires", 0)) < ms(self.now()) or request.query.get("signature") != _signature(name):
            return Answer(403, "<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
        return Answer(200, _PICTURE, {"Content-Type": "image/gif"})

    def _signed(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with addresses of its files, which are good for an hour."""
        if not message["attachments"]:
            return message
        expires = self.now() + _LINK_LIFE
        files = []
        for one in message["attachments"]:
            name = f"{message['id']}-{one['fileName']}"
            address = f"{self.url}/files/{name}?expires={ms(expires)}&signature={_signature(name)}"
            files.append({**one, "expireAt": api_time(expires), "url": address})
        return {**message, "attachments": files}

    def _guarded(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(request: Request, *groups: str) -> Any:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                raise Refuse(401, {"code": "unauthorized", "message": "Access token is not valid"})
            if unknown := self._unknown([*request.query, *_names(request.body)]):
                raise Refuse(400, {"code": "bad_request", "message": f"{unknown} is not allowed"})
            return self.answered(handler(request, *groups))

        return guarded

    def answered(self, body: Any) -> Any:
        """In the spelling of this API."""
        return snaked(body) if self.spelling == "snake_case" else body

    def _unknown(self, names: Iterable[str]) -> str:
        """A name that is not spelled as this API spells it, or ""."""
        known = {snake(name) for name in _NAMES} if self.spelling == "snake_case" else _NAMES
        return next((name for name in names if name not in known), "")

    def _search(self, request: Request) -> dict[str, Any]:
        wanted = snaked(request.body or {})
        size = min(int(wanted.get("size", 100)), _LARGEST)
        since, until = self._bounds(wanted.get("filters") or {})
        sort = wanted.get("sort") or [{"created_at": "desc"}]
        falling = "desc" in sort[0].values()
        low = bisect.bisect_left(self._order, (since, ""))
        high = bisect.bisect_right(self._order, (until, "~"))
        after = (wanted.get("after") or [None])[0]
        if falling:
            end = high if after is None else min(high, bisect.bisect_left(self._order, (after, "")))
            found = self._order[max(low, end - size) : end][::-1]
            more = end - size > low
        else:
            begin = low if after is None else max(low, bisect.bisect_right(self._order, (after, "~")))
            found = self._order[begin : min(high, begin + size)]
            more = begin + size < high
        rows = [self._by_id[identity].conversation for _, identity in found]
        return {"total": high - low, "after": [found[-1][0]] if found and more else None, "items": rows}

    def _bounds(self, filters: dict[str, Any]) -> tuple[int, int]:
        def bound(name: str, otherwise: int) -> int:
            time = time_of(filters.get(name))
            return ms(time) if time else otherwise

        return bound("date_from", 0), bound("date_to", 2**53)

    def _conversation(self, request: Request, identity: str) -> dict[str, Any]:
        chat, query = self._chat(identity), {snake(name): value for name, value in request.query.items()}
        found = dict(chat.conversation)
        if query.get("contact_details") == "true":
            known = self.contacts[str(chat.contact["id"])]
            found["contactDetails"] = {name: known[name] for name in ("name", "email", "phone", "note", "avatar")}
        if query.get("visitor_details") == "true":
            found["visitorDetails"] = {"connectedAt": api_time(chat.began)}
        messages = [self._signed(one) for one in chat.messages]
        for name, entries in (("messages", messages), ("paths", chat.paths)):
            if number := int(query.get(name, 0)):
                falling = query.get(f"{name}_order", "desc") == "desc"
                found[name] = (entries[::-1] if falling else entries)[:number]
        return found

    def _messages(self, request: Request, identity: str) -> dict[str, Any]:
        return self._listed(request, [self._signed(one) for one in self._chat(identity).messages])

    def _paths(self, request: Request, identity: str) -> dict[str, Any]:
        return self._listed(request, self._chat(identity).paths)

    def _listed(self, request: Request, entries: list[dict[str, Any]]) -> dict[str, Any]:
        falling = request.query.get("order", "desc") == "desc"
        size, after = int(request.query.get("size", 50)), request.query.get("after")
        rows = sorted(((_at(one), one) for one in entries), key=lambda pair: pair[0], reverse=falling)
        if after is not None:
            rows = [row for row in rows if (row[0] < int(after) if falling else row[0] > int(after))]
        page, more = rows[:size], len(rows) > size
        return {"total": len(entries), "after": page[-1][0] if more else None, "items": [one for _, one in page]}

    def _chat(self, identity: str) -> MadeChat:
        if identity not in self._by_id:
            raise Refuse(404, {"code": "not_found", "message": "Conversation not found"})
        return self._by_id[identity]

    def _one(self, known: dict[str, dict[str, Any]], identity: str, what: str) -> Answer | dict[str, Any]:
        if identity not in known:
            raise Refuse(404, {"code": "not_found", "message": f"{what} not found"})
        return known[identity]


def _signature(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _at(entry: dict[str, Any]) -> int:
    time = time_of(entry["createdAt"])
    return ms(time) if time else 0


def _names(value: Any) -> Iterator[str]:
    """Every key in a body."""
    if isinstance(value, list):
        for one in value:
            yield from _names(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
