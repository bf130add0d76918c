"""Slack with a memory, after https://docs.slack.dev/reference/methods: channels, threads, and metadata of messages.

It answers 200 to everything that it understands, with `ok` in the body; it knows nothing of a channel in which the bot
is no member; and it returns metadata only to who asks for it.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.testing.fake import Answer, Fake, Request

TOKEN = "xoxb-0123456789-token"
CHANNEL = "C0123456789"
HOOK = "/services/T0123456/B0123456/secret0123456789"
_POST = {"channel", "text", "thread_ts", "metadata", "unfurl_links", "unfurl_media"}
_UPDATE = {"channel", "ts", "text", "metadata"}


class SlackVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[str, list[dict[str, Any]]] = {CHANNEL: [], "C0000000002": []}
        self.hooked: list[str] = []
        self.now = 1_427_470_600
        for method, path, act in (
            ("POST", "/api/chat.postMessage", self._post),
            ("POST", "/api/chat.update", self._update),
            ("GET", "/api/conversations.history", self._history),
            ("GET", "/api/conversations.replies", self._replies),
            ("GET", "/api/chat.getPermalink", self._permalink),
            ("POST", "/api/auth.test", lambda _: {"ok": True, "user": "relay", "team": "Shop"}),
        ):
            self.route(method, re.escape(path), self._known(act))
        self.route("POST", HOOK, self._hook)

    def records(self) -> list[Any]:
        """The messages that are no replies."""
        return [one for ones in self.channels.values() for one in ones if "thread_ts" not in one]

    def texts(self) -> list[str]:
        return [_shown(one["text"]) for ones in self.channels.values() for one in ones]

    def writes(self) -> list[Request]:
        return [one for one in super().writes() if "auth.test" not in one.path]

    def _known(self, act: Any) -> Any:
        def known(request: Request) -> Any:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return {"ok": False, "error": "invalid_auth"}
            channel = (request.body or {}).get("channel") or request.query.get("channel")
            if channel is not None and channel not in self.channels:
                return {"ok": False, "error": "channel_not_found"}
            return act(request)

        return known

    def _post(self, request: Request) -> Any:
        body = request.body
        assert {*body} <= _POST, body
        assert len(body["text"]) <= 40_000
        if body.get("thread_ts") and not self._of(body["channel"], body["thread_ts"]):
            return {"ok": False, "error": "thread_not_found"}
        message = {**body, "ts": f"{self.now}.{self.new_id():06}"}
        self.channels[body["channel"]].append(message)
        return {"ok": True, "channel": body["channel"], "ts": message["ts"]}

    def _update(self, request: Request) -> Any:
        body = request.body
        assert {*body} <= _UPDATE, body
        found = self._of(body["channel"], body["ts"])
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        found |= body
        return {"ok": True, "ts": body["ts"]}

    def _history(self, request: Request) -> Any:
        return self._page(request, [one for one in self.channels[request.query["channel"]] if "thread_ts" not in one])

    def _replies(self, request: Request) -> Any:
        ts = request.query["ts"]
        ours = self.channels[request.query["channel"]]
        return self._page(request, [one for one in ours if ts in (one["ts"], one.get("thread_ts"))])

    def _page(self, request: Request, found: list[dict[str, Any]]) -> Any:
        """Pages of two, so that there are some."""
        with_metadata = request.query.get("include_all_metadata") == "true"
        oldest, start = float(request.query.get("oldest", 0)), int(request.query.get("cursor", 0))
        recent = [one for one in found if float(one["ts"]) > oldest]
        shown = [one if with_metadata else {**one, "metadata": None} for one in recent[start : start + 2]]
        cursor = str(start + 2) if len(recent) > start + 2 else ""
        return {"ok": True, "messages": shown, "response_metadata": {"next_cursor": cursor}}

    def _permalink(self, request: Request) -> Any:
        channel, ts = request.query["channel"], request.query["message_ts"]
        return {"ok": True, "permalink": f"https://shop.slack.com/archives/{channel}/p{ts.replace('.', '')}"}

    def _hook(self, request: Request) -> Answer:
        if not request.body.get("text"):
            return Answer(400, "no_text")
        self.hooked.append(request.body["text"])
        return Answer(200, "ok")

    def _of(self, channel: str, ts: str) -> dict[str, Any] | None:
        return next((one for one in self.channels[channel] if one["ts"] == ts), None)


def _shown(text: str) -> str:
    """As people read it: links are their texts, and what is escaped is not."""
    text = re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text)
    return re.sub(r"(?<!\w)[*_]|[*_](?!\w)", "", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
