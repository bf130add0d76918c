"""Connectors set up in the browser: the gallery, the form, what it saves and what it never shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import TestResponse

from app.admin.setting_up.gallery import GALLERY, written_gallery
from connectors import registry
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import Settings
from core.store import Store, connect
from tests.fakes.hubspot import HubSpotVendor
from tests.fakes.request_tracker import TOKEN, RequestTrackerVendor
from tests.support import hostile
from tests.support.admin import Admin, admin
from tests.support.made import chats
from tests.support.server import Server

FILE = """\
# the shop
connectors:
  archive:
    type: archive # every chat
"""
SECRET = "pat-eu1-kept-0123456789"
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=FILE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.yaml"


@pytest.fixture
def vendor() -> Iterator[HubSpotVendor]:
    with HubSpotVendor(SECRET) as there:
        yield there


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


def loaded(folder: Path) -> Settings:
    variables = {"RELAY_DATA_DIR": str(folder), "RELAY_CONFIG": str(folder / "relay.yaml")}
    return load(environment(variables), settings_model, {})


def fields(html: str) -> dict[str, str]:
    """What a browser would send of the settings' form, without its buttons."""
    found: dict[str, str] = {}
    for tag, inside in re.findall(r"<(?:input|textarea|select|option)\b([^>]*)>([^<]*)", html):
        attributes = dict(re.findall(r'([\w-]+)(?:="([^"]*)")?', tag))
        if "name" in attributes and attributes.get("type") != "checkbox":
            last = attributes["name"]
            # A browser drops the line end behind the tag.
            found[last] = unescape(attributes.get("value", inside.removeprefix("\n")))
        elif "selected" in attributes:
            found[last] = unescape(attributes["value"])
    return found


def sent(page: Admin, path: str, do: str, html: str = "", **changes: str) -> TestResponse:
    given = {**fields(html or page.get(path).text), **changes, "do": do}
    del given["csrf_token"]
    return page.submit(path, **given)


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# --- the gallery ---------------------------------------------------------------------


def test_the_gallery_has_every_type_with_what_it_makes_and_needs(page: Admin) -> None:
    html = page.get("/setup/connectors").text
    text = plain(html)
    for kind, connector in registry.types().items():
        assert f'href="/setup/connectors/{kind}"' in html
        assert connector.makes
        assert connector.makes[1:] in text
    assert (
        "HubSpot A contact and a ticket, with the transcript in notes; or notes on the contact. You need: Token."
        in text
    )
    assert "You need: URL, Queue, Token or Password." in text
    assert "Add a connector" in page.get("/connectors").text


def test_what_the_gallery_knows_is_what_the_types_say() -> None:
    assert GALLERY.read_text(encoding="utf-8") == written_gallery(), "run: make tables"


@pytest.mark.processes
def test_the_gallery_and_one_form_load_no_other_type() -> None:
    """In a process of its own: this one has loaded them all."""
    program = (
        "import sys\n"
        "from app.dashboard.view.setting_form import connector_types\n"
        "from connectors.registry import named_type\n"
        "before = {*sys.modules}\n"
        "assert len(connector_types()) > 25\n"
        "assert named_type('redmine').label == 'Redmine'\n"
        "assert named_type('nobody') is named_type('connectors.archive.Archive') is None\n"
        "print(*sorted({*sys.modules} - before))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    ).stdout.split()
    vendors = {path.rsplit(".", 1)[0] for path in registry.BUILT_IN.values()} - {"connectors.http"}
    assert not vendors & {*loaded}


def test_a_type_of_a_package_is_in_the_gallery(page: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("shops-own", "connectors.archive:Archive", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == registry.ENTRY_POINTS else [])
    assert 'href="/setup/connectors/shops-own"' in page.get("/setup/connectors").text
    assert page.get("/setup/connectors/shops-own").status_code == 200


def test_what_is_no_type_is_not_found(page: Admin) -> None:
    for kind in ("nobody", "connectors.archive.Archive", "os.path"):
        assert page.get(f"/setup/connectors/{kind}").status_code == 404


# --- adding --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(registry.BUILT_IN))
def test_every_type_has_a_form_that_names_each_setting_and_holds_its_defaults(page: Admin, kind: str) -> None:
    path = f"/setup/connectors/{kind}"
    html = page.get(path).text
    model = settings_model(kind)
    for name, info in model.model_fields.items():
        if name == "type":
            continue
        assert (f'name="s-{name}"' in html) == (name not in model.refused), name
        assert name in model.refused or not info.description or info.description in plain(html), name
    answer = sent(page, path, "check", html)
    required = {name for name, info in model.model_fields.items() if info.is_required()} - {"type"}
    wrong = set(re.findall(r'id="s-(\w+)-error"', answer.text))
    assert required <= wrong if required else answer.status_code in (200, 422)


def test_after_a_check_the_form_lists_what_the_destination_offers(page: Admin, vendor: HubSpotVendor) -> None:
    path = "/setup/connectors/hubspot"
    given = {"s-base_url": vendor.url, "s-allow_networks": LOOPBACK}
    before = page.get(path).text
    assert "<datalist" not in before
    html = sent(page, path, "check", before, **{**given, "s-token": SECRET}).text
    found = re.search(r'list="s-stage-choices".*?<datalist id="s-stage-choices">(.*?)</datalist>', html, re.DOTALL)
    assert found
    offered = dict(re.findall(r'<option value="([^"]+)">([^<]+)</option>', found[1]))
    assert offered
    assert all(": " in label for label in offered.values())  # pipeline: stage
    listed = html[html.index('id="s-stage-all"') :].partition("</details>")[0]
    assert all(value in listed for value in offered)
    refused = sent(page, path, "check", before, **{**given, "s-token": "somebody-elses-0123456789"}).text
    assert "<datalist" not in refused


def test_what_a_native_check_finds_is_in_the_readers_language(
    page: Admin, vendor: HubSpotVendor, server: Server, tmp_path: Path
) -> None:
    vendor.scopes.remove("contacts")
    page.submit("/language", language="de")
    given = {"s-base_url": vendor.url, "s-allow_networks": LOOPBACK, "s-token": SECRET}
    form = plain(sent(page, "/setup/connectors/hubspot", "check", **given).text)
    settings = {"type": "hubspot", "base_url": vendor.url, "allow_networks": [LOOPBACK], "token": SECRET}
    (tmp_path / "there").mkdir()
    saved = admin(server, tmp_path / "there", config=yaml.safe_dump({"connectors": {"crm": settings}}))
    saved.submit("/language", language="de")
    for text in (form, plain(saved.submit("/connectors/crm/check").text)):
        assert "API-Schlüssel akzeptiert" in text
        assert "contacts nicht lesbar" in text
        assert "dem Schlüssel geben: die Scopes crm.objects.contacts.read und crm.objects.contacts.write" in text


def test_names_of_several_lines_are_cut_in_the_drop_down_and_whole_below(page: Admin, vendor: HubSpotVendor) -> None:
    name = "Returns and everything that <b>comes back</b> " * 5
    vendor.labels["5"] = name
    given = {"s-base_url": vendor.url, "s-allow_networks": LOOPBACK, "s-token": SECRET}
    html = sent(page, "/setup/connectors/hubspot", "check", **given).text
    dropped = re.findall(r'<option value="5">([^<]*)</option>', html)
    assert [len(unescape(one)) <= 85 for one in dropped] == [True]
    listed = html[html.index('id="s-pipeline-all"') :].partition("</details>")[0]
    assert name.strip() in unescape(listed)
    assert "<b>" not in listed


def test_what_may_not_be_listed_says_what_is_missing_and_can_be_typed(page: Admin, vendor: HubSpotVendor) -> None:
    vendor.scopes.remove("owners")
    given = {"s-base_url": vendor.url, "s-allow_networks": LOOPBACK, "s-token": SECRET}
    html = sent(page, "/setup/connectors/hubspot", "check", **given).text
    assert 'id="s-stage-choices"' in html
    assert 'id="s-owner-choices"' not in html
    hint = re.search(r'id="s-owner-hint"[^>]*>(.*?)</p>', html, re.DOTALL)
    assert hint
    said = plain(hint[1])
    assert "What there is could not be listed" in said
    assert "The credentials need the scope crm.objects.owners.read. Type what you mean." in said
    assert re.search(r'<input[^>]*name="s-owner"', html)


def test_what_must_be_chosen_is_listed_before_it_is_typed(page: Admin) -> None:
    with RequestTrackerVendor() as rt:
        given = {"s-url": rt.url, "s-allow_networks": LOOPBACK, "s-token": TOKEN}
        html = sent(page, "/setup/connectors/request-tracker", "check", **given).text
        assert 'id="s-queue-error"' in html
        assert re.search(r'<datalist id="s-queue-choices"><option value="Chats">', html)
        assert "Result of the check" not in html
        asked = len(rt.requests)
        sent(page, "/setup/connectors/request-tracker", "preview", **given)
        sent(page, "/setup/connectors/request-tracker", "check", **given, **{"s-priority": "high"})
        assert len(rt.requests) == asked, "while something else is wrong, nothing is asked"
        html = sent(page, "/setup/connectors/request-tracker", "check", html, **{"s-queue": "Chats"}).text
        assert "Result of the check" in html
        assert re.search(r'<datalist id="s-chat_field-choices"><option value="ChatConversation">', html)
        assert '<li class="break"><code>Country</code>' in html[html.index('id="s-fields-all"') :]


def test_a_connector_is_checked_previewed_shown_and_saved(
    page: Admin, vendor: HubSpotVendor, store: Store, file: Path, tmp_path: Path
) -> None:
    chats(store, 2, archive=None)
    path = "/setup/connectors/hubspot"
    given = {"s-token": SECRET, "s-base_url": vendor.url, "s-allow_networks": LOOPBACK, "s-rate": "5"}
    html = sent(page, path, "check", **given).text
    text = plain(html)
    assert "OK can read tickets" in text
    assert "POST" in text
    assert "/crm/objects/2026-09/contacts/batch/read" in text
    assert "+ token: ${secret:hubspot-token}" in text
    assert SECRET not in html
    assert file.read_text() == FILE
    assert "Entered. Leave this empty to use it." in text
    answer = sent(page, path, "save", html)
    assert answer.location == "/connectors/hubspot"
    assert "hubspot is saved." in plain(page.get("/connectors/hubspot").text)
    assert file.read_text().startswith(FILE)
    assert SECRET not in file.read_text()
    hubspot: Any = loaded(tmp_path).connectors["hubspot"]
    assert hubspot.token.get_secret_value() == SECRET
    assert hubspot.rate == 5
    # Only what was asked for stands in the file.
    assert set(yaml.safe_load(file.read_text())["connectors"]["hubspot"]) == {
        *("type", "token", "base_url", "allow_networks", "rate")
    }


def test_mistakes_stand_at_their_fields_in_the_loaders_words_and_nothing_is_saved(page: Admin, file: Path) -> None:
    given = {"s-rate": "-1", "s-match": "phone", "s-person": "city", "s-tags": "{{ nobody"}
    html = sent(page, "/setup/connectors/hubspot", "save", **given).text
    assert error_at(html, "person") == "write one a line, as NAME: VALUE"
    html = sent(page, "/setup/connectors/hubspot", "save", html, **{"s-person": "city: x"}).text
    assert "is missing" in error_at(html, "token")
    assert "must be above 0" in error_at(html, "rate")
    assert error_at(html, "tags").startswith("[0]: ")
    assert fields(html)["s-rate"] == "-1"
    assert '<details id="more" open>' in html
    html = sent(page, "/setup/connectors/hubspot", "save", html, **{"s-rate": "", "s-tags": "", "s-token": SECRET}).text
    assert "match must contain email" in plain(html)
    assert file.read_text() == FILE


def error_at(html: str, name: str) -> str:
    found = re.search(rf'id="s-{name}-error">(.*?)</p>', html, re.DOTALL)
    return plain(found[1]) if found else ""


@pytest.mark.parametrize(
    ("name", "says"),
    [("archive", "there is a connector of this name"), ("Bad Name", "a name has at most 63"), ("inbox", "is not")],
)
def test_a_name_that_cannot_be_used_is_refused(page: Admin, file: Path, name: str, says: str) -> None:
    answer = sent(page, "/setup/connectors/archive", "save", name=name)
    assert answer.status_code == 422
    assert says in plain(answer.text)
    assert file.read_text() == FILE


def test_a_second_one_of_a_type_gets_a_name_that_is_free(page: Admin) -> None:
    assert fields(page.get("/setup/connectors/archive").text)["name"] == "archive-2"


def test_only_some_chats_go_to_a_new_connector(page: Admin, tmp_path: Path) -> None:
    given = {"name": "missed", "s-folder": "missed", "chats": "some", "when": "conversation.is_missd"}
    html = sent(page, "/setup/connectors/archive", "check", **given).text
    assert "did you mean" in plain(html)
    assert given["when"] in html
    html = sent(page, "/setup/connectors/archive", "check", html, when="conversation.is_missed").text
    assert sent(page, "/setup/connectors/archive", "save", html).status_code == 303
    assert [(route.to, route.when) for route in loaded(tmp_path).routes] == [
        (["archive"], "true"),
        (["missed"], "conversation.is_missed"),
    ]


def test_just_what_was_seen_is_saved(page: Admin, file: Path) -> None:
    path = "/setup/connectors/archive"
    html = sent(page, path, "check", name="more", **{"s-folder": "more"}).text
    answer = sent(page, path, "save", html, **{"s-folder": "other"})
    assert answer.status_code == 409
    assert "Nothing was saved yet" in answer.text
    assert "folder: other" in answer.text
    file.write_text(FILE + "# by hand\n")
    again = sent(page, path, "save", answer.text)
    assert again.status_code == 409
    assert file.read_text() == FILE + "# by hand\n"
    assert sent(page, path, "save", again.text).status_code == 303
    assert "# by hand" in file.read_text()
    assert "folder: other" in file.read_text()


def test_a_file_that_cannot_be_written_gives_the_change_to_copy(page: Admin, file: Path) -> None:
    file.chmod(0o444)
    html = sent(page, "/setup/connectors/hubspot", "review", **{"s-token": SECRET}).text
    assert "is read-only. Copy the change above" in plain(html)
    assert "+ hubspot:" in plain(html)
    assert "relay secrets set" in html
    assert 'value="save"' not in html
    assert file.read_text() == FILE


def test_a_secret_that_was_typed_is_for_whoever_typed_it(page: Admin, file: Path) -> None:
    html = sent(page, "/setup/connectors/hubspot", "review", **{"s-token": SECRET}).text
    kept = fields(html)["kept"]
    assert kept
    other = Admin(page.app)
    other.log_in()
    for who, path in ((other, "/setup/connectors/hubspot"), (page, "/setup/connectors/webhook")):
        assert "Entered." not in sent(who, path, "review", kept=kept).text
    assert "Entered." in sent(page, "/setup/connectors/hubspot", "review", kept=kept).text
    assert "Entered." not in sent(page, "/setup/connectors/hubspot", "review", kept="x" + kept[1:]).text


# --- changing ------------------------------------------------------------------------

CRM = """\
  crm:
    type: hubspot
    token: ${secret:crm} # of Jane's app
    base_url: https://api.hubapi.com
    rate: 3.0
    subject: |
      {{ title }}
      {{ name }}
    tags: []
    enabled: yes
    match: [email, phone]
    person:
      city: "{{ visitor.city }}"
      note: |
        first
          second
    new_person: {lead: 'yes'}
    fields: {}
"""


@pytest.fixture
def crm(server: Server, tmp_path: Path) -> Admin:
    made = admin(server, tmp_path, config=FILE)
    page = sent(made, "/setup/connectors/hubspot", "review", name="crm", **{"s-token": SECRET}).text
    assert sent(made, "/setup/connectors/hubspot", "save", page).status_code == 303
    (tmp_path / "relay.yaml").write_text(FILE + CRM.replace("${secret:crm}", "${secret:crm-token}"))
    return made


def test_what_nobody_touches_stays_as_it_is_written(crm: Admin, file: Path) -> None:
    before = file.read_text()
    html = sent(crm, "/connectors/crm/settings", "review").text
    assert "relay.yaml stays as it is." in html
    assert "Set, by ${secret:crm-token}. Leave this empty to keep it." in html
    answer = sent(crm, "/connectors/crm/settings", "review", html, **{"s-rate": "4", "s-subject": ""})
    changed = [line for line in difference(answer.text).splitlines() if line[:1] in "+-"]
    assert changed[2:] == [
        "-    rate: 3.0",
        "-    subject: |",
        "-      {{ title }}",
        "-      {{ name }}",
        "+    rate: 4",
    ]
    assert sent(crm, "/connectors/crm/settings", "save", answer.text).location == "/connectors/crm"
    assert len(file.read_text().splitlines()) == len(before.splitlines()) - 3
    assert "# of Jane's app" in file.read_text()


def difference(html: str) -> str:
    found = re.search(r'aria-label="The change of relay.yaml"><code>(.*?)</code>', html, re.DOTALL)
    assert found, html
    return unescape(found[1])


def test_a_secret_is_replaced_and_the_file_stays(crm: Admin, file: Path, tmp_path: Path) -> None:
    before = file.read_text()
    html = sent(crm, "/connectors/crm/settings", "review", **{"s-token": "pat-new-0123456789"}).text
    assert "Kept as secrets, outside of the file: crm-token" in plain(html)
    assert sent(crm, "/connectors/crm/settings", "save", html).status_code == 303
    assert file.read_text() == before
    found: Any = loaded(tmp_path).connectors["crm"]
    assert found.token.get_secret_value() == "pat-new-0123456789"


def test_a_secret_that_stands_in_the_file_is_not_shown_and_can_be_taken_away(crm: Admin, file: Path) -> None:
    file.write_text(FILE + f"  desk: {{type: request-tracker, url: https://rt.example, queue: A, token: {SECRET}}}\n")
    html = crm.get("/connectors/desk/settings").text
    assert SECRET not in html
    assert "Set. Leave this empty to keep it." in html
    answer = sent(crm, "/connectors/desk/settings", "review", html, **{"gone-token": "1", "s-user": "relay"})
    assert SECRET not in answer.text
    # What is checked is the whole: one of the two ways to log in has to be there.
    assert answer.status_code == 422
    given = {"gone-token": "1", "s-user": "relay", "s-password": "word-of-relay"}
    answer = sent(crm, "/connectors/desk/settings", "review", html, **given)
    assert SECRET not in answer.text
    assert "**********" in difference(answer.text)
    assert sent(crm, "/connectors/desk/settings", "save", answer.text, **{"gone-token": "1"}).status_code == 303
    assert SECRET not in file.read_text()
    assert "${secret:desk-password}" in file.read_text()


def test_a_reference_may_be_typed_in_place_of_a_secret(crm: Admin, file: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"HUBSPOT_TOKEN={SECRET}\n")
    html = sent(crm, "/connectors/crm/settings", "review", **{"s-token": "${HUBSPOT_TOKEN}"}).text
    assert "+    token: '${HUBSPOT_TOKEN}' # of Jane's app" in difference(html)
    assert "Kept as secrets" not in html
    assert sent(crm, "/connectors/crm/settings", "save", html).status_code == 303
    assert "token: '${HUBSPOT_TOKEN}'" in file.read_text()


def test_only_what_is_in_the_file_can_be_changed(page: Admin, file: Path) -> None:
    for path in ("/connectors/nobody/settings", "/connectors/nobody/remove", "/setup/history/7"):
        assert page.get(path).status_code == 404
    file.write_text("connectors: [")
    for path in ("/connectors/archive/settings", "/setup/connectors/archive"):
        answer = page.get(path)
        assert answer.status_code == 422
        assert "relay.yaml has mistakes" in answer.text


# --- removing and undoing ------------------------------------------------------------


def test_a_connector_is_removed_and_undo_brings_it_back(crm: Admin, file: Path) -> None:
    before = file.read_text()
    html = crm.get("/connectors/crm/remove").text
    assert "-  crm:" in difference(html)
    assert file.read_text() == before
    assert sent(crm, "/connectors/crm/remove", "save", html).location == "/connectors"
    assert file.read_text() == FILE
    assert "crm" not in plain(crm.get("/connectors").text).replace("crm is not in relay.yaml", "")
    listed = crm.get("/setup/history").text
    assert "Remove crm" in listed
    assert "Add crm" in listed
    newest = re.findall(r'href="(/setup/history/\d+)"', listed)[0]
    html = crm.get(newest).text
    assert "+  crm:" in difference(html)
    assert sent(crm, newest, "save", html).location == "/setup/history"
    assert file.read_text() == before


def test_a_change_that_was_not_seen_is_not_made(crm: Admin, file: Path) -> None:
    before = file.read_text()
    answer = crm.submit("/connectors/crm/remove", do="save")
    assert answer.status_code == 409
    assert file.read_text() == before


# --- set-up --------------------------------------------------------------------------


def test_what_is_missing_at_the_destination_is_shown_and_then_made(server: Server, tmp_path: Path) -> None:
    with HubSpotVendor(SECRET, ready=False) as vendor:
        crm = {"type": "hubspot", "token": SECRET, "base_url": vendor.url, "allow_networks": [LOOPBACK]}
        page = admin(server, tmp_path, config=json.dumps({"connectors": {"crm": crm}}))
        assert "See what is missing" in page.get("/connectors/crm").text
        text = plain(page.submit("/connectors/crm/setup").text)
        assert "create the ticket property smartsupp_chat_id, with unique values" in text
        assert "smartsupp_chat_id" not in vendor.properties["tickets"]
        text = plain(page.submit("/connectors/crm/setup", make="1").text)
        assert "with unique values: done" in text
        assert "smartsupp_chat_id" in vendor.properties["tickets"]
        assert "Nothing is missing." in page.submit("/connectors/crm/setup").text
        vendor.token = "another"
        assert "The set-up did not succeed" in page.submit("/connectors/crm/setup").text


# --- hostile -------------------------------------------------------------------------


OF_YAML = (
    "&a [*a, *a]",
    "- " * 2_000,
    "{" * 5_000,
    "\0",
    "!!python/x y",
    "? [a]\n: b",
    "2020-01-01",
    ".nan",
    "!!binary aGk=",
)
#: What a mapping cannot be typed as, line by line, is typed as YAML.
ODD = "  crm: {type: hubspot, token: pat-of-the-file-0123, person: {'a: b': x}, enabled: false}\n"


@pytest.mark.parametrize("attack", [*hostile.ATTACKS, hostile.ALL, *OF_YAML])
def test_whatever_is_typed_is_text_and_breaks_nothing(page: Admin, file: Path, attack: str) -> None:
    typed = attack.encode("utf-8", "replace").decode()
    file.write_text(FILE + ODD)
    html = page.get("/setup/connectors/hubspot").text
    tables = ("s-person", "s-new_person", "s-marketing", "s-fields")
    names = [name for name in fields(html) if name.startswith("s-") and name not in tables]
    others = ("name", "when", "chats", "chat", "kept", "seen")
    answers = [
        sent(page, "/setup/connectors/hubspot", "check", html, **dict.fromkeys([*names, *others], typed)),
        sent(page, "/setup/connectors/hubspot", typed, html, **{"s-person": typed}),
        sent(page, "/setup/connectors/webhook", "save", **{"s-url": "https://example.com", "s-secret": typed}),
        sent(page, "/connectors/crm/settings", "save", **{"s-person": typed}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 409, 422)
        # In a value everything is escaped, and nothing stands outside of one.
        assert not re.search(r"<[^>]*\bdata-evil", re.sub(r'"[^"]*"', '""', answer.text))
        assert not re.search(r"<(img|iframe|base|style|script(?! src=\"/static/))\b", answer.text)
        assert hostile.COMPUTED not in answer.text
        assert "pat-of-the-file" not in answer.text
    assert file.read_text() == FILE + ODD


def test_a_form_from_elsewhere_changes_nothing(page: Admin, file: Path) -> None:
    html = sent(page, "/setup/connectors/archive", "review", name="more", **{"s-folder": "more"}).text
    given = {**fields(html), "do": "save", "csrf_token": "made up"}
    assert page.client.post("/setup/connectors/archive", data=given).status_code == 403
    stranger = Admin(page.app)
    assert stranger.client.post("/setup/connectors/archive", data=given).location.startswith("/login")
    assert file.read_text() == FILE
