"""Writing a file of the admin's: whether it is ours to write, and whole or not at all."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Seconds that git may take to say whether it knows a file.
_GIT = 5


def obstacle(file: Path, *, even_in_git: bool = False) -> str:
    """Why a file (no link) is not ours to write, or ""."""
    return next(_obstacles(file, even_in_git=even_in_git), "")


def _obstacles(file: Path, *, even_in_git: bool) -> Iterator[str]:
    if not os.access(file.parent, os.W_OK):
        yield f"the folder {file.parent} is not writable for the relay's user"
    if not file.exists():
        return
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        yield f"{file} is not a plain file"
    # Who takes the right to write from a file means it, though its folder would let us replace it.
    if not os.access(file, os.W_OK) or not status.st_mode & 0o222:
        yield f"{file} is read-only"
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        yield f"{file} belongs to another user"
    if status.st_nlink > 1:
        yield f"{file} has another name (a hard link), which would keep the old text"
    if not even_in_git and _is_tracked(file):
        yield f"Git manages {file}: change it where it comes from, and commit it"


def replace(file: Path, content: bytes) -> None:
    """Readers see the old file or the new one; mode and owner stay. One at a time. Raises OSError."""
    name = f".{file.name}.relay-"
    draft = file.with_name(name + secrets.token_hex(4))
    try:
        for left in file.parent.glob(f"{glob.escape(name)}????????"):  # by one who was killed
            left.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            if file.exists():
                shutil.copystat(file, draft)  # mode, access control lists, labels
                status = file.stat()
                os.chown(descriptor, status.st_uid, status.st_gid)
                os.utime(draft)
            stream.flush()
            os.fsync(descriptor)
        draft.replace(file)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_tracked(file: Path) -> bool:
    """Whether Git knows the file; not, where there is no Git."""
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "--error-unmatch", "--", file.name]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, timeout=_GIT, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
