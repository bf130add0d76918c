"""The house keeps its own rules, and the docs say what the code does."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest
import yaml

from app.cli.sections import group
from app.supervisor.up import DEFAULT, processes
from connectors.kit.connector import HttpSettings
from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PeopleSettings, PersonSettings
from connectors.kit.record import RecordSettings
from connectors.kit.vocabulary import Language
from connectors.registry import BUILT_IN, recipes, settings_model
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import ConnectorSettings, Settings
from core.config.values import ValueSettings, VariableNames
from core.conversation import Conversation, Visitor
from core.templates.language import EXTRAS
from core.values.chat import TYPES
from tests.support import connectors_table, lanes, requests_table, sample_records, values_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "app" / "cli" / "setup" / "relay.example.yaml"
STARTER = ROOT / "connectors" / "testing" / "starter"
REFERENCE = (ROOT / "docs" / "configuration.md").read_text()


def test_every_command_stands_in_the_readme() -> None:
    for name, command in group.commands.items():
        if not command.hidden:
            assert f"relay {name}" in README, name


def test_every_environment_variable_that_is_read_stands_in_the_reference() -> None:
    sources = [file for folder in ("app", "core", "connectors", "workers") for file in (ROOT / folder).rglob("*.py")]
    code = "\n".join(file.read_text() for file in sources)
    read = set(re.findall(r'"((?:RELAY|SMARTSUPP)_[A-Z_]+)"', code)) - {"RELAY_SUPERVISOR", "RELAY_UP_TERMINAL"}
    assert len(read) >= 7
    for name in read:
        assert f"`{name}`" in REFERENCE, name


@pytest.mark.parametrize("kind", sorted({*BUILT_IN, *recipes()}))
def test_every_connector_and_setting_stands_in_the_docs(kind: str) -> None:
    page = ROOT / "docs" / "connectors" / f"{kind}.md"
    section = (
        page.read_text() if page.exists() else REFERENCE.partition(f"### `type: {kind}`")[2].partition("\n### ")[0]
    )
    assert section
    model = settings_model(kind)
    bases = (PeopleSettings, PersonSettings, RecordSettings, ConnectorSettings)
    shared = set(next(base for base in bases if issubclass(model, base)).model_fields)
    if issubclass(model, FileSettings):
        shared |= set(FileSettings.model_fields)
    for name in set(model.model_fields) - shared:
        assert f"| `{name}` |" in section, f"{kind}.{name}"
    assert f"`{kind}`" in (ROOT / "docs" / "connectors" / "README.md").read_text()


def test_every_shared_setting_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "connectors" / "README.md").read_text()
    for name in set(RecordSettings.model_fields) - {"type", "enabled"}:
        assert f"| `{name}` |" in text, name


def test_every_setting_of_files_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "connectors" / "files.md").read_text()
    for name in set(FileSettings.model_fields) - set(HttpSettings.model_fields):
        assert f"| `{name}` |" in text, name


def test_every_language_stands_in_the_docs_and_in_the_example() -> None:
    page = (ROOT / "docs" / "connectors" / "README.md").read_text()
    row = re.search(r"^\| `language` \|.*$", page, re.MULTILINE)
    line = re.search(r"language: (en) # or ([a-z, ]+):", EXAMPLE.read_text())
    assert row
    assert line
    assert re.findall(r"`([a-z]{2})`", row[0].partition("Of the words")[2]) == list(get_args(Language))
    assert [line[1], *line[2].split(", ")] == list(get_args(Language))


def test_every_setting_of_the_person_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "connectors" / "person.md").read_text()
    for name in set(PeopleSettings.model_fields) - set(RecordSettings.model_fields):
        assert f"| `{name}` |" in text, name


def test_whatever_a_template_can_name_stands_in_the_docs() -> None:
    text = values_table.PAGE.read_text()
    assert text == values_table.page()
    assert values_table.PRESETS_PAGE.read_text() == values_table.presets_page()
    assert all(f"| `{name}` |" in text for name in (*TYPES, *EXTRAS))
    for name in {*Conversation.model_fields, *Visitor.model_fields} - {"id", "account"}:
        assert re.search(rf"^\|[^|]*`{name}`", text, re.MULTILINE), name
    for name in (*ValueSettings.model_fields, *(f"variables.{name}" for name in VariableNames.model_fields)):
        assert f"| `{name}` |" in REFERENCE or name == "variables", name


def test_the_example_config_is_right() -> None:
    env = environment({"RELAY_CONFIG": str(EXAMPLE), "RELAY_DATA_DIR": "/nonexistent"})
    settings = load(env, settings_model, {})
    assert isinstance(settings, Settings)
    assert settings.enabled == ("archive",)


def test_every_commented_part_of_the_example_is_right_too(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text().splitlines()
    start = lines.index("connectors:")
    # A commented line is YAML when a key or a list item follows the mark.
    uncommented = [re.sub(r"^(\s*)# (?=\s*(?:- |\"?[a-z0-9_-]+\"?:(?: |$)))", r"\1", line) for line in lines[start:]]
    file = tmp_path / "relay.yaml"
    file.write_text("\n".join(uncommented))
    names = re.findall(r"\$\{([A-Z_]+)\}", file.read_text())
    secrets = {
        name: "https://example.com/secret" if name.endswith("_URL") else "c2VjcmV0LWZvci10ZXN0cy0wMTIzNDU2Nzg5"
        for name in names
    }
    env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": "/nonexistent"})
    settings = load(env, settings_model, secrets)
    assert {connector.type for connector in settings.connectors.values()} == set(BUILT_IN)
    assert len(settings.routes) == 3
    assert (settings.values.country, len(settings.values.agents), len(settings.values.extract)) == ("CZ", 1, 1)


def test_the_procfile_says_what_runs_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes(ROOT / "Procfile") == {"web": "relay web", "worker": "relay worker"} == DEFAULT
    monkeypatch.chdir(tmp_path)
    assert processes(None) == DEFAULT


@pytest.mark.processes
def test_the_compose_file_is_valid_and_its_server_is_durable() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    compose = ROOT / "docker-compose.yml"
    both = [str(compose), str(ROOT / "deploy" / "caddy" / "docker-compose.yml")]
    command = [str(check), "--builtin-schema", "vendor.compose-spec", *both]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    services = yaml.safe_load(compose.read_text())["services"]
    for word in (
        "--appendonly yes",
        "--appendfsync always",
        "--maxmemory-policy noeviction",
        "--maxmemory ${RELAY_MAXMEMORY:-1gb}",
    ):
        assert word in services["valkey"]["command"]
    assert set(services) == {"web", "worker", "valkey"}


def test_the_dockerfile_copies_what_exists_and_is_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for sources in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    assert text.rindex("USER relay") < text.rindex("CMD")


def test_no_template_needs_more_than_the_policy_allows_or_trusts_a_text() -> None:
    templates = sorted((ROOT / "app" / "dashboard" / "templates").glob("*.html"))
    assert len(templates) >= 4
    for file in templates:
        text = file.read_text()
        for wrong in (
            r"\sstyle=",
            r"<style",
            r"<script(?! src=\"\{\{ asset\()",
            r"\son[a-z]+=",
            r"\|\s*safe\b",
            r"autoescape",
        ):
            assert not re.search(wrong, text), f"{file.name}: {wrong}"


def test_the_lock_files_are_pinned_by_hash_and_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-release.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        requirements = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert all("==" in line and line.rstrip().endswith("\\") for line in requirements)


def test_no_module_is_longer_than_350_lines() -> None:
    for folder in ("app", "core", "connectors", "workers"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text().splitlines()) <= 350, file
            assert file.stem not in ("utils", "helpers"), file


#: Public names that several modules may have, and why.
_SHARED_NAMES = {
    "log": "each module's own logger, named after it",
    "main": "what starts a process",
    "routes": "how each module of pages adds them",
    "blueprint": "how each module without pages adds what it answers",
    "COMMANDS": "what each module of commands adds to `relay`",
}


def _vendors_apart(files: set[str]) -> bool:
    """Whether each is another vendor's. None of them imports another (an import contract), so nobody meets both."""
    vendors = [file.split("/")[1] for file in files if file.startswith("connectors/")]
    return len(vendors) == len(files) == len(set(vendors)) and not {"kit", "testing", "registry.py"} & {*vendors}


def test_a_public_name_stands_in_one_module() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for folder in ("app", "core", "connectors", "workers"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.is_relative_to(STARTER) and file.parent != STARTER:
                continue  # copied, and never imported from here
            for name in _names(ast.parse(file.read_text()).body):
                if not name.startswith("_"):
                    places[name].add(str(file.relative_to(ROOT)))
    assert len(places) > 800
    shared = {name: sorted(files) for name, files in places.items() if len(files) > 1 and not _vendors_apart(files)}
    assert _SHARED_NAMES.keys() <= shared.keys()
    assert {name: files for name, files in shared.items() if name not in _SHARED_NAMES} == {}


def _names(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Functions, classes, constants and types of a module. A command is called as people type it, and no code names it;
    a type variable means nothing outside."""
    for one in statements:
        match one:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not any(re.search(r"\b(command|group)\(", ast.unparse(mark)) for mark in one.decorator_list):
                    yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
                pass
            case ast.Assign(targets=targets):
                yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


@pytest.mark.processes
def test_imports_that_point_the_wrong_way_break_a_contract(tmp_path: Path) -> None:
    wrong = (
        ("core.retry", "connectors.kit.reply"),
        ("connectors.freshdesk.api", "connectors.zendesk.api"),
        ("connectors.new_vendor", "connectors.webhook"),
        ("connectors.registry", "connectors.odoo.rpc"),
        ("workers.intake", "connectors.hubspot.api"),
        ("app.admin.checks", "app.cli.times"),
        ("app.admin.preview", "app.receiver.rejections"),
        ("app.monitoring.health", "app.dashboard.view.over_time.charts"),
        ("app.process", "app.proxies"),
    )
    for folder in ("app", "core", "connectors", "workers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.lua", "*.js"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, planted in wrong:
        with (tmp_path / f"{module.replace('.', '/')}.py").open("a") as file:
            file.write(f"\nimport {planted}\n")
    (tmp_path / "app" / "new_room.py").touch()
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = re.sub(r"\s+", " ", done.stdout)
    for module, planted in wrong:
        assert f"{module} -> {planted}" in said, said
    assert "app.new_room" in said


#: Where text with colons is taken apart that is no id: an address, a token, a counter, YAML.
_OTHER_COLONS = {
    "app/admin/setting_up/fields.py",
    "app/monitoring/metrics.py",
    "app/monitoring/source_metrics.py",
    "app/process.py",
    "app/hook_url.py",
    "core/config/editing/yaml_edit.py",
    "core/config/environment.py",
    "core/config/mistakes/values.py",
    "core/config/redis_url.py",
    "core/config/types/mail_server.py",
    "core/smartsupp/parser.py",
    "core/store/protocol/scripts.py",
    "core/store/statistics/figures.py",
    "workers/celery.py",
}


def test_nobody_counts_the_colons_of_an_id() -> None:
    found = set()
    for folder in ("app", "core", "connectors", "workers"):
        for file in (ROOT / folder).rglob("*.py"):
            if re.search(
                r"""(partition|split|count|find|index)\(b?['"]:['"]|['"]:['"] (not )?in\b""", file.read_text()
            ):
                found.add(str(file.relative_to(ROOT)))
    assert found == _OTHER_COLONS
    for file in (ROOT / "core" / "store" / "lua").rglob("*.lua"):
        text = file.read_text()
        assert ".. ':' .. conversation" not in text or file.name == "ids.lua", file
        assert "string.find(id, ':'" not in text or file.name == "look.lua", file


def test_the_table_of_connectors_is_what_they_declare() -> None:
    assert connectors_table.PAGE.read_text() == connectors_table.page(), "run make tables"


def test_the_page_of_requests_is_what_the_connectors_send() -> None:
    assert requests_table.PAGE.read_text() == requests_table.page()
    for kind in sample_records.TEXTS:
        assert (sample_records.PAGES / f"{kind}.md").read_text() == sample_records.page(kind)
    assert {file.stem for file in requests_table.GOLDEN.glob("*.json") if "." not in file.stem} == set(
        requests_table.TITLES
    )


def test_no_folder_has_more_than_15_modules_but_that_of_the_vendors() -> None:
    for folder in ("app", "core", "connectors", "workers"):
        for place in {file.parent for file in (ROOT / folder).rglob("*.py")} - {ROOT / "connectors"}:
            assert len([*place.glob("*.py")]) <= 16, place  # 15, and __init__


def test_what_the_fast_lane_leaves_out_by_its_name_is_there() -> None:
    folders = [ROOT / "tests", ROOT / "connectors" / "testing"]
    code = "\n".join(file.read_text() for folder in folders for file in folder.rglob("*.py"))
    assert {name for name in lanes.THOROUGH if f"def {name}(" not in code} == set()


def test_a_commit_is_checked_by_what_make_check_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    tools = set(re.findall(r"^\t\$\(BIN\)/([\w-]+(?: (?!-)[a-z]+)?)", recipe[1], re.MULTILINE))
    assert tools == {re.sub(r" -.*$", "", hook["entry"].removeprefix(".venv/bin/")) for hook in hooks}
