"""Pipedrive: the contract, for a note, a lead and a deal, and what is Pipedrive's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.kit.connector import HttpConnector
from connectors.pipedrive import Pipedrive
from connectors.pipedrive.settings import PipedriveSettings
from connectors.testing import chats
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from connectors.testing.files import FileLaws
from connectors.testing.people import PeopleContract
from connectors.testing.people.bench import PHONE, said
from connectors.testing.records import ANN, BOB, SHARED, RecordLaws
from core.delivery import CONFLICTS, Reference
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater
from tests.fakes.pipedrive import (
    CUSTOMER_FIELD,
    DATE_FIELD,
    NUMBER_FIELD,
    PERSON_FIELD,
    TEXT_FIELD,
    TOKEN,
    WEBSITE_FIELD,
    PipedriveVendor,
)

LIMIT = {
    "success": False,
    "error": "Couldn't add the deal. Open deals limit reached.",
    "code": "feature_capping_deals_limit",
}


class TestPipedrive(PeopleContract, FileLaws):
    kind = "pipedrive"
    field = PERSON_FIELD
    customer_id_field = CUSTOMER_FIELD
    refused_email = "typo@domain.com"
    secrets = (TOKEN,)
    needs_person = True
    answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = [
        (400, {"success": False, "error": "Validation failed: name: name is required"}, {}, RecordRefused),
        (402, {"success": False, "error": "Company account is not open"}, {}, ConnectorRefused),
        (403, LIMIT, {}, ConnectorRefused),
        (403, "<html>blocked</html>", {"Content-Type": "text/html"}, RetryLater),
        (404, {"success": False, "error": "Unknown method ."}, {}, ConnectorRefused),
        (410, {"success": False, "error": "This endpoint is gone"}, {}, ConnectorRefused),
        (415, {"success": False, "error": "Feature is not enabled"}, {}, ConnectorRefused),
        (422, {"success": False, "error": "Unprocessable"}, {}, RecordRefused),
        (501, {"success": False, "error": "Not implemented"}, {}, ConnectorRefused),
        (200, {"success": False, "error": "Something"}, {}, RetryLater),
        (200, {}, {}, RetryLater),
    ]
    record = "note"

    def fake(self) -> PipedriveVendor:
        return PipedriveVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "api_token": TOKEN, "record": self.record}

    def connector(self, vendor: Fake, **more: Any) -> HttpConnector[Any]:
        """As the registry makes it; the kinds below have golden files of their own."""
        settings = {"type": "pipedrive", "allow_networks": ["127.0.0.0/8"], **self.settings(vendor.url), **more}
        return Pipedrive("shop", PipedriveSettings.model_validate(settings), self.data_dir)

    def arrived(self, vendor: Fake) -> str:
        """Without what stands between two notes of one transcript."""
        return re.sub(r"\[smartsupp:208:55039(note\d+)?\](Part\d+of\d+)?", "", super().arrived(vendor))


class TestPipedriveLead(TestPipedrive, RecordLaws):
    kind = "pipedrive-lead"
    record = "lead"


class TestPipedriveDeal(TestPipedrive, RecordLaws):
    kind = "pipedrive-deal"
    record = "deal"
    needs_person = False


# --- what is Pipedrive's own ---------------------------------------------------------

LONGER = {**SAMPLE, "messages": [*SAMPLE["messages"], {**SAMPLE["messages"][0], "content": "One thing more"}]}
FIELDS = {TEXT_FIELD: "{{ kind }}", DATE_FIELD: "{{ conversation.rating_desc }}"}


@pytest.fixture
def vendor() -> Iterator[PipedriveVendor]:
    with PipedriveVendor() as there:
        assert isinstance(there, PipedriveVendor)
        yield there


def connect(vendor: Fake, **more: Any) -> HttpConnector[Any]:
    return TestPipedrive().connector(vendor, **more)


def deliver(
    vendor: Fake, payload: dict[str, Any] = SAMPLE, memory: Any = None, number: int = 1, **more: Any
) -> Reference:
    memory = {} if memory is None else memory
    return TestPipedrive().deliver(connect(vendor, **more), payload, memory, number)


def wrong(vendor: Fake, **more: Any) -> list[str]:
    return [one.text for one in connect(vendor, **more).check() if not one.right]


def test_a_note_has_the_time_of_the_chat_and_the_mark_at_its_end(vendor: PipedriveVendor) -> None:
    reference = deliver(vendor)
    (person,), (note,) = vendor.persons.values(), vendor.notes.values()
    assert (note["person_id"], note["add_time"]) == (person["id"], "2015-03-27 15:33:59")
    assert note["content"].endswith("<p>[smartsupp:208:55039]</p>\n")
    assert person["emails"] == [{"value": "dusan@domain.com", "primary": True, "label": "work"}]
    assert reference == Reference(str(note["id"]), f"{vendor.url}/person/{person['id']}")


@pytest.mark.parametrize("record", ["note", "lead", "deal"])
def test_a_chat_with_an_address_that_pipedrive_refuses_comes_without_it_and_says_so(
    vendor: PipedriveVendor, record: str
) -> None:
    deliver(vendor, chat("Hi", email="typo@domain.com"), record=record)
    assert [person["emails"] for person in vendor.persons.values()] == ([] if record == "deal" else [[]])
    (note,) = vendor.notes.values()
    assert "typo@domain.com cannot be used" in note["content"]


@pytest.mark.parametrize("record", ["note", "lead", "deal"])
def test_a_person_who_was_merged_meanwhile_is_looked_up_again(vendor: PipedriveVendor, record: str) -> None:
    other = vendor.was_there("Dusan", "dusan@domain.com")
    deliver(vendor, SAMPLE, {"person": 1, "person?": True}, record=record)
    kept: dict[str, dict[Any, Any]] = {"note": vendor.notes, "lead": vendor.leads, "deal": vendor.deals}
    assert [one["person_id"] for one in kept[record].values()] == [other]
    assert "cannot be used" not in next(iter(vendor.notes.values()))["content"]


def test_a_lead_has_person_owner_labels_fields_and_the_chats_key(vendor: PipedriveVendor) -> None:
    reference = deliver(vendor, record="lead", owner_id=2, fields=FIELDS, tags=["SmartSupp-{{ kind }}", "unheard of"])
    (person,), (lead,), (note,) = vendor.persons.values(), vendor.leads.values(), vendor.notes.values()
    (label,) = lead["label_ids"]
    assert vendor.lead_labels[label] == "Smartsupp-Chat"
    assert (lead["title"], lead["origin_id"]) == ("Chat: Dusan Kmet", "smartsupp:208:55039")
    assert (lead["person_id"], lead["owner_id"], person["owner_id"]) == (person["id"], 2, 2)
    assert lead[TEXT_FIELD] == "chat"
    assert DATE_FIELD not in lead  # it came out empty
    assert note["lead_id"] == lead["id"]
    assert reference == Reference(lead["id"], f"{vendor.url}/leads/inbox/{lead['id']}")


def test_a_deal_has_person_stage_labels_fields_and_the_chats_key(vendor: PipedriveVendor) -> None:
    reference = deliver(vendor, record="deal", pipeline_id=2, stage_id=20, fields=FIELDS)
    (person,), (deal,), (note,) = vendor.persons.values(), vendor.deals.values(), vendor.notes.values()
    assert deal["title"] == "Chat: Dusan Kmet (208:55039)"
    assert (deal["person_id"], deal["pipeline_id"], deal["stage_id"]) == (person["id"], 2, 20)
    assert [vendor.deal_labels[label] for label in deal["label_ids"]] == ["smartsupp", "Smartsupp-Chat"]
    assert deal["custom_fields"] == {TEXT_FIELD: "chat"}
    assert note["deal_id"] == deal["id"]
    assert reference == Reference(str(deal["id"]), f"{vendor.url}/deal/{deal['id']}")


@pytest.mark.parametrize("record", ["lead", "deal"])
def test_without_tags_no_label_is_asked_for(vendor: PipedriveVendor, record: str) -> None:
    deliver(vendor, record=record, tags=[])
    assert not any("label" in one.path.lower() or "Fields" in one.path for one in vendor.requests)
    assert "label_ids" not in vendor.records()[0]


@pytest.mark.parametrize("record", ["lead", "deal"])
def test_a_long_title_keeps_its_mark(vendor: PipedriveVendor, record: str) -> None:
    deliver(vendor, chat("hello", name="Ann " * 200), record=record)
    title = vendor.records()[0]["title"]
    assert len(title) == 255
    assert title.endswith("…" if record == "lead" else "… (208:55039)")


def test_a_person_who_is_known_is_taken_as_is_and_the_oldest_of_two(vendor: PipedriveVendor) -> None:
    first = vendor.was_there("D. Kmet", "work@domain.com", "Dusan@Domain.com")
    vendor.was_there("Dusan Kmet", "dusan@domain.com")
    deliver(vendor)
    (note,) = vendor.notes.values()
    assert note["person_id"] == first
    assert vendor.persons[first]["name"] == "D. Kmet"


def test_an_address_that_only_looks_alike_is_somebody_else(vendor: PipedriveVendor) -> None:
    other = vendor.was_there("Dusan", "adusan@domain.com")
    vendor.instead = [Answer(200, {"success": True, "data": {"items": [{"item": {
        "id": other, "name": "Dusan", "emails": ["adusan@domain.com"]}}]}})]  # fmt: skip
    deliver(vendor)
    assert len(vendor.persons) == 2


def test_visitors_without_e_mail_are_told_apart_by_the_visitors_id(vendor: PipedriveVendor) -> None:
    one, other, again = (chat("hello", name="Ann", email="", id=number) for number in (1, 2, 1))
    for number, payload in enumerate((one, other, again)):
        payload["channel"]["id"] = number
        deliver(vendor, payload)
    assert [(person["name"], person["emails"]) for person in vendor.persons.values()] == [
        ("Ann (1)", []),
        ("Ann (2)", []),
    ]
    assert len(vendor.notes) == 3


def test_the_one_with_the_latest_activity_is_taken_of_several(vendor: PipedriveVendor) -> None:
    numbers = [vendor.was_there("Dusan Kmet", "dusan@domain.com") for _ in range(3)]
    for number, activity in zip(numbers, (None, 1007, 998), strict=True):
        vendor.persons[number]["last_activity_id"] = activity
    deliver(vendor)
    assert [note["person_id"] for note in vendor.notes.values()] == [numbers[1]]
    # All of them were read with one request.
    assert sum(one.path == "/api/v2/persons" for one in vendor.requests) == 1


def test_further_addresses_and_numbers_of_a_person_find_them_and_are_no_conflict(vendor: PipedriveVendor) -> None:
    there = vendor.was_there("Dusan Kmet", "other@domain.com", "dusan@domain.com")
    vendor.persons[there]["phones"] = [{"value": one, "primary": False} for one in ("602 111 222", "777123456")]
    memory: dict[str, Any] = {}
    deliver(vendor, said(phone=PHONE), memory, **TestPipedrive.by_phone)
    assert [note["person_id"] for note in vendor.notes.values()] == [there]
    assert CONFLICTS not in memory
    assert not [one for one in vendor.writes() if "/persons" in one.path]


@pytest.mark.parametrize("text", ["C-000042", "c-000042"])
def test_a_customer_id_finds_whoever_has_it_in_that_field(vendor: PipedriveVendor, text: str) -> None:
    there = vendor.add_person(name="Dusan Kmet", **{CUSTOMER_FIELD: text})
    vendor.add_person(name="Somebody Else", **{PERSON_FIELD: "C-000042"})
    match: dict[str, Any] = {"match": ["email", "customer_id"], "customer_id_field": CUSTOMER_FIELD}
    deliver(vendor, SAMPLE, **match, customer_id="C-000042")
    assert [note["person_id"] for note in vendor.notes.values()] == [there]
    assert vendor.person(there)["email"] == "dusan@domain.com"


def test_a_name_that_stood_in_for_none_becomes_the_name_that_is_said_later(vendor: PipedriveVendor) -> None:
    deliver(vendor, said(name="", email=""))
    (person,) = vendor.persons.values()
    assert person["name"] == "a visitor (27671)"
    memory: dict[str, Any] = {}
    deliver(vendor, said(2, name="Dusan Kmet"), memory, remember_days=0)
    assert len(vendor.people()) == 2  # who is not remembered is known by the address alone
    connector = connect(vendor)
    TestPipedrive().deliver(connector, said(3, name="", email="", id="b3"), {})
    TestPipedrive().deliver(connector, said(4, name="Jane", email="jane@x.example.com", id="b3"), memory := {})
    assert [one["name"] for one in vendor.people()] == ["a visitor (27671)", "Dusan Kmet", "Jane"]
    assert CONFLICTS not in memory


def test_somebody_in_the_bin_is_nobody(vendor: PipedriveVendor) -> None:
    """Pipedrive keeps who was deleted for some weeks, and shows them by their id."""
    connector = connect(vendor)
    TestPipedrive().deliver(connector, SAMPLE, {})
    (first,) = vendor.people()
    vendor.remove_person(first["id"])
    TestPipedrive().deliver(connector, said(2), {})
    (second,) = vendor.people()
    assert vendor.records_of(second["id"]) == 1


def test_an_ill_formed_field_costs_that_field_alone(vendor: PipedriveVendor) -> None:
    more: dict[str, Any] = {"person": {PERSON_FIELD: "pro", NUMBER_FIELD: "many"}, "phone": PHONE}
    for there in (False, True):
        number = vendor.add_person(name="Ann", email="ann@domain.com") if there else 0
        memory: dict[str, Any] = {}
        deliver(vendor, said(2, email="ann@domain.com", name="Ann") if there else SAMPLE, memory, **more)
        number = number or vendor.people()[0]["id"]
        assert vendor.person(number)[PERSON_FIELD] == "pro"
        assert vendor.person(number)["phone"] == PHONE
        assert memory[CONFLICTS] == [{"field": NUMBER_FIELD, "said": "many", "refused": True}]


@pytest.mark.parametrize(
    ("there", "then", "conflict"),
    [("no_consent", "subscribed", False), ("unsubscribed", "unsubscribed", True), ("subscribed", "subscribed", False)],
)
def test_consent_is_written_where_nobody_was_asked_before_and_never_against_a_no(
    vendor: PipedriveVendor, there: str, then: str, conflict: bool
) -> None:
    number = vendor.was_there("Dusan Kmet", "dusan@domain.com")
    vendor.persons[number]["marketing_status"] = there
    memory: dict[str, Any] = {}
    deliver(vendor, SAMPLE, memory, consent="yes", marketing={"marketing_status": "subscribed"})
    assert vendor.persons[number]["marketing_status"] == then
    assert (CONFLICTS in memory) is conflict


def test_a_company_is_found_by_a_website_that_names_its_domain(vendor: PipedriveVendor) -> None:
    for website in ("http://domain.com.evil.example", "about domain.com", "notdomain.com"):
        number = vendor.new_id()
        vendor.organizations[number] = {"id": number, "name": "x", "custom_fields": {WEBSITE_FIELD: website}}
    number = vendor.add_company("domain.com")
    deliver(vendor, link_company=True)
    (person,) = vendor.people()
    assert person["org_id"] == number


def test_a_lost_person_is_found_behind_others_who_came_since(vendor: PipedriveVendor) -> None:
    memory: dict[str, Any] = {}
    vendor.lose_reply_after = 2
    with pytest.raises(RetryLater):
        deliver(vendor, SAMPLE, memory)
    for number in range(250):
        vendor.was_there(f"Person {number}")
        list(vendor.persons.values())[-1]["add_time"] = "2099-01-01T00:00:00Z"
    deliver(vendor, SAMPLE, memory)
    assert len(vendor.persons) == 251


def test_a_lost_note_is_found_among_many(vendor: PipedriveVendor) -> None:
    memory: dict[str, Any] = {}
    person = vendor.was_there("Dusan", "dusan@domain.com")
    vendor.lose_reply_after = 2
    with pytest.raises(RetryLater):
        deliver(vendor, SAMPLE, memory)
    for _ in range(50):
        number = vendor.new_id()
        # Another chat's, that quotes the mark of ours.
        text = "<p>[smartsupp:208:55039]</p><p>[smartsupp:208:550390]</p>"
        vendor.notes[number] = {"id": number, "person_id": person, "content": text}
    (mine, *others) = vendor.texts()
    deliver(vendor, SAMPLE, memory)
    assert vendor.texts() == [mine, *others]
    assert memory["note 1"]["id"] == min(vendor.notes)


@pytest.mark.parametrize("record", ["lead", "deal"])
@pytest.mark.parametrize("after", [True, False])
def test_a_lost_record_is_not_taken_for_another_chats(vendor: PipedriveVendor, record: str, after: bool) -> None:
    person = vendor.was_there("Dusan", "dusan@domain.com")
    memory: dict[str, Any] = {"person": person, f"{record}?": True}  # it died before the create
    if after:
        del memory[f"{record}?"]
        vendor.lose_reply_after = 2  # behind the person and the labels
        with pytest.raises(RetryLater):
            deliver(vendor, SAMPLE, memory, record=record)
    mine = [one["id"] for one in vendor.records()]
    other = json.loads(json.dumps(SAMPLE))
    other["channel"]["id"] = 5039
    theirs = deliver(vendor, other, record=record)
    found = deliver(vendor, SAMPLE, memory, record=record)
    assert found.id != theirs.id
    assert not mine or found.id == str(mine[0])
    assert len(vendor.records()) == 2


def test_a_long_transcript_goes_on_in_further_notes_and_none_is_made_twice(vendor: PipedriveVendor) -> None:
    payload = chat(*("Žluťoučký kůň 🐎 " * 60 for _ in range(200)))
    for number in range(40):
        with PipedriveVendor() as there:
            memory: dict[str, Any] = {}
            there.lose_reply_after = number
            for _ in range(3):
                try:
                    deliver(there, payload, memory)
                    break
                except RetryLater:
                    continue
            assert len(there.notes) > 2
            assert all(len(text.encode()) <= 90_100 for text in there.texts())
            assert len({re.sub(r"\s", "", text[-40:]) for text in there.texts()}) == len(there.notes)
            assert (len(there.people()), len(there.records())) == (1, 1)
            if there.lose_reply_after is not None:
                break
    else:
        pytest.fail("it never came to an end")


def test_a_revision_rewrites_the_notes_and_empties_those_that_are_left_over(vendor: PipedriveVendor) -> None:
    memory: dict[str, Any] = {}
    first = deliver(vendor, chat(*("word " * 1000 for _ in range(40))), memory)
    assert len(vendor.notes) == 3
    assert deliver(vendor, LONGER, memory, 2) == first
    one, *others = vendor.texts()
    assert "One thing more" in one
    assert all("word" not in text for text in others)
    asked = len(vendor.requests)
    deliver(vendor, LONGER, memory, 2)
    assert len(vendor.requests) == asked


@pytest.mark.parametrize("record", ["lead", "deal"])
def test_a_revision_brings_the_fields_up_to_date_and_leaves_title_and_labels_alone(
    vendor: PipedriveVendor, record: str
) -> None:
    memory: dict[str, Any] = {}
    deliver(vendor, SAMPLE, memory, record=record, fields=FIELDS)
    made = vendor.records()[0]
    made |= {"title": "Big one", "label_ids": []}
    missed = json.loads(json.dumps(SAMPLE))
    missed["channel"]["isMissed"] = True
    deliver(vendor, missed, memory, 2, record=record, fields=FIELDS)
    assert (made["title"], made["label_ids"]) == ("Big one", [])
    assert (made if record == "lead" else made["custom_fields"])[TEXT_FIELD] == "missed"


@pytest.mark.parametrize(("record", "kept"), [("note", "notes"), ("lead", "leads"), ("deal", "deals")])
def test_what_was_deleted_there_is_refused_and_pauses_nothing(vendor: PipedriveVendor, record: str, kept: str) -> None:
    memory: dict[str, Any] = {}
    more: dict[str, Any] = {} if record == "note" else {"fields": FIELDS}
    deliver(vendor, SAMPLE, memory, record=record, **more)
    getattr(vendor, kept).clear()
    with pytest.raises(RecordRefused, match="deleted in Pipedrive"):
        deliver(vendor, LONGER, memory, 2, record=record, **more)


def test_a_person_who_was_deleted_before_the_note_is_looked_for_anew(vendor: PipedriveVendor) -> None:
    memory = {"person": 77}
    deliver(vendor, SAMPLE, memory)
    assert memory["person"] == vendor.people()[0]["id"] != 77


@pytest.mark.parametrize(
    ("status", "headers", "wanted"),
    [
        (429, {"x-ratelimit-reset": "10"}, 10.0),
        (429, {"x-ratelimit-reset": "10", "Retry-After": "12"}, 12.0),
        (429, {"x-daily-ratelimit-token-remaining": "0", "Retry-After": "3", "x-ratelimit-reset": "2"}, 3600.0),
        (403, {"Content-Type": "text/html"}, 900.0),
    ],
)
def test_it_waits_as_long_as_pipedrive_means(
    vendor: PipedriveVendor, status: int, headers: dict[str, str], wanted: float
) -> None:
    vendor.instead = [Answer(status, {"success": False, "error": "slow down"}, headers)] * 5
    with pytest.raises(RetryLater, match="slow down") as raised:
        deliver(vendor)
    assert raised.value.retry_after == wanted
    assert len(vendor.requests) == 1


def test_a_write_without_an_id_in_its_answer_is_tried_again(vendor: PipedriveVendor) -> None:
    memory: dict[str, Any] = {"person": 77}
    vendor.instead = [Answer(200, {"success": True, "data": None})]
    with pytest.raises(RetryLater, match=r"data: expected an object, got null"):
        deliver(vendor, SAMPLE, memory)


# --- whose it is, where it lies, and what is to be done ---------------------------------


def test_a_new_person_belongs_to_the_owner_and_one_who_is_there_stays_as_they_are(vendor: PipedriveVendor) -> None:
    ann = vendor.knows_owner(ANN)
    there = vendor.was_there("Jane", "jane@domain.com")
    for payload in (SAMPLE, said(2, email="jane@domain.com", name="Jane")):
        deliver(vendor, payload, record="deal", owner=ANN)
    owners = {number: one["owner_id"] for number, one in vendor.persons.items()}
    assert owners.pop(there) == 1
    assert [*owners.values()] == [ann] == list({one["owner_id"] for one in vendor.deals.values()})


@pytest.mark.parametrize("record", ["note", "lead", "deal"])
def test_an_owner_who_left_a_moment_ago_costs_nothing_but_the_owner(vendor: PipedriveVendor, record: str) -> None:
    ann, bob = vendor.knows_owner(ANN), vendor.knows_owner(BOB)
    connector = connect(vendor, record=record, owner=ANN, owner_fallback=BOB, task={})
    TestPipedrive().deliver(connector, SAMPLE, {})
    vendor.users[ann]["active_flag"] = False
    later = chats.other("Hello?", kind="isMissed")
    later["visitor"] |= {"email": "jane@domain.com", "name": "Jane", "id": "b2"}
    memory: dict[str, Any] = {}
    TestPipedrive().deliver(connector, later, memory)
    kept: dict[str, dict[Any, Any]] = {"lead": vendor.leads, "deal": vendor.deals, "note": vendor.persons}
    made = [list(one.values())[-1] for one in (vendor.persons, kept[record], vendor.activities)]
    assert [one["owner_id"] for one in made] == [bob] * 3
    assert "owner_fallback got the record" in memory["note owner"]


def test_the_earlier_name_of_owner_is_read(vendor: PipedriveVendor) -> None:
    deliver(vendor, record="lead", owner_id=2)
    assert [one["owner_id"] for one in vendor.leads.values()] == [2]
    with pytest.raises(ValidationError, match="remove owner_id"):
        connect(vendor, owner_id=2, owner=3)


PLACED: dict[str, Any] = {
    "pipeline_id": "{{ 2 if conversation.is_missed else 1 }}",
    "stage_id": "{{ 20 if conversation.is_missed else 10 }}",
}


def test_pipeline_and_stage_may_be_templates(vendor: PipedriveVendor) -> None:
    connector = connect(vendor, record="deal", **PLACED)
    for number, kind in enumerate(("", "isMissed", "isMissed")):
        TestPipedrive().deliver(connector, chats.other("Hello", kind=kind, number=number), {})
    assert [(one["pipeline_id"], one["stage_id"]) for one in vendor.deals.values()] == [(1, 10), (2, 20), (2, 20)]
    asked = [one.path for one in vendor.requests if "/stages/" in one.path or "/pipelines/" in one.path]
    assert len(asked) == len({*asked}) == 4
    assert wrong(vendor, record="deal", **PLACED) == []


@pytest.mark.parametrize(
    ("pipeline", "stage", "placed", "notes"),
    [
        ("{{ visitor.name }}", 10, (None, 10), ["note pipeline_id"]),
        ("{{ 9 if conversation.rating else 1 }}", 20, (None, 20), ["note pipeline_id"]),
        (2, "{{ 10 if conversation.rating else 20 }}", (2, None), ["note stage_id"]),
        (None, "{{ 99 if conversation.rating else 20 }}", (None, None), ["note stage_id"]),
        ("{{ 2 if conversation.rating else 1 }}", 10, (2, None), []),
    ],
)
def test_what_a_template_names_and_is_not_there_is_left_to_pipedrive(
    vendor: PipedriveVendor, pipeline: Any, stage: Any, placed: tuple[Any, Any], notes: list[str]
) -> None:
    memory: dict[str, Any] = {}
    deliver(vendor, SAMPLE, memory, record="deal", pipeline_id=pipeline, stage_id=stage)
    (deal,) = vendor.deals.values()
    assert (deal.get("pipeline_id"), deal.get("stage_id")) == placed
    assert [name for name in memory if name.startswith("note ") and name.endswith("_id")] == notes


@pytest.mark.parametrize("record", ["lead", "deal"])
def test_an_added_chat_stands_under_its_subject_and_leaves_the_record_as_it_is(
    vendor: PipedriveVendor, record: str
) -> None:
    deliver(vendor, record=record, fields={TEXT_FIELD: "by a salesperson"})
    (there,) = vendor.records()
    before = json.dumps(there)
    memory: dict[str, Any] = {}
    added = chats.other("Me again", kind="isMissed")
    more: dict[str, Any] = {**SHARED, "record": record, "fields": {TEXT_FIELD: "{{ kind }}"}, "owner": 2}
    first = deliver(vendor, added, memory, **more)
    second = deliver(vendor, chats.longer(added, "One thing more"), memory, 2, **more)
    assert json.dumps(there) == before
    assert first == second
    assert first.id == str(there["id"])
    assert vendor.texts()[1].startswith("<p><b>Missed chat: Dusan Kmet</b></p>")


def test_an_open_deal_is_taken_before_a_second_lead(vendor: PipedriveVendor) -> None:
    """Somebody made it of the first lead, which Pipedrive shows no longer."""
    deliver(vendor, record="deal")
    (deal,) = vendor.deals.values()
    reference = deliver(vendor, chats.other("Me again"), record="lead", **SHARED)
    assert reference == Reference(str(deal["id"]), f"{vendor.url}/deal/{deal['id']}")
    assert vendor.leads == {}
    deal["status"] = "won"
    deliver(vendor, chats.other("Me again", number=3), record="lead", **SHARED)
    assert len(vendor.leads) == 1
    assert "Follows" not in vendor.texts()[-1]


def test_a_lead_that_was_archived_long_ago_is_followed_by_none(vendor: PipedriveVendor) -> None:
    deliver(vendor, record="lead")
    (lead,) = vendor.leads.values()
    vendor.end(lead)
    vendor.age(lead)
    deliver(vendor, chats.other("Me again"), record="lead", **SHARED)
    assert "Follows" not in vendor.texts()[-1]


def test_a_deal_of_nobody_is_added_to_nothing(vendor: PipedriveVendor) -> None:
    for number in (1, 2):
        deliver(vendor, said(number, email=""), record="deal", **SHARED)
    assert len(vendor.deals) == 2


@pytest.mark.parametrize("record", ["note", "lead", "deal"])
def test_a_task_is_an_activity_on_the_record_with_its_person(vendor: PipedriveVendor, record: str) -> None:
    ann = vendor.knows_owner(ANN)
    deliver(vendor, chats.other("Hello?", kind="isMissed"), record=record, task={"owner": ANN})
    (person,), (activity,) = vendor.persons, vendor.activities.values()
    wanted = {"subject": "Missed chat: Dusan Kmet", "type": "task", "owner_id": ann, "done": False}
    wanted |= {"due_date": "2015-03-27", "due_time": "19:34:36", "person_id": person}
    wanted |= {f"{record}_id": vendor.records()[0]["id"]} if record != "note" else {}
    assert {**activity, **wanted} == activity
    assert "[smartsupp:208:60000 task]" in activity["note"]


@pytest.mark.parametrize("record", ["note", "lead", "deal"])
def test_a_death_before_or_after_any_request_leaves_one_activity(record: str) -> None:
    tools, missed = TestPipedrive(), chats.other("Hello?", kind="isMissed")
    for after in (False, True):
        number, died = 0, True
        while died:
            with PipedriveVendor() as there:
                memory: dict[str, Any] = {}
                died = tools._dies(connect(there, record=record, task={}), number, after, memory, missed)
                deliver(there, missed, memory, record=record, task={})
                assert len(there.activities) == 1
            number += 1
        assert number > 1


def test_a_check_wants_the_type_of_activity_that_tasks_have(vendor: PipedriveVendor) -> None:
    assert wrong(vendor, task={}) == []
    vendor.activity_types.remove("task")
    assert wrong(vendor, task={}) == ["there is no active activity type task"]


# --- looking first -------------------------------------------------------------------


def test_a_check_finds_what_does_not_exist(vendor: PipedriveVendor) -> None:
    assert wrong(vendor, owner=9) == ["owner 9 is not an active user in Pipedrive"]
    assert wrong(vendor, owner_id=3) == ["owner 3 is not an active user in Pipedrive"]
    assert wrong(vendor, owner_fallback=ANN) == [f"owner_fallback {ANN} is not an active user in Pipedrive"]
    assert wrong(vendor, record="deal", pipeline_id=9, stage_id=99) == [
        "there is no active pipeline 9",
        "there is no active stage 99",
    ]
    assert wrong(vendor, record="deal", pipeline_id=1, stage_id=20) == ["stage 20, Stage 20, is of pipeline 2"]
    fields = {"d" * 40: "x", NUMBER_FIELD: "x", TEXT_FIELD: "x"}
    assert wrong(vendor, record="deal", fields=fields) == [
        f"there is no deal field {'d' * 40}",
        "the deal field Score is of type double",
    ]
    assert wrong(vendor, owner_id=2, record="deal", pipeline_id=2, stage_id=20, fields=FIELDS) == []
    assert wrong(vendor, person={"d" * 40: "x", NUMBER_FIELD: "x", PERSON_FIELD: "x"}) == [
        f"there is no person field {'d' * 40}",
        "the person field Score is of type double",
    ]
    marketing: dict[str, Any] = {"consent": "yes", "marketing": {"marketing_status": "subscribed"}}
    assert wrong(vendor, **marketing) == []
    vendor.campaigns = False
    assert wrong(vendor, **marketing) == ["persons do not have marketing_status"]
    assert vendor.writes() == []


def test_a_check_tells_a_token_of_another_company(vendor: PipedriveVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PipedriveSettings, "base", property(lambda _: vendor.url))
    assert wrong(vendor, base_url=None, company="acme") == []
    assert wrong(vendor, base_url=None, company="other") == ["the token belongs to acme.pipedrive.com"]


@pytest.mark.parametrize("record", ["lead", "deal"])
def test_setup_makes_the_labels_that_a_check_misses(vendor: PipedriveVendor, record: str) -> None:
    tags = ["smartsupp", "New {{ kind }}", "for {{ visitor.name }}"]
    missing = [f"there is no {record} label 'new {kind}'" for kind in ("chat", "missed", "offline")]
    assert wrong(vendor, record=record, tags=tags) == missing
    changes = list(connect(vendor, record=record, tags=tags).setup())
    assert vendor.writes() == []
    assert [change.text for change in changes] == [
        f"create the {record} label 'new {kind}'" for kind in ("chat", "missed", "offline")
    ]
    for change in changes:
        change.make()
    assert wrong(vendor, record=record, tags=tags) == []
    assert list(connect(vendor, record=record, tags=tags).setup()) == []
    deliver(vendor, record=record, tags=tags)
    assert len(vendor.records()[0]["label_ids"]) == 2


def test_a_note_needs_no_setup(vendor: PipedriveVendor) -> None:
    assert list(connect(vendor).setup()) == []
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "either company or base_url"),
        ({"company": "acme", "base_url": "https://acme.pipedrive.com"}, "either company or base_url"),
        ({"company": "acme.pipedrive.com"}, "pattern"),
        ({"company": "acme", "stage_id": 1}, "need record: deal"),
        ({"company": "acme", "one_record": "per_person_open"}, "it needs record: lead or deal"),
        (
            {"company": "acme", "record": "deal", "pipeline_id": "{{ 'first' if kind else 1 }}"},
            "expected a whole number",
        ),
        ({"company": "acme", "fields": {TEXT_FIELD: "x"}}, "a note has none"),
        ({"company": "acme", "record": "lead", "fields": {"title": "x"}}, "'title' is not the API key"),
        ({"company": "acme", "person": {"job_title": "x"}}, "person: 'job_title' is not the API key"),
        ({"company": "acme", "customer_id_field": "marketing_status"}, "customer_id_field: 'marketing_status' is not"),
    ],
)
def test_settings_that_do_not_fit_together_are_said(more: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        PipedriveSettings.model_validate({"type": "pipedrive", "api_token": TOKEN, **more})


def test_a_company_is_its_address() -> None:
    settings = PipedriveSettings.model_validate({"type": "pipedrive", "api_token": TOKEN, "company": "acme-2"})
    assert settings.base == "https://acme-2.pipedrive.com"
