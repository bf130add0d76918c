"""`relay init` in an empty folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.sections import group
from app.cli.setup.init import example


def init(folder: Path, *options: str, **environment: str) -> Result:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(group, ["init", *options], env={"RELAY_CONFIG": "", **environment})
    finally:
        os.chdir(before)


def test_it_writes_a_file_that_is_right_and_says_what_comes_next(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "relay.yaml").read_bytes() == example()
    for said in (str(tmp_path / "relay.yaml"), "relay config check", "relay up", str(tmp_path / "var" / "archive")):
        assert said in done.output
    checked = CliRunner().invoke(group, ["config", "check"], env={"RELAY_CONFIG": str(tmp_path / "relay.yaml")})
    assert checked.exit_code == 0, checked.output
    assert "OK. Enabled: archive" in checked.output


def test_it_leaves_a_file_that_is_there_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("connectors: {}")
    done = init(tmp_path)
    assert done.exit_code == 1
    assert "already exists and was not changed" in done.output
    assert (tmp_path / "relay.yaml").read_text() == "connectors: {}"


def test_it_writes_to_where_the_configuration_is_read_from(tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.yaml"
    done = init(tmp_path, "--json", RELAY_CONFIG=str(elsewhere))
    assert json.loads(done.output) == {"file": str(elsewhere)}
    assert elsewhere.exists()
    assert not (tmp_path / "relay.yaml").exists()


def test_it_says_why_it_cannot_write(tmp_path: Path) -> None:
    done = init(tmp_path, RELAY_CONFIG=str(tmp_path / "nowhere" / "relay.yaml"))
    assert done.exit_code == 1
    assert "No such file or directory" in done.output


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.cli.setup.init.example", fails)
    done = init(tmp_path)
    assert done.exit_code == 1
    assert "No space left on device" in done.output
    assert list(tmp_path.iterdir()) == []
