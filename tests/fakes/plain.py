"""A vendor without people whose tickets are Markdown, and a connector for it.

The contract must pass it: nothing in the contract may need people or HTML.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from pydantic import AnyHttpUrl, SecretStr

from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.text.formats import MARKDOWN
from connectors.kit.text.parts import Layout, append
from connectors.testing.fake import Answer, Fake, Request
from core.conversation import Conversation
from core.delivery import Reference

LONGEST = 20_000
COMMENTS = Layout(LONGEST, form=MARKDOWN, mark="{}:{}.{}".format, shown=False)
#: A sign that is shown, one that is not, and what keeps a mention from being one.
_SIGNS = re.compile(r"\\([\\`*_{}\[\]<>#|~&+=-])|[*\u2060]")


class PlainSettings(RecordSettings):
    url: AnyHttpUrl
    key: SecretStr


class Plain(HttpConnector[PlainSettings]):
    label = "Plain"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        _ = words.person  # raises Skipped where the admin wants that
        ticket = step.once(
            "ticket",
            lambda: self._call("POST", "tickets", json={"key": words.key, "subject": words.subject(100)})["id"].id,
            find=partial(self._find, "tickets", words.key),
        )
        place = f"tickets/{ticket}/comments"
        append(
            step,
            "comment",
            COMMENTS.parts(words, receipt.number),
            write=lambda part: self._call("POST", place, json={"key": part.mark, "text": part.body})["id"].id,
            look=lambda part: self._find(place, part.mark),
        )
        return Reference(ticket, f"{self.settings.url}{place}")

    def _find(self, place: str, key: str) -> str | None:
        return next((one["id"].id for one in self._call("GET", place, params={"key": key})["found"]), None)

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.settings.key.get_secret_value()}"}
        return self.http.reply(method, f"{self.settings.url}{path}", headers=headers, **options)

    def check(self) -> Any:
        yield Finding(self._find("tickets", "") is None, "the key is accepted")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return {"id": 1, "found": []}


class PlainVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, list[dict[str, Any]]] = {}
        for place in ("/tickets", r"/tickets/\d+/comments"):
            self.route("POST", place, self._add)
            self.route("GET", place, self._look)

    def _add(self, request: Request) -> Answer:
        assert len(request.body.get("text", "")) <= LONGEST
        made = {**request.body, "id": self.new_id()}
        self.kept.setdefault(request.path, []).append(made)
        return Answer(201, {"id": made["id"]})

    def _look(self, request: Request) -> Any:
        return {"found": [one for one in self.kept.get(request.path, []) if one["key"] == request.query.get("key")]}

    def records(self) -> list[Any]:
        return self.kept.get("/tickets", [])

    def texts(self) -> list[str]:
        """As people read them: rendered."""
        written = [one["text"] for place, ones in self.kept.items() if "comments" in place for one in ones]
        return [_SIGNS.sub(lambda found: found[1] or "", text) for text in written]
