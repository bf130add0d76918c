"""The Freshdesk connector against a Freshdesk with a memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors import freshdesk
from connectors.freshdesk.settings import FreshdeskSettings
from connectors.testing.chats import SAMPLE, chat, longer, other
from connectors.testing.fake import Answer, Fake
from connectors.testing.files import FileLaws
from connectors.testing.people import PersonContract
from connectors.testing.people.bench import PHONE, said
from connectors.testing.records import ANN, BOB, SHARED, Records
from core.delivery import CONFLICTS
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater
from tests.fakes.freshdesk import KEY, FreshdeskVendor


def wrong(field: str, code: str = "invalid_value") -> dict[str, Any]:
    """Freshdesk's body of a 400: https://developers.freshdesk.com/api/#error"""
    return {"description": "Validation failed", "errors": [{"field": field, "message": "no", "code": code}]}


#: The request of a first delivery that makes the ticket: after the search, and the contact.
TICKET = 2
#: When the sample chat has just ended.
THEN = datetime(2015, 3, 27, 15, 36, tzinfo=UTC)


class TestFreshdesk(PersonContract, Records, FileLaws):
    kind = "freshdesk"
    field = "job_title"
    customer_id_field = "customer_no"
    refused_email = "typo@domain.com"
    secrets = (KEY,)
    needs_person = True
    # https://developers.freshdesk.com/api/#error
    answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = [
        (400, wrong("cf_unknown", "invalid_field"), {}, ConnectorRefused),
        (400, wrong("custom_fields.cf_unknown", "invalid_field"), {}, ConnectorRefused),
        (400, wrong("group_id"), {}, ConnectorRefused),
        (400, wrong("cf_mandatory", "missing_field"), {}, ConnectorRefused),
        (400, wrong("email"), {}, RecordRefused),
        (400, wrong("tags"), {}, RecordRefused),
        (400, {"code": "invalid_json", "message": "no JSON"}, {}, RecordRefused),
        (403, {"code": "access_denied", "message": "You are not authorized"}, {}, ConnectorRefused),
        (403, {"code": "account_suspended", "message": "Your account has been suspended."}, {}, ConnectorRefused),
        (404, None, {}, ConnectorRefused),
        (429, {"message": "You have exceeded the limit of requests per minute"}, {"Retry-After": "34"}, RetryLater),
    ]

    @pytest.fixture(autouse=True)
    def then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(freshdesk, "_now", lambda: THEN)

    def fake(self) -> Fake:
        there = FreshdeskVendor()
        there.clock = lambda: THEN
        return there

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "api_key": KEY}

    def arrived(self, vendor: Fake) -> str:
        """Without the lines of ours between two notes: one message of 100 kB is spread over several."""
        return re.sub(r"\[smartsupp:[^\]]*\]|Part\d+of\d+", "", super().arrived(vendor))


@pytest.fixture
def desk() -> Iterator[FreshdeskVendor]:
    with FreshdeskVendor() as there:
        yield there


tools = TestFreshdesk()


def deliver(
    desk: FreshdeskVendor, payload: dict[str, Any] = SAMPLE, memory: Any = None, number: int = 1, **more: Any
) -> Any:
    return tools.deliver(tools.connector(desk, **more), payload, {} if memory is None else memory, number)


def test_the_ticket_says_when_and_the_transcript_is_private(desk: FreshdeskVendor) -> None:
    reference = deliver(desk)
    (ticket,) = desk.tickets
    assert ticket["subject"] == "Chat: Dusan Kmet"
    assert (ticket["status"], ticket["priority"], ticket["source"]) == (2, 1, 7)
    assert "55039" in ticket["description"]
    assert "2015-03-27 15:33:59 UTC" in ticket["description"]
    for secret in ("Hello", "VIP customer", "89.235.0.55"):
        assert secret not in ticket["description"]
    (note,) = desk.notes
    assert note["private"] is True
    assert "VIP customer" in note["body"]
    assert reference.url == f"{desk.url}/a/tickets/{ticket['id']}"


def test_group_product_and_type_are_set(desk: FreshdeskVendor) -> None:
    deliver(desk, group_id=31, product_id=41, ticket_type="Question", status=3, priority=4, source=3)
    (ticket,) = desk.tickets
    assert (ticket["group_id"], ticket["product_id"], ticket["type"]) == (31, 41, "Question")
    assert (ticket["status"], ticket["priority"], ticket["source"]) == (3, 4, 3)


def test_tags_fit_into_freshdesks(desk: FreshdeskVendor) -> None:
    deliver(desk, tags=["Smartsupp", "a, b", "x" * 40, ""])
    assert desk.tickets[0]["tags"] == ["smartsupp", "a -b", "x" * 32, "smartsupp:208:55039"]


def test_a_key_that_is_too_long_for_a_tag_is_shortened_and_found(desk: FreshdeskVendor) -> None:
    long = {**chat(), "accountId": "8" * 30}
    memory: dict[str, Any] = {}
    desk.lose_reply_after = TICKET
    with pytest.raises(RetryLater):
        deliver(desk, long, memory)
    deliver(desk, long, memory)
    (ticket,) = desk.tickets
    assert [len(tag) for tag in ticket["tags"] if tag.startswith("smartsupp:")] == [32]


def test_fields_are_of_the_type_that_the_desk_says(desk: FreshdeskVendor) -> None:
    fields = {
        "cf_order": "{{ visitor.variables.userId.value }}",
        "cf_rating": "{{ conversation.rating }}",
        "cf_weight": "2.5",
        "cf_vip": "{{ visitor.note != '' }}",
        "cf_day": "{{ conversation.begin_at.strftime('%Y-%m-%d') }}",
        "cf_story": "{{ visitor.variables.nothing.value }}",
        "cf_reason": "Chat",
    }
    deliver(desk, fields=fields)
    given = {name: value for name, value in desk.tickets[0]["custom_fields"].items() if value is not None}
    assert given == {
        "cf_order": "1234",
        "cf_rating": 5,
        "cf_weight": 2.5,
        "cf_vip": True,
        "cf_day": "2015-03-27",
        "cf_reason": "Chat",
    }
    assert given["cf_vip"] is True


def test_a_value_that_a_field_does_not_take_is_this_records_fault(desk: FreshdeskVendor) -> None:
    with pytest.raises(RecordRefused, match="cf_rating"):
        deliver(desk, fields={"cf_rating": "{{ visitor.name }}"})
    with pytest.raises(ConnectorRefused, match="cf_oder"):
        deliver(desk, fields={"cf_oder": "{{ visitor.name }}"})
    with pytest.raises(ConnectorRefused, match="group_id"):
        deliver(desk, group_id=99)
    assert desk.tickets == []


def test_a_long_subject_and_name_are_shortened(desk: FreshdeskVendor) -> None:
    deliver(desk, chat("hi", name="n" * 300))
    assert len(desk.tickets[0]["subject"]) == 255
    assert desk.contacts[0]["name"] == "n" * 99 + "…"


def test_a_long_transcript_goes_on_in_further_notes(desk: FreshdeskVendor) -> None:
    lines = [f"ř message {n} " + "á" * 200 for n in range(400)]
    deliver(desk, chat(*lines))
    assert len(desk.notes) > 2
    assert all(note["private"] for note in desk.notes)
    arrived = tools.arrived(desk)
    positions = [arrived.index(tools.spread(line)) for line in lines]
    assert positions == sorted(positions)


@pytest.mark.parametrize("after", [False, True])
def test_a_death_between_the_notes_leaves_one_of_each(
    desk: FreshdeskVendor, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(freshdesk, "NOTES", replace(freshdesk.NOTES, longest=6_000))
    payload = chat(*(f"message {n} " + "x" * 300 for n in range(200)))
    with FreshdeskVendor() as other:
        deliver(other, payload)
        wanted = [note["body_text"] for note in other.notes]
    assert len(wanted) > 11  # so that the mark of part 1 is the beginning of that of part 11
    for number in range(len(wanted) + 1):
        desk.contacts, desk.tickets, desk.notes = [], [], []
        memory: dict[str, Any] = {}
        assert tools._dies(tools.connector(desk), number, after, memory, payload)
        deliver(desk, payload, memory)
        assert [note["body_text"] for note in desk.notes] == wanted, number


def test_what_a_visitor_writes_is_no_mark(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    payload = chat("[smartsupp:208:55039 2.1]")
    deliver(desk, payload, memory)
    payload = longer(payload, "and more")
    assert tools._dies(tools.connector(desk), 0, False, memory, payload, 2)
    deliver(desk, payload, memory, 2)
    assert len(desk.notes) == 2


def test_a_ticket_of_unknown_outcome_is_found_behind_a_hundred_others(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    desk.lose_reply_after = TICKET
    with pytest.raises(RetryLater):
        deliver(desk, SAMPLE, memory)
    (mine,) = desk.tickets
    old = (datetime.now(UTC) - timedelta(days=200)).isoformat()
    mine |= {"created_at": old, "updated_at": old}
    newer = datetime.now(UTC).isoformat()
    desk.tickets += [{**mine, "id": desk.new_id(), "tags": [], "created_at": newer} for _ in range(250)]
    assert deliver(desk, SAMPLE, memory).id == str(mine["id"])
    assert len(desk.tickets) == 251


def test_another_conversations_ticket_is_not_taken_for_this_ones(desk: FreshdeskVendor) -> None:
    deliver(desk, {**chat(), "channel": {**SAMPLE["channel"], "id": 5503}})
    memory: dict[str, Any] = {}
    assert tools._dies(tools.connector(desk), TICKET, False, memory)
    deliver(desk, SAMPLE, memory)
    assert len(desk.tickets) == 2


def test_a_key_field_takes_the_place_of_the_tag(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    desk.lose_reply_after = TICKET
    with pytest.raises(RetryLater):
        deliver(desk, SAMPLE, memory, key_field="cf_order")
    deliver(desk, SAMPLE, memory, key_field="cf_order")
    (ticket,) = desk.tickets
    assert ticket["custom_fields"]["cf_order"] == "smartsupp:208:55039"
    assert ticket["tags"] == ["smartsupp", "smartsupp-chat"]


def test_without_an_e_mail_the_visitors_id_at_smartsupp_names_the_requester(desk: FreshdeskVendor) -> None:
    deliver(desk, chat("one", email=""))
    deliver(desk, {**chat("two", email=""), "channel": {**SAMPLE["channel"], "id": 60000}})
    (contact,) = desk.contacts
    assert contact["unique_external_id"] == "smartsupp:208:visitor:27671"
    assert contact["name"] == "Dusan Kmet"
    assert len(desk.tickets) == 2
    deliver(desk, {**chat("three", email="", id=None), "channel": {**SAMPLE["channel"], "id": 60001}})
    assert desk.contacts[-1]["unique_external_id"] == "smartsupp:208:visitor:60001"


def test_a_ticket_without_an_e_mail_is_found_again(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    desk.lose_reply_after = TICKET - 1  # nobody is looked for
    with pytest.raises(RetryLater):
        deliver(desk, chat(email=""), memory)
    # The visitor left an email meanwhile; it is the same ticket all the same.
    deliver(desk, chat(email="ann@example.com"), memory, 2)
    assert len(desk.tickets) == 1
    assert len(desk.contacts) == 1


# --- the contact ---------------------------------------------------------------------------


def test_custom_fields_of_a_contact_get_what_their_type_takes(desk: FreshdeskVendor) -> None:
    person = {"customer_no": "C-7", "visits": "3", "address": "Brno"}
    deliver(desk, person=person, consent="yes", marketing={"newsletter": "true"})
    (contact,) = desk.contacts
    assert contact["custom_fields"] == {"customer_no": "C-7", "visits": 3, "newsletter": True}
    assert contact["address"] == "Brno"
    assert found(desk, person=person) == []
    (unknown,) = found(desk, person={"nobodys": "x"})
    assert unknown.startswith("contacts have no field nobodys; there are name, email")


def test_a_value_that_a_field_does_not_take_costs_the_field_and_is_listed(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    deliver(desk, memory=memory, person={"visits": "many", "job_title": "Head of sales"})
    (contact,) = desk.contacts
    assert (contact["email"], contact["job_title"]) == ("dusan@domain.com", "Head of sales")
    assert memory[CONFLICTS] == [{"field": "visits", "said": "many", "refused": True}]


def test_a_field_that_contacts_do_not_have_pauses_the_connector(desk: FreshdeskVendor) -> None:
    with pytest.raises(ConnectorRefused, match="invalid_field"):
        deliver(desk, person={"nobodys": "x"})


@pytest.mark.parametrize("written", ["777123456", "777 123 456", "+420 777 123 456", "00420777123456", "420777123456"])
@pytest.mark.parametrize("field", ["phone", "mobile"])
def test_a_number_is_looked_for_as_people_write_it(desk: FreshdeskVendor, field: str, written: str) -> None:
    number = desk.add_person(name="Dusan Kmet", **{field: written})
    deliver(desk, said(phone=PHONE), **tools.by_phone)
    assert desk.records_of(number) == 1


def test_a_customer_id_may_be_freshdesks_own_external_id(desk: FreshdeskVendor) -> None:
    number = desk.add_person(name="Dusan Kmet", unique_external_id="C-7")
    own: dict[str, Any] = {
        "match": ["email", "customer_id"],
        "customer_id_field": "unique_external_id",
        "customer_id": "C-7",
    }
    deliver(desk, **own)
    assert desk.records_of(number) == 1
    assert desk.person(number)["email"] == "dusan@domain.com"


def test_a_customer_id_that_somebody_else_has_costs_the_field(desk: FreshdeskVendor) -> None:
    desk.add_person(name="Another", unique_external_id="C-7")
    memory: dict[str, Any] = {}
    deliver(desk, memory=memory, customer_id_field="unique_external_id", customer_id="C-7")
    assert desk.contacts[1]["email"] == "dusan@domain.com"
    assert memory[CONFLICTS] == [{"field": "unique_external_id", "said": "C-7", "refused": True}]


def test_a_further_address_finds_the_contact_and_is_no_conflict(desk: FreshdeskVendor) -> None:
    number = desk.add_person(name="Dusan Kmet", email="kmet@work.example", other_emails=["dusan@domain.com"])
    memory: dict[str, Any] = {}
    deliver(desk, memory=memory)
    assert desk.records_of(number) == len(desk.contacts) == 1
    assert CONFLICTS not in memory


def test_an_agents_profile_is_not_filled(desk: FreshdeskVendor) -> None:
    deliver(desk, chat(email="agent@shop.example"), person={"job_title": "said in the chat"})
    assert not [one for one in desk.writes() if one.method == "PUT"]
    assert desk.tickets[0]["requester_id"] == 7


def test_an_apostrophe_ends_no_query(desk: FreshdeskVendor) -> None:
    deliver(desk, chat(email="o'brien@domain.com", name="O'Brien"))
    deliver(desk, {**chat(email="o'brien@domain.com"), "channel": {**SAMPLE["channel"], "id": 2}})
    (contact,) = desk.contacts
    assert contact["email"] == "o'brien@domain.com"


def test_an_agent_who_chats_is_the_requester(desk: FreshdeskVendor) -> None:
    deliver(desk, chat(email="agent@shop.example"))
    assert desk.contacts == []
    assert desk.tickets[0]["requester_id"] == 7


def test_a_contact_that_somebody_else_makes_meanwhile_is_taken(desk: FreshdeskVendor) -> None:
    desk.contacts.append({"id": 5, "email": "dusan@domain.com", "name": "Dusan"})
    taken = {"description": "Validation failed", "errors": [{"field": "email", "code": "duplicate_value"}]}
    desk.instead = [Answer(200, {"total": 0, "results": []}), Answer(409, taken)]
    deliver(desk)
    assert desk.tickets[0]["requester_id"] == 5
    assert len(desk.contacts) == 1


@pytest.mark.parametrize("conflicts", [True, False])
def test_a_chat_of_a_contact_that_agents_deleted_comes_without_it_and_says_so(
    desk: FreshdeskVendor, conflicts: bool
) -> None:
    desk.contacts.append({"id": 5, "email": "dusan@domain.com", "name": "Dusan", "deleted": True})
    desk.conflicts = conflicts
    deliver(desk)
    deliver(desk, {**chat(), "channel": {**SAMPLE["channel"], "id": 60000}})
    _, other = desk.contacts
    assert other["unique_external_id"] == "smartsupp:208:visitor:27671"
    assert [ticket["requester_id"] for ticket in desk.tickets] == [other["id"]] * 2
    assert "dusan@domain.com cannot be used" in desk.notes[0]["body"]


@pytest.mark.parametrize("email", ["typo@domain.com", "žofie@domain.com"])
def test_a_chat_with_an_address_that_freshdesk_refuses_comes_without_it_and_says_so(
    desk: FreshdeskVendor, email: str
) -> None:
    memory: dict[str, Any] = {}
    deliver(desk, chat(email=email), memory)
    (contact,) = desk.contacts
    assert contact["email"] is None
    assert f"{email} cannot be used" in desk.notes[0]["body"]
    deliver(desk, chat(email=email), memory, 2)
    assert len(desk.tickets) == 1


def test_a_contact_that_was_merged_meanwhile_is_found_by_its_address(desk: FreshdeskVendor) -> None:
    desk.contacts.append({"id": 6, "email": "dusan@domain.com", "name": "Dusan"})
    deliver(desk, SAMPLE, {"requester": {"requester_id": 5}})
    assert desk.tickets[0]["requester_id"] == 6


def test_a_contact_that_was_merged_before_its_ticket_was_made_is_looked_for_again(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    assert tools._dies(tools.connector(desk), TICKET, False, memory)
    desk.contacts[0]["id"] += 5_000  # another id has the address now
    deliver(desk, SAMPLE, memory)
    assert desk.tickets[0]["requester_id"] == desk.contacts[0]["id"]
    assert len(desk.contacts) == 1


def test_a_first_delivery_asks_for_no_list(desk: FreshdeskVendor) -> None:
    deliver(desk)
    deliver(desk, {**chat(), "channel": {**SAMPLE["channel"], "id": 60000}})
    assert {one.path for one in desk.requests if one.method == "GET"} == {
        "/api/v2/search/contacts",
        "/api/v2/contacts/1001",
    }


def test_notes_are_looked_through_few_at_a_time(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    deliver(desk, SAMPLE, memory)
    del memory["note 1.1"], memory["told"]
    desk.notes[:0] = [{**desk.notes[0], "id": n, "body_text": "x"} for n in range(45)]
    deliver(desk, SAMPLE, memory)
    assert len(desk.notes) == 46
    assert {one.query["per_page"] for one in desk.requests if one.path.endswith("/conversations")} == {"20"}


def test_a_conflict_passes(desk: FreshdeskVendor) -> None:
    desk.instead = [Answer(409, {"code": "inconsistent_state", "message": "Inconsistent/Conflicting State"})] * 4
    with pytest.raises(RetryLater):
        deliver(desk)


def test_a_revision_adds_a_note_and_brings_the_fields_up_to_date(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    fields = {"cf_rating": "{{ conversation.rating }}"}
    deliver(desk, SAMPLE, memory, fields=fields)
    desk.tickets[0]["tags"].append("by-an-agent")
    rated = {**SAMPLE, "channel": {**SAMPLE["channel"], "rating": 1}}
    deliver(desk, rated, memory, 2, fields=fields)
    (ticket,) = desk.tickets
    assert ticket["custom_fields"]["cf_rating"] == 1
    assert "by-an-agent" in ticket["tags"]
    first, second = (note["body_text"] for note in desk.notes)
    assert "continued" not in first
    assert "continued" in second
    assert "tanks." not in second
    assert second.endswith("[smartsupp:208:55039 2.1]")
    asked = len(desk.requests)
    deliver(desk, rated, memory, 2, fields=fields)
    assert len(desk.requests) == asked


def test_a_first_delivery_of_a_later_revision_does_not_say_that_it_went_on(desk: FreshdeskVendor) -> None:
    deliver(desk, number=3)
    assert "continued" not in desk.notes[0]["body"]


def test_a_ticket_that_cannot_be_changed_as_it_is_refuses_the_record_only(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    deliver(desk, SAMPLE, memory)
    desk.instead = [Answer(201, {"id": 5}), Answer(200, []), Answer(400, wrong("cf_resolution", "missing_field"))]
    with pytest.raises(RecordRefused, match="cf_resolution"):
        deliver(desk, longer(SAMPLE, "more"), memory, 2, fields={"cf_order": "x"})


@pytest.mark.parametrize("status", [404, 405])
def test_a_ticket_that_was_deleted_there_refuses_the_record_only(desk: FreshdeskVendor, status: int) -> None:
    memory: dict[str, Any] = {}
    deliver(desk, SAMPLE, memory)
    desk.tickets[0]["deleted"] = True
    desk.instead = [Answer(405)] if status == 405 else []
    with pytest.raises(RecordRefused, match="gone at Freshdesk") as raised:
        deliver(desk, longer(SAMPLE, "more"), memory, 2)
    assert raised.value.status == status
    assert len(desk.tickets) == 1


@pytest.mark.parametrize("body", [{}, {"id": None}, [], "made"])
def test_an_answer_without_an_id_is_tried_again(desk: FreshdeskVendor, body: Any) -> None:
    desk.instead = [Answer(201, body)]
    with pytest.raises(RetryLater, match="expected"):
        deliver(desk)


def found(desk: FreshdeskVendor, **more: Any) -> list[str]:
    """What a check finds wrong: text and remedy."""
    findings = list(tools.connector(desk, **more).check())
    return [f"{one.text}; {one.remedy}" for one in findings if not one.right]


def test_a_check_names_what_does_not_exist(desk: FreshdeskVendor) -> None:
    assert found(desk, group_id=99) == ["group_id: there is no 99; there are 31 (Sales), 32 (QA)"]
    assert found(desk, product_id=99) == ["product_id: there is no 99; there are 41 (Tea)"]
    assert "ticket_type: there is no Chat" in found(desk, ticket_type="Chat")[0]
    assert "2 (Open)" in found(desk, status=9)[0]
    assert "source: there is no 12" in found(desk, source=12)[0]
    desk.fields = [field for field in desk.fields if field["name"] != "product"]
    assert found(desk, product_id=41) == ["product_id: there is no 41; there are none"]


def test_a_check_knows_custom_fields_and_those_inside_dependent_ones(desk: FreshdeskVendor) -> None:
    right = {"cf_order": "x", "cf_state": "texas", "cf_city": "austin"}
    assert found(desk, fields=right, key_field="cf_story", group_id=31, ticket_type="Question") == []
    (said,) = found(desk, fields={"cf_oder": "x"})
    assert "there is no custom field cf_oder" in said
    assert "cf_order" in said
    (said,) = found(desk, fields={"subject": "x"})
    assert "there is no custom field subject" in said
    assert "cf_chat" in found(desk, key_field="cf_chat")[0]


def test_a_check_sees_fields_that_agents_have_to_fill_in(desk: FreshdeskVendor) -> None:
    for field in desk.fields:
        if field["name"] in ("cf_order", "ticket_type"):
            field["required_for_agents"] = True
    assert len(found(desk)) == 2
    assert found(desk, fields={"cf_order": "x"}, ticket_type="Question") == []
    with pytest.raises(ConnectorRefused, match="mandatory"):
        deliver(desk)


def test_a_check_sees_an_agent_who_does_not_see_all_tickets(desk: FreshdeskVendor) -> None:
    desk.scope = 2
    (said,) = found(desk)
    assert "global access" in said


def test_setup_makes_the_key_field_once(desk: FreshdeskVendor) -> None:
    connector = tools.connector(desk, key_field="cf_smartsupp_chat")
    (change,) = connector.setup()
    assert desk.writes() == []
    change.make()
    (made,) = desk.writes()
    assert made.body["displayed_to_customers"] is False
    assert found(desk, key_field="cf_smartsupp_chat") == []
    assert list(connector.setup()) == []
    assert list(tools.connector(desk).setup()) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "one of domain and base_url"),
        ({"domain": "shop", "base_url": "https://shop.freshdesk.com"}, "one of domain and base_url"),
        ({"domain": "shop.freshdesk.com"}, "before .freshdesk.com"),
        ({"domain": "https://shop"}, "before .freshdesk.com"),
    ],
)
def test_one_address_is_wanted(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FreshdeskSettings.model_validate({"type": "freshdesk", "api_key": KEY, **settings})


def test_a_domain_is_the_address_at_freshdesk() -> None:
    connector = tools.connector(FreshdeskVendor(), base_url=None, domain="shop")
    with connector.http.pretending(connector.imagine) as preview:
        reference = tools.deliver(connector, SAMPLE, {})
    assert all(one.url.startswith("https://shop.freshdesk.com/api/v2/") for one in preview)
    assert reference.url == "https://shop.freshdesk.com/a/tickets/1"


def test_errors_keep_freshdesks_words(desk: FreshdeskVendor) -> None:
    desk.instead = [Answer(403, {"code": "access_denied", "message": "You are not authorized to perform this action."})]
    with pytest.raises(DeliveryError, match=r"HTTP 403 .*You are not authorized"):
        deliver(desk)
    assert KEY not in json.dumps([one.path for one in desk.requests])


# --- where it goes, and whose it is ----------------------------------------------------------


def test_where_a_ticket_goes_may_come_out_of_templates_and_is_looked_up_once(desk: FreshdeskVendor) -> None:
    settings = {
        "group_id": "{{ 32 if conversation.rating == 5 else 31 }}",
        "status": "{{ 3 if kind == 'chat' else 2 }}",
        "priority": "{{ conversation.rating - 1 }}",
        "ticket_type": "{{ 'Question' if conversation.messages else '' }}",
    }
    connector = tools.connector(desk, **settings)
    tools.deliver(connector, SAMPLE, {})
    tools.deliver(connector, other("Another one"), {})
    for ticket in desk.tickets:
        assert [ticket[name] for name in ("group_id", "status", "priority", "type")] == [32, 3, 4, "Question"]
    assert sum(one.path == "/api/v2/ticket_fields" for one in desk.requests) == 1
    assert found(desk, group_id="{{ 99 if conversation.is_missed else 31 }}")[0].startswith("group_id: there is no 99")


def test_a_template_that_names_what_is_not_there_leaves_the_default_and_says_so(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    nowhere: dict[str, Any] = {
        "group_id": "{{ conversation.id }}",
        "status": "{{ visitor.name }}",
        "priority": "{{ 1 + 8 }}",
    }
    deliver(desk, memory=memory, **nowhere)
    (ticket,) = desk.tickets
    assert (ticket["group_id"], ticket["status"], ticket["priority"]) == (None, 2, 1)
    assert "named what the destination does not have" in memory["note group_id"]
    assert {"note status", "note priority"} <= memory.keys()
    assert "Dusan" not in memory["note status"]


def test_a_collaborator_and_a_contact_are_no_owners(desk: FreshdeskVendor) -> None:
    desk.agents.append({"id": 8, "email": ANN, "type": "collaborator"})
    for owner in (ANN, "8", "99", "dusan@domain.com", "žofie@shop.example", "'@'@shop.example"):
        memory: dict[str, Any] = {}
        deliver(desk, memory=memory, owner=owner)
        assert "is not an agent" in memory["note owner"]
        assert desk.tickets[-1]["responder_id"] is None


def test_an_agent_outside_the_group_is_refused_alone_and_the_fallback_gets_it(desk: FreshdeskVendor) -> None:
    ann, bob = desk.knows_owner(ANN), desk.knows_owner(BOB)
    desk.members[31] = [bob]
    memory: dict[str, Any] = {}
    deliver(desk, memory=memory, owner=ANN, owner_fallback=BOB, group_id=31)
    assert [ticket["responder_id"] for ticket in desk.tickets] == [bob]
    assert "does not give this record to that user" in memory["note owner"]
    deliver(desk, other("In no group"), {}, owner=ANN)
    assert desk.tickets[-1]["responder_id"] == ann


def test_a_key_that_may_not_look_up_agents_is_told_what_it_lacks(desk: FreshdeskVendor) -> None:
    desk.manages = False
    with pytest.raises(ConnectorRefused, match="right to manage agents"):
        deliver(desk, owner=ANN)
    deliver(desk, owner="7")
    assert desk.tickets[0]["responder_id"] == 7


# --- one ticket for the open matter of a person -----------------------------------------------


def test_the_first_chat_of_somebody_new_gets_a_ticket(desk: FreshdeskVendor) -> None:
    """Freshdesk refuses to list the tickets of somebody who is no contact."""
    desk.contacts.append({"id": 5, "email": "ann@example.com", "name": "Ann"})
    deliver(desk, **SHARED)
    deliver(desk, chat("without an email", email="", id=5), {}, **SHARED)
    assert len(desk.tickets) == 2


def test_a_lost_request_of_somebody_new_is_made_again(desk: FreshdeskVendor) -> None:
    memory: dict[str, Any] = {}
    assert tools._dies(tools.connector(desk), 0, False, memory)
    deliver(desk, SAMPLE, memory)
    assert len(desk.tickets) == 1


def test_an_open_ticket_comes_before_one_that_was_closed_later_and_a_resolved_one_is_followed(
    desk: FreshdeskVendor,
) -> None:
    deliver(desk)
    (first,) = desk.tickets
    deliver(desk, other("By itself"), {})
    desk.tickets[1] |= {"status": 4, "updated_at": "2036-01-01T00:00:00Z"}
    assert deliver(desk, other("Me again", number=60001), {}, **SHARED).id == str(first["id"])
    first["status"] = 4
    deliver(desk, other("And again", number=60002), {}, **SHARED)
    assert len(desk.tickets) == 3
    assert f"/a/tickets/{desk.tickets[1]['id']}" in desk.notes[-1]["body"]
    assert desk.notes[-1]["private"] is True


def test_an_added_chat_has_its_subject_above_it_once_and_brings_its_fields(desk: FreshdeskVendor) -> None:
    fields = {"cf_reason": "Chat", "cf_order": "{{ conversation.id }}"}
    deliver(desk)
    memory: dict[str, Any] = {}
    again = other("Me again")
    deliver(desk, again, memory, subject="Again: {{ name }}", fields=fields, **SHARED)
    deliver(desk, longer(again, "And more"), memory, 2, subject="Again: {{ name }}", fields=fields, **SHARED)
    (ticket,) = desk.tickets
    assert ticket["subject"] == "Chat: Dusan Kmet"
    assert ["<b>Again: Dusan Kmet</b>" in note["body"] for note in desk.notes] == [False, True, False]
    assert ticket["custom_fields"]["cf_order"] == "60000"


@pytest.mark.parametrize(("status", "due", "becomes"), [(3, 19, (2, 19)), (2, 19, (2, 19)), (2, 17, (2, 17))])
def test_a_chat_that_nobody_answered_wakes_a_ticket_that_waits(
    monkeypatch: pytest.MonkeyPatch, status: int, due: int, becomes: tuple[int, int]
) -> None:
    """And brings its deadline forward, where it is later."""
    monkeypatch.setattr(freshdesk, "_now", lambda: THEN)
    with FreshdeskVendor() as desk:
        desk.clock = lambda: THEN
        deliver(desk)
        (ticket,) = desk.tickets
        has = f"2015-03-27T{17 if due == 17 else 23}:00:00Z"
        ticket |= {"status": status, "due_by": has, "fr_due_by": has, "created_at": "2015-03-27T15:35:00Z"}
        deliver(desk, other("Hello?", kind="isMissed"), {}, task={"due": "4h"}, **SHARED)
        assert (ticket["status"], datetime.fromisoformat(ticket["due_by"]).hour) == becomes


def test_a_status_of_your_own_is_left_alone_by_a_chat_that_is_added(desk: FreshdeskVendor) -> None:
    deliver(desk)
    (ticket,) = desk.tickets
    ticket["status"] = 6
    deliver(desk, other("Hello?", kind="isMissed"), {}, task={"due": "4h"}, **SHARED)
    assert (ticket["status"], ticket["due_by"], len(desk.tickets)) == (6, None, 1)


def test_work_is_open_and_a_deadline_that_is_over_is_a_quarter_of_an_hour_off(desk: FreshdeskVendor) -> None:
    before = datetime.now(UTC)
    deliver(desk, other("Hello?", kind="isMissed"), {}, task={"due": "4h"}, status=3)
    (ticket,) = desk.tickets
    assert ticket["status"] == 2
    assert ticket["due_by"] == ticket["fr_due_by"]
    due = datetime.fromisoformat(ticket["due_by"])
    assert before + timedelta(minutes=14) < due < datetime.now(UTC) + timedelta(minutes=16)


def test_a_preview_shows_what_templates_and_owners_come_out_as() -> None:
    settings = {"group_id": "{{ 30 + 2 }}", "owner": ANN, "task": {"due": None, "kinds": ["chat"]}}
    connector = tools.connector(FreshdeskVendor(), **settings)
    with connector.http.pretending(connector.imagine) as preview:
        tools.deliver(connector, SAMPLE, {})
    (body,) = [one.body for one in preview if one.url.endswith("/tickets")]
    assert '"group_id": 32' in str(body) or "'group_id': 32" in str(body)
    assert "responder_id" in str(body)


def test_what_an_earlier_version_remembers_of_a_ticket_is_understood(desk: FreshdeskVendor) -> None:
    first: dict[str, Any] = {}
    deliver(desk, memory=first)
    (ticket,) = desk.tickets
    requester = {"email": "dusan@domain.com", "name": "Dusan Kmet"}
    kept = {"requester": requester, "ticket?": True, "ticket": ticket["id"], "note 1.1": desk.notes[0]["id"]}
    assert deliver(desk, longer(SAMPLE, "More"), kept, 2, **SHARED).id == str(ticket["id"])
    assert len(desk.tickets) == 1
    assert "this is all of it" in desk.notes[1]["body"]
