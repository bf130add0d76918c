"""What a check is made of: expectations of answers, said in constant sentences."""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from types import ModuleType
from typing import Any

import pytest

from connectors.kit.checks.expectation import Expectation, Mismatch
from connectors.kit.checks.items import AnswerCheck, ListCheck, NameCheck, run_checks
from connectors.kit.connector import Finding
from connectors.kit.work import owner
from core.wording.sentence import Sentence

QUEUE = Expectation[dict[str, Any]](
    "the queue %(name)s, %(label)s, is open",
    "there is no queue %(name)s",
    "correct queue; there are %(known)s",
    holds=lambda found: bool(found["seen"]),
    also=(Mismatch("the queue %(label)s is closed", "open %(label)s", lambda found: not found["open"]),),
    values=lambda found: {"label": found["label"]},
)
OPEN = {"label": "Chats", "seen": True, "open": True}


def found(expected: Expectation[Any], answer: Any, **given: Any) -> tuple[bool, str, str]:
    (one,) = AnswerCheck(expected, lambda: answer, given).findings()
    return one.right, one.text, one.remedy


def test_what_is_as_expected_is_said_with_the_answers_values_and_needs_no_remedy() -> None:
    assert found(QUEUE, OPEN, name="7") == (True, "the queue 7, Chats, is open", "")


@pytest.mark.parametrize("answer", [None, False, {**OPEN, "seen": False}])
def test_without_an_answer_or_where_it_does_not_hold_it_is_wrong(answer: Any) -> None:
    assert found(QUEUE, answer, name="7", known="8, 9") == (
        False,
        "there is no queue 7",
        "correct queue; there are 8, 9",
    )


def test_what_else_may_be_wrong_has_words_of_its_own() -> None:
    assert found(QUEUE, {**OPEN, "open": False}, name="7") == (False, "the queue Chats is closed", "open Chats")


def test_a_text_is_a_sentence_that_a_face_can_translate() -> None:
    (one,) = AnswerCheck(QUEUE, lambda: OPEN, {"name": "7"}).findings()
    assert isinstance(one.text, Sentence)
    assert one.text.forms == ("the queue %(name)s, %(label)s, is open",)


def test_nothing_is_said_of_what_is_right_where_there_is_no_sentence_for_it() -> None:
    silent = Expectation[bool]("", "the account is another one", "correct account")
    assert list(AnswerCheck(silent, lambda: True).findings()) == []
    assert found(silent, False) == (False, "the account is another one", "correct account")


def test_an_answer_that_is_missing_where_nobody_thought_of_it_is_no_success() -> None:
    with pytest.raises(LookupError, match="the key is accepted"):
        list(AnswerCheck(Expectation[bool]("the key is accepted"), lambda: None).findings())


def test_what_hangs_on_an_answer_is_looked_at_with_it_and_only_where_it_is_right() -> None:
    closed = {**OPEN, "open": False}
    inner = Expectation[str]("it takes %(label)s", values=lambda label: {"label": label})

    def inside(queue: dict[str, Any]) -> list[AnswerCheck[str]]:
        return [AnswerCheck(inner, lambda: queue["label"])]

    def texts(queue: dict[str, Any]) -> list[str]:
        return [one.text for one in AnswerCheck(QUEUE, lambda: queue, {"name": "7"}, then=inside).findings()]

    assert texts(OPEN) == ["the queue 7, Chats, is open", "it takes Chats"]
    assert texts(closed) == ["the queue Chats is closed"]


def test_each_name_is_looked_for_once() -> None:
    asked: list[str] = []

    def look(name: str) -> dict[str, Any] | None:
        asked.append(name)
        return OPEN if name == "7" else None

    right = [one.right for one in NameCheck(QUEUE, ["7", "8", "7"], look, {"known": "7"}).findings()]
    assert (right, asked) == ([True, False], ["7", "8"])


def test_a_list_is_asked_for_only_where_something_is_named() -> None:
    asked: list[bool] = []

    def known() -> dict[str, dict[str, Any]]:
        asked.append(True)
        return {"7": OPEN, "9": OPEN}

    assert list(ListCheck(QUEUE, [], known).findings()) == []
    assert asked == []
    (one,) = ListCheck(QUEUE, ["8"], known, spelled=lambda name, it: f"{name} ({it['label']})").findings()
    assert one == Finding(False, "there is no queue 8", "correct queue; there are 7 (Chats), 9 (Chats)")
    assert asked == [True]


def test_an_empty_list_says_that_there_is_nothing() -> None:
    (one,) = ListCheck(QUEUE, ["8"], dict).findings()
    assert one.remedy == "correct queue; there are none"


def test_each_item_asks_when_it_is_its_turn() -> None:
    asked: list[str] = []

    def item(name: str) -> AnswerCheck[str]:
        def ask() -> str:
            asked.append(name)
            return name

        return AnswerCheck(Expectation[str](name), ask)

    findings = run_checks(map(item, ["first", "second"]))
    assert next(findings).text == "first"
    assert asked == ["first"]
    assert next(findings).text == "second"


# --- the vendors' own ------------------------------------------------------------------

VENDORS = ("freshdesk", "hubspot", "odoo", "pipedrive", "request_tracker", "zendesk")
MODULES: list[ModuleType] = [importlib.import_module(f"connectors.{one}.checks") for one in VENDORS] + [owner]
EXPECTED = {
    f"{module.__name__}.{name}": one
    for module in MODULES
    for name, one in vars(module).items()
    if isinstance(one, Expectation)
}


def test_every_native_vendor_checks_by_declaration() -> None:
    assert {name.split(".")[1] for name in EXPECTED} == {*VENDORS, "kit"}
    for module in MODULES:
        assert "Finding(" not in inspect.getsource(module), f"{module.__name__} makes a finding by hand"


@pytest.mark.parametrize("name", EXPECTED)
def test_whatever_a_vendors_check_may_find_wrong_has_a_remedy_and_another_sentence(name: str) -> None:
    one = EXPECTED[name]
    wrong = {one.wrong: one.remedy, **{also.text: also.remedy for also in one.also}}
    assert all(remedy for text, remedy in wrong.items() if text)
    assert one.right or one.wrong
    assert one.right not in [text for text in wrong if text] or name in SAID_BOTH_WAYS
    for text in (one.right, *wrong, *wrong.values()):
        # A % that names no value would raise before anybody reads it.
        assert "%" not in text % defaultdict(str)


#: Who one is, and when tokens end: facts, which are right or wrong by themselves.
SAID_BOTH_WAYS = ("connectors.zendesk.checks._SIGNED_IN", "connectors.zendesk.checks._TOKENS")
