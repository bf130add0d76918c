"""What two dead letters have in common, without what differs from one chat to the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import Attempt, Outcome
from core.store.protocol.causes import cause_of, normalised


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("HTTP 422 Unprocessable Entity: ticket 5512 is closed", "HTTP 422 Unprocessable Entity: ticket # is closed"),
        ("HTTP 400: ann@example.com is not an address", "HTTP 400: … is not an address"),
        ("HTTP 400: contact bob+x@shop.example exists", "HTTP 400: contact … exists"),
        ("HTTP 409 4f1c0a9b-27d3-4c86-9a55-0c64 exists", "HTTP 409 # exists"),
        ("SMTP 550 5.1.1 mailbox 17 is full", "SMTP 550 #.#.# mailbox # is full"),
        ("gave up after 17 attempts: HTTP 503", "HTTP 503"),
        ("see https://help.example.com/errors/17?id=ann for more", "see https://help.example.com/… for more"),
        ('{"code":"BAD_FIELD","correlationId":"8f3a-77"}', '{"code":"BAD_FIELD","correlationId":"#"}'),
        ("internal error: KeyError: 'name' (deliver, line 55)", "internal error: KeyError: 'name' (deliver, line #)"),
        ("at  2026-11-28T09:12:00Z\nfailed", "at #:#:# failed"),
    ],
)
def test_ids_numbers_and_addresses_are_taken_out_and_the_status_stays(said: str, kept: str) -> None:
    assert normalised(said) == kept


def test_a_status_without_its_name_stays_when_it_is_that_of_the_attempt() -> None:
    assert normalised("422 no: 422 of 500", 422) == "422 no: 422 of #"


def test_two_chats_that_fail_alike_have_one_cause_and_another_outcome_is_another() -> None:
    first, second = (
        Attempt(number, 10, Outcome.REFUSED, 1, 422, f"HTTP 422: order {number} is not known") for number in (7, 88_121)
    )
    assert cause_of(first) == cause_of(second)
    later = Attempt(1, 10, Outcome.EXHAUSTED, 1, 422, "gave up after 9 attempts: HTTP 422: order 7 is not known")
    assert cause_of(later) != cause_of(first)
    assert cause_of(later).text == cause_of(first).text


@given(st.text(max_size=1_000), st.integers(0, 10**12))
def test_a_number_never_makes_another_cause_and_nothing_is_too_long(text: str, number: int) -> None:
    assert normalised(f"{text} {number}") == normalised(f"{text} {number + 1}")
    assert len(normalised(text)) <= 300
