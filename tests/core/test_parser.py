"""Any bytes are a conversation, a statistics report or one clear error; what Smartsupp documents is read as it says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.testing.chats import HOOK
from core.conversation import Conversation, Message, Page, Variable, Visitor
from core.errors import PayloadError
from core.smartsupp import parser
from core.smartsupp.parser import StatisticsReport, glance, parse, parse_conversation

PAYLOADS = Path(__file__).parents[1] / "payloads"
BEFORE = (PAYLOADS / "hook-before-2018-11-16.json").read_bytes()
SAMPLE: dict[str, Any] = json.loads(HOOK)

MX = "visitor:mxTiqn9adr2h39kmzAJ0FeaTGFJhmjio0R41491503012015"
BROWSER = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8_5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/41.0.2272.89 Safari/537.36"
)


def at(ms: int) -> datetime:
    return datetime(2015, 3, 27, 15, 33, 59, 703_000, UTC) + timedelta(milliseconds=ms - 1427470439703)


DOCUMENTED = Conversation(
    account="208",
    id="55039",
    begin_at=at(1427470439703),
    end_at=at(1427470476687),
    is_chat=True,
    is_missed=False,
    is_triggered=True,
    is_offline=False,
    is_completed=True,
    is_dropped=False,
    duration=36,
    avg_response=14,
    first_response=14,
    messages_count=5,
    words_count=11,
    rating=5,
    rating_desc="",
    visitor=Visitor(
        id="27671",
        name="Dusan Kmet",
        email="dusan@domain.com",
        note="VIP customer",
        group="",
        ip_address="89.235.0.55",
        city="Czech Republic",
        country_code="CZ",
        country="Brno",
        user_agent=BROWSER,
        platform="MacIntel",
        referer="",
        variables={
            "chatId": Variable(label="Chat ID", value=208),
            "chatPackage": Variable(label="Chat Package", value="pro"),
            "userId": Variable(label="User ID", value="1234"),
        },
    ),
    paths=(
        Page(url="http://developers.smartsupp.com/smartsupp/hook-post", title="POST Hook · Smartsupp"),
        Page(url="http://developers.smartsupp.com", title="API · Smartsupp"),
    ),
    messages=(
        Message(type="visitor", sender=MX, content="Hello", sent_at=at(1427470439703)),
        Message(type="system", name="John Doe", sender="agent:3", content="agent.join", sent_at=at(1427470446219)),
        Message(
            type="agent",
            sender="system",
            content="This is triggered message",
            sent_at=at(1427470449706),
            triggered_by="Test Trigger",
        ),
        Message(
            type="agent",
            name="John Doe",
            sender="agent:3",
            content="Hi, how can i help you ?",
            sent_at=at(1427470453772),
        ),
        Message(type="visitor", name="Dusan Kmet", sender=MX, content="tanks.", sent_at=at(1427470473124)),
        Message(
            type="system", name="Dusan Kmet", sender="system", content="close.visitorClose", sent_at=at(1427470476687)
        ),
    ),
)

Path_ = tuple[str | int, ...]


def walk(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every path below a JSON value."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from walk(item, (*path, key))


def changed(path: Path_, change: Callable[[Any, Any], None]) -> bytes:
    """The documented payload after `change(parent, key)` at a path."""
    payload: Any = copy.deepcopy(SAMPLE)
    parent = payload
    for part in path[:-1]:
        parent = parent[part]
    change(parent, path[-1])
    return json.dumps(payload).encode()


def replaced(path: Path_, value: Any) -> bytes:
    return changed(path, lambda parent, key: parent.__setitem__(key, value))


def spelled(path: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def read(body: bytes, account: str = "") -> Conversation | StatisticsReport | PayloadError:
    """What a body is. Any other exception fails the test, and so does a result that cannot be written down, and a
    glance that says something else."""
    try:
        seen: bool | str = glance(body, account)
    except PayloadError as error:
        seen = str(error)
    found: Conversation | StatisticsReport | PayloadError
    try:
        found = parse(body, account)
    except PayloadError as error:
        str(error).encode()
        found = error
    if isinstance(found, PayloadError):
        assert seen in (True, str(found))
        return found
    assert seen is isinstance(found, Conversation)
    if isinstance(found, Conversation):
        whole = found.model_copy(update={"notes": ()})
        json.dumps(found.model_dump(mode="json"), ensure_ascii=False, allow_nan=False).encode()
        assert Conversation.model_validate_json(found.model_dump_json().encode(), strict=False) == whole
    return found


def sample(**changes: Any) -> Conversation:
    """The documented payload with other members in `visitor`."""
    return parse_conversation(json.dumps({**SAMPLE, "visitor": {**SAMPLE["visitor"], **changes}}).encode())


PATHS = list(walk(SAMPLE))
OTHERS: list[Any] = [
    *(None, True, 1, -5, 1.5, 1e308, float("nan"), float("inf"), 10**30, 10**400),
    *("", "x", "12", "\ud83d", [], ["x"], [None], {}, {"a": {"b": [1]}}, [[[{"value": [{}]}]]]),
]


@pytest.mark.parametrize("body", [HOOK, BEFORE], ids=["now", "before 2018-11-16"])
def test_it_reads_every_field_of_the_documented_payloads(body: bytes) -> None:
    assert parse(body) == DOCUMENTED


def test_it_sets_aside_the_statistics_report() -> None:
    assert parse((PAYLOADS / "domain-stats-report.json").read_bytes()) == StatisticsReport(domains=2)
    assert parse(b'{"domains": []}') == StatisticsReport(domains=0)  # an empty map of PHP
    assert parse(b'{"domains": null}') == StatisticsReport(domains=0)


def test_it_finds_no_conversation_in_a_statistics_report() -> None:
    with pytest.raises(PayloadError, match="statistics report"):
        parse_conversation((PAYLOADS / "domain-stats-report.json").read_bytes())


@pytest.mark.parametrize("path", PATHS, ids=spelled)
def test_it_lives_without_any_field_but_the_ids(path: Path_) -> None:
    found = read(changed(path, lambda parent, key: parent.__delitem__(key)))
    if spelled(path) in {"accountId", "channel", "channel.id"}:
        assert isinstance(found, PayloadError)
        assert found.path == spelled(path)
    else:
        assert isinstance(found, Conversation)


@pytest.mark.parametrize("path", PATHS, ids=spelled)
def test_it_reads_a_field_of_another_type_or_notes_it(path: Path_) -> None:
    """Only what names the chat, and the shape of what was said, may cost the chat."""
    where = spelled(path)
    needed = where in ("accountId", "channel", "channel.id", "visitor", "messages")
    needed = needed or (path[0] == "messages" and len(path) == 2)
    for value in OTHERS:
        found = read(replaced(path, value))
        if isinstance(found, PayloadError):
            assert needed
            assert found.path == where or found.path.startswith((f"{where}.", f"{where}["))
        else:
            assert isinstance(found, Conversation)
            assert found.key == DOCUMENTED.key or needed
            assert all(note.startswith(where) for note in found.notes)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("avg-word", 'channel.avgResponse: expected a number, got text "n/a"; left empty'),
        ("content-object", "messages[0].content: expected text, got an object; kept as JSON"),
        ("duration-text", ""),
        ("flag-text", ""),
        ("seconds", ""),
    ],
)
def test_an_odd_field_costs_no_chat(name: str, note: str) -> None:
    found = parse_conversation((PAYLOADS / f"odd-{name}.json").read_bytes())
    assert found.notes == ((note,) if note else ())
    assert found.visitor.email == "ann@shop.example.com"
    if name == "flag-text":
        assert found.is_chat
    if name == "duration-text":
        assert found.duration == 36
    if name == "seconds":
        assert (found.begin_at, found.messages[0].sent_at) == (at(1427470439000), at(1427470439000))
    if name == "content-object":
        assert "https://cdn.example/a.png" in found.messages[0].content


def test_notes_are_for_people_and_are_few() -> None:
    odd = {**SAMPLE, "messages": [{"content": "Hello", "sentAt": "soon"} for _ in range(50)]}
    found = parse_conversation(json.dumps(odd).encode())
    assert len(found.messages) == 50
    assert (len(found.notes), found.notes[-1]) == (21, "and 30 more")
    assert "notes" not in found.model_dump()


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe")
@example(b"\x00\x00\xfe\xff\x00")
@settings(max_examples=300, deadline=None)
def test_it_takes_any_bytes(body: bytes) -> None:
    assert isinstance(read(body), PayloadError)  # 200 bytes hold no conversation by chance


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_it_takes_a_payload_with_damaged_bytes(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(HOOK)))
    end = data.draw(st.integers(start, min(len(HOOK), start + 40)))
    read(HOOK[:start] + data.draw(st.binary(max_size=20)) + HOOK[end:])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(PATHS), JSON)
@settings(max_examples=400, deadline=None)
def test_it_takes_any_json_anywhere_in_a_payload(path: Path_, value: Any) -> None:
    read(replaced(path, value))


@given(st.dictionaries(st.sampled_from([*SAMPLE, *SAMPLE["visitor"], "domains", ""]) | st.text(), JSON, max_size=5))
@settings(max_examples=300, deadline=None)
def test_it_takes_any_json_merged_into_a_payload(members: dict[str, Any]) -> None:
    for part in ("visitor", "channel"):
        read(json.dumps({**SAMPLE, part: {**SAMPLE[part], **members}}).encode())
    read(json.dumps({**SAMPLE, **members}).encode())
    read(json.dumps(members).encode())


@pytest.mark.parametrize("place", [("accountId",), ("channel", "id")], ids=spelled)
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (55039, "55039"),
        ("00123", "00123"),
        (12345678901234567890, "12345678901234567890"),
        ("coB2Zk9-x_Q.1", "coB2Zk9-x_Q.1"),
        ("vi" + "a" * 62, "vi" + "a" * 62),
    ],
)
def test_it_keeps_ids_as_text(place: Path_, sent: Any, kept: str) -> None:
    found = parse_conversation(replaced(place, sent))
    assert kept == (found.account if place == ("accountId",) else found.id)


@pytest.mark.parametrize("place", [("accountId",), ("channel", "id")], ids=spelled)
@pytest.mark.parametrize(
    "sent",
    [
        "",
        ".",
        "..",
        ".git",
        "a/b",
        "../a",
        "a\\b",
        "a:b",
        "a b",
        "a\n",
        "a\x00",
        "č",
        "x" * 65,
        True,
        1.0,
        10**64,
        [],
        {},
    ],
    ids=repr,
)
def test_it_refuses_ids_that_lead_elsewhere(place: Path_, sent: Any) -> None:
    found = read(replaced(place, sent))
    assert isinstance(found, PayloadError)
    assert found.path == spelled(place)


def test_it_keeps_the_visitors_id_as_it_came() -> None:
    assert [sample(id=sent).visitor.id for sent in ("vi0042", 42, "0042", None)] == ["vi0042", "42", "0042", ""]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [1, -0.0, 1.5e300, 0.1, 5e-324, 12345678901234567890123, true, null, "x"], "a": {"b": "\\u010d"}}',
        '{"a": "Žofie 😀"}'.encode(),
        b'{"a": "a raw\nline break\tand a tab"}',
        b'{"a": "half a pair: \\ud83d"}',
        b'{"a": "a pair: \\ud83d\\ude00"}',
        b'\xef\xbb\xbf{"a": "a byte order mark"}',
        '{"a": "Žofie"}'.encode("utf-16"),
        '{"a": "Žofie"}'.encode("utf-32-le"),
        b"[NaN, Infinity, -Infinity, 1e999]",
        b"[" * 300 + b"]" * 300,
        b' \r\n{ "a" : 1 } ',
        b'"a text"',
        b"1",
    ],
)
def test_the_quick_reader_finds_what_pythons_own_finds(body: bytes) -> None:
    expected = json.loads(body, strict=False)
    assert repr(parser._loaded(body)) == repr(expected)


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1,}', b"{'a': 1}", b'{"a": 01}', b'{"a"}', b"\xff\xfe", b"1 2"])
def test_and_what_is_none_has_the_same_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as own:
        json.loads(body, strict=False)
    with pytest.raises(ValueError, match=r".") as found:
        parser._loaded(body)
    assert str(found.value) == str(own.value)
