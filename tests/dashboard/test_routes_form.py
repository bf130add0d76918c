"""Routes as a form: what it shows, what it does to relay.yaml, and what it would do to the last chats."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import yaml
from werkzeug.test import TestResponse

from core.store import Store, connect
from tests.support.admin import Admin, admin
from tests.support.made import conversation
from tests.support.server import Server
from tests.support.stack import chat

FILE = """\
# the shop
connectors:
  crm: {type: archive, folder: crm}
  desk: {type: archive, folder: desk}
routes:
  # what nobody answered
  - to: [desk]
    when: conversation.is_missed # at night
  - to: [crm]
    when: >-
      visitor.country_code == "CZ"
      and not conversation.is_missed
"""


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=FILE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.yaml"


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


def fields(html: str) -> dict[str, list[str]]:
    """What a browser would send of the form."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input\b([^>]*)>", html[html.index('id="routes"') :]):
        attributes = dict(re.findall(r'([\w-]+)(?:="([^"]*)")?', tag))
        if attributes.get("type") != "checkbox" or "checked" in attributes:
            found.setdefault(attributes["name"], []).append(unescape(attributes.get("value", "")))
    return found


def sent(page: Admin, do: str, html: str = "", **changes: list[str] | None) -> TestResponse:
    given = {**fields(html or page.get("/setup/routes").text), "do": [do]}
    given |= {name.replace("_", "-"): value for name, value in changes.items() if value is not None}
    for name in [name.replace("_", "-") for name, value in changes.items() if value is None]:
        given.pop(name, None)
    del given["csrf_token"]
    return page.submit("/setup/routes", **given)


def saved(page: Admin, **changes: list[str] | None) -> None:
    """Look at the difference, and save it."""
    seen = sent(page, "review", "", **changes)
    assert seen.status_code == 200, text_of(seen.text)
    assert "The change of relay.yaml" in seen.text
    answer = sent(page, "save", seen.text)
    assert (answer.status_code, answer.location) == (303, "/setup/routes"), text_of(answer.text)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_each_route_is_shown_as_the_file_has_it(page: Admin) -> None:
    found = fields(page.get("/setup/routes").text)
    assert found["when-0"] == ["conversation.is_missed"]
    assert found["to-0"] == ["desk"]
    assert found["when-1"] == ['visitor.country_code == "CZ" and not conversation.is_missed']
    assert (found["to-1"], found["when-new"], found.get("to-new")) == (["crm"], [""], None)
    assert found["rows"] == ["2"]


def test_what_is_not_changed_stays_as_it_is_written(page: Admin, file: Path) -> None:
    answer = sent(page, "review")
    assert "relay.yaml stays as it is" in answer.text
    assert file.read_text() == FILE


def test_a_change_is_shown_first_and_saved_with_all_comments_kept(page: Admin, file: Path) -> None:
    shown = sent(page, "review", to_0=["crm", "desk"])
    assert file.read_text() == FILE
    assert "+  - to: [crm, desk]" in unescape(shown.text)
    assert sent(page, "save", to_0=["crm", "desk"]).status_code == 409  # nobody has seen it
    assert file.read_text() == FILE
    saved(page, to_0=["crm", "desk"])
    assert file.read_text() == FILE.replace("to: [desk]", "to: [crm, desk]")


def test_a_route_is_added_and_removed_and_a_condition_goes(page: Admin, file: Path) -> None:
    saved(page, when_new=["conversation.is_offline"], to_new=["desk"])
    assert yaml.safe_load(file.read_text())["routes"][2] == {"when": "conversation.is_offline", "to": ["desk"]}
    saved(page, gone_0=["1"])
    assert [one["to"] for one in yaml.safe_load(file.read_text())["routes"]] == [["crm"], ["desk"]]
    assert "# the shop" in file.read_text()
    saved(page, when_1=[""])
    assert yaml.safe_load(file.read_text())["routes"][1] == {"when": "true", "to": ["desk"]}
    assert fields(page.get("/setup/routes").text)["when-1"] == [""]


def test_chats_are_left_out_on_purpose_only_when_that_is_ticked(page: Admin, file: Path) -> None:
    assert "relay.yaml stays as it is" in sent(page, "review").text
    saved(page, new_nowhere=["1"], when_new=["conversation.is_offline"])
    assert yaml.safe_load(file.read_text())["routes"][2] == {"when": "conversation.is_offline", "to": []}


def test_without_any_route_the_section_goes_and_the_first_one_makes_it(page: Admin, file: Path) -> None:
    saved(page, gone_0=["1"], gone_1=["1"])
    assert "routes" not in yaml.safe_load(file.read_text())
    html = page.get("/setup/routes").text
    assert "every chat goes to every connector" in text_of(html)
    saved(page, to_new=["crm"])
    assert yaml.safe_load(file.read_text())["routes"] == [{"to": ["crm"]}]


def test_a_route_that_is_to_go_keeps_what_was_typed_until_it_is_saved(page: Admin) -> None:
    shown = fields(sent(page, "review", gone_0=["1"]).text)
    assert (shown["gone-0"], shown["when-0"], shown["to-0"]) == (["1"], ["conversation.is_missed"], ["desk"])


def test_a_condition_that_is_wrong_is_said_with_its_place_and_stays_typed(page: Admin, file: Path) -> None:
    answer = sent(page, "review", when_0=["conversation.is_mist"])
    assert answer.status_code == 422
    assert "routes[0].when" in answer.text
    assert fields(answer.text)["when-0"] == ["conversation.is_mist"]
    assert file.read_text() == FILE


def test_routes_that_came_meanwhile_are_not_overwritten(page: Admin, file: Path) -> None:
    html = page.get("/setup/routes").text
    file.write_text(FILE + "  - to: [crm, desk]\n")
    answer = sent(page, "review", html, to_0=["crm"])
    assert answer.status_code == 422
    assert "has other routes by now" in answer.text


@pytest.mark.parametrize("section", ["routes: nonsense\n", "routes: [{when: 'true'}]\n", "routes: [1]\n"])
def test_a_section_that_is_no_list_of_routes_is_left_to_people(page: Admin, file: Path, section: str) -> None:
    file.write_text("connectors: {crm: {type: archive}}\n" + section)
    assert "correct it by hand" in page.get("/setup/routes").text


def test_it_is_tried_on_the_last_chats_before_it_is_saved(page: Admin, store: Store) -> None:
    czech = {"id": 1, "name": "Ann", "country_code": "CZ", "countryCode": "CZ"}
    for number in range(3):
        conversation(store, chat(channel={"id": number, "isMissed": True}))
    for number in range(3, 5):
        conversation(store, chat(number, visitor=czech))
    conversation(store, chat(5))
    said = text_of(sent(page, "review", when_new=["conversation.is_chat"], to_new=["crm"]).text)
    assert "On the last 6 chats" in said
    assert "conversation.is_missed → desk 3" in said
    assert "conversation.is_chat → crm 3" in said
    assert "desk 3 3" in said
    assert re.search(r"crm [02] 3 ", said)
    assert re.search(r"Not delivered anywhere [13] 0 ", said)


def test_hostile_text_is_text(page: Admin) -> None:
    answer = sent(page, "review", when_new=['"><script>alert(1)</script>'], to_new=["crm"])
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
