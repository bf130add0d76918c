"""What admins get wrong in relay.yaml: each is answered with what to type, in words that are nobody's library's."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import registry
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import Settings
from core.errors import ConfigError

DESK = """\
connectors:
  desk:
    type: zendesk
    subdomain: acme
    email: relay@acme.example
    api_token: hunter2hunter2
"""
ARCHIVED = "connectors: {archive: {type: archive}}\n"

#: What only programmers understand.
FOREIGN = (
    *(
        "should",
        "Input",
        "pydantic",
        "String ",
        "parse string",
        "validation",
        "<block",
        "<stream",
        "<scalar",
        "token '",
    ),
    *("mapping values", "expected ", "Errno", "Error", "literal", "pattern", "not YAML", "stream"),
)


def read(folder: Path, text: str, **variables: str) -> Settings:
    file = folder / "relay.yaml"
    file.write_text(text, encoding="utf-8")
    return load(environment({"RELAY_CONFIG": str(file)}), registry.settings_model, variables)


def problems(folder: Path, text: str, **variables: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text, **variables)
    found = "\n".join(map(str, raised.value.problems))
    assert not [word for word in FOREIGN if word in found], found
    assert "hunter2" not in found
    return found


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("subdomain: acme.zendesk.com", 'subdomain: write only "acme", not the whole address'),
        ("subdomain: https://acme.zendesk.com/agent", 'subdomain: write only "acme", not the whole address'),
        ("subdomain: Acme", 'subdomain: write only "acme"'),
        ("subdomain: 'a cme'", "is not in the right form (acme, for https://acme.zendesk.com)"),
        ("subdomain: 123", "must be text; put it in quotes"),
        ("subdomain:", "is empty; type a value"),
        ("api_token:", "api_token: is empty; type the secret, or ${NAME}"),
        ('api_token: ""', "api_token: is empty; type the secret, or ${NAME}"),
        ("api_token: '  '", "api_token: is empty; type the secret, or ${NAME}"),
        ("api_token: ${EMPTY}", "api_token: is empty; type the secret, or ${NAME}"),
        ("api_token: ${file:empty}", "is empty; write the value into it"),
        ("api_token: $ZENDESK_TOKEN", "api_token: looks like a variable; write it with braces: ${NAME}"),
        ("api_token: ${NOPE}", "Write NOPE=… into .env beside this file"),
        ("api_token: *hunter2", "needs quotes"),
        ("api_token: @hunter2", "text that begins with @ needs quotes"),
        ("api_token: {{hunter2}}", "text with {{ … }} needs quotes"),
        ("api_token: {{ hunter2 }} x", "put the whole text into one pair of quotes"),
        ("api_token: hunter2: x", 'put the text in quotes: api_token: "…"'),
        ("timeout: 30s", "must be a number without a unit (Seconds to wait for each answer); write 30"),
        ("timeout: 2 min", "; write 120"),
        ("timeout: 90", "must be at most 50"),
        ("timeout: -1", "must be above 0"),
        ("timeout: off", "timeout: must be a number"),
        ("timeout: 0,5", "must be a number; write 0.5"),
        ("rate: 200/min", "; write 3.333"),
        ("rate: 5/s", "; write 5"),
        ("rate: 5 per second", "; write 5"),
        ("rate: unlimited", "for never, or no limit, write null"),
        ("rate: off", "for never, or no limit, write null"),
        ("concurrency: true", "must be a whole number"),
        ("concurrency: 0", "must be above 0"),
        ("concurrency: 2.5", "must be a whole number"),
        ("group_id: Sales", "must be a whole number, such as 5 (The group that gets the tickets)"),
        ("brand_id: 0123", "YAML reads 0123 as another number"),
        ("brand_id: 1:30", "YAML reads 1:30 as another number"),
        ("allow_networks: [10.0.0.5/8]", "write 10.0.0.0/8"),
        ("allow_networks: 10.0.0.0/8", "must be a list: [10.0.0.0/8]"),
        ("allow_networks: [intranet]", "such as 10.0.0.7 or 10.0.0.0/8"),
        ("base_url: acme.zendesk.com", "must begin with https://; write https://acme.zendesk.com"),
        ("base_url: nowhere", "must be a whole address that begins with https://"),
        ("enabled: perhaps", "must be true or false"),
        ("priority: hgh", "must be one of: urgent, high, normal, low. Did you mean 'high'?"),
        ("language: cz", "must be one of: en, cs, sk, de, pl, hu, fr, es, it, nl, ro"),
        ("tags: a", "must be a list: [a]"),
        ("subject: {{ title }}: {{ name }}", "put the text in quotes: subject: '{{ title }}: {{ name }}'"),
        ("subject: {{ title }} chat", "put the text in quotes: subject: '{{ title }} chat'"),
        ("subject: {{ title }}", "text with {{ … }} needs quotes"),
        ("subject: Chat: new", 'put the text in quotes: subject: "…"'),
        ('subject: "{{ title"', "a {{ or {% that was opened is never closed"),
        ('subject: "{% if visitor.name %}x"', "{% if %} is never closed; add {% endif %}"),
        ("apiToken: x", "apiToken: unknown setting. Did you mean 'api_token'?"),
        ("qqqq: 1", "qqqq: unknown setting; available: allow_networks, "),
        ('subject: "a" b', "put the whole text into one pair of quotes"),
    ],
)
def test_a_setting_of_a_connector_says_what_to_type(tmp_path: Path, line: str, text: str) -> None:
    (tmp_path / "empty").write_text("\n")
    key = line.partition(":")[0]
    kept = "".join(f"{one}\n" for one in DESK.splitlines() if one.strip().partition(":")[0] != key)
    assert text in problems(tmp_path, f"{kept}    {line}\n", EMPTY="")


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("routes:\n  - to: archive", "routes[0].to: must be a list: [archive]"),
        ("routes: [archive]", "routes[0]: must be settings; write '- to: …'"),
        ("routes: {to: [archive]}", "must be a list; write '- ' in front of its first setting"),
        ("routes:\n  - to:", "routes[0].to: is empty; write a list below it"),
        ("routes:\n  - to: [archve]", "Did you mean 'archive'?"),
        ("routes:\n  - to: [archive]\n    when: conversation.rating = 5", "use == to compare"),
        ("retention: {days: 5}", "Did you mean 'settled_days' or 'dead_days'?"),
        ("retention: {settled_days: off}", "write null"),
        ("retention: {settled_days: never}", "write null"),
        ("retention: {settled_days: 0}", "write null"),
        ("retention: {settled_days: 30d}", "; write 30"),
        ("retention: 30", "must be settings"),
        ("tokens: hunter2-0123456789abcdef", "must be a list"),
        ("tokens: [hunter2-0123456789abcdef]", "must be settings; write '- token: …'"),
        ("tokens: [{token: 0123456789abcdef, account: 208}]", "must be text; put it in quotes"),
        (
            "alerts: {email: {host: 'smtp.example.com:587', from: a@b.cz, to: [a@b.cz]}}",
            "write host: smtp.example.com and, on a line of its own, port: 587",
        ),
        (
            "alerts: {email: {host: 'smtps://smtp.example.com:465/', from: a@b.cz, to: [a@b.cz]}}",
            "write host: smtp.example.com and, on a line of its own, port: 465",
        ),
        (
            "alerts: {email: {host: smtp.example.com, from: Relay <a@b.cz>, to: [a@b.cz]}}",
            "write an address alone, such as a@b.cz",
        ),
        (
            "hubspot:\n  type: hubspot\n  token: x",
            "hubspot: unknown setting. Did you mean to indent it under connectors:?",
        ),
        ("connector: {}", "Did you mean 'connectors'?"),
        ("other: 1", "unknown setting; available: agents, alerts, business_hours, connectors, country, extract,"),
    ],
)
def test_a_section_says_what_to_type(tmp_path: Path, section: str, text: str) -> None:
    assert text in problems(tmp_path, f"{ARCHIVED}{section}\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "connectors:\n  archive:\n    type: archive\n   hubspot:\n    type: hubspot",
            "line 4: this line is indented differently from the lines above; line it up with 'archive:'",
        ),
        (
            "connectors:\n  archive:\n    type: archive\n    hubspot:\n      type: hubspot",
            "line 5: connectors.archive.hubspot: unknown setting. Is it a connector of its own? Then indent it",
        ),
        (
            "connectors:\n  archive:\n    type: archive\n  routes:\n    - to: [archive]",
            "is a section of its own; move it",
        ),
        (
            "connectors:\n  archive:\n    type: archive\n  retention:\n    dead_days: 3",
            "is a section of its own; move it",
        ),
        ("hubspot:\n  type: hubspot\n  token: x", "Did you mean to indent it under connectors:?"),
        ("connectors:\n  hubspot:\n    token: x", "line 3: connectors.hubspot.type: is missing; write type: hubspot"),
        ("connectors:\n  - type: archive", "remove the dashes"),
        ("connectors:\n  archive:", "is empty; write its settings below it, indented"),
        ("connectors:\n  a:\n    type:archive", "with a space after the colon"),
        ("connectors:\n  a:\n    type: archive\n    enabled = false\n", "line 4: this line is not 'key: value'"),
        ("connectors\n  a: {type: archive}", "line 2: the line above is not 'key: value'"),
        ("connectors:\n  a: {type: archive\nroutes: []", "a { that was opened in line 2 is never closed"),
        ("connectors:\n  a: [1, 2\nroutes: []", "a [ that was opened in line 2 is never closed"),
        ("connectors:\n  a:\n    type: 'archive\n", "a quote that was opened in line 3 is never closed"),
        ("connectors:\n\ta: {type: archive}", "line 2: use spaces, not tabs"),
        ("a: \x07", "an invisible control character"),
        ("connectors:\n  a: {type: archive}\n\xa0 b: {type: archive}", "an invisible character in its name"),
        ("connectors:\n  a: {type: archive}\n  b:\n    <<: archive\n", "name an anchor of some, as in '<<: *name'"),
    ],
)
def test_a_file_that_has_another_shape_says_where_and_what_to_type(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problems(tmp_path, text)


def test_settings_can_be_shared_by_anchors_and_merge_keys(tmp_path: Path) -> None:
    text = """\
x-desk: &desk {type: zendesk, email: relay@acme.example, api_token: "${TOKEN}"}
x-slow: &slow {rate: 1, concurrency: 1}
connectors:
  one: &one
    <<: [*slow, *desk]
    subdomain: acme
  two:
    <<: *one
    subdomain: acme-outlet
    rate: 5
"""
    found = read(tmp_path, text, TOKEN="xyz").connectors
    assert [found[name].model_dump()["subdomain"] for name in ("one", "two")] == ["acme", "acme-outlet"]
    assert [(found[name].rate, found[name].concurrency) for name in ("one", "two")] == [(1, 1), (5, 1)]
    assert [found[name].model_dump()["api_token"].get_secret_value() for name in ("one", "two")] == ["xyz", "xyz"]
    assert "line 2: connectors.one.rate: must be above 0" in problems(
        tmp_path, text.replace("rate: 1", "rate: 0"), TOKEN="x"
    )


def test_a_pile_of_aliases_is_refused_before_it_is_worked_out(tmp_path: Path) -> None:
    lines = ["x-a0: &a0 [1,1,1,1,1,1,1,1,1]"]
    lines += [f"x-a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    assert "values, aliases (*name) counted each time" in problems(tmp_path, "\n".join(lines))
