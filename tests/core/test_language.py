"""Conditions and wordings: what is wrong with them is said when they are loaded; what a visitor typed is only data."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.config.settings import ConnectorSettings, Route, Settings
from core.conversation import Conversation, Message, Page, Variable, Visitor
from core.routing import routed
from core.templates.language import LanguageError, condition, wording
from core.values.chat import Values

CHAT = Conversation(
    account="1",
    id="2",
    begin_at=datetime(2024, 5, 1, 8, tzinfo=UTC),
    is_missed=True,
    visitor=Visitor(
        name="Ann", country_code="CZ", variables={"plan": Variable(label="Plan", value="pro"), "_ga": Variable(value=7)}
    ),
    paths=(Page(url="https://example.com/a", title="A"), Page(url="https://example.com/b", title="B")),
    messages=(Message(type="visitor", content="Hello"), Message(type="agent", content="Hi there")),
)
VALUES = Values(CHAT)


def chat(**visitor: Any) -> Conversation:
    return CHAT.model_copy(update={"visitor": Visitor(**visitor)})


def refusal(source: str, compiled: Any = condition) -> str:
    with pytest.raises(LanguageError) as raised:
        compiled(source)
    return str(raised.value)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("true", True),
        ("conversation.is_missed and visitor.country_code == 'CZ'", True),
        ("conversation.is_offline", False),
        ("visitor.variables.plan.value == 'pro'", True),
        ("visitor.variables['plan'].label == 'Plan'", True),
        ("visitor.variables._ga.value == 7", True),
        ("conversation.messages|length == 2", True),
        ("conversation.messages[-1].content == 'Hi there'", True),
        ("conversation.messages[1:][0].type == 'agent'", True),
        ("conversation.messages|selectattr('type', 'eq', 'bot')|list", False),
        ("conversation.begin_at.year == 2024", True),
        ("'ello' in conversation.messages[0].content|lower", True),
        ("conversation.rating is none", True),
        ("conversation['visitor']['name'] == 'Ann'", True),
        ("conversation[visitor.name]", False),  # only known when it runs, and then empty
    ],
)
def test_a_condition_is_an_expression_over_the_conversation(source: str, result: bool) -> None:
    assert condition(source)(VALUES) is result


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("convrsation.is_missed", "'convrsation' is not known; did you mean 'conversation'?"),
        ("conversation.raing == 5", "Conversation has no 'raing'; did you mean 'rating'?"),
        ("conversation.visitor.contry_code", "Visitor has no 'contry_code'; did you mean 'country_code'?"),
        ("visitor['nam']", "Visitor has no 'nam'; did you mean 'name'?"),
        ("visitor.variables.plan.valu", "Variable has no 'valu'; did you mean 'value'?"),
        ("conversation.messages[0].contnt", "Message has no 'contnt'; did you mean 'content'?"),
        ("conversation.messages[-1].contnt", "Message has no 'contnt'; did you mean 'content'?"),
        ("conversation.messages[:1][0].contnt", "Message has no 'contnt'; did you mean 'content'?"),
        ("conversation.messages.length > 2", "a list has no 'length'; write [0] for its first, or |length"),
        ("visitor.name.lowr() == 'x'", "str has no 'lowr'; did you mean 'lower'?"),
        ("conversation.begin_at.yeer", "datetime has no 'yeer'; did you mean 'year'?"),
        ("visitor.name|uper", "there is no filter 'uper'; did you mean 'upper'?"),
        ("1 if true else visitor.name|uper", "there is no filter 'uper'; did you mean 'upper'?"),
        ("visitor.name is defind", "there is no test 'defind'; did you mean 'defined'?"),
    ],
)
def test_a_typing_mistake_is_refused_with_what_was_meant(source: str, text: str) -> None:
    assert refusal(source) == text
    assert refusal("{% if conversation.is_chat %}{{ " + source + " }}{% endif %}", wording) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", "the condition is empty"),
        ("(", "a ( in the condition is never closed"),
        ("conversation.rating == 5)", "has a ) too many"),
        ("conversation.rating ==", "ends too early"),
        ("conversation.rating = 5", "use == to compare"),
        ("conversation.rating === 5", "use == to compare"),
        ("conversation.rating <> 5", "write != instead of <>"),
        ("a b", "cannot be read at 'b'; join two conditions with 'and' or 'or'"),
        ("true, false", "cannot be read"),
        ("true) }}{{ (1", "without {{ }}"),
        ("{{ conversation.is_missed }}", "without {{ }}"),
        ("conversation.is_missed &&", "write 'and' instead of &&"),
        ("conversation.is_missed || true", "write 'or' instead of ||"),
        ("!conversation.is_missed", "write 'not' instead of !"),
        ("visitor.name == 'x", "a quote in the condition is never closed"),
        ("visitor.name is null", "write 'is none'"),
        ("visitor.name is not null", "write 'is none'"),
        ("visitor.name contains 'x'", 'write "text" in visitor.name'),
        ("conversation.duration > 5m", "without a unit"),
        ("true AND false", "use lower case"),
        ("missed", "'missed' is not known; did you mean 'conversation.is_missed'?"),
        ("email", "'email' is not known; did you mean 'visitor.email'?"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_to_type(source: str, text: str) -> None:
    assert text in refusal(source)


@pytest.mark.parametrize(
    "source", ["'a = b && c' in visitor.note", "visitor.name != 'x'", "conversation.messages|length >= 5"]
)
def test_what_stands_in_quotes_is_no_mistake(source: str) -> None:
    condition(source)(VALUES)


@pytest.mark.parametrize(
    "source", ["{% if", "{{ }}", "{% for m in conversation.messages %}", "{{ 'a }}", "{% nonsense %}"]
)
def test_what_is_no_template_is_refused_with_its_line(source: str) -> None:
    assert refusal("Hello\n" + source, wording).startswith("line 2: ")


@pytest.mark.parametrize(
    "source", ["lipsum(5)", "self", "cycler(1)", "request", "os", "config", "__builtins__", "open"]
)
def test_only_the_conversation_can_be_named(source: str) -> None:
    assert "is not known" in refusal(source)
    assert "is not known" in refusal("{{ " + source + " }}", wording)


@pytest.mark.parametrize(
    "source", ["{% include 'a' %}", "{% import 'a' as b %}", "{% from 'a' import b %}", "{% extends 'a' %}"]
)
def test_there_is_nothing_to_take_in(source: str) -> None:
    assert "no other template" in refusal(source, wording)


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep = "(" * 3000 + "1" + ")" * 3000
    assert "nested too deeply" in refusal(deep)
    assert "nested too deeply" in refusal("{{ " + deep + " }}", wording)


def test_loops_are_type_checked() -> None:
    loop = "{% for m in conversation.messages %}{{ m.contnt }}{% endfor %}"
    assert refusal(loop, wording) == "Message has no 'contnt'; did you mean 'content'?"
    assert "did you mean 'content'" in refusal(loop.replace("messages", "messages[-3:]"), wording)
    assert wording(loop.replace("contnt", "content"))(VALUES, {}) == "HelloHi there"


def test_a_name_may_stand_for_another_thing_in_each_loop() -> None:
    source = (
        "{% for one in conversation.messages %}{{ one.content }},{% endfor %}"
        "{% for one in conversation.paths %}{{ loop.index }}{{ one.title }}{% endfor %}"
        "{% for key, one in visitor.variables.items() %}{{ key }}={{ one.value }};{% endfor %}"
    )
    assert wording(source)(VALUES, {}) == "Hello,Hi there,1A2Bplan=pro;_ga=7;"
    assert "Page has no 'content'" in refusal(source.replace("one.title", "one.content"), wording)


def test_names_that_a_template_makes_are_known() -> None:
    source = "{% set who = visitor.name %}{% macro hi(name) %}Hi {{ name }}{% endmacro %}{{ hi(who) }}"
    assert wording(source)(VALUES, {}) == "Hi Ann"


@pytest.mark.parametrize(
    "typed", ["{{7*7}}", "{% raw %}", "{{ conversation.__class__ }}", "${{<%[%'\"}}%\\", "{0.__class__}"]
)
def test_what_a_visitor_typed_is_never_evaluated(typed: str) -> None:
    assert wording("Chat with {{ visitor.name }}")(Values(chat(name=typed)), {}) == f"Chat with {typed}"
    assert condition("visitor.name == visitor.email")(Values(chat(name=typed, email=typed))) is True
    assert condition("'49' in visitor.name")(Values(chat(name=typed))) is False


@pytest.mark.parametrize(
    "source",
    [
        "visitor.__class__",
        "''.__class__.__mro__",
        "conversation.messages.__class__",
        "visitor.name.__init__.__globals__",
        "(visitor if true else 0).__class__",
        "range.__self__",
    ],
)
def test_dunder_names_are_refused(source: str) -> None:
    assert "out of reach" in refusal(source)


@pytest.mark.parametrize(
    "source",
    [
        "''['__class__']",
        "''|attr('__class__')",
        "('_' ~ '_class__') and ''['_' ~ '_class__']",
        "(visitor if true else 0)|attr('__class__')",
        "[visitor]|map(attribute='__class__')|first",
        "'{0.__class__}'.format(visitor)",
        "'{0.__init__.__globals__}'.format(visitor)",
        "'{x.__class__}'.format_map({'x': visitor})",
        "('{0.__class__}'|string).format(visitor)",
        "(visitor if true else 0).model_dump",
        "(visitor if true else 0).parse_file",
        "[visitor]|map(attribute='parse_raw')|first",
    ],
)
def test_ways_out_of_the_sandbox_lead_to_nothing(source: str) -> None:
    try:
        found = wording("{{ " + source + " }}")(VALUES, {})
    except LanguageError:
        return
    assert found == ""


@pytest.mark.parametrize(
    "source",
    ["(visitor if true else 0).parse_raw('{}')", "visitor.variables.clear()", "conversation.messages.append(1)"],
)
def test_nothing_can_be_called_that_reaches_out_or_changes_the_conversation(source: str) -> None:
    with pytest.raises(LanguageError):
        condition(source)(VALUES)
    assert "plan" in CHAT.visitor.variables


def test_what_is_missing_is_empty() -> None:
    assert wording("[{{ visitor.variables.none.value }}|{{ visitor.email }}|{{ conversation.messages[9].name }}]")(
        VALUES, {}
    ) == ("[||]")
    assert wording("[{{ conversation.rating }}{{ csat_score }}]")(VALUES, {}) == "[]"
    assert condition("visitor.variables.none.value == 'pro'")(VALUES) is False
    assert condition("visitor.variables.none.value")(VALUES) is False


@pytest.mark.parametrize(
    "source",
    [
        "conversation.rating < 3",
        "visitor.variables.none.value > 3",
        "visitor.variables.plan.value + 1",
        "1 / visitor.name|length - 1 / 0",
        "visitor.name.encode('nonsense')",
        "'{}{}'.format(1)",
        "'{x}'.format()",
        "5|dictsort",
        "visitor.name.index('z')",
    ],
)
def test_a_condition_that_fails_on_a_conversation_says_so(source: str) -> None:
    with pytest.raises(LanguageError):
        condition(source)(VALUES)


def routes(*wanted: tuple[str, list[str]], off: str = "") -> Settings:
    connectors = {name: ConnectorSettings(type="x", enabled=name != off) for name in ("crm", "desk", "files")}
    return Settings(
        "", (), connectors, tuple(Route(when=when, to=to) for when, to in wanted), {}, (Path("relay.yaml"),)
    )


def test_a_conversation_goes_to_every_connector_whose_route_is_true_and_to_each_once() -> None:
    settings = routes(("conversation.is_missed", ["desk", "crm"]), ("true", ["crm", "files"]), ("false", ["files"]))
    assert routed(settings, CHAT) == (("desk", "crm", "files"), (), None)


def test_a_connector_that_is_switched_off_gets_nothing() -> None:
    assert routed(routes(("true", ["crm", "desk"]), off="crm"), CHAT) == (("desk",), (), None)


def test_a_comparison_with_a_missing_rating_is_a_note_and_the_other_routes_go_on() -> None:
    settings = routes(("conversation.rating < 3", ["desk"]), ("visitor.name.encode('x')", ["crm"]), ("true", ["files"]))
    connectors, troubles, _ = routed(settings, CHAT)
    assert connectors == ("files",)
    assert [trouble.split(":")[0] for trouble in troubles] == ["routes[0].when", "routes[1].when"]
    assert routed(settings, CHAT.model_copy(update={"rating": 1}))[0] == ("desk", "files")


LONG_LOOP = "{% for one in range(100000) %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 999999999 }}",
        "{{ 999999999 * 'a' }}",
        "{{ 'a'|center(999999999) }}",
        "{{ 'a'.center(999999999) }}",
        "{{ 'a'|indent(width=999999999) }}",
        "{{ [1]|batch(999999999, 0)|list }}",
        "{{ '\t'.expandtabs(999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ '%*d'|format(999999999, 1) }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ '{x:>999999999}'.format_map({'x': 1}) }}",
        LONG_LOOP + LONG_LOOP + "{% endfor %}{% endfor %}",
        LONG_LOOP + "{{ 'a'.center(10000) }}{% endfor %}",
        LONG_LOOP + "{{ transcript }}{% endfor %}",
        "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(60) }}",
        "{% for one in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    ],
)
def test_a_template_that_would_take_long_or_grow_without_end_is_an_error(source: str) -> None:
    started = time.process_time()
    with pytest.raises(LanguageError):
        wording(source)(VALUES, {"transcript": "x" * 1000})
    assert time.process_time() - started < 2


def test_what_an_admin_may_well_write_is_within_the_bounds() -> None:
    long = CHAT.model_copy(update={"messages": (Message(type="visitor", content="x" * 100),) * 5000})
    source = "{% for m in conversation.messages %}{{ loop.revindex }}{{ m.content|upper|truncate(20) }}{% endfor %}"
    assert len(wording(source)(Values(long), {})) > 5000 * 20
    source = (
        "{{ 250000|float|round(2) }} {{ '%d'|format(250000) }} {{ '{:.2f}'.format(1.5) }} {{ 3 * 4 }} {{ '-' * 20 }}"
    )
    assert wording(source)(VALUES, {}) == "250000.0 250000 1.50 12 " + "-" * 20
