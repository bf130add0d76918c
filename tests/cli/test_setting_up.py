"""Connectors, secrets and versions of relay.yaml from a terminal, and the .env beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import Settings
from core.config.sources import dotenv_file
from core.errors import ConfigError
from core.store import Store, connect
from tests.support.command_line import CommandLine
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat

FILE = """\
# the shop
connectors:
  archive:
    type: archive # every chat
"""
SECRET = "pat-eu1-kept-0123456789"


@pytest.fixture
def cli(server: Server, tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path, server)
    made.config.write_text(FILE)
    return made


def loaded(cli: CommandLine) -> Settings:
    return load(environment(cli.environment), settings_model, {})


def test_a_connector_is_added_with_its_secret_beside_the_file(cli: CommandLine) -> None:
    said = cli.run("connectors", "add", "hubspot", "--set", "rate=5", "--yes", given=f"{SECRET}\n".encode())
    assert "+    token: ${secret:hubspot-token}" in said
    assert cli.config.read_text().startswith(FILE)
    assert SECRET not in said + cli.config.read_text()
    hubspot = loaded(cli).connectors["hubspot"]
    assert hubspot.token.get_secret_value() == SECRET  # type: ignore[attr-defined]
    assert hubspot.rate == 5


def test_a_secret_that_another_connector_uses_is_not_overwritten(cli: CommandLine) -> None:
    cli.config.write_text(FILE + "  crm: {type: hubspot, token: '${secret:hubspot-token}'}\n")
    cli.run("secrets", "set", "hubspot-token", given=b"pat-of-crm-0123456789\n")
    cli.run("connectors", "add", "hubspot", "--yes", given=f"{SECRET}\n".encode())
    found = {name: one.token.get_secret_value() for name, one in loaded(cli).connectors.items() if name != "archive"}  # type: ignore[attr-defined]
    assert found == {"crm": "pat-of-crm-0123456789", "hubspot": SECRET}
    assert "${secret:hubspot-token-2}" in cli.config.read_text()


def test_a_dry_run_shows_the_difference_and_changes_nothing(cli: CommandLine) -> None:
    told = cli.json("connectors", "add", "hubspot", "--dry-run", given=f"{SECRET}\n".encode())
    assert told["saved"] is False
    assert "+  hubspot:" in told["difference"]
    assert cli.config.read_text() == FILE
    assert not (cli.folder / "secrets").exists()


def test_nothing_is_saved_without_a_yes(cli: CommandLine) -> None:
    assert "pass --yes" in cli.run("connectors", "add", "hubspot", given=f"{SECRET}\n".encode(), code=2)
    assert cli.config.read_text() == FILE


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hubspot", "--set", f"token={SECRET}"], "would stay in the history"),
        (["hubspot", "--set", "tokn=x"], "with KEY one of: token"),
        (["hubspott"], "did you mean 'hubspot'"),
        (["shop", "--type", "webhook", "--secret", "url"], "its secrets are secret"),
        (["hubspot", "--set", "token=${TOKEN}", "--when", "x", "--no-route"], "do not go together"),
        (["hubspot", "--set", "token=${TOKEN}", "--set", "fields=x"], "write one a line, as NAME: VALUE"),
    ],
)
def test_wrong_usage_says_what_to_type(cli: CommandLine, arguments: list[str], says: str) -> None:
    said = cli.run("connectors", "add", *arguments, code=2)
    assert says in said
    assert cli.config.read_text() == FILE


def test_a_mistake_is_the_loaders_own_words_and_nothing_is_saved(cli: CommandLine) -> None:
    with pytest.raises(AssertionError, match="rate: must be above 0"):
        cli.run("connectors", "add", "hubspot", "--set", "rate=-1", "--yes", given=SECRET.encode())
    with pytest.raises(AssertionError, match="there is a connector of this name"):
        cli.run("connectors", "add", "archive", "--yes")
    assert cli.config.read_text() == FILE
    assert not (cli.folder / "secrets").exists()


@pytest.mark.parametrize(
    ("options", "routes"),
    [
        ([], [(["archive", "more"], "true")]),
        (["--when", "conversation.is_missed"], [(["archive"], "true"), (["more"], "conversation.is_missed")]),
    ],
)
def test_without_routes_a_condition_keeps_the_others_as_they_were(
    cli: CommandLine, options: list[str], routes: object
) -> None:
    cli.run("connectors", "add", "more", "--type", "archive", "--set", "folder=more", *options, "--yes")
    assert [(route.to, route.when) for route in loaded(cli).routes] == routes


def test_with_routes_a_new_connector_gets_one_or_a_warning(cli: CommandLine) -> None:
    cli.config.write_text(FILE + "routes:\n  - to: [archive]\n")
    said = cli.run("connectors", "add", "idle", "--type", "archive", "--set", "folder=i", "--no-route", "--yes")
    assert "No route leads to idle" in said
    cli.run("connectors", "add", "more", "--type", "archive", "--set", "folder=m", "--yes")
    assert [route.to for route in loaded(cli).routes] == [["archive"], ["more"]]


def test_a_connector_is_removed_with_its_routes_and_undo_brings_both_back(cli: CommandLine) -> None:
    text = FILE + "  own: {type: archive, folder: own}\nroutes:\n  - to: [own]\n  - to: [archive, own] # both\n"
    cli.config.write_text(text)
    cli.run("connectors", "remove", "own", "--yes")
    assert cli.config.read_text() == FILE + "routes:\n  - to: [archive] # both\n"
    (version,) = cli.json("config", "history")
    assert version["what"] == "Remove own"
    assert version["by"]
    assert "Remove own" in cli.run("config", "history")
    assert cli.json("config", "undo", "--dry-run")["difference"]
    cli.run("config", "undo", "--yes")
    assert cli.config.read_text() == text
    cli.run("config", "undo", "2", "--yes")
    assert "own" not in cli.config.read_text()
    assert "there is no version 99" in cli.run("config", "undo", "99", "--yes", code=1)
    assert "no connector 'nobody'" in cli.run("connectors", "remove", "nobody", "--yes", code=1)


def test_without_a_change_there_is_nothing_to_undo(cli: CommandLine) -> None:
    assert "nothing was changed" in cli.run("config", "undo", code=1)
    assert cli.json("config", "history") == []


def test_a_read_only_file_gives_the_difference_to_copy(cli: CommandLine) -> None:
    cli.config.chmod(0o444)
    found = cli.result("connectors", "add", "hubspot", "--yes", given=SECRET.encode(), code=1)
    assert "+  hubspot:" in found.stdout
    assert "is read-only" in found.stderr
    assert "relay secrets set: hubspot-token" in found.stderr
    told = cli.json("connectors", "add", "hubspot", "--yes", given=SECRET.encode(), code=1)
    assert told["saved"] is False
    assert cli.config.read_text() == FILE


def test_what_is_queued_for_a_removed_connector_is_said(cli: CommandLine, server: Server) -> None:
    cli.config.write_text(FILE + "  own: {type: archive, folder: own}\n")
    store = Store(connect(server.url))
    control(store).pause("own", "later")
    Inline(store, cli.folder, cli.config.read_text()).take(chat("c1"))
    assert "1 delivery is queued for own" in cli.run("connectors", "remove", "own", "--yes")
    assert "own" not in cli.config.read_text()


# --- set -----------------------------------------------------------------------------

WITH_CRM = (
    FILE
    + """\
  crm:
    type: hubspot
    token: ${secret:crm}
    rate: 3 # they asked for it
    tags: [a, b]
"""
)


@pytest.fixture
def crm(cli: CommandLine) -> CommandLine:
    cli.config.write_text(WITH_CRM)
    cli.run("secrets", "set", "crm", given=f"{SECRET}\n".encode())
    return cli


def test_settings_are_changed_and_taken_away_and_all_else_stays(crm: CommandLine) -> None:
    said = crm.run("connectors", "set", "crm", "pipeline=7", "rate=", "tags=x,y", "person=city: {{ phone }}", "--yes")
    assert "-    rate: 3 # they asked for it" in said
    hubspot = loaded(crm).connectors["crm"].model_dump()
    assert hubspot["pipeline"] == "7"
    assert hubspot["rate"] == 9
    assert hubspot["tags"] == ("x", "y")
    assert hubspot["person"] == {"city": "{{ phone }}"}
    text = crm.config.read_text()
    assert text.startswith(FILE)
    assert "    token: ${secret:crm}\n" in text
    assert crm.json("config", "history")[0]["what"] == "Change crm"


def test_a_secret_is_replaced_under_its_name_and_the_file_stays(crm: CommandLine) -> None:
    crm.config.chmod(0o444)
    said = crm.run("connectors", "set", "crm", "--secret", "token", "--yes", given=b"pat-new-0123456789\n")
    assert "Only secrets change: crm." in said
    assert "pat-new" not in said
    assert crm.config.read_text() == WITH_CRM
    assert loaded(crm).connectors["crm"].token.get_secret_value() == "pat-new-0123456789"  # type: ignore[attr-defined]


def test_a_secret_moves_out_of_the_file(cli: CommandLine) -> None:
    cli.config.write_text(FILE + f"  crm: {{type: hubspot, token: {SECRET}}}\n")
    said = cli.run("connectors", "set", "crm", "--secret", "token", "--yes", given=b"pat-new-0123456789\n")
    assert SECRET not in said
    assert "token: '${secret:crm-token}'" in cli.config.read_text()
    assert loaded(cli).connectors["crm"].token.get_secret_value() == "pat-new-0123456789"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "name what to change"),
        (["speed=1"], 2, "speed: write KEY=VALUE, with KEY one of: token"),
        ([f"token={SECRET}"], 2, "would stay in the history"),
        (["type=webhook"], 2, "with KEY one of"),
        (["rate=-1", "--yes"], 1, "connectors.crm.rate: must be above 0"),
        (["person=x", "--yes"], 2, "person: write one a line, as NAME: VALUE"),
    ],
)
def test_a_wrong_change_says_what_to_type(crm: CommandLine, arguments: list[str], code: int, says: str) -> None:
    assert says in " ".join(crm.run("connectors", "set", "crm", *arguments, code=code).split())
    assert crm.config.read_text() == WITH_CRM


def test_only_what_is_in_the_file_can_be_changed(crm: CommandLine) -> None:
    assert "no connector 'nobody'" in crm.run("connectors", "set", "nobody", "rate=1", "--yes", code=1)


# --- secrets -------------------------------------------------------------------------


def test_secrets_are_set_listed_and_removed_and_never_printed(cli: CommandLine) -> None:
    cli.config.write_text(FILE + "  hubspot: {type: hubspot, token: '${secret:crm}'}\n")
    assert "there is no secret 'crm'; set it with: relay secrets set crm" in str(failure(cli))
    assert "crm: not set" in cli.run("secrets", "list")
    said = cli.run("secrets", "set", "crm", given=f"{SECRET}\n".encode())
    said += cli.run("secrets", "set", "other", given=b"x-0123456789\n")
    assert loaded(cli).connectors["hubspot"].token.get_secret_value() == SECRET  # type: ignore[attr-defined]
    said += cli.run("secrets", "list") + json.dumps(cli.json("secrets", "list"))
    said += cli.run("config", "show")
    assert "other: set" in said
    assert "relay.yaml does not use it" in said
    assert SECRET not in said
    assert [(one["name"], one["used"]) for one in cli.json("secrets", "list")] == [("crm", True), ("other", False)]
    cli.run("secrets", "remove", "other")
    assert "pass --yes" in cli.run("secrets", "remove", "crm", code=2)
    cli.run("secrets", "remove", "crm", "--yes")
    assert cli.json("secrets", "list") == [{"name": "crm", "used": True, "set": False}]
    assert "no secret 'crm'" in cli.run("secrets", "remove", "crm", code=1)


def failure(cli: CommandLine) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        loaded(cli)
    return raised.value


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [("Bad Name", b"x\n", "a name has at most 128"), ("empty", b"\n", "empty"), ("long", b"x" * 70_000, "at most")],
)
def test_a_secret_that_cannot_be_kept_is_refused(cli: CommandLine, name: str, given: bytes, says: str) -> None:
    assert says in cli.run("secrets", "set", name, given=given, code=1)
    assert cli.json("secrets", "list") == []


# --- .env ----------------------------------------------------------------------------


def test_a_variable_of_the_env_file_is_read_by_every_command(cli: CommandLine) -> None:
    cli.config.write_text(FILE + "  hubspot: {type: hubspot, token: '${HUBSPOT_TOKEN}'}\n")
    env_file = cli.folder / ".env"
    env_file.write_text(f"# ours\nexport HUBSPOT_TOKEN='{SECRET}' # quoted\nEMPTY\n")
    assert cli.json("config", "check")["right"] is True
    assert loaded(cli).connectors["hubspot"].token.get_secret_value() == SECRET  # type: ignore[attr-defined]
    # The environment wins.
    wins = load(environment(cli.environment), settings_model, {"HUBSPOT_TOKEN": "of-the-environment"})
    assert wins.connectors["hubspot"].token.get_secret_value() == "of-the-environment"  # type: ignore[attr-defined]


def test_a_mistake_in_the_env_file_has_its_line(cli: CommandLine) -> None:
    (cli.folder / ".env").write_text("A=1\n\nthis is no variable\n")
    found = failure(cli)
    assert found.source == str(cli.folder / ".env")
    assert str(found.problems[0]) == "line 3: is not NAME=value; correct it, or put a # in front"


def test_a_value_is_taken_as_it_is_written(cli: CommandLine) -> None:
    (cli.folder / ".env").write_text("FOLDER=a${HOME}b$c\n")
    cli.config.write_text("connectors: {archive: {type: archive, folder: '${FOLDER}'}}")
    assert str(loaded(cli).connectors["archive"].folder) == "a${HOME}b$c"  # type: ignore[attr-defined]


def test_a_folder_called_env_is_somebodys_python(cli: CommandLine) -> None:
    (cli.folder / ".env").mkdir()
    assert loaded(cli).enabled == ("archive",)


def test_what_a_process_reads_at_its_start_is_taken_from_it_unless_it_is_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RELAY_PORT=9001\nRELAY_HOST=::1\nPORT=1\nOTHER=x\nSMARTSUPP_TOKEN=abc\n")
    variables = {"RELAY_CONFIG": str(tmp_path / "relay.yaml"), "RELAY_HOST": "127.0.0.2"}
    dotenv_file.adopt(variables)
    assert variables == {
        "RELAY_CONFIG": str(tmp_path / "relay.yaml"),
        "RELAY_HOST": "127.0.0.2",
        "RELAY_PORT": "9001",
        "SMARTSUPP_TOKEN": "abc",
    }


@pytest.mark.processes
def test_the_command_reads_the_env_file_where_it_stands(cli: CommandLine) -> None:
    (cli.folder / ".env").write_text("RELAY_PUBLIC_URL=https://relay.example.com\n")
    out, _ = cli.process("config", "show")
    assert json.loads(out)["environment"]["public_url"] == "https://relay.example.com"
    (cli.folder / ".env").write_text("RELAY_PUBLIC_URL=nonsense\n")
    _, beside = cli.process("config", "show", code=2)
    assert "RELAY_PUBLIC_URL" in beside


def test_whoever_has_set_a_variable_in_this_terminal_only_is_told(
    cli: CommandLine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.config.write_text(FILE + "  hubspot: {type: hubspot, token: '${HUBSPOT_TOKEN}'}\n")
    why = str(failure(cli))
    Store(connect(server.url)).beat("here:1", why)
    monkeypatch.setenv("HUBSPOT_TOKEN", SECRET)
    for command in (("config", "check"), ("connectors", "check", "archive")):
        said = cli.run(*command)
        assert "The running relay does not have HUBSPOT_TOKEN: it is set in this terminal only." in said
        assert f"Write it into {cli.folder / '.env'}, which needs no restart." in said
