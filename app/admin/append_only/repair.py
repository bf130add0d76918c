"""Repairing the embedded store's append-only file: a copy is kept, and what is lost is counted and named."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.admin.append_only.faults import MANIFEST, Fault, Mend, files, folder, listed, look, rebuilt
from core.config.environment import Environment
from core.errors import NotFound

#: Of each kind of record, what stands in its key before the id (core/store/protocol/keys.py).
_IDS = re.compile(rb"relay:(?:payload|raw|summary|revisions|delivery|attempts|steps):([\w.:~-]+)")
_WRITE = re.compile(rb"\*\d+\r\n\$\d+\r\n[A-Za-z]+\r\n")


@dataclass
class Repair:
    """What was done. Of what is lost: bytes, commands that can still be told apart, and the ids in them of payloads,
    conversations and deliveries, whose earlier state is kept where they had one."""

    copy: Path
    done: list[str] = field(default_factory=list)
    lost_bytes: int = 0
    lost_commands: int = 0
    lost_ids: set[str] = field(default_factory=set)

    def lose(self, data: bytes) -> None:
        self.lost_bytes += len(data)
        self.lost_commands += len(_WRITE.findall(data))
        self.lost_ids |= {found.decode() for found in _IDS.findall(data)}


def repair(env: Environment) -> Repair:
    """Make Valkey able to load what is there. The caller holds the folder's lock.

    Raises NotFound when nothing is wrong, or when only a backup helps; OSError, and then nothing was changed but the
    last file that it names.
    """
    fault = look(env, thorough=True)
    if fault is None:
        raise NotFound("the store's files are intact")
    if fault.mend is Mend.NONE:
        raise NotFound(f"{fault.text}: {fault.remedy}")
    place = files(env)
    copy = folder(env) / f"appendonlydir-before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    try:
        shutil.copytree(place, copy, ignore_dangling_symlinks=True)
        copy.chmod(0o700)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        # Of several files it has the reasons of all, as text.
        said = re.search(r"\[Errno (\d+)\]", error.args[0][0][2]) if isinstance(error, shutil.Error) else None
        number = int(said[1]) if said else error.errno
        raise OSError(number, "cannot be copied", str(copy)) from error
    made = Repair(copy)
    while fault:
        if fault.mend is Mend.NONE:
            raise NotFound(f"{fault.text}: {fault.remedy}. The old files are in {copy}")
        _mend(place, fault, made)
        fault = look(env, thorough=True)
    return made


def _mend(place: Path, fault: Fault, made: Repair) -> None:
    if fault.mend is Mend.MANIFEST:
        text = rebuilt(place)
        _write_manifest(place, text)
        made.done.append(f"{MANIFEST} rebuilt from {text.count(chr(10))} files")
        return
    if not fault.missing:
        made.lose(cut(fault))
        made.done.append(f"{fault.file.name} cut at byte {fault.good:,}, after its last complete write")
    if fault.harmless:
        return
    # What was written later builds on what is lost.
    named = listed(place / MANIFEST)
    at = named.index(fault.file)
    dropped = named[at if fault.missing else at + 1 :]
    if not dropped:
        return
    for file in dropped:
        if file.exists():
            made.lose(file.read_bytes())
            file.unlink()
    names = [file.name for file in dropped]
    lines = (place / MANIFEST).read_text(encoding="utf-8").splitlines()
    _write_manifest(place, "".join(f"{line}\n" for line in lines if line.split()[1] not in names))
    made.done.append(f"{', '.join(names)} removed from the manifest")


def cut(fault: Fault) -> bytes:
    """Cut a file after its last whole write, on disk. Returns what was cut off. Raises OSError."""
    with fault.file.open("r+b") as file:
        file.seek(fault.good)
        gone = file.read()
        file.truncate(fault.good)
        os.fsync(file.fileno())
    return gone


def _write_manifest(place: Path, text: str) -> None:
    """Whole or not at all, as Valkey does."""
    draft = place / f"temp-{MANIFEST}"
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place / MANIFEST)
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def would_lose(fault: Fault, place: Path) -> tuple[int, Sequence[str]]:
    """Bytes that are lost with it, and the files that are no longer read."""
    if fault.mend is Mend.MANIFEST:
        return 0, ()
    named = listed(place / MANIFEST)
    later = [file for file in named[named.index(fault.file) + 1 :] if file.exists()] if not fault.harmless else []
    here = 0 if fault.missing else fault.file.stat().st_size - fault.good
    return here + sum(file.stat().st_size for file in later), [file.name for file in later]
