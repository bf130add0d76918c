"""Email into a real Request Tracker 5: `relay web`, `relay worker`, a mail server, and RT's own mail gateway."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from connectors.testing.chats import SAMPLE
from core.delivery import Delivery
from tests.fakes.mail import PASSWORD, USER, MailDesk, certified
from tests.live.rt import MISSING, RequestTracker, installed
from tests.support.certificates import Authority
from tests.support.stack import Stack, until

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]


@pytest.fixture(scope="module")
def rt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    server = RequestTracker(tmp_path_factory.mktemp("rt") / "rt")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def voucher(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail"))


@pytest.fixture
def desk(rt: RequestTracker, voucher: Authority) -> Iterator[MailDesk]:
    context: ssl.SSLContext = certified(voucher)
    with MailDesk(context) as server:
        server.gateway = lambda mail: rt.take_mail("Mail", mail) == 0
        yield server


@pytest.fixture
def relay_by_mail(relay: Stack, desk: MailDesk, voucher: Authority) -> Stack:
    """Everything runs, and the queue's address is its one destination."""
    relay.environment["REQUESTS_CA_BUNDLE"] = str(voucher.file)
    settings = {
        "type": "email",
        "host": "127.0.0.1",
        "port": desk.port,
        "user": USER,
        "password": PASSWORD,
        "from_address": "relay@shop.example",
        "to": ["mail@live.invalid"],
        "allow_networks": ["127.0.0.1/32"],
    }
    relay.configure(json.dumps({"connectors": {"mail": settings}}))
    relay.web()
    relay.worker()
    return relay


def posted(number: str, *texts: str, **visitor: Any) -> bytes:
    made = json.loads(json.dumps(SAMPLE)) | {"accountId": 1}
    made["channel"]["id"] = number
    made["visitor"] |= visitor
    first = made["messages"][0]
    made["messages"] += [{**first, "content": text, "sentAt": 1427470480000 + n} for n, text in enumerate(texts)]
    return json.dumps(made).encode()


def settled(relay: Stack, number: str, revision: int = 1) -> Delivery:
    def look(identity: str) -> Delivery | None:
        found = [one for one in relay.ledger.deliveries(limit=100) if one.id == identity]
        return found[0] if found and found[0].status == "delivered" and found[0].revision == revision else None

    found: Delivery = until(partial(look, f"mail:1:{number}"), 60, f"{number} delivered")
    return found


def test_a_chat_becomes_a_ticket_of_the_visitors_and_nobody_is_answered(
    relay_by_mail: Stack, rt: RequestTracker
) -> None:
    before = len(rt.mails())
    relay_by_mail.post(posted("55039", name="Ann Lee", email="ann.lee@example.com"))
    delivery = settled(relay_by_mail, "55039")
    assert delivery.reference
    assert delivery.reference.id == "<smartsupp+mail+1+55039@shop.example>"
    [ticket] = rt.tickets_in("Mail", "Chat: Ann Lee")
    user = rt.user(ticket)
    assert (user["EmailAddress"], user["RealName"]) == ("ann.lee@example.com", "Ann Lee")
    said = "".join(text for _, text in rt.texts(ticket["id"]))
    assert "<b>John Doe</b>: Hi, how can i help you ?" in said
    assert "Hi, how can i help you ?" in rt.page(ticket["id"])
    # What a program wrote is answered by no program: RT's autoreply to requestors stays away.
    assert len(rt.mails()) == before


def test_what_a_visitor_is_called_makes_nobody_else_a_requestor(relay_by_mail: Stack, rt: RequestTracker) -> None:
    name = 'Eve" <eve@example.org>,\r\nBcc: thief@example.org'
    relay_by_mail.post(posted("evil", name=name, email="eve@example.com"))
    settled(relay_by_mail, "evil")
    found = rt.rest("GET", "tickets", params={"query": "Queue = 'Mail' AND Subject LIKE 'Eve'"})["items"]
    [ticket] = [rt.rest("GET", f"ticket/{one['id']}") for one in found]
    assert rt.user(ticket)["EmailAddress"] == "eve@example.com"
    assert ticket["Cc"] == ticket["AdminCc"] == []


def test_a_long_chat_has_its_whole_transcript_as_a_file(relay_by_mail: Stack, rt: RequestTracker) -> None:
    texts = [f"message {n} " + "x" * 500 for n in range(100)]
    relay_by_mail.post(posted("long", *texts, name="Long", email="long@example.com"))
    settled(relay_by_mail, "long")
    [ticket] = rt.tickets_in("Mail", "Chat: Long")
    named = {"fields": "Filename", "per_page": 100}
    files = [one["Filename"] for one in rt.rest("GET", f"ticket/{ticket['id']}/attachments", params=named)["items"]]
    assert "chat-1-long.txt" in files


def test_rt_makes_a_ticket_of_each_revision_as_the_page_says(relay_by_mail: Stack, rt: RequestTracker) -> None:
    """RT 5 knows a ticket by the number in a subject alone."""
    relay_by_mail.post(posted("twice", name="Twice", email="twice@example.com"))
    settled(relay_by_mail, "twice")
    relay_by_mail.post(posted("twice", "One thing more", name="Twice", email="twice@example.com"))
    settled(relay_by_mail, "twice", 2)
    first, second = rt.tickets_in("Mail", "Chat: Twice")
    assert "One thing more" not in "".join(text for _, text in rt.texts(first["id"]))
    assert "One thing more" in "".join(text for _, text in rt.texts(second["id"]))


def test_an_rt_that_is_away_gets_the_chat_later_and_once(
    relay_by_mail: Stack, rt: RequestTracker, desk: MailDesk
) -> None:
    rt.stop()
    try:
        relay_by_mail.post(posted("away", name="Away", email="away@example.com"))
        failed: list[Delivery] = until(
            lambda: [one for one in relay_by_mail.ledger.deliveries(limit=100) if one.status == "retrying"], 60
        )
        assert "SMTP 451 to the mail" in relay_by_mail.ledger.delivery(failed[0].id).attempts[0].error
    finally:
        rt.start()
    relay_by_mail.cli("replay", "mail:1:away")
    settled(relay_by_mail, "away")
    assert len(rt.tickets_in("Mail", "Chat: Away")) == 1


def test_a_check_says_what_it_saw(relay_by_mail: Stack, desk: MailDesk) -> None:
    said = relay_by_mail.cli("connectors", "check", "mail")
    assert "the login as relay is accepted" in said
    assert "none was sent" in said
    assert desk.taken == []
