"""A setting that may be a template: checked when the file is read, as far as it can be; read as the constant is."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from core.config.environment import Strict
from core.config.mistakes.values import value_mistakes
from core.config.types.duration import Duration, duration_text, parse_duration
from core.config.types.templated import Templated, TemplateOf
from core.templates.outcomes import outcomes


class Place(Strict):
    group: Templated[int] | None = None
    priority: Templated[Literal["low", "high"]] | None = None
    level: Templated[Literal[1, 2]] = 1
    owner: Templated[str] | None = None
    within: Duration = timedelta(days=14)


def place(**values: Any) -> Place:
    return Place.model_validate(values)


def test_a_constant_is_what_it_was() -> None:
    made = place(group="31", priority="low", level=2, owner="ann@shop.example")
    assert (made.group, made.priority, made.level, made.owner) == (31, "low", 2, "ann@shop.example")


def test_a_template_is_kept_and_what_it_comes_out_as_is_read_as_the_constant() -> None:
    made = place(group="{{ 31 if conversation.is_missed else 32 }}", level="{{ 1 }}")
    assert isinstance(made.group, TemplateOf)
    assert made.group.known == (31, 32)
    assert made.group.read("7") == 7
    assert isinstance(made.level, TemplateOf)
    assert made.level.read("2") == 2
    with pytest.raises(ValueError, match="expected a whole number"):
        made.group.read("Ann")
    with pytest.raises(ValueError, match="expected one of 1, 2"):
        made.level.read("3")


def test_a_copy_in_another_process_reads_as_well() -> None:
    made = place(group="{{ visitor.variables.team.value }}", priority="{{ 'low' }}")
    copy = pickle.loads(pickle.dumps(made))  # noqa: S301  # our own
    assert copy == made
    assert copy.group.read("7") == 7
    assert json.loads(copy.model_dump_json()) == {
        "group": "{{ visitor.variables.team.value }}",
        "priority": "{{ 'low' }}",
        "level": 1,
        "owner": None,
        "within": "14d",
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"group": "Sales"}, "must be a whole number, such as 5"),
        ({"group": True}, "must be a whole number"),
        ({"group": "{{ visitor.nam }}"}, "Visitor has no 'nam'; did you mean 'name'?"),
        ({"group": "{{ 31 "}, "{{"),
        (
            {"group": "{% if conversation.is_missed %}Sales{% else %}31{% endif %}"},
            "may come out as 'Sales'; expected a",
        ),
        ({"priority": "hihg"}, "Did you mean 'high'?"),
        ({"priority": "{{ 'low' if visitor.name else 'hihg' }}"}, "may come out as 'hihg'; expected one of low, high"),
        ({"level": "{{ 3 }}"}, "may come out as '3'; expected one of 1, 2"),
        ({"within": 14}, "write a number and a unit: 30m, 4h or 14d"),
        ({"within": "a fortnight"}, "write a number and a unit"),
    ],
)
def test_a_mistake_says_what_to_type(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        place(**values)
    [(path, text)] = value_mistakes(raised.value, Place, values)
    assert path == tuple(values)
    assert said in text


def test_an_editor_knows_both() -> None:
    [number, template, nothing] = Place.model_json_schema()["properties"]["group"]["anyOf"]
    assert (number, nothing) == ({"type": "integer"}, {"type": "null"})
    assert template["format"] == "jinja-template"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ 31 }}", {"31"}),
        ("a {{ 'b' }} c", {"a b c"}),
        ("{{ 'a' if conversation.is_missed else 'b' if visitor.name else '' }}", {"a", "b"}),
        ("{{ 'a' if conversation.is_missed }}", {"a"}),
        ("{% if visitor.name %}a{% elif visitor.note %}b{% else %}{{ 'c' }}{% endif %}", {"a", "b", "c"}),
        ("{{ visitor.name or 'a' }}", {"a"}),
        ("{{ visitor.name | default('a') }}", {"a"}),
        ("{{ {'3': 31, '4': 32}[visitor.group] }}", {"31", "32"}),
        ("{{ {'3': 31}.get(visitor.group, 33) }}", {"31", "33"}),
        ("{% set a = 1 %}{{ 2 }}", {"2"}),
        ("x{{ visitor.name }}", set()),
        ("{% for one in conversation.messages %}a{% endfor %}", set()),
        ("", set()),
    ],
)
def test_what_a_template_is_sure_to_come_out_as(source: str, found: set[str]) -> None:
    assert outcomes(source) == found


def test_a_template_of_many_ways_takes_no_time() -> None:
    assert len(outcomes("{{ 'a' if visitor.name else 'b' }}" * 200)) <= 200


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("90m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("2w", timedelta(14)),
    ],
)
def test_a_length_of_time(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length
    assert parse_duration(duration_text(length)) == length


class Loose(BaseModel):
    model_config = ConfigDict(frozen=True)
    within: Duration


def test_a_length_of_time_is_spelled_in_the_largest_unit() -> None:
    assert [duration_text(parse_duration(one)) for one in ("14d", "36h", "90m", "90s")] == ["14d", "36h", "90m", "90s"]
    assert Loose(within=timedelta(hours=4)).model_dump() == {"within": "4h"}
