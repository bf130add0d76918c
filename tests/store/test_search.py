"""Finding conversations, on a real server: order, places that stay right while things move, text, time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import summary
from core.delivery import DeliveryStatus, Outcome
from core.errors import StoreUnavailable
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Ledger, Search, Store, connect
from core.store.protocol.keys import key
from core.store.search import conversations as module
from core.store.search.conversations import Found
from core.summary import Summary
from tests.conftest import Clock
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat


@pytest.fixture
def search(server: Server) -> Search:
    return Search(connect(server.url))


def ids(search: Search, wanted: Filter | None = None, **options: Any) -> list[str]:
    return [row.id for row in search.page(wanted or Filter(), **options).rows]


def walked(search: Search, wanted: Filter, limit: int) -> Iterator[Found]:
    """Page by page to the end."""
    after = ""
    while True:
        page = search.page(wanted, after=after, limit=limit)
        yield from page.rows
        if not page.after:
            return
        after = page.after


def visited(number: int | str, **visitor: Any) -> bytes:
    return chat(number, visitor={"id": 7, "name": "Ann", "email": "ann@example.com", **visitor})


def saying(number: int, *lines: str, ascii_only: bool = True, **changes: Any) -> bytes:
    payload = json.loads(chat(number, **changes))
    payload["messages"] = [{"type": "visitor", "from": "visitor:mx1", "content": one} for one in lines]
    return json.dumps(payload, ensure_ascii=ascii_only).encode()


def test_newest_come_first_and_pages_join(search: Search, store: Store, clock: Clock) -> None:
    for number in range(7):
        made.chats(store, 1, first=number)
        clock.pass_by(1)
    first = search.page(Filter(), limit=3)
    assert [row.id for row in first.rows] == ["1:6", "1:5", "1:4"]
    assert first.reached is None
    second = search.page(Filter(), after=first.after, limit=3)
    assert [row.id for row in second.rows] == ["1:3", "1:2", "1:1"]
    third = search.page(Filter(), after=second.after, limit=3)
    assert [row.id for row in third.rows] == ["1:0"]
    assert third.after == ""


@pytest.mark.parametrize("limit", [1, 7, 40])
def test_a_hundred_of_the_same_millisecond_come_once_each(search: Search, store: Store, limit: int) -> None:
    there = made.chats(store, 100, crm=Outcome.REFUSED)
    assert sorted(row.id for row in walked(search, Filter(), limit)) == sorted(there)
    assert sorted(row.id for row in walked(search, Filter(connector="crm"), limit)) == sorted(there)


def test_the_same_holds_when_a_batch_ends_among_them(
    search: Search, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 7)
    there = made.chats(store, 40)
    assert sorted(row.id for row in walked(search, Filter(text="ann"), 5)) == sorted(there)
    assert search.count(Filter(text="ann")) == (40, True)


def test_a_place_stays_right_when_what_stood_there_has_gone_or_moved(search: Search, store: Store) -> None:
    there = made.chats(store, 30, crm=Outcome.REFUSED)
    wanted = Filter(status=DeliveryStatus.DEAD)
    first = search.page(wanted, limit=10)
    seen = [row.id for row in first.rows]
    for row in first.rows:  # of the same millisecond as all others
        control(store).replay(row.delivery)
    rest = search.page(wanted, after=first.after, limit=30)
    assert sorted(seen + [row.id for row in rest.rows]) == sorted(there)
    assert rest.after == ""


def test_a_place_stays_right_when_only_what_stood_there_has_gone(search: Search, store: Store) -> None:
    there = made.chats(store, 30, crm=Outcome.REFUSED)
    wanted = Filter(status=DeliveryStatus.DEAD)
    first = search.page(wanted, limit=10)
    control(store).replay(first.rows[-1].delivery)
    rest = search.page(wanted, after=first.after, limit=30)
    assert [row.id for row in (*first.rows, *rest.rows)] == sorted(there, reverse=True)


def test_those_of_one_millisecond_come_once_whatever_their_status(search: Search, store: Store) -> None:
    outcomes = (Outcome.REFUSED, Outcome.DELIVERED, None)
    there = [made.conversation(store, chat(number), crm=outcomes[number % 3]) for number in range(30)]
    assert [row.id for row in walked(search, Filter(connector="crm"), 4)] == sorted(there, reverse=True)


def test_what_comes_in_meanwhile_moves_no_page(search: Search, store: Store, clock: Clock) -> None:
    made.chats(store, 10)
    first = search.page(Filter(), limit=4)
    clock.pass_by(5)
    made.chats(store, 10, first=100)
    rest = search.page(Filter(), after=first.after, limit=20)
    assert len(rest.rows) == 6
    assert not {row.id for row in first.rows} & {row.id for row in rest.rows}


def test_a_conversation_that_goes_on_comes_up_again(search: Search, store: Store, clock: Clock) -> None:
    made.chats(store, 3)
    clock.pass_by(60)
    made.conversation(store, chat(1, endAt=1))
    newest = search.page(Filter()).rows[0]
    assert (newest.id, newest.at) == ("1:1", clock.now)


def test_several_statuses_and_connectors_are_merged_by_time(search: Search, store: Store, clock: Clock) -> None:
    for number, outcome in enumerate([Outcome.REFUSED, Outcome.DELIVERED, None, Outcome.RETRY, Outcome.SKIPPED]):
        made.conversation(store, chat(number), crm=outcome)
        clock.pass_by(1)
        made.conversation(store, chat(number + 10), desk=outcome)
        clock.pass_by(1)
    of_crm = Filter(connector="crm")
    assert [row.delivery for row in walked(search, of_crm, 2)] == [f"crm:1:{number}" for number in (4, 3, 2, 1, 0)]
    dead = Filter(status=DeliveryStatus.DEAD)
    assert [row.delivery for row in walked(search, dead, 1)] == ["desk:1:10", "crm:1:0"]
    assert search.count(of_crm) == (5, True)
    assert ids(search, Filter(connector="crm", status=DeliveryStatus.RETRYING)) == ["1:3"]
    assert ids(search, Filter(connector="unheard-of")) == []


def test_a_conversation_comes_once_for_each_delivery_that_matches(search: Search, store: Store) -> None:
    made.conversation(store, chat(1), crm=Outcome.REFUSED, desk=Outcome.REFUSED, shop=Outcome.DELIVERED)
    rows = search.page(Filter(status=DeliveryStatus.DEAD)).rows
    assert {(row.id, row.delivery) for row in rows} == {("1:1", "crm:1:1"), ("1:1", "desk:1:1")}


def test_what_marks_a_conversation_is_filtered(search: Search, store: Store) -> None:
    made.conversation(store, chat(1, channel={"id": 1, "isMissed": True}))
    made.conversation(store, chat(2, channel={"id": 2, "isOffline": True, "rating": 5}))
    made.conversation(store, chat(3, accountId=22, channel={"id": 3, "rating": 1}))
    assert ids(search, Filter(missed=True)) == ["1:1"]
    assert ids(search, Filter(offline=True)) == ["1:2"]
    assert ids(search, Filter(offline=True, missed=True)) == []
    assert ids(search, Filter(rating="5")) == ["1:2"]
    assert ids(search, Filter(rating="1")) == ["22:3"]
    assert ids(search, Filter(rating="none")) == ["1:1"]
    assert ids(search, Filter(account="22")) == ["22:3"]
    assert ids(search, Filter(account="2")) == []
    assert search.accounts() == ["1", "22"]


def test_nobody_can_write_a_mark_into_a_name_or_a_message(search: Search, store: Store) -> None:
    body = json.loads(visited(1, name="x missed rating:5 account:9 \n missed ", email=" missed "))
    body["messages"][0]["content"] = "\n missed \n offline rating:5 "
    made.conversation(store, json.dumps(body).encode())
    for wanted in (Filter(missed=True), Filter(offline=True), Filter(rating="5"), Filter(account="9")):
        assert ids(search, wanted) == []
    assert ids(search, Filter(text="rating:none")) == []  # marks are not searched either


def test_times_bound_from_below_and_from_above(search: Search, store: Store, clock: Clock) -> None:
    start = clock.now
    for number in range(6):
        made.chats(store, 1, first=number, crm=Outcome.REFUSED)
        clock.pass_by(1)
    for wanted in (
        Filter(since=start + 1000, until=start + 4000),
        Filter("ann", since=start + 1000, until=start + 4000),
    ):
        assert ids(search, wanted) == ["1:3", "1:2", "1:1"]
        assert [row.id for row in walked(search, wanted, 1)] == ["1:3", "1:2", "1:1"]
        assert search.count(wanted) == (3, True)
    assert ids(search, Filter(status=DeliveryStatus.DEAD, until=start + 1000)) == ["1:0"]
    assert ids(search, Filter(since=start + 5, until=start + 5)) == []
    # A place above the range: the first of the range comes next.
    above = search.page(Filter(), limit=1).after
    assert ids(search, Filter(until=start + 2000), after=above) == ["1:1", "1:0"]


@pytest.mark.parametrize(
    "text", ["žofie", "Zofie", "NOVÁKOVÁ", "zofie  nova", "zofie@", "EXAMPLE.org", "177", "mxAbc", "mxabc"]
)
def test_names_addresses_and_ids_are_found_whatever_their_case_and_accents(
    search: Search, store: Store, text: str
) -> None:
    made.conversation(store, visited(1))
    made.conversation(store, visited(177, id="mxAbC", name="Žofie\tNováková", email="Zofie@Example.org"))
    assert ids(search, Filter(text=text)) == ["1:177"]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1000:ab-177", {"1000:Ab-177"}),
        (" 1000:Ab-177\n", {"1000:Ab-177"}),
        ("00:aB", {"1000:Ab-177"}),
        ("1000:", {"1000:Ab-177", "1000:5"}),
        (":5", {"1000:5"}),
        (":", {"1000:Ab-177", "1000:5", "1:1000"}),
        ("1000", {"1:1000"}),  # no account is all of its conversations
        ("1000:6", set()),
        ("crm:1000", set()),
    ],
)
def test_the_id_that_pages_show_is_found_and_parts_of_it(
    server: Server, clock: Clock, text: str, found: set[str], sealed: bool
) -> None:
    client = connect(server.url, keys=[Fernet.generate_key().decode()] if sealed else [])
    search, store = Search(client), Store(client, clock)
    for account, channel in ((1000, "Ab-177"), (1000, "5"), (1, "1000")):
        body = chat(accountId=account, channel={"id": channel}, visitor={"name": "Ann"})
        made.conversation(store, body, crm=Outcome.REFUSED)
    for wanted in (Filter(text=text), Filter(text=text, said=True), Filter(text=text, status=DeliveryStatus.DEAD)):
        assert set(ids(search, wanted)) == found, wanted
    # Of an earlier version, or of none.
    for one in ("1000:Ab-177", "1000:5"):
        server.client.delete(key("summary", one))
    assert set(ids(search, Filter(text=text))) == found


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("čaj", True),
        ("ČAJ", True),
        ("zelený ČAJ", True),
        ("Žádný", True),
        ("🍵", True),
        ("path/to", True),
        ('say "yes"', True),
        (r"back\slash", True),
        ("first line second line", True),
        ("káva", False),
        ("content", False),
        ("visitor:mx1", False),
        ("email", False),
        ("čaj zelený", False),
    ],
)
def test_what_was_said_is_found_however_json_spells_it(
    search: Search, store: Store, text: str, found: bool, ascii_only: bool
) -> None:
    lines = ("Zelený čaj", "ŽÁDNÝ čaj 🍵", "path/to", 'say "yes"', r"back\slash", "first line\nsecond line")
    made.conversation(store, saying(1, *lines, ascii_only=ascii_only))
    made.conversation(store, saying(2, "nothing of it"))
    assert ids(search, Filter(text=text, said=True)) == (["1:1"] if found else [])
    assert ids(search, Filter(text=text)) == []


def test_php_spells_slashes_and_letters_in_its_own_way(search: Search, store: Store) -> None:
    body = saying(1, "see https://shop.example.com/Č/ž").replace(b"/", b"\\/").replace(b"\\u010c", b"\\u010C")
    assert b"\\/" in body
    assert b"\\u010C" in body
    made.conversation(store, body)
    assert ids(search, Filter(text="example.com/č/Ž", said=True)) == ["1:1"]


def test_only_the_newest_body_counts(search: Search, store: Store) -> None:
    made.conversation(store, saying(1, "first words"))
    made.conversation(store, saying(1, "other words"))
    assert ids(search, Filter(text="first words", said=True)) == []
    assert ids(search, Filter(text="other words", said=True)) == ["1:1"]


def test_name_and_words_are_found_together_in_the_order_of_time(search: Search, store: Store, clock: Clock) -> None:
    for number, words in enumerate(["Bob?", "Hello", "bob!"]):
        made.conversation(store, saying(number, words, visitor={"name": "Bob" if number == 1 else "Ann"}))
        clock.pass_by(1)
    assert ids(search, Filter(text="bob", said=True)) == ["1:2", "1:1", "1:0"]


def test_bodies_are_read_a_few_mib_at_a_time(search: Search, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.search.bodies._AT_ONCE", 500)
    for number in range(20):
        made.conversation(store, saying(number, "needle" if number % 3 == 0 else "hay" * 100))
    found = ids(search, Filter(text="needle", said=True))
    assert sorted(found) == sorted(f"1:{number}" for number in range(0, 20, 3))


def test_a_body_that_can_no_longer_be_read_is_found_by_what_stands_in_it(
    search: Search, store: Store, server: Server
) -> None:
    made.conversation(store, saying(1, "hello"))
    payload = Ledger(connect(server.url)).conversation(ConversationId("1:1")).payloads[0].id
    server.client.set(key("raw", payload), b'{"no": "Conversation of old"}')
    assert ids(search, Filter(text="conversation of OLD", said=True)) == ["1:1"]


def test_a_search_whose_time_is_over_says_how_far_it_came_and_goes_on(
    search: Search, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 10)
    made.conversation(store, visited(0, name="Rare"))
    for number in range(1, 31):
        clock.pass_by(1)
        made.chats(store, 1, first=number)
    page = search.page(Filter(text="rare"), limit=5, seconds=0)
    assert (page.rows, page.reached) == ((), clock.now - 9000)
    seen = 1
    while page.after:
        page = search.page(Filter(text="rare"), after=page.after, limit=5, seconds=0)
        seen += 1
    assert [row.id for row in page.rows] == ["1:0"]
    assert seen == 4
    assert ids(search, Filter(text="rare"), seconds=10) == ["1:0"]
    assert search.count(Filter(text="rare"), seconds=0) == (0, False)
    assert search.count(Filter(text="ann"), seconds=0) == (10, False)


def test_a_search_for_what_is_nowhere_ends(search: Search, store: Store) -> None:
    made.chats(store, 5)
    page = search.page(Filter(text="nobody"))
    assert (page.rows, page.after, page.reached) == ((), "", None)


def test_the_statuses_of_each_conversation_are_told(search: Search, store: Store) -> None:
    made.conversation(store, chat(1), crm=Outcome.DELIVERED, desk=Outcome.REFUSED)
    made.conversation(store, chat(2))
    assert search.deliveries([ConversationId("1:1"), ConversationId("1:2"), ConversationId("1:3")]) == {
        "1:1": {"crm": DeliveryStatus.DELIVERED, "desk": DeliveryStatus.DEAD},
        "1:2": {},
        "1:3": {},
    }
    control(store).pause("desk", "why not")
    assert search.blocked(["crm", "desk"]) == {"desk"}
    assert search.connectors() == ["crm", "desk"]


@pytest.mark.parametrize(
    "after", ["x", "~", "1~", "~1:1", "1e9~1:1", "-1~1:1", "1~1:1\n", "nan~1:1", "1" * 20 + "~1:1"]
)
def test_a_place_that_was_never_given_out_is_refused(search: Search, after: str) -> None:
    with pytest.raises(ValueError, match="is not a place"):
        search.page(Filter(), after=after)


def test_a_conversation_without_a_summary_is_listed(search: Search, store: Store, server: Server) -> None:
    made.chats(store, 2)
    server.client.delete(key("summary", "1:1"))
    assert sorted(ids(search)) == ["1:1", "1:2"]
    assert ids(search, Filter(text="ann")) == ["1:2"]
    assert ids(search, Filter(rating="none")) == ["1:2"]


def test_a_summary_of_a_later_version_is_read(search: Search, store: Store, server: Server) -> None:
    made.chats(store, 1)
    server.client.set(key("summary", "1:1"), b' rating:none \n{"name": "Ann", "mood": "high"}\nann')
    assert search.page(Filter()).rows[0].summary.name == "Ann"


def test_a_sealed_store_is_searched_and_listed_by_its_bodies(server: Server, clock: Clock) -> None:
    client = connect(server.url, keys=[Fernet.generate_key().decode()])
    search, store = Search(client), Store(client, clock)
    made.conversation(store, visited(1, name="Žofie", email="zofie@example.com"))
    made.conversation(store, saying(2, "Žofie?", visitor={"name": "Bob"}))
    assert b"zofie" not in (server.client.get(key("summary", "1:1")) or b"")
    assert ids(search, Filter(text="zofie")) == ["1:1"]
    assert ids(search, Filter(text="zofie", said=True)) == ["1:2", "1:1"]
    assert ids(search, Filter(text="nobody", said=True)) == []
    assert [row.summary.name for row in search.page(Filter()).rows] == ["Bob", "Žofie"]
    # Somebody has lost the key.
    without = Search(connect(server.url, keys=[Fernet.generate_key().decode()]))
    assert [row.summary.name for row in without.page(Filter()).rows] == ["", ""]
    assert ids(without, Filter(text="zofie", said=True)) == []


def test_a_server_that_can_write_nothing_is_still_searched(search: Search, store: Store, server: Server) -> None:
    made.chats(store, 2)
    search.page(Filter())
    server.client.config_set("maxmemory", "1")
    server.client.config_set("min-replicas-to-write", "1")
    try:
        assert len(ids(search, Filter(text="ann"))) == 2
    finally:
        server.client.config_set("maxmemory", "0")
        server.client.config_set("min-replicas-to-write", "0")


def test_a_server_that_is_away_says_so(own_server: Server) -> None:
    search = Search(connect(own_server.url))
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        search.page(Filter())


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter("ann", True, "crm", DeliveryStatus.DEAD, "1", True, True, "none", 1, 2),
        Filter(text="\ud83d \n\x00"),
    ],
)
def test_a_filter_survives_as_json(wanted: Filter) -> None:
    assert Filter.from_json(wanted.as_json()) == wanted
    assert Filter.from_json('{"text": "a", "colour": "blue"}') == Filter("a")


_HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["\n", "\x00\n", "\ud800", " missed ", "%", "\\", "a" * 5000, "ﷺ" * 200]
)


@given(name=_HOSTILE, email=_HOSTILE, said=_HOSTILE)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_makes_a_short_line_that_can_be_read_again(name: str, email: str, said: str) -> None:
    body = json.loads(visited(1, name=name, email=email))
    body["messages"][0]["content"] = said
    conversation = parse_conversation(json.dumps(body).encode())
    line = summary.line(conversation)
    assert line.count(b"\n") == 2
    assert len(line) < 25_000
    read = summary.summary_of(line)
    assert read.name == conversation.visitor.name[:200]
    assert len(read.opening) <= 120
    assert summary.folded(conversation.visitor.email[:100]) in summary.searched(line)
    assert (read.missed, read.offline, read.messages) == (False, False, 1)


def test_an_empty_line_is_an_empty_summary() -> None:
    assert summary.summary_of(b"") == Summary()


def test_looking_through_ten_thousand_is_quick(search: Search, store: Store, server: Server) -> None:
    """Not how quick: only that nobody has made it a round trip for each."""
    pipe = server.client.pipeline(transaction=False)
    for number in range(10_000):
        pipe.zadd(key("conversations"), {f"1:{number}": number})
        pipe.set(key("summary", f"1:{number}"), b" rating:none account:1 \n{}\nann ann@example.com")
    pipe.execute()
    with patch.object(
        search._redis.connection_pool, "get_connection", wraps=search._redis.connection_pool.get_connection
    ) as asked:
        assert ids(search, Filter(text="nobody"), seconds=60) == []
    assert 0 < asked.call_count < 1_000
