"""What an admin says about files, and what a vendor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PrivateAttr

from connectors.kit.connector import HttpSettings
from connectors.kit.files.rules import FILE_TYPES, LARGEST_MIB, MIB
from core.config.settings import ConnectorSettings


class FileSettings(HttpSettings):
    """Settings of a connector whose vendor takes files."""

    #: The other connectors that are given every chat, and may keep its files (connectors/registry.py).
    _keepers: tuple[ConnectorSettings, ...] = PrivateAttr(default=())

    files: Literal["attach", "link", "none"] = Field(
        default="attach",
        description="attach: files of the chat are attached to the record; link: only their addresses, in the "
        "dashboard where an archive keeps them, else at Smartsupp, which expire; none: only their names. Only "
        "Smartsupp's API has files.",
    )
    file_types: tuple[str, ...] = Field(
        default=FILE_TYPES,
        min_length=1,
        description="Media types of files that are attached; image/* is every one of images.",
    )
    largest_file: float = Field(
        default=20,
        gt=0,
        le=LARGEST_MIB,
        description="MiB; a larger file is linked, as is one that the vendor does not take.",
    )


@dataclass(frozen=True)
class FileLimits:
    """What a vendor takes, in bytes: one file, all of one text, and how many of these there may be."""

    largest: int = LARGEST_MIB * MIB
    together: int = LARGEST_MIB * MIB
    count: int = 10
