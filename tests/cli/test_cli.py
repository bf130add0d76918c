from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
import jsonschema
import pytest
import yaml
from cryptography.fernet import Fernet

from app.admin import sample
from app.cli.sections import group
from app.cli.setup.init import example
from app.hook_url import Hook
from connectors.kit.step import Receipt
from connectors.testing.chats import SAMPLE
from core.delivery import Attempt, Exchange, Outcome, PayloadStatus, Reference, Revision
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Ledger, Renames, Store, connect
from core.store.claims import Limits
from core.store.protocol.keys import key
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import TOKEN, Stack, chat


@pytest.fixture
def store(server: Server) -> Store:
    return Store(connect(server.url))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> CommandLine:
    return CommandLine(tmp_path, server)


def dead_delivery(store: Store, error: str = "HTTP 422: no") -> None:
    store.accept(chat("c1"))
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim
    store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    claim = store.claim("archive", secrets.token_hex(8))
    assert claim
    request = Exchange("POST", "https://crm.example.com/api", 422, 7, error)
    attempt = Attempt(1_700_000_000_000, 12, Outcome.REFUSED, 1, 422, error, requests=(request,))
    store.settle(claim, attempt, reference=Reference(""))


def test_status_tells_that_a_connector_is_at_a_limit_of_its_own_once_that_makes_it_late(
    cli: CommandLine, store: Store, server: Server
) -> None:
    for name in ("c1", "c2"):
        store.accept(chat(name))
        claim = store.claim(INBOX, secrets.token_hex(8))
        assert claim
        store.fan_out(claim, ConversationId(f"1:{name}"), ["archive"])
    assert store.claim("archive", secrets.token_hex(8))
    assert store.claim("archive", secrets.token_hex(8), limits=Limits(at_once=1)) is None
    words = "archive: Its own limit (concurrency or rate in relay.yaml) is reached; the rest follows in turn."
    assert words not in cli.run("status")
    server.client.zincrby(key("lane", "archive"), -61_000, "archive:1:c2")
    assert words in cli.run("status")
    assert json.loads(cli.run("status", "--json"))["connectors"]["archive"]["limited"] is True


def test_status_tells_that_a_connector_is_slowed_down(cli: CommandLine, store: Store) -> None:
    store.accept(chat("c1"))
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim
    store.fan_out(claim, ConversationId("1:c1"), ["archive"])
    claim = store.claim("archive", secrets.token_hex(8), limits=Limits(rate=5))
    assert claim
    attempt = Attempt(1_700_000_000_000, 12, Outcome.RETRY, 1, 429, "HTTP 429")
    store.settle(claim, attempt, delay_ms=1000, trouble="throttled")
    assert "the rate is divided by 2.0." in cli.run("status")
    assert json.loads(cli.run("status", "--json"))["connectors"]["archive"]["slowed"] == 2


def test_status_tells_what_is_wrong_and_what_to_type(cli: CommandLine, store: Store) -> None:
    dead_delivery(store)
    store.divert(store.accept(b"nonsense").id, PayloadStatus.QUARANTINED, "not JSON")
    control(store).pause("archive", "the key has expired")
    said = cli.run("status")
    assert "1 routed, 1 quarantined" in said
    assert "relay dead list --connector archive" in said
    assert "Paused by you: the key has expired" in said
    assert "relay resume archive" in said
    assert "relay try archive" in said
    assert "none is running" in said
    found = json.loads(cli.run("status", "--json"))
    assert found["connectors"]["archive"]["dead"] == 1
    assert found["connectors"]["archive"]["state"] == "paused by you"
    assert found["payloads"]["quarantined"] == 1


def test_deliveries_are_listed_and_filtered(cli: CommandLine, store: Store) -> None:
    assert cli.run("deliveries") == "no deliveries\n"
    dead_delivery(store)
    assert "archive:1:c1" in cli.run("deliveries", "--status", "dead")
    assert cli.run("deliveries", "--status", "delivered") == "no deliveries\n"
    assert json.loads(cli.run("deliveries", "--connector", "nope", "--json")) == []
    (found,) = json.loads(cli.run("deliveries", "--connector", "archive", "--json"))
    assert (found["id"], found["status"], found["error"]) == ("archive:1:c1", "dead", "HTTP 422: no")


def test_show_says_until_when_a_delivery_waits_for_quiet(cli: CommandLine, store: Store) -> None:
    due = made.waiting_for_quiet(store, "archive")
    until = datetime.fromtimestamp(due / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    said = cli.run("show", "archive:1:1")
    assert f"waits until {until} for the chat to be quiet, or complete (relay replay archive:1:1 sends it now)" in said
    assert re.search(r"in \d+ min \(when quiet\)", cli.run("deliveries"))
    assert json.loads(cli.run("show", "archive:1:1", "--json"))["quiet_until"] == due
    cli.run("replay", "archive:1:1")
    assert "quiet" not in cli.run("show", "archive:1:1")


def test_show_tells_the_story_of_a_delivery_a_conversation_and_a_payload(
    cli: CommandLine, store: Store, ledger: Ledger
) -> None:
    dead_delivery(store)
    said = cli.run("show", "archive:1:c1")
    assert "refused, HTTP 422, 12 ms, revision 1" in said
    assert "POST https://crm.example.com/api → 422, 7 ms" in said
    said = cli.run("show", "1:c1")
    payload = ledger.conversation(ConversationId("1:c1")).payloads[0].id
    assert f"Revision 1   payload {payload}" in said
    assert "archive:1:c1  dead" in said
    assert chat("c1").decode() in cli.run("show", payload)
    found = json.loads(cli.run("show", "archive:1:c1", "--json"))
    assert found["attempts"][0]["requests"][0]["status"] == 422


def test_show_has_the_notes_of_a_connector_apart_from_the_steps(cli: CommandLine, store: Store) -> None:
    made.conversation(store, chat("c1"), archive=None)
    claim = made.claimed(store, "archive", "1:c1")
    store.remember(claim, "ticket", 7)
    store.remember(claim, "note owner", "owner: ann@shop.example is not an active agent. Nobody was named.")
    said = cli.run("show", "archive:1:c1")
    assert "Note         owner: ann@shop.example is not an active agent. Nobody was named." in said
    assert "Steps        ticket = 7\n" in said


@pytest.mark.parametrize("identity", ["nope", "1:nope", "archive:1:nope"])
def test_what_does_not_exist_is_said_in_a_sentence(relay: Stack, identity: str) -> None:
    assert f"'{identity}'" in relay.cli("show", identity, code=1)
    assert "Traceback" not in relay.cli("replay", identity, code=1)


def test_a_server_that_is_away_is_said_in_a_sentence(relay: Stack) -> None:
    relay.server.kill()
    said = relay.cli("status", code=1)
    assert "The store does not respond" in said
    assert "Traceback" not in said


def test_markup_and_control_codes_of_strangers_are_printed_as_text(cli: CommandLine, store: Store) -> None:
    dead_delivery(store, "\x1b[31m[red]bold[/red]\x07 \u202egnp.exe")
    for command in (("deliveries",), ("show", "archive:1:c1"), ("show", "1:c1")):
        said = cli.run(*command)
        assert "[red]bold[/red]" in said
        assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_replay_makes_a_dead_delivery_due(cli: CommandLine, store: Store) -> None:
    dead_delivery(store)
    assert cli.run("replay", "1:c1") == "archive:1:c1: queued for archive\n"
    assert store.claim("archive", "token")


def test_a_connector_is_paused_and_resumed(cli: CommandLine, store: Store) -> None:
    assert cli.run("pause", "archive", "--reason", "tidying") == "archive: paused\n"
    assert "archive: Paused by you: tidying." in cli.run("status")
    assert cli.run("resume", "archive") == "archive: resumed\n"
    assert cli.run("resume", "archive") == "archive: was not paused\n"


def test_send_posts_files_and_samples(relay: Stack) -> None:
    relay.web()
    file = relay.folder / "chat.json"
    file.write_bytes(chat("c1"))
    assert '202 {"id":' in relay.cli("send", str(file))
    assert '"status":"duplicate"' in relay.cli("send", str(file))
    assert "sample: 202" in relay.cli("send", "--sample")
    wrong = relay.hook.replace(TOKEN, "wrong")
    assert "403" in relay.cli("send", "--sample", "--url", wrong, code=1)
    assert "name a file, or pass --sample" in relay.cli("send", code=2)


def test_send_says_when_nobody_listens(relay: Stack) -> None:
    said = relay.cli("send", "--sample", code=1)
    assert "the receiver does not respond" in said
    assert TOKEN not in said


def test_the_sample_is_a_conversation_with_every_documented_field() -> None:
    made = sample.payload()

    def shape(value: object) -> object:
        if isinstance(value, dict) and "chatId" not in value and "customerId" not in value:
            return {key: shape(item) for key, item in value.items()}
        return shape(value[-1]) if isinstance(value, list) else None

    assert shape(made) == shape(SAMPLE)
    assert parse_conversation(sample.body()).visitor.name == "Žofie Nováková"


def test_the_samples_are_of_now_so_that_no_destination_takes_them_for_history() -> None:
    (said,) = re.findall(r"curl -d '(.*)' ", Hook("http://127.0.0.1", "", "").curl)
    for body in (sample.body(), said.encode()):
        revision = Revision(1, PayloadId("payload"), round(time.time() * 1000), "", body)
        assert not Receipt("shop:1:1", revision, list).is_past(parse_conversation(body))


def test_config_check_reports_everything_at_once_with_lines(relay: Stack) -> None:
    relay.config.write_text(
        "connectors:\n"
        "  archive:\n"
        "    type: archiv\n"
        "  hook:\n"
        "    type: webhook\n"
        "    urll: https://example.com\n"
        "    secret: ${NOT_SET}\n"
        "routes:\n"
        "  - when: conversation.is_mised\n"
        "    to: [hok]\n"
    )
    said = relay.cli("config", "check", code=2)
    for part in (
        "line 3: connectors.archive.type: there is no connector type 'archiv'; did you mean 'archive'?",
        "line 6: connectors.hook.urll: unknown setting. Did you mean 'url'?",
        "connectors.hook.url: is missing",
        "line 7: connectors.hook.secret: NOT_SET is not set",
        "line 9: routes[0].when: Conversation has no 'is_mised'; did you mean 'is_missed'?",
    ):
        assert part in said


def test_config_show_masks_every_secret(cli: CommandLine) -> None:
    secret = "c2VjcmV0LWZvci10ZXN0cy0wMTIzNDU2Nzg5"
    cli.environment["HOOK_SECRET"] = secret
    cli.config.write_text("connectors: {h: {type: webhook, url: 'https://x.example', secret: '${HOOK_SECRET}'}}")
    hidden = {
        "RELAY_METRICS_TOKEN": "metrics-4711-0123456789",
        "RELAY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }
    cli.environment.update(hidden)
    said = cli.run("config", "show")
    for one in (secret, TOKEN, *hidden.values()):
        assert one not in said
    assert json.loads(said)["connectors"]["h"]["url"] == "https://x.example/"


def test_the_schema_accepts_the_example_and_refuses_a_misspelt_setting(cli: CommandLine) -> None:
    schema = json.loads(cli.run("config", "schema"))
    written = yaml.safe_load(example())
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"connectors": {"a": {"type": "archive", "foldr": "x"}}}, schema)


def test_an_entry_point_of_another_package_is_a_connector_type(relay: Stack) -> None:
    package = relay.folder / "somebody" / "somebody-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[smartsupp_relay.connectors]\nmine = tests.support.third_party:Mine\n")
    relay.environment["PYTHONPATH"] = os.pathsep.join([str(package.parent), str(Path(__file__).parents[2])])
    relay.configure("connectors: {x: {type: mine, greeting: hi}}")
    assert "Enabled: x" in relay.cli("config", "check")
    assert "connector-mine" in relay.cli("config", "schema")


def test_a_connector_that_lies_beside_the_config_is_found(relay: Stack) -> None:
    source = Path(__file__).parents[1] / "support" / "third_party.py"
    (relay.folder / "mine.py").write_text(source.read_text())
    relay.configure("connectors: {x: {type: mine.Mine, greeting: hi}}")
    assert "Enabled: x" in relay.cli("config", "check")


def test_alive_tells_whether_a_worker_runs_here(relay: Stack) -> None:
    assert "no worker is alive on this machine" in relay.cli("alive", code=1)
    relay.worker()
    assert relay.cli("alive") == "alive\n"


def test_status_has_the_figures_of_a_span(cli: CommandLine, store: Store) -> None:
    assert "success" not in cli.run("status")
    made.chats(store, 3, archive=Outcome.DELIVERED)
    made.conversation(store, chat(9), archive=Outcome.REFUSED)
    said = cli.run("status")
    assert "Last day" in said
    assert "75.0%" in said
    found = cli.json("status", "--span", "hour")["statistics"]
    assert (found["span"], found["received"]["accepted"]) == ("hour", 4)
    figures = found["connectors"]["archive"]
    assert (figures["delivered"], figures["dead"], figures["success"]) == (3, 1, 0.75)
    assert figures["median"] <= figures["p95"]


def test_health_checks_and_config_checks_answer_in_json_with_their_exit_codes(cli: CommandLine) -> None:
    assert cli.json("alive", code=1) == {"alive": False, "workers": []}
    assert cli.json("config", "check")["right"] is True
    cli.config.write_text("connectors:\n  x: {type: archiv}")
    found = cli.json("config", "check", code=2)
    assert found["problems"][0]["line"] == 2
    assert "did you mean 'archive'" in found["problems"][0]["text"]


def leaves(commands: Mapping[str, click.Command], *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command.commands, *before, name)
        elif not command.hidden:
            yield (*before, name), command


COMMANDS = dict(leaves(group.commands))
#: They run on, or write for another program anyway.
WITHOUT_JSON = {("up",), ("demo",), ("web",), ("worker",), ("completion",), ("export",), ("connectors", "login")}


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cli: CommandLine, name: tuple[str, ...]) -> None:
    command = COMMANDS[name]
    assert command.help
    said = cli.run(*name, "--help")
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(one.help or one.type.name == "choice" for one in options), options
    assert ("--json" in said) is (name not in WITHOUT_JSON)


def test_what_takes_no_json_is_said(cli: CommandLine) -> None:
    said = " ".join(cli.run("--help").split())
    assert "Every listing takes --json." in said
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    about = page.partition("- **`--json`**")[2].partition("\n- ")[0]
    assert {" ".join(name) for name in WITHOUT_JSON} <= set(re.findall(r"`([\w ]+)`", about))


def test_the_configuration_is_json_with_and_without_being_asked(cli: CommandLine) -> None:
    for what in ("show", "schema"):
        assert cli.json("config", what) == json.loads(cli.run("config", what))


@pytest.mark.parametrize("name", [one for one in COMMANDS if "notices" not in one], ids=" ".join)
def test_every_command_and_option_stands_in_the_docs(name: tuple[str, ...]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    assert f"relay {' '.join(name)}" in page
    for one in COMMANDS[name].params:
        if isinstance(one, click.Option):
            assert f"`{one.opts[-1]}" in page, one.opts


def test_the_help_lists_every_command_once(cli: CommandLine) -> None:
    listed = [line.split()[0] for line in cli.run("--help").splitlines() if line.startswith("  ") and line[2] != " "]
    for name, command in group.commands.items():
        assert listed.count(name) == (0 if command.hidden else 1), name


@pytest.mark.processes
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("relay pau", {"pause"}),
        ("relay pause ", {"archive", "crm"}),
        ("relay dead list --connector c", {"crm"}),
        ("relay deliveries --status d", {"delivered", "dead", "discarded"}),
    ],
)
def test_a_shell_completes_commands_connectors_and_statuses(cli: CommandLine, words: str, found: set[str]) -> None:
    number = len(words.split(" ")) - 1
    variables = {"_RELAY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    said, _ = cli.process(variables=variables)
    assert {line.partition(",")[2] for line in said.split()} == found


@pytest.mark.processes
def test_completion_says_nothing_when_the_configuration_is_broken(cli: CommandLine) -> None:
    cli.config.write_text("connectors: [")
    variables = {"_RELAY_COMPLETE": "bash_complete", "COMP_WORDS": "relay pause ", "COMP_CWORD": "2"}
    said, beside = cli.process(variables=variables)
    assert (said.strip(), beside) == ("", "")


@pytest.mark.processes
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(cli: CommandLine, shell: str) -> None:
    script = cli.run("completion", shell)
    assert f"_RELAY_COMPLETE={shell}_complete" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)  # noqa: S607  # whichever bash there is


def test_while_the_file_is_broken_people_can_look_and_hold_a_connector(cli: CommandLine, store: Store) -> None:
    made.chats(store, 1, archive=None)
    cli.config.write_text("nonsense: 1\n")
    assert "still uses the previous version" in cli.run("status")
    for command in (("pause", "archive", "--reason", "an incident"), ("try", "archive"), ("resume", "archive")):
        cli.run(*command)
    assert "there is no connector 'nobody'" in cli.run("pause", "nobody", "--reason", "x", code=1)


def test_a_delivery_is_replayed_by_the_id_that_it_had_before_a_renaming(cli: CommandLine, store: Store) -> None:
    made.chats(store, 1, old=Outcome.REFUSED)
    cli.config.write_text("connectors: {new: {type: archive, formerly: [old]}}")
    settings = made.settings("new", formerly={"new": ["old"]})
    names = Renames(store._redis)
    names.adopt(settings)
    names.finish(60)
    assert "queued for new" in cli.run("replay", "old:1:1")
    assert "is not in relay.yaml, so nothing can be delivered" in cli.run("replay", "gone:1:1", code=1)
