"""Blocks of searched lines: with them or without, a search finds the same, whatever happened since."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from core.ids import ConversationId
from core.store import Eraser, Filter, Search, Store, connect
from core.store.connection.client import Client
from core.store.protocol.keys import key
from core.store.search import blocks as module
from core.store.search import conversations
from core.store.search.blocks import LIFE_MS, SearchBlocks
from tests.conftest import Clock
from tests.support import made
from tests.support.server import Server
from tests.support.stack import chat

NAMES = ("Žofie Nováková", "Jan Žák", "Ann Smith", "Olena", "zo", "ANNA", "Quirina")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", 5)
    monkeypatch.setattr(conversations, "_BATCH", 4)


@pytest.fixture
def client(server: Server) -> Client:
    return connect(server.url)


@pytest.fixture
def blocks(client: Client, clock: Clock) -> SearchBlocks:
    return SearchBlocks(client, clock)


def came(store: Store, number: int | str, name: str, revision: int = 1) -> str:
    visitor = {"id": 7, "name": name, "email": f"{name.partition(' ')[0].lower()}@example.com"}
    return made.conversation(store, chat(number, visitor=visitor, endAt=revision))


def starts(client: Any) -> list[str]:
    return [one.decode() for one in client.zrange(key("search-blocks"), 0, -1)]


def found(search: Search, wanted: Filter, limit: int) -> Iterator[tuple[str, int]]:
    """Page by page to the end."""
    after = ""
    while True:
        page = search.page(wanted, after=after, limit=limit)
        yield from ((row.id, row.at) for row in page.rows)
        if not page.after:
            return
        after = page.after


@pytest.mark.parametrize("seed", range(12))
def test_a_search_finds_what_one_without_blocks_finds(
    seed: int, client: Client, store: Store, clock: Clock, blocks: SearchBlocks
) -> None:
    dice, search, eraser = random.Random(seed), Search(client), Eraser(client, clock)
    there: list[str] = []
    for number in range(60):
        what = dice.random()
        if what < 0.7 or not there:
            there.append(came(store, f"Co{number}", dice.choice(NAMES)))
        elif what < 0.85:  # it goes on, by another name
            came(store, dice.choice(there).partition(":")[2], dice.choice(NAMES), revision=number + 2)
        else:
            assert eraser.conversation(ConversationId(there.pop(dice.randrange(len(there)))))
        if dice.random() < 0.7:
            clock.pass_by(dice.choice((0, 1, 900, 4_000)))
        if dice.random() < 0.2:
            if dice.random() < 0.5:  # nobody has looked after those that were left
                blocks.refresh()
            while blocks.build():
                pass
    if seed % 3 == 0 and client.zcard(key("search-blocks")):  # one is gone: what it held is looked through as ever
        client.delete(key("search-block", starts(client)[0]))
    assert len(client.keys(key("search-block", "*"))) >= 2
    middle = clock.now - 20_000_000
    texts = ("zofie", "ann", "zo", "o", "example.com", "co1", "1:co", "nobody", "quirina", "zak")
    for wanted in (Filter(text=text) for text in texts):
        for bounded in (
            wanted,
            replace(wanted, since=middle),
            replace(wanted, until=middle),
            replace(wanted, account="1"),
        ):
            with_blocks = list(found(search, bounded, dice.choice((1, 3, 50))))
            slowly = [
                (row.id, row.at) for batch in search.batches(bounded, size=1_000) for row in batch.rows
            ]  # not a quick one
            assert with_blocks == slowly, bounded
            assert search.count(bounded) == (len(slowly), True)


def test_an_old_name_is_found_in_many_without_looking_at_each(
    client: Client, store: Store, clock: Clock, blocks: SearchBlocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(store, "first", "Quirina")
    for number in range(60):
        clock.pass_by(1)
        came(store, number, "Ann")
    clock.pass_by(2 * 3_600)
    came(store, "last", "Ann")
    while blocks.build():
        pass
    assert client.zcard(key("search-blocks")) == 12
    # Lines that are read one by one are counted.
    client.config_resetstat()
    page = Search(client).page(Filter(text="quirina"), limit=1)
    assert [row.id for row in page.rows] == ["1:first"]
    stats = client.info("commandstats")
    assert stats["cmdstat_get"]["calls"] == 1
    assert stats["cmdstat_mget"]["calls"] <= 2


def test_one_that_stands_in_two_blocks_is_found_once_where_it_is_now(
    client: Client, store: Store, clock: Clock, blocks: SearchBlocks
) -> None:
    for revision, first in ((1, 0), (2, 10)):
        came(store, "again", "Quirina", revision)
        for number in range(first, first + 4):
            clock.pass_by(1)
            came(store, number, "Ann")
        clock.pass_by(2 * 3_600)
        assert blocks.build()
    came(store, "last", "Ann")
    assert _kept(client, b"quirina") == 2
    assert [row[0] for row in found(Search(client), Filter(text="quirina"), 2)] == ["1:again"]


def test_what_is_erased_is_in_no_block(client: Client, store: Store, clock: Clock, blocks: SearchBlocks) -> None:
    for number in range(10):
        clock.pass_by(1)
        came(store, number, "Marketa Vzacna" if number == 3 else "Ann")
    clock.pass_by(2 * 3_600)
    while blocks.build():
        pass
    came(store, 3, "Somebody Else", revision=2)  # it has moved; its earlier name stands in a block still
    assert _kept(client, b"marketa vzacna")
    assert Eraser(client).conversation(ConversationId("1:3"))
    assert not _kept(client, b"marketa vzacna")
    assert not _kept(client, b"somebody else")


def test_two_who_look_after_blocks_at_once_list_nothing_twice_and_the_next_one_mends_it(
    client: Client, store: Store, clock: Clock, blocks: SearchBlocks
) -> None:
    """One has listed the blocks when the other makes one of two; then it makes the second of them anew."""
    for number in range(10):
        clock.pass_by(1)
        came(store, number, "Quirina")
    clock.pass_by(2 * 3_600)
    while blocks.build():
        pass
    before = blocks._blocks()
    assert len(before) == 2
    for number in (1, 2, 3, 7, 8):
        assert Eraser(client).conversation(ConversationId(f"1:{number}"))
    assert blocks.refresh() == 0  # what the erasing left is one block
    assert len(starts(client)) == 1
    blocks._keep(before[1].start, before[1].before)
    assert len(starts(client)) == 2
    everybody = sorted(f"1:{number}" for number in (0, 4, 5, 6, 9))
    assert sorted(row[0] for row in found(Search(client), Filter(text="quirina"), 3)) == everybody
    blocks.refresh()
    assert len(starts(client)) == 1
    assert sorted(row[0] for row in found(Search(client), Filter(text="quirina"), 3)) == everybody


def _kept(client: Any, text: bytes) -> int:
    """Blocks in which it stands."""
    return sum(text in client.hget(name, "lines") for name in client.keys(key("search-block", "*")))


def test_small_blocks_become_one_and_those_that_nobody_looks_after_go(
    client: Client, store: Store, clock: Clock, blocks: SearchBlocks
) -> None:
    for number in range(20):
        clock.pass_by(1)
        came(store, number, "Ann")
    clock.pass_by(2 * 3_600)
    while blocks.build():
        pass
    assert client.zcard(key("search-blocks")) == 4
    for number in range(18):
        if number != 7:
            assert Eraser(client, clock).settled([ConversationId(f"1:{number}")], clock.now, clock.now) == 1
    assert blocks.refresh() > 0
    [start] = starts(client)
    name = key("search-block", start)
    assert client.hget(name, "count") == b"3"
    assert 0 < client.pttl(name) <= LIFE_MS
    assert [row[0] for row in found(Search(client), Filter(text="ann"), 10)] == ["1:19", "1:18", "1:7"]
    assert blocks.refresh() == 0


def test_a_store_with_encryption_keys_has_no_blocks(
    server: Server, client: Client, store: Store, clock: Clock, blocks: SearchBlocks
) -> None:
    for number in range(6):
        came(store, number, "Ann")
    clock.pass_by(2 * 3_600)
    assert blocks.build()
    sealed = SearchBlocks(connect(server.url, keys=[Fernet.generate_key().decode()]), clock)
    assert not sealed.build()
    assert sealed.refresh() == 0
    assert client.keys(key("search-block*")) == []
