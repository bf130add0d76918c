"""The whole pipeline against a real Request Tracker 5: `relay web`, `relay worker`, Valkey, and RT with a database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.connector import Receipt, Step
from connectors.kit.transcript import shortened
from connectors.request_tracker import RequestTracker as Connector
from connectors.request_tracker.settings import RequestTrackerSettings
from connectors.testing.bench import Died
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake
from connectors.testing.files import KETTLE_INVOICE, KETTLE_PHOTO, chat_with
from core.delivery import CONFLICTS, Delivery, Reference, Revision
from core.errors import ConnectorRefused, RecordRefused
from core.ids import DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from tests.live import pipeline
from tests.live.rt import MISSING, RequestTracker, installed
from tests.support.stack import Stack, chat, until

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]

HELLO: dict[str, Any] = {"type": "visitor", "from": "visitor:mx1", "content": "Hello", "sentAt": 1427470439703}


@pytest.fixture(scope="module")
def rt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    server = RequestTracker(tmp_path_factory.mktemp("rt") / "rt")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def desk(relay: Stack, rt: RequestTracker) -> Stack:
    """Everything runs, and RT is its one destination."""
    relay.configure(config(rt))
    relay.web()
    relay.worker()
    return relay


def settings(rt: RequestTracker, **changes: Any) -> dict[str, Any]:
    return {
        "type": "request-tracker",
        "url": rt.url,
        "token": rt.tokens["relay"],
        "queue": "Chats",
        "fields": {"Country": "{{ visitor.country_code }}"},
        "allow_networks": ["127.0.0.1/32"],
        **changes,
    }


def config(rt: RequestTracker, **changes: Any) -> str:
    return json.dumps({"connectors": {"rt": settings(rt, **changes)}})


def settled(relay: Stack, channel: str, status: str = "delivered", tries: int = 1) -> Delivery:
    return pipeline.settled(relay, f"rt:1:{channel}", status, tries)


def connector(rt: RequestTracker, **changes: Any) -> Connector:
    return Connector("rt", RequestTrackerSettings.model_validate(settings(rt, **changes)), Path())


def deliver(
    made: Connector,
    channel: str,
    memory: dict[str, Any],
    *messages: str,
    number: int = 1,
    visitor: Any = None,
    queued: datetime | None = None,
) -> Reference:
    """One attempt without a worker; `memory` is what the store remembers of the steps. A chat is of the past, unless
    `queued` says otherwise."""
    body = json.loads(chat(channel, messages=[{**HELLO, "content": text} for text in messages or ("Hello",)]))
    body["visitor"] |= visitor or {}
    revision = Revision(number, PayloadId(f"payload{number}"), 1_700_000_000_000, "", json.dumps(body).encode())
    receipt = Receipt(f"rt:1:{channel}", revision, lambda: [revision], queued=queued)
    with made.attempt():
        return made.deliver(parse_conversation(revision.body), receipt, Step(memory, memory.__setitem__))


# --- the pipeline --------------------------------------------------------------------------


def test_a_chat_becomes_a_ticket(desk: Stack, rt: RequestTracker) -> None:
    body = json.loads(json.dumps(SAMPLE)) | {"accountId": 1}
    desk.post(json.dumps(body).encode())
    delivery = settled(desk, "55039")
    (ticket,) = rt.tickets("smartsupp:1:55039")
    assert delivery.reference == Reference(str(ticket["id"]), f"{rt.url}/Ticket/Display.html?id={ticket['id']}")
    assert ticket["Subject"] == "Chat: Dusan Kmet"
    assert ticket["Status"] == "new"
    assert ticket["Created"] == "2015-03-27T15:33:59Z"
    assert rt.values(ticket) == {"ChatConversation": ["smartsupp:1:55039"], "Country": ["CZ"]}
    user = rt.user(ticket)
    assert (user["EmailAddress"], user["RealName"]) == ("dusan@domain.com", "Dusan Kmet")
    ((kind, text),) = rt.texts(ticket["id"])
    assert kind == "Create"
    for said in ("<b>visitor</b>: Hello", "<b>John Doe</b>: Hi, how can i help you ?", "<b>Dusan Kmet</b>: tanks."):
        assert said in text
        assert said in rt.page(ticket["id"])


def test_what_a_visitor_wrote_is_shown_and_does_nothing(desk: Stack, rt: RequestTracker) -> None:
    visitor = {"id": 7, "name": "<b onmouseover=alert(1)>Žofie</b>", "email": "zofie@example.com"}
    nasty = "<script>alert('owned')</script> 👩‍👩‍👧‍👦 שלום {{7*7}} <img src=x onerror=alert(1)>"
    desk.post(chat("nasty", visitor=visitor, messages=[{**HELLO, "content": nasty}]))
    settled(desk, "nasty")
    (ticket,) = rt.tickets("smartsupp:1:nasty")
    assert ticket["Subject"] == "Chat: <b onmouseover=alert(1)>Žofie</b>"
    assert rt.user(ticket)["RealName"] == "<b onmouseover=alert(1)>Žofie</b>"
    page = rt.page(ticket["id"])
    assert re.search(r"&lt;script&gt;alert\(.{1,5}owned.{1,5}\)&lt;/script&gt; 👩‍👩‍👧‍👦 שלום {{7\*7}} &lt;img", page)
    assert not re.search(r"<script>alert|<img[^>]*onerror|<b onmouseover", page)


def test_a_revision_is_a_comment_on_the_same_ticket_and_mails_nobody(desk: Stack, rt: RequestTracker) -> None:
    desk.post(chat("revised"))
    first = settled(desk, "revised")
    mails = len(rt.mails())
    desk.post(chat("revised", messages=[HELLO, {**HELLO, "content": "One thing more"}]))
    until(lambda: desk.ledger.delivery(DeliveryId("rt:1:revised")).revision == 2, 60)
    second = settled(desk, "revised", tries=2)
    assert second.reference == first.reference
    (ticket,) = rt.tickets("smartsupp:1:revised")
    assert [kind for kind, _ in rt.texts(ticket["id"])] == ["Create", "Comment"]
    assert "One thing more" in rt.texts(ticket["id"])[1][1]
    assert "One thing more" in rt.page(ticket["id"])
    assert len(rt.mails()) == mails


def test_rt_itself_answers_the_visitor_when_the_ticket_is_made(desk: Stack, rt: RequestTracker) -> None:
    """With the scrips that RT comes with; docs/connectors/request-tracker.md says how to stop it."""
    desk.post(chat("answered", visitor={"id": 8, "name": "Eve", "email": "eve@example.com"}))
    settled(desk, "answered")
    (mail,) = (mail for mail in rt.mails() if "To: eve@example.com" in mail)
    assert "AutoReply: Chat: Eve" in mail


def test_a_replay_makes_no_second_ticket(desk: Stack, rt: RequestTracker) -> None:
    desk.post(chat("replayed"))
    first = settled(desk, "replayed")
    desk.cli("replay", "rt:1:replayed")
    assert settled(desk, "replayed", tries=2).reference == first.reference
    (ticket,) = rt.tickets("smartsupp:1:replayed")
    assert len(rt.texts(ticket["id"])) == 1


def test_a_wrong_token_pauses_the_connector_and_the_right_one_resumes_it(relay: Stack, rt: RequestTracker) -> None:
    relay.configure(config(rt, token="1-14-no-token-of-this-rt"))
    relay.web()
    relay.worker()
    relay.post(chat("paused"))
    until(lambda: relay.ledger.lane("rt").gate, 60, "the pause")
    # One chat that is refused may itself be the reason; the check of the settings was the witness.
    found = settled(relay, "paused", "retrying")
    assert (found.paused, found.tries) == (True, 1)
    said = relay.cli("status")
    assert "rt: Paused, because the destination rejected the credentials" in said
    assert 'HTTP 401 Unauthorized: {"message":"Unauthorized"}' in said
    assert "no-token-of-this-rt" not in relay.cli("show", "rt:1:paused") + relay.logs()
    relay.configure(config(rt))
    settled(relay, "paused", tries=2)
    assert len(rt.tickets("smartsupp:1:paused")) == 1


def test_what_came_while_rt_was_away_is_delivered_when_it_is_back(desk: Stack, rt: RequestTracker) -> None:
    rt.stop()
    try:
        desk.post(chat("away"))
        delivery = settled(desk, "away", "retrying")
        assert [one.outcome for one in delivery.attempts] == ["retry"]
        assert "the server refused the connection" in delivery.attempts[0].error
    finally:
        rt.start()
    desk.cli("replay", "rt:1:away")
    settled(desk, "away", tries=2)
    assert len(rt.tickets("smartsupp:1:away")) == 1


def test_what_is_wrong_is_said_before_the_first_chat(desk: Stack, rt: RequestTracker) -> None:
    assert "queue 'Chats' is there" in desk.cli("connectors", "check", "rt")
    desk.configure(config(rt, queue="Nowhere"))
    said = desk.cli("connectors", "check", "rt", code=1)
    assert "queue 'Nowhere' is not there" in said


# --- the connector alone -------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_around_any_request_leaves_one_ticket_and_each_text_once(rt: RequestTracker, after: bool) -> None:
    """A long chat, then a revision of it: RT itself is asked what is there."""
    long = [f"message {n} " + "x" * 2500 for n in range(15)]
    number = 0
    while True:
        channel = f"dies-{'after' if after else 'before'}-{number}"
        memory: dict[str, Any] = {}
        died = [dies(connector(rt), number, after, channel, memory, *long)]
        deliver(connector(rt), channel, memory, *long)
        died.append(dies(connector(rt), number, after, channel, memory, *long, "One thing more", revision=2))
        deliver(connector(rt), channel, memory, *long, "One thing more", number=2)
        if not any(died):
            break
        (ticket,) = rt.tickets(f"smartsupp:1:{channel}")
        texts = rt.texts(ticket["id"])
        assert [kind for kind, _ in texts] == ["Create", *["Comment"] * 3], (channel, [kind for kind, _ in texts])
        assert [int(n) for _, text in texts for n in re.findall(r"message (\d+) ", text)] == [*range(15), *range(15)]
        number += 1
    assert number >= 5


def dies(
    made: Connector, number: int, after: bool, channel: str, memory: dict[str, Any], *messages: str, revision: int = 1
) -> bool:
    """Deliver, and die before or after request `number`. False when there was no such request."""
    return dying(made, number, after, partial(deliver, made, channel, memory, *messages, number=revision))


def dying(made: Connector, number: int, after: bool, act: Callable[[], object]) -> bool:
    send, count = made.http._once, iter(range(1000))

    def once(*arguments: Any) -> Any:
        mine = next(count) == number
        if mine and not after:
            raise Died
        answer = send(*arguments)
        if mine:
            raise Died
        return answer

    made.http._once = once  # type: ignore[method-assign, assignment]
    try:
        act()
    except Died:
        return True
    return False


def bring(made: Connector, payload: dict[str, Any], memory: dict[str, Any]) -> Reference:
    """One attempt at a chat of Smartsupp's API, given a moment after it was over."""
    body = json.dumps(payload).encode()
    conversation = parse_conversation(body)
    revision = Revision(1, PayloadId("payload1"), conversation.span()[1] + 60_000, "", body)
    receipt = Receipt(f"rt:{conversation.key}", revision, lambda: [revision])
    with made.attempt():
        return made.deliver(conversation, receipt, Step(memory, memory.__setitem__, forget=memory.pop))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_around_any_request_leaves_each_file_once(rt: RequestTracker, tmp_path: Path, after: bool) -> None:
    number, died = 0, True
    with Fake() as storage:
        while died:
            channel = f"files{'after' if after else 'before'}{number}"
            payload, memory = chat_with(storage, KETTLE_PHOTO, KETTLE_INVOICE, channel=channel), dict[str, Any]()
            one, other = connector(rt), connector(rt)
            one.data_dir = other.data_dir = tmp_path
            died = dying(one, number, after, partial(bring, one, payload, memory))
            reference = bring(other, payload, memory)
            wanted = [("faktura_c._7.pdf", KETTLE_INVOICE[2]), ("photo_of_the_kettle.png", KETTLE_PHOTO[2])]
            assert rt.files(int(reference.id)) == wanted, (number, after)
            number += 1
    assert number > 4


def test_every_part_of_a_long_chat_is_shown_on_the_page(rt: RequestTracker) -> None:
    messages = [f"message {n} " + "й" * 1500 for n in range(40)]
    reference = deliver(connector(rt), "long", {}, *messages)
    page = rt.page(int(reference.id))
    assert "too large" not in page
    assert [int(n) for n in re.findall(r"message (\d+) ", page)] == list(range(40))


@pytest.mark.parametrize(
    "name", ['O\'Brien "Ann" <x@y>', 'Eve" <eve@example.org>, "x', "Kmet, Dušan (VIP)", "back\\slash", "n" * 300]
)
def test_a_name_is_one_name(rt: RequestTracker, name: str) -> None:
    channel = f"name-{abs(hash(name))}"
    deliver(connector(rt), channel, {}, visitor={"name": name, "email": f"{channel}@example.com"})
    (ticket,) = rt.tickets(f"smartsupp:1:{channel}")
    assert rt.user(ticket)["RealName"] == shortened(name)


def test_a_user_and_a_password_do_as_well(rt: RequestTracker) -> None:
    made = connector(rt, token=None, user="relay", password="password-0123")
    assert all(finding.right for finding in made.check())


def test_a_check_of_what_is_right_finds_nothing_wrong(rt: RequestTracker) -> None:
    deliver(connector(rt), "checked", {})
    findings = list(connector(rt).check())
    assert all(finding.right for finding in findings), findings
    assert len(findings) == 6


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"queue": "Nowhere"}, "queue 'Nowhere' is not there"),
        ({"queue": "Elsewhere"}, "queue 'Elsewhere' is not there, or RT's user may not see it"),
        ({"chat_field": "Nothing"}, "custom field 'Nothing' is not there"),
        ({"fields": {"Land": "x"}}, "custom field 'Land' is not there"),
    ],
)
def test_a_check_finds_what_is_missing(rt: RequestTracker, changes: dict[str, Any], text: str) -> None:
    wrong = [finding for finding in connector(rt, **changes).check() if not finding.right]
    assert [finding.text for finding in wrong] == [text if "see it" in text else f"{text}, or RT's user may not see it"]
    assert all(finding.remedy for finding in wrong)


def test_a_check_with_a_wrong_token_says_so(rt: RequestTracker) -> None:
    with pytest.raises(ConnectorRefused, match="401"):
        list(connector(rt, token="1-14-wrong").check())


def test_a_key_that_rt_does_not_keep_stops_the_connector_after_one_ticket(rt: RequestTracker) -> None:
    """RT makes the ticket and says nothing; ModifyCustomField is what `novice` lacks."""
    with pytest.raises(ConnectorRefused, match="ModifyCustomField"):
        deliver(connector(rt, token=rt.tokens["novice"], fields={}), "novice", {})


def test_a_comment_that_cannot_be_seen_stops_the_connector_after_one(rt: RequestTracker) -> None:
    memory: dict[str, Any] = {}
    reference = deliver(connector(rt), "unseen", memory)
    novice = connector(rt, token=rt.tokens["novice"], fields={})
    with pytest.raises(ConnectorRefused, match="ShowTicketComments"):
        deliver(novice, "unseen", memory, "Hello", "more", number=2)
    deliver(novice, "unseen", memory, "Hello", "more", number=2)  # somebody resumes it without having read why
    assert [kind for kind, _ in rt.texts(int(reference.id))] == ["Create", "Comment"]


def test_what_people_do_in_rt_refuses_the_record_and_not_the_connector(rt: RequestTracker) -> None:
    memory: dict[str, Any] = {}
    ticket = deliver(connector(rt), "moved", memory).id
    rt.rest("PUT", f"ticket/{ticket}", json={"Queue": "Elsewhere"})
    with pytest.raises(RecordRefused, match="was moved to a queue"):
        deliver(connector(rt), "moved", memory, "more", number=2)
    rt.rest("PUT", f"ticket/{ticket}", json={"Queue": "Chats", "Status": "deleted"})
    with pytest.raises(RecordRefused, match="was deleted in RT"):
        deliver(connector(rt), "moved", memory, "more", number=2)
    rt.rest("PUT", f"ticket/{ticket}", json={"Status": "open"})
    other = deliver(connector(rt), "merged", {}).id
    rt.rest("PUT", f"ticket/{ticket}", json={"MergeInto": other})
    assert deliver(connector(rt), "moved", memory, "more", number=2).id == ticket
    assert "more" in rt.texts(int(other))[-1][1]


# --- users, for a relay that may manage them -------------------------------------------------

PHONE = {"phone": {"label": "Phone", "value": "+420 777 123 456"}}


@pytest.fixture
def managing(rt: RequestTracker) -> Connector:
    return connector(
        rt,
        token=rt.tokens["manager"],
        manage_users=True,
        match=["email", "phone", "customer_id"],
        phone="{{ visitor.variables.phone.value }}",
        customer_id="{{ visitor.variables.customer.value }}",
        customer_id_field="Customer",
        person={"Organization": "said in the chat"},
    )


def users(rt: RequestTracker, email: str) -> list[dict[str, Any]]:
    query = {"query": json.dumps([{"field": "EmailAddress", "value": email}])}
    return [rt.rest("GET", f"user/{one['id']}") for one in rt.rest("GET", "users", params=query)["items"]]


def requestors(rt: RequestTracker, *tickets: Reference) -> set[str]:
    return {one["id"] for ticket in tickets for one in rt.rest("GET", f"ticket/{ticket.id}")["Requestor"]}


def test_who_comes_back_is_one_user_by_number_customer_id_and_browser(rt: RequestTracker, managing: Connector) -> None:
    customer = {"customer": {"label": "", "value": "C-7"}}
    visits: list[dict[str, Any]] = [
        {"email": "Petr@Domain.example", "name": "Petr", "id": "b1", "variables": {**PHONE, **customer}},
        {"email": "petr@domain.example", "name": "petr", "id": "b2", "variables": {}},
        {"email": "p@work.example", "name": "Petr", "id": "b3", "variables": PHONE},
        {"email": "p@home.example", "name": "Petr", "id": "b4", "variables": customer},
        {"email": "", "name": "", "id": "b4", "variables": {}},
    ]
    made = [deliver(managing, f"back-{n}", {}, visitor=visit) for n, visit in enumerate(visits)]
    (user,) = users(rt, "petr@domain.example")
    assert requestors(rt, *made) == {user["Name"]}
    assert (user["RealName"], user["MobilePhone"], user["Organization"]) == (
        "Petr",
        "+420777123456",
        "said in the chat",
    )
    assert users(rt, "p@work.example") == users(rt, "p@home.example") == []


def test_what_people_typed_stays_and_blank_fields_are_filled(rt: RequestTracker, managing: Connector) -> None:
    typed = {"Name": "dana", "RealName": "Dr. Dana", "WorkPhone": "602-333 444", "Organization": "typed"}
    rt.rest("POST", "user", json=typed)
    phone = {"phone": {"label": "", "value": "+420602333444"}}
    memory: dict[str, Any] = {}
    visitor = {"email": "dana@domain.example", "name": "Dana X", "id": "b9", "variables": phone}
    made = deliver(managing, "typed", memory, visitor=visitor)
    user = rt.rest("GET", "user/dana")
    assert requestors(rt, made) == {"dana"}
    assert {name: user[name] for name in typed} == typed
    assert (user["EmailAddress"], user["MobilePhone"]) == ("dana@domain.example", "+420602333444")
    assert {one["field"] for one in memory[CONFLICTS]} == {"name", "Organization"}


def test_a_colleague_and_a_disabled_user_keep_what_they_have(rt: RequestTracker, managing: Connector) -> None:
    rt.rest("PUT", "user/novice", json={"EmailAddress": "novice@shop.example"})
    made = deliver(managing, "colleague", {}, visitor={"email": "novice@shop.example", "id": "b10"})
    assert requestors(rt, made) == {"novice"}
    assert not rt.rest("GET", "user/novice").get("Organization")
    rt.rest("POST", "user", json={"Name": "gone@domain.example", "EmailAddress": "gone@domain.example"})
    rt.rest("PUT", "user/gone@domain.example", json={"Disabled": "1"})
    made = deliver(managing, "gone", {}, visitor={"email": "gone@domain.example", "id": "b11"})
    assert requestors(rt, made) == set()


def test_a_chat_by_another_address_is_added_to_the_users_open_ticket(rt: RequestTracker, managing: Connector) -> None:
    shared = managing.settings.model_copy(update={"one_record": "per_person_open"})
    made = Connector("rt", shared, Path())
    phone = {"phone": {"label": "", "value": "+420777000111"}}
    visitors = [{"email": f"eva@{name}.example", "id": name, "variables": phone} for name in ("home", "work")]
    now = datetime.fromtimestamp(HELLO["sentAt"] / 1000, UTC)
    both = [deliver(made, f"open-{n}", {}, visitor=one, queued=now).id for n, one in enumerate(visitors)]
    assert both[0] == both[1]


def test_a_check_sees_whether_users_may_be_managed(rt: RequestTracker, managing: Connector) -> None:
    assert all(one.right for one in managing.check()), list(managing.check())
    wrong = [one.text for one in connector(rt, manage_users=True).check() if not one.right]
    assert wrong == ["users may not be looked for, made and changed"]
