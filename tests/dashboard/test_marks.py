"""The deliveries of a chat in a list: failures by name and first, the rest as numbers."""

from __future__ import annotations

from app.dashboard.view.marks import Unnamed, gathered, worst_first


def test_few_are_all_named_the_worst_first() -> None:
    found = gathered([("a", "delivered"), ("b", "dead"), ("c", "waiting"), ("d", "a status of a later version")])
    assert found.named == [
        ("b", "dead"),
        ("c", "waiting"),
        ("a", "delivered"),
        ("d", "a status of a later version"),
    ]
    assert not found.counted


def test_of_many_only_those_that_fail_are_named() -> None:
    found = gathered([(f"crm-{number}", "delivered") for number in range(8)] + [("desk", "retrying"), ("x", "waiting")])
    assert found.named == [("desk", "retrying")]
    assert found.counted == [
        Unnamed("waiting", ["x"], more=False),
        Unnamed("delivered", [f"crm-{number}" for number in range(8)], more=False),
    ]


def test_of_many_that_fail_some_are_named_and_the_others_counted() -> None:
    found = gathered([(f"crm-{number}", "dead") for number in range(9)])
    assert found.named == [(f"crm-{number}", "dead") for number in range(3)]
    assert found.counted == [Unnamed("dead", [f"crm-{number}" for number in range(3, 9)], more=True)]


def test_each_delivery_is_named_or_counted_once() -> None:
    statuses = ("dead", "blocked", "waiting", "delivered", "new")
    deliveries = [(f"crm-{number}", statuses[number % len(statuses)]) for number in range(23)]
    found = gathered(deliveries)
    names = [name for name, _ in found.named] + [name for one in found.counted for name in one.connectors]
    assert sorted(names) == sorted(name for name, _ in deliveries)
    assert names == [name for name, _ in worst_first(deliveries)]
