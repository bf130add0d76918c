"""`relay connectors new`: what it writes passes its own tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.sections import group
from connectors.testing.starter import Way


def new(folder: Path, name: str, *options: str) -> Result:
    return CliRunner().invoke(group, ["connectors", "new", name, "--folder", str(folder), *options])


@pytest.mark.processes
@pytest.mark.parametrize(("way", "chosen"), [("recipe", "contract"), ("python", "one_person or preview or deleted")])
def test_what_it_writes_passes_as_it_is(tmp_path: Path, way: Way, chosen: str) -> None:
    folder = tmp_path / "relay-acme-desk"
    done = new(folder, "acme-desk", f"--{way}", "--label", "ACME Desk")
    assert done.exit_code == 0, done.output
    which = [] if chosen == "contract" else ["-k", chosen]  # of the one in Python, tests/deploy runs all
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *which],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    sources = [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    page = (folder / "README.md").read_text()
    assert page.startswith("# ACME Desk\n")
    assert f'"smartsupp-relay~={version("smartsupp-relay")}"' in (folder / "pyproject.toml").read_text()
    # Nothing is called as the example any more, and every file that the page names is there.
    assert not [file for file in sources if re.search("my ?desk", f"{file}{file.read_text()}", re.IGNORECASE)]
    for linked in re.findall(r"\]\(([^)]+)\)", page):
        assert (folder / linked).exists(), linked


def test_it_says_what_it_wrote_and_what_comes_next_as_json_too(tmp_path: Path) -> None:
    text = new(tmp_path / "one", "acme").output
    said = json.loads(new(tmp_path / "two", "acme", "--json").output)
    assert (said["type"], said["folder"]) == ("acme", str(tmp_path / "two"))
    assert "relay_acme/acme.yaml" in said["files"]
    assert all(path in text for path in said["files"])
    assert "python -m pytest" in text


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("Acme Desk", (), "cannot be a type; write small letters"),
        ("zammad", (), "There is a connector type 'zammad' already"),
        ("acme", ("--label", 'say "hi"'), "cannot stand in every file"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    tmp_path: Path, name: str, options: tuple[str, ...], said: str
) -> None:
    done = new(tmp_path / "new", name, *options)
    assert done.exit_code == 1
    assert said in done.output
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine", tmp_path / "mine" / "below"):
        assert new(place, "acme").exit_code == 1
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]
