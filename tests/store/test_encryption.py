from __future__ import annotations

import base64
import os
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import Attempt, Exchange, Outcome, PayloadStatus
from core.encryption import Vault
from core.errors import StoreUnsafe
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Access, Ledger, Store, connect
from tests.support.made import control
from tests.support.server import Server

OLD, NEW, OTHER = (base64.urlsafe_b64encode(os.urandom(32)).decode() for _ in range(3))
BODY = b'{"accountId": 1, "channel": {"id": 5}, "visitor": {"name": "Zdenka Tajemna", "email": "zdenka@example.com"}}'


@given(st.binary())
def test_what_was_kept_comes_back(body: bytes) -> None:
    assert Vault().open(Vault().seal(body)) == body
    assert Vault((NEW,)).open(Vault((NEW,)).seal(body)) == body


@pytest.mark.parametrize("body", [b"\x00relay:fernet:abc", b"\x00relay:plain:x", b"\x00relay:", b"gAAAA"])
def test_a_body_that_looks_sealed_is_no_way_in(body: bytes) -> None:
    for vault in (Vault(), Vault((NEW,))):
        assert vault.open(vault.seal(body)) == body
    assert Vault((NEW,)).open(Vault().seal(body)) == body


def test_a_key_is_replaced_without_losing_what_the_old_one_sealed() -> None:
    sealed = Vault((OLD,)).seal(b"text")
    assert Vault((NEW, OLD)).open(sealed) == b"text"
    assert Vault((OLD,)).digest("1", b"text") == Vault((NEW, OLD)).digest("1", b"text")
    with pytest.raises(StoreUnsafe, match="RELAY_ENCRYPTION_KEYS"):
        Vault((NEW,)).open(sealed)
    with pytest.raises(StoreUnsafe, match="RELAY_ENCRYPTION_KEYS"):
        Vault().open(sealed)


def test_the_digest_tells_nothing_without_the_key() -> None:
    assert Vault((OLD,)).digest("1", b"text") != Vault().digest("1", b"text")
    assert Vault((OLD,)).digest("1", b"text") != Vault((OTHER,)).digest("1", b"text")


def told(server: Server) -> bytes:
    """Everything the server holds, as one text."""
    found = []
    for name in server.client.scan_iter(count=1000):
        found.append(name)
        kind = server.client.type(name)
        match kind:
            case b"string":
                found.append(server.client.get(name))
            case b"hash":
                found += [part for pair in server.client.hgetall(name).items() for part in pair]
            case b"list":
                found += server.client.lrange(name, 0, -1)
            case b"set":
                found += list(server.client.smembers(name))
            case b"zset":
                found += server.client.zrange(name, 0, -1)
    return b"\n".join(found)


def test_the_server_holds_nothing_that_a_visitor_wrote(server: Server) -> None:
    client = connect(server.url, keys=(NEW,))
    store, ledger = Store(client), Ledger(client)
    accepted = store.accept(BODY, "1")
    assert store.accept(BODY, "1").known
    inbox = store.claim(INBOX, secrets.token_hex(8))
    assert inbox is not None
    assert inbox.body == BODY
    summary = (
        b' rating:none account:1 \n{"name":"Zdenka Tajemna","email":"zdenka@example.com","messages":3}\nzdenka tajemna'
    )
    store.fan_out(inbox, ConversationId("1:5"), ["crm"], summary=summary)
    claim = store.claim("crm", secrets.token_hex(8))
    assert claim is not None
    assert claim.body == BODY
    exchange = Exchange("POST", "https://crm.example/", 422, 5, "no", "zdenka@example.com", "Zdenka Tajemna")
    said = "HTTP 422: zdenka@example.com is on a list"
    store.settle(claim, Attempt(1, 2, Outcome.REFUSED, 1, error=said, requests=(exchange,)))
    quoting = 'messages[0].sentAt: expected a number, got text "Zdenka Tajemna"'
    quarantined = store.accept(b'{"name": "Zdenka"}', "1").id
    assert store.divert(quarantined, PayloadStatus.QUARANTINED, quoting)
    noted = store.accept(b'{"name": "Tajemna"}', "1").id
    second = store.claim(INBOX, secrets.token_hex(8))
    assert second is not None
    store.fan_out(second, ConversationId("1:6"), ["crm"], note="fields.name: Zdenka has no number")

    kept = told(server)
    assert b"1:5" in kept
    assert b'"messages":3' in kept
    assert b"zdenka" not in kept.lower()
    assert b"tajemna" not in kept.lower()
    assert ledger.payload(accepted.id).body == BODY
    assert ledger.payload(accepted.id).size == len(BODY)
    assert ledger.delivery(DeliveryId("crm:1:5")).attempts[0].requests == (exchange,)
    assert ledger.delivery(DeliveryId("crm:1:5")).error == said
    assert ledger.payload(quarantined).error == quoting
    assert [one.error for one in ledger.payloads(PayloadStatus.QUARANTINED)] == [quoting]
    assert ledger.payload(noted).error == "fields.name: Zdenka has no number"
    # Without the key a list is still a list.
    assert "RELAY_ENCRYPTION_KEYS" in Ledger(connect(server.url)).payloads(PayloadStatus.QUARANTINED)[0].error
    assert [revision.body for revision in store.revisions(ConversationId("1:5"))] == [BODY]


def test_what_was_kept_before_there_were_keys_is_still_read(server: Server) -> None:
    Store(connect(server.url)).accept(BODY)
    found = Store(connect(server.url, keys=(NEW,))).claim(INBOX, secrets.token_hex(8))
    assert found is not None
    assert found.body == BODY


def test_without_the_key_a_claim_says_so_and_loses_nothing(server: Server) -> None:
    payload = Store(connect(server.url, keys=(OLD,))).accept(BODY).id
    store = Store(connect(server.url, keys=(NEW,)))
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim is not None
    assert claim.body == b""
    assert "RELAY_ENCRYPTION_KEYS" in claim.trouble
    store.divert(claim.payload, PayloadStatus.QUARANTINED, claim.trouble, token=claim.token)
    back = connect(server.url, keys=(NEW, OLD))
    control(Store(back)).replay(payload)
    again = Store(back).claim(INBOX, secrets.token_hex(8))
    assert again is not None
    assert again.body == BODY


def kept_password(server: Server) -> bytes:
    found = server.client.hget("relay:admin", "password")
    assert isinstance(found, bytes)
    return found


def test_the_hash_of_the_password_is_sealed(server: Server) -> None:
    access = Access(connect(server.url, keys=(NEW,)))
    for keep in (access.set_first_password, access.set_password):
        server.client.flushall()
        keep("scrypt:hash")
        assert b"scrypt" not in kept_password(server)
        assert access.password() == "scrypt:hash"
    assert not access.set_first_password("scrypt:other")
    with pytest.raises(StoreUnsafe, match="RELAY_ENCRYPTION_KEYS"):
        Access(connect(server.url, keys=(OTHER,))).password()


def test_a_password_from_before_is_sealed_with_todays_first_key(server: Server) -> None:
    Access(connect(server.url)).set_password("scrypt:hash")
    for keys in ((OLD,), (NEW, OLD)):
        access = Access(connect(server.url, keys=keys))
        access.seal_anew()
        assert access.password() == "scrypt:hash"
    assert Access(connect(server.url, keys=(NEW,))).password() == "scrypt:hash"  # the old key may go
    before = kept_password(server)
    access.seal_anew()
    assert kept_password(server) == before
