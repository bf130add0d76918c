"""A disk that can be full: as root a small tmpfs under the server's data, and a file that fills it.

Without root nothing can be mounted; then the server may write no further byte into any file (RLIMIT_FSIZE), which ends
it as well.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.server import Server

SIZE = "256m"
ROOT = os.geteuid() == 0
HOW = "a full tmpfs" if ROOT else "no further byte in any file (not root: nothing can be mounted)"


class Disk:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._ballast = server.folder / "ballast"

    def fill(self) -> None:
        if not ROOT:
            assert self._server._process
            resource.prlimit(self._server._process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            return
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            for size in (65536, 1):
                with suppress(OSError):
                    while ballast.write(b"x" * size):
                        pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small(server: Server) -> Iterator[Disk]:
    """Put the server's data on a small disk, and back at the end. It is restarted for both."""
    kept = server.folder.with_name("kept")
    _moved(server, server.folder, kept)
    server.folder.mkdir()
    if ROOT:
        subprocess.run(
            [str(shutil.which("mount")), "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", server.folder], check=True
        )
    try:
        _copied(kept, server.folder)
        server.start()
        yield Disk(server)
    finally:
        server.kill()
        (server.folder / "ballast").unlink(missing_ok=True)
        shutil.rmtree(kept)
        _copied(server.folder, kept)
        if ROOT:
            subprocess.run([str(shutil.which("umount")), server.folder], check=True)
        shutil.rmtree(server.folder)
        kept.rename(server.folder)
        server.start()


def _moved(server: Server, source: Path, target: Path) -> None:
    server.stop()
    source.rename(target)


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
