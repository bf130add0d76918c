"""`only`, `min_visitor_messages` and `wait`: which chats a connector wants, and how the settings are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from connectors import registry
from core.config.environment import environment
from core.config.json_schema import schema
from core.config.loader import load
from core.config.sections.presets import Preset, QuietWait
from core.config.settings import ConnectorSettings, masked
from core.conversation import Conversation, Message
from core.errors import ConfigError
from core.values.chat import Values
from core.values.presets import PRESETS, left_out


def chat(*who: str, **fields: Any) -> Values:
    """A chat with messages of these; `automatic` is one of nobody."""
    senders = {"agent": "agent:3", "automatic": "agent:3", "visitor": "visitor:mx1"}
    messages = tuple(
        Message(
            type="agent" if one == "automatic" else one,
            sender=senders[one],
            content="Hi",
            triggered_by="Welcome" if one == "automatic" else "",
        )
        for one in who
    )
    return Values(Conversation(account="1", id="2", messages=messages, **fields))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (chat("visitor", "agent"), {"answered"}),
        (chat("visitor", "automatic"), {"unanswered"}),
        (chat("visitor", is_missed=True), {"unanswered", "missed"}),
        (chat("visitor", "agent", is_missed=True), {"answered", "missed"}),
        (chat("visitor", is_offline=True), {"unanswered", "offline"}),
        (chat("visitor", "agent", rating=5), {"answered", "rated", "rated_good"}),
        (chat("visitor", "agent", rating=3), {"answered", "rated", "rated_normal"}),
        (chat("visitor", "agent", rating=1), {"answered", "rated", "rated_bad"}),
        (chat(), {"unanswered"}),
    ],
)
def test_a_chat_is_of_these_kinds(found: Values, wanted: set[str]) -> None:
    assert {name for name in get_args(Preset) if not left_out(found, [name], 0)} == wanted


def test_every_preset_has_a_rule_and_a_sentence() -> None:
    assert tuple(PRESETS) == get_args(Preset)
    sentences = [sentence for _, sentence in PRESETS.values()]
    assert all(one.endswith(".") for one in sentences)
    assert len(set(sentences)) == len(sentences)


def test_one_of_the_kinds_is_enough() -> None:
    assert left_out(chat("visitor", "agent", rating=1), ["missed", "rated_bad"], 0) == ""


def test_why_a_chat_is_left_out_is_said_by_what_it_is_and_what_is_set() -> None:
    found = chat("visitor", "agent", rating=5)
    assert left_out(found, ["missed", "rated_bad"], 0) == (
        "the chat is answered, rated, rated_good, and only is [missed, rated_bad]"
    )
    assert left_out(found, None, 2) == "the visitor wrote 1 message, and min_visitor_messages is 2"
    assert left_out(chat(), None, 1) == "the visitor wrote no message, and min_visitor_messages is 1"
    assert left_out(chat(*["visitor"] * 3), None, 4) == "the visitor wrote 3 messages, and min_visitor_messages is 4"


def test_both_must_hold_and_without_settings_all_are_wanted() -> None:
    twice = chat("visitor", "visitor", "agent")
    assert left_out(twice, ["answered"], 2) == ""
    assert left_out(twice, ["answered"], 3)
    assert left_out(twice, ["missed"], 2)
    assert left_out(chat(), None, 0) == ""


# --- the settings ----------------------------------------------------------------


def test_a_wait_may_be_a_duration_alone() -> None:
    short = ConnectorSettings.model_validate({"type": "archive", "wait": "10m"}).wait
    long = ConnectorSettings.model_validate({"type": "archive", "wait": {"quiet": "10m"}}).wait
    assert short == long == QuietWait.model_validate("10m")
    assert short
    assert (short.quiet_ms, short.at_most_ms, short.first) == (600_000, 3_600_000, False)


def test_a_wait_may_have_a_ceiling_and_begin_with_the_first_delivery() -> None:
    wait = QuietWait.model_validate({"quiet": "2h", "at_most": "1d", "first": True})
    assert (wait.quiet_ms, wait.at_most_ms, wait.first) == (7_200_000, 86_400_000, True)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("45s", 45_000),
        ("10m", 600_000),
        ("10min", 600_000),
        ("1.5h", 5_400_000),
        ("2h", 7_200_000),
        ("7d", 604_800_000),
    ],
)
def test_a_duration_is_a_number_with_a_unit(text: str, ms: int) -> None:
    assert QuietWait.model_validate(text).quiet_ms == ms


def test_mistakes_are_said_with_what_to_type(tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(
        """\
connectors:
  a: {type: archive, wait: 10}
  b: {type: archive, wait: soon}
  c: {type: archive, wait: 8d}
  d: {type: archive, wait: {quiet: 10m, at_most: 5m}}
  e: {type: archive, wait: {quite: 10m}}
  f: {type: archive, wait: {quiet: 10m, at_most: 60}}
  g: {type: archive, wait: 0m}
  h: {type: archive, only: [mised]}
  i: {type: archive, only: []}
  j: {type: archive, only: missed}
  k: {type: archive, min_visitor_messages: -1}
  l: {type: archive, wait: {quiet: 10m, first: perhaps}}
"""
    )
    env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(tmp_path)})
    with pytest.raises(ConfigError) as raised:
        load(env, registry.settings_model, {})
    assert [str(one) for one in raised.value.problems] == [
        "line 2: connectors.a.wait: needs a unit; write 10s, 10m, 10h or 10d",
        "line 3: connectors.b.wait: is not a duration; write a number and a unit, such as 30m, 4h or 14d",
        "line 4: connectors.c.wait: is too long; at most 7d",
        "line 5: connectors.d.wait: 'at_most' is shorter than 'quiet'; write 10m or more",
        "line 6: connectors.e.wait.quiet: is missing; add 'quiet: …' "
        "(How long no further revision may come before one is sent)",
        "line 6: connectors.e.wait.quite: unknown setting. Did you mean 'quiet'?",
        "line 7: connectors.f.wait.at_most: needs a unit; write 60s, 60m, 60h or 60d",
        "line 8: connectors.g.wait: is too short; at least 1s",
        "line 9: connectors.h.only[0]: must be one of: answered, unanswered, missed, offline, rated, rated_good, "
        "rated_normal, rated_bad. Did you mean 'missed'?",
        "line 10: connectors.i.only: is empty; name at least one",
        "line 11: connectors.j.only: must be a list: [missed]",
        "line 12: connectors.k.min_visitor_messages: must be at least 0 (Messages that the visitor must have written)",
        "line 13: connectors.l.wait.first: must be true or false",
    ]


def test_the_schema_for_editors_takes_what_the_loader_takes() -> None:
    rules = schema({"archive": registry.settings_model("archive")})
    right: list[Any] = [
        "10m",
        "10 min",
        "1.5h",
        {"quiet": "10m"},
        {"quiet": "45s", "first": True, "at_most": "1h"},
        None,
    ]
    wrong: list[Any] = ["10", 10, {"quiet": "soon"}, {}, "10 months"]
    for wait in [*right, *wrong]:
        document = {"connectors": {"files": {"type": "archive", "wait": wait, "only": ["missed"]}}}
        errors = list(jsonschema.Draft202012Validator(rules).iter_errors(document))
        assert (not errors) == (wait in right), wait


def test_they_are_shown_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text("connectors: {a: {type: archive, wait: 10m, only: [rated_bad, missed], min_visitor_messages: 2}}")
    env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(tmp_path)})
    found = masked(load(env, registry.settings_model, {}))["connectors"]["a"]
    wanted = {
        "type": "archive",
        "enabled": True,
        "concurrency": None,
        "rate": None,
        "only": ["rated_bad", "missed"],
        "min_visitor_messages": 2,
        "wait": {"quiet": "10m", "first": False, "at_most": None},
        "formerly": [],
        "folder": "archive",
    }
    shown = json.loads(json.dumps(found))
    assert {name: shown[name] for name in wanted} == wanted
