"""Text, numbers and shapes as strangers send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.conversation import Conversation, Variable, Visitor
from core.errors import PayloadError
from core.smartsupp.json_reader import clean
from core.smartsupp.parser import parse, parse_conversation

ROOT = {"accountId": 1, "channel": {"id": 2}}


def read(**members: Any) -> Conversation:
    return parse_conversation(json.dumps({**ROOT, **members}).encode())


def visitor(**members: Any) -> Visitor:
    return read(visitor=members).visitor


def message(**members: Any) -> Any:
    return read(messages=[members]).messages[0]


def noted(**members: Any) -> str:
    """What is noted of a chat with one member that cannot be understood."""
    (note,) = read(**members).notes
    return note


def nested(depth: int) -> bytes:
    return b'{"accountId": 1, "channel": {"id": 2}, "new": %s%s}' % (b"[" * depth, b"]" * depth)


def test_the_body_belongs_to_the_account_of_its_token() -> None:
    body = b'{"accountId": 208, "channel": {"id": 1}}'
    assert parse_conversation(body).account == "208"
    assert parse_conversation(body, "208").account == "208"
    assert parse_conversation(b'{"accountId": "208", "channel": {"id": 1}}', "208").account == "208"
    for nameless in (b'{"channel": {"id": 1}}', b'{"accountId": null, "channel": {"id": 1}}'):
        assert parse_conversation(nameless, "208").account == "208"


def test_a_body_of_another_account_than_its_tokens_is_refused() -> None:
    with pytest.raises(PayloadError, match="belongs to account 209") as raised:
        parse(b'{"accountId": 208, "channel": {"id": 1}}', "209")
    assert raised.value.path == "accountId"


def test_a_body_whose_account_is_no_id_is_refused_whatever_the_token() -> None:
    with pytest.raises(PayloadError) as raised:
        parse(b'{"accountId": "", "channel": {"id": 1}}', "208")
    assert raised.value.path == "accountId"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"accountId=1&channel=2", "not JSON"),
        (b"\xff\xff\xff\xff", "is not utf-8"),
        (b"[]", "got a list"),
        (b"null", "got nothing"),
        (b"1", "got the number 1"),
        (b'"hi"', 'got text "hi"'),
        (b"true", "got true"),
        (b"{}", "channel: no conversation"),
        (b'{"accountId": 1, "channel": []}', "channel.id: expected an id"),
        (b'{"accountId": 1, "channel": "x"}', "channel: expected an object"),
        (b'{"domains": 5}', "domains: expected an object"),
    ],
)
def test_it_says_why_a_body_is_no_conversation(body: bytes, text: str) -> None:
    with pytest.raises(PayloadError) as raised:
        parse(body)
    assert text in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_it_reads_every_encoding_that_json_knows(encoding: str) -> None:
    text = json.dumps({**ROOT, "visitor": {"name": "Žofie 🍵"}}, ensure_ascii=False)
    assert parse_conversation(text.encode(encoding)).visitor.name == "Žofie 🍵"


@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧 🇨🇿", "שלום عليكم", "\u202eevil\u2066", "日本語", "a\x00b\x1b[2J", "<b>{{7*7}}</b>\r\n"]
)
def test_it_keeps_text_as_it_is(text: str) -> None:
    assert visitor(name=text).name == text
    assert message(content=text).content == text


def test_halves_of_an_emoji_become_whole_or_are_marked() -> None:
    body = rb'{"accountId": 1, "channel": {"id": 2}, "visitor": {"name": "\ud83c\udf75", "note": "a\ud83cb\udf75"}}'
    found = parse_conversation(body).visitor
    assert (found.name, found.note) == ("🍵", "a\ufffdb\ufffd")
    raw = b'{"accountId": 1, "channel": {"id": 2}, "visitor": {"name": "\xed\xa0\xbc\xed\xbd\xb5"}}'
    assert parse_conversation(raw).visitor.name == "🍵"


@given(st.text(st.characters(exclude_categories=())))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_written_and_only_lone_surrogates_are_changed(text: str) -> None:
    found = clean(text)
    found.encode()
    assert clean(found) == found
    assert found == text or any("\ud800" <= letter <= "\udfff" for letter in text)


def test_a_line_break_inside_a_string_is_no_reason_to_refuse_a_chat() -> None:
    assert (
        parse_conversation(b'{"accountId":1,"channel":{"id":2},"visitor":{"note":"a\nb\tc"}}').visitor.note == "a\nb\tc"
    )


@pytest.mark.parametrize("empty", [[], {}, None])
def test_variables_may_be_empty_in_every_way(empty: Any) -> None:
    assert visitor(variables=empty).variables == {}


def test_variables_may_be_flat_or_labelled() -> None:
    sent = {
        "flat": "x",
        "number": 5,
        "flag": True,
        "none": None,
        "full": {"label": "Full", "value": 1.5, "more": 1},
        "unlabelled": {"value": "y"},
        "valueless": {"label": "Empty"},
        "deep": {"a": ["č"]},
        "list": [1, 2],
        "huge": 10**30,
    }
    assert visitor(variables=sent).variables == {
        "flat": Variable(label="flat", value="x"),
        "number": Variable(label="number", value=5),
        "flag": Variable(label="flag", value=True),
        "none": Variable(label="none", value=None),
        "full": Variable(label="Full", value=1.5),
        "unlabelled": Variable(label="unlabelled", value="y"),
        "valueless": Variable(label="Empty", value=None),
        "deep": Variable(label="deep", value='{"a": ["č"]}'),
        "list": Variable(label="list", value="[1, 2]"),
        "huge": Variable(label="huge", value=str(10**30)),
    }
    assert visitor(variables={"flag": True}).variables["flag"].value is True  # and not 1


def test_the_newer_name_of_the_group_wins() -> None:
    assert visitor(groupKey="old").group == "old"
    assert visitor(groupKey="old", group="new").group == "new"
    assert visitor(groupKey="old", group=None).group == ""


@pytest.mark.parametrize(
    ("sent", "sender"),
    [
        (3, "agent:3"),
        ("3", "agent:3"),
        ("agent:3", "agent:3"),
        (None, "system"),
        ("", "system"),
        ("system", "system"),
        ("mxT1", "visitor:mxT1"),
        ("visitor:mxT1", "visitor:mxT1"),
        ("bot:9", "bot:9"),
    ],
)
def test_the_sender_is_spelt_as_today(sent: Any, sender: str) -> None:
    assert message(**{"from": sent}).sender == sender


def test_of_a_key_that_is_given_twice_the_last_counts() -> None:
    found = parse_conversation(b'{"accountId": 1, "accountId": 2, "channel": {"id": 3}, "channel": {"id": 4}}')
    assert found.key == "2:4"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_named_where_it_is_read(number: str) -> None:
    def parsed(name: str) -> Conversation:
        return parse_conversation(f'{{"accountId": 1, "channel": {{"id": 2}}, "{name}": {number}}}'.encode())

    assert parsed("new").id == "2"
    (note,) = parsed("beginAt").notes
    assert note.startswith("beginAt: expected a number")
    body = f'{{"accountId": 1, "channel": {{"id": 2}}, "visitor": {{"name": {number}}}}}'
    (note,) = parse_conversation(body.encode()).notes
    assert note.startswith("visitor.name: expected text")


def test_numbers_with_thousands_of_digits_are_text_or_left_out() -> None:
    big = "9" * 4000
    body = '{"accountId": 1, "channel": {"id": 2%s}, "visitor": {"name": %s}}'
    assert parse_conversation((body % ("", big)).encode()).visitor.name == big
    assert parse_conversation((body % (f', "rating": {big}', 1)).encode()).notes == (
        "channel.rating: expected a number of at most 18 digits, got a number of more than 40 digits; left empty",
    )
    with pytest.raises(PayloadError, match="too many digits"):
        parse((body % ("", "9" * 5000)).encode())


@pytest.mark.parametrize(
    ("sent", "time"),
    [
        (1427470439703, datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        (1427470439703.4, datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        ("1427470439703", datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        (1427470439, datetime(2015, 3, 27, 15, 33, 59, 0, UTC)),
        ("1427470439", datetime(2015, 3, 27, 15, 33, 59, 0, UTC)),
        (1427470439.703, datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        (1427470439703999, datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        ("1427470439703999", datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        ("2015-03-27T15:33:59Z", datetime(2015, 3, 27, 15, 33, 59, 0, UTC)),
        ("2015-03-27T15:33:59.703999Z", datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        (" 2015-03-27 16:33:59.703+01:00\n", datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC)),
        ("2015-03-27T10:33:59-0500", datetime(2015, 3, 27, 15, 33, 59, 0, UTC)),
        ("20150327T153359Z", datetime(2015, 3, 27, 15, 33, 59, 0, UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_understood_in_every_unit_and_as_iso_8601(sent: Any, time: datetime | None) -> None:
    found = read(beginAt=sent)
    assert found.begin_at == time
    assert not found.notes


@pytest.mark.parametrize(
    "sent",
    [
        -1,
        0,
        "0",
        0.0,
        10**14 * 9,
        10**17,
        10**400,
        1e300,
        "soon",
        True,
        [],
        {},
        "2015-03-27T15:33:59",
        "2015-03-27",
        "2015-02-30T00:00:00Z",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1970-01-01T00:00:00Z",
        "2015-03-27T15:33:59[Europe/Prague]",
        "-5",
        "1-" + "9" * 9999,
    ],
)
def test_what_is_no_time_is_named(sent: Any) -> None:
    assert noted(messages=[{}, {"sentAt": sent}]).startswith("messages[1].sentAt: ")


def test_numbers_may_come_as_text_and_flags_as_numbers() -> None:
    found = read(channel={"id": 2, "rating": "5", "duration": 36.0, "isChat": 1, "isMissed": 0})
    assert (found.rating, found.duration, found.is_chat, found.is_missed) == (5, 36, True, False)
    found = read(channel={"id": 2, "duration": "36.5", "isChat": "1", "isMissed": "TRUE", "isDropped": "no"})
    assert (found.duration, found.is_chat, found.is_missed, found.is_dropped) == (36, True, True, False)
    assert not found.notes


def test_a_list_with_gaps_comes_from_php_as_a_map() -> None:
    found = read(messages={"0": {"content": "a"}, "2": {"content": "b"}}, paths={})
    assert [one.content for one in found.messages] == ["a", "b"]
    assert not found.notes


@pytest.mark.parametrize("stack", [0, 700])
def test_deep_nesting_is_taken_or_refused_whoever_asks(stack: int) -> None:
    def parsed(body: bytes, below: int) -> Conversation:
        return parsed(body, below - 1) if below else parse_conversation(body)

    assert parsed(nested(99), stack).id == "2"
    for depth in (100, 150, 900, 100_000):
        with pytest.raises(PayloadError, match=r"nested too deeply|too large"):
            parsed(nested(depth), stack)


def test_errors_show_little_of_what_strangers_wrote_and_on_one_line() -> None:
    key = "\x1b[2J\u202e" + "k" * 10_000
    for found in (
        noted(visitor={"variables": {key: {"value": 1, "label": True}}}),
        noted(beginAt="\x9b\n" * 9_000),
    ):
        assert len(found) < 400
        assert found.isprintable()
    assert noted(visitor={"variables": {"můj klíč": {"value": 1, "label": True}}}).startswith(
        "visitor.variables.můj klíč.label: "
    )
