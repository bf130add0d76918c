"""Erasing from the dashboard asks destinations for the person: shown first, ticked, and each answer in the receipt."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.admin.erasing.destinations import PersonThere, erase_there, persons_there
from app.dashboard.pages import erase as erase_page
from connectors.kit.connector import Connector, Receipt, Somebody, Step
from connectors.testing.fake import Answer
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Reference
from core.store import Ledger, Store, connect
from tests.fakes.hubspot import HubSpotVendor
from tests.fakes.pipedrive import TOKEN as PIPEDRIVE
from tests.fakes.pipedrive import PipedriveVendor
from tests.support.admin import Admin, admin
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import chat
from tests.support.visitor import EMAIL, NAME, petra

HUBSPOT = "pat-eu1-0123456789abcdef"
LOCAL = "allow_networks: [127.0.0.0/8], enabled: false"


class Shop:
    """The page of an admin whose relay has two destinations, which both know Petra, and Bob."""

    def __init__(self, server: Server, folder: Path, crm: HubSpotVendor, sales: PipedriveVendor) -> None:
        self.crm, self.sales = crm, sales
        hubspot = f"crm: {{type: hubspot, base_url: '{crm.url}', token: {HUBSPOT}, {LOCAL}}}"
        pipedrive = f"sales: {{type: pipedrive, base_url: '{sales.url}', api_token: {PIPEDRIVE}, {LOCAL}}}"
        config = f"connectors: {{archive: {{type: archive}}, {hubspot}, {pipedrive}}}"
        self.page: Admin = admin(server, folder, config=config)
        self.ledger = Ledger(connect(server.url))
        self.inline = Inline(Store(connect(server.url)), folder, "connectors: {archive: {type: archive}}", folder)
        for there in (crm, sales):
            for name, email in ((NAME, EMAIL), ("Bob", "bob@x.example")):
                there.add_person(name=name, email=email)

    def asked(self, visitor: str = EMAIL, **fields: Any) -> str:
        answer = self.page.submit("/erase/destinations", visitor=visitor, **fields)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def erased(self, *persons: str, **fields: Any) -> str:
        answer = self.page.submit("/erase/now", visitor=EMAIL, asked="1", person=list(persons), **fields)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def left(self) -> tuple[int, int]:
        return len(self.crm.people()), len(self.sales.people())


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Iterator[Shop]:
    with HubSpotVendor(HUBSPOT) as crm, PipedriveVendor() as sales:
        yield Shop(server, tmp_path, crm, sales)


def boxes(html: str) -> list[str]:
    return re.findall(r'<input type="checkbox" class="box" name="person" value="([^"]+)" aria-label="Erase ', html)


def test_nothing_is_asked_before_it_is_wished(shop: Shop) -> None:
    shop.inline.take(petra())
    html = unescape(shop.page.submit("/erase", visitor=EMAIL).text)
    assert "HubSpot deletes the contact for good" in html
    assert 'formaction="/erase/destinations"' in html
    assert boxes(html) == []
    assert "NOT COMPLETE" not in shop.page.submit("/erase/now", visitor=EMAIL).text
    assert shop.crm.requests == shop.sales.requests == []
    # Neither for a visitor without an address.
    shop.inline.take(petra("c2"))
    assert "/erase/destinations" not in shop.page.submit("/erase", visitor="vi-4711").text
    assert shop.page.submit("/erase/destinations", visitor="vi-4711").status_code == 422


def test_whom_they_find_is_shown_with_a_box_each_and_nobody_is_erased_yet(shop: Shop) -> None:
    message = [{"type": "visitor", "content": f"ask {EMAIL}"}]
    shop.inline.take(petra(), chat("c2", messages=message))
    html = shop.asked(also=["1:c2"])
    assert [one.split(":")[0] for one in boxes(html)] == ["crm", "sales"]
    assert html.count(f"{NAME} <{EMAIL}>") >= 2
    assert "/contacts/4711/record/0-1/" in html
    assert 'name="also" value="1:c2" checked' in html
    assert "bob@x.example" not in html
    assert shop.left() == (2, 2)


def test_whoever_is_ticked_is_erased_and_whoever_is_not_stays(shop: Shop) -> None:
    shop.inline.take(petra())
    crm, sales = boxes(shop.asked())
    html = shop.erased(crm)
    assert shop.left() == (1, 2)
    assert "Erased at destinations\n  crm: " in html
    assert "Kept at destinations: found, and not chosen\n  sales: " in html
    assert "NOT COMPLETE" not in html
    # Whom the store has nothing of any more, a destination may know.
    nothing = unescape(shop.page.submit("/erase", visitor=EMAIL).text)
    assert "No data found" in nothing
    assert 'action="/erase/destinations"' in nothing
    assert boxes(shop.asked()) == [sales]
    assert "Erased at destinations\n  sales: " in shop.erased(sales)
    assert shop.left() == (1, 1)
    assert "no destination that can be asked has this address" in shop.asked()


def test_a_form_names_nobody_who_has_another_address(shop: Shop) -> None:
    shop.inline.take(petra())
    [bob] = [one["id"] for one in shop.crm.people() if "bob" in str(one)]
    html = shop.erased(f"crm:{bob}")
    assert shop.left() == (2, 2)
    assert "Erased at destinations" not in html


def test_who_refuses_or_cannot_be_asked_makes_the_receipt_incomplete(shop: Shop) -> None:
    shop.inline.take(petra())
    crm, _ = boxes(shop.asked())
    refused = {"status": "error", "category": "MISSING_SCOPES", "message": "no right to <b>delete</b>"}
    shop.crm.routes.insert(0, ("POST", re.compile(".*/gdpr-delete"), lambda _: Answer(403, refused)))
    unknown = Answer(401, {"success": False, "error": "unauthorized access"})
    shop.sales.routes.insert(0, ("GET", re.compile(".*/persons.*"), lambda _: unknown))
    answer = shop.page.submit("/erase/now", visitor=EMAIL, asked="1", person=[crm])
    assert "<b>delete" not in answer.text
    html = unescape(answer.text)
    assert "NOT COMPLETE" in html
    assert "These destinations did not erase the person" in html
    assert "no right to <b>delete</b>" in html
    assert "sales: cannot be asked" in html
    assert 'action="/erase/destinations"' in html
    assert shop.left() == (2, 2)
    assert shop.ledger.payload_counts()["routed"] == 0
    # It is asked again, and shows whom it cannot ask.
    shown = shop.asked()
    assert boxes(shown) == [crm]
    assert "cannot be asked: " in shown
    assert PIPEDRIVE not in shown


def test_while_somebody_else_asks_nothing_is_asked_or_erased(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.inline.take(petra())
    inside, go = threading.Event(), threading.Event()

    def slow(*_: object) -> list[PersonThere]:
        inside.set()
        assert go.wait(30)
        return []

    monkeypatch.setattr(erase_page, "persons_there", slow)
    first = threading.Thread(target=shop.asked)
    client = Admin(shop.page.app)
    assert client.log_in().status_code == 303
    first.start()
    try:
        assert inside.wait(30)
        for path in ("/erase/destinations", "/erase/now"):
            answer = client.submit(path, visitor=EMAIL, asked="1")
            assert answer.status_code == 409
            assert "Nothing was erased" in answer.text
    finally:
        go.set()
        first.join()
    assert shop.ledger.payload_counts()["routed"] == 1


def test_nothing_is_asked_without_the_forms_token(shop: Shop) -> None:
    path = "/erase/destinations"
    assert shop.page.client.post(path, data={"visitor": EMAIL}).status_code == 403
    assert shop.page.get(path).status_code == 405
    assert shop.page.submit(path, visitor=" ").status_code == 422
    assert shop.crm.requests == []


class Slow(Connector[ConnectorSettings]):
    """A destination that answers when it is let."""

    label, erases = "Slow", "it forgets"

    def __init__(self, folder: Path) -> None:
        super().__init__("slow", ConnectorSettings(type="slow"), folder)
        self.go = threading.Event()

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        raise NotImplementedError

    def find_persons(self, email: str) -> Iterator[Somebody]:
        assert self.go.wait(30)
        yield Somebody("7", f"Ann <{email}>")

    def erase_person(self, person: Somebody) -> None:
        assert self.go.wait(30)


def test_a_destination_that_does_not_answer_in_time_is_said_so(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    there = {"slow": slow}
    [late] = persons_there("ann@x.example", there, 0.01)
    assert (late.person, late.error) == (None, "no answer within 0.01 seconds; search again")
    ann = PersonThere("slow", "it forgets", Somebody("7", "Ann"))
    [unknown] = erase_there([ann], there, 0.01)
    assert "it may have happened" in unknown.error
    slow.go.set()
    [found] = persons_there("ann@x.example", there)
    assert found.person == Somebody("7", "Ann <ann@x.example>")
    assert erase_there([found], there) == (found,)
