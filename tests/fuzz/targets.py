"""What is fuzzed: each target takes any bytes and raises when a promise is broken."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from markupsafe import Markup

from app.cli.setup.init import example
from connectors.archive import Archive, ArchiveSettings
from connectors.kit.connector import Receipt, Step
from connectors.kit.transcript import Voice, as_html, as_text, packed, shortened
from connectors.kit.vocabulary import Language
from connectors.testing.chats import SAMPLE
from core.config.environment import environment
from core.config.sources.references import References
from core.config.sources.secret_store import SecretStore
from core.config.values import ValueSettings
from core.config.yaml_file import read
from core.conversation import Conversation, Message, Page, Variable, Visitor
from core.delivery import Revision
from core.errors import ConfigError, PayloadError
from core.ids import PayloadId
from core.smartsupp.parser import parse
from core.templates.language import LanguageError, condition, wording
from core.values.chat import Values
from tests.fuzz import pages

ROOT = Path(__file__).parent.parent
#: Where the payloads of the vendor's own pages lie, beside the repository; what there is of them are seeds too.
BESIDE = ROOT.parent.parent / "shared" / "smartsupp" / "payloads"

#: Characters that a result may have for each byte of input, and besides: an escaped character takes six, and what
#: stands around a message is written once a message.
GROWTH, FRAME = 100, 20_000

LANGUAGES: tuple[Language, ...] = get_args(Language)

CHAT = Conversation(
    account="1",
    id="2",
    begin_at=datetime(2024, 5, 1, 8, tzinfo=UTC),
    is_missed=True,
    visitor=Visitor(name="Ann", email="ann@example.com", variables={"plan": Variable(label="Plan", value="pro")}),
    paths=(Page(url="https://example.com/a", title="A"),),
    messages=(Message(type="visitor", content="Hello"), Message(type="agent", name="Bob", content="Hi\nthere")),
)
EXTRAS = {"title": "Chat", "name": "Ann", "link": "https://relay.example.com", "summary": "…", "transcript": "…"}

SETTINGS = ValueSettings.model_validate(
    {"agents": {"3": "ann@example.com"}, "country": "CZ", "extract": {"order": r"\b(\d{6,10})\b", "any": "(?i)(a+)+b"}}
)

#: Templates as an admin writes them.
WORDINGS = (
    "{{ title }}: {{ name }}",
    "visitor-{{ visitor.id or conversation.id }}@smartsupp.example.com",
    "{% for m in conversation.messages %}{{ loop.index }} {{ m.name }}: {{ m.content|upper }}\n{% endfor %}",
    "{{ conversation.messages|map(attribute='content')|join(' ')|truncate(100) }}",
    "{% for key, one in visitor.variables.items() %}{{ key }}={{ one.value }};{% endfor %}",
    "{{ agent }} {{ agent.email }} {{ phone }} {{ utm }} {{ landing_page }} {{ language }} {{ extracted.order }}",
    "{{ visitor.note|replace('a', 'b')|wordwrap(20) }} {{ visitor.name|title }} {{ '%s' % visitor.email }}",
)
CONDITIONS = (
    "conversation.is_missed and visitor.country_code == 'CZ'",
    "'ello' in conversation.messages[0].content|lower",
    "conversation.rating is none or conversation.rating < 3",
    "visitor.variables.plan.value == 'pro'",
)


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    words: tuple[str, ...]
    #: The inputs are JSON, and may be changed as such.
    json: bool = False


def _conversation(data: bytes) -> Conversation | None:
    refusal = ""
    try:
        found: object = parse(data)
    except PayloadError as error:
        found, refusal = None, str(error)
    assert len(refusal) < 2000, "an error that is too long"
    assert refusal.isprintable(), "an error that steers a terminal"
    return found if isinstance(found, Conversation) else None


def parser(data: bytes) -> None:
    """Any bytes are a conversation, which can be written as JSON in UTF-8 and read again, or one clear error."""
    for account in ("", "1"):
        try:
            parse(data, account)
        except PayloadError:
            continue
    found = _conversation(data)
    if found:
        text = found.model_dump_json()
        assert Conversation.model_validate_json(text) == _without_notes(found)
        text.encode()
        assert len(text) < GROWTH * len(data) + FRAME


def transcript(data: bytes) -> None:
    """What a visitor wrote is shown whole, as text, in parts that fit."""
    found = _conversation(data)
    if not found:
        return
    voice = Voice(LANGUAGES[len(data) % len(LANGUAGES)])
    text = as_text(found, voice)
    text.encode()
    assert len(text) < GROWTH * len(data) + FRAME
    assert not any(character < " " and character not in "\n\t" for character in text)
    assert "\x7f" not in text
    longest = 1000 + len(data) % 5000
    blocks = as_html(found, voice, longest)
    assert all(len(block) <= longest for block in blocks)
    markup = "".join(blocks)
    for ours in ("<p>", "</p>", "<br>", "<b>", "</b>"):
        markup = markup.replace(ours, "")
    assert not set(markup) & set("<>{"), "markup that is not ours"
    for size in (len, lambda part: len(part.encode())):
        parts = packed(blocks, lambda number: 4 * longest, size)
        assert Markup().join(parts) == Markup().join(blocks)
        assert all(size(part) <= 4 * longest for part in parts)
    for message in found.messages:
        assert len(shortened(message.content)) <= 100


def conversations(data: bytes) -> None:
    """Whatever stands in a conversation, an admin's templates have a result or a LanguageError."""
    found = _conversation(data)
    if not found:
        return
    values = Values(found, SETTINGS)
    for source in WORDINGS:
        for html in (False, True):
            said = _language(lambda source=source, html=html: wording(source, html=html)(values, EXTRAS))  # type: ignore[misc]
            assert len(said or "") < GROWTH * len(data) + FRAME
            assert not html or "<" not in (said or "")
    for source in CONDITIONS:
        _language(lambda source=source: condition(source)(values))  # type: ignore[misc]


def templates(data: bytes) -> None:
    """Whatever stands in the config, it is refused with a LanguageError, or has a result that is a text."""
    source = data.decode("utf-8", "replace")
    for html in (False, True):
        said = _language(lambda html=html: wording(source, html=html)(Values(CHAT), EXTRAS))  # type: ignore[misc]
        _nothing_leaked(said)


def expressions(data: bytes) -> None:
    source = data.decode("utf-8", "replace")
    assert _language(lambda: condition(source)(Values(CHAT))) in (True, False, None)
    _nothing_leaked(_language(lambda: wording("{{ " + source + " }}")(Values(CHAT), EXTRAS)))


def _language(evaluate: Callable[[], Any]) -> Any:
    try:
        return evaluate()
    except LanguageError:
        return None


def _nothing_leaked(said: Any) -> None:
    """Signs of Python's inside. (`<bound method …>` and the like are printed by what only names a method.)"""
    for sign in ("<module ", "<frame ", "site-packages", "__builtins__", "root:x:0"):
        assert sign not in str(said or ""), sign


def archive(data: bytes) -> None:
    """What the archive keeps of a body is JSON for every reader, and holds all of it."""
    found = _conversation(data)
    if not found:
        return
    with tempfile.TemporaryDirectory() as folder:
        connector = Archive("archive", ArchiveSettings(type="archive"), Path(folder))
        revision = Revision(1, PayloadId("p1"), 1_700_000_000_000, "", data)
        receipt = Receipt(f"archive:{found.key}", revision, lambda: [revision])
        connector.deliver(found, receipt, Step({}, lambda name, value: None))
        (kept,) = Path(folder).rglob("r1.json")
        text = kept.read_text(encoding="utf-8")
        assert len(text) < GROWTH * len(data) + FRAME
        record = json.loads(text, parse_constant=_no_json)
        assert Conversation.model_validate_json(json.dumps(record["conversation"])) == _without_notes(found)
        assert record["payload"].keys() == json.loads(data, strict=False).keys()


def _without_notes(found: Conversation) -> Conversation:
    """As it goes to a destination: notes are for the dashboard alone."""
    return found.model_copy(update={"notes": ()})


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def config(data: bytes) -> None:
    """Any text is a config file with its problems, or a ConfigError; no secret stands in an error."""
    text = data.decode("utf-8", "replace")
    secret, nowhere = "kept-to-itself-0123", Path("/nonexistent")
    sealed = SecretStore(environment({"RELAY_DATA_DIR": str(nowhere)}))
    references = References({"SECRET": secret, "PLAIN": "x"}, nowhere, Path.read_bytes, sealed)
    try:
        found = read(text, "relay.yaml", references.fill)
        said = "\n".join(map(str, found.problems))
    except ConfigError as error:
        said = str(error)
    assert secret not in said
    assert len(said) < GROWTH * len(data) + FRAME


def requests(data: bytes) -> None:
    """Whatever is sent to the receiver or the dashboard, by an admin or by anybody, is answered, and not with a 5xx."""
    status = pages.site().answer(data)
    assert status < 500, status


def _payloads() -> Iterator[bytes]:
    yield json.dumps(SAMPLE).encode()
    for folder in (ROOT / "payloads", BESIDE):
        for file in sorted(folder.glob("*.json")):
            # Without the spaces, which would take most of the changes.
            yield json.dumps(json.loads(file.read_bytes())).encode()
    message = {
        "type": "visitor",
        "from": "visitor:m",
        "content": "<b>{{7*7}}\u202e\u0000\r\n[10:00:00] Bob: no",
        "sentAt": 1,
    }
    variables = {"a" * 200: {"label": "b" * 200, "value": "c" * 900}, "n": 1, "l": [1, {"x": None}]}
    hostile = {"accountId": 1, "channel": {"id": "a", "rating": 5}, "visitor": {"variables": variables}}
    yield json.dumps({**hostile, "messages": [message] * 3}).encode()
    yield json.dumps({**hostile, "paths": [{"url": "javascript:1", "title": "\ud83d"}]}).encode()
    yield b'{"accountId":1,"channel":{"id":1},"x":1e999,"y":NaN,"z":' + b"9" * 400 + b"}"
    yield (
        b'{"accountId":1,"channel":{"id":1,"id":2},"visitor":' + b'{"variables":{"v":' + b"[" * 90 + b"]" * 90 + b"}}}"
    )
    yield '{"accountId": 1, "channel": {"id": "a"}}'.encode("utf-16")


def _templates() -> Iterator[bytes]:
    yield from (source.encode() for source in WORDINGS)
    yield from (b"{{ " + source.encode() + b" }}" for source in CONDITIONS)
    yield b"{% macro a(n) %}{{ n }}{{ a(n - 1) if n }}{% endmacro %}{{ a(9) }}"
    yield b"{% set ns = namespace(x='a') %}{% for i in range(9) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"
    yield b"{% for a in 'abc' recursive %}{{ loop(a) }}{% else %}{% endfor %}{% filter upper %}x{% endfilter %}"
    yield b"{% call(x) y() %}{% endcall %}{# #}{%- raw -%}{% endraw %}{% with a = 1 %}{% endwith %}"
    yield b"{% block b %}{{ super() }}{% endblock %}{{ self.b() }}{% set x %}{{ name }}{% endset %}{{ x }}"


def _expressions() -> Iterator[bytes]:
    yield from (source.encode() for source in CONDITIONS)
    yield b"''.__class__.__mro__[1].__subclasses__()"
    yield b"''|attr('__class__')"
    yield b"'{0.__class__}'.format(visitor)"
    yield b"[visitor]|map(attribute='__init__')|first"
    yield b"(visitor if true else 0)['__class__']"
    yield b"conversation.model_dump_json()"
    yield b"'%999s' % 'a' * 9 ~ 'b'|center(99)|indent(9)"


def _configs() -> Iterator[bytes]:
    yield example()
    yield b"tokens: [{token: ${SECRET}, account: '9'}]\nconnectors: {a: &a {type: archive}, b: *a}\nroutes: []"
    yield b"a: ${file:/nonexistent/${SECRET}}\nb: $${X}\nc: !!float 1e999\nd: 2024-13-45\ne: !x y\nf: 0x\n? [1]\n: 2"
    yield b"a: &a [*a]\n<<: *a\nb: |\n  text\nc: >-\n  ${SECRET\n  }"


_JSON_WORDS = (
    '"channel"',
    '"visitor"',
    '"messages"',
    '"variables"',
    '"paths"',
    '"accountId"',
    '"content"',
    '"sentAt"',
    '"value"',
    '"label"',
    '"\\\\ud800"',
    "1e999",
    "NaN",
    "null",
    "true",
    '"\\\\u0000"',
    '"\\\\u202e"',
)
_TEMPLATE_WORDS = (
    "{{",
    "}}",
    "{%",
    "%}",
    "|attr(",
    "__class__",
    "visitor",
    "conversation",
    "range(",
    "for",
    "endfor",
    "in",
    "macro",
)
_REQUEST_WORDS = (
    *(f"&{name}=" for name in pages.FIELDS),
    *("in ", "out ", "GET ", "POST ", "/conversations/", "/connectors/", "/quarantine/", "{body}", "{bad}", "{job}"),
    *(
        "%00",
        "%0D%0A",
        "%ED%A0%80",
        "%FF",
        "%C2%B2",
        "%D9%A1",
        "..%2F",
        "~",
        "1:3",
        "-1",
        "99999999999999999999",
        "1e999",
    ),
    *("9999-12-31", "0001-01-01", "dead", "delivered", "discard", "replay"),
)

TARGETS = {
    "parser": Target(parser, _payloads, _JSON_WORDS, json=True),
    "transcript": Target(transcript, _payloads, _JSON_WORDS, json=True),
    "archive": Target(archive, _payloads, _JSON_WORDS, json=True),
    "conversations": Target(conversations, _payloads, _JSON_WORDS, json=True),
    "templates": Target(templates, _templates, _TEMPLATE_WORDS),
    "expressions": Target(expressions, _expressions, _TEMPLATE_WORDS),
    "config": Target(config, _configs, ("${SECRET}", "${file:", "!!", "&a", "*a", "<<:", "? ")),
    "requests": Target(requests, pages.seeds, _REQUEST_WORDS),
}
