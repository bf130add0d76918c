"""`formerly`: what the file may say of earlier names, and what it answers where it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import registry
from connectors.archive import Archive
from connectors.kit.record import RecordSettings
from core.config.doubts import gone_remedy
from core.config.former_names import first_name
from tests.core.test_settings import Config

FRESHDESK = "type: freshdesk, domain: shop, api_key: secret-key-0123456789"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def test_earlier_names_lead_to_the_connector(config: Config) -> None:
    settings = config.load("connectors: {crm: {type: archive, formerly: [desk, help]}, b: {type: archive}}")
    assert settings.renames == {"desk": "crm", "help": "crm"}
    assert first_name("crm", settings.connectors["crm"].formerly) == "desk"
    assert first_name("b", settings.connectors["b"].formerly) == "b"


@pytest.mark.parametrize(
    ("connectors", "problem"),
    [
        (
            "a: {type: archive, formerly: [c]}, b: {type: archive, formerly: [c]}",
            "connectors.b.formerly[0]: 'c' was a, as it says there; only one connector can continue it",
        ),
        (
            "a: {type: archive, formerly: [b]}, b: {type: archive}",
            "connectors.a.formerly[0]: there is a connector 'b' still. If that is another destination, give it another"
            " name; if it is this one, remove it",
        ),
        (
            "a: {type: archive, formerly: [b]}, b: {type: archiv}",
            "connectors.a.formerly[0]: there is a connector 'b' still.",
        ),
        ("a: {type: archive, formerly: [a]}", "connectors.a.formerly[0]: 'a' is its name today"),
        ("a: {type: archive, formerly: [c, d, c]}", "connectors.a.formerly[2]: 'c' is listed twice; remove one"),
        ("a: {type: archive, formerly: [inbox]}", "connectors.a.formerly[0]: a name is small letters, digits, '-'"),
        ("a: {type: archive, formerly: [Help Desk]}", "connectors.a.formerly[0]: a name is small letters"),
        ("a: {type: archive, formerly: c}", "connectors.a.formerly: "),
    ],
)
def test_a_name_that_cannot_be_an_earlier_one_is_refused(config: Config, connectors: str, problem: str) -> None:
    found = config.problems(f"connectors: {{{connectors}}}")
    assert any(problem in one for one in found), found


def test_a_route_to_an_earlier_name_says_the_new_one(config: Config) -> None:
    [problem] = config.problems("connectors: {crm: {type: archive, formerly: [desk]}}\nroutes:\n- to: [desk]\n")
    assert problem == "line 3: routes[0].to[0]: 'desk' is called 'crm' now; write that"


def test_a_pause_for_refused_credentials_does_not_end_by_a_renaming(config: Config) -> None:
    before = config.load(f"connectors: {{desk: {{{FRESHDESK}}}}}").fingerprints["desk"]
    after = config.load(f"connectors: {{crm: {{{FRESHDESK}, formerly: [desk]}}}}").fingerprints["crm"]
    assert before == after


def test_the_mark_of_the_second_connector_of_an_account_stays(config: Config, tmp_path: Path) -> None:
    def marks(text: str) -> dict[str, str]:
        found = registry.build(config.load(f"connectors: {{{text}}}"), tmp_path)
        return {name: one.settings._key_end for name, one in found.items() if isinstance(one.settings, RecordSettings)}

    assert marks(f"a: {{{FRESHDESK}}}, b: {{{FRESHDESK}}}") == {"a": "", "b": ":b"}
    assert marks(f"z: {{{FRESHDESK}, formerly: [a]}}, c: {{{FRESHDESK}, formerly: [b]}}") == {"z": "", "c": ":b"}
    assert marks(f"z: {{{FRESHDESK}}}, d: {{{FRESHDESK}, formerly: [b, c]}}") == {"z": "", "d": ":b"}


def test_the_remedy_for_a_vanished_connector_names_what_to_type() -> None:
    assert "If desk has another name now, write formerly: [desk] below that one" in gone_remedy("desk")


def test_a_connector_that_somebody_else_wrote_has_the_setting_too() -> None:
    assert "formerly" in Archive.settings_model.model_fields
