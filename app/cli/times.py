"""Times on the command line: `2h` ago, or a date and time of this machine's zone unless it names one."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import click

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|min|h|d|w)")


def parse_time(text: str, now: int) -> int:
    """Unix ms of `2h` (before `now`), `2026-10-02` (its midnight) or `2026-10-02T09:30`. Raises ValueError."""
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return max(0, now - round(float(ago[1]) * _UNITS[ago[2]] * 1000))
    try:
        found = datetime.fromisoformat(text)
        # A time without a zone is this machine's.
        return max(0, round(found.timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"'{text}' is not a time; write how long ago (30min, 2h, 3d, 1w) or a date (2026-10-02, 2026-10-02T09:30)"
        ) from None


class TimeOption(click.ParamType[int]):
    """An option's time, in Unix ms."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_time(value, round(time.time() * 1000))
        except ValueError as error:
            self.fail(str(error), param, ctx)
