"""What the Slack connector sends is what Slack's own document says: of 2021, in OpenAPI 2, and without `metadata`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from connectors.testing.chats import SAMPLE, chat, longer
from connectors.testing.fake import Request
from tests.connectors.test_slack import TestSlack
from tests.support.openapi import SPECS

SUITE = TestSlack
del TestSlack  # only here to be asked for a fake and settings

#: https://docs.slack.dev/messaging/message-metadata/
LATER = {
    "/chat.postMessage": {"metadata"},
    "/chat.update": {"metadata"},
    "/conversations.history": {"include_all_metadata"},
    "/conversations.replies": {"include_all_metadata"},
}
KINDS: dict[str, Any] = {"string": str, "boolean": bool, "number": (int, float, str), "integer": (int, str)}


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    root = json.loads((SPECS / "slack-web-2021.json").read_text())
    return {
        (method.upper(), path): {one["name"]: one for one in operation.get("parameters", [])}
        for path, item in root["paths"].items()
        for method, operation in item.items()
    }


def problems(request: Request) -> list[str]:
    """What the document has against a request: paths, names, required names, and types."""
    path = request.path.removeprefix("/api")
    # Of methods that only read, the document has GET; Slack takes POST for all of them.
    known = operations().get((request.method, path)) or operations().get(("GET", path))
    if known is None:
        return [f"{path} is not in the document"]
    given = {**request.query, **(request.body or {})}
    found = [f"{path}: nothing is called {name}" for name in given if name not in {*known, *LATER.get(path, ())}]
    required = (name for name, one in known.items() if one.get("required") and name != "token")
    found += [f"{path}: {name} is missing" for name in required if name not in given]
    wrong = (
        name for name, value in given.items() if name in known and not isinstance(value, KINDS[known[name]["type"]])
    )
    return found + [f"{path}: {name} is of another type" for name in wrong]


def test_every_request_is_in_slacks_document() -> None:
    suite = SUITE()
    with suite.fake() as vendor:
        for more in ({}, {"on_revision": "append"}):
            connector, memory = suite.connector(vendor, **more), dict[str, Any]()
            suite.deliver(connector, chat("long " * 10_000), memory)
            suite.deliver(connector, longer(SAMPLE, "More"), memory, 2)
            begun = {name: True for name in memory if name.endswith("?")} | {"channel": memory["channel"]}
            suite.deliver(connector, chat("long " * 10_000), begun, 3)
        list(connector.check())
        assert {wrong for one in vendor.requests for wrong in problems(one)} == set()
        asked = {one.path.removeprefix("/api") for one in vendor.requests}
    assert asked == {*LATER, "/chat.getPermalink", "/auth.test"}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/chat.postMesage", {}, "is not in the document"),
        ("/api/chat.postMessage", {"channel": "C1", "txt": "x"}, "nothing is called txt"),
        ("/api/chat.postMessage", {"text": "x"}, "channel is missing"),
        ("/api/chat.update", {"channel": "C1", "ts": 1.5}, "ts is of another type"),
    ],
)
def test_a_misspelt_name_is_caught_in_slacks_document_too(path: str, body: Any, said: str) -> None:
    assert any(said in one for one in problems(Request("POST", path, {}, {}, body)))
