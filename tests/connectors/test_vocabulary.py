"""Our words around a transcript: whole in every language, right for whoever they are about, and read only when used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from connectors.kit import vocabulary
from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.transcript import Voice, as_html, as_text
from connectors.kit.vocabulary import ENGLISH, Language
from connectors.testing.chats import SAMPLE
from core.conversation import Conversation, Message, Variable, Visitor
from core.smartsupp.parser import parse_conversation

LANGUAGES: tuple[Language, ...] = get_args(Language)
TRANSLATED = [language for language in LANGUAGES if language != "en"]
FOLDER = Path(vocabulary.__file__).parent / "locale"
CHAT = parse_conversation(json.dumps(SAMPLE).encode())

#: Words that a language spells as English does; any other is a word that nobody has translated.
SAME: dict[str, set[str]] = {
    "cs": {"chat"},
    "sk": {"chat"},
    "de": {"chat", "browser"},
    "fr": {"chat", "conversation", "note", "page"},
    "es": {"chat", "normal"},
    "it": {"chat", "account", "browser"},
    "nl": {"chat", "account", "browser"},
    "ro": {"chat", "browser"},
}


def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "transcript.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def words(language: str) -> list[Entry]:
    """Without the head of the catalogue, whose id is empty."""
    return [one for one in catalogue(language) if one.id]


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def spaced(text: str) -> str:
    """With one kind of space: Czech and Slovak dates have others."""
    return re.sub("[\xa0\u202f]", " ", text)


def test_there_is_a_catalogue_for_every_language_and_no_other() -> None:
    assert sorted(path.parts[-3] for path in FOLDER.glob("*/LC_MESSAGES/transcript.po")) == sorted(TRANSLATED)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(TRANSLATED)


def test_the_schema_of_the_configuration_offers_every_language() -> None:
    assert RecordSettings.model_json_schema()["properties"]["language"]["enum"] == list(LANGUAGES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_what_the_code_marks_with_its_comments_and_in_its_order(language: str) -> None:
    marked = extract_from_file(
        "python", vocabulary.__file__, keywords={"gettext_noop": None}, comment_tags=["Translators:"]
    )
    wanted = [(text, " ".join(comments)) for _, text, comments, _ in marked]
    assert [text for text, _ in wanted] == list(ENGLISH.values())
    assert [(one.id, " ".join(one.auto_comments)) for one in words(language)] == wanted, "run: make translations"
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_word_is_translated_and_names_the_same_values(language: str) -> None:
    by_text = {text: word for word, text in ENGLISH.items()}
    assert len(by_text) == len(ENGLISH)
    for one in words(language):
        word, text = by_text[str(one.id)], str(one.string)
        assert text, word
        assert text == text.rstrip(), word
        assert not one.fuzzy, word
        assert placeholders(text) == placeholders(str(one.id)), word
        assert not list(one.check()), word
        assert word == "colon" or (text == one.id) == (word in SAME.get(language, ())), (word, text)


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_says_whose_it_is(language: str) -> None:
    head = dict(catalogue(language).mime_headers)
    assert head["Language"] == language
    assert head["Language-Team"] == Locale(language).get_display_name("en")
    assert head["Plural-Forms"] == Catalog(locale=language).plural_forms
    text = (FOLDER / language / "LC_MESSAGES" / "transcript.po").read_text("utf-8")
    assert not [left for left in ("PROJECT", "FULL NAME", "EMAIL", "YEAR", "ORGANIZATION", "LL@") if left in text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_labels_of_a_transcript_are_the_same(language: Language) -> None:
    voice = Voice(language)
    labels = ("conversation", "began", "ended", "visitor", "note", "group", "place", "address", "browser")
    said = [voice.say(word) for word in (*labels, "referer", "rating", "page")]
    assert len(set(said)) == len(said)
    assert len({voice.say(word) for word in ("chat", "missed", "offline")}) == 3
    assert len({voice.say(word) for word in ("good", "normal", "bad")}) == 3


@pytest.mark.parametrize("language", ["pl", "hu", "fr", "es", "it", "nl", "ro"])
@pytest.mark.parametrize("word", ["agent.join", "close.visitorClose"])
def test_what_somebody_did_fits_whoever_did_it(language: Language, word: str) -> None:
    said = Voice(language).say(word, name="Support")
    assert said.startswith("Support ")
    assert "(" not in said
    assert "/" not in said


def test_romanian_has_its_own_letters_and_not_the_turkish_ones() -> None:
    assert not {letter for one in words("ro") for letter in str(one.string)} & set("şŞţŢ")


@pytest.mark.parametrize(
    ("language", "subject", "line", "began", "label"),
    [
        ("en", "Missed chat: a visitor", "John Doe joined", "2015-03-27 16:33:59 CET", "Place|:"),
        ("cs", "Zmeškaný chat: návštěvník", "John Doe se připojil(a)", "27. 3. 2015 16:33:59 CET", "Místo|:"),
        ("sk", "Zmeškaný chat: návštevník", "John Doe sa pripojil(a)", "27. 3. 2015, 16:33:59 CET", "Miesto|:"),
        ("de", "Verpasster Chat: Besucher", "John Doe ist beigetreten", "27.03.2015, 16:33:59 CET", "Ort|:"),
        (
            "pl",
            "Nieodebrany czat: odwiedzający",
            "John Doe dołącza do czatu",
            "27 mar 2015, 16:33:59 CET",
            "Lokalizacja|:",
        ),
        ("hu", "Nem fogadott csevegés: látogató", "John Doe csatlakozott", "2015. márc. 27. 16:33:59 CET", "Hely|:"),
        (
            "fr",
            "Chat manqué: visiteur",
            "John Doe a rejoint le chat",
            "27 mars 2015, 16:33:59 CET",
            "Localisation|\xa0:",
        ),
        ("es", "Chat perdido: visitante", "John Doe se ha unido al chat", "27 mar 2015, 16:33:59 CET", "Ubicación|:"),
        ("it", "Chat persa: visitatore", "John Doe entra nella chat", "27 mar 2015, 16:33:59 CET", "Località|:"),
        ("nl", "Gemiste chat: bezoeker", "John Doe neemt deel aan de chat", "27 mrt 2015, 16:33:59 CET", "Locatie|:"),
        ("ro", "Chat ratat: vizitator", "John Doe s-a alăturat chatului", "27 mar. 2015, 16:33:59 CET", "Locație|:"),
    ],
)
def test_it_speaks_the_shops_language(language: Language, subject: str, line: str, began: str, label: str) -> None:
    nameless = CHAT.visitor.model_copy(update={"name": "", "email": ""})
    missed = CHAT.model_copy(update={"is_missed": True, "visitor": nameless})
    made = Mapping(RecordSettings(type="x", language=language, time_zone="Europe/Prague"), missed)
    assert made.subject(255) == subject
    (text,) = made.texts(65_536)
    (markup,) = made.bodies(65_536)
    word, colon = label.split("|")
    assert f"{word}{colon} Czech Republic, Brno, CZ\n" in text
    assert f"<b>{word}</b>{colon} Czech Republic, Brno, CZ<br>" in markup
    assert f"[16:34:06] — {line}\n" in text
    assert f"<p>16:34:06 — {line}</p>" in markup
    assert f"[16:34:13] John Doe{colon} Hi, how" in text
    assert f"<p>16:34:13 <b>John Doe</b>{colon} Hi, how" in markup
    assert spaced(f"{colon} {began}\n") in spaced(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_label_that_a_visitor_brings_is_set_as_ours_are(language: Language) -> None:
    colon = Voice(language).say("colon")
    long = "x" * 150
    visitor = Visitor(variables={"a": Variable(label="Plan", value="pro"), "b": Variable(label=long, value="b")})
    conversation = Conversation(account="1", id="2", visitor=visitor)
    markup = "".join(as_html(conversation, Voice(language), 2_000))
    assert f"<b>Plan</b>{colon} pro" in markup
    assert f"{long}{colon} b" in markup
    assert f"\nPlan{colon} pro\n{long}{colon} b\n" in as_text(conversation, Voice(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_an_automatic_message_is_taken_as_it_is(language: Language) -> None:
    said = Message(type="agent", name="Ann", content="Hi", triggered_by="{rule} {0}")
    text = as_text(Conversation(account="{number}", id="2", messages=(said,)), Voice(language))
    assert "{rule} {0})" in text
    assert "{number})" in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("ms", [0, 253_402_214_399_999])
def test_the_earliest_and_the_latest_times_can_be_written_in_every_language(language: Language, ms: int) -> None:
    time = datetime.fromtimestamp(ms / 1000, UTC)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        local = time.astimezone(ZoneInfo(zone))
        said = Voice(language, ZoneInfo(zone)).moment(time)
        assert f"{local:%Y}" in said
        assert f"{local:%H:%M:%S}" in said


def test_a_word_that_a_catalogue_lacks_is_said_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGLISH, "new", "A word of the next version")
    assert Voice("hu").say("new") == "A word of the next version"


@pytest.mark.processes
def test_a_process_reads_the_languages_that_it_speaks_and_no_other() -> None:
    code = (
        "import sys\n"
        "from connectors.kit.record import Mapping\n"
        "from connectors.kit.transcript import Voice, as_text\n"
        "from connectors.kit.vocabulary import _catalogue\n"
        "from core.conversation import Conversation\n"
        "as_text(Conversation(account='1', id='2', is_missed=True), Voice('en'))\n"
        "print('babel.messages' in sys.modules, _catalogue.cache_info().currsize)\n"
        "as_text(Conversation(account='1', id='2', is_missed=True), Voice('hu'))\n"
        "print('babel.messages' in sys.modules, _catalogue.cache_info().currsize)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False 0\nTrue 1\n"
