"""A conversation as text: complete, and nobody can write what looks like somebody else's line."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.transcript import Voice, as_text, plain
from connectors.testing.chats import HOOK
from core.conversation import Conversation, Message, Page, Variable, Visitor
from core.smartsupp.parser import parse_conversation

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(codec="utf-8"))


def lines(*messages: Message) -> list[str]:
    """What stands below the head."""
    text = as_text(Conversation(account="1", id="2", messages=messages))
    return text.partition("\n\n")[2].splitlines()


def said(content: str, **more: str) -> list[str]:
    about = {"type": "visitor", "name": "Ann", **more}
    return lines(Message.model_validate({**about, "content": content, "sent_at": NOON}))


def test_the_documented_conversation_reads_well() -> None:
    assert as_text(parse_conversation(HOOK)) == (
        "Conversation: 55039 (account 208), chat\n"
        "Began: 2015-03-27 15:33:59 UTC\n"
        "Ended: 2015-03-27 15:34:36 UTC\n"
        "Visitor: Dusan Kmet <dusan@domain.com>\n"
        "Note: VIP customer\n"
        "Place: Czech Republic, Brno, CZ\n"
        "Address: 89.235.0.55\n"
        "Browser: MacIntel · Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8_5) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/41.0.2272.89 Safari/537.36\n"
        "Rating: good\n"
        "Chat ID: 208\n"
        "Chat Package: pro\n"
        "User ID: 1234\n"
        "Page: POST Hook · Smartsupp http://developers.smartsupp.com/smartsupp/hook-post\n"
        "Page: API · Smartsupp http://developers.smartsupp.com\n"
        "\n"
        "[15:33:59] visitor: Hello\n"
        "[15:34:06] — John Doe joined\n"
        "[15:34:09] agent (automatic: Test Trigger): This is triggered message\n"
        "[15:34:13] John Doe: Hi, how can i help you ?\n"
        "[15:34:33] Dusan Kmet: tanks.\n"
        "[15:34:36] — Dusan Kmet closed the chat\n"
    )


def test_times_can_be_those_of_a_place() -> None:
    text = as_text(parse_conversation(HOOK), Voice(zone=ZoneInfo("Europe/Prague")))
    assert "Began: 2015-03-27 16:33:59 CET" in text
    assert "[16:33:59] visitor: Hello" in text


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_earliest_and_the_latest_times_can_be_shown_everywhere(zone: str) -> None:
    for ms in (1, 253_402_214_399_999):
        found = parse_conversation(b'{"accountId": 1, "channel": {"id": 2}, "beginAt": %d}' % ms)
        assert "Began: " in as_text(found, Voice(zone=ZoneInfo(zone)))


def test_what_is_missing_is_left_out() -> None:
    assert as_text(Conversation(account="1", id="2")) == "Conversation: 2 (account 1), chat\n\n"
    assert lines(Message()) == ["[--:--:--] : "]


@pytest.mark.parametrize(
    ("conversation", "name"),
    [
        (Conversation(account="1", id="2", is_offline=True, is_missed=True), "offline"),
        (Conversation(account="1", id="2", is_missed=True), "missed"),
        (Conversation(account="1", id="2", is_chat=True), "chat"),
    ],
)
def test_it_says_what_kind_of_conversation_it_is(conversation: Conversation, name: str) -> None:
    assert conversation.kind == name


@pytest.mark.parametrize(
    ("rating", "text"),
    [(5, "Rating: good · ok"), (3, "Rating: normal · ok"), (1, "Rating: bad · ok"), (2, "Rating: 2 · ok")],
)
def test_ratings_have_names(rating: int, text: str) -> None:
    assert text in as_text(Conversation(account="1", id="2", rating=rating, rating_desc="ok"))


def test_unknown_system_messages_are_shown_as_they_are() -> None:
    assert said("agent.transfer {name} {0}", type="system") == ["[12:00:00] — agent.transfer {name} {0}"]
    assert said("agent.join", type="system", name="{content}") == ["[12:00:00] — {content} joined"]


def test_the_speaker_is_named_by_what_is_known() -> None:
    assert said("x", name="", type="", sender="agent:3") == ["[12:00:00] agent:3: x"]
    assert said("x", name=" \t", type="agent") == ["[12:00:00] agent: x"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e"])
def test_further_lines_are_set_in(end: str) -> None:
    assert said(f"Hi{end}[12:00:01] John Doe: It is free") == [
        "[12:00:00] Ann: Hi",
        "    [12:00:01] John Doe: It is free",
    ]


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from(["visitor", "agent", "system", "\nx"]))
@settings(max_examples=400, deadline=None)
def test_no_text_makes_a_line_of_its_own(name: str, content: str, trigger: str, of: str) -> None:
    message = Message(type=of, name=name, content=content, triggered_by=trigger, sender=name, sent_at=NOON)
    found = lines(message, message)
    assert all(line.startswith(("[12:00:00] ", "    ")) for line in found)
    assert sum(line.startswith("[") for line in found) == 2


@given(ANY_TEXT)
@settings(max_examples=300, deadline=None)
def test_no_text_adds_a_line_to_the_head(text: str) -> None:
    conversation = Conversation(
        account="1",
        id="2",
        rating_desc=text,
        visitor=Visitor(
            **dict.fromkeys(("name", "email", "note", "group", "ip_address", "city", "platform", "referer"), text),
            variables={text: Variable(label=text, value=text)},
        ),
        paths=(Page(url=text, title=text),),
    )
    head, _, rest = as_text(conversation).partition("\n\n")
    starts = ("Conversation", "Visitor", "Note", "Group", "Place", "Address", "Browser", "Came from", "Rating", "Page")
    strange = [line for line in head.splitlines() if not line.startswith(starts)]
    assert len(strange) <= 1  # the variable's, whose label is the visitor's own
    assert rest == ""


def test_marks_that_turn_the_text_around_are_taken_out_and_words_are_not() -> None:
    assert plain("\u202eabc\u2066\u2069\x00\x1b[2J\x9b") == "abc[2J"
    assert plain("שלום عليكم 👩‍👩‍👧 e\u0301\t\n") == "שלום عليكم 👩‍👩‍👧 e\u0301\t\n"
