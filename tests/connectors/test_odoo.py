"""Odoo over JSON-2 (19) and over JSON-RPC (14 to 18)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.kit.connector import HttpConnector
from connectors.odoo import NOTES, Odoo
from connectors.odoo.settings import OdooSettings
from connectors.testing.chats import SAMPLE, chat, other
from connectors.testing.chats import longer as goes_on
from connectors.testing.fake import Answer, Fake, Refuse
from connectors.testing.files import FileLaws
from connectors.testing.people import PeopleContract
from connectors.testing.people.bench import EMAIL, PHONE, said
from connectors.testing.records import ANN, BOB, SHARED, Records
from core.delivery import CONFLICTS
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater
from tests.fakes.odoo import DATABASE, KEY, LOGIN, OdooVendor, Raised, json_rpc_error

MISSING = "Record does not exist or has been deleted.\n(Record: crm.lead(5,), User: 2)"
TRACE = {"debug": 'Traceback (most recent call last):\n  File "/opt/odoo/http.py"'}


def longer(text: str = "One thing more") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": text, "sentAt": 1427470480000})
    return made


class Both(PeopleContract):
    """What holds for both protocols."""

    field = "function"
    customer_id_field = "ref"
    refused_email = "typo@domain.com"
    version: int
    secrets = (KEY,)

    def fake(self) -> OdooVendor:
        return OdooVendor(self.version)

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "api_key": KEY, "database": DATABASE}

    @staticmethod
    def odoo(vendor: Fake) -> OdooVendor:
        assert isinstance(vendor, OdooVendor)
        return vendor

    # --- the record -------------------------------------------------------------------

    def test_the_lead_has_the_contact_the_tags_the_key_and_nobody_to_work_on_it(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor, team_id=3), SAMPLE, {})
        tables = self.odoo(vendor).tables
        (lead,) = tables["crm.lead"]
        tags = {tag["id"]: tag["name"] for tag in tables["crm.tag"]}
        assert lead["name"] == "Chat: Dusan Kmet"
        assert lead["partner_id"] == tables["res.partner"][0]["id"]
        assert lead["referred"] == "smartsupp:208:55039"
        assert lead["team_id"] == 3
        assert lead["user_id"] is False
        assert [tags[tag] for tag in lead["tag_ids"][0][2]] == ["smartsupp", "smartsupp-chat"]

    def test_nobody_is_mailed_and_nobody_follows(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, owner=7)
        self.deliver(connector, SAMPLE, memory)
        self.deliver(connector, longer(), memory, 2)
        assert self.odoo(vendor).mailed == []
        assert self.odoo(vendor).followers == set()

    def test_the_parts_of_a_long_chat_are_read_from_the_newest_note_down(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        payload = chat(*("long " * 30_000 for _ in range(4)))
        self.deliver(self.connector(vendor), payload, memory)
        signs = [re.findall(r"Part \d+ of \d+", text)[0] for text in vendor.texts()]
        assert signs[::-1] == sorted(signs)
        assert len(signs) > 2

    def test_pages_are_links_that_leak_nothing(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        page = 'href="http://developers.smartsupp.com" target="_blank" rel="noopener noreferrer nofollow"'
        assert page in vendor.texts()[0]

    def test_a_chat_with_an_address_that_odoo_refuses_comes_without_the_contact_and_says_so(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), memory)
        (lead,) = vendor.records()
        assert "partner_id" not in lead
        assert vendor.people() == []
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_a_contact_or_tag_that_was_merged_or_deleted_meanwhile_is_looked_up_again(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        memory: dict[str, Any] = {}
        create = odoo._create

        def away(model: str, *arguments: Any, **named: Any) -> Any:
            if model == "crm.lead":
                raise Refuse(503)
            return create(model, *arguments, **named)

        odoo._create = away  # type: ignore[method-assign]
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        odoo._create = create  # type: ignore[method-assign]
        assert {"person", "tags"} <= memory.keys()
        odoo.tables["res.partner"][0]["id"] = 9001
        odoo.tables["crm.tag"].clear()
        self.deliver(self.connector(vendor), SAMPLE, memory)
        (lead,) = vendor.records()
        assert lead["partner_id"] == 9001
        assert len(odoo.tables["crm.tag"]) == 2
        assert "cannot be used" not in vendor.texts()[0]

    def test_a_revision_follows_a_lead_that_people_merged_into_another(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"color": "3"})
        self.deliver(connector, SAMPLE, memory)
        (lead,) = odoo.tables["crm.lead"]
        odoo.tables["crm.lead"] = [{"id": 777, "name": "Theirs", "color": 9}]
        for note in odoo.tables["mail.message"]:
            note["res_id"] = 777
        reference = self.deliver(connector, longer(), memory, 2)
        assert reference.id == "777"
        assert [note["res_id"] for note in odoo.tables["mail.message"]] == [777, 777]
        assert odoo.tables["crm.lead"] == [{"id": 777, "name": "Theirs", "color": 9}]
        self.deliver(connector, goes_on(longer(), "And another"), memory, 3)
        assert len(odoo.tables["mail.message"]) == 3
        # Odoo took our notes along, so that nothing is said twice.
        assert self.arrived(vendor).count(self.spread("One thing more")) == 1
        assert lead not in odoo.tables["crm.lead"]

    def test_a_person_is_taken_before_a_company_and_an_archived_contact_before_a_new_one(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        odoo.fields["res.partner"] |= {"active": "boolean", "is_company": "boolean"}
        same = {"email": "dusan@domain.com", "email_normalized": "dusan@domain.com"}
        odoo.tables["res.partner"] = [
            {"id": 1, "name": "Archived", "active": False, "is_company": False, **same},
            {"id": 2, "name": "Company", "active": True, "is_company": True, **same},
            {"id": 3, "name": "Person", "active": True, "is_company": False, **same},
        ]
        for expected in (3, 2, 1):
            self.deliver(self.connector(vendor), {**chat(), "channel": {**SAMPLE["channel"], "id": expected}}, {})
            assert vendor.records()[-1]["partner_id"] == expected
            odoo.tables["res.partner"] = [one for one in odoo.tables["res.partner"] if one["id"] != expected]

    def test_tags_are_made_once(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, {})
        missed = longer()
        missed["channel"] |= {"id": 60000, "isMissed": True}
        self.deliver(connector, missed, {})
        tags = [tag["name"] for tag in self.odoo(vendor).tables["crm.tag"]]
        assert tags == ["smartsupp", "smartsupp-chat", "smartsupp-missed"]

    def test_without_tags_none_are_asked_for(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor, tags=[]), SAMPLE, {})
        assert "tag_ids" not in self.odoo(vendor).records()[0]

    def test_a_lead_without_a_person_still_has_a_name(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat(email=""), {})
        (lead,) = self.odoo(vendor).records()
        assert "partner_id" not in lead
        assert lead["contact_name"] == "Dusan Kmet"

    def test_the_transcript_is_an_internal_note_of_the_time_of_the_chat(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        (note,) = self.odoo(vendor).tables["mail.message"]
        assert note["subtype"] == "mail.mt_note"
        assert note["message_type"] == "comment"
        assert note["date"] == "2015-03-27 15:34:36"
        assert note["message_id"] == "<smartsupp.208.55039.1.1@smartsupp.invalid>"

    def test_the_note_is_html_and_not_its_source(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("5 < 6"), {})
        (body,) = vendor.texts()
        assert body.startswith("<p><b>")
        assert "5 &lt; 6" in body

    def test_a_long_chat_goes_on_in_further_notes(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat("word " * 90_000), memory)
        texts = vendor.texts()
        assert len(texts) > 1
        assert all(len(text) <= NOTES.longest for text in texts)
        self.odoo(vendor).tables["mail.message"].reverse()  # as Odoo shows them
        assert re.sub(r"Part\d+of\d+", "", self.arrived(vendor)).count("word") == 90_000
        marks = {note["message_id"] for note in self.odoo(vendor).tables["mail.message"]}
        assert len(marks) == len(texts)

    def test_a_ticket_of_the_help_desk(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        odoo.fields["helpdesk.ticket"]["x_smartsupp_chat"] = "char"
        reference = self.deliver(self.connector(vendor, record="ticket", team_id=3, owner=7), SAMPLE, {})
        (ticket,) = odoo.tables["helpdesk.ticket"]
        assert ticket["x_smartsupp_chat"] == "smartsupp:208:55039"
        assert (ticket["team_id"], ticket["user_id"]) == (3, 7)
        assert len(odoo.tables["helpdesk.tag"]) == 2
        assert "helpdesk.ticket" in reference.url

    def test_a_lost_lead_is_still_found(self, vendor: Fake) -> None:
        """Its reply was lost, and before the next try somebody marked it as lost, which archives it."""
        connector = self.connector(vendor)
        memory: dict[str, Any] = {}
        self.deliver(connector, SAMPLE, memory)
        self.odoo(vendor).records()[0]["active"] = False
        del memory["record"]
        self.deliver(connector, SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_the_key_can_live_in_a_field_of_the_admins(self, vendor: Fake) -> None:
        self.odoo(vendor).fields["crm.lead"]["x_chat"] = "char"
        self.deliver(self.connector(vendor, key_field="x_chat"), SAMPLE, {})
        (lead,) = self.odoo(vendor).records()
        assert lead["x_chat"] == "smartsupp:208:55039"
        assert "referred" not in lead

    # --- who will see it ----------------------------------------------------------------

    def test_a_lead_without_team_and_salesperson_goes_to_the_first_team(self, vendor: Fake) -> None:
        tables = self.odoo(vendor).tables
        tables["crm.team"].append({"id": 4, "name": "Overseas"})
        connector = self.connector(vendor)
        self.deliver(connector, said(1), {})
        self.deliver(connector, said(2), {})
        assert [lead["team_id"] for lead in tables["crm.lead"]] == [3, 3]
        assert sum("crm.team" in json.dumps([one.path, one.body]) for one in vendor.requests) == 1
        tables["crm.team"].clear()
        self.deliver(self.connector(vendor), said(3), {})
        # The team of a salesperson is Odoo's to find.
        self.deliver(self.connector(vendor, owner=7), said(4), {})
        assert all("team_id" not in lead for lead in tables["crm.lead"][2:])

    @pytest.mark.parametrize(
        ("settings", "seen"),
        [
            ({}, "leads come without a salesperson to the team Europe: seen under Sales > Teams"),
            ({"team_id": 3}, "leads come without a salesperson to the team Europe: seen under Sales > Teams"),
            ({"team_id": "{{ 3 }}"}, "leads come without a salesperson to the team that the template of team_id names"),
            ({"owner": "chat_agent"}, "leads are seen by their salesperson under 'My Pipeline'"),
            ({"owner": "chat_agent"}, "leads for which the owner is nobody come to the team Europe: seen under Sales"),
            ({"owner": 7}, "leads are seen by their salesperson under 'My Pipeline'"),
        ],
    )
    def test_a_check_says_what_a_salesperson_will_see(self, vendor: Fake, settings: dict[str, Any], seen: str) -> None:
        texts = [one.text for one in self.connector(vendor, **settings).check()]
        assert any(text.startswith(seen) for text in texts)

    def test_a_check_says_that_nobody_will_see_a_lead(self, vendor: Fake) -> None:
        self.odoo(vendor).tables["crm.team"].clear()
        (wrong,) = [one for one in self.connector(vendor).check() if not one.right]
        assert wrong.text == "leads come without a salesperson and without a team, so nobody sees them in CRM"

    # --- whose it is, and where it lies -----------------------------------------------------

    def test_team_stage_and_priority_may_come_out_of_templates(self, vendor: Fake) -> None:
        more = {"stage_id": "{{ 5 if conversation.rating else '' }}", "priority": "{{ 2 }}", "team_id": "{{ 1 + 2 }}"}
        for record in ("lead", "ticket"):
            self.odoo(vendor).fields["helpdesk.ticket"]["x_smartsupp_chat"] = "char"
            memory: dict[str, Any] = {}
            connector = self.connector(vendor, record=record, **more)
            self.deliver(connector, SAMPLE, memory)
            made = vendor.records()[-1]
            assert (made["team_id"], made["stage_id"], made["priority"]) == (3, 5, "2")
            assert not {"note team_id", "note stage_id", "note priority"} & memory.keys()
            assert all(one.right for one in connector.check())

    def test_a_team_that_a_template_names_and_odoo_does_not_have_is_left_out_and_said(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, team_id="{{ 99 }}", stage_id="{{ 98 }}"), SAMPLE, memory)
        (lead,) = vendor.records()
        assert lead["team_id"] == 3  # the first
        assert "stage_id" not in lead
        assert {"note team_id", "note stage_id"} <= memory.keys()
        wrong = [one.text for one in self.connector(vendor, stage_id=98).check() if not one.right]
        assert wrong == ["crm.stage 98 does not exist, or the user may not see it"]

    def test_a_portal_user_is_no_owner(self, vendor: Fake) -> None:
        number = self.odoo(vendor).knows_owner(ANN)
        self.odoo(vendor).tables["res.users"][-1]["share"] = True
        for owner in (ANN, str(number)):
            memory: dict[str, Any] = {}
            self.deliver(self.connector(vendor, owner=owner), SAMPLE, memory, number=1)
            assert "is not an active internal user of Odoo" in memory["note owner"]
            assert vendor.records()[-1]["user_id"] is False

    def test_an_owner_is_found_by_email_and_by_login(self, vendor: Fake) -> None:
        for owner, expected in (("m@example.com", 7), (LOGIN, 2)):
            self.deliver(self.connector(vendor, owner=owner), SAMPLE, {})
            assert vendor.records()[-1]["user_id"] == expected

    def test_the_earlier_name_of_owner_is_understood(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor, user_id=7), SAMPLE, {})
        assert vendor.records()[0]["user_id"] == 7
        with pytest.raises(ValidationError, match="remove user_id"):
            self.connector(vendor, user_id=7, owner="chat_agent")

    # --- one record of a person -------------------------------------------------------------

    def test_a_won_lead_and_a_closed_ticket_are_followed(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        odoo.fields["helpdesk.ticket"]["x_smartsupp_chat"] = "char"
        for record, ended in (("lead", {"probability": 100.0}), ("ticket", {"close_date": "2015-03-27 16:00:00"})):
            connector = self.connector(vendor, record=record, **SHARED)
            first = self.deliver(connector, SAMPLE, {})
            assert self.deliver(connector, other("Me again"), {}).id == first.id
            vendor.records()[-1].update(ended)
            assert self.deliver(connector, other("And again", number=60001), {}).id != first.id

    def test_a_note_of_last_week_keeps_a_lead_that_nobody_wrote_on(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        first = self.deliver(connector, SAMPLE, {})
        vendor.records()[0]["write_date"] = "2015-01-01 12:00:00"
        assert self.deliver(connector, other("Me again"), {}).id == first.id

    def test_an_added_chat_changes_no_field_of_the_lead(self, vendor: Fake) -> None:
        connector = self.connector(vendor, fields={"color": "{{ conversation.messages | length }}"}, **SHARED)
        self.deliver(connector, SAMPLE, {})
        (lead,) = vendor.records()
        lead["color"] = 99
        memory: dict[str, Any] = {}
        self.deliver(connector, other("Me again"), memory)
        self.deliver(connector, goes_on(other("Me again"), "More"), memory, 2)
        assert lead["color"] == 99

    # --- work -------------------------------------------------------------------------------

    def test_a_missed_chat_is_an_activity_of_its_owner_on_the_day_in_the_shops_zone(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        bob = odoo.knows_owner(BOB)
        missed = other("Hello?", kind="isMissed")
        task = {"due": "9h", "owner": BOB}
        self.deliver(self.connector(vendor, task=task, time_zone="Europe/Prague"), missed, {})
        (activity,) = odoo.tables["mail.activity"]
        assert (activity["user_id"], activity["date_deadline"]) == (bob, "2015-03-28")
        assert activity["summary"] == "Missed chat: Dusan Kmet"
        assert "2015-03-28 01:34:36 CET" in activity["note"]
        assert odoo.mailed == []
        assert odoo.followers == {("crm.lead", vendor.records()[0]["id"], bob)}  # which Odoo makes of whoever is to act

    def test_an_activity_on_a_lead_of_another_chat_is_its_salespersons(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        connector = self.connector(vendor, task={}, **SHARED)
        self.deliver(connector, SAMPLE, {})
        vendor.records()[0]["user_id"] = 7
        memory: dict[str, Any] = {}
        self.deliver(connector, other("Hello?", kind="isMissed"), memory)
        assert odoo.tables["mail.activity"][0]["user_id"] == 7
        assert "note activity" not in memory

    def test_an_activity_for_nobody_says_whose_it_is(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, task={}), other("Hello?", kind="isMissed"), memory)
        assert self.odoo(vendor).tables["mail.activity"][0]["user_id"] == 2
        assert "the activity is that of the API key's user" in memory["note activity"]

    def test_a_death_around_the_activity_makes_one(self) -> None:
        missed = other("Hello?", kind="isMissed")
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    connector = self.connector(vendor, task={"owner": "m@example.com"})
                    died = self._dies(connector, number, after, memory, missed)
                    if died:
                        self.deliver(self.connector(vendor, task={"owner": "m@example.com"}), missed, memory)
                    assert len(self.odoo(vendor).tables["mail.activity"]) == 1, (number, after)
                    if not died:
                        break
                number += 1
            assert number > 3

    def test_a_check_looks_for_the_right_to_make_activities(self, vendor: Fake) -> None:
        self.odoo(vendor).denied.add(("mail.activity", "create"))
        assert all(one.right for one in self.connector(vendor).check())
        wrong = [one.text for one in self.connector(vendor, task={}).check() if not one.right]
        assert wrong == ["no right to create mail.activity"]

    # --- people -------------------------------------------------------------------------

    def test_the_user_of_the_key_follows_no_contact(self, vendor: Fake) -> None:
        connector = self.connector(vendor, phone=PHONE)
        self.deliver(connector, SAMPLE, {})
        self.odoo(vendor).add_person(name="Ann", email="ann@domain.com")
        self.deliver(connector, said(2, email="ann@domain.com", name="Ann"), {})
        assert len(vendor.people()) == 2
        assert self.odoo(vendor).followers == set()

    @pytest.mark.parametrize("kept", ["+420 777 123 456", "777123456", "00420777123456", "(777) 123-456"])
    def test_a_number_is_found_whatever_stands_between_its_digits(self, vendor: Fake, kept: str) -> None:
        odoo = self.odoo(vendor)
        there = odoo.add_person(name="Dusan Kmet", phone=kept)
        odoo.add_person(name="Of all these digits and more", phone="+420 7 70 71 23 45 60")
        self.deliver(self.connector(vendor, **self.by_phone), said(phone=PHONE), {})
        assert [lead["partner_id"] for lead in vendor.records()] == [there]

    def test_the_one_written_last_is_taken_of_several_and_nobody_archived(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        numbers = [odoo.add_person(name="Dusan Kmet", email=EMAIL) for _ in range(3)]
        rows = {row["id"]: row for row in odoo.tables["res.partner"]}
        rows[numbers[1]]["write_date"] = "2026-12-01 00:00:00"
        rows[numbers[2]] |= {"write_date": "2026-12-24 00:00:00", "active": False}
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert [lead["partner_id"] for lead in vendor.records()] == [numbers[1]]

    @pytest.mark.parametrize(("customer", "found"), [("42", True), ("C-42", False)])
    def test_a_customer_id_may_be_kept_as_a_number(self, vendor: Fake, customer: str, found: bool) -> None:
        there = self.odoo(vendor).add_person(name="Dusan Kmet", color=42)
        match: dict[str, Any] = {"match": ["email", "customer_id"], "customer_id_field": "color"}
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, **match, customer_id=customer), SAMPLE, memory)
        assert [lead["partner_id"] == there for lead in vendor.records()] == [found]
        refused = [] if found else [{"field": "color", "said": "C-42", "refused": True}]
        assert memory.get(CONFLICTS, []) == refused

    def test_a_country_is_found_by_its_code(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        slovak = odoo.add_person(name="Jane", email="jane@domain.com", country_id=201)
        connector = self.connector(vendor, person={"country_id": "{{ visitor.country_code }}"})
        memory: dict[str, Any] = {}
        self.deliver(connector, said(), memory)
        self.deliver(connector, said(2), memory)
        assert CONFLICTS not in memory
        self.deliver(connector, said(3, email="jane@domain.com", name="Jane", id="b3"), memory := {})
        assert {row["id"]: row["country_id"] for row in odoo.tables["res.partner"]} == {slovak: 201, slovak + 3: 56}
        assert memory[CONFLICTS] == [{"field": "country_id", "said": "CZ"}]
        assert sum("res.country" in json.dumps([one.path, one.body]) for one in vendor.requests) == 1

    def test_what_is_off_is_not_blank(self, vendor: Fake) -> None:
        """Somebody may have switched it off on purpose."""
        odoo = self.odoo(vendor)
        there = odoo.add_person(name="Dusan Kmet", email=EMAIL)
        memory: dict[str, Any] = {}
        marketing: dict[str, Any] = {"consent": "yes", "marketing": {"x_news": "true"}}
        self.deliver(self.connector(vendor, **marketing), SAMPLE, memory)
        assert memory[CONFLICTS] == [{"field": "x_news", "said": "true"}]
        self.deliver(self.connector(vendor, **marketing), said(2, email="new@domain.com", id="b2"), memory := {})
        rows = {row["id"]: row.get("x_news", False) for row in odoo.tables["res.partner"]}
        assert rows.pop(there) is False
        assert list(rows.values()) == [True]
        self.deliver(self.connector(vendor, **marketing), said(3, email="new@domain.com", id="b2"), memory := {})
        assert CONFLICTS not in memory

    def test_an_ill_formed_field_costs_that_field_alone(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        person = {"function": "Buyer", "lang": "xx_XX", "color": "blue", "country_id": "QQ"}
        for email in (EMAIL, "ann@domain.com"):
            if email != EMAIL:
                odoo.add_person(name="Dusan Kmet", email=email)
            memory: dict[str, Any] = {}
            self.deliver(self.connector(vendor, person=person), said(email=email, id=email), memory)
            row = odoo.tables["res.partner"][-1]
            assert (row["email"], row["function"]) == (email, "Buyer")
            refused = {one["field"] for one in memory[CONFLICTS] if one.get("refused")}
            assert refused == {"lang", "color", "country_id"}

    def test_a_field_that_contacts_do_not_have_pauses_the_connector(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match=r"res\.partner has no field 'x_none'"):
            self.deliver(self.connector(vendor, person={"x_none": "x"}), SAMPLE, {})

    def test_a_contact_with_an_address_of_their_own_is_linked_to_no_company(self, vendor: Fake) -> None:
        """Odoo would put the company's in its place."""
        odoo = self.odoo(vendor)
        company = odoo.add_company("domain.com")
        next(one for one in odoo.tables["res.partner"] if one["id"] == company)["street"] = "1 Company Street"
        there = odoo.add_person(name="Dusan Kmet", email=EMAIL, street="2 Home Street")
        self.deliver(self.connector(vendor, link_company=True), SAMPLE, {})
        assert odoo.company_of(there) is None
        row = next(one for one in odoo.tables["res.partner"] if one["id"] == there)
        assert row["street"] == "2 Home Street"

    def test_the_address_of_a_company_is_not_written_by_way_of_a_contact(self, vendor: Fake) -> None:
        """Odoo writes it on the company, too."""
        odoo = self.odoo(vendor)
        company = odoo.add_person(name="Firm", is_company=True, street="1 Company Street", country_id=201)
        there = odoo.add_person(name="Dusan Kmet", email=EMAIL)
        rows = {row["id"]: row for row in odoo.tables["res.partner"]}
        rows[there]["parent_id"] = company
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, person={"country_id": "CZ"}), SAMPLE, memory)
        assert (rows[company]["street"], rows[company]["country_id"]) == ("1 Company Street", 201)
        assert memory[CONFLICTS] == [{"field": "country_id", "said": "CZ"}]

    def test_a_name_that_an_address_stood_in_for_becomes_the_name_that_is_said_later(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), said(name=""), {})
        (person,) = vendor.people()
        assert person["name"] == EMAIL
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), said(2), memory)
        assert person["name"] == "Dusan Kmet"
        assert CONFLICTS not in memory

    @pytest.mark.parametrize(
        "addresses", [("Ann@Example.com", "ann@example.com"), ("ann@example.com", "Ann@Example.com")]
    )
    def test_a_person_is_found_whatever_the_case_of_the_address(self, vendor: Fake, addresses: tuple[str, str]) -> None:
        connector = self.connector(vendor)
        for number, address in enumerate(addresses):
            payload = chat(email=address)
            payload["channel"]["id"] = 60000 + number
            self.deliver(connector, payload, {})
        assert len(vendor.people()) == 1
        assert len(vendor.records()) == 2

    def test_an_underscore_in_an_address_stands_for_no_other_letter(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, chat(email="anxb@example.com"), {})
        other = chat(email="an_b@example.com")
        other["channel"]["id"] = 60000
        self.deliver(connector, other, {})
        assert [one["email"] for one in vendor.people()] == ["anxb@example.com", "an_b@example.com"]

    # --- fields -----------------------------------------------------------------------------

    def test_fields_are_sent_as_their_types_want_them(self, vendor: Fake) -> None:
        fields = {
            "color": "4",
            "expected_revenue": "12.50",
            "is_hot": "{{ conversation.is_missed | lower }}",
            "priority": "2",
            "contact_name": "",
        }
        self.deliver(self.connector(vendor, fields=fields), SAMPLE, {})
        (lead,) = self.odoo(vendor).records()
        assert (lead["color"], lead["expected_revenue"], lead["is_hot"]) == (4, 12.5, False)
        assert lead["priority"] == "2"
        assert "contact_name" not in lead

    def test_a_number_that_is_none_refuses_the_record(self, vendor: Fake) -> None:
        with pytest.raises(RecordRefused, match="'color' is of type integer in Odoo, and 'Dusan Kmet' is not a number"):
            self.deliver(self.connector(vendor, fields={"color": "{{ name }}"}), SAMPLE, {})

    def test_a_choice_that_odoo_does_not_have_refuses_the_record(self, vendor: Fake) -> None:
        with pytest.raises(RecordRefused, match=r"Wrong value for crm\.lead\.priority"):
            self.deliver(self.connector(vendor, fields={"priority": "urgent"}), SAMPLE, {})

    @pytest.mark.parametrize("field", ["x_none", "tag_ids"])
    def test_a_field_that_cannot_be_set_pauses_the_connector(self, vendor: Fake, field: str) -> None:
        with pytest.raises(ConnectorRefused, match=field):
            self.deliver(self.connector(vendor, fields={field: "x"}), SAMPLE, {})

    def test_a_key_field_that_does_not_exist_pauses_the_connector(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="correct 'fields' or 'key_field'"):
            self.deliver(self.connector(vendor, record="ticket"), SAMPLE, {})

    def test_a_revision_brings_the_fields_up_to_date(self, vendor: Fake) -> None:
        connector = self.connector(vendor, fields={"color": "{{ conversation.messages | length }}"})
        memory: dict[str, Any] = {}
        self.deliver(connector, SAMPLE, memory)
        before = self.odoo(vendor).records()[0]["color"]
        self.deliver(connector, longer(), memory, 2)
        assert self.odoo(vendor).records()[0]["color"] == before + 1

    # --- revisions ----------------------------------------------------------------------------

    def test_a_revision_says_that_the_chat_went_on(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        self.deliver(connector, longer(), memory, 2)
        first, second = vendor.texts()
        assert not first.startswith("<p><i>")
        assert second.startswith("<p><i>")

    def test_the_first_that_arrives_says_no_such_thing_whatever_its_number(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), longer(), memory, 2)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        (text,) = vendor.texts()
        assert not text.startswith("<p><i>")

    def test_a_lead_that_somebody_deleted_refuses_the_record_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        self.odoo(vendor).tables["crm.lead"].clear()
        with pytest.raises(RecordRefused, match="no longer in Odoo, somebody deleted or merged it"):
            self.deliver(connector, longer(), memory, 2)

    # --- errors -----------------------------------------------------------------------------------

    def test_rights_that_are_missing_pause_the_connector(self, vendor: Fake) -> None:
        self.odoo(vendor).denied.add(("crm.lead", "create"))
        with pytest.raises(ConnectorRefused, match=r"You are not allowed to create 'crm\.lead'") as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert "Traceback" not in str(raised.value)

    def test_a_database_that_does_not_exist_pauses_the_connector(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused):
            self.deliver(self.connector(vendor, database="other"), SAMPLE, {})

    def test_a_key_that_odoo_does_not_know_pauses_the_connector(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused) as raised:
            self.deliver(self.connector(vendor, api_key="another-key-0123"), SAMPLE, {})
        assert "another-key" not in str(raised.value)

    def test_helpdesk_that_is_not_installed_says_what_to_do(self) -> None:
        with OdooVendor(self.version, enterprise=False) as vendor:
            connector = self.connector(vendor, record="ticket", tags=[])
            with pytest.raises(ConnectorRefused, match="install CRM or Helpdesk in Odoo, or correct 'record'"):
                self.deliver(connector, SAMPLE, {})

    def test_a_create_that_gave_way_is_repeated_at_once(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        create = odoo._create

        def serialized(model: str, *arguments: Any, **named: Any) -> Any:
            if model == "crm.lead":
                odoo._create = create  # type: ignore[method-assign]
                raise Raised("psycopg2.errors.SerializationFailure", "could not serialize access")
            return create(model, *arguments, **named)

        odoo._create = serialized  # type: ignore[method-assign]
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert len(vendor.records()) == 1

    def test_a_tag_that_somebody_else_makes_first_is_found_at_the_next_try(self, vendor: Fake) -> None:
        odoo = self.odoo(vendor)
        connector = self.connector(vendor)
        search = odoo._search_read

        def overtaken(model: str, *arguments: Any, **named: Any) -> Any:
            found = search(model, *arguments, **named)
            if model == "crm.tag":
                odoo.tables["crm.tag"].append({"id": odoo.new_id(), "name": "smartsupp"})
                odoo._search_read = search  # type: ignore[method-assign]
            return found

        odoo._search_read = overtaken  # type: ignore[method-assign]
        memory: dict[str, Any] = {}
        with pytest.raises(RetryLater, match="Tag name already exists"):
            self.deliver(connector, SAMPLE, memory)
        self.deliver(connector, SAMPLE, memory)
        assert len(odoo.tables["crm.tag"]) == 2

    # --- looking first ----------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("settings", "text", "remedy"),
        [
            ({"team_id": 99}, "crm.team 99 does not exist", "correct team_id"),
            ({"owner": 99}, "owner 99 is not an active internal user of Odoo", "write the email address or the id"),
            ({"fields": {"x_none": "x"}}, "the field 'x_none' of crm.lead does not exist", "correct it under fields"),
            ({"person": {"x_none": "x"}}, "the field 'x_none' of res.partner does not exist", "create it in Odoo"),
            ({"key_field": "x_none"}, "the field 'x_none' of crm.lead does not exist", "correct it under key_field"),
            ({"key_field": "color"}, "'color' is of type integer", "name a field of text"),
            ({"record": "ticket"}, "the field 'x_smartsupp_chat' of helpdesk.ticket does not exist", "setup"),
        ],
    )
    def test_a_check_finds_what_is_not_there(
        self, vendor: Fake, settings: dict[str, Any], text: str, remedy: str
    ) -> None:
        wrong = [one for one in self.connector(vendor, **settings).check() if not one.right]
        assert len(wrong) == 1
        assert text in wrong[0].text
        assert remedy in wrong[0].remedy

    def test_a_check_names_what_it_found(self, vendor: Fake) -> None:
        texts = [one.text for one in self.connector(vendor, team_id=3, owner=7).check()]
        assert "crm.team 3 (Europe) exists" in texts
        assert "owner 7 is an active internal user of Odoo" in texts

    @pytest.mark.parametrize("right", [("res.partner", "create"), ("crm.lead", "write"), ("crm.tag", "create")])
    def test_a_check_finds_rights_that_are_missing(self, vendor: Fake, right: tuple[str, str]) -> None:
        self.odoo(vendor).denied.add(right)
        wrong = [one.text for one in self.connector(vendor).check() if not one.right]
        assert wrong == [f"no right to {right[1]} {right[0]}"]

    def test_a_check_says_whether_records_of_others_can_be_seen(self, vendor: Fake) -> None:
        def responsible() -> list[str]:
            return [one.text for one in self.connector(vendor).check() if "responsible" in one.text]

        mine = {"id": 1, "user_id": 2, "active": True}
        self.odoo(vendor).tables["crm.lead"] = [mine]
        assert responsible() == [
            "no record of crm.lead that somebody else is responsible for can be seen; if there are any, the key's user"
            " needs 'All Documents'"
        ]
        self.odoo(vendor).tables["crm.lead"] = [mine, {**mine, "id": 2, "user_id": 7}]
        assert responsible() == ["records of crm.lead that others are responsible for can be seen"]

    def test_a_check_finds_that_the_user_cannot_write_notes(self, vendor: Fake) -> None:
        self.odoo(vendor).tables["res.users"][0]["email"] = False
        wrong = [one for one in self.connector(vendor).check() if not one.right]
        assert [one.text for one in wrong] == ["the key's user has no email address"]

    def test_setup_makes_the_field_for_the_key(self, vendor: Fake) -> None:
        connector = self.connector(vendor, record="ticket")
        (change,) = connector.setup()
        assert change.text == "create the field 'x_smartsupp_chat' of helpdesk.ticket, for the chat's key"
        change.make()
        assert list(connector.setup()) == []
        assert all(finding.right for finding in connector.check())
        (made,) = self.odoo(vendor).tables["ir.model.fields"]
        assert made["copied"] is False
        self.deliver(connector, SAMPLE, {})
        assert len(vendor.records()) == 1

    def test_setup_has_nothing_to_do_for_a_lead(self, vendor: Fake) -> None:
        assert list(self.connector(vendor).setup()) == []


class TestOdoo(Both, Records, FileLaws):
    kind = "odoo"
    version = 19
    answers = [  # noqa: RUF012  # the contract declares it
        (401, {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", **TRACE}, {}, ConnectorRefused),
        (403, {"name": "odoo.exceptions.AccessError", "message": "no", **TRACE}, {}, ConnectorRefused),
        (403, {"name": "odoo.exceptions.AccessDenied", "message": "Access Denied", **TRACE}, {}, ConnectorRefused),
        (404, {"name": "odoo.exceptions.MissingError", "message": MISSING, **TRACE}, {}, RecordRefused),
        (404, {"name": "werkzeug.exceptions.NotFound", "message": "no", **TRACE}, {}, ConnectorRefused),
        (404, "<h1>Not Found</h1>", {}, ConnectorRefused),
        (409, {"name": "odoo.exceptions.LockError", "message": "locked", **TRACE}, {}, RetryLater),
        (422, {"name": "odoo.exceptions.UserError", "message": "no", **TRACE}, {}, RecordRefused),
        (422, {"name": "odoo.exceptions.ValidationError", "message": "no", **TRACE}, {}, RecordRefused),
        (422, {"name": "werkzeug.exceptions.UnprocessableEntity", "message": "no", **TRACE}, {}, RecordRefused),
        (500, {"name": "builtins.ValueError", "message": "Wrong value", **TRACE}, {}, RecordRefused),
        (500, {"name": "builtins.ValueError", "message": "Invalid field 'x'", **TRACE}, {}, ConnectorRefused),
        (500, {"name": "builtins.KeyError", "message": "x", **TRACE}, {}, RetryLater),
        (500, {"name": "psycopg2.errors.SerializationFailure", "message": "x", **TRACE}, {}, RetryLater),
        (503, {"name": "werkzeug.exceptions.ServiceUnavailable", "message": "x"}, {"Retry-After": "9"}, RetryLater),
    ]

    def test_the_link_opens_the_lead(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert reference.url == f"{vendor.url}/odoo/crm.lead/{reference.id}"

    def test_the_key_and_the_database_go_into_headers(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        for request in vendor.requests:
            assert request.headers["authorization"] == f"bearer {KEY}"
            assert request.headers["x-odoo-database"] == DATABASE
            assert KEY not in json.dumps(request.body)

    def test_a_host_of_several_databases_says_to_name_one(self, vendor: Fake) -> None:
        vendor.instead = [Answer(404, "<!doctype html><title>404 Not Found</title>")] * 4
        with pytest.raises(ConnectorRefused, match="name its database, as in 'database: shop'"):
            self.deliver(self.connector(vendor, database=""), SAMPLE, {})

    def test_without_a_database_none_is_named(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused):
            self.deliver(self.connector(vendor, database=""), SAMPLE, {})
        assert "x-odoo-database" not in vendor.requests[0].headers

    def test_no_traceback_is_seen(self, vendor: Fake) -> None:
        vendor.instead = [Answer(422, {"debug": "Traceback", "name": "odoo.exceptions.UserError", "message": "no"})] * 4
        with self.connector(vendor).attempt() as exchanges, pytest.raises(RecordRefused) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert str(raised.value) == "UserError: no"
        assert "Traceback" not in repr(exchanges)

    def test_words_of_a_visitor_do_not_pause_the_connector(self, vendor: Fake) -> None:
        words = "Wrong value for crm.lead.x_name: 'Invalid field, Object x doesn't exist'"
        vendor.instead = [Answer(500, {"name": "builtins.ValueError", "message": words})]
        with pytest.raises(RecordRefused):
            self.deliver(self.connector(vendor), SAMPLE, {})


class TestOdooJsonRpc(Both, FileLaws):
    kind = "odoo-json-rpc"  # of the golden file; the connector's type is odoo
    version = 18
    answers = [  # noqa: RUF012  # the contract declares it
        (200, json_rpc_error("odoo.exceptions.AccessDenied", "Access Denied"), {}, ConnectorRefused),
        (200, json_rpc_error("odoo.exceptions.AccessError", "no"), {}, ConnectorRefused),
        (200, json_rpc_error("odoo.exceptions.MissingError", MISSING), {}, RecordRefused),
        (200, json_rpc_error("odoo.exceptions.UserError", "no"), {}, RecordRefused),
        (200, json_rpc_error("odoo.exceptions.UserError", "Object crm.lead doesn't exist"), {}, ConnectorRefused),
        (
            200,
            json_rpc_error(
                "odoo.exceptions.UserError", "Unable to send message, please configure the sender's email address."
            ),
            {},
            ConnectorRefused,
        ),
        (200, json_rpc_error("odoo.exceptions.ValidationError", "no"), {}, RecordRefused),
        (200, json_rpc_error("builtins.ValueError", "Invalid field 'x' on model 'crm.lead'"), {}, ConnectorRefused),
        (200, json_rpc_error("builtins.ValueError", "Wrong value for crm.lead.priority: 'x'"), {}, RecordRefused),
        (200, json_rpc_error("builtins.KeyError", "x"), {}, RetryLater),
        (200, json_rpc_error("psycopg2.errors.SerializationFailure", "x"), {}, RetryLater),
        (200, json_rpc_error("psycopg2.extensions.TransactionRollbackError", "x"), {}, RetryLater),
        (200, json_rpc_error("psycopg2.OperationalError", "server closed the connection"), {}, RetryLater),
        (
            200,
            json_rpc_error("psycopg2.OperationalError", 'FATAL:  database "x" does not exist'),
            {},
            ConnectorRefused,
        ),
        (200, json_rpc_error("werkzeug.exceptions.NotFound", "404: Not Found"), {}, ConnectorRefused),
        (200, {"jsonrpc": "2.0", "id": 1, "error": {"code": 100, "message": "Session"}}, {}, RetryLater),
        (200, {"jsonrpc": "2.0", "id": 1}, {}, RetryLater),
        (200, {"jsonrpc": "2.0", "id": 1, "result": "x"}, {}, RetryLater),
        (200, {"jsonrpc": "2.0", "id": 1, "result": False}, {}, ConnectorRefused),
    ]

    def settings(self, url: str) -> dict[str, Any]:
        return {**super().settings(url), "login": LOGIN, "protocol": "json-rpc"}

    def connector(self, vendor: Fake, **more: Any) -> HttpConnector[Any]:
        settings = {"type": "odoo", "allow_networks": ["127.0.0.0/8"], **self.settings(vendor.url), **more}
        return Odoo("shop", OdooSettings.model_validate(settings), self.data_dir)

    def test_the_link_opens_the_lead(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert reference.url == f"{vendor.url}/web#id={reference.id}&model=crm.lead&view_type=form"

    @pytest.mark.parametrize("version", [14, 16, 17, 18])
    def test_the_note_is_html_in_every_version(self, version: int) -> None:
        with OdooVendor(version) as vendor:
            self.deliver(self.connector(vendor), chat("5 < 6"), {})
            (body,) = vendor.texts()
            assert body.startswith("<p><b>")
            assert "5 &lt; 6" in body

    def test_one_attempt_signs_in_once_and_a_replay_asks_nothing(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        methods = [self.odoo(vendor).method(one) for one in vendor.requests]
        assert methods.count("authenticate") == 1
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.requests) == len(methods)

    def test_no_traceback_is_seen(self, vendor: Fake) -> None:
        vendor.instead = [Answer(200, json_rpc_error("odoo.exceptions.UserError", "no"))]
        connector = self.connector(vendor)
        with pytest.raises(RecordRefused) as raised:
            self.deliver(connector, SAMPLE, {})
        assert str(raised.value) == "UserError: no"

    def test_a_wrong_login_says_what_to_look_at(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="does not know this 'login' with this 'api_key'"):
            list(self.connector(vendor, login="someone").check())

    @pytest.mark.parametrize("missing", ["login", "database"])
    def test_the_settings_say_what_json_rpc_needs(self, missing: str) -> None:
        settings = {**self.settings("https://x.example"), "type": "odoo", missing: ""}
        with pytest.raises(ValidationError, match=f"json-rpc needs more; add '{missing}: …'"):
            OdooSettings.model_validate(settings)


def test_the_errors_of_the_two_tables_are_of_the_tree() -> None:
    found: list[type[DeliveryError]] = [row[3] for row in [*TestOdoo.answers, *TestOdooJsonRpc.answers]]
    assert set(found) == {RetryLater, RecordRefused, ConnectorRefused}
