"""Erasing a person at a vendor's, beyond what every connector must do (connectors/testing/people/removal.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from connectors.kit.connector import Somebody
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Answer, Request
from core.errors import ConnectorRefused, RecordRefused
from tests.connectors import test_freshdesk, test_odoo, test_zendesk
from tests.fakes.freshdesk import FreshdeskVendor
from tests.fakes.odoo import OdooVendor
from tests.fakes.zendesk import ZendeskVendor

ANN = "ann@example.com"
FORBIDDEN = {"error": {"title": "Forbidden", "message": "You do not have access to this page."}}


@pytest.fixture
def zendesk() -> Iterator[ZendeskVendor]:
    with ZendeskVendor() as there:
        yield there


@pytest.fixture
def freshdesk() -> Iterator[FreshdeskVendor]:
    with FreshdeskVendor() as there:
        yield there


@pytest.fixture(params=[18, 19])
def odoo(request: pytest.FixtureRequest) -> Iterator[OdooVendor]:
    with OdooVendor(request.param) as there:
        yield there


def deletes(requests: list[Request]) -> list[str]:
    return [one.path for one in requests if one.method == "DELETE"]


# --- Zendesk


def test_zendesk_deletes_a_customer_twice_which_is_for_good(zendesk: ZendeskVendor) -> None:
    known = zendesk.knows(name="Ann", email="ann@work.example", further=[ANN])
    connector = test_zendesk.TestZendesk().connector(zendesk)
    [ann] = connector.find_persons(ANN)
    assert ann.url == f"{zendesk.url}/agent/users/{known['id']}"
    connector.erase_person(ann)
    assert deletes(zendesk.requests) == [f"/api/v2/{kind}/{known['id']}" for kind in ("users", "deleted_users")]
    assert (zendesk.people(), zendesk.deleted_users) == ([], [])


def test_zendesk_deletes_no_colleague_whose_address_a_visitor_gave(zendesk: ZendeskVendor) -> None:
    zendesk.knows_agent(ANN)
    assert list(test_zendesk.TestZendesk().connector(zendesk).find_persons(ANN)) == []


def test_who_is_deleted_at_zendesk_and_not_for_good_is_said_so(zendesk: ZendeskVendor) -> None:
    zendesk.knows(name="Ann", email=ANN)
    connector = test_zendesk.TestZendesk().connector(zendesk)
    [ann] = connector.find_persons(ANN)
    route = ("DELETE", re.compile("/api/v2/deleted_users/.*"), lambda *_: Answer(403, FORBIDDEN))
    zendesk.routes.insert(0, route)
    with pytest.raises(RecordRefused, match=r"deleted, but not for good: .* Finish it in Zendesk's list"):
        connector.erase_person(ann)
    zendesk.routes.remove(route)
    connector.erase_person(ann)  # by whom the admin still has
    assert zendesk.deleted_users == []


def test_a_help_desk_that_is_not_there_has_erased_nobody(zendesk: ZendeskVendor) -> None:
    zendesk.instead = [Answer(404, {"error": {"title": "No help desk at x.zendesk.com", "message": "none"}})]
    with pytest.raises(ConnectorRefused):
        test_zendesk.TestZendesk().connector(zendesk).erase_person(Somebody("1001", "Ann"))


# --- Freshdesk


@pytest.mark.parametrize("state", ["deleted", "blocked"])
def test_freshdesk_deletes_for_good_whom_somebody_has_deleted_or_blocked(
    freshdesk: FreshdeskVendor, state: str
) -> None:
    number = freshdesk.add_person(name="Ann", email=ANN)
    freshdesk.contacts[0][state] = True
    connector = test_freshdesk.TestFreshdesk().connector(freshdesk)
    [ann] = connector.find_persons(ANN)
    assert (ann.id, ann.url) == (str(number), f"{freshdesk.url}/a/contacts/{number}")
    connector.erase_person(ann)
    assert freshdesk.contacts == []


def test_freshdesk_says_beforehand_that_the_tickets_go_too(freshdesk: FreshdeskVendor) -> None:
    desk = test_freshdesk.TestFreshdesk()
    connector = desk.connector(freshdesk)
    desk.deliver(connector, SAMPLE, {})
    assert len(freshdesk.records()) == 1
    [somebody] = connector.find_persons("dusan@domain.com")
    assert "with all their tickets" in connector.erases
    connector.erase_person(somebody)
    assert freshdesk.records() == []


# --- Odoo


def test_odoo_keeps_whom_an_invoice_needs_and_nothing_of_them_is_overwritten(odoo: OdooVendor) -> None:
    contract = test_odoo.TestOdoo() if odoo.version == 19 else test_odoo.TestOdooJsonRpc()
    invoiced = odoo.add_person(name="Ann", email=ANN)
    odoo.add_person(name="Ann B.", email=ANN.upper())
    odoo.invoiced = {invoiced}
    before = dict(odoo.person(invoiced))
    connector = contract.connector(odoo)
    first, second = connector.find_persons(ANN)
    with pytest.raises(RecordRefused, match=r"another model requires the record.*yours to decide about"):
        connector.erase_person(first)
    connector.erase_person(second)
    [left] = connector.find_persons(ANN)
    assert (left.id, odoo.person(invoiced)) == (str(invoiced), before)


def test_odoo_says_which_right_is_missing(odoo: OdooVendor) -> None:
    contract = test_odoo.TestOdoo() if odoo.version == 19 else test_odoo.TestOdooJsonRpc()
    odoo.add_person(name="Ann", email=ANN)
    odoo.denied = {("res.partner", "unlink")}
    connector = contract.connector(odoo)
    [ann] = connector.find_persons(ANN)
    with pytest.raises(ConnectorRefused, match="not allowed to unlink"):
        connector.erase_person(ann)
    assert len(odoo.people()) == 1
