"""A change of the config reaches a running process; a broken, cut or empty one does not, and says so."""

from __future__ import annotations

import base64
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from connectors import registry
from core.config import reload
from core.config.environment import environment
from core.config.reload import Watched
from core.config.settings import ConnectorSettings, Settings
from core.config.sources import plain_file
from core.errors import ConfigError

ONE = "connectors: {one: {type: archive}}"
TWO = "connectors: {two: {type: archive}}"

#: As an admin's looks: tokens, two connectors, a route to each, and words of how long things are kept.
WHOLE = """\
tokens:
  - token: hunttoken-0123456789abcdef
  - token: other-token-0123456789abcdef
connectors:
  archive: {type: archive}
  own:
    type: archive
    folder: own
routes:
  - to: [archive]
  - to: [own]
    when: conversation.is_missed
retention:
  settled_days: null
"""


class Files:
    """A config file and secrets beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "relay.yaml"
        self.told: list[Settings] = []

    def write(self, text: str, name: str = "relay.yaml") -> None:
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.folder / name)

    def make_folder(self) -> None:
        self.config.unlink()
        self.config.mkdir()

    def watched(self, *, restarted: bool = False, keys: str = "", **variables: str) -> Watched:
        data = {"RELAY_CONFIG": str(self.config), "RELAY_DATA_DIR": str(self.folder / "var")}
        env = environment(data | ({"RELAY_ENCRYPTION_KEYS": keys} if keys else {}))
        return Watched(env, registry.settings_model, variables, self.told.append, restarted=restarted)


def settled(watched: Watched) -> Settings:
    """After as many looks as the longest way takes: a change that names a new secret."""
    for _ in range(5):
        found = watched.current()
    return found


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Every look comes at once, and what is the same at two of them is still."""
    for name in ("_PERIOD", "STILL", "REMOVAL_STILL", "AGAIN", "SETTLING"):
        monkeypatch.setattr(reload, name, 0.0)
    made = Files(tmp_path)
    made.write(ONE)
    return made


def test_a_change_is_taken_and_told(files: Files) -> None:
    watched = files.watched()
    assert watched.current().enabled == ("one",)
    files.write(TWO)
    assert settled(watched).enabled == ("two",)
    assert [settings.enabled for settings in files.told] == [("two",)]


def test_a_change_that_is_not_yet_still_waits(files: Files) -> None:
    watched = files.watched()
    for number in range(4):
        files.write(f"{TWO} # {number}")
        assert watched.current().enabled == ("one",)
    assert settled(watched).enabled == ("two",)


def test_what_takes_something_away_must_be_still_for_longer(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "REMOVAL_STILL", 3600.0)
    files.write(WHOLE)
    watched = files.watched()
    for text in (
        WHOLE.replace("  - token: other-token-0123456789abcdef\n", ""),
        WHOLE.replace("  - to: [own]\n    when: conversation.is_missed\n", ""),
        WHOLE.replace("    folder: own\n", "    enabled: false\n"),
    ):
        files.write(text)
        assert settled(watched).enabled == ("archive", "own")
    files.write(WHOLE.replace("routes:", "  third: {type: archive}\nroutes:"))
    assert settled(watched).enabled == ("archive", "own", "third")


def test_what_did_not_change_is_not_read_again(files: Files) -> None:
    watched = files.watched()
    first = watched.current()
    files.write(ONE)  # touched
    assert settled(watched) is first
    assert not files.told


def test_a_file_that_is_written_in_place_is_a_change(files: Files) -> None:
    watched = files.watched()
    files.config.write_text(TWO + "  # and longer")
    assert settled(watched).enabled == ("two",)


def test_a_broken_change_is_refused_and_the_old_goes_on(files: Files) -> None:
    watched = files.watched()
    for broken, why in (("connectors: {a: {type: archve}}", "did you mean 'archive'?"), ("a: [", "never closed")):
        files.write(broken)
        assert settled(watched).enabled == ("one",)
        assert why in watched.trouble
    files.write(TWO)
    assert settled(watched).enabled == ("two",)
    assert watched.trouble == ""
    assert len(files.told) == 1


def test_every_refusal_is_logged_once_with_what_to_do(files: Files) -> None:
    watched = files.watched()
    with capture_logs() as lines:
        for broken in ("a: [", "b: 1", ""):
            files.write(broken)
            settled(watched)
            settled(watched)
    assert [line["log_level"] for line in lines] == ["warning"] * 3
    assert all("relay config check" in line["remedy"] and line["problems"] for line in lines)


def test_a_broken_change_that_is_taken_back_is_no_trouble_any_more(files: Files) -> None:
    watched = files.watched()
    files.write("a: [")
    assert settled(watched).enabled == ("one",)
    assert watched.trouble
    files.write(ONE)
    assert settled(watched).enabled == ("one",)
    assert watched.trouble == ""


LOSSES: dict[str, Callable[[Files], object]] = {
    "empty": lambda files: files.config.write_bytes(b""),
    "blank": lambda files: files.config.write_bytes(b"\n \n"),
    "a comment": lambda files: files.write("# tokens:\n"),
    "only ---": lambda files: files.write("---\n"),
    "NULs": lambda files: files.config.write_bytes(b"\0" * 4096),
    "half NULs": lambda files: files.config.write_bytes(WHOLE.encode()[:99] + b"\0" * 200),
    "UTF-16": lambda files: files.config.write_bytes(WHOLE.encode("utf-16")),
    "gone": lambda files: files.config.unlink(),
    "a folder": lambda files: files.make_folder(),
    "no token": lambda files: files.write(WHOLE[WHOLE.index("connectors:") :]),
    "no tokens in the list": lambda files: files.write("tokens: []\n" + WHOLE[WHOLE.index("connectors:") :]),
    "no connector": lambda files: files.write(WHOLE[: WHOLE.index("connectors:")] + "# the rest is to come\n"),
    "no connectors in the map": lambda files: files.write(WHOLE[: WHOLE.index("connectors:")] + "connectors: {}\n"),
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_file_that_lost_what_chats_need_changes_nothing(
    files: Files, loss: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files.folder)
    files.write(WHOLE)
    env = environment({"RELAY_CONFIG": str(files.config)} if named else {})
    watched = Watched(env, registry.settings_model, {})
    before = watched.current()
    LOSSES[loss](files)
    assert settled(watched) is before
    assert watched.trouble
    if files.config.is_dir():
        files.config.rmdir()
    files.write(WHOLE + "# and mended\n")
    assert settled(watched).tokens == before.tokens
    assert watched.trouble == ""


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_no_cut_of_the_file_is_adopted(files: Files, cut: int) -> None:
    files.write(WHOLE)
    watched = files.watched()
    before = watched.current()
    files.config.write_text(WHOLE[:cut])
    found = settled(watched)
    for part in ("tokens", "connectors", "routes", "retention"):
        assert getattr(found, part) == getattr(before, part)


def test_the_end_of_the_file_can_be_removed_on_purpose(files: Files) -> None:
    files.write(WHOLE)
    watched = files.watched()
    shorter = WHOLE[: WHOLE.index("retention:")]
    files.write(shorter)
    assert settled(watched).retention.settled_days is None
    assert "add a comment" in watched.trouble
    files.write(shorter + "# kept for 30 days\n")
    assert settled(watched).retention.settled_days == 30


def test_everything_is_switched_off_by_saying_so(files: Files) -> None:
    files.write(WHOLE)
    watched = files.watched()
    off = WHOLE.replace("{type: archive}", "{type: archive, enabled: false}").replace("folder: own", "enabled: false")
    files.write(off)
    assert settled(watched).enabled == ()


@pytest.mark.parametrize("written", ["", " \n", None])
def test_a_secret_that_is_empty_or_absent_for_a_moment_changes_nothing(files: Files, written: str | None) -> None:
    files.write("first", "secret")
    files.write("connectors: {one: {type: archive, folder: '${file:secret}'}}")
    watched = files.watched()
    before = watched.current()
    if written is None:
        (files.folder / "secret").unlink()
    else:
        (files.folder / "secret").write_text(written)
    assert settled(watched) is before
    assert "secret" in watched.trouble
    files.write("second", "secret")
    assert str(settled(watched).connectors["one"].model_dump()["folder"]) == "second"
    assert watched.trouble == ""


def test_a_config_that_is_broken_from_the_start_is_refused(files: Files) -> None:
    for broken in ("a: [", "", "# nothing\n"):
        files.write(broken)
        with pytest.raises(ConfigError):
            files.watched()


# --- restarts ----------------------------------------------------------------------


#: States of the file in which whoever restarts finds nothing to go on with.
UNUSABLE = {
    "broken": "a: [",
    "empty": "",
    "only a comment": "# soon\n",
    "half of it": WHOLE[: WHOLE.index("  own:") + 8],
}


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("name", list(UNUSABLE))
def test_who_is_restarted_while_the_file_is_broken_goes_on_with_what_was_in_force(
    files: Files, name: str, restarted: bool
) -> None:
    files.write(WHOLE)
    before = files.watched().current()
    files.write(UNUSABLE[name])
    with capture_logs() as logs:
        watched = files.watched(restarted=restarted)
    [line] = [one for one in logs if one["log_level"] == "error"]
    assert "started with the last valid one" in line["event"]
    assert settled(watched) == before
    assert watched.trouble
    files.write(WHOLE.replace("folder: own", "folder: other"))
    assert settled(watched).fingerprints != before.fingerprints
    assert watched.trouble == ""


@pytest.mark.parametrize(
    "written", [None, "connectors: {archive: {type: archive}}", WHOLE[: WHOLE.index("  - to: [own]")]]
)
def test_who_is_restarted_by_itself_takes_no_change_that_a_running_one_would_refuse(
    files: Files, written: str | None
) -> None:
    files.write(WHOLE)
    before = files.watched().current()
    if written is None:
        files.config.unlink()
    else:
        files.write(written)
    watched = files.watched(restarted=True)
    assert settled(watched) == before
    assert watched.trouble


def test_who_is_started_on_purpose_takes_what_is_there(files: Files) -> None:
    files.write(WHOLE)
    files.watched()
    files.write("connectors: {archive: {type: archive}}")
    assert files.watched().current().tokens == ()
    assert files.watched(restarted=True).current().tokens == ()  # that is in force now


def test_a_secret_that_is_gone_at_a_restart_is_the_one_of_before(files: Files) -> None:
    files.write("one", "secret")
    files.write("connectors: {one: {type: archive, folder: '${file:secret}'}}")
    assert files.watched().current().fingerprints
    (files.folder / "secret").unlink()
    watched = files.watched(restarted=True)
    assert str(settled(watched).connectors["one"].model_dump()["folder"]) == "one"
    assert "does not exist" in watched.trouble


def test_what_is_kept_for_a_restart_is_the_relays_own_and_sealed_where_there_are_keys(files: Files) -> None:
    kept, key = files.folder / "var" / "last-good-config", Fernet.generate_key().decode()
    files.write(WHOLE)
    files.watched()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    name = base64.b64encode(WHOLE.encode())
    assert name in kept.read_bytes()
    files.watched(keys=key)
    assert name not in kept.read_bytes()
    files.write("a: [")
    assert len(files.watched(keys=key).current().tokens) == 2
    with pytest.raises(ConfigError):
        files.watched()  # without the key there is nothing to go on with


def test_a_data_folder_that_cannot_be_written_is_no_obstacle(files: Files) -> None:
    (files.folder / "var").write_text("a file")
    assert files.watched().current().enabled == ("one",)


def test_a_start_in_the_middle_of_a_save_waits_for_its_end(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "SETTLING", 20.0)
    files.write("")
    looks: list[float] = []

    def saved(seconds: float) -> None:
        looks.append(seconds)
        files.write(TWO)

    monkeypatch.setattr(time, "sleep", saved)
    assert files.watched().current().enabled == ("two",)
    assert len(looks) == 1


def test_a_secret_that_a_refused_change_lacks_is_noticed_when_it_comes(files: Files) -> None:
    watched = files.watched()
    files.write("connectors: {two: {type: archive, folder: '${file:late}'}}")
    assert settled(watched).enabled == ("one",)
    assert "it does not exist" in watched.trouble
    files.write("x", "late")
    assert settled(watched).enabled == ("two",)
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
    assert settled(watched).enabled == ("two",)


def test_a_file_that_is_written_later_replaces_the_built_in_configuration(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.config.unlink()
    monkeypatch.chdir(files.folder)
    watched = Watched(environment({}), registry.settings_model, {})
    assert watched.current().source == "built-in configuration"
    files.write(TWO)
    assert settled(watched).enabled == ("two",)


def test_a_change_that_comes_while_the_file_is_read_is_not_missed(files: Files) -> None:
    changes = [TWO, "connectors: {three: {type: archive}}"]

    def slow(kind: str) -> type[ConnectorSettings]:
        if changes:
            files.write(changes.pop(0))
        return registry.settings_model(kind)

    watched = Watched(environment({"RELAY_CONFIG": str(files.config)}), slow, {})
    settled(watched)
    assert settled(watched).enabled == ("three",)


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
    for _ in range(4):
        found = settled(watched)
    assert str(found.connectors["one"].model_dump()["folder"]) == "last"


def test_it_does_not_look_more_often_than_it_should(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "_PERIOD", 3600.0)
    watched = files.watched()
    files.write(TWO)
    assert settled(watched).enabled == ("one",)


def test_whoever_follows_needs_nobody_to_ask(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "_PERIOD", 0.01)
    stopping, told = threading.Event(), threading.Event()
    env = environment({"RELAY_CONFIG": str(files.config)})
    watched = Watched(env, registry.settings_model, {}, lambda _: told.set())
    watched.follow(stopping)
    files.write(TWO)
    assert told.wait(20)
    stopping.set()


def test_one_thread_looks_and_the_others_do_not_wait_for_it(files: Files) -> None:
    entered, leave = threading.Event(), threading.Event()

    def stuck(kind: str) -> type[ConnectorSettings]:
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            leave.wait(20)
        return registry.settings_model(kind)

    watched = Watched(environment({"RELAY_CONFIG": str(files.config)}), stuck, {})
    files.write(TWO)
    looking = threading.Thread(target=settled, args=[watched])
    looking.start()
    assert entered.wait(20)
    assert watched.current().enabled == ("one",)
    leave.set()
    looking.join(20)
    assert settled(watched).enabled == ("two",)


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def as_device(file: Path) -> None:
    file.symlink_to("/dev/null")


def as_gigabytes(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(f"{TWO}\n#".encode())
        stream.truncate(plain_file.LARGEST_FILE + 1)


@pytest.mark.parametrize("name", ["relay.yaml", ".env", "secret"])
@pytest.mark.parametrize(
    ("become", "said"),
    [(as_pipe, "a pipe or a device"), (as_device, "a pipe or a device"), (as_gigabytes, "larger than 1 MiB")],
)
def test_what_would_not_end_is_not_read(files: Files, name: str, become: Callable[[Path], None], said: str) -> None:
    files.write("three", "secret")
    files.write("NAME=value", ".env")
    files.write("connectors: {one: {type: archive, folder: '${file:secret}-${NAME}'}}")
    watched = files.watched()
    file = files.folder / name
    file.unlink()
    become(file)
    assert settled(watched).enabled == ("one",)
    assert said in watched.trouble
    assert name in watched.trouble


def test_a_start_takes_its_configuration_from_a_pipe(files: Files) -> None:
    reader, writer = os.pipe()
    os.write(writer, TWO.encode())
    os.close(writer)
    try:
        files.config = Path(f"/dev/fd/{reader}")
        watched = files.watched()
    finally:
        os.close(reader)
    assert settled(watched).enabled == ("two",)
    assert not watched.trouble


def test_no_cut_of_a_secret_is_adopted(files: Files) -> None:
    whole = {"secret": "hunttoken-0123456789abcdef", ".env": "FOLDER=a-folder-of-ours"}
    for name, text in whole.items():
        files.write(text, name)
    files.write("tokens: [{token: '${file:secret}'}]\nconnectors: {one: {type: archive, folder: '${FOLDER}'}}")
    watched = files.watched()
    first = settled(watched)
    for name, text in whole.items():
        for end in range(len(text)):
            files.write(text[:end], name)
            assert settled(watched) is first
            assert watched.trouble
        files.write(text, name)
        assert settled(watched) is first
        assert not watched.trouble
    files.write("another-0123456789abcdef", "secret")
    files.write("FOLDER=theirs", ".env")
    assert settled(watched).tokens[0].token.get_secret_value() == "another-0123456789abcdef"
    files.write("another-0123456789", "secret")
    settled(watched)
    assert f"{files.folder}/secret" in watched.trouble
    assert "another" not in watched.trouble
