"""Wheel and sdist: what they hold, that two builds are the same, and that a stranger's machine runs them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.package import ROOT, Built, environment_with, tracked, twice, wheel_of
from tests.support.stack import free_port, until

pytestmark = pytest.mark.processes
FLOORS = ("app", "connectors", "core", "workers")


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    folder.mkdir(exist_ok=True)
    return twice(folder)


@pytest.fixture(scope="session")
def built(builds: tuple[Built, Built]) -> Built:
    return builds[0]


def outside(**more: str) -> dict[str, str]:
    """The environment of a process that knows nothing of the repository."""
    ours = ("RELAY_", "SMARTSUPP_", "PYTHON", "VIRTUAL_ENV", "PYTEST_")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **more}


def test_two_builds_of_one_commit_are_the_same(builds: tuple[Built, Built]) -> None:
    one, another = builds
    assert one.sdist.read_bytes() == another.sdist.read_bytes()
    assert one.wheel.read_bytes() == another.wheel.read_bytes()


def test_a_wheel_holds_every_file_of_the_four_floors_and_nothing_else(built: Built) -> None:
    packed = {name for name in zipfile.ZipFile(built.wheel).namelist() if ".dist-info/" not in name}
    mine = {str(file) for file in tracked() if file.parts[0] in FLOORS}
    assert {
        "core/store/lua/receive/accept.lua",
        "app/dashboard/templates/base.html",
        "app/dashboard/static/relay.css",
        "app/cli/setup/relay.example.yaml",
        "connectors/testing/hook.json",
        "connectors/kit/locale/hu/LC_MESSAGES/transcript.po",
        "core/py.typed",
    } <= packed
    assert packed == mine


def test_an_sdist_holds_the_whole_repository(built: Built) -> None:
    with tarfile.open(built.sdist) as packed:
        members = packed.getmembers()
    names = {name for member in members if member.isfile() for name in [member.name.partition("/")[2]]}
    made = {"PKG-INFO", "setup.cfg", "smartsupp_relay.egg-info/SOURCES.txt"}
    assert names - made == {str(file) for file in tracked()}
    assert {"CHANGELOG.md", "docs/index.md", "connectors/testing/starter/python/pyproject.toml", "LICENSE"} <= names
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == version("smartsupp-relay")
    newest = re.search(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == project["version"]
    images = (ROOT / "deploy" / "kubernetes" / "kustomization.yaml").read_text()
    assert f'newTag: "{project["version"]}"' in images
    for file in tracked():
        if file.parts[0] in FLOORS:
            assert project["version"].encode() not in (ROOT / file).read_bytes(), file


def test_an_installed_wheel_delivers_a_chat_from_an_empty_folder(built: Built, tmp_path: Path) -> None:
    programs = environment_with(tmp_path / "environment", [built.wheel])
    folder = tmp_path / "empty"
    folder.mkdir()
    variables = outside(RELAY_PORT=str(free_port()))

    def relay(*words: str) -> str:
        done = subprocess.run(
            [programs / "relay", *words], cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert relay("--version").split()[-1] == version("smartsupp-relay")
    assert "relay up" in relay("init")
    log = folder / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [programs / "relay", "up"], cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    try:
        until(lambda: "is running" in log.read_text(), 60, what="the welcome")
        assert "202" in relay("send", "--sample")
        (chat,) = until(lambda: list(folder.glob("var/archive/1000/*/r1.txt")), what="the file in the archive")
        assert "Lovely, thank you!" in chat.read_text()
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)


def test_the_example_plugin_passes_the_contract_outside_the_repository(built: Built, tmp_path: Path) -> None:
    source = tmp_path / "plugin"
    for file in tracked():
        if file.parts[:4] == ("connectors", "testing", "starter", "python"):
            copy = source / file.relative_to("connectors/testing/starter/python")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / file).read_bytes())
    plugin = wheel_of(source, tmp_path)
    programs = environment_with(tmp_path / "environment", [built.wheel, plugin], extra=["pytest"])
    done = subprocess.run(
        [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=source,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 30
    assert "skipped" not in done.stdout
    listed = subprocess.run(
        [programs / "relay", "connectors", "list"],
        cwd=tmp_path,
        env=outside(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mydesk" in listed.stdout
