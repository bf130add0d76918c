"""The whole pipeline against a real Redmine: `relay web`, `relay worker`, Valkey, and Redmine with a database."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.kit.connector import HttpConnector, Receipt, Step
from connectors.testing.bench import Died
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake
from connectors.testing.files import KETTLE_INVOICE, KETTLE_PHOTO, chat_with
from core.delivery import Reference, Revision
from core.errors import ConnectorRefused, RecordRefused
from core.ids import DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store.protocol.constants import SKEW_MS
from tests.fakes.markdown import read
from tests.live.cutting import Cutting
from tests.live.pipeline import settled
from tests.live.redmine import MISSING, Redmine, installed
from tests.support.stack import Stack, chat, kill, until

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]

HELLO = {"type": "visitor", "from": "visitor:mx1", "content": "Hello", "sentAt": 1427470439703}


@pytest.fixture(scope="module")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redmine]:
    server = Redmine(tmp_path_factory.mktemp("redmine") / "redmine")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def desk(relay: Stack, redmine: Redmine) -> Stack:
    """Everything runs, and Redmine is its one destination."""
    relay.configure(config(redmine))
    relay.web()
    relay.worker()
    return relay


def settings(redmine: Redmine, **changes: Any) -> dict[str, Any]:
    return {
        "type": "redmine",
        "url": redmine.url,
        "key": redmine.keys["relay"],
        "project": "support",
        "field": redmine.fields["Smartsupp chat"],
        "fields": {str(redmine.fields["Country"]): "{{ visitor.country_code }}"},
        "allow_networks": ["127.0.0.1/32"],
        **changes,
    }


def config(redmine: Redmine, **changes: Any) -> str:
    return json.dumps({"connectors": {"redmine": settings(redmine, **changes)}})


def connector(redmine: Redmine, **changes: Any) -> HttpConnector[Any]:
    kind = registry.find("redmine")
    made = kind("redmine", kind.settings_model.model_validate(settings(redmine, **changes)), Path())
    assert isinstance(made, HttpConnector)
    return made


def deliver(
    made: HttpConnector[Any],
    channel: str,
    memory: dict[str, Any],
    *messages: str,
    number: int = 1,
    first: bool = True,
    visitor: Any = None,
) -> Reference:
    """One attempt without a worker; `memory` is what the store remembers of the steps."""
    body = json.loads(chat(channel, messages=[{**HELLO, "content": text} for text in messages or ("Hello",)]))
    body["visitor"] |= visitor or {}
    revision = Revision(number, PayloadId(f"payload{number}"), 1_700_000_000_000, "", json.dumps(body).encode())
    receipt = Receipt(f"redmine:1:{channel}", revision, lambda: [revision])
    with made.attempt():
        step = Step(memory, memory.__setitem__, forget=memory.pop, first=first)
        return made.deliver(parse_conversation(revision.body), receipt, step)


def numbers(texts: list[str]) -> list[list[int]]:
    """What is numbered in each text."""
    return [[int(n) for n in re.findall(r"number (\d+)\b", text)] for text in map(read, texts)]


class Seen(HTMLParser):
    """What a browser makes of a page: its text, tags and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", set[str](), list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


# --- the pipeline --------------------------------------------------------------------------


def test_a_chat_becomes_an_issue(desk: Stack, redmine: Redmine) -> None:
    desk.post(json.dumps({**SAMPLE, "accountId": 1}).encode())
    delivery = settled(desk, "redmine:1:55039")
    (issue,) = redmine.issues("smartsupp:1:55039")
    assert delivery.reference == Reference(str(issue["id"]), f"{redmine.url}/issues/{issue['id']}")
    assert issue["subject"] == "Chat: Dusan Kmet"
    assert (issue["author"]["name"], issue["status"]["name"], issue["is_private"]) == ("Relay Live", "New", False)
    values = redmine.values(issue)
    assert (values["Smartsupp chat"], values["Country"]) == ("smartsupp:1:55039", "CZ")
    (text,) = redmine.texts(issue)
    assert "dusan@domain.com" in read(text)
    page = redmine.page(issue["id"])
    for said in ("Hello", "Hi, how can i help you ?", "tanks."):
        assert said in page


@pytest.mark.parametrize("formatting", ["markdown", "common_mark", "textile"])
def test_what_a_visitor_wrote_is_shown_and_does_nothing(redmine: Redmine, formatting: str) -> None:
    """However Redmine formats its texts."""
    redmine.format(formatting)
    try:
        other = deliver(connector(redmine), f"other-{formatting}", {}).id
        visitor = {"name": "<b onmouseover=alert(1)>Žofie</b>", "email": "zofie@example.com"}
        nasty = (
            "<script>alert(owned)</script> 👩‍👩‍👧‍👦 שלום {{7*7}} {{toc}} <img src=x onerror=alert(1)>",
            f"@relay #{other} *bold* _slanted_ !http://127.0.0.1/pixel.png! [[Wiki]] user:relay source:x r1",
            '![](http://127.0.0.1/pixel.png) "click":javascript:alert(1) [click](javascript:alert(1))',
            "h1. huge\n# huge\n<pre>\n</notextile> kept",
        )
        chosen = "textile" if formatting == "textile" else "markdown"
        made = connector(redmine, formatting=chosen)
        reference = deliver(made, f"nasty-{formatting}", {}, *nasty, visitor=visitor)
        page = redmine.page(int(reference.id))
        seen = Seen(page[page.index('<div class="description">') : page.index('<div id="history">')])
        text = seen.text.replace("\u2060", "")
        for said in (
            "<b onmouseover=alert(1)>Žofie</b>",
            "<script>alert(owned)</script> 👩‍👩‍👧‍👦 שלום {{7*7}} {{toc}} <img src=x onerror=alert(1)>",
            f"@relay #{other} *bold* _slanted_ !http://127.0.0.1/pixel.png! [[Wiki]] user:relay source:x r1",
            '![](http://127.0.0.1/pixel.png) "click":javascript:alert(1) [click](javascript:alert(1))',
            *("h1. huge", "# huge", "<pre>", "</notextile> kept"),
        ):
            assert said in text, text
        assert seen.tags <= {"div", "p", "br", "strong", "em", "a", "span", "hr"}, seen.tags
        # Its address of mail, and what looks like a web address.
        assert all(one.startswith(("mailto:zofie@", "http://127.0.0.1/pixel.png", "/issues/")) for one in seen.links)
        assert f"/issues/{other}" not in seen.links
    finally:
        redmine.format("markdown")


def test_fifty_chats_are_an_issue_each_whoever_dies_and_whatever_answer_is_lost(relay: Stack, redmine: Redmine) -> None:
    """Five of one visitor, ten that are continued, ten so long that they need notes."""
    channels = [f"many-{number}" for number in range(50)]
    # What began before the store did may have been delivered by another one: what is found of it is said again.
    now = {**HELLO, "sentAt": round(time.time() * 1000) + 2 * SKEW_MS}

    def posted(number: int, *more: str) -> bytes:
        length = 60 if number % 5 == 0 else 2
        texts = [f"number {n} " + ("й" * 700 if length > 2 else "") for n in range(length)]
        visitor = {"id": 1 if number % 10 == 3 else number, "name": "Ann", "email": f"ann{number % 10}@example.com"}
        messages = [{**now, "content": text} for text in (*texts, *more)]
        return chat(channels[number], visitor=visitor, messages=messages)

    revised = set(range(0, 50, 5))
    with Cutting(redmine.url, share=0.15) as proxy:
        relay.configure(config(redmine, url=proxy.url))
        relay.web()
        workers = [relay.worker(), relay.worker()]
        # Of what came before its first claim, a store is not sure that it was never delivered (ADR 10).
        relay.post(chat("opening", messages=[now]))

        def opened() -> bool:
            relay.hurry("redmine")
            return relay.ledger.lane("redmine").counts["delivered"] == 1

        until(opened, what="the first of them")
        order = list(range(50))
        random.Random(50).shuffle(order)
        for number in order:
            assert relay.post(posted(number)).status_code == 202
        until(lambda: relay.ledger.lane("redmine").counts["delivered"] >= 10, what="ten of them")
        kill(workers.pop())
        workers.append(relay.worker())

        def arrived(number: int, revision: int = 1) -> bool:
            delivery = relay.ledger.delivery(DeliveryId(f"redmine:1:{channels[number]}"))
            return (delivery.status, delivery.revision) == ("delivered", revision)

        def all_arrived(which: set[int], revision: int = 1) -> bool:
            relay.hurry("redmine")
            return all(arrived(number, revision) for number in which)

        until(lambda: all_arrived(set(range(50))), 180, "fifty issues")
        for number in revised:
            assert relay.post(posted(number, "number 60 at last")).status_code == 202
        until(lambda: all_arrived(revised, 2), 180, "the revisions")
    assert {one.split()[0] for one in proxy.lost} == {"POST", "PUT"}
    for number, channel in enumerate(channels):
        (issue,) = redmine.issues(f"smartsupp:1:{channel}")
        texts = redmine.texts(issue)
        whole = [n for text in numbers(texts) for n in text]
        length = 60 if number % 5 == 0 else 2
        expected = [*range(length)] + ([60] if number in revised else [])
        assert whole == expected, (channel, proxy.lost)
        assert len(texts) == (4 if number in revised else 1), [len(text) for text in texts]


def test_a_replay_makes_no_second_issue(desk: Stack, redmine: Redmine) -> None:
    desk.post(chat("replayed"))
    first = settled(desk, "redmine:1:replayed")
    desk.cli("replay", "redmine:1:replayed")
    assert settled(desk, "redmine:1:replayed", tries=2).reference == first.reference
    (issue,) = redmine.issues("smartsupp:1:replayed")
    assert len(redmine.texts(issue)) == 1


def test_a_wrong_key_pauses_the_connector_and_the_right_one_resumes_it(relay: Stack, redmine: Redmine) -> None:
    relay.configure(config(redmine, key="not-a-key-of-this-redmine"))
    relay.web()
    relay.worker()
    relay.post(chat("paused"))
    until(lambda: relay.ledger.lane("redmine").gate, 60, "the pause")
    assert settled(relay, "redmine:1:paused", "retrying").paused
    said = relay.cli("status")
    assert "redmine: Paused, because the destination rejected the credentials" in said
    assert "401" in said
    assert "not-a-key-of-this-redmine" not in relay.cli("show", "redmine:1:paused") + relay.logs()
    relay.configure(config(redmine))
    settled(relay, "redmine:1:paused", tries=2)
    assert len(redmine.issues("smartsupp:1:paused")) == 1


def test_what_is_wrong_is_said_before_the_first_chat(relay: Stack, redmine: Redmine) -> None:
    relay.configure(config(redmine, tracker=redmine.trackers["Support"]))
    said = relay.cli("connectors", "check", "redmine")
    for right in (
        "accepts the key of relay",
        "custom field is Smartsupp chat",
        "can be looked for",
        "tracker is Support",
    ):
        assert right in said
    relay.configure(config(redmine, field=4711))
    said = relay.cli("connectors", "check", "redmine", code=1)
    assert "the project support has no custom field 4711 for issues" in said


# --- the connector alone -------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_around_any_request_leaves_one_issue_and_each_text_once(redmine: Redmine, after: bool) -> None:
    """A long chat, then a revision of it: Redmine itself is asked what is there."""
    long = [f"number {n} " + "x" * 2900 for n in range(30)]
    number = 0
    while True:
        channel = f"dies-{'after' if after else 'before'}-{number}"
        memory: dict[str, Any] = {}
        died = [dies(connector(redmine), number, after, channel, memory, *long)]
        deliver(connector(redmine), channel, memory, *long)
        died.append(dies(connector(redmine), number, after, channel, memory, *long, "One thing more", revision=2))
        deliver(connector(redmine), channel, memory, *long, "One thing more", number=2)
        if not any(died):
            break
        (issue,) = redmine.issues(f"smartsupp:1:{channel}")
        texts = redmine.texts(issue)
        assert len(texts) == 6, (channel, [len(text) for text in texts])
        assert [n for text in numbers(texts) for n in text] == [*range(30), *range(30)]
        number += 1
    # Before and after each of three requests that write: an issue and two notes, then three notes.
    assert number == 3


def dies(
    made: HttpConnector[Any],
    number: int,
    after: bool,
    channel: str,
    memory: dict[str, Any],
    *messages: str,
    revision: int = 1,
) -> bool:
    """Deliver, and die before or after request `number`. False when there was no such request."""
    return dying(made, number, after, partial(deliver, made, channel, memory, *messages, number=revision))


def dying(made: HttpConnector[Any], number: int, after: bool, act: Callable[[], object]) -> bool:
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


def bring(made: HttpConnector[Any], payload: dict[str, Any], memory: dict[str, Any]) -> Reference:
    """One attempt at a chat of Smartsupp's API, given a moment after it was over."""
    body = json.dumps(payload).encode()
    conversation = parse_conversation(body)
    revision = Revision(1, PayloadId("payload1"), conversation.span()[1] + 60_000, "", body)
    receipt = Receipt(f"redmine:{conversation.key}", revision, lambda: [revision])
    with made.attempt():
        return made.deliver(conversation, receipt, Step(memory, memory.__setitem__, forget=memory.pop))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_around_any_request_leaves_each_file_once(redmine: Redmine, tmp_path: Path, after: bool) -> None:
    number, died = 0, True
    with Fake() as storage:
        while died:
            channel = f"files{'after' if after else 'before'}{number}"
            payload, memory = chat_with(storage, KETTLE_PHOTO, KETTLE_INVOICE, channel=channel), dict[str, Any]()
            one, other = connector(redmine), connector(redmine)
            one.data_dir = other.data_dir = tmp_path
            died = dying(one, number, after, partial(bring, one, payload, memory))
            reference = bring(other, payload, memory)
            wanted = [("faktura_c._7.pdf", KETTLE_INVOICE[2]), ("photo_of_the_kettle.png", KETTLE_PHOTO[2])]
            assert redmine.files(int(reference.id)) == wanted, (number, after)
            number += 1
    assert number > 4


def test_a_field_that_is_no_filter_makes_no_second_issue(redmine: Redmine) -> None:
    made = connector(redmine, field=redmine.fields["Unsearchable"])
    first = deliver(made, "unsearchable", {})
    assert deliver(made, "unsearchable", {}, first=False) == first
    assert len(redmine.issues("smartsupp:1:unsearchable", "Unsearchable")) == 1
    assert [one.text for one in made.check() if not one.right] == ["issues cannot be looked for by the custom field"]


def test_a_field_that_the_user_may_not_see_stops_the_connector_after_one_issue(redmine: Redmine) -> None:
    made = connector(redmine, key=redmine.keys["novice"], field=redmine.fields["Unseen"])
    memory: dict[str, Any] = {}
    before = redmine.rest("GET", "issues", params={"status_id": "*", "limit": 1})["total_count"]
    for _ in range(2):
        with pytest.raises(ConnectorRefused, match="Redmine kept no custom field"):
            deliver(made, "unseen", memory)
    assert redmine.rest("GET", "issues", params={"status_id": "*", "limit": 1})["total_count"] == before + 1


def test_an_issue_is_private_where_the_role_may_and_the_connector_stops_where_not(redmine: Redmine) -> None:
    deliver(connector(redmine, private=True), "private", {})
    assert redmine.issues("smartsupp:1:private")[0]["is_private"] is True
    with pytest.raises(ConnectorRefused, match="or no private issue"):
        deliver(connector(redmine, private=True, key=redmine.keys["novice"]), "not-private", {})


@pytest.mark.parametrize("name", ['O\'Brien "Ann" <x@y>', "Kmet, Dušan 🎉", "back\\slash", "n" * 400])
def test_a_name_is_one_subject(redmine: Redmine, name: str) -> None:
    made = connector(redmine)
    reference = deliver(made, f"name-{len(name)}", {}, visitor={"name": name})
    subject = redmine.rest("GET", f"issues/{reference.id}")["issue"]["subject"]
    assert subject.startswith(f"Chat: {name[:90]}"[:96])


def test_what_is_not_there_is_a_matter_of_settings(redmine: Redmine) -> None:
    with pytest.raises(ConnectorRefused, match="404"):
        deliver(connector(redmine, project="nowhere"), "nowhere", {})
    with pytest.raises(ConnectorRefused, match="401"):
        list(connector(redmine, key="wrong").check())


def test_what_people_do_in_redmine_refuses_the_record_and_not_the_connector(redmine: Redmine) -> None:
    memory: dict[str, Any] = {}
    issue = deliver(connector(redmine), "kept", memory).id
    closed = next(one["id"] for one in redmine.rest("GET", "issue_statuses")["issue_statuses"] if one["is_closed"])
    redmine.rest("PUT", f"issues/{issue}", json={"issue": {"status_id": closed}})
    assert deliver(connector(redmine), "kept", memory, "more", number=2).id == issue
    assert deliver(connector(redmine), "kept", {}, "more", number=2, first=False).id == issue
    assert len(redmine.issues("smartsupp:1:kept")) == 1
    redmine.rest("DELETE", f"issues/{issue}")
    with pytest.raises(RecordRefused, match="no longer there"):
        deliver(connector(redmine), "kept", memory, "more still", number=3)
