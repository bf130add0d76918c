"""What destinations offer for settings that name something there, as the form of a connector lists it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.admin.setting_up import offered as offering
from app.admin.setting_up.fields import FieldKind, fields
from app.admin.setting_up.offered import MOST_CHOICES, Offered, offered
from connectors.http import Declared, DeclaredSettings
from connectors.kit import http
from connectors.kit.connector import Connector
from connectors.kit.offered import Choice, ChoiceList
from connectors.registry import types
from connectors.testing.bench import Bench
from connectors.testing.fake import Answer, Fake
from tests.connectors import (
    test_bitrix24,
    test_dynamics_365,
    test_espocrm,
    test_freshdesk,
    test_freshsales,
    test_front,
    test_gitlab,
    test_gorgias,
    test_helpscout,
    test_hubspot,
    test_intercom,
    test_jira_service_management,
    test_odoo,
    test_pipedrive,
    test_raynet,
    test_redmine,
    test_request_tracker,
    test_salesforce,
    test_zammad,
    test_zendesk,
    test_zoho_crm,
    test_zoho_desk,
)
from tests.connectors.test_declared import desk
from tests.fakes.desk import DeskVendor
from tests.fakes.freshdesk import FreshdeskVendor
from tests.fakes.front import ADDRESS, INBOX
from tests.fakes.gitlab import PROJECT
from tests.fakes.helpscout import FIELD as CUSTOM_FIELD
from tests.fakes.helpscout import MAILBOX, PAGE
from tests.fakes.hubspot import HubSpotVendor
from tests.fakes.intercom import ADMIN, TICKET_TYPE
from tests.fakes.jira_service_management import DESK, KIND
from tests.fakes.odoo import OdooVendor
from tests.fakes.pipedrive import CUSTOMER_FIELD, DATE_FIELD, PERSON_FIELD, TEXT_FIELD, PipedriveVendor
from tests.fakes.raynet import OWNER
from tests.fakes.redmine import COUNTRY, FIELD, TRACKER, RedmineVendor
from tests.fakes.request_tracker import RequestTrackerVendor
from tests.fakes.staff import Staff
from tests.fakes.zendesk import ZendeskVendor
from tests.fakes.zoho_desk import DEPARTMENT

OWNERS, PERSON = ("owner", "owner_fallback"), ("person", "new_person", "marketing")
#: A name that fills several lines of a page.
LONG = "Sales and support of everything that is made of tea " * 4
MANY = 250


def many() -> Iterator[tuple[int, str]]:
    return ((number, f"{LONG}{number}") for number in range(5_000, 5_000 + MANY))


@dataclass(frozen=True)
class Vendor:
    """`there` are the choices of some settings, all of them; `fills` puts 250 things of one kind there, and says for
    which setting; of `silent` ones the vendor does not tell that they may not be seen."""

    bench: Bench
    there: Mapping[tuple[str, ...], list[Choice]]
    fills: Callable[[Any], str]
    more: Mapping[str, Any] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    #: Of these the fake has only the first in full.
    others: tuple[str, ...] = ()

    def connector(self, vendor: Fake, **more: Any) -> Connector[Any]:
        return self.bench.connector(vendor, **{**self.more, **more})


def zendesk(there: ZendeskVendor) -> str:
    there.things["group"] = {number: {"name": name, "deleted": False} for number, name in many()}
    return "group_id"


def freshdesk(there: FreshdeskVendor) -> str:
    there.agents += [{"id": number, "email": f"a{number}@shop.example"} for number, _ in many()]
    return "owner"


def hubspot(there: HubSpotVendor) -> str:
    for number, _ in many():
        there.knows_owner(f"a{number}@shop.example")
    return "owner"


def pipedrive(there: PipedriveVendor) -> str:
    there.pipelines |= dict(many())
    return "pipeline_id"


def odoo(there: OdooVendor) -> str:
    there.tables["crm.team"] += [{"id": number, "name": name} for number, name in many()]
    return "team_id"


def request_tracker(there: RequestTrackerVendor) -> str:
    """The last queue, which RT's user may not see, is why RT counts no pages."""
    for number, name in many():
        there.queues[str(number)] = {"id": number, "Name": name, "Disabled": "0"}
        there.rights[str(number)] = {"SeeQueue", "CreateTicket"}
    return "queue"


def redmine(there: RedmineVendor) -> str:
    there.projects = {f"project-{number}": name for number, name in many()}
    return "project"


def beside(setting: str, value: str) -> dict[str, Any]:
    """What else must stand in the file."""
    if setting == "marketing":
        return {"consent": "{{ conversation.rating }}"}
    if setting == "queue_fallback":
        return {"queue": "{{ 'Chats' if conversation.is_missed else 'Chats' }}"}
    # Of HubSpot: a stage is one of its pipeline.
    if setting == "stage" and value.startswith("5"):
        return {"pipeline": "5"}
    return {"stage": "51"} if (setting, value) == ("pipeline", "5") else {}


VENDORS = {
    "zendesk": Vendor(
        test_zendesk.TestZendesk(),
        {
            ("group_id",): [Choice("31", "Chats")],
            ("brand_id",): [Choice("41", "Shop")],
            ("ticket_form_id",): [Choice("51", "Chat")],
            ("fields",): [Choice("360001", "Chat id")],
            OWNERS: [Choice("ann@shop.example", "Ann"), Choice("root@shop.example", "Root")],
            ("customer_id_field",): [
                Choice("customer_no", "Customer_No"),
                Choice("newsletter", "Newsletter"),
                Choice("visits", "Visits"),
            ],
        },
        zendesk,
    ),
    "freshdesk": Vendor(
        test_freshdesk.TestFreshdesk(),
        {
            ("group_id",): [Choice("31", "Sales"), Choice("32", "QA")],
            ("product_id",): [Choice("41", "Tea")],
            ("ticket_type",): [Choice(one, one) for one in ("Question", "Incident", "Problem")],
            ("key_field",): [Choice("cf_order", "")],
            OWNERS: [Choice("agent@shop.example", "")],
            PERSON: [
                Choice(one, "")
                for one in ("name", "email", "phone", "job_title", "customer_no", "newsletter", "visits")
            ],
            ("customer_id_field",): [Choice(one, "") for one in ("customer_no", "newsletter", "visits")],
        },
        freshdesk,
    ),
    "hubspot": Vendor(
        test_hubspot.TestHubSpot(),
        {
            ("pipeline",): [Choice("0", "Support Pipeline"), Choice("5", "Returns")],
            ("stage",): [
                Choice("1", "Support Pipeline: New"),
                Choice("4", "Support Pipeline: Closed"),
                Choice("51", "Returns: First"),
                Choice("52", "Returns: Second"),
            ],
            OWNERS: [Choice("me@shop.example", "")],
        },
        hubspot,
    ),
    "pipedrive": Vendor(
        test_pipedrive.TestPipedriveDeal(),
        {
            ("pipeline_id",): [Choice("1", "Sales"), Choice("2", "Service")],
            ("stage_id",): [Choice("10", "Sales: Stage 10"), Choice("20", "Service: Stage 20")],
            OWNERS: [Choice(f"user{number}@shop.example", f"User {number}") for number in (1, 2)],
            ("tags",): [
                Choice(one, one)
                for one in ("Hot", "smartsupp", "Smartsupp-Chat", "smartsupp-missed", "smartsupp-offline")
            ],
            ("fields",): [Choice(TEXT_FIELD, "Plan"), Choice(DATE_FIELD, "Seen")],
            (*PERSON, "customer_id_field"): [Choice(PERSON_FIELD, "Plan"), Choice(CUSTOMER_FIELD, "No.")],
        },
        pipedrive,
    ),
    "pipedrive, a note": Vendor(
        test_pipedrive.TestPipedrive(),
        {OWNERS: [Choice(f"user{number}@shop.example", f"User {number}") for number in (1, 2)]},
        lambda there: "",
    ),
    "odoo": Vendor(
        test_odoo.TestOdoo(),
        {
            ("team_id",): [Choice("3", "Europe")],
            ("stage_id",): [Choice("5", "Contacted"), Choice("6", "Europe: Won")],
            ("key_field",): [
                Choice(one, f"{one.replace('_', ' ').title()} (char)") for one in ("contact_name", "name", "referred")
            ],
            OWNERS: [Choice("relay@example.com", "Relay"), Choice("7", "Mitchell")],
        },
        odoo,
    ),
    "odoo, over json-rpc": Vendor(
        test_odoo.TestOdooJsonRpc(),
        {("team_id",): [Choice("3", "Europe")], ("stage_id",): [Choice("5", "Contacted")]},
        lambda there: "",
        more={"record": "ticket"},
    ),
    "request-tracker": Vendor(
        test_request_tracker.TestRequestTracker(),
        {
            ("queue", "queue_fallback"): [Choice("Chats", "")],
            ("chat_field", "fields"): [Choice(one, "") for one in ("ChatConversation", "Country", "Chat kind")],
            OWNERS: [Choice("ann@shop.example", "ann")],
        },
        request_tracker,
        more={"fields": {}},
        silent=("chat_field", "fields"),
    ),
}
VENDORS |= {
    "redmine": Vendor(
        test_redmine.TestRedmine(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann Agent")],
            ("project",): [Choice("support", "Support")],
            ("field", "fields"): [Choice(str(FIELD), "Smartsupp chat"), Choice(str(COUNTRY), "Country")],
            ("tracker",): [Choice(str(TRACKER), "Support")],
        },
        redmine,
    ),
    "zammad": Vendor(
        test_zammad.TestZammad(),
        {OWNERS: [Choice("ann@shop.example", "Ann Agent")], ("group",): [Choice("Users", ""), Choice("Chats", "")]},
        lambda there: "",
    ),
    "espocrm": Vendor(
        test_espocrm.TestEspoCrm(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann")],
            ("fields",): [Choice(one, "") for one in ("name", "cCountry", "cSmartsuppChat")],
        },
        lambda there: "",
    ),
    "intercom": Vendor(
        test_intercom.TestIntercom(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann")],
            ("ticket_type",): [Choice(TICKET_TYPE, "Chat")],
            ("admin",): [Choice(ADMIN, "Relay"), Choice("99121001", "Ann")],
        },
        lambda there: "",
    ),
    "gitlab": Vendor(
        test_gitlab.TestGitLab(),
        {("project",): [Choice(PROJECT, "Shop / Support")]},
        lambda there: "",
    ),
    "jira-service-management": Vendor(
        test_jira_service_management.TestJiraServiceManagement(),
        {("service_desk",): [Choice(str(DESK), "Support")], ("request_type",): [Choice(str(KIND), "Chat")]},
        lambda there: "",
    ),
    "helpscout": Vendor(
        test_helpscout.TestHelpScout(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann Agent")],
            ("mailbox",): [
                Choice(str(MAILBOX), "Chats"),
                *(Choice(str(one), f"Inbox {one}") for one in range(MAILBOX + 1, MAILBOX + 2 * PAGE)),
            ],
            ("fields",): [Choice(str(CUSTOM_FIELD), "Country")],
        },
        lambda there: "",
        others=("mailbox",),
    ),
    "front": Vendor(
        test_front.TestFront(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann Agent")],
            ("inbox",): [Choice(INBOX, "Chats")],
            ("address",): [Choice(ADDRESS, "smtp")],
        },
        lambda there: "",
    ),
    "salesforce": Vendor(
        test_salesforce.TestSalesforce(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann")],
            ("origin",): [Choice("Web", "Web")],
            ("status",): [Choice("New", "New"), Choice("Closed", "Closed")],
            ("fields",): [Choice(f"{one}__c", one) for one in ("Country", "Smartsupp_Chat_Id")],
        },
        lambda there: "",
    ),
    "raynet": Vendor(
        test_raynet.TestRaynet(),
        {
            OWNERS: [Choice("milan@shop.example", "Milan Buldog"), Choice("ann@shop.example", "Ann")],
            ("source",): [Choice("3", "Chat")],
            ("category",): [Choice("7", "Hot")],
            ("lead_owner",): [Choice(str(OWNER), "Milan Buldog"), Choice("1001", "Ann")],
        },
        lambda there: "",
    ),
    "zoho-crm": Vendor(
        test_zoho_crm.TestZohoCrm(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann")],
            ("status",): [Choice(one, one) for one in ("New", "Closed")],
            ("origin",): [Choice(one, one) for one in ("Email", "Phone", "Web")],
            ("fields",): [Choice(one, one) for one in ("Country", "Smartsupp_Chat_ID")],
        },
        lambda there: "",
    ),
    "zoho-desk": Vendor(
        test_zoho_desk.TestZohoDesk(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann")],
            ("department",): [Choice(DEPARTMENT, "Chats")],
            ("fields",): [Choice(one, one) for one in ("cf_country", "cf_smartsupp_chat")],
        },
        lambda there: "",
    ),
    "bitrix24": Vendor(
        test_bitrix24.TestBitrix24(),
        {
            OWNERS: [Choice("ann@shop.example", "Ann Agent")],
            ("source",): [Choice("WEB", "Website"), Choice("CALL", "Call")],
        },
        lambda there: "",
    ),
    "dynamics-365": Vendor(
        test_dynamics_365.TestDynamics365(),
        {OWNERS: [Choice("ann@shop.example", "Ann")], ("origin",): [Choice("3", "Web")]},
        lambda there: "",
    ),
    "freshsales": Vendor(
        test_freshsales.TestFreshsales(),
        {OWNERS: [Choice("relay@shop.example", "Relay"), Choice("ann@shop.example", "Ann")]},
        lambda there: "",
    ),
    "gorgias": Vendor(
        test_gorgias.TestGorgias(),
        {OWNERS: [Choice("ann@shop.example", "Ann")]},
        lambda there: "",
    ),
}
each = pytest.mark.parametrize("name", VENDORS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_backoff", lambda state: 0.01)


@pytest.fixture
def vendor(name: str) -> Iterator[Fake]:
    with VENDORS[name].bench.fake() as there:
        if isinstance(there, ZendeskVendor):
            there.knows_agent("ann@shop.example")
            there.knows_agent("root@shop.example", name="Root", role="admin")
            there.knows_owner("gone@shop.example", active=False)
            there.knows_agent("light@shop.example", role_type=1)
        if isinstance(there, RequestTrackerVendor | Staff):
            there.knows_owner("ann@shop.example")
        yield there


def choices(connector: Connector[Any]) -> dict[str, list[Choice]]:
    found = offered(connector)
    assert [one.problem for one in found.values() if one.problem] == []
    assert found
    return {setting: list(one.choices) for setting, one in found.items()}


def wrong(connector: Connector[Any]) -> set[str]:
    return {one.text for one in connector.check() if not one.right}


@each
def test_it_offers_what_is_there_and_can_be_used(name: str, vendor: Fake) -> None:
    found = choices(VENDORS[name].connector(vendor))
    for settings, there in VENDORS[name].there.items():
        for setting in settings:
            assert found[setting] == there, setting
    assert found.keys() <= VENDORS[name].connector(vendor).settings_model.model_fields.keys()


@each
def test_what_it_offers_is_what_a_check_takes(name: str, vendor: Fake) -> None:
    case = VENDORS[name]
    before = wrong(case.connector(vendor))
    kinds = {one.name: one.kind for one in fields(case.connector(vendor).settings_model)}
    for setting, there in choices(case.connector(vendor)).items():
        for one in there[: 1 if setting in case.others else 2]:
            of = {FieldKind.TABLE: {one.value: "yes"}, FieldKind.LIST: [one.value]}
            value = of.get(kinds[setting], int(one.value) if kinds[setting] is FieldKind.NUMBER else one.value)
            named = case.connector(vendor, **{setting: value}, **beside(setting, one.value))
            assert wrong(named) <= before, (setting, one)


@each
def test_all_pages_are_read_and_names_are_whole(name: str, vendor: Fake) -> None:
    before = {setting: len(there) for setting, there in choices(VENDORS[name].connector(vendor)).items()}
    setting = VENDORS[name].fills(vendor)
    if not setting:
        return
    if isinstance(vendor, PipedriveVendor):
        vendor.page = 40
    found = choices(VENDORS[name].connector(vendor))[setting]
    assert MANY <= len(found) <= MANY + before[setting]
    assert len({one.value for one in found}) == len(found)
    if setting != "owner":
        assert all({one.value for one in found} & {str(n), text, f"project-{n}"} for n, text in many())


@each
def test_what_is_refused_takes_no_form_away_and_names_the_right(name: str, vendor: Fake) -> None:
    connector = VENDORS[name].connector(vendor)
    lists = list(connector.choices())
    vendor.instead = [Answer(403, {"message": "Forbidden"})] * 40
    found = offered(connector)
    assert len(vendor.instead) >= 40 - 2 * len(lists), "each list is asked for once"
    for one in lists:
        for setting in one.settings:
            assert not found[setting].choices
            if setting not in VENDORS[name].silent:
                assert found[setting].problem, setting
                assert one.right in found[setting].problem
    assert not [secret for secret in VENDORS[name].bench.secrets if secret in str(found)]


@each
def test_what_is_no_answer_is_no_choice(name: str, vendor: Fake) -> None:
    vendor.instead = [Answer(200, "<html>moved</html>")] * 40
    found = offered(VENDORS[name].connector(vendor))
    assert all(one.problem and not one.choices for one in found.values())


@each
def test_a_destination_that_is_down_is_asked_once(name: str, vendor: Fake) -> None:
    connector = VENDORS[name].connector(vendor)
    settings = {setting for one in connector.choices() for setting in one.settings}
    assert not vendor.requests
    vendor.shutdown()
    vendor.server_close()
    found = offered(connector)
    assert found.keys() == settings
    assert len({one.problem for one in found.values()}) == 1


def test_the_page_names_each_list() -> None:
    page = (Path(__file__).parents[2] / "docs" / "connectors" / "README.md").read_text()
    table = page.partition("## Lists to choose from")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (`[^|]*`) \| [^|]+ \|$", table, re.MULTILINE))
    told = {kind: set(re.findall(r"`(\w+)`", settings)) for kind, settings in rows.items()}
    offering_types = {kind for kind, one in types().items() if _offers(one)}
    assert told.keys() == offering_types
    for name, case in VENDORS.items():
        kind = name.partition(",")[0]
        with case.bench.fake() as there:
            lists = [*case.connector(there).choices()]
        assert {setting for one in lists for setting in one.settings} <= told[kind], name
        if name == kind:
            assert {setting for one in lists for setting in one.settings} == told[kind], name


def _offers(found: type[Connector[Any]]) -> bool:
    document = getattr(found, "document", None)
    if document is not None:
        return bool(document.choices or document.owners)
    return found.choices not in (Connector.choices, Declared.choices)


def test_what_type_http_offers_is_what_its_document_says() -> None:
    lists = [
        {"settings": ["fields"], "request": "GET /me", "entries": "groups", "value": "name", "label": "id"},
        {"settings": ["tags"], "request": "GET /me", "entries": "groups[].name", "value": "@", "only": "@ == 'Old'"},
        {"settings": ["body"], "request": "GET /me", "when": "secrets.a == 'never'"},
        {"settings": ["subject"], "request": "GET /me", "entries": "name"},
        {"settings": ["body"], "request": "GET /nothing", "right": "the scope nothing"},
    ]
    with DeskVendor() as there:
        made = desk(there.url, choices=lists, secrets={"a": "secret-of-this-test-0123"})
        settings = DeclaredSettings.model_validate({"type": "http", "allow_networks": ["127.0.0.0/8"], **made})
        found = offered(Declared("desk", settings, Path()))
    assert found["fields"].choices == [Choice("Chats", "3")]
    assert found["tags"] == Offered([])
    assert "unexpected shape" in found["subject"].problem
    assert "404" in found["body"].problem


# --- what is the form's own ------------------------------------------------------------


class Lists(Connector[Any]):
    """Lists that a test gives it."""

    label = "Lists"
    lists: tuple[ChoiceList, ...] = ()

    def __init__(self, *lists: ChoiceList) -> None:
        self.lists = lists

    @property
    def wire(self) -> None:
        return None

    def choices(self) -> tuple[ChoiceList, ...]:
        return self.lists

    def deliver(self, *_: Any) -> Any:
        raise AssertionError("nothing is delivered")


def test_a_list_without_end_is_cut_and_says_so() -> None:
    found = offered(Lists(ChoiceList(("a",), lambda: (Choice(str(n), "") for n in count()))))
    assert len(found["a"].choices) == MOST_CHOICES
    assert found["a"].more
    short = offered(Lists(ChoiceList(("a",), lambda: (Choice(str(n), "") for n in range(MOST_CHOICES)))))
    assert not short["a"].more


def test_a_value_that_comes_twice_is_one_choice() -> None:
    found = offered(Lists(ChoiceList(("a",), lambda: [Choice("1", "One"), Choice("1", "Uno"), Choice("2", "Two")])))
    assert found["a"].choices == [Choice("1", "One"), Choice("2", "Two")]


def test_a_value_that_no_setting_takes_is_left_out_and_a_long_name_is_cut() -> None:
    found = offered(Lists(ChoiceList(("a",), lambda: [Choice("1" * 2_000_000, "One"), Choice("2", "T" * 2_000_000)])))
    assert [one.value for one in found["a"].choices] == ["2"]
    assert len(found["a"].choices[0].label) == 300


def test_lists_that_fail_slowly_are_not_all_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answers within its time, and none with a list."""
    asked: list[float] = []

    def slow() -> list[Choice]:
        asked.append(9.9)
        raise KeyError("no list")

    monkeypatch.setattr(time, "monotonic", lambda: sum(asked))
    found = offered(Lists(*(ChoiceList((str(number),), slow) for number in range(12))))
    assert len(asked) == 3
    assert len(found) == 12
    assert {one.problem for one in found.values()} == {"internal error in this connector: KeyError"}


def test_a_bug_in_one_list_takes_no_other_away() -> None:
    def broken() -> list[Choice]:
        raise KeyError("secret-of-a-plug-in")

    found = offered(Lists(ChoiceList(("a",), broken), ChoiceList(("b",), lambda: [Choice("1", "One")])))
    assert found["a"].problem == "internal error in this connector: KeyError"
    assert found["b"].choices == [Choice("1", "One")]


def test_a_bug_before_the_lists_takes_no_form_away() -> None:
    connector = Lists()
    connector.choices = lambda: 1 // 0  # type: ignore[method-assign,assignment,return-value]  # a bug
    assert offered(connector) == {}


def test_a_destination_that_answers_late_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "_SECONDS", 0.2)
    case = VENDORS["zendesk"]
    with case.bench.fake() as there:
        connector = case.connector(there)
        there.hanging = True
        found = offered(connector)
        assert {one.problem for one in found.values()} == {"no complete answer within 0 seconds"}
        assert {"group_id", "owner", "fields"} <= found.keys()
        there.over.set()
