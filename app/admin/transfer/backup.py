"""One file with everything that a relay keeps on this machine, and the way back: the embedded store, the archive,
relay.yaml, its secrets (sealed, where there are encryption keys) and the hook's token.

The store may run meanwhile. Its manifest names the files that belong together; all of them are opened, and when the
manifest still says the same, they are one state of the store, whatever a rewrite removes later. A file that grows is
copied up to the size that it had then: a write that is cut off there was not acknowledged yet, and `relay up` takes it
away.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO, Any

from app.admin.append_only import faults
from core.config.environment import Environment, token_file
from core.config.mistakes.files import file_mistake
from core.config.sources import secret_store
from core.errors import RelayError

#: The first member: what this is, for people and for whoever restores it.
_ABOUT = "relay-backup.json"
_STORE, _ARCHIVE, _CONFIG, _TOKEN = "store", "archive", "relay.yaml", "smartsupp-token"  # a file's name
_SECRETS = secret_store.FILE
#: Times that the store's files are opened anew when a rewrite has replaced them meanwhile.
_OPENINGS = 20


class BackupError(RelayError):
    """Nothing was written, or nothing that would be taken for whole; the text says what to do."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds: the relay's `version`, when it was `taken` (UTC, ISO 8601), bytes of the `store` (0: none
    is in it), files of the archives, and whether `config`, `token` and `secrets` are in it."""

    version: str
    taken: str
    store: int
    archive: int
    config: bool
    token: bool
    secrets: bool = False


def write_backup(env: Environment, target: Path, archives: Sequence[Path], *, with_store: bool) -> Contents:
    """`archives` are folders in the data folder. `target` appears when it is whole, and only its user can read it.
    Raises BackupError."""
    if target.exists():
        raise BackupError(f"{target} exists; name another file, or move it away")
    if not target.parent.is_dir():
        raise BackupError(f"the folder {target.parent} does not exist")
    draft = target.with_name(f".{target.name}.part")
    try:
        with ExitStack() as opened:
            store = _store_files(env, opened) if with_store else []
            archive = [file for folder in archives for file in _whole_files(folder)]
            about = Contents(
                version=version("smartsupp-relay"),
                taken=datetime.now(UTC).isoformat(timespec="seconds"),
                store=sum(size for _, _, size in store),
                archive=len(archive),
                config=env.config.is_file(),
                token=token_file(env.data_dir).is_file(),
                secrets=(env.data_dir / _SECRETS).is_file(),
            )
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
                    text = json.dumps(asdict(about), indent=2).encode()
                    _add(tar, _ABOUT, io.BytesIO(text), len(text))
                    for name, stream, size in store:
                        _add(tar, f"{_STORE}/{name}", stream, size)
                    for file, name in [
                        *((env.config, _CONFIG) for _ in range(about.config)),
                        *((token_file(env.data_dir), _TOKEN) for _ in range(about.token)),
                        *((env.data_dir / _SECRETS, _SECRETS) for _ in range(about.secrets)),
                        *((file, f"{_ARCHIVE}/{file.relative_to(env.data_dir)}") for file in archive),
                    ]:
                        with suppress(FileNotFoundError), file.open("rb") as stream:  # erased meanwhile
                            _add(tar, name, stream, os.fstat(stream.fileno()).st_size)
                out.flush()
                os.fsync(out.fileno())
            draft.rename(target)
    except OSError as error:
        raise BackupError(f"cannot write {error.filename or target}: {file_mistake(error)}") from None
    finally:
        draft.unlink(missing_ok=True)
    return about


def read_backup(env: Environment, source: Path) -> tuple[Contents, Sequence[str]]:
    """Put a backup into a data folder that holds no store yet, whole or not at all. Raises BackupError.

    Returns what was in it, and lines about what was left as it is here.
    """
    place = env.data_dir
    if faults.folder(env).exists() or faults.mark(env).exists():
        raise BackupError(
            f"{place} already holds a store; stop Relay and move it away, or set RELAY_DATA_DIR to a new folder"
        )
    draft = place.with_name(f".{place.name}.restored")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        about = _unpack(source, draft)
        left = [
            *_settle(draft / _CONFIG, env.config),
            *_settle(draft / _TOKEN, token_file(place)),
            *_settle(draft / _SECRETS, place / _SECRETS),
        ]
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (draft / _STORE).exists():
            faults.folder(env).mkdir(mode=0o700)
            (draft / _STORE).rename(faults.files(env))
        for folder in sorted((draft / _ARCHIVE).glob("*")):
            if (place / folder.name).exists():
                raise BackupError(f"{place / folder.name} exists; move it away")
            folder.rename(place / folder.name)
    except OSError as error:
        raise BackupError(f"cannot restore {error.filename or source}: {file_mistake(error)}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    fault = faults.look(env, thorough=True) if about.store else None
    if fault and not fault.harmless:
        raise BackupError(f"the store of this backup is damaged: {fault.text}; {fault.remedy}")
    return about, left


def _store_files(env: Environment, opened: ExitStack) -> list[tuple[str, IO[bytes], int]]:
    """The name, a stream and the size of every file of the store. Raises BackupError, OSError."""
    manifest = faults.files(env) / faults.MANIFEST
    for _ in range(_OPENINGS):
        try:
            text = manifest.read_bytes()
            files = faults.listed(manifest)
            streams = [(file.name, opened.enter_context(file.open("rb"))) for file in files]
        except FileNotFoundError:
            if not manifest.parent.exists():
                raise BackupError(
                    f"there is no store in {env.data_dir}; set RELAY_DATA_DIR to the folder of relay up"
                ) from None
            time.sleep(0.2)  # a rewrite is at it
            continue
        sizes = [os.fstat(stream.fileno()).st_size for _, stream in streams]
        if files and manifest.read_bytes() == text:
            found: list[tuple[str, IO[bytes], int]] = [(faults.MANIFEST, io.BytesIO(text), len(text))]
            return [*found, *((name, stream, size) for (name, stream), size in zip(streams, sizes, strict=True))]
        time.sleep(0.2)
    raise BackupError(
        f"the store's files in {manifest.parent} keep changing, or do not belong together; run relay doctor"
    )


def _whole_files(folder: Path) -> list[Path]:
    """Without drafts: what is written to an archive has another name until it is whole."""
    found = folder.rglob("*")
    return sorted(one for one in found if one.is_file() and not one.is_symlink() and not one.name.startswith("."))


def _add(tar: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    tar.addfile(member, stream)


def _unpack(source: Path, draft: Path) -> Contents:
    """Raises BackupError, OSError. Only plain files of the names that a backup has come out of it."""
    about: Contents | None = None
    try:
        with tarfile.open(source, mode="r:gz") as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() and _is_ours(member.name) else None
                if stream is None:
                    raise BackupError(f"{source} is not a backup of Relay: it holds {member.name!r}")
                if about is None:
                    if member.name != _ABOUT:
                        raise BackupError(f"{source} is not a backup of Relay: {_ABOUT} is missing")
                    about = _contents(json.load(stream))
                    continue
                file = draft / member.name
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    shutil.copyfileobj(stream, out)
                    os.fsync(out.fileno())
    except (tarfile.TarError, EOFError, ValueError, TypeError, AttributeError):
        raise BackupError(f"{source} is not a backup of Relay, or is incomplete") from None
    if about is None:
        raise BackupError(f"{source} is empty")
    held = sum(1 for _ in _files(draft / _ARCHIVE))
    stored = sum(file.stat().st_size for file in _files(draft / _STORE))
    if held > about.archive or stored != about.store:
        raise BackupError(f"{source} is incomplete: it holds {stored:,} of {about.store:,} bytes of the store")
    return about


def _contents(told: dict[str, Any]) -> Contents:
    """What a later version adds is none of ours. Raises TypeError."""
    names = {one.name for one in fields(Contents)}
    return Contents(**{name: value for name, value in told.items() if name in names})


def _files(folder: Path) -> Iterator[Path]:
    return (one for one in folder.rglob("*") if one.is_file())


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/"):
        return False
    return name in (_ABOUT, _CONFIG, _TOKEN, _SECRETS) or (len(parts) > 1 and parts[0] in (_STORE, _ARCHIVE))


def _settle(restored: Path, here: Path) -> Iterator[str]:
    """Put a file where there is none; one that is there and another stays, and the backup's lies beside it."""
    if not restored.exists():
        return
    target = here
    if here.exists():
        if here.read_bytes() == restored.read_bytes():
            return
        target = here.with_name(f"{here.name}.restored")
        yield f"{here} is unchanged; the file of the backup is {target}"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(restored, target)
    target.chmod(0o600)
