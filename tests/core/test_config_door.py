"""The door to relay.yaml: what it writes is what was wanted, and nothing that a person wrote is lost."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connectors import registry
from core.config.editing.door import CannotWrite, Door, EditedMeanwhile
from core.config.editing.history import FOLDER, History
from core.config.editing.yaml_edit import Put, Remove
from core.config.environment import environment
from core.config.loader import load
from core.config.reload import Watched
from core.config.sources.secret_store import SecretStore
from core.errors import ConfigError, NotFound
from tests.support.stack import until

OLD = """\
# our relay
connectors:
  archive: # every chat
    type: archive

  # the shop's own
  own: {type: archive, folder: own}   # for the audit

# who gets what
routes:
  - to: [archive]
"""
HUBSPOT = {"type": "hubspot", "token": "${secret:hubspot-token}"}
ADD = Put(("connectors", "hubspot"), HUBSPOT)
TOKEN = {"hubspot-token": "pat-eu1-0123456789"}


class Place:
    """A relay.yaml, a data folder, and the door."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.file, self.data = folder, folder / "relay.yaml", folder / "var"
        self.env = environment({"RELAY_CONFIG": str(self.file), "RELAY_DATA_DIR": str(self.data), **variables})
        self.door = Door(self.env, registry.settings_model, {})

    def write(self, text: str) -> None:
        self.file.write_bytes(text.encode())

    @property
    def text(self) -> str:
        return self.file.read_bytes().decode()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write(OLD)
    return made


def test_a_connector_is_added_and_every_line_of_before_is_there(place: Place) -> None:
    draft = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    assert draft.settings.enabled == ("archive", "own", "hubspot")
    place.door.save(draft, "ann")
    lines = place.text.splitlines()
    assert [line for line in lines if line in OLD.splitlines()] == OLD.splitlines()
    assert [line for line in lines if line not in OLD.splitlines()] == [
        "  hubspot:",
        "    type: hubspot",
        "    token: ${secret:hubspot-token}",
    ]
    settings = load(place.env, registry.settings_model, {})
    assert settings.connectors["hubspot"].token.get_secret_value() == TOKEN["hubspot-token"]  # type: ignore[attr-defined]


def test_a_draft_changes_nothing_and_shows_the_difference(place: Place) -> None:
    draft = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    assert place.text == OLD
    assert not place.data.exists()
    assert "+    token: ${secret:hubspot-token}" in draft.difference.splitlines()
    assert not [line for line in draft.difference.splitlines()[2:] if line.startswith("-")]


def test_no_secret_stands_in_a_difference(place: Place) -> None:
    secrets = ("kept-in-the-file-0123", "kept-in-a-comment-0123")
    place.write(
        "connectors:\n  hubspot:\n    type: hubspot\n"
        f"    token: {secrets[0]}\n    # token: {secrets[1]}\n"
        f"  flow: {{type: pipedrive, company: acme, api_token: {secrets[0]}}}\n"
    )
    shown = place.door.draft("faster", Put(("connectors", "hubspot", "rate"), 5)).difference
    assert "rate: 5" in shown
    assert not [one for one in secrets if one in shown]
    wrong = place.text.replace("company: acme", "company: 'no such'")
    place.write(wrong)
    shown = place.door.draft("right", Put(("connectors", "flow", "company"), "acme")).difference
    assert "company: acme" in shown
    assert not [one for one in secrets if one in shown]


def test_a_mistake_is_refused_with_the_loaders_own_words(place: Place) -> None:
    with pytest.raises(ConfigError) as raised:
        place.door.draft("add", Put(("connectors", "hubspot"), {"type": "hubspot", "rate": -1}))
    said = [(problem.path, problem.text) for problem in raised.value.problems]
    assert ("connectors.hubspot.rate", "must be above 0 (Requests a second, over all workers; null: no limit); for "
            "never, or no limit, write null") in said  # fmt: skip
    assert [path for path, _ in said if path == "connectors.hubspot.token"]
    assert place.text == OLD


def test_the_last_connector_is_not_removed(place: Place) -> None:
    with pytest.raises(ConfigError, match="no connector is left"):
        place.door.draft("empty", Remove(("routes",)), Remove(("connectors", "archive")), Remove(("connectors", "own")))


def test_a_file_that_is_wrong_can_be_put_right(place: Place) -> None:
    place.write("connectors:\n  archive:\n    type: archve # a slip\n")
    place.door.save(place.door.draft("right", Put(("connectors", "archive", "type"), "archive")), "ann")
    assert place.text == "connectors:\n  archive:\n    type: archive # a slip\n"


def test_without_a_file_the_first_one_has_what_applied_without(place: Place) -> None:
    place.file.unlink()
    place.door.save(place.door.draft("add hubspot", ADD, secrets=TOKEN), "ann")
    assert load(place.env, registry.settings_model, {}).enabled == ("archive", "hubspot")
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    with pytest.raises(NotFound, match="there was no file before"):
        place.door.restored(1)


def test_an_edit_by_hand_in_between_is_not_overwritten(place: Place) -> None:
    draft = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    place.write(OLD.replace("folder: own", "folder: elsewhere"))
    with pytest.raises(EditedMeanwhile):
        place.door.save(draft, "ann")
    assert "hubspot" not in place.text
    again = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    assert "elsewhere" in again.difference
    place.door.save(again, "ann")
    assert "elsewhere" in place.text
    assert "hubspot" in place.text


def test_mode_link_bom_and_line_ends_stay(place: Place) -> None:
    real = place.folder / "real" / "relay.yaml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    place.file.unlink()
    place.file.symlink_to(real)
    place.door.save(place.door.draft("add hubspot", ADD, secrets=TOKEN), "ann")
    assert place.file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    content = real.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf#")
    assert content.count(b"\n") == content.count(b"\r\n") == OLD.count("\n") + 3


@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_a_file_that_is_read_only_stays(place: Place, mode: int) -> None:
    place.file.chmod(mode)
    draft = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    with pytest.raises(CannotWrite, match="is read-only"):
        place.door.save(draft, "ann")
    assert place.text == OLD
    assert SecretStore(place.env).list() == []
    assert "+  hubspot:" in draft.difference


@pytest.mark.processes
def test_a_file_that_git_manages_is_written_on_demand_only(place: Place) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q"], cwd=place.folder, check=True)
    assert place.door.obstacle() == ""
    subprocess.run([*git, "add", "relay.yaml"], cwd=place.folder, check=True)
    assert place.door.obstacle().startswith("Git manages")
    draft = place.door.draft("add hubspot", ADD, secrets=TOKEN)
    with pytest.raises(CannotWrite, match="Git manages"):
        place.door.save(draft, "ann")
    place.door.save(draft, "ann", even_in_git=True)
    assert "hubspot" in place.text


def test_a_full_disk_leaves_the_file_and_the_history_as_they_were(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        if "relay.yaml" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device", str(place.file))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match=re.escape("the disk is full")):
        place.door.save(place.door.draft("add hubspot", ADD, secrets=TOKEN), "ann")
    assert place.text == OLD
    assert list(place.door.versions()) == []
    assert [file.name for file in place.folder.iterdir() if "relay.yaml" in file.name] == ["relay.yaml"]


def test_the_history_has_who_and_what_and_brings_each_version_back(place: Place) -> None:
    place.door.save(place.door.draft("Add hubspot", ADD, secrets=TOKEN), "ann")
    place.door.save(place.door.draft("Remove own", Remove(("connectors", "own"))), "ben")
    newest, oldest = place.door.versions()
    assert (newest.number, newest.by, newest.what) == (2, "ben", "Remove own")
    assert (oldest.number, oldest.by, oldest.what) == (1, "ann", "Add hubspot")
    assert newest.at >= oldest.at > 1_700_000_000_000
    place.door.save(place.door.restored(2), "cyd")
    assert "own: {type: archive" in place.text
    place.door.save(place.door.restored(1), "cyd")
    assert place.text == OLD
    place.door.save(place.door.restored(4), "cyd")
    assert "hubspot" in place.text
    assert next(place.door.versions()).what == "Undo 4: Undo 1: Add hubspot"
    with pytest.raises(NotFound):
        place.door.restored(99)


def test_undo_after_an_edit_by_hand_shows_what_it_would_take_away(place: Place) -> None:
    place.door.save(place.door.draft("Add hubspot", ADD, secrets=TOKEN), "ann")
    place.write(place.text + "# by hand\n")
    assert "-# by hand" in place.door.restored(1).difference.splitlines()


def test_what_is_kept_is_for_its_user_alone_and_sealed_where_there_are_keys(tmp_path: Path) -> None:
    place = Place(tmp_path, RELAY_ENCRYPTION_KEYS=Fernet.generate_key().decode())
    place.write("connectors:\n  a: {type: hubspot, token: in-the-file-0123}\n")
    place.door.save(place.door.draft("Add hubspot", ADD, secrets=TOKEN), "ann")
    kept = [file for file in place.data.rglob("*") if file.is_file()]
    assert {file.relative_to(place.data).as_posix() for file in kept} >= {"secrets", f"{FOLDER}/000001"}
    for file in kept:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        # Whole, or chance would find them in what is sealed.
        assert b"in-the-file-0123" not in file.read_bytes(), file
        assert TOKEN["hubspot-token"].encode() not in file.read_bytes(), file


def test_only_the_newest_versions_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.config.editing.history.KEPT_VERSIONS", 3)
    for rate in range(1, 7):
        place.door.save(place.door.draft(f"{rate}", Put(("connectors", "archive", "rate"), rate)), "ann")
    assert [one.number for one in place.door.versions()] == [6, 5, 4]


def _killed_at(call: int, after: bool, act: Callable[[], object]) -> int:
    """The exit status of a child that is killed when it replaces a file, before or after it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    replace, calls = Path.replace, iter(range(1, 100))

    def deadly(self: Path, target: Path) -> Path:
        mine = next(calls) == call
        if mine and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = replace(self, target)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    try:
        Path.replace = deadly  # type: ignore[method-assign,assignment]
        act()
    finally:
        os._exit(0)


@pytest.mark.processes
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_kill_between_writing_and_renaming_leaves_one_version_or_the_other(
    place: Place, call: int, after: bool
) -> None:
    draft = place.door.draft("Add hubspot", ADD, secrets=TOKEN)
    assert _killed_at(call, after, lambda: place.door.save(draft, "ann")) == -signal.SIGKILL
    written = (call, after) >= (3, True)
    assert place.file.read_bytes() == (draft.after if written else draft.before)
    load(place.env, registry.settings_model, {})
    # The lock died with its owner; the history says what became of it.
    place.door.save(place.door.draft("Later", Put(("connectors", "own", "rate"), 5)), "ben")
    assert [one.what for one in place.door.versions()] == ["Later", "Add hubspot"][: 1 + written]
    assert "rate: 5" in place.text
    assert not [*(place.data / FOLDER).glob("*.pending*"), *place.folder.glob(".relay.yaml*")]


def test_a_running_relay_takes_a_saved_change_at_once_even_where_it_looks_cut_off(place: Place) -> None:
    place.write("connectors:\n  archive: {type: archive}\n  own: {type: archive, folder: own}\n")
    watched = Watched(place.env, registry.settings_model, {})
    place.door.save(place.door.draft("Remove own", Remove(("connectors", "own"))), "ann")
    watched.refresh()
    assert not watched.trouble
    assert watched.current().enabled == ("archive",)
    place.door.save(place.door.draft("Add hubspot", ADD, secrets=TOKEN), "ann")
    watched.refresh()
    assert watched.current().enabled == ("archive", "hubspot")


def test_other_processes_take_it_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PERIOD", "STILL", "REMOVAL_STILL"):
        monkeypatch.setattr(f"core.config.reload.{name}", 0.0)
    place.write("connectors:\n  archive: {type: archive}\n  own: {type: archive, folder: own}\n")
    watched = Watched(place.env, registry.settings_model, {})
    place.door.save(place.door.draft("Remove own", Remove(("connectors", "own"))), "ann")
    until(lambda: watched.current().enabled == ("archive",), what="the new file")
    # The same text, but by hand: it may be a save that was interrupted.
    whole = "connectors:\n  archive: {type: archive}\n  own: {type: archive, folder: own}\n  more: {type: archive}\n"
    place.write(whole)
    until(lambda: len(watched.current().enabled) == 3, what="the longer file")
    place.write(whole[: whole.index("  more")])
    until(lambda: watched.current() and watched.trouble, what="the refusal")
    assert "in the middle of its previous version" in watched.trouble


def test_a_history_that_cannot_be_read_is_no_obstacle(place: Place) -> None:
    place.door.save(place.door.draft("Add hubspot", ADD, secrets=TOKEN), "ann")
    (place.data / FOLDER / "000001").write_bytes(b"\0broken")
    (place.data / FOLDER / "notes").write_text("somebody's")
    assert list(place.door.versions()) == []
    place.door.save(place.door.draft("Later", Put(("connectors", "own", "rate"), 5)), "ben")
    assert [one.number for one in place.door.versions()] == [2]


def test_what_a_later_version_adds_to_an_entry_is_no_obstacle(place: Place) -> None:
    history = History(place.env)
    number = history.begin("ann", "x", None, b"connectors: {}\n")
    file = place.data / FOLDER / f"{number:06}.pending"
    file.write_bytes(file.read_bytes().replace(b'{"number"', b'{"later": [1], "number"'))
    history.finish(number)
    assert history.version(number) is not None
