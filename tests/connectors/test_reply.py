"""JSON of a destination, wrapped: what is not there is said with its path, and tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.kit.reply import Reply
from core.errors import RetryLater


@pytest.mark.parametrize(
    ("answer", "read", "says"),
    [
        (None, lambda one: one["data"], "the answer has an unexpected shape: expected an object, got null"),
        ([], lambda one: one["data"], "expected an object, got a list that is empty"),
        ({"error": "maintenance"}, lambda one: one["data"], "shape: data: expected a value, got nothing"),
        ({"data": []}, lambda one: one["data"]["items"], "data: expected an object, got a list that is empty"),
        ({"results": []}, lambda one: one["results"][0]["id"], r"results\[0\]: expected a value, got nothing"),
        ({"results": [None]}, lambda one: one["results"][0]["id"], r"results\[0\]: expected an object, got null"),
        ({"results": [{"id": None}]}, lambda one: one["results"][0]["id"].id, r"results\[0\].id: expected an id, got"),
        ({"id": True}, lambda one: one["id"].number, "id: expected a whole number, got true"),
        ({"id": " "}, lambda one: one["id"].id, "id: expected an id, got text"),
        ({"name": 7}, lambda one: one["name"].text, "name: expected text, got a number"),
        ({"items": {}}, lambda one: list(one["items"]), "items: expected a list, got an object that is empty"),
        ({"items": {"a": 1}}, lambda one: len(one["items"]), "items: expected a list, got an object"),
        ([1], lambda one: one[1], r"\[1\]: expected a value, got nothing"),
        ([1], lambda one: one[-1], r"\[-1\]: expected a value, got nothing"),
    ],
)
def test_what_is_not_there_is_tried_again_and_named_with_its_path(
    answer: Any, read: Callable[[Reply], object], says: str
) -> None:
    with pytest.raises(RetryLater, match=says):
        read(Reply(answer))


@pytest.mark.parametrize("value", [{}, {"a": 1}, [], [1], "", "x", 0, 7, False, True])
def test_what_is_there_is_true_whatever_it_is(value: Any) -> None:
    assert Reply({"it": value}).get("it")
    assert not Reply({"it": None}).get("it")


def test_what_is_there_is_read() -> None:
    reply = Reply({"results": [{"id": 7, "name": "Ann", "next": None}, {"id": "8"}], "paging": {"after": "x"}})
    assert [one["id"].id for one in reply["results"]] == ["7", "8"]
    assert reply["results"][0]["id"].number == 7
    assert reply["results"][0]["name"].text == "Ann"
    assert reply["results"][0].get("next") is reply.get("none") is None
    assert (paging := reply.get("paging")) is not None
    assert paging["after"].text == "x"
    assert len(reply["results"]) == 2
    assert reply["paging"].raw == {"after": "x"}


def test_a_visitors_words_are_not_in_the_error() -> None:
    with pytest.raises(RetryLater) as raised:
        Reply({"id": "ann@shop.example.com"})["id"].number  # noqa: B018
    assert "ann" not in str(raised.value)
