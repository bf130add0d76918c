"""Email: what arrives at a mail server, as a desk or a person reads it."""

from __future__ import annotations

import json
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.email import EMAILS, Email, _slug
from connectors.email.settings import EmailSettings
from connectors.kit.mail.message import Attachment, Mail, header_text, mailbox
from connectors.kit.transcript import single_line
from connectors.testing.chats import SAMPLE, chat, longer
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer
from core.delivery import Attempt, Exchange, Outcome
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater, TimedOut
from tests.fakes.mail import PASSWORD, USER, MailDesk, certified, shown
from tests.support.certificates import Authority
from workers.alerts.detect import quotable

DESK = "support@desk.example"
AT_GREETING, AT_AUTH, AT_MAIL, AT_RCPT = ({"at": place} for place in ("GREETING", "AUTH", "MAIL", "RCPT"))


@pytest.fixture(scope="module")
def voucher(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail"))


@pytest.fixture(scope="module")
def context(voucher: Authority) -> ssl.SSLContext:
    return certified(voucher)


@pytest.fixture(autouse=True)
def trust(voucher: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(voucher.file))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


class TestEmail(Contract):
    kind = "email"
    secrets = (PASSWORD,)
    # A mail server does not say where its mail is read.
    has_pages = False
    common_answers: ClassVar[list[Any]] = []
    who = Answer(535, "5.7.8 authentication failed", AT_AUTH)
    answers: ClassVar[list[Any]] = [
        (421, "4.3.2 closing", AT_GREETING, RetryLater),
        (554, "5.7.1 you are on a list", AT_GREETING, ConnectorRefused),
        (454, "4.7.0 temporary failure", AT_AUTH, RetryLater),
        (535, "5.7.8 authentication failed", AT_AUTH, ConnectorRefused),
        (451, "4.3.0 later", AT_MAIL, RetryLater),
        (530, "5.7.0 authentication required", AT_MAIL, ConnectorRefused),
        (550, "5.7.1 not your address", AT_MAIL, ConnectorRefused),
        (552, "5.3.4 too large", AT_MAIL, RecordRefused),
        (450, "4.2.0 greylisted", AT_RCPT, RetryLater),
        (550, "5.1.1 no such user", AT_RCPT, ConnectorRefused),
        (552, "5.2.2 the mailbox is full", AT_RCPT, ConnectorRefused),
        (421, "4.3.2 closing", {}, RetryLater),
        (452, "4.3.1 no room", {}, RetryLater),
        (552, "5.3.4 too large", {}, RecordRefused),
        (554, "5.7.1 looks like spam", {}, RecordRefused),
    ]

    @pytest.fixture(autouse=True)
    def _with(self, context: ssl.SSLContext) -> None:
        self.context = context

    def fake(self) -> MailDesk:  # type: ignore[override]  # it does as a Fake does
        return MailDesk(self.context)

    def settings(self, url: str) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": int(url.rpartition(":")[2]),
            "user": USER,
            "password": PASSWORD,
            "from_address": "relay@shop.example",
            "to": [DESK],
        }

    @staticmethod
    def desk(vendor: Any) -> MailDesk:
        assert isinstance(vendor, MailDesk)
        return vendor

    def mails(self, vendor: Any) -> list[EmailMessage]:
        return list(self.desk(vendor).mails.values())

    # --- one email ----------------------------------------------------------------------

    def test_it_comes_from_us_goes_to_the_desk_and_is_answered_to_the_visitor(self, vendor: Any) -> None:
        reference = self.deliver(self.connector(vendor, from_name="Chat of {{ name }}"), SAMPLE, {})
        [mail] = self.mails(vendor)
        assert mail["From"] == "Chat of Dusan Kmet <relay@shop.example>"
        assert mail["To"] == DESK
        assert mail["Reply-To"] == "Dusan Kmet <dusan@domain.com>"
        assert mail["Subject"] == "Chat: Dusan Kmet"
        assert mail["Message-ID"] == reference.id == "<smartsupp+shop+208+55039@shop.example>"
        assert mail["Keywords"] == "smartsupp, smartsupp-chat"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Date"].datetime.isoformat() == "2015-03-27T15:35:36+00:00"
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        plain = mail.get_body(("plain",))
        assert plain
        assert "15:34:13 John Doe: Hi, how can i help you ?" in plain.get_content()

    @pytest.mark.parametrize("email", ["", "<script>@'; DROP", "žofie@example.com", "a@b@c.example", "ann"])
    def test_an_address_that_is_none_or_that_not_every_server_takes_is_no_reply_to(
        self, vendor: Any, email: str
    ) -> None:
        self.deliver(self.connector(vendor), chat(email=email), {})
        [mail] = self.mails(vendor)
        assert mail["Reply-To"] is None
        assert self.spread(email) in self.arrived(vendor)

    def test_headers_are_templates_and_an_empty_one_is_left_out(self, vendor: Any) -> None:
        fields = {"X-Country": "{{ visitor.country_code }}", "X-Order": "{{ visitor.note[:0] }}"}
        self.deliver(self.connector(vendor, fields=fields, auto_submitted=False), SAMPLE, {})
        [mail] = self.mails(vendor)
        assert mail["X-Country"] == "CZ"
        assert mail["X-Order"] is mail["Auto-Submitted"] is mail["X-Auto-Response-Suppress"] is None

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_it_logs_in_over_either_kind_of_tls(self, security: str) -> None:
        with MailDesk(self.context, security=security) as vendor:
            self.deliver(self.connector(vendor, security=security), SAMPLE, {})  # type: ignore[arg-type]
            assert len(self.mails(vendor)) == 1

    def test_what_went_over_the_wire_is_kept_without_secrets(self, vendor: Any) -> None:
        connector = cast(Email, self.connector(vendor))
        with connector.attempt() as exchanges:
            connector.wire.send(message("Hello"))
        [one] = exchanges
        assert (one.method, one.url, one.status) == ("MAIL", vendor.url, 250)
        assert one.answered == "2.0.0 taken as 4711"
        assert PASSWORD not in repr(one)

    # --- what is long -------------------------------------------------------------------

    def test_a_long_transcript_is_attached_and_the_email_says_so(self, vendor: Any) -> None:
        messages = [f"message {n} {'й' * 500}" for n in range(100)]
        self.deliver(self.connector(vendor), chat(*messages), {})
        [mail] = self.mails(vendor)
        [file] = mail.iter_attachments()
        assert file.get_filename() == "chat-208-55039.txt"
        assert all(message in file.get_content() for message in messages)
        body = shown(mail)[0]
        assert body.startswith("<p><i>The whole conversation is attached: chat-208-55039.txt</i></p>")
        assert "Part 1 of" not in body
        assert len(body) <= EMAILS.longest

    def test_or_it_goes_on_in_further_emails_of_the_thread(self, vendor: Any) -> None:
        messages = [f"message {n} {'x' * 500}" for n in range(100)]
        self.deliver(self.connector(vendor, long_transcript="split"), chat(*messages), {})
        first, *others = self.mails(vendor)
        assert others
        assert len(vendor.records()) == 1
        assert all(one["In-Reply-To"] and one["Subject"] == first["Subject"] for one in others)
        assert [str(one["Message-ID"]) for one in others] == [
            f"<smartsupp+shop+208+55039+1.{number}@shop.example>" for number in range(2, len(others) + 2)
        ]
        assert [int(n) for n in re.findall(r"message (\d+) ", " ".join(vendor.texts()))] == list(range(100))

    # --- threads ------------------------------------------------------------------------

    def test_a_revision_is_a_reply_with_what_is_new_under_the_first_subject(self, vendor: Any) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, memory)
        renamed = longer(SAMPLE, "One thing more")
        renamed["visitor"]["name"] = "Somebody else"
        for number in (2, 3):
            self.deliver(connector, longer(renamed, *["And another"] * (number - 2)), memory, number)
        first, second, third = self.mails(vendor)
        root = str(first["Message-ID"])
        assert first["References"] is None
        assert second["In-Reply-To"] == second["References"] == root
        assert str(third["References"]).split() == [root, str(second["Message-ID"])]
        assert {str(one["Subject"]) for one in (first, second, third)} == {"Chat: Dusan Kmet"}
        assert "tanks." not in shown(second)[0]
        assert "One thing more" not in shown(third)[0]

    def test_a_revision_without_anything_to_read_sends_nothing(self, vendor: Any) -> None:
        memory: dict[str, Any] = {}
        counted = json.loads(json.dumps(SAMPLE))
        counted["channel"]["duration"] = 99
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), counted, memory, 2)
        assert len(self.mails(vendor)) == 1

    def test_a_chat_that_continues_before_anything_was_taken_begins_with_what_it_is_by_then(self, vendor: Any) -> None:
        memory: dict[str, Any] = {}
        vendor.instead = [Answer(451, "later")]
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(SAMPLE, "One thing more"), memory, 2)
        [mail] = self.mails(vendor)
        assert mail["References"] is None
        assert "The conversation continued" not in shown(mail)[0]

    def test_a_chat_that_continues_after_a_lost_answer_is_a_text_with_an_id_of_its_own(self, vendor: Any) -> None:
        """The desk may have the first one, and would throw away what has its id."""
        for taken in (True, False):
            with self.fake() as desk:
                memory: dict[str, Any] = {}
                desk.lose_reply_after = 0
                with pytest.raises(RetryLater):
                    self.deliver(self.connector(desk), SAMPLE, memory)  # type: ignore[arg-type]
                if not taken:
                    desk.forget()
                for number in (2, 3):
                    self.deliver(self.connector(desk), longer(SAMPLE, *["More"] * (number - 1)), memory, number)  # type: ignore[arg-type]
                assert len(desk.records()) == 1
                assert self.spread("tanks.") in self.arrived(desk)  # type: ignore[arg-type]

    def test_a_chat_of_which_the_store_may_have_forgotten_something_does_not_claim_to_continue(
        self, vendor: Any
    ) -> None:
        """A past chat that comes late: nobody knows whether it was sent before."""
        self.deliver(self.connector(vendor), SAMPLE, {}, 1427470480, first=False)
        [mail] = self.mails(vendor)
        assert mail["Message-ID"] == "<smartsupp+shop+208+55039+1427470480.1@shop.example>"
        assert mail["References"] == "<smartsupp+shop+208+55039@shop.example>"
        assert "continued" not in shown(mail)[0]

    def test_two_connectors_of_one_chat_have_ids_that_differ(self, vendor: Any) -> None:
        """A mailbox that gets both would throw one of them away."""
        ids = {_slug(f"{name}:208:55039") for name in ("desk", "boss")}
        assert len(ids) == 2

    @pytest.mark.parametrize("channel", ["a.b", "a..b.", "ž 1", "a+b", "x" * 500, "<a@b>", "a\r\nBcc: x@y.example"])
    def test_whatever_a_channel_is_called_its_id_is_one_that_mail_programs_take(self, channel: str) -> None:
        made = _slug(f"shop:208:{channel}")
        assert re.fullmatch(r"[A-Za-z0-9+%_~-]{1,130}", made), made
        assert made != _slug(f"shop:208:{channel}x")

    # --- an answer that gets lost ---------------------------------------------------------

    def test_again_sends_the_same_bytes_so_that_who_reads_them_can_tell(self, vendor: Any) -> None:
        desk, memory = self.desk(vendor), dict[str, Any]()
        desk.is_desk, desk.lose_reply_after = False, 0
        with pytest.raises(RetryLater, match="nobody knows whether it took the mail") as raised:
            self.deliver(self.connector(vendor), SAMPLE, memory)
        assert not raised.value.untaken
        self.deliver(self.connector(vendor), SAMPLE, memory)
        (_, first), (_, second) = desk.taken
        assert first == second

    def test_never_leaves_it_to_a_person_and_a_replay_sends_it(self, vendor: Any) -> None:
        desk, memory = self.desk(vendor), dict[str, Any]()
        connector = self.connector(vendor, repeatable="never")
        desk.lose_reply_after = 0
        with pytest.raises(RetryLater):
            self.deliver(connector, SAMPLE, memory)
        with pytest.raises(Gone, match="if it has arrived, discard this delivery"):
            self.deliver(connector, SAMPLE, memory)
        assert len(desk.taken) == 1
        self.deliver(connector, SAMPLE, memory)
        assert len(desk.taken) == 2

    def test_an_attempt_that_ends_after_the_answer_has_delivered(
        self, vendor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def over(session: smtplib.SMTP, command: str, arguments: str = "") -> None:
            if command == "QUIT":
                raise TimedOut("the attempt took longer than it may")
            putcmd(session, command, arguments)

        putcmd = smtplib.SMTP.putcmd
        monkeypatch.setattr(smtplib.SMTP, "putcmd", over)
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert memory["mail 1.1"] == "<smartsupp+shop+208+55039@shop.example>"

    @pytest.mark.parametrize(("at", "sure"), [("rcpt", True), ("data", True), (".", False)])
    def test_an_attempt_that_ends_before_the_answer_knows_what_it_knows(
        self, vendor: Any, monkeypatch: pytest.MonkeyPatch, at: str, sure: bool
    ) -> None:
        def over(session: smtplib.SMTP, text: str | bytes) -> None:
            told = text.decode() if isinstance(text, bytes) else text
            if told.lower().startswith(at) or (at == "." and told.endswith("\r\n.\r\n")):
                raise TimedOut("the attempt took longer than it may")
            send(session, text)

        send = smtplib.SMTP.send
        monkeypatch.setattr(smtplib.SMTP, "send", over)
        memory: dict[str, Any] = {}
        with pytest.raises(TimedOut) as raised:
            self.deliver(self.connector(vendor), SAMPLE, memory)
        assert raised.value.untaken is sure
        assert ("mail 1.1?" in memory) is not sure

    @pytest.mark.parametrize("at", ["GREETING", "AUTH", "MAIL", "RCPT", "DATA"])
    def test_what_was_surely_not_taken_is_sent_again_even_so(self, vendor: Any, at: str) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, repeatable="never")
        # A login is tried in both ways that the server offers.
        vendor.instead = [Answer(451, "4.3.0 later", {"at": at})] * (2 if at == "AUTH" else 1)
        with pytest.raises(RetryLater) as raised:
            self.deliver(connector, SAMPLE, memory)
        assert raised.value.untaken
        self.deliver(connector, SAMPLE, memory)
        assert len(self.desk(vendor).taken) == 1

    # --- to whom --------------------------------------------------------------------------

    def test_a_greylisted_recipient_holds_the_email_back_from_all_until_it_goes_to_all(self, vendor: Any) -> None:
        self.desk(vendor).greylisted.add("boss@shop.example")
        connector, memory = self.connector(vendor, to=[DESK, "boss@shop.example"]), dict[str, Any]()
        with pytest.raises(RetryLater, match=r"SMTP 450 to the recipient boss@shop\.example: 4\.2\.0 greylisted"):
            self.deliver(connector, SAMPLE, memory)
        assert self.desk(vendor).taken == []
        self.deliver(connector, SAMPLE, memory)
        [(recipients, _)] = self.desk(vendor).taken
        assert recipients == [DESK, "boss@shop.example"]

    def test_a_refused_recipient_pauses_where_it_is_everybodys_and_refuses_the_chat_whose_own_it_is(
        self, vendor: Any
    ) -> None:
        self.desk(vendor).unknown.add("cz@desk.example")
        with pytest.raises(ConnectorRefused, match=r"SMTP 550 to the recipient cz@desk\.example"):
            self.deliver(self.connector(vendor, to=["cz@desk.example"]), SAMPLE, {})
        template = "{{ visitor.country_code | lower }}@desk.example"
        with pytest.raises(RecordRefused, match="SMTP 550"):
            self.deliver(self.connector(vendor, to=[template]), SAMPLE, {})

    def test_an_alert_goes_to_those_who_can_have_it(self, vendor: Any) -> None:
        self.desk(vendor).unknown.add("gone@shop.example")
        wire = cast(Email, self.connector(vendor)).wire
        mail = replace(message("Alert"), recipients=("gone@shop.example", DESK))
        assert wire.send(mail, some=True) == [DESK]
        with pytest.raises(ConnectorRefused, match="SMTP 550"):
            wire.send(replace(mail, recipients=("gone@shop.example",)), some=True)
        [(recipients, _)] = self.desk(vendor).taken
        assert recipients == [DESK]

    def test_a_template_that_names_nobody_is_left_out_and_said_unless_nobody_is_left(self, vendor: Any) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, to=[DESK, "{{ visitor.name }}"]), SAMPLE, memory)
        assert memory["note to"] == "A template under 'to' comes out as no email address for this chat."
        assert self.mails(vendor)[0]["To"] == DESK
        with pytest.raises(RecordRefused, match="add an address without a template"):
            self.deliver(self.connector(vendor, to=["{{ visitor.name }}"]), SAMPLE, {})

    # --- looking first --------------------------------------------------------------------

    def test_a_check_logs_in_asks_for_the_recipients_and_sends_nothing(self, vendor: Any) -> None:
        connector = self.connector(vendor, to=[DESK, "{{ visitor.email }}"])
        place = f"127.0.0.1:{vendor.port}"
        assert [one.text for one in connector.check()] == [
            f"{place} is a mail server; its certificate is right (TLSv1.3)",
            "the login as relay is accepted",
            f"it takes mail from relay@shop.example for {DESK}; none was sent",
            "recipients by template are seen with each chat",
        ]
        assert vendor.requests == []

    def test_a_check_finds_a_recipient_whom_nobody_knows(self, vendor: Any) -> None:
        self.desk(vendor).unknown.add(DESK)
        with pytest.raises(ConnectorRefused, match="no such user here"):
            list(self.connector(vendor).check())

    def test_a_server_without_tls_gets_neither_mail_nor_password(self) -> None:
        with MailDesk(None) as vendor:
            with pytest.raises(ConnectorRefused, match="offers no STARTTLS"):
                self.deliver(self.connector(vendor), SAMPLE, {})  # type: ignore[arg-type]
            assert vendor.commands.isdisjoint({"AUTH", "MAIL"})

    def test_a_certificate_that_nobody_vouches_for_ends_it(self, vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(RetryLater, match="not from a trusted authority"):
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert self.desk(vendor).commands.isdisjoint({"AUTH", "MAIL"})

    def test_a_private_address_is_reached_only_where_the_settings_allow_it(self, vendor: Any) -> None:
        with pytest.raises(ConnectorRefused, match="private address"):
            self.deliver(self.connector(vendor, allow_networks=[]), SAMPLE, {})

    def test_a_server_that_sends_a_byte_now_and_then_is_left_when_the_attempt_is_over(self) -> None:
        with dripping() as port:
            connector = self.connector(cast(Any, MailDesk(self.context)), port=port)
            with connector.wire.attempt(0.3), pytest.raises(TimedOut):
                list(connector.check())

    def test_nobody_there_is_said_in_words(self) -> None:
        connector = self.connector(cast(Any, MailDesk(self.context)))
        with pytest.raises(RetryLater, match="the server refused the connection") as raised:
            self.deliver(connector, SAMPLE, {})
        assert raised.value.untaken


@contextmanager
def dripping() -> Iterator[int]:
    """A server that greets for ever, without an end of the line."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with suppress(OSError):
                there, _ = server.accept()
                with there:
                    while not over.wait(0.02):
                        there.sendall(b"2")

        thread = threading.Thread(target=drip)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


# --- what strangers put into headers -------------------------------------------------------

#: What has broken mail programs, and the library that writes mail.
EVIL = [
    "Ann\r\nBcc: thief@example.com",
    "Ann\nBcc: thief@example.com\n\nbody",
    "Ann\u2028Bcc: thief@example.com",
    "Ann\x0bBcc: x\x0cBcc: y\x85Bcc: z\x00",
    '"Boss" <boss@shop.example>, Ann',
    'Ann" <thief@example.com>, "x',
    "Ann <thief@example.com>",
    "Ann, thief@example.com; Bob (c) \\ [x] @ : .",
    "=?utf-8?q?Ann=0D=0ABcc=3A_thief=40example=2Ecom?=",
    "=?utf-8?b?Qm9zcyA8Ym9zc0BzaG9wLmV4YW1wbGU+LA==?=",
    "Ž" * 10_000,
    "n" * 10_000,
    "\ud83d half an emoji",
    "🎉 محمد",
    "",
    " \t ",
]
SAFE = {"From", "To", "Date", "Message-ID", "Reply-To", "Subject", "X-Note", "MIME-Version", "Content-Type"}


def message(text: str) -> Mail:
    headers = {"Reply-To": mailbox(text, "ann@example.com"), "Subject": header_text(text), "X-Note": header_text(text)}
    return Mail(
        message_id="<1@shop.example>",
        sender="relay@shop.example",
        sender_name=text,
        recipients=(DESK,),
        date=datetime(2026, 11, 28, tzinfo=UTC),
        text=text,
        html=f"<p>{text}",
        headers={name: value for name, value in headers.items() if value},
        attachments=(Attachment("chat.txt", text),),
    )


def nothing_was_smuggled(text: str) -> None:
    raw = bytes(message(text))
    raw.decode("ascii")
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    for rules in (policy.default, policy.compat32):
        mail = message_from_bytes(raw, policy=rules)
        assert set(mail.keys()) <= SAFE
        assert len(mail.keys()) == len(set(mail.keys()))
        for name, address in (("From", "relay@shop.example"), ("To", DESK), ("Reply-To", "ann@example.com")):
            assert [found for _, found in getaddresses([str(mail[name])])] == [address], (name, str(mail[name]))
        assert len(list(mail.walk())) == 5
    read = message_from_bytes(raw, policy=policy.default)
    assert [one.addr_spec for one in read["Reply-To"].addresses] == ["ann@example.com"]
    assert str(read["X-Note"] or "") == single_line(text)[:500].encode("utf-8", "replace").decode().strip()


@pytest.mark.parametrize("text", EVIL)
def test_nothing_that_a_visitor_is_called_becomes_a_header_or_an_address(text: str) -> None:
    nothing_was_smuggled(text)


@given(st.text(st.sampled_from('aŽ🎉 \r\n\t\x0b\x85\u2028\0<>@,;:"\\()[]=?_.utf8qbBcc%'), max_size=200))
@settings(max_examples=300, deadline=None)
def test_nor_does_any_other_text(text: str) -> None:
    nothing_was_smuggled(text)


# --- what is said of it --------------------------------------------------------------------


def test_an_attempt_says_whose_status_it_has() -> None:
    for url, said in (("smtp://mail.example.com:587", "SMTP 450"), ("https://example.com", "HTTP 450")):
        attempt = Attempt(0, 0, Outcome.RETRY, 1, status=450, requests=(Exchange("MAIL", url, 450, 1),))
        assert attempt.answer == said
        assert replace(attempt, status=None).answer == ""


def test_an_alert_quotes_no_mail_server() -> None:
    said = "SMTP 554 to the mail: Ann wrote 'Hello' to ann@example.com"
    assert quotable(said) == "SMTP 554 to the mail"
    assert quotable("SMTP 550 to the recipient ann@example.com: unknown") == "SMTP 550 to the recipient …"


# --- settings ----------------------------------------------------------------------------

GIVEN = {"type": "email", "host": "smtp.example.com", "from_address": "relay@shop.example", "to": [DESK]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fields": {"Bcc": "x"}}, "Bcc is written by Relay"),
        ({"fields": {"content-type": "x"}}, "content-type is written by Relay"),
        ({"fields": {"X-A: b": "x"}}, "write the name of a header"),
        ({"fields": {"X-A\r\nBcc": "x"}}, "write the name of a header"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["Ann <ann@example.com>"]}, "write an address alone, such as ann@example.com"),
        ({"to": ["{{ 'nobody' }}"]}, "may come out as 'nobody'"),
        ({"from_address": "x@y\r\nBcc: z@y"}, "write an address alone"),
        ({"user": "relay"}, "'user' and 'password' go together"),
        ({"host": "smtp.example.com:587"}, "write host: smtp.example.com and, on a line of its own, port: 587"),
    ],
)
def test_a_setting_that_is_wrong_says_what_to_write(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        EmailSettings.model_validate({**GIVEN, **wrong})


def test_zendesk_by_mail_is_doubted() -> None:
    right = EmailSettings.model_validate(GIVEN)
    wrong = EmailSettings.model_validate({**GIVEN, "to": ["support@acme.zendesk.com"]})
    assert list(right.doubts()) == []
    [(text, remedy)] = wrong.doubts()
    assert "Zendesk suspends" in text
    assert remedy == "use type: zendesk"
