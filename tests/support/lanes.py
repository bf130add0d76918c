"""Which tests start processes beside the store's server, and in which order all of them run.

The quick ones are a lane of their own (`make test-fast`). No list says which they are: whoever starts a process without
the mark `processes` fails, and whoever asks for a fixture that starts some has it.
"""

from __future__ import annotations

import multiprocessing.process
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Fixtures that start processes.
FIXTURES = {"authority", "browser", "collector", "mailbox", "receiver", "relay", "rigs", "site", "three", "up"}
#: Folders whose tests all do, those that take longest first: what begins last is what the others wait for.
FOLDERS = ("browser", "faults", "e2e", "deploy")
#: What any test may start: the store's own server, and git, which lists files in a moment.
ANYBODYS = {"valkey-server", "git"}


def mark(items: list[pytest.Item]) -> None:
    """Mark what starts processes, keep together what shares them, and put that first."""
    for item in items:
        folder = _folder(item)
        if folder in FOLDERS or FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("processes")
        if shared := _shared(item):
            item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, int]:
    folder = _folder(item)
    among = FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)
    return (0 if item.get_closest_marker("processes") else 1, among)


def _folder(item: pytest.Item) -> str:
    parts = item.path.parts
    return parts[parts.index("tests") + 1] if "tests" in parts else ""


def _shared(item: pytest.Item) -> str:
    """Whoever shares what a module or a folder starts runs in one process, or each would start it once more."""
    found = ""
    for fixtures in item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ():
        for one in fixtures:
            if one.scope == "package":
                return _folder(item)
            if one.scope == "module":
                found = item.path.stem
    return found


@contextmanager
def alone(item: pytest.Item) -> Iterator[None]:
    """While a test runs that has no mark, nothing but ANYBODYS may be started."""
    if item.get_closest_marker("processes"):
        yield
        return
    patch = pytest.MonkeyPatch()
    popen: Callable[..., None] = subprocess.Popen.__init__

    def checked(self: Any, args: Any, *more: Any, **options: Any) -> None:
        program = args if isinstance(args, str) else str(args[0])
        if Path(program).name not in ANYBODYS:
            raise AssertionError(f"{program} is started by a test that is not marked with pytest.mark.processes")
        popen(self, args, *more, **options)

    def refused(self: Any) -> None:
        raise AssertionError("a process is started by a test that is not marked with pytest.mark.processes")

    patch.setattr(subprocess.Popen, "__init__", checked)
    patch.setattr(multiprocessing.process.BaseProcess, "start", refused)
    try:
        yield
    finally:
        patch.undo()
