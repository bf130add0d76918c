"""Whose days are meant: those of the browser's time zone, which relay.js leaves in a cookie; without scripts UTC."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import request

COOKIE = "relay-zone"
UTC = ZoneInfo("UTC")
#: Characters of a name; the longest that there is has 32.
_LONGEST = 64


def viewer_zone() -> ZoneInfo:
    name = request.cookies.get(COOKIE, "")
    try:
        return ZoneInfo(name) if 0 < len(name) <= _LONGEST else UTC
    except (ValueError, KeyError, OSError):  # not a name, an unknown one, and a folder of names
        return UTC
