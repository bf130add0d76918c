"""`type: http`: what is wrong with it is said when the file is loaded, at its place and with what to type."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.http import recipe
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.errors import ConfigError
from tests.connectors.test_declared import DESK, SHOWN


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "relay.yaml"
    file.write_text(text)
    try:
        load(environment({"RELAY_CONFIG": str(file)}), settings_model, {"DESK_KEY": "key-0123456789"})
    except ConfigError as error:
        return [str(one) for one in error.problems]
    return []


def changed(place: str, value: Any) -> str:
    """The example with another value at a place; None: without it."""
    made = copy.deepcopy(DESK)
    at: Any = made
    *parents, last = place.split("/")
    for name in parents:
        at = at[name] if isinstance(at, dict) else at[int(name)]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return yaml.safe_dump({"connectors": {"desk": made}}, sort_keys=False, width=1000)


def test_the_page_is_right_and_a_mistake_in_it_is_said_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, SHOWN[0]) == []
    broken = SHOWN[0].replace('subject: "{{ subject[:120] }}"', 'subject: "{{ subjct[:120] }}"')
    line = broken.splitlines().index('            subject: "{{ subjct[:120] }}"') + 1
    assert problems(tmp_path, broken) == [
        f"line {line}: connectors.desk.steps.ticket.create.json.subject: 'subjct' is not known; did you mean 'subject'?"
    ]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = SHOWN[0].replace("steps.person.id", "steps.persn.id").replace("answer.name", "answr.name")
    text = text.replace('html: "{{ part.text }}"', 'html: "{{ part.txt }}"')
    said = [one.partition(": ")[2] for one in problems(tmp_path, text)]
    assert said == [
        "connectors.desk.steps.ticket.create.json.person: steps has no 'persn'; did you mean 'person'?",
        "connectors.desk.steps.note.create.json.html: part has no 'txt'; did you mean 'text'?",
        "connectors.desk.check[0].says: 'answr' is not known; did you mean 'answer'?",
    ]


@pytest.mark.parametrize(
    ("place", "value", "where", "said"),
    [
        ("base_url", "desk.example.com", "base_url", "whole address"),
        ("base_url", "https://ann:pw@desk.example.com", "base_url", "auth: basic"),
        ("base_url", "https://{{ visitor.name }}.example.com", "base_url", "the same for every chat"),
        ("base_url", "https://x/{{ secrets.hook }}", "base_url", "has no 'hook'"),
        ("auth", {"bearer": "x", "basic": {"user": "a", "password": "b"}}, "auth", "needs one of"),
        ("auth", {"bearer": ""}, "auth.bearer", "is empty"),
        ("headers", {"X-Api-Key": "abc"}, "headers.X-Api-Key", "write it under auth"),
        ("headers", {"X-Kind": "{{ kind }}"}, "headers.X-Kind", "the same for every chat"),
        ("steps/person/find/query", {"access_token": "abc"}, "steps.person.find.query.access_token", "under secrets"),
        ("owner", "ann@shop.example", "owner", "needs owners"),
        ("owner_fallback", "chat_agent", "owner_fallback", "needs owners"),
        ("task", {"due": "4h"}, "task", "no step is for it"),
        ("owners", {"kind": "an agent", "request": "GET /agents"}, "owners", "no step gives anything to anybody"),
        ("owners", {"kind": "an agent", "request": "PUT /agents"}, "owners", "reads only"),
        ("owners", {"kind": "an agent", "request": "GET /a", "email": "[0"}, "owners.email", "JMESPath"),
        ("steps/note/assigns", True, "steps.note", "names {{ owner }}"),
        ("steps/person/create/json", {"x": "{{ owner }}"}, "steps.person.create.json.x", "'owner' is not known"),
        ("steps/person/create/json", {"x": "{{ task.date }}"}, "steps.person.create.json.x", "has no 'date'"),
        ("steps/person/find", None, "steps.person", "outcome unknown"),
        ("steps/person/find/lags", 60, "steps.person", "nobody knows how long to wait"),
        ("steps/ticket/find/lags", -1, "steps.ticket.find.lags", "at least 0"),
        ("steps/person/find/entries", None, "steps.person", "add entries"),
        ("steps/note/find/entries", None, "steps.note.find", "add entries"),
        ("steps/person/find/request", "DELETE /people", "steps.person.find", "looks only"),
        ("steps/person/find/request", "people", "steps.person.find.request", "right form"),
        ("steps/person/find/request", "GET people", "steps.person.find.request", "right form"),
        ("steps/person/find/take", {"id": "[0"}, "steps.person.find.take.id", "JMESPath"),
        ("steps/person/find/take", {"number": "id"}, "steps.person", "the same names"),
        ("steps/person/when", "persn", "steps.person.when", "did you mean 'person'"),
        ("steps/person/when", "{{ person }}", "steps.person.when", "without {{ }}"),
        ("steps/person/create/form", {"a": "b"}, "steps.person.create", "has json and form"),
        ("steps/person/create/json", {"email": "{{ person.mail }}"}, "steps.person.create.json.email", "has no 'mail'"),
        ("steps/person/create/json", {"x": ["{{ nope }}"]}, "steps.person.create.json.x[0]", "not known"),
        ("steps/person/create/json", {"id": "{{ steps.ticket.id }}"}, "steps.person.create.json.id", "has no 'ticket'"),
        ("steps/person/create/jsn", {}, "steps.person.create.jsn", "unknown setting"),
        ("steps/person/repeatable", "again", "steps.person", "remove it"),
        ("steps/person/on_revision", "overwrite", "steps.person", "needs update"),
        ("steps/ticket/on_revision", "nothing", "steps.ticket", "never sent"),
        ("steps/ticket/update/take", {"id": "id"}, "steps.ticket", "nothing is taken"),
        ("steps/ticket/find/marked", "text", "steps.ticket.find.marked", "each: part"),
        ("steps/ticket/find/empty", "total == `0`", "steps.ticket.find", "one page"),
        ("steps/ticket/find/take_header", {"id": "Location"}, "steps.ticket.find", "to a create"),
        ("steps/ticket/create/take_header", {"id": "Location"}, "steps.ticket.create", "remove one of them"),
        ("steps/ticket/create/take_header", {"place": "Location"}, "steps.ticket", "the same names"),
        ("steps/ticket/update/take_header", {"id": "Location"}, "steps.ticket", "nothing is taken"),
        ("steps/ticket/find/where", {"key": "{{ ky }}"}, "steps.ticket.find.where.key", "did you mean 'key'"),
        ("steps/ticket/find/pages", {"by": "cursor"}, "steps.ticket.find.pages", "needs at"),
        ("steps/ticket/find/pages", {"by": "pages"}, "steps.ticket.find.pages.by", "did you mean 'page'"),
        ("steps/ticket/create/cases/0/means", "gone!", "steps.ticket.create.cases[0].means", "gone"),
        ("steps/ticket/create/cases/0/steps", ["note"], "steps.ticket.create.cases[0].steps", "no step 'note'"),
        ("steps/ticket/create/cases/0/steps", None, "steps.ticket.create.cases[0]", "gone needs steps"),
        ("steps/note/first_in", "nobody", "steps.note.first_in", "an earlier step"),
        ("steps/ticket/first_in", "person", "steps.ticket", "each: part"),
        ("transcript/format", "rtf", "transcript.format", "must be one of"),
        ("transcript/mark", "{key}", "transcript.mark", "needs {revision}"),
        ("transcript/mark", "{key.x} {revision} {part}", "transcript.mark", "no other braces"),
        ("transcript/longest", 5, "transcript.longest", "at least 2000"),
        ("verdicts", {"statuses": {422: "retry"}}, "verdicts.statuses.422", "wait, refuse, pause"),
        ("verdicts", {"waits": [{"unit": "epoch"}]}, "verdicts.waits[0]", "one of header, path and always"),
        ("reference", {"id": "{{ steps.tickt.id }}"}, "reference.id", "did you mean 'ticket'"),
        ("reference", {"id": "x", "url": "https://x/{{ secrets.a }}"}, "reference.url", "has no 'a'"),
        ("check/0/says", "{{ visitor.name }}", "check[0].says", "the same for every chat"),
        ("choices", [{"settings": ["fields"], "request": "PUT /fields"}], "choices[0]", "changes something"),
        ("choices", [{"settings": ["field"], "request": "GET /fields"}], "choices[0].settings", "no setting 'field'"),
        ("choices", [{"settings": [], "request": "GET /fields"}], "choices[0].settings", "at least one"),
        ("choices", [{"settings": ["fields"], "request": "GET /a", "value": "[0"}], "choices[0].value", "JMESPath"),
        (
            "choices",
            [{"settings": ["fields"], "request": "GET /a", "take": {"a": "b"}}],
            "choices[0]",
            "value and label",
        ),
        (
            "choices",
            [{"settings": ["fields"], "request": "GET /a", "entries": "keys(@)", "pages": {"by": "page"}}],
            "choices[0]",
            "plain path",
        ),
        (
            "choices",
            [{"settings": ["fields"], "request": "GET /{{ person.email }}"}],
            "choices[0].request",
            "not known",
        ),
        ("steps", {}, "steps", "name at least one"),
    ],
)
def test_a_mistake_is_said_at_its_place(tmp_path: Path, place: str, value: Any, where: str, said: str) -> None:
    found = problems(tmp_path, changed(place, value))
    assert len(found) >= 1
    assert any(f"connectors.desk.{where}: " in one and said.lower() in one.lower() for one in found), found


def test_what_nobody_extracts_is_said_too(tmp_path: Path) -> None:
    text = changed("steps/ticket/create/json", {"order": "{{ extracted.ordr }}"}) + "extract: {order: 'A-[0-9]+'}\n"
    [said] = problems(tmp_path, text)
    assert "steps.ticket.create.json.order: nothing is extracted as 'ordr'. Did you mean 'order'?" in said
    assert problems(tmp_path, text.replace("ordr", "order")) == []


def test_a_second_step_for_the_parts_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, changed("steps/comment", DESK["steps"]["note"]))
    assert any("steps.comment.each: 'note' has the parts already" in one for one in found), found


def test_a_recipe_with_mistakes_says_all_of_them_with_their_lines() -> None:
    text = (recipe.RECIPES / "zammad.yaml").read_text()
    text = text.replace('  group: "{{ settings.group }}"', '  group: "{{ settings.groupp }}"')
    text = text.replace("  concurrency: 4", "  concurrencyy: 4")
    with pytest.raises(ConfigError) as raised:
        recipe.recipe_of("zammad", text, "zammad.yaml")
    assert [problem.path for problem in raised.value.problems] == ["defaults.concurrencyy"]
    with pytest.raises(ConfigError) as raised:
        recipe.recipe_of("zammad", text.replace("concurrencyy", "concurrency"), "zammad.yaml")
    [problem] = raised.value.problems
    assert (problem.path, problem.text) == (
        "steps.ticket.create.json.group",
        "settings has no 'groupp'; did you mean 'group'?",
    )
    assert text.splitlines()[problem.line - 1].strip() == 'group: "{{ settings.groupp }}"'


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("token: { secret", "timeout: { secret", "settings.timeout", "every connector"),
        ("url: { type: url", "url: { type: adress_", "settings.url.type", "url"),
        ("url: { type: url", "url: { type: url, default: desk.example.com", "settings.url", "a whole address"),
        ("concurrency: 4", "concurrency: many", "defaults.concurrency", "a whole number"),
        ("settings: [group]", "settings: [token]", "choices[0].settings", "is a secret"),
        ("settings: [group]", "settings: [groups]", "choices[0].settings", "there is no setting 'groups'"),
        ("label: Zammad", "labell: Zammad", "labell", "Did you mean 'label'"),
    ],
)
def test_a_recipes_head_is_checked_too(old: str, new: str, path: str, said: str) -> None:
    text = (recipe.RECIPES / "zammad.yaml").read_text().replace(old, new)
    with pytest.raises(ConfigError) as raised:
        recipe.recipe_of("zammad", text, "zammad.yaml")
    assert any(one.path == path and said in one.text for one in raised.value.problems), raised.value


FOUND = {"request": "GET /notes", "entries": "@", "marked": "html"}
MADE = {"request": "POST /notes", "json": {"html": "{{ part.text }}", "files": {"each_file": "{{ file.content }}"}}}
SENT = {"request": "POST /uploads", "raw": "{{ file.content }}", "take": {"token": "token"}}


@pytest.mark.parametrize(
    ("written", "where", "said"),
    [
        ({"find": FOUND, "create": MADE, "upload": SENT}, "", ""),
        ({"create": MADE}, "attachments.find", "missing"),
        ({"find": {**FOUND, "marked": None}, "create": MADE}, "attachments", "by the texts a repeat is known"),
        ({"find": FOUND, "create": {**MADE, "json": {"html": "x"}}}, "attachments", "write each_file"),
        ({"find": FOUND, "create": MADE, "upload": {**SENT, "raw": None}}, "attachments", "upload sends no file"),
        ({"find": FOUND, "create": MADE, "largest": 51}, "attachments.largest", "at most 50"),
        (
            {"find": FOUND, "create": {**MADE, "json": {"files": {"each_file": "{{ file.contents }}"}}}},
            "attachments.create.json.files.each_file",
            "did you mean 'content'",
        ),
        (
            {"find": FOUND, "create": {**MADE, "json": {"files": {"each_file": "a {{ file.content }}"}}}},
            "attachments.create.json.files.each_file",
            "write {{ file.content }} alone",
        ),
        (
            {"find": FOUND, "create": MADE, "upload": {**SENT, "headers": {"X-File": "{{ file.content }}"}}},
            "attachments.upload.headers",
            "write {{ file.content }} alone",
        ),
        (
            {"find": FOUND, "create": MADE, "upload": {**SENT, "request": "POST /uploads/{{ file.content }}"}},
            "attachments.upload.request",
            "write {{ file.content }} alone",
        ),
        (
            {"find": FOUND, "create": {**MADE, "request": "POST /notes/{{ file.mark }}"}},
            "attachments.create.request",
            "'file'",
        ),
        (
            {"find": {**FOUND, "request": "GET /x/{{ steps.tickt.id }}"}, "create": MADE},
            "attachments.find.request",
            "did you mean 'ticket'",
        ),
    ],
)
def test_what_is_wrong_about_attachments_is_said_at_its_place(
    tmp_path: Path, written: dict[str, Any], where: str, said: str
) -> None:
    found = problems(tmp_path, changed("attachments", written))
    assert bool(found) is bool(said), found
    assert not said or any(f"desk.{where}" in one and said in one for one in found), found
