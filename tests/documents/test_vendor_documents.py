"""What the connectors send is what the vendors' own OpenAPI documents say, to the last key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.connector import HttpConnector
from connectors.testing import chats, records
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake, Request
from connectors.testing.files import KETTLE_INVOICE, KETTLE_PHOTO, FileLaws, chat_with
from connectors.testing.people.bench import PHONE, said
from tests.connectors.test_intercom import TestIntercom
from tests.connectors.test_pipedrive import TestPipedrive, TestPipedriveDeal, TestPipedriveLead
from tests.connectors.test_raynet import TestRaynet
from tests.connectors.test_redmine import TestRedmine
from tests.connectors.test_zendesk import TestZendesk
from tests.documents.test_zendesk import zendesk_document
from tests.fakes.pipedrive import CUSTOMER_FIELD, PERSON_FIELD
from tests.support import openapi
from tests.support.openapi import Document, document

# Only here to be asked for a fake and settings; what they test is tested where they stand.
VENDORS: dict[str, type[Contract]] = {
    "zendesk": TestZendesk,
    "pipedrive, a note": TestPipedrive,
    "pipedrive, a lead": TestPipedriveLead,
    "pipedrive, a deal": TestPipedriveDeal,
    "raynet": TestRaynet,
    "redmine": TestRedmine,
    "intercom": TestIntercom,
}
FOR_PIPEDRIVE = TestPipedrive
FOR_RECORDS = {"lead": TestPipedriveLead, "deal": TestPipedriveDeal}
del TestIntercom, TestZendesk, TestPipedrive, TestPipedriveLead, TestPipedriveDeal, TestRaynet, TestRedmine


@cache
def pipedrive_document(version: int) -> Document:
    return document(f"pipedrive-v{version}.yaml")


@cache
def redmine_document() -> Document:
    return document("redmine-community.yaml")


@cache
def raynet_document() -> Document:
    return document("raynet-2023-08.json")


@cache
def intercom_document() -> Document:
    return document("intercom-2.16.yaml")


def document_of(vendor: str, request: Request) -> Document:
    if vendor == "zendesk":
        return zendesk_document()
    if vendor == "raynet":
        return raynet_document()
    if vendor == "redmine":
        return redmine_document()
    if vendor == "intercom":
        return intercom_document()
    return pipedrive_document(2 if request.path.startswith("/api/v2/") else 1)


Way = Callable[[Contract, HttpConnector[Any], Fake], None]


def a_chat(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    contract.deliver(connector, SAMPLE, {})


def a_chat_without_an_e_mail(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    contract.deliver(connector, chat(email=""), {})


def an_overflow(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    contract.deliver(connector, chat("long " * 60_000), {})


def a_revision(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    memory: dict[str, Any] = {}
    contract.deliver(connector, SAMPLE, memory)
    longer = json.loads(json.dumps(SAMPLE))
    longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more"})
    contract.deliver(connector, longer, memory, 2)


def a_look_for_all_that_has_begun(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    memory: dict[str, Any] = {}
    for revision in (1, 2):
        for _ in range(2):
            contract.deliver(connector, chat("long " * 60_000), memory, revision)
            # As if no reply had come: what stays is that each create has begun.
            memory = {step: value for step, value in memory.items() if step.endswith("?")}
    assert len(vendor.records()) == 1


def a_chat_with_files(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    memory: dict[str, Any] = {}
    contract.deliver(connector, chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE), memory)
    # As if the last reply had not come, so that it is looked for.
    memory.pop("files", None)
    contract.deliver(connector, chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE), memory)
    assert len(vendor.attached()) == (2 if issubclass(type(contract), FileLaws) else 0)


def a_check(contract: Contract, connector: HttpConnector[Any], vendor: Fake) -> None:
    list(connector.check())
    list(connector.setup())


WAYS: list[Way] = [
    a_chat,
    a_chat_without_an_e_mail,
    an_overflow,
    a_revision,
    a_look_for_all_that_has_begun,
    a_chat_with_files,
    a_check,
]


@pytest.mark.parametrize("name", sorted(VENDORS))
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.replace("_", " "))
def test_every_request_is_in_the_vendors_document(name: str, way: Way) -> None:
    contract = VENDORS[name]()
    with contract.fake() as vendor:
        way(contract, contract.connector(vendor), vendor)
        assert vendor.requests
        assert {wrong for one in vendor.requests for wrong in document_of(name, one).problems(one)} == set()


def test_who_it_is_is_asked_and_written_as_pipedrives_documents_say() -> None:
    contract = FOR_PIPEDRIVE()
    settings: dict[str, Any] = {
        "match": ["email", "phone", "customer_id"],
        "customer_id_field": CUSTOMER_FIELD,
        "customer_id": "C-1",
    }
    settings |= {"phone": PHONE, "person": {PERSON_FIELD: "pro"}, "link_company": True}
    with contract.fake() as vendor:
        there: Any = vendor
        there.add_company("domain.com")
        connector = contract.connector(vendor, **settings)
        there.add_person(name="Jane", phone="777 123 456")
        there.add_person(name="Jane Two", phone="+420777123456")
        there.add_person(name="Ann", email="ann@domain.com")
        for number, email in enumerate(("jane@domain.com", "jane@domain.com", "jane@work.example.com"), 1):
            contract.deliver(connector, said(number, email=email), {})
        contract.deliver(connector, said(4, email="ann@domain.com", id="b4"), {})
        list(connector.check())
        for somebody in list(connector.find_persons("ann@domain.com")):
            connector.erase_person(somebody)
        asked = {f"{one.method} {re.sub('[0-9]{2,}', 'N', one.path)}" for one in vendor.requests}
        assert {wrong for one in vendor.requests for wrong in document_of("pipedrive", one).problems(one)} == set()
    assert "DELETE /api/v2/persons/N" in asked
    persons = "/api/v2/persons"
    assert asked >= {f"GET {persons}/search", f"GET {persons}", f"GET {persons}/N", f"PATCH {persons}/N"}
    assert asked >= {"GET /api/v2/organizations/search", "GET /api/v2/personFields"}


@pytest.mark.parametrize("kind", sorted(FOR_RECORDS))
def test_whose_it_is_and_what_is_to_be_done_is_asked_and_written_as_pipedrives_documents_say(kind: str) -> None:
    contract = FOR_RECORDS[kind]()
    settings: dict[str, Any] = {"owner": records.ANN, "owner_fallback": "1", "task": {}, **records.SHARED}
    if kind == "deal":
        settings |= {"pipeline_id": "{{ 2 if kind == 'missed' else 1 }}", "stage_id": "{{ 20 if phone else 10 }}"}
    with contract.fake() as vendor:
        there: Any = vendor
        there.knows_owner(records.ANN)
        connector = contract.connector(vendor, **settings)
        missed = chats.other("Hello?", kind="isMissed")
        for payload, first in ((SAMPLE, True), (missed, True), (missed, False)):
            contract.deliver(connector, payload, {}, first=first)
        there.end(vendor.records()[0])
        contract.deliver(connector, chats.other("Me again", number=3), {})
        contract.deliver(contract.connector(vendor, owner=1), chats.other("Hello", number=4), {})
        list(connector.check())
        assert {wrong for one in vendor.requests for wrong in document_of("pipedrive", one).problems(one)} == set()
        asked = {f"{one.method} {re.sub('[0-9]{2,}', 'N', one.path)}" for one in vendor.requests}
    assert asked >= {"GET /v1/users/find", "GET /v1/users/1", "GET /v1/activityTypes", "GET /api/v2/deals"}
    assert asked >= {"GET /api/v2/activities", "POST /api/v2/activities"}
    assert asked >= ({"GET /v1/leads/archived"} if kind == "lead" else {"GET /api/v2/stages/N"})


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("raynet", {"GET /api/v2/userAccount/", "GET /api/v2/task/", "PUT /api/v2/task/"}),
        ("redmine", {"GET /users.json", "PUT /issues/N.json"}),
        ("intercom", {"GET /admins", "POST /tickets"}),
    ],
)
def test_whose_it_is_and_what_is_to_be_done_is_asked_and_written_as_the_documents_of_recipes_say(
    name: str, asks: set[str]
) -> None:
    contract, memory = VENDORS[name](), dict[str, Any]()
    with contract.fake() as vendor:
        there: Any = vendor
        there.knows_owner(records.ANN)
        settings: dict[str, Any] = {"owner": records.ANN}
        if "task" in contract.connector(vendor).settings_model.model_fields:
            settings["task"] = {}
        connector = contract.connector(vendor, **settings)
        missed = chats.other("Hello?", kind="isMissed")
        contract.deliver(connector, missed, memory)
        # As if no reply had come: what was begun is looked for.
        contract.deliver(connector, missed, {step: value for step, value in memory.items() if step.endswith("?")})
        list(connector.check())
        assert {wrong for one in vendor.requests for wrong in document_of(name, one).problems(one)} == set()
        asked = {f"{one.method} {re.sub('[0-9]{2,}', 'N', one.path)}" for one in vendor.requests}
    assert asked >= asks


def test_the_look_after_a_lost_reply_is_among_them() -> None:
    contract = VENDORS["zendesk"]()
    with contract.fake() as vendor:
        a_look_for_all_that_has_begun(contract, contract.connector(vendor), vendor)
        asked = {f"{one.method} {re.sub('[0-9]{2,}', 'N', one.path)}" for one in vendor.requests}
    assert asked >= {"GET /api/v2/tickets", "GET /api/v2/tickets/N/comments", "PUT /api/v2/tickets/N"}


def ask(method: str, path: str, body: Any = None, **query: str) -> Request:
    return Request(method, path, query, {"x-api-token": "x", "content-type": "application/json"}, body)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (ask("POST", "/v1/notes", {"content": "x", "persn_id": 1}), "persn_id"),
        (ask("POST", "/v1/notes", {"person_id": 1}), "content"),
        (ask("GET", "/v1/notes", person="1"), "?person"),
        (
            ask("POST", "/api/v2/persons", {"name": "x", "emails": [{"value": "a@b.cz", "primry": True}]}),
            "emails.primry",
        ),
        (ask("POST", "/api/v2/persons", {"name": "x", "emails": "a@b.cz"}), "emails"),
        (ask("GET", "/api/v2/persons/search", term="x", field="email"), "?field"),
        (ask("GET", "/api/v2/persons/search", fields="email"), "term"),
        (ask("GET", "/api/v3/persons"), "is not in the document"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_misspelt_name_is_caught_in_pipedrives_documents_too(wrong: Request, said: str) -> None:
    problems = document_of("pipedrive", wrong).problems(wrong)
    assert any(said in problem for problem in problems), problems


SUPPORT = "/projects/support"
ISSUE = {"project_id": "support", "subject": "x", "custom_fields": [{"id": 12, "value": "x"}]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (ask("POST", f"{SUPPORT}/issues.json", {"issue": {**ISSUE, "is_secret": True}}), "issue.is_secret"),
        (ask("POST", f"{SUPPORT}/issues.json", {"issue": {**ISSUE, "tracker_id": "x"}}), "tracker_id"),
        (ask("POST", f"{SUPPORT}/issues.json", {"issue": {**ISSUE, "custom_fields": [{"value": "x"}]}}), "id"),
        (ask("POST", f"{SUPPORT}/issues.json", {"subject": "x"}), "issue"),
        (ask("PUT", "/issues/1.json", {"issue": {"note": "x"}}), "issue.note"),
        (ask("GET", f"{SUPPORT}/issues.json", cf_x="1"), "?cf_x"),
        (ask("GET", f"{SUPPORT}/issues.json", status="1"), "?status"),
        (ask("GET", "/issues/1.json", include="journal"), "journal"),
        (ask("GET", "/issues/x.json"), "issue_id"),
        (ask("GET", "/issues/1"), "is not in the document"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_misspelt_name_is_caught_in_redmines_document_too(wrong: Request, said: str) -> None:
    request = Request(wrong.method, wrong.path, wrong.query, {"x-redmine-api-key": "x"}, wrong.body)
    problems = document_of("redmine", request).problems(request)
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (ask("POST", "/tickets", {"ticket_type_id": "1", "contacts": [{"id": "1"}], "skip": True}), "skip"),
        (ask("POST", "/tickets", {"ticket_type_id": 1, "contacts": [{"id": "1"}]}), "ticket_type_id"),
        (ask("POST", "/tickets", {"contacts": [{"id": "1"}]}), "ticket_type_id"),
        (ask("POST", "/tickets/1/reply", {"message_type": "memo", "type": "admin", "admin_id": "1"}), "memo"),
        (ask("POST", "/contacts/search", {"query": {"field": "email", "operator": "is", "value": "x"}}), "is"),
        (ask("GET", "/tickets"), "is not in the document"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_misspelt_name_is_caught_in_intercoms_document_too(wrong: Request, said: str) -> None:
    headers = {"authorization": "Bearer x", "content-type": "application/json"}
    problems = intercom_document().problems(Request(wrong.method, wrong.path, wrong.query, headers, wrong.body))
    assert any(said in problem for problem in problems), problems


def test_without_the_documents_it_fails_and_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "SPECS", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"pipedrive-v1.yaml"):
        document("pipedrive-v1.yaml")


def test_a_name_is_only_excused_while_the_prose_has_it() -> None:
    odd = Request("GET", "/api/v2/tickets/1/comments", {"order": "x"}, {"authorization": "Basic eDp5"}, None)
    excused = document(
        "zendesk-support.json", described=[("ListTicketComments", "?sort_order"), ("ListTickets", "?order")]
    )
    assert excused.problems(odd) == ["ListTicketComments: nothing is called ?order"]
