"""Another version of the code, to run beside today's: one from the history, and one that keeps more."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CODE = ("app", "connectors", "core", "workers")


@dataclass(frozen=True)
class Code:
    """A PYTHONPATH, and what it has: `name` says which version."""

    path: str
    name: str


def other(folder: Path) -> Code:
    """The newest version in the history whose code is not today's.

    A history that has none (a clone of depth 1, or no clone at all) leaves today's own: then two processes of one
    version run, and the name says so.
    """
    for commit in _git("log", "--format=%H", "--max-count=50", "--", *CODE).stdout.decode().split():
        if _git("diff", "--quiet", commit, "--", *CODE).returncode == 1:
            with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, *CODE).stdout)) as archive:
                archive.extractall(folder, filter="data")
            # The tests' connector is looked for behind the code.
            return Code(f"{folder}:{ROOT}", commit[:9])
    return Code(str(ROOT), "the same: this clone has no other")


#: What a version might bring: a field of an attempt and one of its requests, and words of its own for an outcome and
#: a status.
_BROUGHT = {
    "    requests: tuple[Exchange, ...] = ()\n": '    requests: tuple[Exchange, ...] = ()\n    mood: str = "fine"\n',
    '    answered: str = ""\n': '    answered: str = ""\n    proxy: str = "none"\n',
    'RETRY = "retry"': 'RETRY = "again-later"',
    'RETRYING = "retrying"': 'RETRYING = "postponed"',
}


def newer(folder: Path) -> Code:
    """Today's code, but for its records: neither knows all that stands in those of the other."""
    for one in CODE:
        shutil.copytree(ROOT / one, folder / one, ignore=shutil.ignore_patterns("__pycache__"))
    delivery = folder / "core" / "delivery.py"
    text = delivery.read_text()
    for old, new in _BROUGHT.items():
        assert text.count(old) == 1, f"core/delivery.py has changed: {old}"
        text = text.replace(old, new)
    delivery.write_text(text)
    return Code(f"{folder}:{ROOT}", "one with other records")


def _git(*command: str) -> subprocess.CompletedProcess[bytes]:
    git = str(shutil.which("git") or "/bin/false")  # an unpacked archive needs none
    return subprocess.run([git, *command], cwd=ROOT, check=False, capture_output=True)
