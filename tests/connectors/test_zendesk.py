"""Zendesk Support: the contract, and what is particular to it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.testing.bench import Bench
from connectors.testing.chats import SAMPLE, chat, other
from connectors.testing.fake import Answer, Fake, Request
from connectors.testing.files import KETTLE_PHOTO, FileLaws, chat_with
from connectors.testing.people import PersonContract
from connectors.testing.people.bench import PHONE, said
from connectors.testing.records import Records
from connectors.zendesk import COMMENTS, Zendesk
from connectors.zendesk.settings import ZendeskSettings
from core.delivery import CONFLICTS
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater
from tests.fakes.authorization import CLIENT, SECRET
from tests.fakes.zendesk import EMAIL, TOKEN, ZendeskVendor


def refused(field: str, description: str, error: str = "InvalidValue") -> dict[str, Any]:
    details = {field: [{"description": description, "error": error}]}
    return {"error": "RecordInvalid", "description": "Record validation errors", "details": details}


def longer(*added: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    last = payload["messages"][-1]
    payload["messages"] += [{**last, "content": text, "sentAt": last["sentAt"] + 1000} for text in added]
    return payload


class TestZendesk(PersonContract, Records, FileLaws):
    kind = "zendesk"
    field = "notes"
    customer_id_field = "customer_no"
    refused_email = "typo@domain.com"
    secrets = (TOKEN,)
    needs_person = True
    answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = [
        (400, {"error": "IdempotentRequestError"}, {}, RetryLater),
        (400, {"error": "InvalidPaginationParameter"}, {}, RecordRefused),
        (
            403,
            {"error": {"title": "Forbidden", "message": "You do not have access to this page."}},
            {},
            ConnectorRefused,
        ),
        (404, {"error": {"title": "No help desk at x.zendesk.com", "message": "none"}}, {}, ConnectorRefused),
        (409, {"error": "Conflict"}, {}, RetryLater),
        (413, {"error": "RequestEntityTooLarge"}, {}, RecordRefused),
        (422, refused("requester", "Requester: Ann is suspended.", "UserSuspended"), {}, RecordRefused),
        (422, refused("email", "Email: x@y.cz is already being used", "DuplicateValue"), {}, RecordRefused),
        (422, refused("group", "Group: is invalid"), {}, ConnectorRefused),
        (422, refused("ticket_form_id", "is invalid"), {}, ConnectorRefused),
        # A visitor's words are no codes.
        (422, refused("base", '"error": "DuplicateValue", "group": ['), {}, RecordRefused),
    ]

    def fake(self) -> ZendeskVendor:
        return ZendeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "email": EMAIL, "api_token": TOKEN}

    def arrived(self, vendor: Fake) -> str:
        """Without what stands between the parts of a message that goes on in the next comment."""
        return re.sub(r"\[smartsupp:[\w.:-]+\](Part\d+of\d+)?", "", super().arrived(vendor))

    # --- the person ----------------------------------------------------------------

    def test_a_known_customer_keeps_name_and_external_id(self, vendor: ZendeskVendor) -> None:
        near = vendor.knows(name="Another", email="other-dusan@domain.com")
        known = vendor.knows(name="Mr. Kmet", email="Dusan@Domain.com", external_id="C-1042")
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert len(vendor.people()) == 2
        assert (known["name"], known["external_id"]) == ("Mr. Kmet", "C-1042")
        assert vendor.records()[0]["requester_id"] == known["id"] != near["id"]

    def test_a_visitor_without_an_e_mail_is_one_user_by_name_and_external_id(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor)
        for number in (1, 2):
            payload = chat(email="", name="")
            payload["channel"]["id"] = number
            self.deliver(connector, payload, {})
        (user,) = vendor.people()
        assert (user["name"], user["email"]) == ("a visitor", None)
        assert user["external_id"] == "smartsupp:208:visitor:27671"
        assert {ticket["requester_id"] for ticket in vendor.records()} == {user["id"]}

    def test_a_very_long_name_is_taken(self, vendor: ZendeskVendor) -> None:
        self.deliver(self.connector(vendor), chat(name="n" * 5000), {})
        assert len(vendor.records()) == 1

    def test_a_customers_further_address_finds_the_customer_and_renames_nobody(self, vendor: ZendeskVendor) -> None:
        known = vendor.knows(name="Mr. Kmet", email="kmet@work.example", further=["Dusan@Domain.com"])
        vendor.knows(name="Another", email="another-dusan@domain.com.example", further=[])
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert vendor.records()[0]["requester_id"] == known["id"]
        assert known["name"] == "Mr. Kmet"
        assert len(vendor.people()) == 2

    @pytest.mark.parametrize("upserts", [True, False])
    def test_a_further_address_that_the_search_does_not_show_renames_nobody(
        self, vendor: ZendeskVendor, upserts: bool
    ) -> None:
        known = vendor.knows(name="Mr. Kmet", email="kmet@work.example", further=["dusan@domain.com"])
        vendor.shows_further, vendor.upserts_further = False, upserts
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert known["name"] == "Mr. Kmet"
        (ticket,) = vendor.records()
        assert (ticket["requester_id"] == known["id"]) is upserts
        assert ("cannot be used" in vendor.texts()[0]) is not upserts

    def test_a_user_whom_the_search_does_not_show_yet_keeps_the_name(self, vendor: ZendeskVendor) -> None:
        known = vendor.knows(name="Mr. Kmet", email="dusan@domain.com")
        vendor._indexed.clear()
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert (known["name"], vendor.records()[0]["requester_id"]) == ("Mr. Kmet", known["id"])

    @pytest.mark.parametrize("email", ["typo@domain.com", "žofie@domain.com"])
    def test_a_chat_with_an_address_that_zendesk_refuses_comes_without_the_person_and_says_so(
        self, vendor: ZendeskVendor, email: str
    ) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, chat("Hello there", email=email), memory)
        (ticket,) = vendor.records()
        (person,) = vendor.people()
        assert (person["email"], person["external_id"]) == (None, "smartsupp:208:visitor:27671")
        assert ticket["requester_id"] == person["id"]
        assert f"{email} cannot be used" in vendor.texts()[0]
        asked = len(vendor.requests)
        self.deliver(connector, chat("Hello there", email=email), memory)
        assert len(vendor.requests) == asked

    def test_a_suspended_requester_is_left_out_and_the_chat_comes(self, vendor: ZendeskVendor) -> None:
        spammer = vendor.knows(name="Spammer", email="dusan@domain.com", suspended=True)
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert vendor.records()[0]["requester_id"] != spammer["id"]
        assert "cannot be used" in vendor.texts()[0]

    def test_a_requester_who_was_merged_meanwhile_is_looked_up_again(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self._fail_the_create(vendor, memory)
        (gone,) = vendor.people()
        vendor._users.remove(gone)
        other = vendor.knows(name="Dusan", email="dusan@domain.com")
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["requester_id"] == other["id"]
        assert "cannot be used" not in vendor.texts()[0]

    def test_an_agent_who_was_replaced_meanwhile_is_asked_for_again(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self._fail_the_create(vendor, memory)
        vendor.agent["id"] = 8
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["submitter_id"] == 8

    def _fail_the_create(self, vendor: ZendeskVendor, memory: dict[str, Any]) -> None:
        """The person is known, and the ticket is not made."""
        act = vendor._act
        vendor._act = lambda request: Answer(503) if request.path.endswith("/tickets") else act(request)  # type: ignore[method-assign]
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        vendor._act = act  # type: ignore[method-assign]
        assert "requester" in memory

    def test_custom_fields_of_a_user_get_what_their_type_takes(self, vendor: ZendeskVendor) -> None:
        person = {"customer_no": "C-7", "visits": "3", "details": "a regular"}
        connector = self.connector(vendor, person=person, consent="yes", marketing={"newsletter": "true"})
        self.deliver(connector, SAMPLE, {})
        (user,) = vendor.people()
        assert user["user_fields"] == {"customer_no": "C-7", "visits": 3, "newsletter": True}
        assert user["details"] == "a regular"
        assert all(finding.right for finding in connector.check())
        findings = self.connector(vendor, person={"old": "x", "nobodys": "x"}).check()
        assert [one.text for one in findings if not one.right] == [
            "the user field old is not there",
            "the user field nobodys is not there",
        ]

    def test_a_checkbox_that_is_off_stays_off_and_the_difference_is_listed(self, vendor: ZendeskVendor) -> None:
        number = vendor.add_person(email="dusan@domain.com", name="Dusan Kmet", newsletter=False)
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, consent="yes", marketing={"newsletter": "true"}), SAMPLE, memory)
        assert vendor._user(number)["user_fields"] == {"newsletter": False}
        assert memory[CONFLICTS] == [{"field": "newsletter", "said": "true"}]

    def test_a_further_address_is_no_conflict_and_a_browser_with_it_is_the_same_person(
        self, vendor: ZendeskVendor
    ) -> None:
        known = vendor.knows(name="Dusan Kmet", email="kmet@work.example", further=["dusan@domain.com"])
        connector = self.connector(vendor)
        for number in (1, 2):  # found by the search, and remembered
            memory: dict[str, Any] = {}
            self.deliver(connector, said(number), memory)
            assert CONFLICTS not in memory
            vendor.shows_further = False
        assert {ticket["requester_id"] for ticket in vendor.records()} == {known["id"]}

    def test_an_address_that_somebody_has_whom_the_search_does_not_show_is_listed(self, vendor: ZendeskVendor) -> None:
        number = vendor.add_person(name="Dusan Kmet", phone="+420777123456")
        vendor.add_person(name="Another", email="dusan@domain.com")
        vendor._indexed.pop()
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, **self.by_phone), said(phone=PHONE), memory)
        assert vendor.records_of(number) == 1
        assert memory[CONFLICTS] == [{"field": "email", "said": "dusan@domain.com", "refused": True}]

    def test_a_colleagues_profile_is_not_filled(self, vendor: ZendeskVendor) -> None:
        vendor.knows_agent("dusan@domain.com", phone=None, notes="")
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, **self.by_phone, person={"notes": "said in the chat"})
        self.deliver(connector, said(phone=PHONE), memory)
        assert not [one for one in vendor.writes() if "/users" in one.path]
        assert CONFLICTS not in memory

    def test_somebody_suspended_is_not_found_by_a_number_or_a_browser_either(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(phone=PHONE), {})
        (spammer,) = vendor.people()
        vendor._indexed.append(spammer)
        spammer["suspended"] = True
        self.deliver(connector, said(2, phone=PHONE, email=""), {})
        assert vendor.records_of(spammer["id"]) == 1
        assert len(vendor.people()) == 2

    def test_whom_the_ticket_refuses_neither_number_nor_browser_finds_again(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(phone=PHONE), {})
        (gone,) = vendor.people()
        vendor._indexed.append(gone)
        gone["refused"] = True  # and its profile says nothing of it
        for number in (2, 3):
            self.deliver(connector, said(number, phone=PHONE), {})
        assert vendor.records_of(gone["id"]) == 1
        assert len(vendor.people()) == 2

    def test_a_visitor_whom_an_agent_has_named_keeps_the_name(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, remember_days=0)
        self.deliver(connector, chat(email="", name=""), {})
        (user,) = vendor.people()
        vendor._indexed.append(user)
        user["name"] = "The one with the teapot"
        self.deliver(connector, {**chat(email="", name=""), "channel": {**SAMPLE["channel"], "id": 2}}, {})
        assert user["name"] == "The one with the teapot"
        assert vendor.records_of(user["id"]) == 2

    def test_nobody_who_is_made_or_filled_is_mailed(self, vendor: ZendeskVendor) -> None:
        vendor.add_person(name="Dusan Kmet", phone="+420777123456")
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(phone=PHONE), {})
        self.deliver(connector, said(2, email="jane@other.example.com", name="Jane"), {})
        assert vendor.mailed == []

    # --- the ticket ----------------------------------------------------------------

    def test_nobody_gets_mail_and_every_comment_is_private(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        self.deliver(connector, longer("More"), memory, 2)
        assert vendor.mailed == []
        assert [comment["public"] for comment in vendor.records()[0]["comments"]] == [False, False]

    def test_all_that_the_settings_name_is_set(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(
            vendor,
            group_id=31,
            brand_id=41,
            ticket_form_id=51,
            priority="low",
            status="pending",
            tags=["Chat {{ visitor.country_code }}", "smartsupp"],
            fields={360001: "{{ conversation.id }} {{ conversation.begin_at }}"},
        )
        self.deliver(connector, SAMPLE, {})
        (ticket,) = vendor.records()
        assert [ticket[f"{name}_id"] for name in ("group", "brand", "ticket_form")] == [31, 41, 51]
        assert (ticket["priority"], ticket["status"]) == ("low", "pending")
        assert ticket["tags"] == ["chat-cz", "smartsupp"]
        assert ticket["custom_fields"] == [{"id": 360001, "value": "55039 2015-03-27 15:33:59.703000+00:00"}]
        assert (ticket["external_id"], ticket["submitter_id"]) == ("smartsupp:208:55039", vendor.agent["id"])

    def test_the_reference_is_a_page_for_agents(self, vendor: ZendeskVendor) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert reference.url == f"{vendor.url}/agent/tickets/{vendor.records()[0]['id']}"

    def test_no_placeholder_of_zendesks_is_in_a_subject(self, vendor: ZendeskVendor) -> None:
        self.deliver(self.connector(vendor), chat(name="{{ticket.id}}"), {})
        assert "{" not in vendor.records()[0]["subject"]

    # --- more than one comment -------------------------------------------------------

    @pytest.mark.parametrize("text", ["word " * 40_000, "🍵 " * 40_000, "שלום <&> " * 20_000])
    def test_a_long_chat_goes_on_in_private_comments_within_the_bytes(self, vendor: ZendeskVendor, text: str) -> None:
        self.deliver(self.connector(vendor), chat(text), {})
        (ticket,) = vendor.records()
        assert len(ticket["comments"]) > 2
        for request in vendor.writes():
            comment = request.body.get("ticket", {}).get("comment")
            if comment:
                assert len(comment["html_body"].encode()) <= COMMENTS.longest
                assert comment["public"] is False
        assert self.spread(text) in self.arrived(vendor)

    def test_zendesks_own_attributes_fit_into_the_limit_too(self, vendor: ZendeskVendor) -> None:
        payload = chat(*"m" * 4900)
        for message in payload["messages"]:
            message["type"] = "system"
        self.deliver(self.connector(vendor), payload, {})
        assert max(len(text.encode()) for text in vendor.texts()) > 55_000

    def test_a_lost_reply_to_any_of_many_comments_repeats_none(self) -> None:
        payload = chat(*("long " * 3000 for _ in range(20)))
        for lost in range(3, 12):
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                vendor.lose_reply_after = lost
                for _ in range(4):
                    try:
                        self.deliver(self.connector(vendor), payload, memory)
                    except RetryLater:
                        continue
                    break
                marks = [text[-40:] for text in vendor.texts()]
                assert len(marks) == len(set(marks)) > 4

    def test_a_comment_that_only_quotes_a_mark_is_not_taken_for_ours(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat("[smartsupp:208:55039:2:1]"), memory)
        memory["comment 2.1?"] = True
        self.deliver(self.connector(vendor), longer("One thing more"), memory, 2)
        assert "Onethingmore" in self.arrived(vendor)

    # --- revisions, and creates of unknown outcome ----------------------------------------

    def test_a_revision_that_comes_before_the_reply_to_the_create_is_added_to_the_ticket(
        self, vendor: ZendeskVendor
    ) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self._lose_the_create(vendor, memory)
        self.deliver(connector, longer("One thing more"), memory, 2)
        (ticket,) = vendor.records()
        assert len(ticket["comments"]) == 2
        assert "One thing more" in ticket["comments"][1]["html_body"]

    def test_a_revision_brings_the_fields_up_to_date_and_leaves_the_agents_work_alone(
        self, vendor: ZendeskVendor
    ) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={360001: "{{ conversation.messages | length }}"})
        self.deliver(connector, SAMPLE, memory)
        (ticket,) = vendor.records()
        ticket |= {"tags": ["vip"], "subject": "Mine", "status": "solved"}
        self.deliver(connector, longer("More"), memory, 2)
        assert (ticket["tags"], ticket["subject"], ticket["status"]) == (["vip"], "Mine", "solved")
        assert ticket["custom_fields"] == [{"id": 360001, "value": str(len(SAMPLE["messages"]) + 1)}]

    def test_a_first_delivery_of_the_second_revision_needs_one_comment(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), longer("More"), memory, 2)
        assert len(vendor.texts()) == 1
        self.deliver(self.connector(vendor), longer("More", "And more"), memory, 3)
        assert len(vendor.texts()) == 2

    def test_a_key_used_for_another_body_waits_until_the_ticket_is_listed(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self._lose_the_create(vendor, memory)
        vendor.list_lags = True
        with pytest.raises(RetryLater, match="IdempotentRequestError"):
            self.deliver(connector, longer("More"), memory, 2)
        vendor.list_lags = False
        self.deliver(connector, longer("More"), memory, 2)
        assert len(vendor.records()) == 1

    def test_after_the_key_has_lapsed_the_external_id_finds_the_ticket(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self._lose_the_create(vendor, memory)
        vendor.forget_keys()
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == len(vendor.texts()) == 1

    def _lose_the_create(self, vendor: ZendeskVendor, memory: dict[str, Any]) -> None:
        """The ticket is made, and nobody hears of it: not the first time, and not when it is repeated at once."""
        connector = self.connector(vendor)
        send = connector.http._once

        def once(method: str, url: str, *more: Any) -> Any:
            answer = send(method, url, *more)
            if method == "POST" and url.endswith("/tickets"):
                raise RetryLater("the reply got lost")
            return answer

        connector.http._once = once  # type: ignore[method-assign, assignment]
        with pytest.raises(RetryLater):
            self.deliver(connector, SAMPLE, memory)
        assert len(vendor.records()) == 1

    # --- where it goes, and whose it is ----------------------------------------------------

    def test_where_it_goes_may_come_out_of_templates(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(
            vendor,
            group_id="{{ 32 if conversation.is_missed else 31 }}",
            brand_id="{{ '41' }}",
            priority="{{ 'high' if conversation.rating == 5 else 'low' }}",
            status="{{ visitor.group }}",
        )
        memory: dict[str, Any] = {}
        self.deliver(connector, SAMPLE, memory)
        [ticket] = vendor.records()
        assert (ticket["group_id"], ticket["brand_id"], ticket["priority"], ticket["status"]) == (31, 41, "high", "new")
        assert not [name for name in memory if name.startswith("note")]

    def test_a_template_that_names_what_is_not_there_is_left_out_and_said(self, vendor: ZendeskVendor) -> None:
        for group, why in (
            ("{{ 99 }}", "named what the destination does not have"),
            ("{{ 32 }}", "or has switched off"),
            ("{{ visitor.name }}", "expected a whole number"),
            ("{{ visitor.name + conversation.messages }}", "cannot be rendered"),
        ):
            memory: dict[str, Any] = {}
            self.deliver(self.connector(vendor, group_id=group), SAMPLE, memory)
            assert why in memory["note group_id"], group
            assert "Dusan" not in memory["note group_id"]
            assert "group_id" not in vendor.records()[-1]
            vendor._tickets.clear()
            vendor.forget_keys()

    def test_a_preview_shows_what_a_template_names_and_looks_nothing_up(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, group_id="{{ 30 + 1 }}")
        with connector.http.pretending(connector.imagine) as preview:
            self.deliver(connector, SAMPLE, {})
        [body] = [one.body for one in preview if one.url.endswith("/tickets") and one.method == "POST"]
        assert "31" in str(body)
        assert not any("/groups/" in one.url for one in preview)

    def test_what_a_template_names_is_looked_up_once_for_many_chats(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, group_id="{{ 31 }}")
        self.deliver(connector, SAMPLE, {})
        self.deliver(connector, other("Again"), {})
        assert sum(one.path == "/api/v2/groups/31" for one in vendor.requests) == 1

    def test_a_light_agent_and_a_customer_are_no_owners(self, vendor: ZendeskVendor) -> None:
        light = vendor.knows_agent("light@shop.example", role_type=1)
        customer = vendor.knows(name="Ann", email="customer@shop.example")
        for owner in ("light@shop.example", "customer@shop.example", str(light["id"]), str(customer["id"]), "x"):
            memory: dict[str, Any] = {}
            self.deliver(self.connector(vendor, owner=owner), SAMPLE, memory)
            assert "is not an active agent" in memory["note owner"]
            assert vendor.owner_of(vendor.records()[-1]) is None
            vendor._tickets.clear()
            vendor.forget_keys()

    def test_an_agent_outside_the_group_is_refused_alone_and_the_fallback_gets_it(self, vendor: ZendeskVendor) -> None:
        vendor.knows_agent("ann@shop.example", groups=(30,))
        bob = vendor.knows_agent("bob@shop.example", groups=(31,))
        memory: dict[str, Any] = {}
        settings = {"owner": "ann@shop.example", "owner_fallback": "bob@shop.example", "group_id": 31}
        self.deliver(self.connector(vendor, **settings), SAMPLE, memory)
        assert vendor.owner_of(vendor.records()[0]) == bob["id"]
        assert "does not give this record to that user" in memory["note owner"]

    def test_a_note_goes_when_a_replay_has_nothing_to_say(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, owner="ann@shop.example"), SAMPLE, memory)
        assert "note owner" in memory
        vendor._tickets.clear()
        vendor.forget_keys()
        del memory["ticket"], memory["ticket?"]
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert "note owner" not in memory

    # --- one ticket of a person ------------------------------------------------------------

    def test_a_chat_follows_a_solved_ticket_by_a_link_alone(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, one_record="per_person_open")
        self.deliver(connector, SAMPLE, {})
        [earlier] = vendor.records()
        earlier["status"] = "solved"
        self.deliver(connector, other("Me again"), {})
        new = vendor.records()[1]
        assert f"Follows: {vendor.url}/agent/tickets/{earlier['id']}" in new["comments"][0]["html_body"]
        assert "via_followup_source_id" not in new

    def test_an_open_ticket_comes_before_one_that_was_closed_later(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, one_record="per_person_open")
        first = self.deliver(connector, SAMPLE, {})
        vendor.now = "2015-03-27T17:00:00Z"
        self.deliver(self.connector(vendor), other("By itself", number=60002), {})
        vendor.end(vendor.records()[1])
        assert self.deliver(connector, other("Me again"), {}).id == first.id

    def test_a_revision_of_a_chat_whose_ticket_was_closed_gets_one_that_follows(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, one_record="per_person_open")
        self.deliver(connector, SAMPLE, memory)
        [earlier] = vendor.records()
        vendor.end(earlier)
        reference = self.deliver(connector, longer("One thing more"), memory, 2)
        [_, new] = vendor.records()
        assert reference.id == str(new["id"])
        assert vendor.follows(new, earlier)
        assert "One thing more" in new["comments"][0]["html_body"]
        # And goes on there.
        self.deliver(connector, longer("One thing more", "And another"), memory, 3)
        assert len(vendor.records()) == 2
        assert "And another" in new["comments"][1]["html_body"]
        assert "One thing more" not in new["comments"][1]["html_body"]

    def test_a_lost_reply_to_a_follow_up_makes_no_second_one(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, one_record="per_person_open")
        self.deliver(connector, SAMPLE, {})
        vendor.end(vendor.records()[0])
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 2  # the user, the list, and the ticket
        for _ in range(3):
            try:
                self.deliver(connector, other("Me again"), memory)
            except RetryLater:
                continue
            break
        assert vendor.lose_reply_after is None
        assert len(vendor.records()) == 2

    def test_a_chat_that_nobody_answered_wakes_a_ticket_that_waits(self, vendor: ZendeskVendor) -> None:
        settings = {"one_record": "per_person_open", "task": {"due": "4h"}}
        self.deliver(self.connector(vendor, **settings), SAMPLE, {})
        [ticket] = vendor.records()
        for status, kind, found in (
            ("pending", "incident", "open"),
            ("hold", "incident", "open"),
            ("new", None, "new"),
        ):
            ticket |= {"status": status, "type": kind}
            missed = other("Hello?", kind="isMissed", number=60000 + len(ticket["comments"]))
            self.deliver(self.connector(vendor, **settings), missed, {})
            assert ticket["status"] == found
            assert ticket["type"] == (kind or "task")
        assert vendor.due_of(ticket) == "2015-03-27T19:34"
        assert len(vendor.records()) == 1

    # --- past chats ----------------------------------------------------------------------

    def test_a_past_chat_keeps_its_time_and_wakes_no_trigger(self, vendor: ZendeskVendor) -> None:
        vendor.agent["role"] = "admin"
        connector = self.connector(vendor, past_status="closed", task={"due": "4h"}, one_record="per_person_open")
        self.deliver(connector, chat("word " * 40_000), {}, past=True)
        [ticket] = vendor.records()
        assert (ticket["created_at"], ticket["updated_at"]) == ("2015-03-27T15:33:59Z", "2015-03-27T15:34:36Z")
        assert (ticket["status"], ticket["solved_at"], ticket["type"]) == ("closed", "2015-03-27T15:34:36Z", None)
        assert len(ticket["comments"]) > 2
        assert vendor.triggered == []
        assert vendor.mailed == []
        assert self.spread("word " * 40_000) in self.arrived(vendor)

    def test_a_chat_of_today_is_no_past_one(self, vendor: ZendeskVendor) -> None:
        vendor.agent["role"] = "admin"
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert vendor.triggered == [vendor.records()[0]["id"]]

    def test_a_lost_reply_to_an_import_makes_no_second_ticket(self, vendor: ZendeskVendor) -> None:
        vendor.agent["role"] = "admin"
        payload, memory = chat("word " * 40_000), dict[str, Any]()
        vendor.lose_reply_after = 3  # me, the search, the user, and the ticket
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), payload, memory, past=True)
        assert len(vendor.records()) == 1
        self.deliver(self.connector(vendor), payload, memory, past=True)
        marks = [text[-40:] for text in vendor.texts()]
        assert len(vendor.records()) == 1
        assert len(marks) == len(set(marks)) > 2

    def test_who_is_no_admin_makes_a_ticket_of_today_and_says_so(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory, past=True)
        [ticket] = vendor.records()
        assert ticket["created_at"] == vendor.now
        assert "only admins" in memory["note import"]

    def test_a_past_chat_is_found_by_its_external_id_first(self, vendor: ZendeskVendor) -> None:
        vendor.agent["role"] = "admin"
        self.deliver(self.connector(vendor), SAMPLE, {}, past=True)
        self.deliver(self.connector(vendor), SAMPLE, {}, first=False, past=True)
        assert len(vendor.records()) == len(vendor.texts()) == 1

    # --- errors ----------------------------------------------------------------------

    def test_a_deleted_ticket_refuses_the_record_and_says_so(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        vendor.records()[0]["deleted"] = True
        for _ in range(2):  # the second looks first
            with pytest.raises(RecordRefused, match=r"deleted in Zendesk.*RecordNotFound"):
                self.deliver(self.connector(vendor), longer("More"), memory, 2)

    def test_a_closed_ticket_refuses_the_record_and_says_so(self, vendor: ZendeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        vendor.records()[0]["status"] = "closed"
        with pytest.raises(RecordRefused, match=r"the ticket is closed.*prevents ticket update"):
            self.deliver(self.connector(vendor), longer("More"), memory, 2)

    def test_a_429_without_retry_after_waits_for_the_reset(self, vendor: ZendeskVendor) -> None:
        vendor.instead = [Answer(429, {"error": "TooManyRequests"}, {"ratelimit-reset": "41"})]
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == 41

    # --- looking first -----------------------------------------------------------------

    def test_a_check_names_all_that_is_set(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor, group_id=31, brand_id=41, ticket_form_id=51, fields={"360001": "x"})
        findings = list(connector.check())
        assert all(finding.right for finding in findings)
        said = " ".join(finding.text for finding in findings)
        for word in (
            "agent@example.com is agent",
            "switches off all API tokens on 30 April 2027",
            "group 31 (Chats)",
            "brand 41",
            "ticket form 51",
            "360001 (Chat id)",
        ):
            assert word in said

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"group_id": 99}, "there is no group 99"),
            ({"group_id": 32}, "group 32 (Old) is not active"),
            ({"brand_id": 99}, "there is no brand 99"),
            ({"brand_id": 42}, "brand 42 (Gone) is not active"),
            ({"ticket_form_id": 99}, "there is no ticket form 99"),
            ({"ticket_form_id": 52}, "ticket form 52 (Old) is not active"),
            ({"fields": {"99": "x"}}, "there is no ticket field 99"),
            ({"group_id": "{{ 99 if conversation.is_missed else 31 }}"}, "there is no group 99"),
            ({"owner": "ann@shop.example"}, "owner ann@shop.example is not an active agent"),
            ({"owner_fallback": "99"}, "owner_fallback 99 is not an active agent"),
            ({"task": {"owner": "99"}}, "task.owner 99 is not an active agent"),
            ({"fields": {"360002": "x"}}, "ticket field 360002 (Country) is not active"),
            ({"fields": {"34": "x"}}, "ticket field 34 (Subject) is a system field"),
        ],
    )
    def test_a_check_finds_what_is_not_there(self, vendor: ZendeskVendor, more: dict[str, Any], said: str) -> None:
        (wrong,) = (one for one in self.connector(vendor, **more).check() if not one.right)
        assert wrong.text == said
        assert wrong.remedy

    def test_a_check_finds_settings_of_the_account_that_are_in_the_way(self, vendor: ZendeskVendor) -> None:
        vendor.settings = {"tagging": False, "is_first_comment_private_enabled": False}
        wrong = [one.text for one in self.connector(vendor).check() if not one.right]
        assert wrong == ["the first comment of a ticket may not be private", "tickets have no tags"]
        assert len(list(self.connector(vendor, tags=[]).check())) == 3

    @pytest.mark.parametrize("me", [{"id": None, "role": "end-user"}, {"id": 7, "role": "agent", "suspended": True}])
    def test_a_check_finds_a_user_who_may_not(self, vendor: ZendeskVendor, me: dict[str, Any]) -> None:
        vendor.agent = me
        assert not next(iter(self.connector(vendor).check())).right


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "either 'subdomain: acme' or"),
        ({"subdomain": "acme", "base_url": "https://acme.zendesk.com"}, "either 'subdomain: acme' or"),
        ({"base_url": "https://me:secret@acme.zendesk.com"}, "remove the credentials"),
        ({"subdomain": "acme.zendesk.com"}, "subdomain"),
        ({"subdomain": "acme", "fields": {"Chat id": "x"}}, "'Chat id' is not the number of a custom field"),
        ({"subdomain": "acme", "fields": "x"}, "fields"),
        ({"subdomain": "acme", "status": "closed"}, "status"),
        ({"subdomain": "acme", "group_id": True}, "group_id"),
        ({"subdomain": "acme", "group_id": "{{ visitor.nam }}"}, "did you mean 'name'"),
        ({"subdomain": "acme", "priority": "{{ 'hihg' }}"}, "may come out as 'hihg'; expected one of urgent, high"),
        ({"subdomain": "acme", "within": "14"}, "needs a unit; write 14s, 14m, 14h or 14d"),
        ({"subdomain": "acme", "task": {"due": "soon"}}, "write how long after the chat"),
        ({"subdomain": "acme", "task": {"kinds": []}}, "task.kinds"),
    ],
)
def test_wrong_settings_say_what_to_type(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ZendeskSettings.model_validate({"type": "zendesk", "email": EMAIL, "api_token": TOKEN, **more})


def test_the_subdomain_makes_the_address() -> None:
    settings = ZendeskSettings.model_validate(
        {"type": "zendesk", "email": EMAIL, "api_token": TOKEN, "subdomain": "acme"}
    )
    assert Zendesk("shop", settings, Path()).base == "https://acme.zendesk.com"


OAUTH = {"client_id": CLIENT, "client_secret": SECRET, "email": "", "api_token": None}


class TestFilesOfThePast(Bench):
    kind = "zendesk"
    secrets = (TOKEN,)

    def fake(self) -> ZendeskVendor:
        return ZendeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "email": EMAIL, "api_token": TOKEN}

    def test_they_wake_no_trigger_and_the_chats_page_says_that_they_are_left_out(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        assert isinstance(vendor, ZendeskVendor)
        vendor.agent["role"] = "admin"
        self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO), memory, past=True)
        assert (vendor.triggered, vendor.attached(), vendor.fetched) == ([], [], [])
        assert memory["note files"] == "Files of a past chat are not carried: triggers would see them."


class TestByOAuth(Bench):
    kind = "zendesk"

    def fake(self) -> Fake:
        return ZendeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, **OAUTH}

    def test_it_asks_as_the_page_says_and_delivers(self, vendor: ZendeskVendor) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, {})
        assert len(vendor.records()) == 1
        [asked] = [one for one in vendor.requests if one.path == "/oauth/tokens"]
        assert asked.headers["content-type"] == "application/json"
        assert asked.body == {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "read write",
        }

    def test_tokens_taken_back_before_any_request_leave_one_ticket(self) -> None:
        number = 0
        while True:
            with ZendeskVendor() as vendor:
                connector = self.connector(vendor)
                send, made = connector.http._once, 0

                def once(
                    *arguments: Any, send: Any = send, vendor: ZendeskVendor = vendor, number: int = number
                ) -> Any:
                    nonlocal made
                    made += 1
                    if made - 1 == number:
                        vendor.authorization.end_all()
                    return send(*arguments)

                connector.http._once = once  # type: ignore[method-assign, assignment]
                self.deliver(connector, SAMPLE, {})
                assert len(vendor.records()) == len(vendor.people()) == 1
                if made <= number:
                    break
            number += 1
        assert number > 3

    def test_a_check_says_who_it_is_and_nothing_of_api_tokens(self, vendor: ZendeskVendor) -> None:
        findings = list(self.connector(vendor).check())
        assert all(finding.right for finding in findings)
        said = " ".join(finding.text for finding in findings)
        assert "agent@example.com is agent" in said
        assert "API token" not in said

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": "a"},
            {"client_secret": "b"},
            {"email": EMAIL},
            {"api_token": TOKEN},
            {"email": EMAIL, "api_token": TOKEN, "client_id": "a", "client_secret": "b"},
            {},
        ],
    )
    def test_there_is_one_way_in(self, wrong: dict[str, str]) -> None:
        with pytest.raises(ValidationError, match="write client_id and client_secret"):
            ZendeskSettings.model_validate({"type": "zendesk", "subdomain": "acme", **wrong})


def test_who_we_are_is_asked_once_for_many_chats_and_anew_when_it_was_refused() -> None:
    bench = TestZendesk()
    with ZendeskVendor() as vendor:
        connector = bench.connector(vendor)

        def asked() -> int:
            return sum(one.path == "/api/v2/users/me" for one in vendor.requests)

        memory: dict[str, Any] = {}
        bench.deliver(connector, SAMPLE, memory)
        other = json.loads(json.dumps(SAMPLE))
        other["channel"]["id"] = 60000
        bench.deliver(connector, other, {})
        assert asked() == 1
        third = json.loads(json.dumps(SAMPLE))
        third["channel"]["id"] = 60001
        vendor.agent["id"] = 8
        suspended = Answer(422, refused("submitter", "Submitter: is suspended", "UserSuspended"))
        act = vendor._act

        def once(request: Request) -> Answer:
            if (request.method, request.path) == ("POST", "/api/v2/tickets") and request.body["ticket"][
                "submitter_id"
            ] == 7:
                return suspended
            return act(request)

        vendor._act = once  # type: ignore[method-assign]
        # What an earlier attempt remembered has died: it is asked again, and not only of the cache.
        bench.deliver(connector, third, {"agent": 7, "requester": memory["requester"]})
        assert asked() == 2
