"""The fake answers as Smartsupp's own document of 2021 says, and what is asked of it stands there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors.testing.fake import Answer, Request
from core.smartsupp.api.spelling import camel, respelled
from core.store import Client, connect
from tests.fakes.smartsupp import BEGINNING, SmartsuppFake, chats, much_said
from tests.support.server import Server
from tests.workers.test_source_api import END, account
from workers.source.api import opened_api

DOCUMENT = Path(__file__).parents[3] / "shared" / "smartsupp" / "core-api-2021.openapi.json"
MANY = 300


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return found


class Watched(SmartsuppFake):
    """Notes every answer beside its request."""

    def respond(self, request: Request) -> tuple[Answer, bool]:
        found = super().respond(request)
        self.answered_to.append((request, found[0]))
        return found

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.answered_to: list[tuple[Request, Answer]] = []


@pytest.fixture
def client(server: Server) -> Client:
    return connect(server.url)


@pytest.fixture(params=["camelCase", "snake_case"])
def watched(request: pytest.FixtureRequest, client: Client) -> Iterator[Watched]:
    """A fake of which everything was asked that Relay asks."""
    there = chats(MANY)
    there[0] = much_said(there[0], 600)
    with Watched(there, request.param) as smartsupp:
        api = opened_api("main", account(smartsupp), client)
        assert api
        rows = [row for page in api.conversations(BEGINNING, END) for row in page.rows]
        assert len(rows) == MANY
        for row in rows[:40]:
            api.conversation(row.id, visitor=True)
        api.check(BEGINNING, END)
        yield smartsupp


def operation(request: Request) -> dict[str, Any]:
    path = request.path.replace("/v2/agents", "/agents")
    parts = path.split("/")
    for template, item in document()["paths"].items():
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(
            theirs in (ours, "{id}") for ours, theirs in zip(parts, wanted, strict=True)
        ):
            if path.endswith("search") != template.endswith("search"):
                continue
            found: dict[str, Any] = item[request.method.lower()]
            return found
    raise AssertionError(f"{request.method} {request.path} is not in the document")


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**nullable(schema), "components": nullable(document()["components"])}
    return [
        f"{'.'.join(map(str, one.path))}: {one.message[:200]}" for one in Draft202012Validator(whole).iter_errors(value)
    ]


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: what may be null says so in a word of its own."""
    if isinstance(schema, list):
        return [nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: nullable(inner) for name, inner in schema.items() if name != "nullable"}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


def test_every_answer_is_valid_by_the_document(watched: Watched) -> None:
    looked = set()
    for request, answer in watched.answered_to:
        if answer.status != 200:
            assert problems(document()["components"]["schemas"]["error_payload"], answer.body) == []
            continue
        responses = operation(request)["responses"]["200"]["content"]["application/json"]
        assert problems(responses["schema"], humped(answer.body)) == [], request.path
        looked.add(request.path.split("/")[2] + request.path.split("/")[-1][:3])
    assert len(looked) > 5


def humped(value: Any) -> Any:
    """The one name that the document itself writes in snake case stays."""
    if isinstance(value, list):
        return [humped(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name if name == "sub_type" else camel(name): humped(inner) for name, inner in value.items()}


def test_every_request_stands_in_the_document(watched: Watched) -> None:
    for request, answer in watched.answered_to:
        if answer.status != 200:
            continue
        found = operation(request)
        names = {one["name"] for one in found.get("parameters", []) if one["in"] == "query"}
        assert {camel(name) for name in request.query} <= names, request.path
        if request.body is not None:
            schema = found["requestBody"]["content"]["application/json"]["schema"]
            asked = respelled(request.body, camel)
            # Seen in 2026: the values of a condition in a list.
            asked["query"] = [{**one, "value": "closed"} for one in asked["query"]]
            assert problems(schema, asked) == []
            assert set(asked) <= set(schema["properties"])


def test_the_checker_finds_what_is_not_there() -> None:
    schema = document()["components"]["schemas"]["conversation"]
    assert problems(schema, {"id": 7})
    with pytest.raises(AssertionError):
        operation(Request("GET", "/v2/nothing", {}, {}, None))
