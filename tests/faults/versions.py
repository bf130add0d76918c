"""Another version of the code, to run beside today's."""

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


def _git(*command: str) -> subprocess.CompletedProcess[bytes]:
    git = str(shutil.which("git") or "/bin/false")  # an unpacked archive needs none
    return subprocess.run([git, *command], cwd=ROOT, check=False, capture_output=True)
