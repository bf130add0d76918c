"""Builds wheel and sdist with setuptools, so that two builds of one commit are the same, bit for bit.

What setuptools leaves of the clone that it builds in is made equal here: the rights of the files, and in an sdist their
times and owners as well. https://reproducible-builds.org/docs/archives/
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
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

Options = Mapping[str, Any] | None
#: 1980-01-01, before which no zip file can go, and so no wheel that is built from the sdist.
EARLIEST = 315_532_800


def build_sdist(sdist_directory: str, config_settings: Options = None) -> str:
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    file = Path(sdist_directory, name)
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), EARLIEST)
    draft = file.with_suffix(".new")
    with (
        tarfile.open(file) as made,
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for old in sorted(made.getmembers(), key=lambda member: member.name):
            source = made.extractfile(old)
            content = source.read() if source else b""
            new = tarfile.TarInfo(old.name)
            new.type, new.size, new.mtime, new.mode = old.type, len(content), moment, _rights(old.mode)
            archive.addfile(new, io.BytesIO(content))
    draft.replace(file)
    return name


def build_wheel(wheel_directory: str, config_settings: Options = None, metadata_directory: str | None = None) -> str:
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    file = Path(wheel_directory, name)
    draft = file.with_suffix(".new")
    with zipfile.ZipFile(file) as made, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for old in made.infolist():
            new = zipfile.ZipInfo(old.filename, old.date_time)
            new.compress_type = zipfile.ZIP_DEFLATED
            new.external_attr = (stat.S_IFREG | _rights(old.external_attr >> 16)) << 16
            archive.writestr(new, made.read(old))
    draft.replace(file)
    return name


def _rights(mode: int) -> int:
    return 0o755 if mode & stat.S_IXUSR else 0o644
