"""Sealed secrets: kept, replaced, and opened with the keys of today only."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connectors import registry
from core.config.environment import environment
from core.config.loader import load
from core.config.reload import Watched
from core.config.sources.secret_store import BadSecret, SecretStore
from core.errors import ConfigError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "kept-to-itself-0123456789"


def store(folder: Path, *keys: str) -> SecretStore:
    return SecretStore(environment({"RELAY_DATA_DIR": str(folder / "var"), "RELAY_ENCRYPTION_KEYS": ",".join(keys)}))


@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["without keys", "with a key"])
def test_what_is_set_is_kept_for_its_user_alone(tmp_path: Path, keys: tuple[str, ...]) -> None:
    store(tmp_path, *keys).set({"a": SECRET, "b": "other"}, "ann")
    assert store(tmp_path, *keys).get("a") == SECRET
    assert [(one.name, one.by) for one in store(tmp_path, *keys).list()] == [("a", "ann"), ("b", "ann")]
    assert stat.S_IMODE((tmp_path / "var" / "secrets").stat().st_mode) == 0o600
    assert (SECRET.encode() in (tmp_path / "var" / "secrets").read_bytes()) == (not keys)
    assert SECRET not in repr(store(tmp_path, *keys).list())


def test_without_its_key_it_says_which_and_with_a_new_one_it_is_sealed_anew(tmp_path: Path) -> None:
    store(tmp_path, OLD).set({"a": SECRET}, "ann")
    with pytest.raises(BadSecret, match="put the key back"):
        store(tmp_path, NEW).get("a")
    with pytest.raises(BadSecret, match="put the key back"):
        store(tmp_path).set({"b": "x"}, "ann")
    store(tmp_path, NEW, OLD).seal_anew()
    assert store(tmp_path, NEW).get("a") == SECRET


def test_a_running_relay_seals_them_with_the_newest_key(tmp_path: Path) -> None:
    store(tmp_path).set({"a": SECRET}, "ann")
    (tmp_path / "relay.yaml").write_text("connectors: {archive: {type: archive}}")
    variables = {"RELAY_DATA_DIR": str(tmp_path / "var"), "RELAY_CONFIG": str(tmp_path / "relay.yaml")}
    Watched(environment({**variables, "RELAY_ENCRYPTION_KEYS": NEW}), registry.settings_model, {})
    assert SECRET.encode() not in (tmp_path / "var" / "secrets").read_bytes()
    assert store(tmp_path, NEW).get("a") == SECRET


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"\xff", b"\x00relay:fernet:x"])
def test_a_damaged_file_is_said_and_never_written_over(tmp_path: Path, content: bytes) -> None:
    made = store(tmp_path)
    made.file.parent.mkdir()
    made.file.write_bytes(content)
    with pytest.raises(BadSecret, match=r"damaged|put the key back"):
        made.set({"a": "x"}, "ann")
    assert made.file.read_bytes() == content


def test_what_a_later_version_adds_to_a_secret_stays(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.set({"a": SECRET}, "ann")
    told = json.loads(made.file.read_bytes())
    told["a"]["later"] = [1]
    made.file.write_text(json.dumps(told))
    made.set({"b": "x"}, "ben")
    assert json.loads(made.file.read_bytes())["a"]["later"] == [1]


def test_two_who_set_at_once_lose_nothing(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(20)]
    threads = [threading.Thread(target=store(tmp_path).set, args=({name: "x"}, "ann")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.name for one in store(tmp_path).list()) == sorted(names)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("${secret:none}", "there is no secret 'none'; set it with: relay secrets set none"),
        ("${secret:}", "has no name of a secret"),
        ("${secret:A B}", "has no name of a secret"),
    ],
)
def test_a_name_that_is_not_there_has_its_line(tmp_path: Path, value: str, says: str) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(f"connectors:\n  a:\n    type: hubspot\n    token: {json.dumps(value)}\n")
    env = environment({"RELAY_DATA_DIR": str(tmp_path / "var"), "RELAY_CONFIG": str(file)})
    with pytest.raises(ConfigError) as raised:
        load(env, registry.settings_model, {})
    assert raised.value.problems[0].line == 4
    assert says in str(raised.value)


def test_a_running_relay_hears_of_a_new_secret_and_keeps_it_for_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PERIOD", "STILL"):
        monkeypatch.setattr(f"core.config.reload.{name}", 0.0)
    made, file = store(tmp_path), tmp_path / "relay.yaml"
    made.set({"a": SECRET}, "ann")
    file.write_text("connectors:\n  a: {type: hubspot, token: '${secret:a}'}\n")
    env = environment({"RELAY_DATA_DIR": str(tmp_path / "var"), "RELAY_CONFIG": str(file)})
    watched = Watched(env, registry.settings_model, {})
    made.set({"a": "another-0123456789"}, "ann")
    for _ in range(3):
        watched.current()
    assert watched.current().connectors["a"].token.get_secret_value() == "another-0123456789"  # type: ignore[attr-defined]
    made.file.unlink()
    restarted = Watched(env, registry.settings_model, {}, restarted=True)
    assert restarted.current().connectors["a"].token.get_secret_value() == "another-0123456789"  # type: ignore[attr-defined]
    assert "there is no secret" in restarted.trouble


def test_the_env_file_is_watched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PERIOD", "STILL"):
        monkeypatch.setattr(f"core.config.reload.{name}", 0.0)
    file = tmp_path / "relay.yaml"
    (tmp_path / ".env").write_text("TOKEN=first-0123456789\n")
    file.write_text("connectors:\n  a: {type: hubspot, token: '${TOKEN}'}\n")
    env = environment({"RELAY_DATA_DIR": str(tmp_path / "var"), "RELAY_CONFIG": str(file)})
    watched = Watched(env, registry.settings_model, {})
    (tmp_path / ".env").write_text("TOKEN=second-0123456789\n")
    for _ in range(3):
        watched.current()
    assert watched.current().connectors["a"].token.get_secret_value() == "second-0123456789"  # type: ignore[attr-defined]
    (tmp_path / ".env").unlink()
    for _ in range(3):
        watched.current()
    assert "TOKEN is not set" in watched.trouble
    assert watched.current().connectors["a"].token.get_secret_value() == "second-0123456789"  # type: ignore[attr-defined]
