"""A workflow of Microsoft Teams that posts the cards which it is sent, as Power Automate answers."""

from __future__ import annotations

import json
from typing import Any

from connectors.testing.fake import Answer, Fake, Request

PATH = "/workflows/0123456789abcdef/triggers/manual/paths/invoke"
SIGNATURE = "sig-0123456789-secret"


class TeamsVendor(Fake):
    """It takes 28 KB, and nothing but one Adaptive Card in a message."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[list[str]] = []
        self.route("POST", PATH, self._take)
        self.route("GET", PATH, lambda _: Answer(405))

    def records(self) -> list[Any]:
        return self.cards

    def texts(self) -> list[str]:
        return ["\n\n".join(card) for card in self.cards]

    def _take(self, request: Request) -> Answer:
        if request.query.get("sig") != SIGNATURE:
            return Answer(401, {"error": {"code": "DirectApiAuthorizationRequired", "message": "who?"}})
        if len(json.dumps(request.body)) > 28 * 1024:
            return Answer(413, {"error": {"code": "RequestEntityTooLarge"}})
        [attachment] = request.body["attachments"]
        assert request.body["type"] == "message"
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        content = attachment["content"]
        assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
        assert all(one["type"] == "TextBlock" and one["wrap"] for one in content["body"])
        self.cards.append([one["text"] for one in content["body"]])
        return Answer(202)
