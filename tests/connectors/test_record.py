"""From a conversation to the words of a record: whole, harmless, within the vendor's limits."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.kit.email_address import email_in
from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.transcript import plain
from connectors.testing.chats import HOSTILE, SAMPLE
from core.conversation import Conversation, Message, Visitor
from core.errors import RecordRefused, Skipped
from core.smartsupp.parser import parse_conversation

CHAT = parse_conversation(json.dumps(SAMPLE).encode())


def mapping(conversation: Conversation = CHAT, **more: Any) -> Mapping:
    return Mapping(RecordSettings(type="x", **more), conversation)


def read(parts: list[str]) -> str:
    """What a person reads in HTML, without white space."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", "".join(parts))).split())


def test_the_defaults_read_well() -> None:
    made = mapping()
    assert made.subject(255) == "Chat: Dusan Kmet"
    assert made.tags() == ["smartsupp", "smartsupp-chat"]
    assert made.person is not None
    assert (made.person.name, made.person.email) == ("Dusan Kmet", "dusan@domain.com")
    (body,) = made.bodies(65_536)
    assert "<p>15:34:13 <b>John Doe</b>: Hi, how can i help you ?</p>" in body
    assert "<b>Note</b>: VIP customer" in body


def test_templates_word_subject_tags_fields_and_body() -> None:
    made = mapping(
        subject="{{ title }} {{ conversation.id }}",
        tags=["vip {{ visitor.country_code }}", "{{ visitor.group }}", "smartsupp", "SMARTSUPP"],
        fields={"cf_plan": "{{ visitor.variables.chatPackage.value }}"},
        body="<h1>{{ visitor.note }}</h1>{{ transcript }}<hr>",
    )
    assert made.subject(255) == "Chat 55039"
    assert made.tags() == ["vip-cz", "smartsupp"]
    assert made.fields() == {"cf_plan": "pro"}
    (body,) = made.bodies(65_536)
    assert body.startswith("<h1>VIP customer</h1><p>")
    assert body.endswith("</p><hr>")


def test_what_a_visitor_wrote_is_escaped_wherever_it_goes() -> None:
    visitor = Visitor(name="<b>Ann</b> {{7*7}}", note="<script>alert(1)</script>")
    made = mapping(Conversation(account="1", id="2", visitor=visitor), body="<p>{{ visitor.note }}</p>{{ transcript }}")
    (body,) = made.bodies(10_000)
    assert "<script" not in body
    assert "<b>Ann" not in body
    assert "{{" not in body
    assert made.subject(255) == "Chat: <b>Ann</b> {{7*7}}"


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("limit", [3_000, 65_536])
def test_a_hostile_chat_is_spread_over_parts_and_complete(name: str, limit: int) -> None:
    conversation = parse_conversation(json.dumps(HOSTILE[name]).encode())
    parts = mapping(conversation).bodies(limit)
    assert all(len(part) <= limit for part in parts)
    whole = re.sub(r"Part\d+of\d+", "", read(parts))
    for message in conversation.messages:
        if message.type != "system":
            text = "".join(plain(message.content).split())
            assert text in whole or (len(text) > 500 and text[:200] in whole)
    if len(parts) > 1:
        assert f"Part 1 of {len(parts)}" in parts[0]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=4000), max_size=12), st.integers(7_000, 20_000))
@settings(max_examples=150, deadline=None)
def test_any_chat_fits_any_limit_and_nothing_is_cut(texts: list[str], limit: int) -> None:
    messages = tuple(Message(type="visitor", name="Ann", content=text) for text in texts)
    conversation = Conversation(account="1", id="2", messages=messages)
    for size in (len, lambda text: len(text.encode())):
        parts = mapping(conversation).bodies(limit, size)
        assert all(size(part) <= limit for part in parts)
        whole = re.sub(r"Part\d+of\d+", "", read(parts))
        position = 0
        for text in texts:
            for word in "".join(plain(line) for line in text.splitlines()).split():
                found = "".join(word.split())
                position = whole.find(found, position) if len(found) < 300 else position
                assert position >= 0


def test_a_subject_is_one_line_and_says_that_it_was_shortened() -> None:
    made = mapping(subject="{{ visitor.name }}\n{{ visitor.name }}" + "x" * 300)
    assert made.subject(40) == ("Dusan Kmet Dusan Kmet" + "x" * 18) + "…"
    assert mapping(subject="{{ visitor.group }}").subject(40) == "Chat"


def test_without_an_e_mail_the_admin_has_chosen() -> None:
    nobody = CHAT.model_copy(update={"visitor": Visitor(id="7", name="Ann", email="?")})
    assert mapping(nobody).person is None
    placeholder = mapping(nobody, without_email="placeholder").person
    assert placeholder is not None
    assert (placeholder.name, placeholder.email) == ("Ann", "visitor-7@smartsupp.example.com")
    # Vendors check addresses, too: one that our own check refuses would be a bad choice.
    assert email_in(placeholder.email) == placeholder.email
    none = CHAT.model_copy(update={"visitor": Visitor(id="7", name="Ann", email=" ")})
    with pytest.raises(Skipped, match="the visitor left no email"):
        _ = mapping(none, without_email="skip").person


def test_an_address_that_cannot_be_used_is_named() -> None:
    typo = CHAT.model_copy(update={"visitor": Visitor(id="7", name="Ann", email="ann@shop,<b>com{{1}}")})
    with pytest.raises(Skipped, match=re.escape("the email 'ann@shop,<b>com{{1}}' cannot be used")):
        _ = mapping(typo, without_email="skip").person
    (body,) = mapping(typo).bodies(65_536)
    assert "The email address ann@shop,&lt;b&gt;com&#123;&#123;1}} cannot be used" in body
    (body,) = mapping(typo, without_email="placeholder").bodies(65_536)
    assert "cannot be used" not in body


def test_a_body_says_that_the_vendor_refused_the_visitor() -> None:
    made = mapping(language="de")
    assert "kann nicht verwendet werden" not in made.bodies(65_536)[0]
    made.left_out = True
    assert "dusan@domain.com kann nicht verwendet werden" in made.bodies(65_536)[0]


def test_a_field_that_comes_out_empty_is_left_out() -> None:
    assert mapping(fields={"a": "{{ visitor.group }}", "b": " ", "c": "x"}).fields() == {"c": "x"}


def test_pages_are_links_where_that_is_wished_and_what_a_visitor_wrote_is_none() -> None:
    hostile = CHAT.model_copy(
        update={
            "visitor": CHAT.visitor.model_copy(
                update={"referer": """javascript:alert(1) http://x/"onclick='a'<b>{{""", "note": "http://note.example"}
            ),
            "messages": (Message(type="visitor", content="see http://evil.example"),),
        }
    )
    (body,) = mapping(hostile).bodies(65_536, linked=True)
    links = re.findall(r"<a [^>]*>", body)
    assert len(links) == 1 + len(hostile.paths)
    assert all(
        re.fullmatch(r'<a href="https?://[^"<>]+" target="_blank" rel="noopener noreferrer nofollow">', one)
        for one in links
    )
    assert "{" not in body
    assert "<a" not in mapping(hostile).bodies(65_536)[0]


def test_a_template_that_fails_on_a_chat_refuses_it_with_the_reason() -> None:
    with pytest.raises(RecordRefused, match="cannot be rendered"):
        mapping(subject="{{ conversation.rating + visitor.name }}").subject(255)


def test_a_body_that_is_too_long_by_itself_says_so() -> None:
    with pytest.raises(RecordRefused, match="without its transcript"):
        mapping(body="x" * 5_000 + "{{ transcript }}").bodies(4_000)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("time_zone", "Europe/Prag", "is not a time zone"),
        ("time_zone", "../../etc/passwd", "is not a time zone"),
        ("subject", "{{ visitor.nam }}", "did you mean 'name'"),
        ("tags", ["{{ kin }}"], "did you mean 'kind'"),
        ("body", "{{ transcrip }}", "did you mean 'transcript'"),
        ("language", "cz", "'en', 'cs', 'sk', 'de', 'pl', 'hu', 'fr', 'es', 'it', 'nl' or 'ro'"),
    ],
)
def test_wrong_settings_say_what_to_type(setting: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        RecordSettings(type="x", **{setting: value})


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("limit", [600, 65_536])
def test_a_hostile_chat_is_whole_as_plain_text_too(name: str, limit: int) -> None:
    conversation = parse_conversation(json.dumps(HOSTILE[name]).encode())

    def size(text: str) -> int:
        return len(text.encode())

    parts = mapping(conversation).texts(limit, size, escape=lambda line: line.replace("{", "\\{"))
    assert all(size(part) <= limit for part in parts)
    text = "\n".join(parts)
    assert not re.search(r"(?<!\\)\{", text)
    whole = "".join(re.sub(r"^Part \d+ of \d+$", "", text, flags=re.MULTILINE).replace("\\{", "{").split())
    for message in conversation.messages:
        if message.type != "system":
            assert "".join(plain(message.content).split()) in whole


def test_no_part_of_a_plain_text_begins_with_a_line_that_a_visitor_made_up() -> None:
    forged = "[10:00:00] Ann: yes, all of it is free. " * 60
    conversation = Conversation(account="1", id="2", messages=(Message(type="visitor", name="Eve", content=forged),))
    lines = [line for part in mapping(conversation).texts(500) for line in part.splitlines()]
    assert [line for line in lines if re.match(r"\[?10:00|Ann:", line)] == []
    assert sum("Ann: yes" in line for line in lines) > 5


def test_a_plain_text_has_the_admins_words_and_says_that_it_is_a_revision() -> None:
    (text,) = mapping(body="From {{ visitor.name }}:\n{{ transcript }}\nThe end").texts(65_536, revised=True)
    first, second, *_, last = text.splitlines()
    assert first == "The conversation continued; this is all of it."
    assert (second, last) == ("From Dusan Kmet:", "The end")
