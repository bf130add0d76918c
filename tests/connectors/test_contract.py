"""The contract suite itself: it must fail a connector that was written in a hurry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.kit.connector import Step
from connectors.testing import contract
from connectors.testing.fake import Fake
from connectors.testing.people import PeopleContract
from core.errors import Gone, RecordRefused, RetryLater
from tests.fakes.naive import NaiveVendor
from tests.fakes.plain import PlainVendor


class Hurry(PeopleContract):
    field = "title"
    customer_id_field = "number"
    refused_email = "john@doe.con"
    kind = "tests.fakes.naive.Naive"
    secrets = ("key-0123456789",)

    def fake(self) -> Fake:
        return NaiveVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "key": "key-0123456789"}


class TestAVendorWithoutPeopleThatTakesMarkdown(contract.Contract):
    """The contract needs neither people nor HTML."""

    kind = "tests.fakes.plain.Plain"
    secrets = ("key-0123456789",)
    has_people = False
    takes_html = False

    def fake(self) -> Fake:
        return PlainVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": "key-0123456789"}


ALONE = [
    "test_a_death_while_a_person_is_filled_fills_it_all_the_same",
    "test_a_death_before_or_after_any_request_leaves_one_person_and_one_record",
    "test_a_lost_reply_to_any_request_leaves_one_person_and_one_record",
    "test_missed_and_offline_are_told_apart",
]
WITH_VENDOR = [
    "test_a_chat_becomes_one_person_and_one_record_with_a_link",
    "test_a_second_chat_of_the_same_visitor_finds_the_person",
    "test_two_chats_of_one_new_visitor_at_the_same_moment_make_one_person",
    "test_a_store_that_has_forgotten_everything_makes_no_second_record",
    "test_a_chat_that_goes_on_after_everything_was_forgotten_arrives_whole_in_its_record",
    "test_a_replay_makes_nothing_new",
    "test_a_new_revision_updates_the_same_record",
    "test_a_check_only_reads_and_finds_all_right",
    "test_what_people_typed_stays_and_the_delivery_says_what_the_chat_said",
    "test_another_spelling_of_what_is_there_is_no_conflict",
    "test_a_new_person_has_everything_and_one_who_was_there_nothing_of_new_person",
    "test_what_a_later_revision_says_first_fills_what_is_still_blank",
    "test_who_comes_back_with_another_address_and_the_same_number_is_one_person",
    "test_a_number_finds_the_person_however_the_vendor_has_it",
    "test_a_browser_that_comes_back_without_an_address_is_the_same_person",
    "test_two_at_once_with_one_number_and_two_addresses_are_one_person",
    "test_an_address_that_the_vendor_refuses_costs_neither_the_chat_nor_the_next_one",
    "test_a_person_belongs_to_the_one_company_with_the_domain_of_their_address",
    "test_somebody_who_belongs_to_a_company_stays_there",
]


@pytest.mark.parametrize("name", ALONE)
def test_the_contract_fails_a_connector_written_in_a_hurry(name: str) -> None:
    with pytest.raises(AssertionError):
        getattr(Hurry(), name)()


@pytest.mark.parametrize("name", WITH_VENDOR)
def test_the_contract_fails_it_here_too(name: str) -> None:
    with NaiveVendor() as vendor, pytest.raises(AssertionError):
        getattr(Hurry(), name)(vendor)


@pytest.mark.parametrize("chat", ["markup", "template syntax", "control characters", "100 kB in one message"])
def test_the_contract_fails_what_it_does_to_hostile_chats(chat: str) -> None:
    check: Callable[[Fake, str], None] = Hurry().test_a_hostile_chat_arrives_whole_and_harmless
    with NaiveVendor() as vendor, pytest.raises(AssertionError):
        check(vendor, chat)


def test_the_contract_fails_it_for_a_skip_that_it_does_not_know() -> None:
    with NaiveVendor() as vendor, pytest.raises(pytest.fail.Exception):
        Hurry().test_what_to_do_without_an_e_mail_is_the_admins_choice(vendor, "skip")


def test_a_vendor_that_can_only_create_may_be_left_to_a_person() -> None:
    """As docs/writing-a-connector.md shows it: the reply is lost, the delivery is dead, and a replay creates."""
    memory: dict[str, Any] = {}

    def attempt(create: Callable[[], str]) -> str:
        step = Step(memory, memory.__setitem__, forget=memory.pop)

        def undecided() -> str | None:
            step.forget("ticket?")
            raise Gone("it may be stored already")

        return step.once("ticket", create, find=undecided)

    def lost() -> str:
        raise RetryLater("no answer")

    with pytest.raises(RetryLater):
        attempt(lost)
    with pytest.raises(RecordRefused, match="may be stored already"):
        attempt(lambda: "never asked for")
    assert attempt(lambda: "7") == "7"
    assert attempt(lambda: "8") == "7"
