"""What version 0.1 called some things is understood by 0.2 too, and says what it is called now (docs/glossary.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.registry import settings_model
from core.config.doubts import doubts
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import Settings, masked
from core.errors import ConfigError
from core.store import Store, connect
from tests.support.admin import admin
from tests.support.command_line import CommandLine
from tests.support.made import conversation
from tests.support.server import Server
from tests.support.stack import TOKEN, chat

WEBHOOK = {"webhook": {"url": "https://example.com/alerts"}}


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


def test_relay_forget_is_relay_erase(cli: CommandLine) -> None:
    said = cli.run("forget", "--email", "nobody@example.com")
    assert "No data found for nobody@example.com." in said
    assert "It is now called erase." in said
    assert "forget" not in cli.run("--help")


def test_relay_notices_is_relay_alerts(cli: CommandLine) -> None:
    said = cli.run("notices", "test", code=2)
    assert "no alerts are configured; add webhook, email, slack, teams or notify under alerts in relay.yaml" in said
    assert "It is now called alerts." in said
    assert "notices" not in cli.run("--help")


def test_a_status_has_its_old_name_in_options_and_addresses(cli: CommandLine, server: Server, tmp_path: Path) -> None:
    identity = conversation(Store(connect(server.url)), chat(1), crm=None)
    for word in ("queued", "waiting"):
        assert f"crm:{identity}" in cli.run("deliveries", "--status", word)
        assert json.loads(cli.result("export", "--status", word).stdout)["id"] == identity
    assert "no deliveries" in cli.run("deliveries", "--status", "retrying")
    page = admin(server, tmp_path)
    for word in ("queued", "waiting"):
        html = page.get(f"/conversations?status={word}").text
        assert f"/conversations/{identity}" in html
        assert '<option value="queued" selected>Queued</option>' in html
    assert f"/conversations/{identity}" not in page.get("/conversations?status=retrying").text


def loaded(folder: Path, **sections: object) -> Settings:
    file = folder / "relay.yaml"
    file.write_text(json.dumps({"connectors": {"archive": {"type": "archive"}}, **sections}))
    variables = {"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(folder), "SMARTSUPP_TOKEN": TOKEN}
    return load(environment(variables), settings_model, variables)


def test_the_section_of_alerts_has_its_old_name_and_a_warning(tmp_path: Path) -> None:
    old, new = loaded(tmp_path, notices=WEBHOOK), loaded(tmp_path, alerts=WEBHOOK)
    assert old.alerts == new.alerts
    assert old.alerts.channels == ("webhook",)
    assert "notices" not in masked(old)
    [doubt] = doubts(old)
    assert doubt.text == "The section notices is now called alerts; version 0.3 will not read it."
    assert doubt.remedy == "Rename it to alerts."
    assert doubts(new) == []


def test_a_file_with_both_names_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="notices: is now called alerts, which is there too"):
        loaded(tmp_path, notices=WEBHOOK, alerts=WEBHOOK)
