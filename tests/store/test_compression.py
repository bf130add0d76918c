"""Bodies that are kept smaller: whoever reads them gets them as they came, with encryption keys and without, and beside
those that are not."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from connectors.testing.chats import HOOK
from core.config.environment import environment
from core.delivery import Attempt, Exchange, Outcome, PayloadStatus
from core.encryption import Vault
from core.encryption.compression import DICTIONARY_1, compressed, expanded
from core.errors import ConfigError
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, AdminNotes, Eraser, Filter, Ledger, Search, Store, VisitorRecords, connect, connected
from core.store.causes import Causes
from core.store.connection.client import to_nobody
from core.store.protocol.keys import key
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat

KEY = base64.urlsafe_b64encode(os.urandom(32)).decode()
VAULTS = [Vault((), compress=True), Vault((KEY,), compress=True), Vault(), Vault((KEY,))]


def talk(number: int, name: str = "Ann") -> bytes:
    lines = [f"Is the {colour} teapot of order {number} in stock?" for colour in ("blue", "green", "white", "red")]
    messages = [{"type": "visitor", "from": "visitor:mx1", "content": one, "sentAt": 1427470439703} for one in lines]
    return chat(number, messages=messages, visitor={"id": 7, "name": name, "email": "ann@example.com"})


@given(st.one_of(st.binary(), st.binary(min_size=1, max_size=40).map(lambda part: part * 50)))
def test_every_body_comes_back_whoever_keeps_it(body: bytes) -> None:
    for vault in VAULTS:
        assert vault.open(vault.seal_small(body)) == body
        assert vault.open(vault.seal(body)) == body
    # Those without the setting read what those with it have kept, and the other way round.
    assert VAULTS[2].open(VAULTS[0].seal_small(body)) == body
    assert VAULTS[3].open(VAULTS[1].seal_small(body)) == body
    assert VAULTS[0].open(VAULTS[2].seal(body)) == body


@pytest.mark.parametrize("start", [b"\x00relay:deflate1:", b"\x00relay:fernet:", b"\x00relay:plain:", b"\x00relay:"])
@pytest.mark.parametrize("rest", [b"", b"nonsense" * 40, compressed(HOOK) or b""])
def test_a_body_that_looks_compressed_is_kept_as_it_came(start: bytes, rest: bytes) -> None:
    for vault in VAULTS:
        assert vault.open(vault.seal_small(start + rest)) == start + rest
        assert vault.open(vault.seal(start + rest)) == start + rest


def test_what_another_version_sealed_as_it_came_is_opened_as_it_came() -> None:
    body = b"\x00relay:deflate1:not made by us"
    sealed = b"\x00relay:fernet:" + Fernet(KEY).encrypt(body)
    assert VAULTS[1].open(sealed) == body


def test_the_dictionary_of_what_is_kept_stays_as_it_is() -> None:
    # Another one needs another number: what was kept with this one can be opened with no other.
    digest = "7504ce8b3d1c297c19bae564fe877b547a473624f38cea91edd540e091b72725"
    assert hashlib.sha256(DICTIONARY_1).hexdigest() == digest
    assert len(DICTIONARY_1) < 32_768


def test_what_would_take_a_workers_memory_is_neither_made_nor_opened() -> None:
    large = b"a" * (9 << 20)
    assert compressed(large) is None
    making = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=DICTIONARY_1)
    bomb = making.compress(large) + making.flush()
    with pytest.raises(ValueError, match="not a compressed body"):
        expanded(bomb)


def test_only_what_was_made_here_is_expanded() -> None:
    whole = compressed(HOOK)
    assert whole
    assert expanded(whole) == HOOK
    for wrong in (b"", b"\xff" * 20, whole[:-3], whole + b"x"):
        with pytest.raises(ValueError, match="compressed body"):
            expanded(wrong)
    assert compressed(b"short") is None
    assert compressed(os.urandom(1_000)) is None


def test_a_documented_chat_takes_less_than_a_third() -> None:
    kept = Vault((), compress=True).seal_small(HOOK)
    assert len(kept) < len(HOOK) / 3
    sealed = Vault((KEY,), compress=True).seal_small(HOOK)
    assert len(sealed) < len(Vault((KEY,)).seal_small(HOOK)) / 3


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_everything_that_reads_bodies_reads_these(server: Server, keys: tuple[str, ...]) -> None:
    writing = connect(server.url, keys=keys, compress=True)
    reading = connect(server.url, keys=keys)  # another process, that has the setting not
    store = Store(reading)
    payload = Store(writing).accept(talk(1)).id
    kept = server.client.get(key("raw", payload))
    assert kept
    assert len(kept) < len(talk(1))
    assert b"teapot" not in kept
    assert Store(writing).accept(talk(1)).known, "its digest is that of the body as it came"
    claim = store.claim(INBOX, "t")
    assert claim
    assert claim.body == talk(1)
    store.release(claim)
    made.conversation(store, talk(1), archive=None)
    ledger, one = Ledger(reading), ConversationId("1:1")
    assert ledger.conversation(one).payloads[0].body == talk(1)
    assert store.revisions(one)[0].body == talk(1)
    assert [row.id for row in Search(reading).page(Filter(text="green teapot", said=True)).rows] == ["1:1"]
    records = VisitorRecords(reading).conversation(one)
    assert records
    assert records.payloads[0].body == talk(1)
    held = store.claim("archive", "t2")
    assert held
    assert held.body == talk(1)
    exchange = Exchange("POST", "https://example.com/records", 422, 1, "", "tea " * 90, "no such field " * 30)
    tried = Attempt(1, 2, Outcome.REFUSED, 1, 422, "no such field", requests=(exchange,))
    Store(writing).settle(held, tried, delay_ms=0)
    [kept] = server.client.lrange(key("attempts", "archive:1:1"), 0, -1)
    assert len(kept) < 500
    assert ledger.delivery(DeliveryId("archive:1:1")).attempts == (tried,)
    assert Causes(reading).most_frequent(["archive"], 5).dead == 1
    assert Causes(reading).sort(["archive"]) == 0
    assert list(AdminNotes(reading).naming({"ann@example.com"})) == []
    assert control(store).replay(DeliveryId("archive:1:1")) == "archive"
    found = Eraser(reading).traces("ann@example.com")
    assert found.conversations == ("1:1",)
    assert Eraser(reading).conversation(one)
    assert server.client.get(key("raw", payload)) is None


def test_a_compressed_body_that_is_no_chat_is_quarantined_and_replayed(server: Server) -> None:
    client = connect(server.url, compress=True)
    store, body = Store(client), b'{"accountId": 1, "channel": {}, "note": "' + b"no chat " * 60 + b'"}'
    payload = store.accept(body).id
    claim = store.claim(INBOX, "t")
    assert claim
    store.divert(payload, PayloadStatus.QUARANTINED, "channel.id: missing", token="t")
    assert Ledger(client).payload(payload).body == body
    assert control(store).replay(payload)
    again = store.claim(INBOX, "t2")
    assert again
    assert again.body == body


def test_the_setting_is_an_environment_variable(server: Server) -> None:
    variables = {"RELAY_REDIS_URL": server.url}
    assert not environment(variables).compress
    assert environment({**variables, "RELAY_COMPRESS": "True"}).compress
    with pytest.raises(ConfigError, match="expected true or false"):
        environment({**variables, "RELAY_COMPRESS": "zstd"})
    payload = Store(connected(environment({**variables, "RELAY_COMPRESS": "true"}), wake_up=to_nobody)).accept(HOOK).id
    assert len(server.client.get(key("raw", payload)) or HOOK) < len(HOOK) / 3
