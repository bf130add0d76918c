"""Builds wheel and sdist with setuptools, so that two builds of one commit are the same, bit for bit.

setuptools does that for wheels already. Its sdist keeps the times, the owner and the rights of the files here, which
differ from clone to clone; here they are made equal. https://reproducible-builds.org/docs/archives/
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

#: What zip files, and so wheels, cannot go below: 1980-01-01.
EARLIEST = 315_532_800


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    file = Path(sdist_directory, name)
    with tarfile.open(file) as made:
        members = [(member, made.extractfile(member)) for member in made.getmembers()]
        contents = [(member, source.read() if source else b"") for member, source in members]
    rewrite(file, contents, max(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), EARLIEST))
    return name


def rewrite(file: Path, contents: list[tuple[tarfile.TarInfo, bytes]], moment: int) -> None:
    """Write the archive anew: in the order of names, all of `moment`, and nobody's."""
    draft = file.with_suffix(".new")
    with (
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for old, content in sorted(contents, key=lambda one: one[0].name):
            new = tarfile.TarInfo(old.name)
            new.type, new.size, new.mtime = old.type, len(content), moment
            new.mode = 0o755 if old.isdir() or old.mode & 0o100 else 0o644
            archive.addfile(new, io.BytesIO(content))
    draft.replace(file)
