"""Generated people who come back with other addresses, numbers, spellings and browsers, 50 chats at a time.

Each of them is one person at the vendor's, and nothing that stood there is overwritten.

RELAY_PEOPLE says how many; `make faults` has a thousand.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest

from connectors.kit.connector import HttpConnector
from connectors.testing.people import PersonContract
from connectors.testing.people.bench import said
from core.errors import RetryLater
from tests.connectors.test_contract import Hurry as ForHurry
from tests.connectors.test_freshdesk import TestFreshdesk as ForFreshdesk
from tests.connectors.test_hubspot import TestHubSpot as ForHubSpot
from tests.connectors.test_odoo import TestOdoo as ForOdoo
from tests.connectors.test_pipedrive import TestPipedrive as ForPipedrive
from tests.connectors.test_request_tracker import TestUsersOfRT as ForRequestTracker
from tests.connectors.test_zendesk import TestZendesk as ForZendesk

PEOPLE = int(os.environ.get("RELAY_PEOPLE", "60"))
AT_ONCE = 50
VENDORS: dict[str, type[PersonContract]] = {
    "freshdesk": ForFreshdesk,
    "hubspot": ForHubSpot,
    "odoo": ForOdoo,
    "pipedrive": ForPipedrive,
    "request-tracker": ForRequestTracker,
    "zendesk": ForZendesk,
}
del ForFreshdesk, ForHubSpot, ForOdoo, ForPipedrive, ForRequestTracker, ForZendesk

#: How one address is typed: all of them are it.
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.title,
    lambda email: f" <{email}>,",
    lambda email: email.replace("@", " @ "),
    lambda email: f"mailto:{email}",
    lambda email: f"{email}.",
    lambda email: "\u200b" + email,
)
NUMBERS: tuple[Callable[[str], str], ...] = (
    lambda number: f"+420{number}",
    lambda number: f"+420 {number[:3]} {number[3:6]} {number[6:]}",
    lambda number: f"+420-{number[:3]}-{number[3:]}",
    lambda number: f"+420 ({number[:3]}) {number[3:]}",
)
FIRST = ("Jana", "Petr", "Žofie", "Łukasz", "Éva", "Jürgen", "Núria", "Ștefan", "O'Brien", "Anne-Marie")
LAST = ("Nováková", "Svoboda", "Čech", "Wójcik", "Szabó", "Groß", "García López", "Ionescu", "de la Cruz", "Li")


@dataclass(frozen=True)
class Somebody:
    """A person as they are."""

    number: int
    name: str

    def email(self, which: int) -> str:
        return f"p{self.number}.{which}@firm{self.number}.example.com"

    @property
    def phone(self) -> str:
        return f"{602_000_000 + self.number}"

    @property
    def customer(self) -> str:
        return f"C-{self.number:06}"

    def browser(self, which: int) -> str:
        return f"browser-{self.number}-{which}"


def rounds(dice: random.Random, who: Somebody) -> Iterator[list[dict[str, Any]]]:
    """The visitors of some chats. Each has something of an earlier round, or of all others in its own."""

    def email(which: int) -> str:
        return dice.choice(SPELLINGS)(who.email(which))

    def name() -> str:
        return dice.choice((who.name, who.name.lower(), who.name.split()[0], ""))

    def variables(*, phone: bool = False, customer: bool = False) -> dict[str, Any]:
        known = {
            "phone": dice.choice(NUMBERS)(who.phone) if phone else "",
            "customer": who.customer if customer else "",
        }
        return {name: {"label": name, "value": value} for name, value in known.items()}

    # New, in two windows at once.
    yield [
        {"email": email(1), "name": name(), "id": who.browser(1), "variables": variables(phone=True)},
        {"email": email(1), "name": name(), "id": who.browser(1), "variables": variables(phone=True, customer=True)},
    ]
    # From work: another address, known by number or customer id; and from another browser, known by the address.
    yield [
        {"email": email(2), "name": name(), "id": who.browser(2), "variables": variables(phone=True)},
        {"email": email(3), "name": name(), "id": who.browser(3), "variables": variables(customer=True)},
        {"email": email(1), "name": name(), "id": who.browser(4), "variables": variables()},
    ]
    # By what only the second round has said, and by a browser alone.
    yield [
        {"email": email(2), "name": name(), "id": who.browser(5), "variables": variables()},
        {"email": email(3), "name": name(), "id": who.browser(3), "variables": variables(phone=True)},
        {"email": "", "name": name(), "id": who.browser(dice.choice((1, 4))), "variables": variables()},
        {"email": "", "name": name(), "id": who.browser(6), "variables": variables(phone=True)},
    ]


def made_up(dice: random.Random, many: int) -> list[Somebody]:
    return [Somebody(n, f"{dice.choice(FIRST)} {dice.choice(LAST)}") for n in range(many)]


def typed(dice: random.Random, field: str, who: Somebody) -> dict[str, str]:
    """What colleagues had typed of somebody."""
    there = {
        "name": dice.choice(("", who.name, f"Dr. {who.name}", "Somebody Else")),
        "phone": dice.choice(("", who.phone, f"{who.phone[:3]} {who.phone[3:6]} {who.phone[6:]}", "+420 999")),
        field: dice.choice(("", "typed by a colleague")),
    }
    return {**there, "name": there["name"] or "Customer"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.kit.http._backoff", lambda state: 0.01)


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_generated_people_are_each_one_person_and_keep_what_they_have(vendor: str) -> None:
    come_back(VENDORS[vendor](), PEOPLE)


@pytest.mark.parametrize("settings", [{"remember_days": 0}, {"match": ["email"]}], ids=["no memory", "by email alone"])
def test_it_can_tell(settings: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="persons"):
        come_back(ForHurry(), 10)
    with pytest.raises(AssertionError, match="persons"):
        come_back(VENDORS["hubspot"](), 10, **settings)


def come_back(contract: PersonContract, many: int, **settings: Any) -> None:
    dice = random.Random(4711)
    everybody = made_up(dice, many)
    with contract.fake() as fake:
        there: Any = fake
        known = [who for who in everybody if dice.random() < 0.4]
        for who in known:
            there.add_person(email=who.email(1), **typed(dice, contract.field, who))
        before = kept(there)
        connector = contract.connector(
            fake,
            **{
                "match": ["email", "phone", "customer_id"],
                "phone": "{{ visitor.variables.phone.value }}",
                "customer_id": "{{ visitor.variables.customer.value }}",
                "customer_id_field": contract.customer_id_field,
                "person": {contract.field: "said by {{ name }} in chat {{ conversation.id }}"},
                "tags": [],
                **contract.for_many,
                **settings,
            },
        )
        held: dict[str, threading.Lock] = {}
        plans = [rounds(dice, who) for who in everybody]
        delivered = 0
        for visits in zip(*plans, strict=True):
            chats = [said(delivered + n, **one) for n, one in enumerate(chain(*visits), 1)]
            delivered += len(chats)
            dice.shuffle(chats)
            with ThreadPoolExecutor(AT_ONCE) as at_once:
                list(at_once.map(lambda chat: through(contract, connector, chat, held), chats))
            now = kept(there)
            assert len(now) == len(everybody), f"{len(now)} persons for {len(everybody)} people"
            assert overwritten(before, now) == []
            before = now
        assert sum(there.records_of(one) for one in before) == delivered == 9 * len(everybody)


def through(
    contract: PersonContract, connector: HttpConnector[Any], chat: dict[str, Any], held: dict[str, threading.Lock]
) -> None:
    memory: dict[str, Any] = {}
    for _ in range(5):
        try:
            contract.deliver(connector, chat, memory, alone=lambda one: held.setdefault(one, threading.Lock()))
            return
        except RetryLater:
            continue
    raise AssertionError("it does not get through")


def kept(vendor: Any) -> dict[Any, dict[str, str]]:
    """What stands in every person's fields. An address in place of a name is what a vendor is given that takes nobody
    without one."""
    people = {one["id"]: vendor.person(one["id"]) for one in vendor.people()}
    return {person: it if it["name"] != it.get("email") else {**it, "name": ""} for person, it in people.items()}


def overwritten(before: Mapping[Any, Mapping[str, str]], now: Mapping[Any, Mapping[str, str]]) -> list[str]:
    return [
        f"{person}.{name}: {value!r} became {now[person].get(name)!r}"
        for person, fields in before.items()
        for name, value in fields.items()
        if value and now[person].get(name) != value
    ]
