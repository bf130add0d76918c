"""Pages in the reader's language: which one, that nothing is left out, and what the catalogues are like."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import nodes

from app.admin.checks import remedy
from app.admin.setting_up.fields import fields
from app.dashboard.language import catalogues
from app.dashboard.language.choice import PAGE_LANGUAGES
from app.dashboard.language.spelling import number
from app.dashboard.language.translation import for_reader
from app.dashboard.view import formatting
from app.dashboard.view.setting_form import FIELD_PREFIX, label
from connectors import registry
from core.errors import DeliveryError, Intercepted, RecordRefused, RetryLater
from core.store import check_server
from core.store.connection.server import halves
from core.wording.sentence import constant, say, say_all, say_n
from tests.browser import test_overflow as overflow
from tests.support.admin import Admin, web_app
from tests.support.extraction import extracted
from tests.support.server import Server

#: Read aloud or shown, beside the text of an element.
_SAID = ("aria-label", "title", "placeholder", "alt", "data-label")
#: What these hold is somebody's data, code, or a time that a script writes.
_DATA = ("bdi", "code", "pre", "kbd", "time", "textarea", "style", "script", "path")
_VOID = ("br", "hr", "img", "input", "link", "meta", "path", "rect", "circle", "line", "progress")


class Pseudo(NullTranslations):
    """A language in which what was translated stands between « and », and a value that was put in does not."""

    def gettext(self, message: str) -> str:
        return _marked(message) if message in _known() else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        message = msgid1 if n == 1 else msgid2
        return _marked(message) if msgid1 in _known() else message


@cache
def _known() -> frozenset[str]:
    """What the catalogues have."""
    return frozenset(one.id if isinstance(one.id, str) else one.id[0] for one in extracted() if one.id)


def _marked(message: str) -> str:
    return "«" + re.sub(r"%\(\w+\)s", r"»\g<0>«", message) + "»"


class _Page(HTMLParser):
    """The text of a page, an element a line, and what its attributes say; without data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[str] = []
        self._within: list[bool] = []
        self._value = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [given[name] for name in _SAID if name in given]
        if "data-words" in given:
            self.attributes += json.loads(given["data-words"]).values()
        if tag not in _VOID:
            data = tag in _DATA or "dir" in given or bool({"mono", "preserve"} & {*given.get("class", "").split()})
            # A setting's name, and a value of relay.yaml.
            data = data or given.get("for", "").startswith(FIELD_PREFIX)
            self._value = given.get("value", "") if tag == "option" else ""
            self._within.append(data or any(self._within[-1:]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._within[-1:]) and data != self._value:
            self.text.append(data)


def _names() -> Iterator[str]:
    """What is called the same in every language: connectors, their types and settings, and what the pages are filled
    with."""
    yield from (*overflow.NAMES, overflow.GONE, overflow.ACCOUNT)
    for kind, connector in registry.types().items():
        yield from (connector.label, kind, *map(label, connector.settings_model.model_fields))
        for one in fields(connector.settings_model):
            yield from (*one.choices, *one.default.splitlines())
    yield from PAGE_LANGUAGES.values()
    yield from (
        "Relay for Smartsupp",
        "Relay",
        "relay.yaml",
        "valkey",
        "UTC",
        "POST",
        "JSON",
        "hostile",
        "nowhere",
        "long",
        "here",
    )


#: Times and days of a chart; errors, names and requests that are cut off; what templates can name, and headers of a
#: request.
_CUT = re.compile(
    r"\d+ [A-Z][a-z]{2}\b( \d\d:\d\d)?|HTTP 400 .*|Zahlungsv\w*|<script.*|1\. POST .*|/tmp/.*|"
    r"(Content-Type|kindchat).*"
)


def untranslated(text: str) -> str:
    """What of a text is in no «»."""
    before = ""
    while before != text:
        before, text = text, re.sub(r"«[^«»]*»", "", text)
    return text


@dataclass(frozen=True)
class Filled:
    admin: Admin
    ids: dict[str, str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("language")
    server = Server(folder / "valkey").start()
    ids = overflow.fill(server)
    admin = Admin(web_app(server, folder, config=overflow.config()))
    admin.log_in()
    yield Filled(admin, ids)
    server.stop()


@pytest.mark.parametrize("name", overflow.PAGES)
def test_nothing_on_a_page_is_left_untranslated(name: str, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogues, "catalogue", lambda _language: catalogues.Catalogue(Pseudo()))
    page = _Page(filled.admin.get(overflow.PAGES[name].format(**filled.ids)).text)
    left = untranslated("".join(page.text)).split("\n") + [untranslated(one) for one in page.attributes]
    names = re.compile("|".join(map(re.escape, sorted({*_names(), *filled.ids.values()}, key=len, reverse=True))))
    words = {one.strip()[:200] for one in left if re.search(r"[^\W\d_]{2}", names.sub("", _CUT.sub("", one)))}
    assert not words


def test_the_pages_shown_live_and_what_waits_in_a_cookie_are_translated_too(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "catalogue", lambda _language: catalogues.Catalogue(Pseudo()))
    part = filled.admin.get("/overview/live", headers={"X-Relay-Live": "1"}).text
    assert "«Needs attention»" in part
    missing = filled.admin.get("/connectors/nobody", headers={"X-Relay-Live": "1"})
    assert (missing.status_code, missing.text) == (404, "«Page not found»")
    filled.admin.submit("/setup/test-chat")
    assert "«A test chat was sent. It appears below in a moment.»" in filled.admin.get("/erase").text


#: What an admin types at a server or reads in its answer, in every language alike.
_TYPED = re.compile(r"CONFIG SET [-a-z]+ [a-z]+|allkeys-lru|everysec|6\.2\.1")
_WHOLE = {"aof_enabled": 1, "maxmemory_policy": "noeviction", "redis_version": "7.2.4"}


class Told:
    """A server that tells this of itself."""

    def __init__(self, fsync: str | None, **info: Any) -> None:
        self._info, self._fsync = {**_WHOLE, **info}, fsync

    def info(self) -> dict[str, Any]:
        return self._info

    def config_get(self, *_names: str) -> dict[str, str]:
        return {} if self._fsync is None else {"appendfsync": self._fsync}


@pytest.mark.parametrize(
    ("fsync", "info"),
    [
        ("always", {"aof_enabled": 0}),
        ("always", {"aof_last_write_status": "err"}),
        ("always", {"maxmemory_policy": "allkeys-lru"}),
        ("always", {"role": "slave"}),
        ("always", {"cluster_enabled": 1}),
        ("always", {"redis_version": "6.2.1"}),
        (None, {}),
        ("everysec", {}),
    ],
)
def test_what_is_wrong_with_a_store_is_translated(
    fsync: str | None, info: dict[str, Any], filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "catalogue", lambda _language: catalogues.Catalogue(Pseudo()))
    told: Any = Told(fsync, **info)
    found = check_server(told)
    with filled.admin.app.test_request_context():
        texts = [*(half for one in found.wrong for half in halves(one)), *found.doubts]
        shown = [for_reader(one) for one in texts if one]
    assert shown
    assert [one for one in shown if re.search(r"[^\W\d_]{2}", _TYPED.sub("", untranslated(one)))] == []


def test_what_to_do_about_an_error_that_a_check_found_is_translated(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "catalogue", lambda _language: catalogues.Catalogue(Pseudo()))
    errors: list[DeliveryError] = [RecordRefused("it refused", status=status) for status in (None, *range(400, 600))]
    errors += [RetryLater("it is away"), RetryLater("it is away", status=500), Intercepted("a firewall", status=200)]
    with filled.admin.app.test_request_context():
        shown = {for_reader(remedy(one)) for one in errors}
    assert len(shown) > 10
    assert [one for one in shown if untranslated(one) or not one.startswith("«")] == []


# --- which language -----------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("cs-CZ,sk;q=0.9", "cs"),
        ("fi,hu;q=0.5,en;q=0.4", "hu"),
        ("ja,zh;q=0.9", "en"),
        ("*", "en"),
        ("de;q=0,fr", "fr"),
        ("x" * 5000, "en"),
    ],
)
def test_the_browser_says_which_language(asked: str, language: str, filled: Filled) -> None:
    page = filled.admin.app.test_client().get("/login", headers={"Accept-Language": asked})
    assert f'<html lang="{language}"' in page.text
    assert "Accept-Language" in page.headers["Vary"]


def test_a_choice_is_kept_in_this_browser_and_comes_before_what_the_browser_says(filled: Filled) -> None:
    german = {"Accept-Language": "de"}
    answer = filled.admin.submit("/language", language="pl", back="/quarantine?status=discarded")
    assert (answer.status_code, answer.location) == (303, "/quarantine?status=discarded")
    page = filled.admin.get("/quarantine", headers=german).text
    assert '<html lang="pl"' in page
    assert '<option value="pl" lang="pl" selected>Polski' in page
    filled.admin.submit("/language", language="en")
    assert '<html lang="en"' in filled.admin.get("/quarantine", headers=german).text
    filled.admin.client.delete_cookie("relay-language")
    assert '<html lang="de"' in filled.admin.get("/quarantine", headers=german).text


@pytest.mark.parametrize("wanted", ["xx", "", "../de", "EN"])
def test_a_language_that_there_is_not_changes_nothing(wanted: str, filled: Filled) -> None:
    answer = filled.admin.submit("/language", language=wanted, back="https://elsewhere.example/")
    assert "Set-Cookie" not in answer.headers or "relay-language" not in answer.headers["Set-Cookie"]
    assert answer.location == "/"
    filled.admin.client.set_cookie("relay-language", wanted)
    assert '<html lang="en"' in filled.admin.get("/erase").text
    filled.admin.client.delete_cookie("relay-language")


def test_numbers_and_times_are_written_as_the_language_has_them(filled: Filled) -> None:
    with filled.admin.app.test_request_context(headers={"Accept-Language": "de"}):
        assert number(1234567) == "1.234.567"
        assert number(2.5) == "2,5"
        assert formatting.span(5_400_000).replace("\u00a0", " ") == "1,5 h"
        assert formatting.moment(0) == "01.01.1970, 00:00:00 UTC"
    with filled.admin.app.test_request_context():
        assert number(1234567) == "1\u202f234\u202f567"
        assert formatting.moment(0) == "1970-01-01 00:00:00 UTC"
        assert (number(2), number(2.0)) == ("2", "2.0")


# --- sentences ------------------------------------------------------------------


def test_a_sentence_is_its_english_text_wherever_nobody_translates_it() -> None:
    text = say_n("%(count)s chat of %(name)s", "%(count)s chats of %(name)s", 1200, name=say("a %(kind)s", kind="shop"))
    assert text == "1,200 chats of a shop"
    assert json.dumps({"text": text}) == '{"text": "1,200 chats of a shop"}'
    assert say_all(text, "", say("100 %%")) == "1,200 chats of a shop 100 %"
    assert constant("100 % of it") == "100 % of it"
    assert copy.deepcopy(text) == text


def test_a_sentence_within_a_sentence_is_translated_and_a_value_is_not(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "catalogue", lambda _language: catalogues.Catalogue(Pseudo()))
    text = say("%(name)s: %(state)s", name="crm", state=say("not responding"))
    with filled.admin.app.test_request_context():
        assert for_reader(text) == "«»crm«: »«not responding»«»"
        assert for_reader(say_all(text, "as it is", between=", ")) == "«»crm«: »«not responding»«», as it is"
        assert for_reader("not responding") == "not responding"


def test_a_value_in_a_sentence_is_text_and_no_markup(filled: Filled) -> None:
    with filled.admin.app.test_request_context():
        html = filled.admin.app.jinja_env.from_string(
            '{{ _("Queued for %(name)s", name=name) }} {{ said }}{% trans name=name %}<b>{{ name }}</b>{% endtrans %}'
        ).render(name="<i>&", said=say("%(name)s is saved.", name="<i>"))
    assert html == "Queued for &lt;i&gt;&amp; &lt;i&gt; is saved.<b>&lt;i&gt;&amp;</b>"


def test_templates_translate_constants_alone(filled: Filled) -> None:
    """A translated text is markup: whatever a variable holds would be, too."""
    environment = filled.admin.app.jinja_env
    for name in environment.list_templates(extensions=["html"]):
        assert environment.loader
        tree = environment.parse(environment.loader.get_source(environment, name)[0])
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext"):
                texts = call.args[: 2 if call.node.name == "ngettext" else 1]
                assert all(isinstance(one, nodes.Const) for one in texts), f"{name}:{call.lineno}"


# --- catalogues -----------------------------------------------------------------

LOCALE = Path(catalogues.__file__).parents[1] / "locale"
OTHERS = [code for code in PAGE_LANGUAGES if code != "en"]
#: What a text may hold that a translation has to hold as well: values, code and markup.
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%|<[^>]*>")


def read(code: str) -> Catalog:
    with (LOCALE / code / "LC_MESSAGES" / "dashboard.po").open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def forms(texts: object) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts) if isinstance(texts, (tuple, list)) else ()


def test_every_language_that_can_be_chosen_has_a_catalogue_and_no_other() -> None:
    assert {one.name for one in LOCALE.iterdir()} == {*OTHERS}


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_has_every_sentence_and_no_other(code: str) -> None:
    there = {forms(one.id) for one in read(code) if one.id}
    wanted = {forms(one.id) for one in extracted() if one.id}
    assert there == wanted, "run: make translations"


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_is_complete_and_names_the_same_values(code: str) -> None:
    catalogue = read(code)
    faults = []
    for one in catalogue:
        if not one.id:
            continue
        english, said = forms(one.id), forms(one.string)
        number_of_forms = catalogue.num_plurals if len(english) > 1 else 1
        if len(said) != number_of_forms or not all(text.strip() for text in said):
            faults.append(f"not translated: {english[0]}")
            continue
        if one.fuzzy:
            faults.append(f"fuzzy: {english[0]}")
        # "One chat" may leave the number out; no form may have what neither English form has.
        most, least = Counter(_PLACEHOLDER.findall(english[-1])), Counter(_PLACEHOLDER.findall(english[0]))
        for text in said:
            found = Counter(_PLACEHOLDER.findall(text))
            if (len(english) == 1 and found != most) or {*found} - {*most} - {*least} or {*least} - {*found} - _MAY_GO:
                faults.append(f"other values or markup: {english[0]} → {text}")
            if text != text.strip() and english[0] == english[0].strip():
                faults.append(f"a space at an end: {text!r}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:40])


#: What the form for one may leave out.
_MAY_GO = {"%(num)s", "%(count)s"}
