"""HubSpot: what every connector must do, and what is HubSpot's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.testing import chats
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from connectors.testing.files import FileLaws
from connectors.testing.people import PeopleContract
from connectors.testing.people.bench import said
from connectors.testing.records import ANN, BOB, SHARED, RecordLaws
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater, TimedOut
from tests.fakes.hubspot import BODY_LIMIT, HubSpotVendor

TOKEN = "pat-eu1-0123456789abcdef"
EMAIL = "dusan@domain.com"

#: A pipeline and a stage by a template, each.
PLACED = ("{{ '5' if conversation.is_missed else '0' }}", "{{ '51' if conversation.is_missed else '1' }}")

LISTED = """Property values were not valid: [{"isValid":false,"error":"INVALID_OPTION","name":"hs_pipeline"}]"""


def refused(code: str, name: str, message: str = "no") -> dict[str, Any]:
    errors = [{"message": message, "code": code, "context": {"propertyName": [name]}}]
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "errors": errors}


def over(policy: str) -> dict[str, Any]:
    return {
        "status": "error",
        "message": "You have reached your limit.",
        "errorType": "RATE_LIMIT",
        "policyName": policy,
    }


class HubSpot(PeopleContract):
    """With and without tickets."""

    kind = "hubspot"
    field = "jobtitle"
    customer_id_field = "customer_no"
    refused_email = "john@doe.con"
    secrets = (TOKEN,)
    answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = [
        (400, refused("INVALID_OPTION", "industry"), {}, RecordRefused),
        (400, refused("PROPERTY_DOESNT_EXIST", "rating"), {}, ConnectorRefused),
        (400, refused("INVALID_OPTION", "hs_pipeline_stage"), {}, ConnectorRefused),
        (400, refused("INVALID_OPTION", "hubspot_owner_id"), {}, ConnectorRefused),
        (400, {"message": "Unable to perform update/upsert by non-unique 0-5 property x"}, {}, ConnectorRefused),
        (400, {"message": LISTED}, {}, ConnectorRefused),
        (400, {"message": LISTED.replace("hs_pipeline", "industry")}, {}, RecordRefused),
        # What a visitor wrote may be quoted: it pauses nothing.
        (400, refused("TOO_LONG", "firstname", "PROPERTY_DOESNT_EXIST hs_pipeline"), {}, RecordRefused),
        (404, {"message": "resource not found"}, {}, ConnectorRefused),
        (409, {"message": "something else is in the way"}, {}, RecordRefused),
        (423, {"message": "locked"}, {}, RetryLater),
        (429, over("TEN_SECONDLY_ROLLING"), {}, RetryLater),
        (429, over("DAILY"), {}, RetryLater),
        (477, {"message": "migration in progress"}, {"Retry-After": "7200"}, RetryLater),
        (504, {"message": "timeout"}, {}, TimedOut),
        (207, {"errors": [{"category": "VALIDATION_ERROR", "message": "no"}]}, {}, RecordRefused),
        (207, {"errors": [{"category": "MISSING_SCOPES", "message": "no"}]}, {}, ConnectorRefused),
        (207, {"errors": [{"category": "RATE_LIMITS", "message": "no"}]}, {}, RetryLater),
    ]
    reading = (r"POST /crm/\w+/2026-09/[\w/]+/(batch/read|search)$",)

    def arrived(self, vendor: Fake) -> str:
        """Without what stands between two notes of one transcript."""
        return re.sub(r"\[smartsupp:208:55039note\d+\](Part\d+of\d+)?", "", super().arrived(vendor))

    @pytest.fixture
    def vendor(self) -> Iterator[HubSpotVendor]:
        with self.fake() as there:
            assert isinstance(there, HubSpotVendor)
            yield there

    @pytest.mark.parametrize("choice", ["nobody", "placeholder", "skip"])
    def test_what_to_do_without_an_e_mail_is_the_admins_choice(self, vendor: Any, choice: str) -> None:
        if choice != "placeholder":
            super().test_what_to_do_without_an_e_mail_is_the_admins_choice(vendor, choice)
            return
        self.deliver(self.connector(vendor, without_email=choice), chat(email=""), {})
        assert "visitor-27671@smartsupp.example.com" in json.dumps(vendor.people())

    def test_a_key_that_may_not_know_the_account_delivers_without_a_link(self, vendor: HubSpotVendor) -> None:
        vendor.scopes.remove("account")
        assert self.deliver(self.connector(vendor), SAMPLE, {}).url == ""

    def test_a_name_that_people_keep_is_not_overwritten(self, vendor: HubSpotVendor) -> None:
        vendor.objects["contacts"]["5"] = {"id": "5", "properties": {"email": EMAIL, "firstname": "Dr. Dusan"}}
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert [one["properties"]["firstname"] for one in vendor.people()] == ["Dr. Dusan"]

    def test_a_further_address_of_a_contact_finds_it(self, vendor: HubSpotVendor) -> None:
        vendor.objects["contacts"]["5"] = {"id": "5", "properties": {"email": "doe@work.com"}}
        vendor.further[EMAIL] = "5"
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert len(vendor.people()) == 1
        assert vendor.notes_of("contacts", "5")

    @pytest.mark.parametrize("text", ["long " * 60_000, "🎉" * 50_000])
    def test_a_long_transcript_goes_on_in_further_notes(self, vendor: HubSpotVendor, text: str) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat(text), memory)
        sizes = [len(one.encode("utf-16-le")) // 2 for one in vendor.texts()]
        assert len(sizes) > 1
        assert max(sizes) <= BODY_LIMIT
        assert "".join(re.findall("🎉|long", self.arrived(vendor))) == text.replace(" ", "")
        assert [key for key in memory if re.fullmatch(r"note \d+", key)] == [f"note {n + 1}" for n in range(len(sizes))]

    def test_a_death_between_two_notes_leaves_each_of_them_once(self) -> None:
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    died = self._dies(self.connector(vendor), number, after, memory, chat("long " * 30_000))
                    self.deliver(self.connector(vendor), chat("long " * 30_000), memory)
                    assert len(vendor.records()) == 1
                    assert [text.count("note 1]") for text in vendor.texts()] == [1, 0, 0]
                number += 1
                if not died:
                    break

    def test_a_revision_overtakes_a_note_whose_outcome_was_unknown(self, vendor: HubSpotVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, chat("one"), memory)
        del memory["note 1"]
        self.deliver(connector, chat("one", "two"), memory, 2)
        assert len(vendor.texts()) == 1
        assert "two" in self.arrived(vendor)

    @pytest.mark.parametrize(("policy", "seconds"), [("TEN_SECONDLY_ROLLING", 10), ("DAILY", 3600), ("NEW", None)])
    def test_the_limit_that_was_hit_says_how_long_to_wait(
        self, vendor: HubSpotVendor, policy: str, seconds: int | None
    ) -> None:
        vendor.instead = [Answer(429, over(policy))] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == seconds

    @pytest.mark.parametrize("body", [{}, {"results": []}, {"results": "x"}, [], None])
    def test_a_success_without_what_was_asked_for_is_tried_again(self, vendor: HubSpotVendor, body: Any) -> None:
        connector = self.connector(vendor, portal_id="1")
        vendor.instead = [Answer(200, {"results": []}), Answer(200, body)]
        with pytest.raises(RetryLater):
            self.deliver(connector, SAMPLE, {})

    def wrong(self, vendor: HubSpotVendor, **more: Any) -> dict[str, str]:
        return {one.text: one.remedy for one in self.connector(vendor, **more).check() if not one.right}

    def test_an_empty_stage_is_no_stage(self, vendor: HubSpotVendor) -> None:
        with pytest.raises(ValidationError, match="stage"):
            self.connector(vendor, stage="")


class TestHubSpot(HubSpot, RecordLaws, FileLaws):
    def fake(self) -> HubSpotVendor:
        return HubSpotVendor(TOKEN)

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "token": TOKEN}

    def test_the_ticket_is_linked_and_both_show_the_note_at_the_time_of_the_chat(self, vendor: HubSpotVendor) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        (contact,), (ticket,), (note,) = (list(vendor.objects[kind]) for kind in ("contacts", "tickets", "notes"))
        assert ("tickets", ticket, "contacts", contact) in vendor.links
        assert vendor.notes_of("tickets", ticket) == vendor.notes_of("contacts", contact) == [note]
        assert vendor.objects["notes"][note]["properties"]["hs_timestamp"] == "2015-03-27T15:33:59Z"
        assert vendor.objects["tickets"][ticket]["properties"] == {
            "hs_object_id": ticket,
            "smartsupp_chat_id": "smartsupp:208:55039",
            "subject": "Chat: Dusan Kmet",
            "hs_pipeline": "0",
            "hs_pipeline_stage": "1",
            "hs_lastmodifieddate": vendor.objects["tickets"][ticket]["properties"]["hs_lastmodifieddate"],
        }
        assert vendor.objects["contacts"][contact]["properties"] == {
            "hs_object_id": contact,
            "email": EMAIL,
            "firstname": "Dusan",
            "lastname": "Kmet",
        }

    def test_fields_and_owner_are_set(self, vendor: HubSpotVendor) -> None:
        fields = {"hs_ticket_priority": "{{ 'HIGH' if conversation.rating == 1 else 'LOW' }}", "content": "{{ kind }}"}
        self.deliver(self.connector(vendor, fields=fields, owner=77), SAMPLE, {})
        (ticket,), (note,) = vendor.objects["tickets"].values(), vendor.objects["notes"].values()
        assert ticket["properties"] | {"hs_ticket_priority": "LOW", "content": "chat"} == ticket["properties"]
        assert ticket["properties"]["hubspot_owner_id"] == note["properties"]["hubspot_owner_id"] == "77"

    def test_the_page_is_the_tickets_where_the_account_lives(self, vendor: HubSpotVendor) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert reference.url == f"https://app-eu1.hubspot.com/contacts/4711/record/0-5/{reference.id}"

    def test_a_portal_id_in_the_settings_saves_asking(self, vendor: HubSpotVendor) -> None:
        reference = self.deliver(self.connector(vendor, portal_id=99), SAMPLE, {})
        assert reference.url == f"https://app.hubspot.com/contacts/99/record/0-5/{reference.id}"
        assert "/account-info/2026-09/details" not in [one.path for one in vendor.requests]

    def test_an_address_that_hubspot_refuses_costs_the_contact_and_not_the_chat(self, vendor: HubSpotVendor) -> None:
        self.deliver(self.connector(vendor), chat(email="john@doe.con"), {})
        assert vendor.people() == []
        assert len(vendor.records()) == 1
        assert "john@doe.con" in self.arrived(vendor)

    def test_a_revision_is_written_into_the_same_notes_and_leaves_the_stage_alone(self, vendor: HubSpotVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"content": "{{ conversation.messages | length }}"})
        self.deliver(connector, chat("one"), memory)
        (ticket,) = vendor.records()
        ticket["properties"] |= {"hs_pipeline_stage": "4", "subject": "Renamed"}
        self.deliver(connector, chat("one", "two " * 20_000), memory, 2)
        assert (
            ticket["properties"] | {"hs_pipeline_stage": "4", "subject": "Renamed", "content": "2"}
            == (ticket["properties"])
        )
        assert len(vendor.texts()) == 2
        assert self.arrived(vendor).count("Ann:one") == 1
        asked = len(vendor.requests)
        self.deliver(connector, chat("one", "two " * 20_000), memory, 2)
        assert len(vendor.requests) == asked

    def test_a_note_is_found_again_among_many_and_however_hubspot_wrapped_it(self, vendor: HubSpotVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        ((number, note),) = vendor.objects["notes"].items()
        body = f'<div style="" dir="auto" data-top-level="true">{note["properties"]["hs_note_body"]}</div>\n'
        note["properties"]["hs_note_body"] = body
        for _ in range(5):
            other = vendor._new("notes", {"hs_note_body": "[smartsupp:208:55039 note 1] somebody quoted it"})
            vendor.links.add(("tickets", memory["ticket"], "notes", other["id"]))
        del memory["note 1"]
        self.deliver(connector, SAMPLE, memory)
        assert len(vendor.texts()) == 6
        assert memory["note 1"]["id"] == number

    @pytest.mark.parametrize("kind", ["notes", "tickets"])
    def test_what_a_person_deleted_refuses_the_revision_alone(self, vendor: HubSpotVendor, kind: str) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"content": "x"})
        self.deliver(connector, SAMPLE, memory)
        vendor.delete(kind, next(iter(vendor.objects[kind])))
        with pytest.raises(RecordRefused, match="deleted in HubSpot"):
            self.deliver(connector, SAMPLE, memory, 2)

    def test_a_key_without_the_scopes_pauses(self, vendor: HubSpotVendor) -> None:
        vendor.scopes.remove("tickets")
        with pytest.raises(ConnectorRefused, match="MISSING_SCOPES"):
            self.deliver(self.connector(vendor), SAMPLE, {})

    def test_a_missing_property_pauses_and_says_what_to_run(self) -> None:
        with HubSpotVendor(TOKEN, ready=False) as vendor:
            with pytest.raises(ConnectorRefused, match="relay connectors check shop"):
                self.deliver(self.connector(vendor), SAMPLE, {})
            assert vendor.records() == []

    def test_a_check_finds_what_does_not_exist(self, vendor: HubSpotVendor) -> None:
        right = {"owner": "77", "fields": {"content": "x"}, "portal_id": 4711}
        assert self.wrong(vendor, **right) == {}
        stages = "pipeline/stage are one of 0/1 (Support Pipeline: New), 0/4 (Support Pipeline: Closed), "
        stages += "5/51 (Returns: First), 5/52 (Returns: Second)"
        assert self.wrong(vendor, stage="9") == {"stage 9 in pipeline 0 is missing": stages}
        assert self.wrong(vendor, pipeline="9") == {"stage 1 in pipeline 9 is missing": stages}
        assert list(self.wrong(vendor, owner="78")) == ["owner 78 is not an active owner in HubSpot"]
        assert list(self.wrong(vendor, owner_fallback=ANN)) == [
            f"owner_fallback {ANN} is not an active owner in HubSpot"
        ]
        assert list(self.wrong(vendor, task={"owner": ANN})) == [f"task.owner {ANN} is not an active owner in HubSpot"]
        pipeline, stage = PLACED
        assert self.wrong(vendor, pipeline=pipeline, stage=stage) == {}
        assert list(self.wrong(vendor, pipeline=pipeline.replace("5", "6"), stage=stage.replace("51", "9"))) == [
            "stage 9 is missing",
            "pipeline 6 is missing",
        ]
        assert list(self.wrong(vendor, fields={"rating": "x"})) == ["the property rating of tickets is missing"]
        assert list(self.wrong(vendor, portal_id="1")) == ["portal_id is not the account of the key"]

    def test_a_check_finds_rights_that_are_missing(self, vendor: HubSpotVendor) -> None:
        vendor.scopes = {"contacts", "account"}
        assert self.wrong(vendor) == {"cannot read tickets": "give the key the scope tickets"}
        vendor.scopes = {"contacts", "tickets", "account"}
        assert self.wrong(vendor, owner="77") == {
            "cannot read owners": "give the key the scope crm.objects.owners.read"
        }
        vendor.scopes = {"contacts", "tickets"}
        assert "links need it" in self.wrong(vendor)["portal_id is not the account of the key"]
        assert self.wrong(vendor, portal_id=4711) == {}

    def test_set_up_makes_the_property_once(self) -> None:
        with HubSpotVendor(TOKEN, ready=False) as vendor:
            connector = self.connector(vendor)
            text = "the ticket property smartsupp_chat_id with unique values is missing"
            assert self.wrong(vendor) == {text: "run: relay connectors setup shop"}
            (change,) = connector.setup()
            assert vendor.writes() == []
            change.make()
            assert list(connector.setup()) == []
            assert self.wrong(vendor) == {}
            self.deliver(connector, SAMPLE, {})

    def test_a_property_that_is_not_unique_must_go_first(self, vendor: HubSpotVendor) -> None:
        vendor.properties["tickets"]["smartsupp_chat_id"]["hasUniqueValue"] = False
        (remedy,) = self.wrong(vendor).values()
        assert remedy == "archive it in HubSpot, then run: relay connectors setup shop"

    def test_what_stands_in_for_a_name_is_no_first_name(self, vendor: HubSpotVendor) -> None:
        self.deliver(self.connector(vendor), chat(name="", email="j.novak77@domain.com"), {})
        assert "firstname" not in vendor.people()[0]["properties"]

    def test_a_template_that_comes_out_empty_wipes_nothing(self, vendor: HubSpotVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"content": "{{ visitor.group }}"})
        self.deliver(connector, SAMPLE, memory)
        vendor.records()[0]["properties"]["content"] = "by an agent"
        self.deliver(connector, SAMPLE, memory, 2)
        assert vendor.records()[0]["properties"]["content"] == "by an agent"

    def test_a_contact_that_was_merged_meanwhile_is_looked_up_again(self, vendor: HubSpotVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        (contact,) = vendor.people()
        vendor.delete("contacts", contact["id"])
        other = vendor._new("contacts", {"email": "dusan@domain.com"})
        vendor.objects["notes"].clear()
        for name in ("link", "note 1", "note 1?"):
            memory.pop(name, None)
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert memory["contact"] == other["id"]
        assert len(vendor.texts()) == 1
        assert len(vendor.records()) == 1

    # --- whose it is ---------------------------------------------------------------

    def test_a_new_contact_belongs_to_the_owner_and_one_who_is_there_stays_as_they_are(
        self, vendor: HubSpotVendor
    ) -> None:
        ann = str(vendor.knows_owner(ANN))
        there = vendor.add_person(name="Jane", email="jane@domain.com")
        connector = self.connector(vendor, owner=ANN)
        self.deliver(connector, SAMPLE, {})
        self.deliver(connector, said(2, name="Jane", email="jane@domain.com"), {})
        new, old = (next(one for one in vendor.people() if (one["id"] == there) is known) for known in (False, True))
        assert new["properties"]["hubspot_owner_id"] == ann
        assert "hubspot_owner_id" not in old["properties"]
        assert [one["properties"]["hubspot_owner_id"] for one in vendor.records()] == [ann, ann]

    def test_an_owner_of_the_contact_that_the_settings_name_stays(self, vendor: HubSpotVendor) -> None:
        vendor.knows_owner(ANN)
        self.deliver(self.connector(vendor, owner=ANN, new_person={"hubspot_owner_id": "77"}), SAMPLE, {})
        assert vendor.people()[0]["properties"]["hubspot_owner_id"] == "77"

    def test_an_owner_who_left_a_moment_ago_costs_nothing_but_the_owner(self, vendor: HubSpotVendor) -> None:
        ann, bob = vendor.knows_owner(ANN), str(vendor.knows_owner(BOB))
        connector = self.connector(vendor, owner=ANN, owner_fallback=BOB, task={})
        self.deliver(connector, SAMPLE, {})
        vendor.owners[str(ann)]["archived"] = True
        memory: dict[str, Any] = {}
        later = chats.other("Hello?", kind="isMissed")
        later["visitor"] |= {"email": "jane@domain.com", "name": "Jane", "id": "b2"}
        self.deliver(connector, later, memory)
        made = [list(vendor.objects[kind].values())[-1] for kind in ("contacts", "tickets", "notes", "tasks")]
        assert [one["properties"]["hubspot_owner_id"] for one in made] == [bob] * 4
        assert "owner_fallback got the record" in memory["note owner"]

    def test_a_key_that_may_not_look_up_owners_believes_an_id_and_pauses_for_an_address(
        self, vendor: HubSpotVendor
    ) -> None:
        vendor.scopes.remove("owners")
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, owner=77), SAMPLE, memory)
        assert vendor.records()[0]["properties"]["hubspot_owner_id"] == "77"
        assert "note owner" not in memory
        with pytest.raises(ConnectorRefused, match=r"crm\.objects\.owners\.read, or write the owner's id"):
            self.deliver(self.connector(vendor, owner=ANN), chats.other("Hello"), {})

    def test_no_queue_is_an_owner(self, vendor: HubSpotVendor) -> None:
        vendor.owners[str(vendor.knows_owner(ANN))]["type"] = "QUEUE"
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, owner=ANN), SAMPLE, memory)
        assert vendor.owner_of(vendor.records()[0]) is None
        assert "Nobody was named" in memory["note owner"]

    # --- where it lies -----------------------------------------------------------------

    def test_pipeline_and_stage_may_be_templates(self, vendor: HubSpotVendor) -> None:
        pipeline, stage = PLACED
        connector = self.connector(vendor, pipeline=pipeline, stage=stage)
        for payload in (SAMPLE, chats.other("Hello?", kind="isMissed")):
            self.deliver(connector, payload, {})
        placed = [
            (one["properties"]["hs_pipeline"], one["properties"]["hs_pipeline_stage"]) for one in vendor.records()
        ]
        assert placed == [("0", "1"), ("5", "51")]
        assert sum(one.path == "/crm/pipelines/2026-09/tickets" for one in vendor.requests) == 1

    @pytest.mark.parametrize(
        ("pipeline", "stage", "placed", "notes"),
        [
            ("{{ visitor.name }}", "1", ("0", "1"), ["note pipeline"]),
            ("5", "{{ visitor.name }}", ("5", "51"), ["note stage"]),
            ("{{ visitor.group or '5' }}", "1", ("5", "51"), []),
            ("{{ visitor.group }}", "{{ visitor.group }}", ("0", "1"), []),
        ],
    )
    def test_where_a_template_names_nothing_the_first_is_taken(
        self, vendor: HubSpotVendor, pipeline: str, stage: str, placed: tuple[str, str], notes: list[str]
    ) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, pipeline=pipeline, stage=stage), SAMPLE, memory)
        made = vendor.records()[0]["properties"]
        assert (made["hs_pipeline"], made["hs_pipeline_stage"]) == placed
        assert [name for name in memory if name in ("note pipeline", "note stage")] == notes

    # --- a ticket from before -----------------------------------------------------------

    def test_an_added_chat_stands_under_its_subject_and_leaves_the_tickets_fields_alone(
        self, vendor: HubSpotVendor
    ) -> None:
        ann, memory = vendor.knows_owner(ANN), dict[str, Any]()
        self.deliver(self.connector(vendor, owner=ANN), SAMPLE, {})
        (ticket,) = vendor.records()
        ticket["properties"]["content"] = "by an agent"
        connector = self.connector(vendor, **SHARED, owner="77", fields={"content": "{{ kind }}"})
        added = chats.other("Me again", kind="isMissed")
        reference = self.deliver(connector, added, memory)
        self.deliver(connector, chats.longer(added, "One thing more"), memory, 2)
        assert ticket["properties"]["content"] == "by an agent"
        assert vendor.owner_of(ticket) == ann
        assert vendor.texts()[1].startswith("<p><b>Missed chat: Dusan Kmet</b></p>")
        assert reference.url.endswith(f"/record/0-5/{ticket['id']}")

    def test_an_open_ticket_is_taken_before_one_that_was_closed_since(self, vendor: HubSpotVendor) -> None:
        connector = self.connector(vendor)
        for number in (1, 2, 3):
            self.deliver(connector, chats.other("Hello", number=number), {})
        first, second, third = vendor.records()
        vendor.end(third)
        second["properties"]["hs_lastmodifieddate"] = "2026-11-01T00:00:00Z"
        first["properties"]["hs_lastmodifieddate"] = "2026-10-01T00:00:00Z"
        assert self.deliver(self.connector(vendor, **SHARED), SAMPLE, {}).id == second["id"]

    def test_a_chat_of_nobody_is_added_to_nothing(self, vendor: HubSpotVendor) -> None:
        connector = self.connector(vendor, **SHARED, remember_days=0)
        self.deliver(connector, chat(email=""), {})
        self.deliver(connector, said(2, email=""), {})
        assert len(vendor.records()) == 2

    # --- work ----------------------------------------------------------------------------

    def test_a_deadline_may_be_a_template_and_one_that_is_none_is_said(self) -> None:
        """HubSpot has no task without a deadline: one that is none is due when the chat ended."""
        for due, found in (
            ("{{ '90m' if conversation.is_missed else '4h' }}", "17:04"),
            ("{{ visitor.name }}", "15:34"),
        ):
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                connector = self.connector(vendor, task={"due": due})
                self.deliver(connector, chats.other("Hello?", kind="isMissed"), memory)
                assert vendor.due_of(vendor.records()[0]).partition("T")[2] == found
                assert ("note task.due" in memory) is (found == "15:34")

    def test_a_task_is_to_be_done_and_stands_on_ticket_and_contact(self, vendor: HubSpotVendor) -> None:
        ann = str(vendor.knows_owner(ANN))
        self.deliver(self.connector(vendor, task={"owner": ANN}), chats.other("Hello?", kind="isMissed"), {})
        ((number, task),) = vendor.objects["tasks"].items()
        assert task["properties"] == {
            "hs_object_id": number,
            "hs_task_subject": "Missed chat: Dusan Kmet",
            "hs_task_body": "<p>[smartsupp:208:60000 task]</p>",
            "hs_timestamp": "2015-03-27T19:34:36Z",
            "hs_task_status": "NOT_STARTED",
            "hs_task_type": "TODO",
            "hubspot_owner_id": ann,
        }
        for kind in ("tickets", "contacts"):
            assert vendor.linked(kind, next(iter(vendor.objects[kind])), "tasks") == [number]

    def test_a_death_before_or_after_any_request_leaves_one_task(self) -> None:
        for after in (False, True):
            number, died = 0, True
            while died:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    missed = chats.other("Hello?", kind="isMissed")
                    died = self._dies(self.connector(vendor, task={}), number, after, memory, missed)
                    self.deliver(self.connector(vendor, task={}), missed, memory)
                    assert len(vendor.objects["tasks"]) == 1
                number += 1
            assert number > 1

    def test_a_store_that_forgot_the_task_makes_no_second_one(self, vendor: HubSpotVendor) -> None:
        missed = chats.other("Hello?", kind="isMissed")
        for _ in range(2):
            self.deliver(self.connector(vendor, task={}), missed, {}, first=False)
        assert len(vendor.objects["tasks"]) == 1

    def test_a_refused_address_is_named_in_the_note(self, vendor: HubSpotVendor) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="john@doe.con"), {})
        assert vendor.people() == []
        assert "john@doe.con cannot be used" in vendor.texts()[0]


class NotesVendor(HubSpotVendor):
    """HubSpot without tickets: a conversation is the chain of notes that begins with note 1."""

    def records(self) -> list[Any]:
        return [text for text in self.texts() if " note 1]" in text]

    def records_of(self, number: str) -> int:
        return len(self.notes_of("contacts", number))


class TestHubSpotWithoutTickets(HubSpot):
    needs_person = True

    def fake(self) -> HubSpotVendor:
        return NotesVendor(TOKEN, ready=False)

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "token": TOKEN, "ticket": False}

    def test_the_preview_is_what_is_sent(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        with connector.http.pretending(connector.imagine) as preview:
            self.deliver(connector, SAMPLE, {})
        assert vendor.requests == []
        self.deliver(connector, SAMPLE, {})
        assert [(one.method, one.url.removeprefix(vendor.url)) for one in preview] == [
            (one.method, one.path) for one in vendor.requests
        ]

    def test_the_note_has_the_subject_and_the_page_is_the_contacts(self, vendor: HubSpotVendor) -> None:
        reference = self.deliver(self.connector(vendor, owner="77"), chat("hi", name="{{7*7}} <b>"), {})
        ((number, note),) = vendor.objects["notes"].items()
        (contact,) = vendor.objects["contacts"]
        assert note["properties"]["hs_note_body"].startswith("<p><b>Chat: &#123;&#123;7*7}} &lt;b&gt;</b></p>")
        assert note["properties"]["hubspot_owner_id"] == "77"
        assert vendor.notes_of("contacts", contact) == [number]
        assert reference.id == number
        assert reference.url == f"https://app-eu1.hubspot.com/contacts/4711/record/0-1/{contact}"

    def test_a_visitor_without_an_e_mail_becomes_a_made_up_contact_for_the_note_to_hang_on(
        self, vendor: HubSpotVendor
    ) -> None:
        self.deliver(self.connector(vendor), chat(email=""), {})
        assert [one["properties"]["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]

    def test_a_chat_with_an_address_that_hubspot_refuses_hangs_on_the_made_up_one_and_says_so(
        self, vendor: HubSpotVendor
    ) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="john@doe.con"), {})
        assert [one["properties"]["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert "john@doe.con cannot be used" in vendor.texts()[0]

    def test_a_task_stands_on_the_contact(self, vendor: HubSpotVendor) -> None:
        self.deliver(self.connector(vendor, task={}, owner="77"), chats.other("Hello?", kind="isMissed"), {})
        (contact,) = vendor.people()
        assert [one["hubspot_owner_id"] for one in vendor.tasks_of("contacts", contact["id"])] == ["77"]

    def test_there_is_nothing_to_share(self, vendor: HubSpotVendor) -> None:
        with pytest.raises(ValidationError, match="it needs ticket: true"):
            self.connector(vendor, **SHARED)

    def test_nothing_about_tickets_is_checked_or_set_up(self, vendor: HubSpotVendor) -> None:
        vendor.scopes.remove("tickets")
        assert self.wrong(vendor) == {}
        assert list(self.connector(vendor).setup()) == []
        assert list(self.wrong(vendor, fields={"rating": "x"})) == ["the property rating of notes is missing"]
