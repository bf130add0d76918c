"""(i) How long the dashboard's pages and the command line take with a year of chats stored.

    python -m benchmarks.dashboard [--conversations 365000] [--rounds 15] [--folder DIR] [--only WORDS]
    make bench BENCH_ARGS="--only i --conversations 365000"

Fills a real server through the store's own scripts, starts `relay web` on it and asks for each page over HTTP. On a
machine that does something else besides, CPU time is what to believe: it stands beside each median, that of the
receiver and that of the server. Exits with 1 when a median is over its limit. Add a page: one line in `pages`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from app.admin import password
from benchmarks import machine, year
from benchmarks.figures import Figure, Missing, Result
from benchmarks.setting import Setting
from core.delivery import DeliveryStatus
from core.store import Access, Filter, Search, connect
from core.store.connection.client import Client
from core.store.search.blocks import SearchBlocks
from core.store.statistics import Counts
from tests.support.admin import PASSWORD, token_in
from tests.support.forked import RELAY
from tests.support.server import Server
from tests.support.stack import Stack

#: Milliseconds that the median of a page may take, and of a search.
LIMIT, SEARCH_LIMIT = 200, 100
#: Seconds that the server may take to load a year.
_LOADING = 600
CONFIG = "connectors: {archive: {type: archive}, crm: {type: archive}}"
#: What is searched for by what people type.
_SEARCH = ("q=",)


@dataclass(frozen=True)
class Asked:
    """Milliseconds of each call, shortest first; CPU of a call in the receiver and in the server, ms; its bytes."""

    name: str
    limit: int
    times: Sequence[float]
    receiver: float
    server: float
    size: int

    @property
    def median(self) -> float:
        return statistics.median(self.times)


def pages(conversations: int, now: int) -> Mapping[str, str]:
    """What is asked for, in words -> its address."""
    rare = conversations // 3
    chat = f"{208 + rare % 2}:{10_000_000 + rare}"
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    year_of_days = f"from={today - timedelta(days=364)}&to={today}"
    some_days = f"from={today - timedelta(days=200)}&to={today - timedelta(days=140)}"
    return {
        "overview": "/",
        "overview, what keeps itself up to date": "/overview/live?span=today",
        "overview, 7 days": "/?span=week",
        "overview, a month": "/?span=month",
        "overview, from–to of a year": f"/?{year_of_days}",
        "overview, from–to of two months": f"/?{some_days}",
        "chats": "/conversations",
        "chats: missed": "/conversations?missed=1",
        "chats: offline": "/conversations?offline=1",
        "chats: not delivered anywhere": "/conversations?status=undelivered",
        "chats: dead letters": "/conversations?status=dead",
        "chats: retrying": "/conversations?status=retrying",
        "chats: skipped": "/conversations?status=skipped",
        "chats: of a connector": "/conversations?connector=crm",
        "chats: delivered": "/conversations?status=delivered",
        "chats: dead, of an account, missed": "/conversations?status=dead&account=208&missed=1",
        "chats: missed, offline, rated bad": "/conversations?missed=1&offline=1&rating=bad",
        "chats: rated bad": "/conversations?rating=bad",
        "chats: of an account": "/conversations?account=209",
        "chats: from–to, months ago": f"/conversations?{some_days}",
        "chats: from–to, months ago, missed": f"/conversations?missed=1&{some_days}",
        "chats: a common name": "/conversations?q=zofie",
        "chats: a rare name": "/conversations?q=quirina+xyl",
        "chats: an id": f"/conversations?q={10_000_000 + rare}",
        "chats: an email": "/conversations?q=jana.26@example.com",
        "chats: a name that is nowhere": "/conversations?q=nobodyatall",
        "chats: a common word that was said": "/conversations?q=teapot&said=1",
        "chats: a rare word that was said": "/conversations?q=zanzibar&said=1",
        "chats: a rare word, dead": "/conversations?q=zanzibar&said=1&status=dead",
        "chats: dead of a connector, by name": "/conversations?q=zofie&connector=crm&status=dead",
        "one chat": f"/conversations/{chat}",
        "its deliveries": f"/conversations/{chat}/deliveries",
        "connectors": "/connectors",
        "a connector": "/connectors/crm",
        "a connector, a month": "/connectors/crm?span=month",
        "a connector, from–to of a year": f"/connectors/crm?{year_of_days}",
        "deliver past chats": "/connectors/crm/past",
        "quarantine": "/quarantine",
        "bulk jobs": "/conversations/jobs",
        "replay all dead letters, what that means": "/conversations/bulk?action=replay&status=dead",
        "replay all missed, what that means": "/conversations/bulk?action=replay&missed=1",
        "the palette": "/go",
        "erase, the form": "/erase",
        "changes of relay.yaml": "/setup/history",
    }


def _limit(address: str) -> int:
    return SEARCH_LIMIT if any(word in address for word in _SEARCH) else LIMIT


class Site:
    """A receiver on a filled server, and an admin who is logged in."""

    def __init__(self, stack: Stack, session: requests.Session) -> None:
        self._stack, self._session = stack, session
        self.home = f"http://127.0.0.1:{stack.port}"
        self._receiver = stack.web().pid
        token = token_in(session.get(f"{self.home}/login", timeout=30).text)
        session.post(f"{self.home}/login", data={"password": PASSWORD, "csrf_token": token}, timeout=30)

    def asked(self, name: str, address: str, rounds: int) -> Asked:
        self._get(address)  # the first one compiles the template
        times: list[float] = []
        begun = self._spent()
        size = 0
        for _ in range(rounds):
            start = time.perf_counter()
            size = len(self._get(address).content)
            times.append((time.perf_counter() - start) * 1000)
        receiver, server = ((now - then) * 1000 / rounds for now, then in zip(self._spent(), begun, strict=True))
        return Asked(name, _limit(address), sorted(times), receiver, server, size)

    def parts(self, address: str) -> Iterator[float]:
        """Each part of a search until its end: the list, and every "Continue". In ms."""
        while address:
            start = time.perf_counter()
            html = self._get(address).text
            yield (time.perf_counter() - start) * 1000
            head, found, _ = html.partition('">Continue</a>')
            address = head.rpartition('href="')[2].replace("&amp;", "&") if found else ""

    def last_page(self, address: str) -> str:
        """The address of the last page of a list, or of the fortieth."""
        for _ in range(40):
            head, found, _ = self._get(address).text.partition('">Older')
            if not found:
                break
            address = head.rpartition('href="')[2].replace("&amp;", "&")
        return address

    def _get(self, address: str) -> requests.Response:
        answer = self._session.get(self.home + address, timeout=60)
        if answer.status_code != 200 or "/login" in answer.url:
            raise SystemExit(f"{address}: {answer.status_code} {answer.url}")
        return answer

    def _spent(self) -> tuple[float, float]:
        """CPU seconds of the receiver, and of the server."""
        return machine.cpu(machine.family(self._receiver)), machine.cpu([self._stack.server.pid])


def commands(stack: Stack, rounds: int) -> Iterator[Asked]:
    """What a command takes as a whole: most of it is Python's start."""
    for name, command in {
        "relay --version": ["--version"],
        "relay status": ["status"],
        "relay status --span month": ["status", "--span", "month"],
        "relay list": ["list"],
        "relay doctor": ["doctor"],
    }.items():
        times = []
        begun, server = _children(), machine.cpu([stack.server.pid])
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run([RELAY, *command], env=stack.environment, cwd=stack.folder, capture_output=True, check=False)
            times.append((time.perf_counter() - start) * 1000)
        spent = (_children() - begun) * 1000 / rounds
        yield Asked(name, 0, sorted(times), spent, (machine.cpu([stack.server.pid]) - server) * 1000 / rounds, 0)


def _children() -> float:
    found = os.times()
    return found.children_user + found.children_system


def year_of_chats(setting: Setting) -> Result:
    """One round of fifteen calls a page. Needs /proc."""
    if not machine.has_proc():
        raise Missing("CPU time is read from /proc, which this system does not have")
    count = 500 if setting.quick else setting.conversations
    rounds = 2 if setting.quick else 15
    with setting.stack("i") as stack, requests.Session() as session:
        stack.configure(CONFIG)
        kept = prepared(stack, count, setting.say)
        site = Site(stack, session)
        asked = [site.asked(name, address, rounds) for name, address in pages(count, _now()).items()]
    return Result(
        f"Pages with {count:,} chats of a year stored",
        [Figure(one.name, "ms", tuple(one.times), most=one.limit) for one in asked]
        + [Figure(f"{one.name}: CPU", "ms", (one.receiver + one.server,)) for one in asked],
        notes=[kept, f"{rounds} calls of each, one after the other; CPU of receiver and server together, a call"],
    )


def prepared(stack: Stack, count: int, say: Callable[[str], None]) -> str:
    """Fill the store, unless it is, with what a worker's chores would have done. Returns what is kept, in words."""
    client = connect(stack.server.url)
    search = Search(client)
    if not search.extent(Filter()):
        say(f"i: making {count:,} chats")
        client.config_set("appendfsync", "no")
        client.config_set("auto-aof-rewrite-percentage", 0)
        year.fill(client, count, _now())
        client.config_set("appendfsync", "always")
    SearchBlocks(client).refresh()
    while Counts(client).add_up() or SearchBlocks(client).build():
        pass
    stored = search.extent(Filter())
    if stored != count:
        raise SystemExit(f"{stored} chats are stored, not {count}")
    Access(client).set_password(password.hashed(PASSWORD))
    return f"{stored:,} chats, {_memory(client) >> 20} MiB; deliveries: " + ", ".join(
        f"{search.extent(Filter(status=status)):,} {status.spelled}" for status in DeliveryStatus
    )


def _memory(client: Client) -> int:
    return int(client.info("memory")["used_memory"])


def _now() -> int:
    return round(time.time() * 1000)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--conversations", type=int, default=365_000)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--folder", type=Path, help="keep the store here, and use the one that is there")
    options.add_argument("--only", default="", help="pages whose name holds these words")
    wanted = options.parse_args()
    with ExitStack() as opened:
        folder = wanted.folder or Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-")))
        server = Server(folder / "valkey").start(_LOADING)
        opened.callback(server.stop)
        stack = Stack(folder, server)
        opened.callback(stack.end)
        stack.configure(CONFIG)
        out = Console(width=110)
        out.print(prepared(stack, wanted.conversations, out.print))
        session = opened.enter_context(requests.Session())
        return _report(out, stack, session, wanted)


def _report(out: Console, stack: Stack, session: requests.Session, wanted: argparse.Namespace) -> int:
    site, slow = Site(stack, session), 0
    table = Table("Page", "Median ms", "95 % ms", "CPU: receiver", "server", "KiB", "at most")
    addresses = dict(pages(wanted.conversations, _now()))
    for name in ("chats: a common name", "chats: dead letters"):
        addresses[f"{name}, a late page"] = site.last_page(addresses[name])
    for name, address in addresses.items():
        if wanted.only not in name:
            continue
        one = site.asked(name, address, wanted.rounds)
        slow += one.median > one.limit
        table.add_row(*_row(one), f"{one.limit}{' ✗' if one.median > one.limit else ''}")
    for one in commands(stack, 3) if not wanted.only else ():
        table.add_row(*_row(one), "")
    out.print(table)
    if not wanted.only:
        for what, address in {
            "a name": "/conversations?q=nobodyatall",
            "a word": "/conversations?q=nobodyatall&said=1",
        }.items():
            parts = list(site.parts(address))
            out.print(f"{what} that is nowhere: all looked through in {len(parts)} parts, {sum(parts):.0f} ms together")
    return 1 if slow else 0


def _row(one: Asked) -> list[str]:
    late = one.times[int(len(one.times) * 0.95)]
    return [
        one.name,
        f"{one.median:.0f}",
        f"{late:.0f}",
        f"{one.receiver:.1f}",
        f"{one.server:.1f}",
        f"{one.size / 1024:.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
