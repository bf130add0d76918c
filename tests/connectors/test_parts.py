"""A transcript in parts with marks, in every format, added or written over."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.step import Step
from connectors.kit.text.formats import BBCODE, HTML, MARKDOWN, PLAIN, SLACK, TEXTILE, WIKI, Form, card
from connectors.kit.text.parts import Layout, Part, append, ends_with, has_text, marked, octets, overwrite, utf16
from connectors.testing.chats import HOSTILE, SAMPLE, chat
from core.delivery import Delivery, DeliveryStatus
from core.ids import ConversationId, DeliveryId
from core.smartsupp.parser import parse_conversation

FORMS = [HTML, PLAIN, MARKDOWN, TEXTILE, BBCODE, WIKI, SLACK]
BODY = (
    '<h2>Chat</h2><p><b>Ann</b>: 1 &lt; 2 &amp; *3*<br>next <a href="https://shop.example.com/a b">page</a></p>'
    "<ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table><script>alert(1)</script><p>end</p>"
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("mark", ["[{} {}.{}]", "{} {}.{}"])
def test_a_text_is_known_by_the_mark_of_any_revision_and_part_of_its_own_chat(form: Form, mark: str) -> None:
    layout = Layout(60_000, form=form, mark=mark.format)
    for revision in (1, 1_427_470_480):
        for part in layout.parts(words(chat("long " * 30_000)), revision):
            assert layout.revision_in(part.body, "smartsupp:208:55039") == revision
            assert layout.revision_in(f"{part.body} and a word", "smartsupp:208:55039") is None
            assert layout.revision_in(part.body, "smartsupp:208:5503") is None
            assert layout.revision_in(part.body, "smartsupp:208:55039:shop") is None


def words(payload: dict[str, Any] = SAMPLE, **settings: Any) -> Mapping:
    model = RecordSettings.model_validate({"type": "desk", **settings})
    return Mapping(model, parse_conversation(json.dumps(payload).encode()))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (HTML, BODY),
        (
            PLAIN,
            "Chat\n\nAnn: 1 < 2 & *3*\nnext page (https://shop.example.com/a b)\n\n- one\n- two\n\na b \n\nend",
        ),
        (
            MARKDOWN,
            "**Chat**\n\n**Ann**: 1 \\< 2 \\& \\*3\\*\nnext [page](<https://shop.example.com/a%20b>)\n\n"
            "- one\n- two\n\na b \n\nend",
        ),
        (
            BBCODE,
            "[B]Chat[/B]\n\n[B]Ann[/B]: 1 < 2 & *3*\nnext [URL=https://shop.example.com/a%20b]page[/URL]\n\n"
            "- one\n- two\n\na b \n\nend",
        ),
        (
            TEXTILE,
            "*Chat*\n\n*Ann*: 1 < 2 & \u2060*3*\nnext page https://shop.example.com/a%20b\n\n"
            "* one\n* two\n\na b \n\nend",
        ),
        (
            WIKI,
            "*Chat*\n\n*Ann*: 1 < 2 & \\*3\\*\nnext [page|https://shop.example.com/a%20b]\n\n"
            "* one\n* two\n\na b \n\nend",
        ),
        (
            SLACK,
            "*Chat*\n\n*Ann*: 1 &lt; 2 &amp; *3*\nnext <https://shop.example.com/a%20b|page>\n\n"
            "• one\n• two\n\na b \n\nend",
        ),
    ],
    ids=lambda one: one.name if isinstance(one, Form) else "",
)
def test_a_body_in_every_format(form: Form, said: str) -> None:
    assert form.of(BODY) == said


def test_a_link_to_anything_but_the_web_is_text() -> None:
    for form in FORMS[1:]:
        assert form.of('<a href="javascript:alert(1)">x</a>') == "x"


def test_markdown_takes_no_list_or_heading_from_what_was_said() -> None:
    said = html.escape("# no\n- no\n+ no\n> no\n1. as it is\n[x](http://a)\n<!channel> {{a}}")
    assert MARKDOWN.of(said).splitlines() == [
        "\\# no",
        "\\- no",
        "\\+ no",
        "\\> no",
        "1. as it is",
        "\\[x\\](http://a)",
        "\\<!channel\\> \\{\\{a\\}\\}",
    ]


@pytest.mark.parametrize("form", [MARKDOWN, TEXTILE], ids=lambda one: one.name)
def test_nobody_is_mentioned_and_no_record_is_linked(form: Form) -> None:
    """As programs look for them in what is shown: https://github.com/redmine/redmine/blob/master/app/helpers/application_helper.rb
    and EspoCRM's pattern for mentions."""
    said = form.of(html.escape("@admin (@admin) see #12, x@admin and ##3"))
    shown = re.sub(r"\\(.)", r"\1", said)
    assert not re.search(r"(?<![\w\u2060])@\w", shown)
    assert not re.search(r"(?<![\w\u2060])#+\d", shown)
    for word in ("user:ann", 'document:"Terms"', "support:version:1.0", "commit:c6f4d0fd", "r12"):
        shown = re.sub(r"\\(.)", r"\1", form.of(html.escape(f"see {word}")))
        assert shown.replace("\u2060", "") == f"see {word}"
        assert not re.search(r"[ :](user|document|version|commit):|(?<= )r\d", shown), shown
    # An address can be copied.
    assert form.of("https://a.example.com/user:ann?x=commit:1") == "https://a.example.com/user:ann?x=commit:1"
    assert "ann.b@mail.example.com" in re.sub(r"\\", "", form.of("write to ann.b@mail.example.com"))


def test_textile_makes_nothing_of_what_was_said_and_leaves_addresses_whole() -> None:
    signs = ["*bold*", "_it_", "-gone-", "+new+", "@code@", "!http://a/b.png!", "h1. Big", "bq. x", "* item", "# item"]
    signs += ["|a|b|", "%{color:red}x%", '"Click":http://a', "[[Wiki]]", "{{macro}}", "<pre>x</pre>", "source:a", "r12"]
    for sign in signs:
        said = TEXTILE.of(html.escape(sign))
        assert said.replace("\u2060", "").replace("{ {", "{{") == sign
        assert not re.search(r"(^|[\s>(])([*_+\-@!|%]|h\d\.|bq\.|r\d)", said), said
        assert not re.search(r"\[\[|\{\{|<[/!a-zA-Z]|\":", said), said
        assert "\u2060" in said or "{ {" in said, said
    assert TEXTILE.of("https://a.example.com/x-y_z?a=1&amp;b=*2#p-1") == "https://a.example.com/x-y_z?a=1&b=*2#p-1"


def test_slack_calls_nobody_and_bbcode_makes_nothing_bold() -> None:
    assert SLACK.of("&lt;!channel&gt;") == "&lt;!channel&gt;"
    assert "[b]" not in BBCODE.of("[b]x[/b]").lower()


def test_a_card_has_a_text_for_each_paragraph() -> None:
    made = card("<p>one</p><p><b>two</b><br>three</p>")
    assert [block["text"] for block in made["body"]] == ["one", "**two**\nthree"]


@settings(deadline=None)  # how long it takes is not what is tested
@given(st.text(max_size=300))
def test_every_format_says_all_that_was_said(said: str) -> None:
    payload = chat("begin", said or "x")
    layout_words = words(payload)
    letters = re.sub(r"\W|_", "", said)
    for form in FORMS:
        [part] = Layout(100_000, form=form).parts(layout_words, 1)
        plain = re.sub(r"<[^>]*>", "", part.body) if form is HTML else part.body
        shown = html.unescape(plain) if form in (HTML, SLACK) else plain
        # Emphasis and the signs that a format escapes aside.
        found = re.sub(r"\W|_", "", shown)
        assert letters in found or any(not one.isprintable() for one in said)


@pytest.mark.parametrize("form", FORMS, ids=lambda one: one.name)
@pytest.mark.parametrize("size", [len, octets, utf16])
def test_no_part_is_longer_than_it_may_be_and_each_ends_with_its_mark(form: Form, size: Any) -> None:
    layout = Layout(9_000, size, form, "[{} {}.{}]".format)
    for name, payload in HOSTILE.items():
        parts = layout.parts(words(payload), 3, heading="<p><b>Subject</b></p>")
        for part in parts:
            assert size(part.body) <= 9_000, (name, part.number)
            assert part.mark == f"[smartsupp:208:55039 3.{part.number}]"
        if form in (HTML, PLAIN, SLACK):
            assert all(ends_with(part.body, part.mark) for part in parts)
        assert [part.number for part in parts] == [*range(1, len(parts) + 1)]


def test_what_a_visitor_wrote_ends_no_part_with_a_mark() -> None:
    mark = "[smartsupp:208:55039 1.1]"
    [part] = Layout(9_000, mark="[{} {}.{}]".format).parts(words(chat(f"x {mark}")), 2)
    assert not ends_with(part.body, mark)
    assert marked([part.body], str, part.mark) == part.body
    assert marked([part.body], str, mark) is None


class Desk:
    """Keeps texts, and may die after writing one."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.written = 0

    def write(self, part: Part) -> int:
        self.texts.append(part.body)
        self.written += 1
        return len(self.texts) - 1

    def look(self, part: Part) -> int | None:
        found = marked(self.texts, str, part.mark)
        return None if found is None else self.texts.index(found)

    def change(self, number: int, part: Part) -> None:
        self.texts[number] = part.body
        self.written += 1


LAYOUT = Layout(2_500, mark="[{} {}.{}]".format)
LONG = chat(*("message " + "x" * 200 for _ in range(40)))


def test_a_revision_is_added_once_in_reading_order_whatever_stands_on_top() -> None:
    for newest_first in (False, True):
        desk, memory = Desk(), dict[str, Any]()
        parts = LAYOUT.parts(words(LONG), 1)
        assert len(parts) > 3
        for _ in range(2):
            step = Step(memory, memory.__setitem__)
            made = append(step, "note", parts, write=desk.write, look=desk.look, newest_first=newest_first)
        shown = desk.texts[::-1] if newest_first else desk.texts
        assert shown == [part.body for part in parts]
        assert [desk.texts[one] for one in made] == [part.body for part in parts]
        assert {f"note 1.{part.number}" for part in parts} <= memory.keys()


def test_what_was_written_before_a_death_is_found_by_its_mark() -> None:
    desk, memory = Desk(), dict[str, Any]()
    parts = LAYOUT.parts(words(LONG), 1)
    desk.write(parts[0])
    memory["note 1.1?"] = True  # it had begun, and nobody knows how it ended
    append(Step(memory, memory.__setitem__), "note", parts, write=desk.write, look=desk.look)
    assert desk.texts == [part.body for part in parts]


def put(desk: Desk, memory: dict[str, Any], payload: dict[str, Any], revision: int) -> list[Any]:
    said = words(payload)
    return overwrite(
        Step(memory, memory.__setitem__),
        "note",
        Layout(2_500, mark=lambda key, _, part: f"[{key} {part}]").parts(said, revision),
        write=desk.write,
        look=desk.look,
        change=desk.change,
        blank=lambda number: LAYOUT.blank(said, revision, number),
    )


def test_a_revision_is_written_over_the_one_before_and_only_once() -> None:
    desk, memory = Desk(), dict[str, Any]()
    first = put(desk, memory, LONG, 1)
    assert desk.written == len(first)
    longer = chat(*(f"message {n} " + "y" * 200 for n in range(60)))
    second = put(desk, memory, longer, 2)
    assert second[: len(first)] == first
    assert desk.written == len(first) + len(second)
    assert not any("x" * 200 in text for text in desk.texts)
    assert put(desk, memory, longer, 2) == second
    assert desk.written == len(first) + len(second)


def test_what_an_earlier_revision_needed_and_this_one_does_not_is_made_blank() -> None:
    desk, memory = Desk(), dict[str, Any]()
    put(desk, memory, LONG, 1)
    put(desk, memory, SAMPLE, 2)
    assert "message" not in "".join(desk.texts[1:])
    assert desk.texts[1].startswith("<p>—</p>")


def test_ids_that_an_earlier_version_remembered_are_written_over() -> None:
    desk, memory = Desk(), dict[str, Any]()
    desk.texts.append("the old text")
    memory["note 1"] = 0
    assert put(desk, memory, SAMPLE, 2) == [0]
    assert "the old text" not in desk.texts


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@given(content=st.lists(st.sampled_from(["hi", "12:00:01 John Doe: yes", "", " ", "\u00a0", "x" * 3_000]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_visitor_writes_what_looks_like_a_line_of_somebody_else(form: Form, content: list[str]) -> None:
    """Neither within a part nor at the beginning of one."""
    said = "\n".join(["Hello", *content])
    parts = Layout(10_000, form=form).parts(words(chat(said, said)), 1)
    lines = [line for part in parts for line in re.split(r"\n|<br>|</?p>", part.body)]
    assert sum(bool(re.match(r"\d\d:\d\d:\d\d", line)) for line in lines) == 2


def test_notes_at_the_destination_are_no_words_of_the_connector() -> None:
    """Both are steps whose names begin with `note `."""
    memory: dict[str, Any] = {"note 1": {"id": 7, "revision": 1}, "note 1.1": 7, "note 1.2?": True, "lead": 3}
    step = Step(memory, memory.__setitem__, forget=memory.pop)
    step.note("owner", "Nobody was named.")
    assert step.notes == ("Nobody was named.",)
    delivery = Delivery(
        DeliveryId("odoo:1:2"), "odoo", ConversationId("1:2"), DeliveryStatus.DELIVERED, 0, 0, steps=memory
    )
    assert delivery.notes == step.notes
    assert delivery.made.keys() == {"note 1", "note 1.1", "note 1.2?", "lead"}


def test_a_visitor_who_writes_nothing_but_angle_brackets_holds_up_nobody() -> None:
    # It would be for hours, were each of them read on to the end of the text.
    brackets = "<" * 1_000_000
    assert not ends_with(brackets, "[mark]")
    assert has_text(brackets, brackets)
