"""Redaction: what must not leave is taken out wherever it stands, and what only looks like it stays."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stdnum import iban, luhn

from core.config.sections.redact import Redact
from core.config.values import ValueSettings
from core.conversation import Conversation, Message, Page, Variable, Visitor
from core.redaction import numbers
from core.redaction.chat import redacted_chat, unredacted
from core.redaction.text import RedactedKind, redacted
from core.templates.language import LanguageError, condition, wording
from core.values.chat import Values

ALL = Redact(iban=True, passwords=True, national_numbers=("CZ", "SK", "PL", "HU", "DE"))
CARDS = Redact()
CARD = "4111 1111 1111 1111"


def left(text: str, settings: Redact = ALL) -> str:
    return redacted(text, settings)[0]


@pytest.mark.parametrize(
    "number",
    [
        *("4111111111111111", "4917610000000000003", "5555555555554444", "2223003122003222", "378282246310005"),
        *("36227206271667", "3530111333300000", "6011111111111117", "6759649826438453", "6212345678901232"),
        *(
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "3782 822463 10005",
            "41 11 11111111 1111",
        ),
        *(
            "4111\u00a01111\u00a01111\u00a01111",
            "4111 - 1111 - 1111 - 1111",
            "4111\u200b111111111111",
            "4111%201111%201111+1111",
        ),
        *("٤١١١ ١١١١ ١١١١ ١١١١", "4111_1111_1111_1111", "4111\u20131111\u20131111\u20131111"),
    ],
)
def test_a_card_number_goes_however_it_is_written(number: str) -> None:
    assert left(f"My card is {number}, expires 12/27", CARDS) == "My card is [card number redacted], expires 12/27"
    assert redacted(number, CARDS) == ("[card number redacted]", ["card number"])


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111111111111112 is late",  # no check digit
        "EAN 8594001234567 and 4006381333931",
        "Call +420 602 123 456 or 00420602123456",
        "IMEI 352099001761481",
        "at 1427470439703, until 1427470449703",
        "41111111111111111111 is longer",  # twenty digits
        "4111 1111\n1111 1111",  # two lines are two numbers
        "2026-11-28 12:00:00 2026-11-28",
        "CZ65 0800 0000 1920 0014 5399",
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    assert redacted(text, CARDS) == (text, [])


def test_what_stands_beside_a_card_number_stays() -> None:
    said = f"1. {CARD} 12/27 123\n2. card{CARD.replace(' ', '')}x\n3. {CARD} {CARD} +420 602 123 456"
    assert left(said, CARDS) == (
        "1. [card number redacted] 12/27 123\n"
        "2. card[card number redacted]x\n"
        "3. [card number redacted] [card number redacted] +420 602 123 456"
    )


@given(
    some.sampled_from(["4", "51", "2300", "6011"]),
    some.text("0123456789", min_size=15, max_size=15),
    some.sampled_from(["", " ", "-", "\u00a0", "."]),
    some.text(max_size=30),
)
def test_every_card_number_goes_between_any_words(begin: str, digits: str, gap: str, words: str) -> None:
    number = f"{begin}{digits}"[:15]
    number += luhn.calc_check_digit(number)
    written = gap.join(re.findall("....", number))
    # Letters around it: digits beside it would make another number of it.
    assert written not in left(f"{words}\nn {written} n\n{words}", CARDS)


def test_an_iban_goes_where_it_is_asked_for() -> None:
    for number in ("CZ6508000000192000145399", "CZ65 0800 0000 1920 0014 5399", "de89 3704 0044 0532 0130 00"):
        assert left(f"To {number} please.") == "To [IBAN redacted] please."
        assert left(f"IBAN{number}, thanks") == "IBAN[IBAN redacted], thanks"
        assert left(f"To {number} please.", Redact(national_numbers=("DE",))) == f"To {number} please."
    for other in ("CZ6508000000192000145398", "XX6508000000192000145399", "AB12 CD34 EF56 GH78 IJ90", "CZ65 0800"):
        assert left(f"To {other} please.") == f"To {other} please."


@given(some.text("0123456789", min_size=20, max_size=20), some.booleans())
def test_every_iban_of_a_country_goes(account: str, spaced: bool) -> None:
    number = f"SK{iban.calc_check_digits(f'SK00{account}')}{account}"
    written = iban.format(number) if spaced else number
    assert left(f"účet {written} prosím", Redact(iban=True)) == "účet [IBAN redacted] prosím"


@pytest.mark.parametrize(
    ("country", "number"),
    [
        *(("CZ", one) for one in ("7103192745", "710319/2745", "710319 / 2745", "710319 2745", "385512/123")),
        *(("SK", one) for one in ("7103192745", "710319/2745")),
        ("PL", "44051401359"),
        *(("HU", one) for one in ("8422780143", "18501011231", "1 850101 1231", "1-850101-1231", "30102034562")),
        *(("DE", one) for one in ("36574261809", "36 574 261 809", "65180539W001", "65 180539 W 001")),
    ],
)
def test_a_number_of_a_person_goes_in_its_country_alone(country: Any, number: str) -> None:
    said = f"It is {number}, thanks"
    assert left(said, Redact(national_numbers=(country,))) == "It is [national number redacted], thanks"
    assert left(said, CARDS) == said
    # With another last digit it is none; what has no check digit stands for itself.
    if number != "385512/123":
        wrong = f"{number[:-1]}{(int(number[-1]) + 1) % 10}"
        assert left(f"It is {wrong}, thanks", Redact(national_numbers=(country,))) == f"It is {wrong}, thanks"


def test_a_weak_number_goes_only_beside_its_name() -> None:
    assert left("A TAJ számom: 123 456 788.") == "A TAJ számom: [national number redacted]."
    assert left("TAJ 123456789") == "TAJ 123456789"
    assert left("Order 123456788") == "Order 123456788"


@pytest.mark.parametrize(
    "text",
    [
        "Call 602 123 456 or 220515123",  # nine digits without a slash: a phone number
        "Call +49 30 901820 and +36 20 123 4567",
        "Order 7103192746, 202611280001",
        "8999992340 is a birth in the future",
        "It is 713319/2744",  # there is no month 33
    ],
)
def test_what_is_no_number_of_a_person_stays(text: str) -> None:
    assert redacted(text, ALL) == (text, [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("password: hunter2 thanks", "password: [password redacted] thanks"),
        ("Heslo: abc123!", "Heslo: [password redacted]"),
        ("heslo k účtu = abc", "heslo k účtu = [password redacted]"),
        ("Hasło:\nabc", "Hasło:\n[password redacted]"),
        ('JELSZÓ: "two words" ok', "JELSZÓ: [password redacted] ok"),
        ("Mein Passwort lautet: abc", "Mein Passwort lautet: [password redacted]"),
        ("mot de passe : abc", "mot de passe : [password redacted]"),
        ("My password is not accepted", "My password is not accepted"),
        ("I lost my password. Question: what now", "I lost my password. Question: what now"),
        ("Reset the password here: https://shop.example/x", "Reset the password here: https://shop.example/x"),
        ("passwordless: yes", "passwordless: yes"),
    ],
)
def test_a_password_goes_after_its_name(text: str, wanted: str) -> None:
    assert left(text) == wanted
    assert left(text, CARDS) == text


def test_in_an_address_it_stays_an_address() -> None:
    url = "https://shop.example/pay?card=4111%201111%201111%201111&rc=710319%2F2745&password=a:b&x=1#top"
    assert redacted(url, ALL, address=True) == (
        "https://shop.example/pay?card=redacted&rc=redacted&password=redacted&x=1#top",
        ["card number", "national number", "password"],
    )


def full() -> Conversation:
    """A chat with a card number in every text of it."""
    return Conversation(
        account="1",
        id="2",
        rating_desc=f"Good {CARD}",
        visitor=Visitor(
            id="4111111111111111",
            email="4111111111111111@mail.example",
            name=f"Ann {CARD}",
            note=CARD,
            group=CARD,
            city=CARD,
            country=CARD,
            referer=f"https://shop.example/?c={CARD.replace(' ', '+')}",
            variables={
                "text": Variable(label=f"Of {CARD}", value=CARD),
                "whole": Variable(label="Number", value=4111111111111111),
                "broken": Variable(label="Number", value=4111111111111111.0),
                "flag": Variable(label="Flag", value=True),
                "none": Variable(label="None"),
                "userPassword": Variable(label="Secret", value="hunter2"),
            },
        ),
        paths=(Page(url="https://shop.example/4111111111111111", title=CARD), Page(url="https://shop.example/")),
        messages=(
            Message(type="visitor", sender="visitor:x", name=CARD, content=f"Here: {CARD}"),
            Message(type="agent", sender="agent:3", content=f"Is it {CARD}?"),
            Message(type="visitor", sender="visitor:x", content="Yes"),
        ),
    )


def test_every_text_of_a_chat_is_looked_at_and_what_went_is_listed_without_it() -> None:
    found = redacted_chat(full(), Redact(passwords=True))
    clean = found.conversation
    shown = clean.model_dump(mode="json")
    # What tells one visitor from another stays; nothing else has the number.
    assert shown["visitor"].pop("id") == "4111111111111111"
    assert shown["visitor"].pop("email") == "4111111111111111@mail.example"
    assert "1111" not in json.dumps(shown)
    assert "hunter2" not in json.dumps(shown)
    assert clean.visitor.variables["flag"].value is True
    assert clean.messages[2] == full().messages[2]
    assert clean.visitor.variables["text"].value == "[card number redacted]"
    assert clean.visitor.referer == "https://shop.example/?c=redacted"
    assert str(found) == (
        "Redacted before it was sent: password in variable 6; card number in message 1, the name at message 1, "
        "message 2, the address of page 1, the title of page 1, the rating, the visitor's name, the visitor's note, "
        "the visitor's group, the visitor's city and 5 more."
    )
    assert Conversation.model_validate(clean.model_dump()).messages == clean.messages


@pytest.mark.parametrize("gap", ["   ", "%20%20%20", " %20 ", "\u00a0-\u00a0", "..."])
def test_the_shortest_card_number_goes_with_the_widest_gaps_too(gap: str) -> None:
    """Of Diners Club: 14 digits. Texts with fewer, or with wider gaps, are looked at no further."""
    said = f"it is {gap.join(['3056', '930902', '5904'])}, thanks"
    assert redacted(said, Redact()) == ("it is [card number redacted], thanks", [RedactedKind.CARD])


def test_without_anything_to_take_out_it_is_the_chat_itself() -> None:
    chat = Conversation(account="1", id="2", messages=(Message(type="visitor", content="Hello"),))
    found = redacted_chat(chat, ALL)
    assert found.conversation is chat
    assert unredacted(chat) is chat
    assert str(found) == ""
    assert redacted_chat(full(), Redact(cards=False)).conversation == full()


def test_what_a_shop_asks_for_by_name_is_worked_out_of_what_was_written() -> None:
    """A customer number may look like the number of a person, a phone number like anything."""
    settings = ValueSettings.model_validate(
        {"country": "CZ", "variables": {"customer_id": "customer"}, "extract": {"customer": r"customer (\d{10})"}}
    )
    chat = Conversation(
        account="1",
        id="2",
        visitor=Visitor(variables={"customer": Variable(label="Customer", value=7103192745)}),
        paths=(Page(url="https://shop.example/?utm_source=7103192745"),),
        messages=(
            Message(type="visitor", sender="visitor:x", content="I am customer 7103192745"),
            Message(type="visitor", sender="visitor:x", content="My password and phone: +420602123456"),
        ),
    )
    clean = redacted_chat(chat, ALL).conversation
    values = Values(clean, settings)
    assert (values.customer_id, values.extracted["customer"], values.phone) == (
        "7103192745",
        "7103192745",
        "+420602123456",
    )
    said = wording("{{ conversation.messages[0].content }} {{ visitor.variables.customer.value }} {{ utm }}")(
        values, {}
    )
    assert said == "I am customer [national number redacted] [national number redacted] redacted"
    # Redacted twice, it still knows what was written.
    assert unredacted(redacted_chat(clean, CARDS).conversation) is chat


@pytest.mark.parametrize("name", ["conversation._written", "conversation.written"])
def test_no_template_reaches_what_was_written(name: str) -> None:
    with pytest.raises(LanguageError):
        condition(f"{name}.id == '2'")


@given(some.text(alphabet='4113 -.+%20CZ65password:=/\n"aü\u00a0\0٤', max_size=300))
def test_it_never_fails_and_what_is_left_has_nothing_to_take_out(text: str) -> None:
    for address in (False, True):
        clean, kinds = redacted(text, ALL, address=address)
        assert bool(kinds) == (clean != text)


@pytest.mark.parametrize(
    "text",
    [
        "4" * 300_000,
        "4 " * 150_000,
        "4111 1111 1111 1112 " * 15_000,
        "CZ65 " * 60_000,
        "password " * 33_000,
        "8" * 300_000,
    ],
)
def test_its_time_grows_with_the_text_alone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how often a check digit is worked out for it."""
    calls = 0
    real = numbers._luhn, iban.is_valid

    def counted(index: int, *args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        return real[index](*args, **more)

    monkeypatch.setattr(numbers, "_luhn", partial(counted, 0))
    monkeypatch.setattr(iban, "is_valid", partial(counted, 1))
    redacted(text, ALL)
    assert calls <= len(text) // 3
