"""What may be wrong with an installation: this machine, its configuration, its connectors. (The server: doctor_store.)

Each finding has a verdict, and what to do about it. Nothing here needs anything else to be right.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from app.admin import checks
from app.process import open_to_others
from connectors.registry import settings_model
from core.config.doubts import doubts
from core.config.environment import DISK_FILLING, DISK_FULL, Environment, environment, token_file
from core.config.loader import load
from core.config.settings import Settings
from core.errors import ConfigError, Problem

PACKAGE = "smartsupp-relay"
_MIB = 1024 * 1024


class Level(StrEnum):
    RIGHT = "right"
    DOUBT = "doubt"
    WRONG = "wrong"


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what it is about, the verdict, what was seen, and what to do unless it is right."""

    about: str
    verdict: Level
    text: str
    remedy: str = ""


def right(about: str, text: str) -> Diagnosis:
    return Diagnosis(about, Level.RIGHT, text)


def doubt(about: str, text: str, remedy: str) -> Diagnosis:
    return Diagnosis(about, Level.DOUBT, text, remedy)


def wrong(about: str, text: str, remedy: str) -> Diagnosis:
    return Diagnosis(about, Level.WRONG, text, remedy)


def versions() -> Iterator[Diagnosis]:
    found = [f"Python {platform.python_version()}", f"relay {version(PACKAGE)}"]
    found += [f"{name} {version(name)}" for name in ("celery", "redis", "flask")]
    yield right("versions", ", ".join(found))
    for requirement in requires(PACKAGE) or ():
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^;\s]+)", requirement)
        if not pinned:
            continue
        try:
            there = version(pinned[1])
        except PackageNotFoundError:
            there = "missing"
        if there != pinned[2]:
            yield doubt(
                "versions",
                f"{pinned[1]} is {there}; this version was tested with {pinned[2]}",
                "pip install --require-hashes -r requirements.lock",
            )


def surroundings(variables: Mapping[str, str]) -> tuple[Environment | None, list[Diagnosis]]:
    """The environment, if it can be read, and what is wrong with it."""
    try:
        return environment(variables), []
    except ConfigError as error:
        return None, [_problem("environment", one) for one in error.problems]


def configuration(env: Environment, variables: Mapping[str, str]) -> tuple[Settings | None, list[Diagnosis]]:
    """The settings, if they can be read, and every problem or doubt."""
    try:
        settings = load(env, settings_model, variables)
    except ConfigError as error:
        return None, [
            wrong(
                "config",
                f"{error.source}: {one}",
                "correct it; a running relay still uses the previous version",
            )
            for one in error.problems
        ]
    found = [doubt("config", one.text, one.remedy) for one in doubts(settings)]
    return settings, [
        right("config", f"{settings.source}; enabled: {', '.join(settings.enabled) or 'nothing'}"),
        *found,
    ]


def _problem(about: str, problem: Problem) -> Diagnosis:
    return wrong(about, f"{problem.path} {problem.text}", f"correct {problem.path}, here and where the relay runs")


def token(env: Environment, settings: Settings | None) -> Iterator[Diagnosis]:
    found = settings.tokens if settings else env.tokens
    if not found:
        remedy = "run relay up, which creates one; or set SMARTSUPP_TOKEN=$(openssl rand -hex 24)"
        yield wrong("token", "no token is set, so no chat can be accepted", remedy)
        return
    yield right("token", f"{len(found)} set" if len(found) > 1 else "set")
    kept = token_file(env.data_dir)
    if kept.exists() and open_to_others(kept):
        yield doubt("token", f"{kept} can be read by other users of this machine", f"chmod 600 {kept}")


def data_folder(env: Environment) -> Iterator[Diagnosis]:
    """The archive, the embedded server and the token are in there."""
    folder = env.data_dir
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not _writable(there):
        yield wrong(
            "data folder",
            f"{there} is not writable",
            "make the user who runs the relay its owner, or set RELAY_DATA_DIR",
        )
        return
    if there == folder and open_to_others(folder):
        yield doubt("data folder", f"{folder} can be entered by other users of this machine", f"chmod 700 {folder}")
    free = shutil.disk_usage(there).free
    text = f"{folder}{'' if there == folder else ' (does not exist yet)'}, {_size(free)} free"
    remedy = "free disk space: when the disk is full, chats are refused"
    if free < DISK_FULL:
        yield wrong("data folder", text, remedy)
    elif free < DISK_FILLING:
        yield doubt("data folder", text, remedy)
    else:
        yield right("data folder", text)


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
            file.flush()
    except OSError:
        return False
    return True


def _size(number: int) -> str:
    return f"{number / 1024 / _MIB:,.1f} GiB" if number >= 1024 * _MIB else f"{number / _MIB:,.0f} MiB"


def connector_findings(env: Environment, settings: Settings, *, check: bool) -> Iterator[Diagnosis]:
    """Whether each enabled one can be made of its settings; with `check` also what its own check finds."""
    for name in settings.enabled:
        about = f"connector {name}"
        try:
            made = checks.connector(settings, name, env)
            found = list(checks.findings(made)) if check else []
        except Exception as error:  # noqa: BLE001  # a third party's connector fails as it likes
            yield wrong(
                about, f"{type(error).__name__}: {error}", "internal error; report it to the author of the connector"
            )
            continue
        for one in found:
            yield right(about, one.text) if one.right else wrong(about, one.text, one.remedy)
        if not found:
            text = (
                "nothing to check"
                if check
                else f"{made.label}; not checked at the destination (run: relay doctor --check)"
            )
            yield right(about, text)
