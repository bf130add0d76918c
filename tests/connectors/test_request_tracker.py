"""Request Tracker 5: tickets, comments, and what RT does silently."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.request_tracker.api import COMMENTS
from connectors.request_tracker.settings import RequestTrackerSettings
from connectors.testing.chats import SAMPLE, chat, other
from connectors.testing.chats import longer as goes_on
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from connectors.testing.files import FileLaws
from connectors.testing.people import PersonContract
from connectors.testing.people.bench import PHONE, said
from connectors.testing.records import ANN, BOB, SHARED, Records
from core.delivery import CONFLICTS
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.request_tracker import PASSWORD, TOKEN, USER, RequestTrackerVendor

FIELDS = {"Country": "{{ visitor.country_code }}", "Chat kind": "{{ kind }}"}


def longer(text: str = "One thing more", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": text, "sentAt": 1427470480000})
    return {**made, **changes}


class TestRequestTracker(Contract, Records, FileLaws):
    kind = "request-tracker"
    secrets = (TOKEN,)
    answers: ClassVar[list[Any]] = [
        (400, {"message": "Ticket could not be created due to an internal error"}, {}, RetryLater),
        (400, {"message": "Could not create ticket. Queue not set"}, {}, RecordRefused),
        (400, {"message": "JSON object must be a HASH"}, {}, RecordRefused),
        (400, {"message": "Permission Denied"}, {}, ConnectorRefused),
        (403, {"message": "Forbidden"}, {}, ConnectorRefused),
        (404, {"message": "Not Found"}, {}, ConnectorRefused),
        (413, "too large for the web server", {}, RecordRefused),
        (502, "RT is being restarted", {}, RetryLater),
    ]

    def fake(self) -> RequestTrackerVendor:
        return RequestTrackerVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": TOKEN, "queue": "Chats"}

    @staticmethod
    def rt(vendor: Fake) -> RequestTrackerVendor:
        assert isinstance(vendor, RequestTrackerVendor)
        return vendor

    def ticket(self, vendor: Fake) -> dict[str, Any]:
        (ticket,) = self.rt(vendor).tickets.values()
        return ticket

    def addresses(self, vendor: Fake, ticket: dict[str, Any]) -> list[str]:
        return [one["EmailAddress"] for one in self.rt(vendor).users if one["id"] in ticket["requestors"]]

    # --- the ticket --------------------------------------------------------------------

    def test_the_ticket_has_the_key_the_fields_the_requestor_and_the_time_of_the_chat(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=FIELDS), SAMPLE, {})
        ticket = self.ticket(vendor)
        assert ticket["Subject"] == "Chat: Dusan Kmet"
        assert self.addresses(vendor, ticket) == ["dusan@domain.com"]
        assert ticket["Created"] == "2015-03-27 15:33:59"
        assert ticket["values"] == {"2": "smartsupp:208:55039", "6": "CZ", "7": "chat"}
        assert reference.url == f"{vendor.url}/Ticket/Display.html?id={reference.id}"

    def test_a_field_of_the_same_name_in_another_queue_takes_nothing_away(self, vendor: Fake) -> None:
        """RT looks a name up in every queue, and drops the value when it finds the other one."""
        (other, *_), fields = self.rt(vendor).fields.values(), {"country": "{{ visitor.country_code }}"}
        assert (other["Name"], other["queue"]) == ("Country", "5")
        self.deliver(self.connector(vendor, fields=fields), SAMPLE, {})
        assert self.ticket(vendor)["values"]["6"] == "CZ"

    def test_queue_and_fields_may_be_given_by_number(self, vendor: Fake) -> None:
        connector = self.connector(vendor, queue="3", chat_field="2", fields={"6": "x"})
        assert all(finding.right for finding in connector.check())
        self.deliver(connector, SAMPLE, {})
        assert self.ticket(vendor)["values"] == {"2": "smartsupp:208:55039", "6": "x"}

    def test_a_chat_without_a_time_leaves_the_time_to_rt(self, vendor: Fake) -> None:
        untimed = json.loads(json.dumps(SAMPLE))
        del untimed["beginAt"]
        self.deliver(self.connector(vendor), untimed, {})
        assert self.ticket(vendor)["Created"] is None

    @pytest.mark.parametrize("address", ["žofie@example.com", "žofie@domain.com", f"{'x' * 60}@{'y' * 60}.example.com"])
    def test_an_address_that_rt_would_drop_or_cut_is_no_requestor_and_stands_in_the_transcript(
        self, vendor: Fake, address: str
    ) -> None:
        self.deliver(self.connector(vendor), chat(email=address), {})
        assert self.ticket(vendor)["requestors"] == []
        assert address in self.arrived(vendor)

    def test_a_domain_goes_out_in_ascii(self, vendor: Fake) -> None:
        for typed in ("ann@müller.de", "ann@xn--mller-kva.de"):
            self.deliver(self.connector(vendor), chat(email=typed), {})
            assert self.addresses(vendor, list(vendor.records())[-1]) == ["ann@xn--mller-kva.de"]

    @pytest.mark.parametrize("email", ["typo@domain.com", "žofie@domain.com"])
    def test_a_chat_with_an_address_that_rt_refuses_comes_without_it_and_says_so(
        self, vendor: Fake, email: str
    ) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email=email), {})
        assert self.ticket(vendor)["requestors"] == []
        assert f"{email} cannot be used" in vendor.texts()[0]

    def test_a_name_cannot_bring_in_another_requestor(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat(name='Eve" <eve@example.com>, "x\\'), {})
        assert self.addresses(vendor, self.ticket(vendor)) == ["dusan@domain.com"]
        assert self.rt(vendor).users[0]["RealName"] == 'Eve" <eve@example.com>, "x\\'

    def test_a_user_and_a_password_do_as_well(self, vendor: Fake) -> None:
        connector = self.connector(vendor, token=None, user=USER, password=PASSWORD)
        self.deliver(connector, SAMPLE, {})
        assert len(vendor.records()) == 1
        assert PASSWORD not in repr(connector.settings)

    # --- no duplicates -----------------------------------------------------------------

    def test_a_field_with_quotation_marks_in_its_name_is_searched_for_as_any_other(self, vendor: Fake) -> None:
        name = "Chat's \\ 'key'"
        self.rt(vendor).fields["2"]["Name"] = name
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 1
        for error in (pytest.raises(RetryLater), nullcontext()):
            with error:
                self.deliver(self.connector(vendor, chat_field=name), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        """RT's search does not tell them apart."""
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"ticket?": True})
        assert len(vendor.records()) == 2

    def test_a_revision_after_a_lost_reply_is_a_comment_on_the_ticket_that_was_made(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 1
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert [text["type"] for text in self.ticket(vendor)["texts"]] == ["Create", "Comment"]

    def test_a_conversation_that_comes_first_as_its_third_revision_is_a_ticket_without_comments(
        self, vendor: Fake
    ) -> None:
        memory: dict[str, Any] = {}
        for number in (3, 3):
            self.deliver(self.connector(vendor), longer(), memory, number)
        assert [text["type"] for text in self.ticket(vendor)["texts"]] == ["Create"]

    def test_a_death_between_the_parts_of_a_long_chat_leaves_each_part_once(self) -> None:
        payload = chat(*(f"message {n} " + "x" * 2000 for n in range(30)))
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    if not self._dies(self.connector(vendor), number, after, memory, payload):
                        break
                    self.deliver(self.connector(vendor), payload, memory)
                    marks = [text["Subject"] for text in self.ticket(vendor)["texts"]]
                    assert marks[1:] == ["smartsupp:208:55039 1.2", "smartsupp:208:55039 1.3"], (after, number)
                number += 1
            assert number == 7

    # --- what is long, what is new -----------------------------------------------------

    def test_a_long_chat_goes_on_in_comments_that_rt_shows(self, vendor: Fake) -> None:
        messages = [f"message {n} {'й' * 500}" for n in range(200)]
        self.deliver(self.connector(vendor), chat(*messages), {})
        texts = vendor.texts()
        assert len(texts) > 2
        assert all(len(text.encode()) <= COMMENTS.longest < 25 * 1024 for text in texts)
        assert [int(found) for found in re.findall(r"message (\d+) ", " ".join(texts))] == list(range(200))

    def test_a_revision_comments_and_brings_the_fields_up_to_date(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"Country": "{{ conversation.rating }}"})
        self.deliver(connector, SAMPLE, memory)
        rated = longer()
        rated["channel"]["rating"] = 1
        self.deliver(connector, rated, memory, 2)
        ticket = self.ticket(vendor)
        assert ticket["values"] == {"2": "smartsupp:208:55039", "6": "1"}
        assert [text["Subject"] for text in ticket["texts"]] == ["Chat: Dusan Kmet", "smartsupp:208:55039 2.1"]

    # --- what people do in RT ----------------------------------------------------------

    def revise(self, vendor: Fake, change: Any) -> None:
        """Deliver, let somebody change things in RT, and deliver a revision."""
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        change(self.rt(vendor))
        try:
            self.deliver(self.connector(vendor), longer(), memory, 2)
        finally:
            assert len(self.rt(vendor).tickets) <= 1

    def test_a_deleted_ticket_refuses_the_record_and_says_so(self, vendor: Fake) -> None:
        with pytest.raises(RecordRefused, match="was deleted in RT"):
            self.revise(vendor, lambda rt: [one.update(Status="deleted") for one in rt.tickets.values()])

    def test_a_ticket_that_was_removed_from_the_database_refuses_the_record_too(self, vendor: Fake) -> None:
        with pytest.raises(RecordRefused, match="no longer in RT"):
            self.revise(vendor, lambda rt: rt.tickets.clear())

    @pytest.mark.parametrize(("queue", "text"), [("4", "in queue 'Sales/EU'"), ("5", "may not see")])
    def test_a_ticket_that_was_moved_away_does_not_stop_the_others(self, vendor: Fake, queue: str, text: str) -> None:
        with pytest.raises(RecordRefused, match=text):
            self.revise(vendor, lambda rt: [one.update(queue=queue) for one in rt.tickets.values()])

    # --- rights that are missing -------------------------------------------------------

    def test_without_the_right_to_set_the_key_the_connector_stops_after_one_ticket(self, vendor: Fake) -> None:
        """RT makes the ticket without it and says nothing; a lost reply would then make a second one."""
        rights, memory = self.rt(vendor).rights["3"], dict[str, Any]()
        rights.remove("ModifyCustomField")
        with pytest.raises(ConnectorRefused, match="ModifyCustomField"):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        rights.add("ModifyCustomField")
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_field_that_does_not_take_the_key_stops_the_connector_after_one_ticket(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="'Enter one value'"):
            self.deliver(self.connector(vendor, chat_field="Chat kind"), SAMPLE, {})
        assert len(vendor.records()) == 1

    def test_without_the_right_to_see_comments_the_connector_stops_after_one_comment(self, vendor: Fake) -> None:
        rights, memory = self.rt(vendor).rights["3"], dict[str, Any]()
        rights.remove("ShowTicketComments")
        self.deliver(self.connector(vendor), SAMPLE, memory)
        with pytest.raises(ConnectorRefused, match="ShowTicketComments"):
            self.deliver(self.connector(vendor), longer(), memory, 2)
        self.deliver(self.connector(vendor), longer(), memory, 2)  # somebody resumes it without having read why
        assert self.arrived(vendor).count("Onethingmore") == 1

    def test_without_the_right_to_comment_the_connector_stops(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="CommentOnTicket in queue 'Chats'"):
            self.revise(vendor, lambda rt: rt.rights["3"].remove("CommentOnTicket"))

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            ({"queue": "Nope"}, "no queue 'Nope'"),
            ({"queue": "Secret"}, "no queue 'Secret'"),
            ({"queue": "Sales/EU"}, "no queue 'Sales/EU'"),
            ({"chat_field": "Nope"}, "no custom field 'Nope'"),
            ({"fields": {"Nope": "x"}}, "no custom field 'Nope'"),
            ({"queue": "4", "chat_field": "ChatConversation"}, "no custom field"),
        ],
    )
    def test_a_setting_that_names_nothing_stops_the_connector_before_a_ticket_is_made(
        self, vendor: Fake, settings: dict[str, Any], text: str
    ) -> None:
        with pytest.raises(ConnectorRefused, match=text):
            self.deliver(self.connector(vendor, **settings), SAMPLE, {})
        assert vendor.writes() == []

    # --- where it goes, and whose it is ------------------------------------------------------

    def test_queue_and_priority_may_come_out_of_templates(self, vendor: Fake) -> None:
        self.rt(vendor).rights["4"] |= self.rt(vendor).rights["3"]
        self.rt(vendor).fields["8"] = {"Name": "ChatConversation", "queue": "4"}
        more = {"queue": "{{ 4 if conversation.rating == 5 else 'Chats' }}", "queue_fallback": "Chats"}
        connector = self.connector(vendor, **more, priority="{{ conversation.rating * 10 }}")
        self.deliver(connector, SAMPLE, {})
        ticket = self.ticket(vendor)
        assert (ticket["queue"], ticket["Priority"]) == ("4", 50)
        assert [one.text for one in connector.check() if one.text.startswith("queue")] == [
            "queue '4' is there",
            "queue 'Chats' is there",
        ]

    @pytest.mark.parametrize("named", ["{{ visitor.name }}", "{{ 'Secret' }}", "{{ 4 }}", "{{ visitor.group }}"])
    def test_a_chat_for_which_a_template_names_no_queue_goes_to_the_fallback(self, vendor: Fake, named: str) -> None:
        """Nor one in which RT's user may make nothing."""
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, queue=named, queue_fallback="Chats"), SAMPLE, memory)
        assert self.ticket(vendor)["queue"] == "3"
        assert ("note queue" in memory) is (named != "{{ visitor.group }}")
        assert "Dusan" not in memory.get("note queue", "")

    def test_a_customer_and_nobody_are_no_owners(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        for number, owner in enumerate(("dusan@domain.com", "Nobody", "99", "a/b"), 1):
            memory: dict[str, Any] = {}
            self.deliver(self.connector(vendor, owner=owner), other("Hi", number=number), memory)
            assert "is not a privileged user of RT" in memory["note owner"]
            assert [one["Owner"] for one in vendor.records()][-1] == "Nobody"

    def test_an_owner_by_name_and_one_who_was_disabled(self, vendor: Fake) -> None:
        rt, memory = self.rt(vendor), dict[str, Any]()
        ann, _ = rt.knows_owner(ANN), rt.knows_owner(BOB, active=False)
        for sees in (True, False):
            rt.sees_users = sees
            self.deliver(
                self.connector(vendor, owner="bob", owner_fallback="ann"), other("Hi", number=int(sees) + 1), memory
            )
            assert rt.owner_of(list(rt.tickets.values())[-1]) == ann
            assert "owner_fallback got the record" in memory["note owner"]
            memory.clear()

    def test_who_may_own_nothing_in_the_queue_is_passed_over_and_the_fallback_gets_it(self) -> None:
        """RT makes the ticket without an owner, and says nothing."""
        for dies in range(9):
            with self.fake() as vendor:
                rt, memory = self.rt(vendor), dict[str, Any]()
                rt.knows_owner(ANN)
                rt.staff[0]["owns"] = False
                bob = rt.knows_owner(BOB)
                connector = self.connector(vendor, owner=ANN, owner_fallback=BOB)
                self._dies(connector, dies, True, memory)
                self.deliver(connector, SAMPLE, memory)
                assert rt.owner_of(self.ticket(vendor)) == bob, dies
                assert "does not give this record to that user. owner_fallback" in memory["note owner"]

    def test_without_the_right_to_give_tickets_nobody_gets_it_and_that_is_said(self, vendor: Fake) -> None:
        rt, memory = self.rt(vendor), dict[str, Any]()
        rt.knows_owner(ANN)
        rt.knows_owner(BOB)
        rt.staff[0]["owns"] = False
        rt.rights["3"].remove("ModifyTicket")
        self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB), SAMPLE, memory)
        assert self.ticket(vendor)["Owner"] == "Nobody"
        assert "Nobody was named" in memory["note owner"]

    def test_a_ticket_that_somebody_took_meanwhile_is_theirs(self, vendor: Fake) -> None:
        rt, memory = self.rt(vendor), dict[str, Any]()
        rt.knows_owner(ANN)
        connector = self.connector(vendor, owner=ANN)
        self._dies(connector, 3, True, memory)  # after the ticket
        self.ticket(vendor)["Owner"] = "eve"
        self.deliver(connector, SAMPLE, memory)
        assert self.ticket(vendor)["Owner"] == "eve"
        assert "note owner" not in memory

    # --- one ticket for the open matter of a person --------------------------------------------

    def test_a_ticket_of_another_queue_and_one_of_somebody_else_are_left_alone(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.ticket(vendor)["queue"] = "4"
        self.deliver(self.connector(vendor, **SHARED), chat("Hello", email="ann@example.com"), {"ticket?": True})
        self.deliver(self.connector(vendor, **SHARED), other("Me again"), {})
        assert len(vendor.records()) == 3

    def test_chats_without_an_address_have_nothing_that_joins_them(self, vendor: Fake) -> None:
        for number in (1, 2):
            payload = chat("Hello", email="")
            payload["channel"]["id"] = number
            self.deliver(self.connector(vendor, **SHARED), payload, {})
        assert len(vendor.records()) == 2

    def test_an_active_ticket_comes_before_one_that_was_resolved_later(self, vendor: Fake) -> None:
        first = self.deliver(self.connector(vendor), SAMPLE, {})
        self.deliver(self.connector(vendor), other("By itself"), {})
        list(self.rt(vendor).tickets.values())[1] |= {"Status": "resolved", "LastUpdated": "2036-01-01T00:00:00Z"}
        assert self.deliver(self.connector(vendor, **SHARED), other("Again", number=60001), {}).id == first.id

    def test_an_added_chat_has_its_subject_above_it_once_and_the_ticket_keeps_its_own(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        connector = self.connector(vendor, subject="Again: {{ name }}", fields=FIELDS, **SHARED)
        memory: dict[str, Any] = {}
        self.deliver(connector, other("Me again"), memory)
        self.deliver(connector, goes_on(other("Me again"), "More"), memory, 2)
        ticket = self.ticket(vendor)
        assert ticket["Subject"] == "Chat: Dusan Kmet"
        assert ["<b>Again: Dusan Kmet</b>" in text["Content"] for text in ticket["texts"]] == [False, True, False]
        assert ticket["values"] == {"2": "smartsupp:208:55039", "6": "CZ", "7": "chat"}

    @pytest.mark.parametrize(
        ("status", "due", "becomes"),
        [
            ("stalled", None, ("open", "2015-03-27 19:34:00")),
            ("open", None, ("open", "2015-03-27 19:34:00")),
            ("new", "2015-03-27 23:00:00", ("new", "2015-03-27 23:00:00")),
        ],
    )
    def test_a_chat_that_nobody_answered_wakes_a_ticket_that_waits(
        self, vendor: Fake, status: str, due: str | None, becomes: tuple[str, str]
    ) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.ticket(vendor).update(Status=status, Due=due)
        self.deliver(self.connector(vendor, task={"due": "4h"}, **SHARED), other("Hello?", kind="isMissed"), {})
        ticket = self.ticket(vendor)
        assert (ticket["Status"], ticket["Due"][:17] + "00") == becomes

    def test_a_revision_without_new_text_brings_the_fields_up_to_date(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, fields={"Country": "{{ conversation.duration }}"})
        self.deliver(connector, SAMPLE, memory)
        counted = json.loads(json.dumps(SAMPLE))
        counted["channel"]["duration"] = 99
        self.deliver(connector, counted, memory, 2)
        assert self.ticket(vendor)["values"]["6"] == "99"
        assert len(vendor.texts()) == 1

    # --- errors --------------------------------------------------------------------------

    def test_a_comment_that_rt_could_not_record_is_tried_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        send = connector.http._open

        def fails(method: str, url: str, options: Any) -> Any:
            if url.endswith("/comment"):
                vendor.instead = [Answer(400, {"message": "Message could not be recorded"})]
            return send(method, url, options)

        connector.http._open = fails  # type: ignore[method-assign]
        with pytest.raises(RetryLater, match="could not be recorded"):
            self.deliver(connector, longer(), memory, 2)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert self.arrived(vendor).count("Onethingmore") == 1

    def test_rts_words_are_kept(self, vendor: Fake) -> None:
        self.rt(vendor).rights["3"].remove("CreateTicket")
        with pytest.raises(ConnectorRefused, match="No permission to create tickets in the queue 'Chats'"):
            self.deliver(self.connector(vendor), SAMPLE, {})

    # --- looking first -------------------------------------------------------------------

    def wrong(self, vendor: Fake, **settings: Any) -> list[str]:
        return [f"{one.text}: {one.remedy}" for one in self.connector(vendor, **settings).check() if not one.right]

    def test_a_check_tells_of_everything_that_the_settings_name(self, vendor: Fake) -> None:
        texts = [finding.text for finding in self.connector(vendor, fields=FIELDS).check()]
        assert texts == [
            f"RT 5.0.3 at {vendor.url} accepted the credentials",
            "queue 'Chats' is there",
            "tickets may be made in it",
            "custom field 'ChatConversation' is there",
            "custom field 'Country' is there",
            "custom field 'Chat kind' is there",
        ]
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert list(self.connector(vendor).check())[-1].text == "comments may be made on its tickets"

    def test_a_check_finds_what_is_not_there(self, vendor: Fake) -> None:
        (queue,) = self.wrong(vendor, queue="Nope")
        assert "queue 'Nope' is not there" in queue
        assert "SeeQueue" in queue
        chat_field, country = self.wrong(vendor, chat_field="Nope", fields={"Country": "x", "Land": "x"})
        assert "custom field 'Nope' is not there" in chat_field
        assert "ModifyCustomField" in chat_field
        assert "custom field 'Land' is not there" in country

    @pytest.mark.parametrize(
        ("right", "text"),
        [
            ("SeeQueue", "queue 'Chats' is not there"),
            ("CreateTicket", "tickets may not be made"),
            ("SeeCustomField", "'ChatConversation' is not there"),
            ("CommentOnTicket", "comments may not be made"),
        ],
    )
    def test_a_check_finds_the_rights_that_are_missing(self, vendor: Fake, right: str, text: str) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.rt(vendor).rights["3"].remove(right)
        (found,) = self.wrong(vendor)
        assert text in found
        assert right in found

    def test_a_check_finds_a_queue_that_was_disabled(self, vendor: Fake) -> None:
        self.rt(vendor).queues["3"]["Disabled"] = "1"
        (found,) = self.wrong(vendor)
        assert "tickets may not be made" in found


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "write either 'token: …', or"),
        ({"token": "x", "user": "relay", "password": "y"}, "write either 'token: …', or"),
        ({"user": "relay"}, "write either 'token: …', or"),
        ({"token": "x", "password": "y"}, "write either 'token: …', or"),
        ({"token": "x", "url": "https://relay:secret@rt.example.com"}, "remove the credentials"),
        ({"token": "x", "queue": "{{ visitor.group }}"}, "write 'queue_fallback: Chats' beside it"),
        ({"token": "x", "queue_fallback": "Chats"}, "remove it"),
    ],
)
def test_there_is_one_way_in(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        RequestTrackerSettings.model_validate(
            {"type": "request-tracker", "url": "https://rt.example.com", "queue": "Chats", **settings}
        )


class TestUsersOfRT(PersonContract):
    """With a user for the relay who may manage users."""

    kind = "request-tracker"
    secrets = (TOKEN,)
    field = "Organization"
    customer_id_field = "Customer"
    refused_email = "typo@domain.com"

    def fake(self) -> RequestTrackerVendor:
        made = RequestTrackerVendor()
        made.sees_users = True
        return made

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": TOKEN, "queue": "Chats", "manage_users": True}

    @property
    def golden(self) -> Path:
        return super().golden.with_stem("request-tracker.users")

    @staticmethod
    def rt(vendor: Fake) -> RequestTrackerVendor:
        assert isinstance(vendor, RequestTrackerVendor)
        return vendor

    @pytest.mark.parametrize("written", ["777123456", "+420 777-123-456"])
    @pytest.mark.parametrize("field", ["MobilePhone", "WorkPhone", "HomePhone"])
    def test_a_number_is_looked_for_in_every_field_that_has_one(self, vendor: Fake, field: str, written: str) -> None:
        number = self.rt(vendor).add_person(name="Dusan Kmet", **{field: written})
        self.deliver(self.connector(vendor, **self.by_phone), said(phone=PHONE), {})
        assert self.rt(vendor).records_of(number) == 1

    def test_custom_fields_of_a_user_are_filled(self, vendor: Fake) -> None:
        number = self.rt(vendor).add_person(email="dusan@domain.com", name="Dusan Kmet")
        self.deliver(self.connector(vendor, person={"Newsletter": "yes", "City": "Brno"}), SAMPLE, {})
        assert self.rt(vendor).person(number) | {"Newsletter": "yes", "City": "Brno"} == self.rt(vendor).person(number)

    def test_what_rt_leaves_as_it_is_without_an_error_is_listed(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        person = {"Newsletter": "yes", "Nobodys": "x"}
        self.rt(vendor).add_person(email="dusan@domain.com", name="Dusan Kmet")
        self.deliver(self.connector(vendor, person=person), SAMPLE, memory)
        assert memory[CONFLICTS] == [{"field": "Nobodys", "said": "x", "refused": True}]

    def test_a_colleagues_profile_is_not_filled(self, vendor: Fake) -> None:
        rt = self.rt(vendor)
        ann = rt.knows_owner("dusan@domain.com")
        self.deliver(self.connector(vendor, person={"City": "Brno"}), SAMPLE, {})
        assert [one for one in vendor.writes() if "/user" in one.path] == []
        assert rt.records()[0]["requestors"] == [ann]

    def test_somebody_disabled_is_left_out_and_the_chat_comes(self, vendor: Fake) -> None:
        rt = self.rt(vendor)
        rt.add_person(email="dusan@domain.com", name="Dusan Kmet")
        rt.users[0]["Disabled"] = True
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert rt.records()[0]["requestors"] == []
        assert "dusan@domain.com cannot be used" in vendor.texts()[0]

    def test_an_address_with_a_slash_makes_one_user(self, vendor: Fake) -> None:
        for number in (1, 2):
            self.deliver(self.connector(vendor), said(number, email="a/b@domain.com", id=str(number)), {})
        (user,) = self.rt(vendor).users
        assert (user["Name"], user["EmailAddress"]) == ("a-b@domain.com", "a/b@domain.com")

    def test_a_chat_is_added_to_an_open_ticket_of_the_user_by_another_address(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **self.by_phone, **SHARED)
        first = self.deliver(connector, said(1, phone=PHONE), {})
        second = self.deliver(connector, said(2, phone=PHONE, email="d@work.example.com", id="2"), {})
        assert first.id == second.id

    def test_a_check_says_that_the_right_is_missing(self, vendor: Fake) -> None:
        self.rt(vendor).sees_users = False
        wrong = [one for one in self.connector(vendor).check() if not one.right]
        assert [one.text for one in wrong] == ["users may not be looked for, made and changed"]
        assert "AdminUsers" in wrong[0].remedy

    @pytest.mark.parametrize(
        "setting", [{"match": ["email", "phone"]}, {"person": {"City": "x"}}, {"remember_days": 1}]
    )
    def test_settings_of_the_person_say_what_they_need(self, setting: dict[str, Any]) -> None:
        settings = {"type": "request-tracker", "url": "https://rt.example.com", "token": TOKEN, "queue": "Chats"}
        with pytest.raises(ValidationError, match="write 'manage_users: true'"):
            RequestTrackerSettings.model_validate({**settings, **setting})
