"""The example for django-helpdesk against a real one: `relay web`, `relay worker`, Valkey, and django-helpdesk."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.live.declared import DeclaredAtWork, Record
from tests.live.django_helpdesk import AGENT, MISSING, DjangoHelpdesk, installed
from tests.support.stack import Stack, chat

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoHelpdesk]:
    server = DjangoHelpdesk(tmp_path_factory.mktemp("django-helpdesk") / "desk")
    try:
        yield server.start()
    finally:
        server.stop()


class TestDjangoHelpdesk(DeclaredAtWork):
    example = "django-helpdesk"
    secret = "HELPDESK_PASSWORD"
    refused = "403"
    proven = ("the API answers, and this user may see ",)
    is_written_over = False
    writes = 4

    def environment(self, system: DjangoHelpdesk) -> Mapping[str, str]:
        user, password = AGENT
        return {
            "HELPDESK_URL": system.url,
            "HELPDESK_USER": user,
            "HELPDESK_PASSWORD": password,
            "HELPDESK_QUEUE": "1",
        }

    def records(self, system: DjangoHelpdesk, key: str) -> list[Record]:
        """Of each ticket its notes: what the visitor could read is no part of the transcript."""
        return [
            Record(
                one["id"],
                one["submitter_email"],
                [read(note["comment"]) for note in one["followup_set"] if not note["public"]],
            )
            for one in system.tickets(key)
        ]

    def delete(self, system: DjangoHelpdesk, record: Record) -> None:
        system.rest("DELETE", f"tickets/{record.id}/")

    def has_one_person(self, system: DjangoHelpdesk, email: str, keys: Sequence[str]) -> None:
        assert {one["submitter_email"] for key in keys for one in system.tickets(key)} == {email}

    def test_nobody_is_mailed_and_a_visitor_may_read_no_note(self, desk: Stack, system: DjangoHelpdesk) -> None:
        before = len(system.mails())
        desk.post(chat("quiet"))
        self.settled(desk, "quiet")
        (ticket,) = system.tickets("smartsupp:1:quiet")
        assert (ticket["title"], ticket["submitter_email"]) == ("Chat: Ann", "ann@example.com")
        assert [note["public"] for note in ticket["followup_set"]] == [True, False]
        assert "Hello" not in ticket["description"] + ticket["followup_set"][0]["comment"]
        assert len(system.mails()) == before
        # It does mail whoever it can: a ticket with an address is one.
        system.rest(
            "POST",
            "tickets/",
            json={"queue": 1, "title": "x", "description": "x", "priority": 3, "submitter_email": "bob@example.com"},
        )
        assert len(system.mails()) == before + 1

    def test_what_a_visitor_wrote_is_shown_and_does_nothing(self, system: DjangoHelpdesk) -> None:
        nasty = (
            "<script>alert(owned)</script> 👩‍👩‍👧‍👦 שלום {{7*7}} <img src=x onerror=alert(1)>",
            "*bold* _slanted_ `code` # huge ![](http://127.0.0.1/pixel.png) [click](https://live.example) 1. one",
            "back\\slash <!-- -->",
        )
        reference = self.deliver(self.connector(system), "nasty", {}, *nasty, email="nasty@example.com")
        page = system.page(int(reference.id))
        (note,) = re.findall(r'<div class="mt-3">(<p><strong>Conversation.*?)</div>', page, re.DOTALL)
        assert {*re.findall(r"<(\w+)", note)} <= {"p", "br", "strong", "em", "hr"}, note
        # Its Markdown has no escape for these, and shows the backslash in front of them.
        text = re.sub(r"\\(?=[<>])", "", html.unescape(re.sub(r"<[^>]*>", "", note)).replace("\u2060", ""))
        for said in nasty:
            assert said in text, text


def read(comment: str) -> str:
    """A note as it is read, without the marks of its Markdown."""
    return html.unescape(re.sub(r"\*\*|\\(?=[^\w\s])", "", comment)).replace("\u2060", "")
