"""`make pictures`: the README's pictures of the dashboard, of a made-up shop on an afternoon."""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from core.config.environment import environment
from core.delivery import DeliveryStatus
from core.store import Filter, Search, connected
from tests.support import shop
from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import MISSING, NARROW, Tab, Theme, chromium, program

SIZES = {"overview": (1280, 960), "conversation": (1200, 820), "phone": NARROW}
CHATS_A_DAY = 160
#: Whenever they are taken, it is four o'clock.
HOUR = 16


def main(folder: Path) -> None:
    path = program()
    if path is None:
        sys.exit(MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    ahead = (HOUR - datetime.now(UTC).hour + 12) % 24 - 12
    # POSIX counts them the other way round.
    zone = f"Etc/GMT{-ahead:+d}"
    with (
        tempfile.TemporaryDirectory() as place,
        admins_relay(
            Path(place) / "relay", shop.CONFIG, shop.VARIABLES, lambda made: shop.open_shop(made, CHATS_A_DAY, ahead)
        ) as site,
        chromium(path) as browser,
    ):
        tab = Tab(browser, site.home, zone=zone)
        tab.log_in(site.password)
        for name in _taken(tab, site):
            for theme in get_args(Theme):
                tab.look(SIZES[name], theme)
                file = folder / f"{name}-{theme}.png"
                file.write_bytes(_packed(tab.page.screenshot()))
                sys.stdout.write(f"{file}: {file.stat().st_size // 1000} kB\n")
        tab.quiet()


def _taken(tab: Tab, site: AdminsRelay) -> Iterator[str]:
    """Each name stands for the page that is open now."""
    page = tab.page
    page.goto("/")
    page.get_by_role("button", name="Hide").click()  # what newcomers see first is not what admins see
    page.goto("/?span=day")
    yield "overview"
    dead = (
        Search(connected(environment(site.stack.environment)))
        .page(Filter(connector="hubspot", status=DeliveryStatus.DEAD))
        .rows
    )
    talk = max(dead, key=lambda row: (bool(row.summary.email), row.summary.messages))
    tab.look(SIZES["conversation"], "light")
    page.goto(f"/conversations/{talk.id}")
    page.get_by_role("region", name="hubspot Dead letter").get_by_text("400").last.click()
    page.evaluate("scrollTo(0, document.getElementById('to-hubspot').offsetTop - 24)")
    yield "conversation"
    page.goto(f"/conversations/{talk.id}")
    yield "phone"


def _packed(picture: bytes) -> bytes:
    """The same PNG, its data deflated as well as can be."""
    made, data, at = picture[:8], b"", 8
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        kind, chunk = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IDAT":
            data += chunk
            continue
        if kind == b"IEND":
            made += _chunk(b"IDAT", zlib.compress(zlib.decompress(data), 9))
        made += _chunk(kind, chunk)
    return made


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
