"""Every command with `--json` says there what it says as text: no sentence of a person's is missing for a script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from click.testing import CliRunner

from app.cli.sections import group
from connectors.registry import types
from core.delivery import Outcome, PayloadStatus
from core.errors import RelayError
from core.ids import DeliveryId
from core.store import Access, Store, connect
from tests.support.command_line import CommandLine
from tests.support.destination import Destination
from tests.support.made import claimed, control, conversation, settle
from tests.support.server import Server
from tests.support.stack import chat

CONFIG: dict[str, Any] = {
    "connectors": {
        "archive": {"type": "archive"},
        "lonely": {"type": "archive", "folder": "lonely"},
        "held": {"type": "archive", "folder": "held"},
        "desk": {
            "type": "freshdesk",
            "base_url": "http://127.0.0.1:9",
            "allow_networks": ["127.0.0.0/8"],
            "api_key": "secret-of-the-desk",
        },
        "spare": {"type": "archive", "folder": "spare", "enabled": False},
    },
    "routes": [{"to": ["archive", "held", "spare", "desk"], "when": "not conversation.is_offline"}],
}

Prepare = Callable[["Relay"], None]


def nothing(_: Relay) -> None: ...


@dataclass(frozen=True)
class Case:
    """`before` makes the state of both runs the same. `only_text` are words that only a person needs: headings of
    columns that have another name in JSON, and advice that is the same whatever was found."""

    command: str
    only_text: str = ""
    before: Prepare = nothing
    code: int = 0
    given: str = ""


@dataclass
class Relay:
    cli: CommandLine
    store: Store
    destination: Destination
    config: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CONFIG)))

    def configure(self, **changes: Any) -> None:
        self.cli.config.write_text(json.dumps({**self.config, **changes}))


def _paused(relay: Relay) -> None:
    control(relay.store).pause("held", "stock taking")


def _dead(relay: Relay) -> None:
    control(relay.store).replay(DeliveryId("archive:1:dead"))
    settle(relay.store, claimed(relay.store, "archive", "1:dead"), Outcome.REFUSED, error="subject is too long")


def _with_alerts(relay: Relay) -> None:
    hook = {"url": relay.destination.url, "allow_networks": ["127.0.0.0/8"]}
    relay.configure(alerts={"webhook": hook})


def _unlisted(relay: Relay) -> None:
    (relay.cli.folder / "out.tar").unlink(missing_ok=True)


def _naming_secrets(relay: Relay) -> None:
    connectors = {**CONFIG["connectors"], "desk": {**CONFIG["connectors"]["desk"], "api_key": "${secret:not-there}"}}
    relay.configure(connectors=connectors)
    for name in ("kept", "of-nobody"):
        CliRunner().invoke(group, ["secrets", "set", name], env=relay.cli.environment, input="secret-0123\n")


def _changed(relay: Relay) -> None:
    CliRunner().invoke(group, ["connectors", "add", "more", "--type", "archive", "--yes"], env=relay.cli.environment)


def _not_there(relay: Relay) -> None:
    relay.cli.config.unlink()


# `dead letter` and `queued` are the words for what JSON, as the store, has always called dead and waiting.
_TABLE = "Delivery Status Changed Attempts Next Record reason letter queued"
_SAVED = (
    "Saved. A running relay takes it within seconds; relay config undo takes it back. queued wait until there again"
)
CASES = [
    Case(
        "status",
        "Payloads Workers Config Connector State flight waiting longest Last median 95th percentile success letters"
        " none running start with worker has list chat was then replay status undelivered There relay deliveries queued"
        " anywhere",
    ),
    Case("deliveries", f"{_TABLE} connector paused"),
    Case("deliveries --status dead", _TABLE),
    Case("deliveries --status undelivered", "Chat"),
    Case("payloads", "Payload Bytes Chat Reason"),
    Case("show archive:1:dead", "Delivery Queued attempt HTTP letter reason"),
    Case("show 1:nowhere", f"{_TABLE} Chat Revision payload received deliveries Not delivered anywhere"),
    Case("show {payload}", "Payload Reason Bytes"),
    Case("causes", "Cause Connector Dead letters Last What happened"),
    Case("causes --limit 1 --connector archive", "Cause Connector Dead letters Last What happened shows more"),
    Case("jobs", "no jobs Action Started Processed Matched Done State Filter finished"),
    Case("source status", "no backfill and no comparison so far"),
    Case("alive", "worker this machine start with relay", code=1),
    Case("dead list", f"{_TABLE} letter"),
    Case("dead list --limit 1", f"{_TABLE} letter shows more"),
    Case("dead replay archive:1:dead", "", _dead),
    Case("dead discard archive:1:dead --reason mistake", "", _dead),
    Case("replay archive:1:dead", "", _dead),
    Case("replay spare:1:1"),
    Case("replay nobody:1:1", code=1),
    Case("replay --connector archive --until 2020-01-01 --yes"),
    Case("replay --text nobody@example.org --yes"),
    Case("replay --connector archive --since 1d --again --yes", "queued follow them with relay status"),
    Case("replay --status dead --yes", "queued follow them with relay status", _dead),
    Case("discard archive:1:dead --reason mistake", "", _dead),
    Case("pause held --reason lunch"),
    Case("resume held", "", _paused),
    Case("resume archive"),
    Case("try held", "", _paused),
    Case("try archive"),
    Case("import {whole}", "processed already stored"),
    Case("import {broken}", "processed refused", code=1),
    Case("erase --email nobody@example.com --yes", "No data found"),
    Case("connectors list", f"Types any class dotted path {' '.join(types())}"),  # config schema has them for scripts
    Case("connectors check", "nothing check", code=1),
    Case("connectors setup archive --yes", "archive nothing"),
    Case("preview {whole} --connector desk"),
    Case("connectors add more --type archive --set folder=more --yes", f"Next connectors check then setup {_SAVED}"),
    Case("connectors add more --type archive --set folder=more --no-route --yes", f"Next check then setup {_SAVED}"),
    Case("connectors add more --type archive --dry-run", "Next connectors check setup"),
    Case("connectors set archive folder=other --yes", f"Next connectors check then setup {_SAVED}"),
    Case("connectors set archive folder=other --dry-run", "Next connectors check setup"),
    Case("connectors remove spare --yes", _SAVED),
    Case("secrets set kept", "Write into relay.yaml secret", given="secret-0123\n"),
    Case("secrets list", "though names with does relay.yaml secrets", _naming_secrets),
    Case("secrets remove kept --yes", "", _naming_secrets),
    Case("config history", "", _changed),
    Case("config undo --dry-run", "", _changed),
    Case("config check", "Enabled"),
    Case("config check", code=2, before=lambda relay: relay.configure(connectorz={})),
    Case("doctor", code=1),
    Case(
        "init",
        "Wrote archives everything archive every chat Next add your CRM help desk then run config check Start with",
        _not_there,
    ),
    Case("alerts test", "", _with_alerts),
    Case(
        "backup {folder}/out.tar --without-store",
        "Contents Keep RELAY_ENCRYPTION_KEYS elsewhere files that relay.yaml names with them does include backup",
        _unlisted,
    ),
]
#: Commands that are not walked, with the test that compares them or the reason.
ELSEWHERE = {
    "admin login-link": "makes a link that is new each time: tests/dashboard/test_login.py",
    "admin set-password": "makes a password that is new each time: tests/dashboard/test_login.py",
    "connectors new": "needs an empty folder each time: tests/cli/test_new.py",
    "config schema": "prints JSON either way",
    "config show": "prints JSON either way",
    "restore": "needs an empty data folder each time: tests/cli/test_backup.py",
    "source check": "needs a Smartsupp: tests/cli/test_source.py",
    "source reconcile": "needs a Smartsupp: tests/cli/test_source.py",
    "source stop": "needs a Smartsupp: tests/cli/test_source.py",
    "source move": "needs a Smartsupp: tests/cli/test_source.py",
    "source drop": "needs a Smartsupp: tests/cli/test_source.py",
    "backfill": "needs a Smartsupp: tests/cli/test_source.py",
    "repair": "needs damaged files: tests/cli/test_repair.py",
    "send": "needs a receiver, whose answer it prints either way: tests/e2e/test_pipeline.py",
}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("json")
    server = Server(folder / "valkey").start()
    with Destination() as destination:
        made = Relay(CommandLine(folder, server), Store(connect(server.url)), destination)
        store = made.store
        conversation(store, chat(1), archive=Outcome.DELIVERED, held=None, spare=None)
        conversation(store, chat("dead"), archive=Outcome.REFUSED)
        conversation(store, chat("also-dead"), archive=Outcome.REFUSED)
        conversation(store, chat("nowhere"))
        broken = store.accept(b"no json")
        claim = store.claim("inbox", "q")
        assert claim
        store.divert(claim.payload, PayloadStatus.QUARANTINED, "not JSON: expected a value", token=claim.token)
        (folder / "whole.json").write_bytes(chat(1))
        (folder / "broken.json").write_bytes(b"{")
        Access(connect(server.url)).set_password("scrypt:1:1:1$a$b")
        made.cli.environment |= {"PAYLOAD": broken.id}
        yield made
    server.stop()


def words(text: str) -> set[str]:
    """What is said, without numbers, dates and ids that are spelled otherwise in JSON."""
    return set(re.findall(r"[a-z][a-z-]{2,}[a-z]", text.lower()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
def test_json_says_what_the_text_says(relay: Relay, case: Case) -> None:
    places = {
        "payload": relay.cli.environment["PAYLOAD"],
        "folder": str(relay.cli.folder),
        "whole": str(relay.cli.folder / "whole.json"),
        "broken": str(relay.cli.folder / "broken.json"),
    }
    command = case.command.format(**places).split()

    def ran(*more: str) -> tuple[str, str]:
        relay.configure()
        case.before(relay)
        found = CliRunner().invoke(group, [*command, *more], env=relay.cli.environment, input=case.given)
        if isinstance(found.exception, RelayError):  # which app.cli.main says in a sentence
            return found.stdout, f"{found.stderr}{found.exception}"
        assert found.exit_code == case.code, (found.output, found.exception)
        return found.stdout, found.stderr

    text, beside = ran()
    machine, beside_machine = ran("--json")
    if machine:
        machine = " ".join(_values(json.loads(machine)))
    missing = words(text + beside) - words(machine) - words(beside_machine) - words(case.only_text)
    assert not missing, f"{sorted(missing)}\n{text}\n{machine}"


def _values(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for name, value in found.items():
            yield name.replace("_", " ")
            yield from _values(value)
    elif isinstance(found, list):
        for one in found:
            yield from _values(one)
    else:
        yield found if isinstance(found, str) else json.dumps(found)


def test_every_command_that_takes_json_is_walked() -> None:
    assert _with_json(group, "") == {_named(case.command) for case in CASES} | set(ELSEWHERE)


def _with_json(command: click.Command, name: str) -> set[str]:
    if command.hidden:
        return set()
    if isinstance(command, click.Group):
        return {found for sub, one in command.commands.items() for found in _with_json(one, f"{name} {sub}".strip())}
    return {name} if any("--json" in option.opts for option in command.params) else set()


def _named(line: str) -> str:
    first, *rest = line.split()
    command = group.commands[first]
    return f"{first} {rest[0]}" if isinstance(command, click.Group) else first
