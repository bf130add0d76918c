"""The checksum at the end of a snapshot, as Valkey and Redis make it: CRC-64 of Jones."""

from __future__ import annotations

import mmap
from functools import cache

#: The polynomial, its bits reversed.
_POLYNOMIAL = 0x95AC9329AC4BC9B5


def checksum_is_right(data: bytes | mmap.mmap) -> bool:
    """Of a snapshot. One that was written without has zeros there."""
    wanted = int.from_bytes(data[-8:], "little")
    return not wanted or _crc(memoryview(data)[:-8]) == wanted


def _crc(data: memoryview) -> int:
    table, crc = _table(), 0
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        return value

    return tuple(entry(one) for one in range(256))
