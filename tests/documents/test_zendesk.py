"""Every request of the Zendesk connector is in Zendesk's own document, and the checker finds what is not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.testing.fake import Fake, Request
from tests.connectors import test_zendesk
from tests.fakes.zendesk import ZendeskVendor
from tests.support.openapi import Document, document

NAME = "zendesk-support.json"
IMPORTED_NUMBERS = (
    *("requester_id", "submitter_id", "assignee_id"),
    *("group_id", "brand_id", "ticket_form_id", "via_followup_source_id"),
)
#: Of https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format
_USER_TEXTS = ("name", "email", "external_id", "phone", "notes", "details", "locale", "time_zone")
PLACE = "components/schemas/TicketUpdateInput/properties/custom_fields"


@cache
def zendesk_document() -> Document:
    """The document. What a ticket's custom_fields hold is written as a field's definition there; the ticket that is
    answered says it right. Two names stand in the prose alone."""
    value = {"type": "object", "properties": {"id": {"type": "integer"}, "value": {"type": "string"}}}
    time = {"type": "string", "format": "date-time"}
    fields = {"type": "array", "items": {**value, "required": ["id", "value"]}}
    # "Ticket imports support the normal ticket properties"; these stamps, and comments with their author and time:
    # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_import/
    comment = {name: {"type": kind} for name, kind in (("html_body", "string"), ("author_id", "integer"))}
    comment |= {"public": {"type": "boolean"}, "created_at": time}
    imported = {
        **dict.fromkeys(("created_at", "updated_at", "solved_at", "due_at"), time),
        **{name: {"type": "integer"} for name in IMPORTED_NUMBERS},
        **{name: {"type": "string"} for name in ("subject", "external_id", "status", "priority", "type")},
        "tags": {"type": "array", "items": {"type": "string"}},
        "custom_fields": fields,
        "comments": {"type": "array", "items": {"type": "object", "properties": comment}},
    }
    # One of the addresses of https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets , with
    # the parameters that it gives for all of them.
    number = {"name": "user_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    order = {"name": "sort_order", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"]}}
    by = {"name": "sort_by", "in": "query", "schema": {"type": "string", "enum": ["created_at", "updated_at", "id"]}}
    requested = {
        "operationId": "ListTicketsRequested",
        "description": "Offset pagination",
        "parameters": [by, order],
        "responses": {"200": {"description": "Tickets"}},
    }
    return document(
        NAME,
        # The page has skip_verify_email for a create as well: https://developer.zendesk.com/api-reference/ticketing/
        # users/users/#create-user
        repairs={
            PLACE: fields,
            "components/schemas/TicketImportInput/properties": imported,
            "components/schemas/UserCreateInput/properties": {
                **{name: {"type": "string"} for name in _USER_TEXTS},
                "user_fields": {"type": "object", "additionalProperties": True},
                "skip_verify_email": {"type": "boolean"},
            },
        },
        paths={"/api/v2/users/{user_id}/tickets/requested": {"parameters": [number], "get": requested}},
        described=[
            ("CreateOrUpdateUser", "user.skip_verify_email"),
            ("ListTicketComments", "?sort_order"),
            ("UploadFiles", "?filename"),
        ],
    )


class TestEveryRequest(test_zendesk.TestZendesk):
    """The whole suite of the connector once more, whatever it sends."""

    made: list[Fake]

    @property
    def golden(self) -> Path:
        """The one of the suite that is run once more."""
        return Path(test_zendesk.__file__).parent / "golden" / f"{self.kind}.json"

    @pytest.fixture(autouse=True)
    def _every_request_is_in_zendesks_document(self) -> Iterator[None]:
        self.made = []
        yield
        wanted = zendesk_document()
        assert {problem for fake in self.made for one in fake.requests for problem in wanted.problems(one)} == set()

    def fake(self) -> ZendeskVendor:
        fake = ZendeskVendor()
        if hasattr(self, "made"):
            self.made.append(fake)
        return fake


# --- the checker -----------------------------------------------------------------------------


def ask(method: str, path: str, body: Any = None, **query: str) -> Request:
    headers = {"authorization": "Basic eDp5", "content-type": "application/json"}
    return Request(method, f"/api/v2/{path}", query, headers, body)


GOOD = {"subject": "x", "comment": {"html_body": "x", "public": False}, "custom_fields": [{"id": 1, "value": "x"}]}


def test_a_right_request_is_in_zendesks_document() -> None:
    zendesk = zendesk_document()
    assert zendesk.problems(ask("POST", "tickets", {"ticket": GOOD})) == []
    assert zendesk.problems(ask("GET", "tickets", external_id="x")) == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ask("POST", "tickets", {"ticket": {**GOOD, "priorty": "low"}}), "ticket.priorty"),
        (ask("POST", "tickets", {"ticket": {**GOOD, "comment": {"html": "x"}}}), "ticket.comment.html"),
        (ask("POST", "tickets", {"ticket": {**GOOD, "custom_fields": [{"id": 1, "value": "", "v": 1}]}}), "fields.v"),
        (ask("POST", "tickets", {"tickets": GOOD}), "nothing is called tickets"),
        (ask("POST", "tickets", {"ticket": {**GOOD, "priority": "lowest"}}), "lowest"),
        (ask("POST", "tickets", {"ticket": {**GOOD, "requester_id": "7"}}), "requester_id"),
        (ask("POST", "tickets", {"ticket": {"subject": "x"}}), "comment"),
        (ask("PUT", "tickets/1", {"ticket": {"comment": {"html_body": "x", "id": 7}}}), "read-only"),
        (ask("GET", "tickets", extrenal_id="x"), "?extrenal_id"),
        (ask("GET", "tickets/1/comments", sort="x"), "?sort"),
        (ask("GET", "tickets/x/comments"), "ticket_id"),
        (ask("GET", "users/me", {"a": 1}), "a body"),
        (ask("POST", "users/create_or_update", {"user": {"name": "x", "skip_verify": True}}), "user.skip_verify"),
        (ask("PATCH", "tickets/1"), "is not in the document"),
        (ask("GET", "nothing"), "is not in the document"),
        (Request("GET", "/api/v2/users/me", {}, {}, None), "ecurity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_request_is_caught(request_: Request, said: str) -> None:
    problems = zendesk_document().problems(request_)
    assert any(said in problem for problem in problems), problems
