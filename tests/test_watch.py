"""A change of the config reaches a running process; a broken change does not, and says so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from connectors import registry
from core import watch
from core.environment import environment
from core.errors import ConfigError
from core.settings import ConnectorSettings, Settings
from core.watch import Watched

ONE = "connectors: {one: {type: archive}}"
TWO = "connectors: {two: {type: archive}}"


class Files:
    """A config file and secrets beside it; every write is a change, however quick."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "relay.yaml"
        self.told: list[Settings] = []

    def write(self, text: str, name: str = "relay.yaml") -> None:
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.folder / name)

    def watched(self, **variables: str) -> Watched:
        env = environment({"RELAY_CONFIG": str(self.config)})
        return Watched(env, registry.settings_model, variables, self.told.append)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(watch, "PERIOD", 0.0)
    made = Files(tmp_path)
    made.write(ONE)
    return made


def test_a_change_is_taken_and_told(files: Files) -> None:
    watched = files.watched()
    assert watched.current().enabled == ("one",)
    files.write(TWO)
    assert watched.current().enabled == ("two",)
    assert [settings.enabled for settings in files.told] == [("two",)]


def test_what_did_not_change_is_not_read_again(files: Files) -> None:
    watched = files.watched()
    first = watched.current()
    assert watched.current() is first
    assert not files.told


def test_a_file_that_is_written_in_place_is_a_change(files: Files) -> None:
    watched = files.watched()
    files.config.write_text(TWO + "  # and longer")
    assert watched.current().enabled == ("two",)


def test_a_broken_change_is_refused_and_the_old_goes_on(files: Files) -> None:
    watched = files.watched()
    for broken, why in (("connectors: {a: {type: archve}}", "did you mean 'archive'?"), ("a: [", "not YAML")):
        files.write(broken)
        assert watched.current().enabled == ("one",)
        assert why in watched.trouble
    files.write(TWO)
    assert watched.current().enabled == ("two",)
    assert watched.trouble == ""
    assert len(files.told) == 1


def test_a_broken_change_that_is_taken_back_is_no_trouble_any_more(files: Files) -> None:
    watched = files.watched()
    files.write("a: [")
    assert watched.current().enabled == ("one",)
    assert watched.trouble
    files.write(ONE)
    assert watched.current().enabled == ("one",)
    assert watched.trouble == ""


def test_a_config_that_is_broken_from_the_start_is_refused(files: Files) -> None:
    files.write("a: [")
    with pytest.raises(ConfigError):
        files.watched()


def test_a_changed_secret_is_noticed(files: Files) -> None:
    files.write("first", "secret")
    files.write("connectors: {one: {type: archive, folder: '${file:secret}'}}")
    watched = files.watched()
    before = watched.current().fingerprints["one"]
    files.write("second", "secret")
    assert watched.current().fingerprints["one"] != before
    (files.folder / "secret").unlink()
    assert watched.current().enabled == ("one",)
    assert "No such file" in watched.trouble


def test_a_secret_that_a_refused_change_lacks_is_noticed_when_it_comes(files: Files) -> None:
    watched = files.watched()
    files.write("connectors: {two: {type: archive, folder: '${file:late}'}}")
    assert watched.current().enabled == ("one",)
    assert "No such file" in watched.trouble
    files.write("x", "late")
    assert watched.current().enabled == ("two",)
    assert watched.trouble == ""


def test_a_link_that_points_elsewhere_is_a_change(files: Files) -> None:
    for name, text in (("v1", ONE), ("v2", TWO)):
        (files.folder / name).mkdir()
        files.write(text, f"{name}/relay.yaml")
    (files.folder / "data").symlink_to("v1")
    files.config.unlink()
    files.config.symlink_to("data/relay.yaml")
    watched = files.watched()
    (files.folder / "new").symlink_to("v2")
    (files.folder / "new").replace(files.folder / "data")
    assert watched.current().enabled == ("two",)


def test_a_file_that_is_written_later_replaces_the_built_in_configuration(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.config.unlink()
    monkeypatch.chdir(files.folder)
    watched = Watched(environment({}), registry.settings_model, {})
    assert watched.current().source == "built-in configuration"
    files.write(TWO)
    assert watched.current().enabled == ("two",)


def test_a_change_that_comes_while_the_file_is_read_is_not_missed(files: Files) -> None:
    changes = [TWO, "connectors: {three: {type: archive}}"]

    def slow(kind: str) -> type[ConnectorSettings]:
        if changes:
            files.write(changes.pop(0))
        return registry.settings_model(kind)

    watched = Watched(environment({"RELAY_CONFIG": str(files.config)}), slow, {})
    assert watched.current().enabled == ("two",)
    assert watched.current().enabled == ("three",)


def test_a_secret_that_changes_while_the_config_is_read_is_not_missed(files: Files) -> None:
    files.write("first", "secret")
    files.write("connectors: {one: {type: archive, folder: '${file:secret}'}}")
    reads = 0

    def slow(kind: str) -> type[ConnectorSettings]:
        nonlocal reads
        reads += 1
        files.write(f"version {reads}" if reads < 4 else "last", "secret")
        return registry.settings_model(kind)

    watched = Watched(environment({"RELAY_CONFIG": str(files.config)}), slow, {})
    for _ in range(6):
        found = watched.current()
    assert str(found.connectors["one"].model_dump()["folder"]) == "last"


def test_it_does_not_look_more_often_than_it_should(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PERIOD", 3600.0)
    watched = files.watched()
    files.write(TWO)
    assert watched.current().enabled == ("one",)


def test_one_thread_looks_and_the_others_do_not_wait_for_it(files: Files) -> None:
    entered, leave = threading.Event(), threading.Event()

    def stuck(kind: str) -> type[ConnectorSettings]:
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            leave.wait(20)
        return registry.settings_model(kind)

    watched = Watched(environment({"RELAY_CONFIG": str(files.config)}), stuck, {})
    files.write(TWO)
    looking = threading.Thread(target=watched.current)
    looking.start()
    assert entered.wait(20)
    assert watched.current().enabled == ("one",)
    leave.set()
    looking.join(20)
    assert watched.current().enabled == ("two",)
