"""`type: http`: a connector that is written in the configuration."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
import yaml

from connectors.http import Declared, DeclaredSettings
from connectors.kit.connector import HttpConnector, Receipt, Step
from connectors.registry import settings_model
from connectors.testing.chats import SAMPLE, chat, longer
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake, Request
from connectors.testing.files import KETTLE_PHOTO, KETTLE_RECEIPT, FileLaws, chat_with
from core.delivery import Revision
from core.errors import ConnectorRefused, DeliveryError, Intercepted, RecordRefused, RetryLater
from core.ids import PayloadId
from core.smartsupp.parser import parse_conversation
from tests.fakes.authorization import CLIENT, SECRET, Authorization
from tests.fakes.desk import KEY, DeskVendor

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "http.md"
SHOWN = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
EXAMPLE: dict[str, Any] = yaml.safe_load(SHOWN[0])
DESK: dict[str, Any] = EXAMPLE["connectors"]["desk"]


def desk(url: str, **changes: Any) -> dict[str, Any]:
    """The settings of the page, for a fake."""
    made = copy.deepcopy(DESK)
    made |= {"base_url": f"{url}/api", "auth": {"bearer": KEY}}
    made["reference"] = {**made["reference"], "url": f"{url}/t/{{{{ steps.ticket.id }}}}"}
    return {**made, **changes}


def anew(steps: dict[str, Any]) -> dict[str, Any]:
    """Whose ticket is made anew when it was deleted."""
    case = {"statuses": [404], "means": "gone", "steps": ["ticket"]}
    steps["ticket"]["update"]["cases"] = [case]
    steps["note"]["create"]["cases"] = [case]
    if "find" in steps["note"]:
        steps["note"]["find"]["cases"] = [case]
    return steps


class TestTheExampleOfThePage(Contract):
    kind = "http"
    secrets = (KEY,)
    answers: ClassVar[list[Any]] = [
        (400, {"error": {"code": "INVALID"}}, {}, RecordRefused),
        (403, {"error": {"code": "FORBIDDEN"}}, {}, ConnectorRefused),
        (404, {"error": {"code": "NOT_FOUND"}}, {}, ConnectorRefused),
        (404, "<html>a firewall</html>", {"Content-Type": "text/html"}, Intercepted),
        (200, {"maintenance": True}, {}, RetryLater),
    ]

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return desk(url)

    @staticmethod
    def desk(vendor: Fake) -> DeskVendor:
        assert isinstance(vendor, DeskVendor)
        return vendor

    # --- people ------------------------------------------------------------------------

    def test_a_visitor_whom_the_desk_refuses_is_left_out_and_the_text_says_so(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        for number in (1, 2):
            self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), memory, number)
        assert vendor.people() == []
        assert "person" not in vendor.records()[0]
        assert all("typo@domain.com cannot be used" in text for text in vendor.texts())

    def test_a_person_who_was_deleted_is_looked_for_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        assert self._dies(self.connector(vendor), 2, False, memory)
        self.desk(vendor).persons.clear()
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["person"] == vendor.people()[0]["id"]

    def test_a_ticket_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.desk(vendor).tickets.clear()
        with pytest.raises(RecordRefused, match="what the step 'ticket' created is no longer there"):
            self.deliver(self.connector(vendor), SAMPLE, memory, 2)

    def test_a_ticket_that_is_made_anew_gets_the_whole_text_not_only_what_the_dead_one_lacked(
        self, vendor: Fake
    ) -> None:
        memory: dict[str, Any] = {}
        steps = anew(copy.deepcopy(DESK["steps"]))
        long = chat(*(f"line {number:03}" + " long" * 400 for number in range(50)))
        # It dies before the second part.
        assert self._dies(self.connector(vendor, steps=steps), 4, False, memory, long)
        assert len(vendor.texts()) == 1
        self.desk(vendor).tickets.clear()
        self.deliver(self.connector(vendor, steps=steps), long, memory)
        arrived = self.arrived(vendor)
        assert [arrived.count(f"line{number:03}") for number in range(50)] == [1] * 50

    # --- what is looked for ------------------------------------------------------------

    def test_what_is_found_must_be_what_is_meant_on_whatever_page(self, vendor: Fake) -> None:
        """The desk's search does not tell small letters from capitals, and gives one ticket a page."""
        names = ("chA", "CHA", "cha")
        for name in names:
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"ticket?": True})
        assert len(vendor.records()) == 3
        again = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": "cha"}}
        assert self.deliver(self.connector(vendor), again, {"ticket?": True}).id == str(vendor.records()[2]["id"])
        assert [one.query["page"] for one in vendor.requests if one.path == "/api/tickets" and one.query][-3:] == [
            "1",
            "2",
            "3",
        ]

    def test_an_answer_of_another_shape_is_not_taken_for_nothing(self, vendor: Fake) -> None:
        bodies: list[Any] = [
            {"data": {}},
            {"data": {"tickets": {}}},
            [],
            {"data": {"tickets": [{"key": "smartsupp:208:55039"}]}},
        ]
        for body in bodies:
            memory: dict[str, Any] = {"person": {"value": {"id": 1}, "revision": 1}, "ticket?": True}
            vendor.instead = [Answer(200, body)] * 3
            with pytest.raises(RetryLater, match="unexpected shape"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.writes() == []

    # --- revisions ---------------------------------------------------------------------

    def test_a_revision_updates_the_ticket_once_and_adds_its_text(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        fields = {"country": "{{ visitor.country_code }}"}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        for _ in range(2):
            self.deliver(self.connector(vendor, fields=fields), longer(SAMPLE, "One thing more"), memory, 2)
        assert [one.method for one in vendor.writes()[3:]] == ["PATCH", "POST"]
        assert (vendor.records()[0]["country"], len(vendor.texts())) == ("CZ", 2)
        assert "The conversation continued" in vendor.texts()[1]

    def test_a_revision_may_be_left_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        steps = copy.deepcopy(DESK["steps"])
        steps["note"]["on_revision"] = "nothing"
        del steps["ticket"]["update"]
        for number in (3, 4):
            self.deliver(self.connector(vendor, steps=steps), SAMPLE, memory, number)
        assert (len(vendor.texts()), len(vendor.writes())) == (1, 3)

    def test_a_revision_may_be_a_record_of_its_own(self, vendor: Fake) -> None:
        steps = copy.deepcopy(DESK["steps"])
        del steps["ticket"]["update"]
        steps["ticket"]["on_revision"] = "append"
        steps["ticket"]["create"]["json"]["key"] = "{{ key }} {{ revision }}"
        steps["ticket"]["find"]["where"] = {"key": "{{ key }} {{ revision }}"}
        memory: dict[str, Any] = {}
        for number in (1, 2, 2):
            self.deliver(self.connector(vendor, steps=steps), SAMPLE, memory, number)
        assert [one["key"] for one in vendor.records()] == ["smartsupp:208:55039 1", "smartsupp:208:55039 2"]

    # --- what is sent ------------------------------------------------------------------

    def test_a_step_is_left_out_where_its_condition_is_false(self, vendor: Fake) -> None:
        steps = copy.deepcopy(DESK["steps"])
        steps["note"]["when"] = "conversation.is_missed"
        self.deliver(self.connector(vendor, steps=steps), SAMPLE, {})
        assert (len(vendor.records()), vendor.texts()) == (1, [])

    def test_a_value_that_is_missing_in_an_address_sends_nothing(self, vendor: Fake) -> None:
        steps = copy.deepcopy(DESK["steps"])
        steps["ticket"]["create"]["request"] = "POST /people/{{ steps.person.id }}/tickets"
        with pytest.raises(RecordRefused, match=r"steps.ticket.create.request: a value in the address is empty"):
            self.deliver(self.connector(vendor, steps=steps), chat(email=""), {})
        assert vendor.writes() == []

    def test_what_a_check_misses_is_said_with_its_remedy(self, vendor: Fake) -> None:
        check = [*DESK["check"], {"request": "GET /me", "expect": "owner", "says": "somebody owns it"}]
        check[1] = {**check[1], "where": {"name": "Sales"}}
        found = list(self.connector(vendor, check=check).check())
        assert [(one.right, one.text, one.remedy) for one in found] == [
            (True, "Relay may use the API", ""),
            (False, "there is no group Chats", "make it in the desk, under Groups"),
            (False, "not so: somebody owns it", ""),
        ]


class TestNotesThatAreWrittenOver(Contract):
    kind = "http"
    secrets = (KEY,)

    @property
    def golden(self) -> Path:
        return super().golden.with_name("http.overwrite.json")

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        made = desk(url)
        made["steps"]["note"]["update"] = {
            "request": "PUT /tickets/{{ steps.ticket.id }}/notes/{{ steps.note.id }}",
            "json": {"html": "{{ part.text }}"},
        }
        return made

    def test_a_step_may_have_any_name(self, vendor: Fake) -> None:
        """Also one that means something else here."""
        for number, name in enumerate(("part", "self", "name", "steps")):
            steps = json.loads(
                json.dumps(self.settings("https://desk.example.com")["steps"]).replace(".note.", f".{name}.")
            )
            steps[name] = steps.pop("note")
            memory: dict[str, Any] = {}
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            for revision in (1, 2):
                self.deliver(self.connector(vendor, steps=steps), payload, memory, revision)
            assert (len(vendor.records()), len(vendor.texts())) == (number + 1, number + 1)

    def test_a_shorter_revision_leaves_no_old_text(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat("long " * 20_000), memory)
        assert len(vendor.texts()) == 2
        self.deliver(self.connector(vendor), chat("short"), memory, 2)
        assert "short" in vendor.texts()[0]
        assert re.sub(r"<[^>]*>", "", vendor.texts()[1]) == "—"


class TestADeskThatTakesFiles(FileLaws):
    """With the note, in a form."""

    kind = "http"
    secrets = (KEY,)

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        made = desk(url)
        request = {"request": "POST /tickets/{{ steps.ticket.id }}/notes"}
        files = {"each_file": "{{ file.content }}"}
        find = {name: made["steps"]["note"]["find"][name] for name in ("request", "entries", "marked")}
        create = {**request, "multipart": {"html": "{{ part.text }}", "files": files}}
        return {**made, "attachments": {"count": 2, "find": find, "create": create}}

    def test_what_is_written_beside_the_files_is_sent_too(self, vendor: Fake) -> None:
        attachments = copy.deepcopy(self.settings(vendor.url)["attachments"])
        attachments["create"]["multipart"] |= {
            "about": {"filename": "about.txt", "content": "{{ key }}", "type": "text/plain"},
            "names": {"each_file": "{{ file.name }}"},
            "share": "{{ 1 / 4 }}",
        }
        payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_RECEIPT)
        # The desk does not take these; what is looked at here is what it is sent.
        with pytest.raises(DeliveryError):
            self.deliver(self.connector(vendor, attachments=attachments), payload, {})
        [form, *_] = [one for one in vendor.requests if b"about.txt" in one.raw]
        fields, files = form.form()
        assert fields["share"] == "0.25"
        assert form.raw.count(b'name="names"\r\n') == 2
        assert ("about", "about.txt", "text/plain", b"smartsupp:208:coKettle7") in files

    def test_a_ticket_that_is_made_anew_gets_the_files_too(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        steps = anew(copy.deepcopy(DESK["steps"]))
        self.deliver(self.connector(vendor, steps=steps), chat_with(vendor, KETTLE_PHOTO), memory)
        assert isinstance(vendor, DeskVendor)
        vendor.tickets.clear()
        vendor.files.clear()
        payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_RECEIPT)
        self.deliver(self.connector(vendor, steps=steps), payload, memory, 2)
        assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1, KETTLE_RECEIPT[2]: 1}


class TestADeskThatKnowsARepeatByItsKey(Contract):
    kind = "http"
    secrets = (KEY,)

    @property
    def golden(self) -> Path:
        return super().golden.with_name("http.idempotent.json")

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        made = desk(url)
        for name in ("ticket", "note"):
            del made["steps"][name]["find"]
            made["steps"][name]["repeatable"] = "idempotency_key"
        return made

    def test_a_text_that_differs_has_another_key(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        for number in (1, 2):
            self.deliver(self.connector(vendor), longer(SAMPLE, *["One thing more"][: number - 1]), memory, number)
        keys = [one.headers["idempotency-key"] for one in vendor.writes() if "idempotency-key" in one.headers]
        assert len({*keys}) == len(keys) == 3

    def test_what_is_made_anew_has_another_key_and_so_has_what_is_in_it(self, vendor: Fake) -> None:
        """The desk answers a key that it has seen with what it made then, dead or not."""
        memory: dict[str, Any] = {}
        steps = anew(self.settings(vendor.url)["steps"])
        self.deliver(self.connector(vendor, steps=steps), SAMPLE, memory)
        assert isinstance(vendor, DeskVendor)
        for number in (2, 3):
            vendor.tickets.clear()
            self.deliver(self.connector(vendor, steps=steps), longer(SAMPLE, "One thing more"), memory, number)
            [ticket] = vendor.records()
            assert [note["html"].count("One thing more") for note in ticket["notes"]] == [1]
        # A retry brings the key of the last one.
        before = len(vendor.records())
        self.deliver(self.connector(vendor, steps=steps), longer(SAMPLE, "One thing more"), memory, 3)
        assert len(vendor.records()) == before

    def test_a_lost_reply_after_a_ticket_was_made_anew_makes_no_third(self) -> None:
        for number in range(4):
            memory: dict[str, Any] = {}
            with self.fake() as vendor:
                steps = anew(self.settings(vendor.url)["steps"])
                self.deliver(self.connector(vendor, steps=steps), SAMPLE, memory)
                vendor.tickets.clear()
                vendor.lose_reply_after = number
                connector = self.connector(vendor, steps=steps)
                self._delivered(connector, longer(SAMPLE, "One thing more"), memory, 2)
                assert len(vendor.records()) == 1, number
                assert self.arrived(vendor).count("Onethingmore") == 1, number


class Hurry(Contract):
    """As somebody in a hurry would write it: create, whatever there is."""

    kind = "http"
    secrets = (KEY,)

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        made = desk(url)
        for one in made["steps"].values():
            del one["find"]
            one["repeatable"] = "again"
        return made


@pytest.mark.parametrize(
    "name",
    [
        "test_a_death_before_or_after_any_request_leaves_one_person_and_one_record",
        "test_a_lost_reply_to_any_request_leaves_one_person_and_one_record",
    ],
)
def test_the_contract_fails_one_that_looks_for_nothing(name: str) -> None:
    with pytest.raises(AssertionError):
        getattr(Hurry(), name)()


@pytest.mark.parametrize(
    "name",
    [
        "test_a_second_chat_of_the_same_visitor_finds_the_person",
        "test_two_chats_of_one_new_visitor_at_the_same_moment_make_one_person",
        "test_a_store_that_has_forgotten_everything_makes_no_second_record",
    ],
)
def test_the_contract_fails_it_here_too(name: str) -> None:
    with DeskVendor() as vendor, pytest.raises(AssertionError):
        getattr(Hurry(), name)(vendor)


def test_never_leaves_an_outcome_that_nobody_knows_to_a_person() -> None:
    bench = Hurry()
    steps = copy.deepcopy(DESK["steps"])
    for one in ("ticket", "note"):
        del steps[one]["find"]
        steps[one]["repeatable"] = "never"
    memory: dict[str, Any] = {}
    with DeskVendor() as vendor:
        connector = bench.connector(vendor, steps=steps)
        vendor.lose_reply_after = 2
        with pytest.raises(RetryLater):
            bench.deliver(connector, SAMPLE, memory)
        with pytest.raises(RecordRefused, match="nobody knows whether the step 'ticket' was done before"):
            bench.deliver(connector, SAMPLE, memory)
        assert len(vendor.records()) == 1
        bench.deliver(connector, SAMPLE, memory)  # a person has replayed it
        assert len(vendor.records()) == 2


# --- on the wire -------------------------------------------------------------------------


class Recorder(Fake):
    """Answers everything with an id, and keeps what came."""

    def __init__(self) -> None:
        super().__init__()
        for method in ("GET", "POST", "PUT", "PATCH"):
            self.route(method, "/.*", lambda request: {"id": 7, "found": [], "page": f"{self.url}/a b"})


def record(vendor: Fake, request: dict[str, Any], **more: Any) -> HttpConnector[Any]:
    """A connector with one step, which sends one request."""
    settings = {
        "type": "http",
        "base_url": vendor.url,
        "allow_networks": ["127.0.0.0/8"],
        "steps": {"one": {"create": request, "repeatable": "again"}},
        "reference": {"id": "{{ steps.one.id }}"},
        **more,
    }
    return Declared("shop", DeclaredSettings.model_validate(settings), Path())


def sent(request: dict[str, Any], payload: dict[str, Any] = SAMPLE, **more: Any) -> tuple[Request, Any, str]:
    with Recorder() as vendor:
        connector = record(vendor, request, **more)
        body = json.dumps(payload).encode()
        revision = Revision(1, PayloadId("payload1"), 1_700_000_000_000, "", body)
        memory: dict[str, Any] = {}
        step = Step(memory, memory.__setitem__, forget=memory.pop)
        with connector.attempt() as exchanges:
            made = connector.bring(parse_conversation(body), Receipt("shop:1:1", revision, lambda: [revision]), step)
        return vendor.requests[-1], made, repr(exchanges)


def test_values_keep_their_kind_and_what_is_empty_is_left_out() -> None:
    request, *_ = sent(
        {
            "request": "POST /things/{{ conversation.id }}",
            "query": {"kind": "{{ kind }}", "none": "{{ visitor.group }}", "all": True, "tags": "{{ tags }}"},
            "headers": {"X-Name": "{{ visitor.name }}\r\nX-Evil: 1", "X-None": "{{ visitor.group }}"},
            "json": {
                "number": "{{ revision }}",
                "text": "{{ revision }}!",
                "flag": "{{ conversation.is_missed }}",
                "constant": None,
                "list": ["a", "{{ visitor.group }}", {"...": "{{ tags }}"}],
                "gone": {"deep": ["{{ visitor.group }}"]},
                "{{ kind }}_key": "{{ key }}",
                "...": "{{ fields }}",
                "agent": "{{ agent }}",
                "agents": "{{ agents }}",
                "began": "{{ began }}",
                "custom": [{"id": 1, "value": "{{ key }}"}, {"...": "{{ field_list }}"}],
            },
        },
        fields={"12": "{{ visitor.country_code }}", "text": "loses against what is written here"},
    )
    assert request.path == "/things/55039"
    assert request.query == {"kind": "chat", "all": "true", "tags": "smartsupp-chat"}
    assert request.headers["x-name"] == "Dusan Kmet X-Evil: 1"
    assert not {"x-none", "x-evil"} & {*request.headers}
    assert request.body == {
        "12": "CZ",
        "text": "1!",
        "number": 1,
        "flag": False,
        "constant": None,
        "list": ["a", "smartsupp", "smartsupp-chat"],
        "chat_key": "smartsupp:208:55039",
        "agent": "John Doe",
        "agents": ["John Doe"],
        "began": "2015-03-27T15:33:59.703000+00:00",
        "custom": [
            {"id": 1, "value": "smartsupp:208:55039"},
            {"id": 12, "value": "CZ"},
            {"id": "text", "value": "loses against what is written here"},
        ],
    }


def test_what_a_visitor_wrote_stays_a_value_wherever_it_is_put() -> None:
    hostile = chat(name='../../admin?x=1&y=2#\r\nX: 1\x00 ž "q"')
    request, *_ = sent(
        {
            "request": "POST /people/{{ visitor.name }}/notes",
            "headers": {"X-Name": "{{ visitor.name }}"},
            "query": {"name": "{{ visitor.name }}"},
            "form": {"name": "{{ visitor.name }}", "fixed": "yes"},
        },
        hostile,
    )
    assert request.path.startswith("/people/..%2F..%2Fadmin%3Fx%3D1%26y%3D2%23")
    assert request.path.endswith("/notes")
    assert {*request.query} == {"name"}
    form = parse_qs(request.body.decode())
    assert {*form} == {"name", "fixed"}
    assert "\x00" not in form["name"][0]
    assert "x" not in request.headers


def test_text_and_files_are_sent_as_they_are_written() -> None:
    request, *_ = sent({"request": "POST /raw", "text": "chat {{ key }} ž"})
    assert (request.body, request.headers["content-type"]) == (
        "chat smartsupp:208:55039 ž".encode(),
        "text/plain; charset=utf-8",
    )
    request, *_ = sent(
        {
            "request": "POST /files",
            "multipart": {
                "name": "{{ name }}",
                "file": {"filename": 'a"b.txt', "content": "{{ key }}", "type": "text/plain"},
            },
        }
    )
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="name"\r\n\r\nDusan Kmet\r\n' in request.body
    assert b'filename="a\'b.txt"\r\nContent-Type: text/plain\r\n\r\nsmartsupp:208:55039\r\n' in request.body


def test_a_raw_body_that_is_no_file_is_text() -> None:
    request, *_ = sent({"request": "POST /raw", "raw": "{{ visitor.group }}"})
    assert request.raw == b""
    request, *_ = sent({"request": "POST /raw", "raw": "{{ revision }}"})
    assert request.raw == b"1"


def test_a_form_has_a_part_for_each_value() -> None:
    request, *_ = sent({"request": "POST /files", "multipart": {"tags": "{{ [kind, key] }}", "flag": "{{ 1 == 1 }}"}})
    assert request.form() == ({"tags": "chat", "flag": "true"}, [])
    assert request.raw.count(b'name="tags"') == 2


def test_secrets_in_an_address_are_sent_and_shown_nowhere() -> None:
    request, _, kept = sent(
        {"request": "POST /{{ secrets.hook }}/add", "json": {"token": "{{ secrets.other }}", "name": "{{ name }}"}},
        auth={"query": {"name": "api_token", "value": "query-secret-0123"}},
        secrets={"hook": "hook/secret-0123", "other": "body-secret-0123"},
    )
    assert request.path == "/hook%2Fsecret-0123/add"
    assert request.query == {"api_token": "query-secret-0123"}
    assert request.body["token"] == "body-secret-0123"
    for secret in ("hook/secret-0123", "hook%2Fsecret-0123", "query-secret-0123", "body-secret-0123"):
        assert secret not in kept
    assert "Dusan Kmet" in kept


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": "k-0123"}, "authorization", "Bearer k-0123"),
        ({"basic": {"user": "ann", "password": "p{{w-0123"}}, "authorization", "Basic YW5uOnB7e3ctMDEyMw=="),
        ({"header": {"name": "X-Key", "value": "k-0123"}}, "x-key", "k-0123"),
        ({"header": {"name": "Authorization", "prefix": "Token ", "value": "k-0123"}}, "authorization", "Token k-0123"),
    ],
)
def test_every_way_of_signing(auth: dict[str, Any], header: str, value: str) -> None:
    request, *_ = sent({"request": "POST /x"}, auth=auth)
    assert request.headers[header] == value


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    taking = {"request": "POST /x", "take": {"id": "id", "page": "page"}}
    _, made, _ = sent(taking, reference={"id": "{{ steps.one.id }}", "url": "{{ steps.one.page }}"})
    assert (made.id, made.url.endswith("/a b")) == ("7", True)
    _, made, _ = sent(taking, reference={"id": "{{ steps.one.id }}", "url": "javascript:alert({{ steps.one.id }})"})
    assert made.url == ""


def test_a_token_is_fetched_with_the_refresh_token_of_the_settings() -> None:
    authorization = Authorization()
    first = authorization.log_in()
    with Recorder() as vendor:
        vendor.routes.clear()
        authorization.tokens_at(vendor, "/token")
        vendor.route("POST", "/x", lambda request: Answer(200 if authorization.is_good(request) else 401, {"id": 1}))
        oauth = {
            "token_url": f"{vendor.url}/token",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant": "refresh_token",
            "refresh_token": first,
        }
        connector = record(vendor, {"request": "POST /x"}, auth={"oauth": oauth})
        bench, memory = Hurry(), dict[str, Any]()
        assert bench.deliver(connector, SAMPLE, memory).id == "1"
        # It has been rotated: the one that followed is used, and the settings' own no more.
        authorization.end_all()
        again = record(vendor, {"request": "POST /x"}, auth={"oauth": oauth})
        again.state = connector.state
        assert bench.deliver(again, SAMPLE, {}).id == "1"
        asked = [one["refresh_token"] for one in authorization.asked]
        assert asked[0] == first
        assert asked[1] != first


def test_what_a_token_endpoint_and_a_code_in_an_answer_say_may_be_declared_as_waiting() -> None:
    with Recorder() as vendor:
        said: list[Answer] = []
        vendor.routes.clear()
        vendor.route("POST", "/token", lambda request: said.pop(0))
        vendor.route("POST", "/x", lambda request: said.pop(0))
        oauth = {"token_url": f"{vendor.url}/token", "client_id": CLIENT, "client_secret": SECRET}
        verdicts = {"waits": [{"always": 90, "codes": {"error": ["quota"]}}]}
        auth = {"oauth": {**oauth, "waits": ["too_many_tokens"]}}
        connector = record(vendor, {"request": "POST /x"}, auth=auth, verdicts=verdicts)
        bench, token = Hurry(), Answer(200, {"access_token": "token-0123456789", "token_type": "bearer"})
        for answers, error, seconds in (
            ([Answer(400, {"error": "too_many_tokens"}, {"Retry-After": "77"})], RetryLater, 77),
            ([Answer(400, {"error": "slow_down"}, {"Retry-After": "78"})], RetryLater, 78),
            ([Answer(400, {"error": "invalid_client"})], ConnectorRefused, None),
            ([token, Answer(403, {"error": "quota"})], RetryLater, 90),
            ([Answer(403, {"error": "else"})], ConnectorRefused, None),
        ):
            said[:] = answers
            with pytest.raises(error) as raised:
                bench.deliver(connector, SAMPLE, {})
            assert type(raised.value) is error
            assert getattr(raised.value, "retry_after", None) == seconds
            assert said == []


def test_its_settings_survive_a_pickle() -> None:
    """A worker hands them to a process of its own."""
    made = DeclaredSettings.model_validate({"type": "http", **desk("https://desk.example.com")})
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own
    zammad = {"type": "zammad", "url": "https://z.example.com", "token": "token-0123", "group": "Chats"}
    settings = settings_model("zammad").model_validate(zammad)
    again = pickle.loads(pickle.dumps(settings))  # noqa: S301
    assert type(again) is type(settings)
    assert again == settings
    assert "token-0123" not in repr(again)
