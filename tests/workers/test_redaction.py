"""Redaction from the posted body to the destination, on a real store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.admin.preview import preview_body
from connectors.kit.vocabulary import ENGLISH
from core.delivery import DeliveryStatus
from core.ids import DeliveryId
from core.redaction.text import RedactedKind
from core.store import Ledger, Store
from tests.support.destination import Destination
from tests.support.inline import Inline
from tests.support.stack import chat

CARD = "4111 1111 1111 1111"
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # base64 of 24 bytes
SHOP, FILES = DeliveryId("shop:1:1"), DeliveryId("files:1:1")


@pytest.fixture
def shop() -> Iterator[Destination]:
    with Destination() as there:
        yield there


def relay(store: Store, folder: Path, shop: Destination, **sections: Any) -> Inline:
    webhook = {"type": "webhook", "url": shop.url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"]}
    return Inline(
        store, folder, json.dumps({"connectors": {"files": {"type": "archive"}, "shop": webhook}, **sections})
    )


def body(*texts: str) -> bytes:
    messages = [
        {"type": "visitor", "from": "visitor:mx1", "content": text, "sentAt": 1427470439703 + 1000 * number}
        for number, text in enumerate(texts)
    ]
    return chat(1, messages=messages)


def contents(shop: Destination) -> list[list[str]]:
    return [[one["content"] for one in sent.json()["data"]["conversation"]["messages"]] for sent in shop.posts()]


def test_cards_are_redacted_without_a_word_in_the_file_and_the_delivery_says_where(
    store: Store, ledger: Ledger, tmp_path: Path, shop: Destination
) -> None:
    relay(store, tmp_path, shop).take(body("Hello", f"My card: {CARD}"))
    assert contents(shop) == [["Hello", "My card: [card number redacted]"]]
    found = ledger.delivery(SHOP)
    assert found.status is DeliveryStatus.DELIVERED
    assert found.notes == ("Redacted before it was sent: card number in message 2.",)
    assert found.made == {}
    kept = "".join(f"{one.sent}{one.url}" for attempt in found.attempts for one in attempt.requests)
    assert not re.search(r"1111\W?1111", kept + repr(found))


def test_our_own_files_and_the_payload_keep_all_of_it(
    store: Store, ledger: Ledger, tmp_path: Path, shop: Destination
) -> None:
    here = relay(store, tmp_path, shop)
    [payload] = here.take(body(f"My card: {CARD}"))
    assert ledger.payload(payload).body == body(f"My card: {CARD}")
    files = [file.read_text() for file in (tmp_path / "var" / "archive").rglob("r1.*")]
    assert len(files) == 2
    assert all(CARD in text for text in files)
    assert ledger.delivery(FILES).notes == ()


def test_what_a_later_revision_has_no_more_is_not_listed_any_more(
    store: Store, ledger: Ledger, tmp_path: Path, shop: Destination
) -> None:
    here = relay(store, tmp_path, shop)
    here.take(body(f"My card: {CARD}"))
    here.take(body("My card: (taken back)", "Bye"))
    assert ledger.delivery(SHOP).notes == ()


def test_the_section_says_what_else_and_what_not(
    store: Store, ledger: Ledger, tmp_path: Path, shop: Destination
) -> None:
    said = f"{CARD} 710319/2745 heslo: abc CZ6508000000192000145399"
    every = {"iban": True, "passwords": True, "national_numbers": ["cz"]}
    relay(store, tmp_path, shop, redact=every).take(body(said))
    assert contents(shop)[-1] == [
        "[card number redacted] [national number redacted] heslo: [password redacted] [IBAN redacted]"
    ]
    relay(store, tmp_path, shop, redact={"cards": False}).take(body(said, "More"))
    assert contents(shop)[-1] == [said, "More"]
    assert ledger.delivery(SHOP).notes == ()


def test_one_connector_sees_more_or_less_than_the_others(store: Store, tmp_path: Path, shop: Destination) -> None:
    """What its own `redact` does not name is that of the section; and what is in the way of one is not of another."""
    said = f"{CARD} 710319/2745 CZ6508000000192000145399"
    webhook = {"type": "webhook", "url": shop.url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"]}
    own = {"bank": {"iban": False}, "desk": {"cards": False, "national_numbers": []}, "strict": {"passwords": True}}
    connectors = {"plain": webhook, **{name: {**webhook, "redact": redact} for name, redact in own.items()}}
    section = {"iban": True, "national_numbers": ["CZ"]}
    here = Inline(store, tmp_path, json.dumps({"connectors": connectors, "redact": section}))
    seen = {}
    for name, connector in here.connectors.items():
        [request] = preview_body(connector, body(said, "heslo: abc")).requests
        seen[name] = [one["content"] for one in request.body["data"]["conversation"]["messages"]]
    usual = "[card number redacted] [national number redacted] [IBAN redacted]"
    assert seen == {
        "plain": [usual, "heslo: abc"],
        "bank": ["[card number redacted] [national number redacted] CZ6508000000192000145399", "heslo: abc"],
        "desk": [f"{CARD} 710319/2745 [IBAN redacted]", "heslo: abc"],
        "strict": [usual, "heslo: [password redacted]"],
    }


def test_what_stands_in_its_place_is_in_the_language_of_the_record(store: Store, tmp_path: Path) -> None:
    desk = {"type": "freshdesk", "domain": "shop", "api_key": "key-of-the-shop", "language": "cs"}
    section = {"iban": True, "passwords": True, "national_numbers": ["CZ"]}
    here = Inline(store, tmp_path, json.dumps({"connectors": {"desk": desk}, "redact": section}))
    found = preview_body(here.connectors["desk"], body(f"{CARD} 710319/2745 CZ6508000000192000145399 heslo: abc"))
    sent = json.dumps([one.body for one in found.requests], ensure_ascii=False)
    marks = "[číslo karty odstraněno] [osobní číslo odstraněno] [IBAN odstraněn] heslo: [heslo odstraněno]"
    assert marks in sent
    # What an admin reads of it is English, as all of the dashboard's notes are.
    assert found.notes[0].startswith("Redacted before it was sent: password in message 1; IBAN in message 1;")


@pytest.mark.parametrize("kind", RedactedKind)
def test_english_is_what_a_connector_without_a_language_writes(kind: RedactedKind) -> None:
    assert ENGLISH[f"redacted {kind}"] == kind.mark


def test_a_note_of_what_was_redacted_begins_nothing(
    store: Store, ledger: Ledger, tmp_path: Path, shop: Destination
) -> None:
    """A chat whose first attempt failed is still left out by `only` where the settings of the next one say so."""
    shop.behaviour = lambda handler, number: handler.answer(503)
    here = relay(store, tmp_path, shop)
    here.take(body(f"My card: {CARD}"))
    assert ledger.delivery(SHOP).notes
    connector = here.connectors["shop"]
    connector.settings = connector.settings.model_copy(update={"only": ("rated_bad",)})
    here.take(body(f"My card: {CARD}", "Bye"))
    assert ledger.delivery(SHOP).status is DeliveryStatus.SKIPPED


def test_a_preview_shows_what_a_delivery_would_send(store: Store, tmp_path: Path, shop: Destination) -> None:
    extract = {"customer": r"customer (\d{10})"}
    here = relay(store, tmp_path, shop, redact={"national_numbers": ["CZ"]}, extract=extract)
    found = preview_body(here.connectors["shop"], body(f"My card: {CARD}", "I am customer 7103192745"))
    [message, customer] = found.requests[0].body["data"]["conversation"]["messages"]
    assert message["content"] == "My card: [card number redacted]"
    assert customer["content"] == "I am customer [national number redacted]"
    assert found.notes == ("Redacted before it was sent: card number in message 1; national number in message 2.",)
    # By its name it is wanted.
    assert found.values["extracted.customer"] == "7103192745"
    assert shop.received == []
