"""The config file: every problem at once, with its line, its path and what to type; and no secret in any of it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from pydantic import SecretStr

from connectors import registry
from connectors.archive import ArchiveSettings
from connectors.kit.record import Mapping as RecordMapping
from connectors.kit.record import RecordSettings
from connectors.webhook import WebhookSettings
from core.config.environment import environment
from core.config.json_schema import schema
from core.config.loader import load
from core.config.settings import ConnectorSettings, Settings, masked
from core.conversation import Agent
from core.errors import ConfigError
from core.routing import routed
from core.smartsupp.parser import parse_conversation
from core.templates import language
from core.values.chat import Values
from tests.support.stack import chat

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # base64 of 24 bytes
HOOK = f"type: webhook, url: 'https://example.com/in', secret: {SECRET}"


ARCHIVED = "connectors: {archive: {type: archive}}"


class Config:
    """A config file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "relay.yaml"

    def load(self, text: str, **variables: str) -> Settings:
        self.file.write_text(text, encoding="utf-8")
        env = environment({"RELAY_CONFIG": str(self.file), "RELAY_DATA_DIR": str(self.folder)})
        return load(env, registry.settings_model, variables)

    def problems(self, text: str, **variables: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            self.load(text, **variables)
        assert raised.value.source == str(self.file)
        return [str(problem) for problem in raised.value.problems]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def test_every_problem_is_reported_at_once_with_line_path_and_what_to_type(config: Config) -> None:
    text = """\
tokens:
  - {tokn: abc}
  - {token: short}
  - {token: 0123456789abcdef, account: 208}
  - {token: 0123456789abcdef, account: a/b}
routes:
  - {wen: 'true', to: [shopp, archive]}
  - {when: conversation.raing == 1, to: []}
  - {when: true, to: archive}
connectors:
  shop:
    type: webhook
    url: nowhere
    timeout: 90
    enabled: perhaps
  inbox: {type: archive}
  Desk: {type: archive}
  b: {type: archve}
  c: {tpe: archive}
  d: archive
  archive: {type: archive, foldr: x}
other: 1
"""
    name = "a name has at most 63 lower-case letters, digits, '-' and '_', and is not 'inbox'"
    wanted = [
        "line 2: tokens[0].tokn: unknown setting. Did you mean 'token'?",
        "line 2: tokens[0].token: is missing; add 'token: …' (At least 16 characters)",
        "line 3: tokens[1].token: a token needs at least 16 characters, none of them / ? # % or a space; "
        "try: openssl rand -hex 24",
        "line 4: tokens[2].account: must be text; put it in quotes",
        "line 5: tokens[3].account: is not in the right form (The account whose conversations come with it; or any)",
        "line 7: routes[0].wen: unknown setting. Did you mean 'when'?",
        "line 7: routes[0].to[0]: there is no connector 'shopp'. Did you mean 'shop'?",
        "line 8: routes[1].when: Conversation has no 'raing'; did you mean 'rating'?",
        "line 9: routes[2].when: must be text; put it in quotes",
        "line 9: routes[2].to: must be a list: [archive]",
        "line 12: connectors.shop.secret: is missing; add 'secret: …' "
        "(The signing secret: base64, with or without whsec_ in front)",
        "line 13: connectors.shop.url: must be a whole address that begins with https://",
        "line 14: connectors.shop.timeout: must be at most 50 (Seconds to wait for each answer)",
        "line 15: connectors.shop.enabled: must be true or false",
        f"line 16: connectors.inbox: {name}",
        f"line 17: connectors.Desk: {name}",
        "line 18: connectors.b.type: there is no connector type 'archve'; did you mean 'archive'?",
        "line 19: connectors.c.type: is missing; write type: archive, or another type",
        "line 20: connectors.d: must be settings, one a line and indented: 'key: value'",
        "line 21: connectors.archive.foldr: unknown setting. Did you mean 'folder'?",
        "line 22: other: unknown setting; available: agents, alerts, business_hours, connectors, country, "
        "extract, redact, retention, routes, source, tokens, variables",
    ]
    found = config.problems(text)
    assert sorted(found) == sorted(wanted)
    assert [int(line.split()[1].rstrip(":")) for line in found] == sorted(int(w.split()[1].rstrip(":")) for w in wanted)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "line 1: a [ that was opened in line 1 is never closed"),
        ("a: 1\n\tb: 2", "line 2: use spaces, not tabs"),
        ("a: 1\n---\nb: 2", "line 2: a file holds one configuration; remove the line ---"),
        ("- a", "line 1: must be settings, one a line and indented: 'key: value'; remove the dashes"),
        ("a: &a [*a]", "nested too deeply, or an alias that contains itself"),
        ("[" * 3000, "nested too deeply, or an alias that contains itself"),
        ("connectors:", "line 1: connectors: is empty; write its settings below it, indented, or remove the line"),
        ("connectors:\n  a: {type: archive}\n  a: {type: archive}", "line 3: connectors.a: is given twice; remove one"),
        ("connectors: {a: {type: archive,\n  type: archive}}", "line 2: connectors.a.type: is given twice; remove one"),
    ],
)
def test_what_is_no_config_at_all_is_one_problem(config: Config, text: str, problem: str) -> None:
    assert config.problems(text) == [problem]


def test_no_connectors_at_all_deliver_to_nobody(config: Config) -> None:
    settings = config.load("tokens: []\nconnectors: {}\n")
    assert (settings.enabled, settings.routes) == ((), ())


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_a_mistake(config: Config, text: str) -> None:
    (problem,) = config.problems(text)
    assert "is empty; restore it, or remove it and write a new one with relay init" in problem


def test_a_file_of_nul_bytes_says_so(config: Config) -> None:
    for text in ("\0" * 100, "connectors: {a: {type: archive}}\n\0\0"):
        (problem,) = config.problems(text)
        assert "NUL bytes" in problem
        assert "save it again" in problem


def test_without_routes_everything_goes_to_every_enabled_connector(config: Config) -> None:
    settings = config.load("connectors: {b: {type: archive}, a: {type: archive}, c: {type: archive, enabled: false}}")
    assert settings.enabled == ("b", "a")
    assert [(route.when, route.to) for route in settings.routes] == [("true", ["b", "a"])]
    assert set(settings.connectors) == {"a", "b", "c"}


def test_an_empty_list_of_routes_sends_nothing_anywhere(config: Config) -> None:
    assert config.load("connectors: {a: {type: archive}}\nroutes: []").routes == ()


def test_a_route_may_name_a_connector_that_is_switched_off_or_wrong_but_not_one_that_is_missing(config: Config) -> None:
    text = "connectors: {a: {type: archive, enabled: false}, b: {type: nonsense}}\nroutes: [{to: [a, b, z]}]"
    assert config.problems(text)[1:] == ["line 2: routes[0].to[2]: there is no connector 'z'; add it under connectors"]


@pytest.mark.parametrize("name", ["a", "9", "crm-2_b", "x" * 63])
def test_these_are_names_of_connectors(config: Config, name: str) -> None:
    assert config.load(f"connectors: {{'{name}': {{type: archive}}}}").enabled == (name,)


@pytest.mark.parametrize("name", ["", "inbox", "A", "č", "a b", "a.b", "a:b", "a/b", "-a", "_a", "x" * 64, "a\\n"])
def test_these_are_not(config: Config, name: str) -> None:
    (problem,) = config.problems(f'connectors: {{"{name}": {{type: archive}}}}')
    assert "a name has at most 63 lower-case letters" in problem


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("webhok", "did you mean 'webhook'?"),
        ("zzz", "there are archive, "),
        ("no.such.Thing", "cannot import 'no.such.Thing': No module named 'no'"),
        ("connectors.archive.Nothing", "has no attribute 'Nothing'"),
        (".a.b", "cannot import '.a.b'"),
        (".", "cannot import '.'"),
        ("json.dumps", "'json.dumps' is not a subclass of connectors.kit.connector.Connector"),
        ("broken_for_tests.Thing", "cannot import 'broken_for_tests.Thing': division by zero"),
    ],
)
def test_an_unknown_type_says_what_there_is(
    config: Config, kind: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.folder / "broken_for_tests.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(config.folder))
    (problem,) = config.problems(f"connectors: {{a: {{type: '{kind}'}}}}")
    assert problem.startswith("line 1: connectors.a.type: ")
    assert text in problem


def test_a_type_may_be_the_dotted_path_of_a_class(config: Config) -> None:
    settings = config.load("connectors: {a: {type: connectors.archive.Archive, folder: x}}")
    assert settings.connectors["a"].model_dump()["folder"] == Path("x")


def folder(config: Config, value: str, **variables: str) -> str:
    text = f"connectors: {{a: {{type: archive, folder: {json.dumps(value)}}}}}"
    return str(config.load(text, **variables).connectors["a"].model_dump()["folder"])


def test_values_come_from_the_environment_and_from_files(config: Config) -> None:
    (config.folder / "secret.txt").write_text("  from the file\n")
    absolute = config.folder / "secret.txt"
    assert folder(config, "a-${NAME}-${NAME}", NAME="b") == "a-b-b"
    assert folder(config, "${file:secret.txt}") == "from the file"
    assert folder(config, f"${{file:{absolute}}}/x") == "from the file/x"
    assert folder(config, "$${NAME} $x {y} $", NAME="b") == "${NAME} $x {y} $"
    assert folder(config, "${NAME}", NAME="${OTHER} $${A} {{7*7}}") == "${OTHER} $${A} {{7*7}}"
    assert config.load(f"connectors: {{a: {{type: archive, folder: '${{file:{absolute}}}'}}}}").files == (
        config.file,
        absolute,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("${NOPE}", "NOPE is not set. Write NOPE=… into .env beside this file, or run relay secrets set nope"),
        ("${no pe}", "'${no pe}' is neither ${NAME}, ${file:/path} nor ${secret:NAME}; write $${ for the text ${"),
        ("${}", "'${}' is neither ${NAME}, ${file:/path} nor ${secret:NAME}; write $${ for the text ${"),
        ("${file:/nowhere/x}", "cannot read /nowhere/x: it does not exist"),
        ("${file:/}", "cannot read /: it is a folder"),
        ("${file:bytes}", "it is not text in UTF-8"),
        ("${file:a\x00b}", "cannot read the file: there is a NUL in its name"),
    ],
)
def test_a_value_that_cannot_be_filled_in_says_what_to_type(config: Config, value: str, text: str) -> None:
    (config.folder / "bytes").write_bytes(b"\xff\xfe\x00")
    (problem,) = config.problems(f"connectors:\n  a:\n    type: archive\n    folder: {json.dumps(value)}")
    assert problem.startswith("line 4: connectors.a.folder: ")
    assert text in problem


def test_without_a_file_every_chat_is_archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(environment({}), registry.settings_model, {})
    assert settings.source == "built-in configuration"
    assert [(name, one.type) for name, one in settings.connectors.items()] == [("archive", "archive")]
    assert settings.routes[0].to == ["archive"]
    assert settings.files == (tmp_path / "relay.yaml",)  # watched: it may be written later


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    for place in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError) as raised:
            load(environment({"RELAY_CONFIG": str(place)}), registry.settings_model, {})
        assert str(place) in str(raised.value)


@pytest.mark.parametrize(
    "written",
    [
        *("hunter2", "[hunter2]", "{hunter2: hunter2}", "'hunter2", "*hunter2", "&hunter2", "!hunter2", "!hun!hunter2"),
        *("!!int hunter2", "!!bool hunter2", "!!float hunter2", "!!timestamp hunter2", "!!binary hunter2", "@hunter2"),
        *("{hunter2", "hunter2: hunter2", "${HUNTER}", "${file:hunter}", '"\\xhunter2"'),
    ],
)
def test_no_problem_shows_a_secret_that_is_wrong(config: Config, written: str) -> None:
    (config.folder / "hunter").write_text("hunter2")
    text = f"connectors:\n  a:\n    type: webhook\n    url: https://example.com\n    secret: {written}\n"
    found = config.problems(text, HUNTER="hunter2")
    assert found
    assert "hunter2" not in "\n".join(found)
    found = config.problems(f"tokens:\n  - token: {written}\n", HUNTER="hunter2")
    assert found
    assert "hunter2" not in "\n".join(found)


def test_secrets_are_masked_wherever_settings_are_shown(config: Config) -> None:
    settings = config.load(f"tokens: [{{token: token-0123456789abcdef}}]\nconnectors: {{a: {{{HOOK}}}}}")
    shown = json.dumps(masked(settings)) + repr(settings) + str(settings.connectors["a"])
    assert SECRET not in shown
    assert "token-0123456789abcdef" not in shown
    assert masked(settings)["connectors"]["a"]["secret"] == "**********"
    assert masked(settings)["tokens"] == [{"token": "**********"}]


class OddlyNamed(ConnectorSettings):
    """What its names say is wrong each time; the types are right."""

    colour: SecretStr
    sizes: tuple[SecretStr, ...] = ()
    password_hint: str = ""
    token: int = 0


def test_the_type_of_a_setting_says_whether_it_is_hidden_and_not_its_name(tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text("connectors: {a: {type: odd, colour: blue-4711, sizes: [s-1, m-2], password_hint: dog, token: 7}}")
    env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(tmp_path)})
    settings = load(env, lambda _: OddlyNamed, {})
    shown = masked(settings)["connectors"]["a"]
    assert (shown["colour"], shown["sizes"]) == ("**********", ["**********", "**********"])
    assert (shown["password_hint"], shown["token"]) == ("dog", 7)


def test_a_fingerprint_changes_with_any_setting_and_gives_no_secret_away(config: Config) -> None:
    def fingerprint(text: str, **variables: str) -> str:
        return config.load(f"connectors: {{a: {{{text}}}}}", **variables).fingerprints["a"]

    first = fingerprint(HOOK)
    assert fingerprint(HOOK) == first
    assert fingerprint(HOOK.replace(SECRET, "'${S}'"), S=SECRET) == first
    others = [
        HOOK.replace("MfKQ", "MfKR"),
        HOOK + ", timeout: 5",
        HOOK.replace("/in", "/on"),
        HOOK + ", enabled: false",
    ]
    assert len({first, *(fingerprint(other) for other in others)}) == 5
    assert SECRET not in first


def valid(value: Any) -> bool:
    types: dict[str, type[ConnectorSettings]] = {"archive": ArchiveSettings, "webhook": WebhookSettings}
    return jsonschema.Draft202012Validator(schema(types)).is_valid(value)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "connectors: {archive: {type: archive}}",
        f"connectors: {{a: {{{HOOK}, timeout: 5, allow_networks: [10.0.0.0/8], enabled: false}}}}",
        "connectors: {a: {type: connectors.archive.Archive, folder: x}}",
        "tokens: [{token: 0123456789abcdef, account: '208'}]",
        "connectors: {a: {type: archive}}\nroutes: [{to: [a]}, {when: conversation.is_missed, to: [a]}]",
    ],
)
def test_the_schema_takes_what_is_taken(config: Config, text: str) -> None:
    config.load(text)
    assert valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "other: 1",
        "connectors: {a: {folder: x}}",
        "connectors: {a: {type: archve}}",
        "connectors: {a: {type: archive, foldr: x}}",
        "connectors: {a: {type: webhook, url: 'https://example.com/in'}}",
        f"connectors: {{a: {{{HOOK}, timeout: 51}}}}",
        "tokens: [{token: short}]",
        "tokens: [{token: 0123456789abcdef, account: a/b}]",
    ],
)
def test_the_schema_refuses_what_is_refused(config: Config, text: str) -> None:
    assert config.problems(text)
    assert not valid(yaml.safe_load(text))


def test_what_is_settled_goes_after_30_days_and_what_is_dead_never_unless_it_is_said(config: Config) -> None:
    for text in (ARCHIVED, f"{ARCHIVED}\nretention: {{}}"):
        kept = config.load(text).retention
        assert (kept.settled_days, kept.dead_days) == (30, None)
    kept = config.load(f"{ARCHIVED}\nretention: {{settled_days: null, dead_days: 0.5}}").retention
    assert (kept.settled_days, kept.dead_days) == (None, 0.5)
    assert masked(config.load(ARCHIVED))["retention"] == {"settled_days": 30, "dead_days": None}


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{settled_days: 0}", "line 2: retention.settled_days: "),
        ("{dead_days: -1}", "line 2: retention.dead_days: "),
        ("{settled_days: soon}", "line 2: retention.settled_days: "),
        ("{dead_day: 3}", "line 2: retention.dead_day: unknown setting. Did you mean 'dead_days'?"),
        ("30", "line 2: retention: must be settings"),
    ],
)
def test_a_retention_that_makes_no_sense_is_a_problem(config: Config, section: str, problem: str) -> None:
    (found,) = config.problems(f"{ARCHIVED}\nretention: {section}")
    assert found.startswith(problem)


@pytest.mark.parametrize("never", ["never", ".inf", ".nan"])
def test_for_ever_is_spelt_null(config: Config, never: str) -> None:
    assert config.problems(f"{ARCHIVED}\nretention: {{settled_days: {never}}}")


def test_no_number_of_routes_makes_a_chat_compile_their_conditions_anew(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = "".join(f"  - {{to: [archive], when: 'conversation.rating == {number}'}}\n" for number in range(1_100))
    settings = config.load(f"{ARCHIVED}\nroutes:\n{routes}")
    rated = parse_conversation(chat(channel={"id": "c1", "rating": 1_050}))
    monkeypatch.setattr(language.jinja, "compile_expression", None)
    assert sum(when(Values(rated)) for when, _ in settings.conditions()) == 1


def test_the_values_of_a_chat_are_worked_out_with_sections_of_the_file(config: Config, tmp_path: Path) -> None:
    found = config.load(
        """\
agents: {3: ann@example.com, "4": {name: Bob}}
country: cz
variables: {phone: contact}
extract: {order: 'order (\\d+)'}
connectors:
  archive: {type: archive}
  crm:
    type: tests.fakes.plain.Plain
    url: https://crm.example.com
    key: secret
    subject: '{{ extracted.order }} {{ phone }}'
routes:
  - {to: [archive], when: "extracted.order and agent.email == 'ann@example.com'"}
"""
    )
    shown = masked(found)
    assert shown["agents"] == {"3": {"email": "ann@example.com", "name": ""}, "4": {"email": None, "name": "Bob"}}
    assert (shown["country"], shown["variables"]["phone"]) == ("CZ", "contact")
    assert shown["extract"] == {"order": "order (\\d+)"}
    messages = [
        {"type": "visitor", "from": "visitor:x", "content": "order 17"},
        {"type": "agent", "from": "agent:3", "name": "A", "content": "Hi"},
    ]
    parsed = parse_conversation(chat(messages=messages))
    assert routed(found, parsed).connectors == ("archive",)
    copy = pickle.loads(pickle.dumps(found))  # noqa: S301  # as a worker hands it to a process of its own
    assert routed(copy, parsed).connectors == ("archive",)
    words = RecordMapping(cast(RecordSettings, registry.make(found, "crm", tmp_path).settings), parsed)
    assert words.values.agent == Agent(id="3", name="A", email="ann@example.com")
    assert words.subject(100) == "17"


def test_what_is_wrong_with_the_sections_of_the_values_is_said_with_what_to_type(config: Config) -> None:
    text = """\
agents:
  agent:3: ann@example.com
  4: Ann <ann@example.com>
  5: {}
  6: {mail: ann@example.com}
  7: 8
country: Czechia
variables: {phon: x}
extract:
  Order: a
  items: a
  order: '('
  number: 5
connectors:
  archive: {type: archive}
routes:
  - {to: [archive], when: "extracted.ordr"}
  - {to: [archive], when: "extracted.plan and agent.mail"}
  - {to: [archive], when: "extracted['plan']"}
"""
    assert config.problems(text) == [
        "line 2: agents.agent:3: is not the id of an agent; write 3 alone",
        "line 3: agents.4: write an address alone, such as ann@example.com",
        "line 4: agents.5: is empty; write the agent's email, or {name: …, email: …}",
        "line 5: agents.6.mail: unknown setting. Did you mean 'email'?",
        "line 6: agents.7: must be settings, one a line and indented: 'key: value'",
        "line 7: country: is not a country; write its two letters (ISO 3166), such as CZ",
        "line 8: variables.phon: unknown setting. Did you mean 'phone'?",
        "line 10: extract.Order: 'Order' is not a name; write small letters, digits and '_', such as order_number",
        "line 11: extract.items: 'items' means something else in templates; write small letters, digits and '_', "
        "such as order_number",
        "line 12: extract.order: is not a pattern: a ( is never closed",
        "line 13: extract.number: must be text; put it in quotes",
        "line 17: routes[0].when: nothing is extracted as 'ordr'. Did you mean 'order'?",
        "line 18: routes[1].when: Agent has no 'mail'; did you mean 'email'?",
        "line 19: routes[2].when: nothing is extracted as 'plan'; add it under extract: 'plan: PATTERN'",
    ]


def test_what_is_redacted_is_a_section_of_its_own_with_cards_by_default(config: Config) -> None:
    off = {"cards": True, "iban": False, "national_numbers": [], "passwords": False}
    assert masked(config.load(ARCHIVED))["redact"] == off
    text = f"{ARCHIVED}\nredact: {{cards: false, national_numbers: [cz, ' SK']}}"
    found = config.load(text)
    assert masked(found)["redact"] == {**off, "cards": False, "national_numbers": ["CZ", "SK"]}
    assert registry.make(found, "archive", config.folder).settings._redact is found.redact
    written = yaml.safe_load(text.replace("cz", "CZ").replace("' SK'", "SK"))
    jsonschema.validate(written, schema({"archive": ArchiveSettings}))
    assert config.problems(f"{ARCHIVED}\nredact:\n  cars: true\n  iban: maybe\n  national_numbers: [CZ, XX]") == [
        "line 3: redact.cars: unknown setting. Did you mean 'cards'?",
        "line 4: redact.iban: must be true or false",
        "line 5: redact.national_numbers[1]: must be one of: CZ, SK, PL, HU, DE",
    ]


def test_an_archive_keeps_all_so_its_own_redact_is_refused(config: Config) -> None:
    assert config.problems("connectors:\n  archive:\n    type: archive\n    redact: {iban: true}") == [
        "line 4: connectors.archive.redact: an archive keeps all of a chat, as the payload does; remove it"
    ]


def test_norway_needs_quotes(config: Config) -> None:
    assert config.problems(f"{ARCHIVED}\ncountry: NO") == ["line 2: country: must be text; put it in quotes"]
    assert config.load(f"{ARCHIVED}\ncountry: 'NO'").values.country == "NO"
