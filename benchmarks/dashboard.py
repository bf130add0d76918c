"""How long the dashboard's pages take with many conversations stored.

    python -m benchmarks.dashboard [--conversations 100000] [--rounds 15] [--folder DIR]

Fills a real server through the store's own scripts, starts `relay web` on it and asks for each page over HTTP. Prints
median and 95th percentile; exits with 1 when a median is over LIMIT. Add a page: one line in `pages`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from app.admin import password
from benchmarks.pipelined import TOGETHER, Pipelined, leased
from core.delivery import Attempt, DeliveryStatus, Exchange, Outcome, Reference
from core.ids import DeliveryId
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Access, Claim, Filter, Search, Store, connect
from core.store.connection.client import Client
from core.summary import line
from tests.support.admin import PASSWORD, token_in
from tests.support.server import Server
from tests.support.stack import Stack

#: Milliseconds that the median of a page may take.
LIMIT = 200

#: Who is looked for: one among all, in the middle of them.
RARE_NAME, RARE_WORDS = "Quirina Xylander", "zanzibar porcelain"
CONFIG = "connectors: {archive: {type: archive}, crm: {type: archive}, desk: {type: archive}}"
_OUTCOMES = {Outcome.DELIVERED: 93, Outcome.SKIPPED: 2, Outcome.REFUSED: 2, Outcome.RETRY: 3}
_WORDS = (
    "tea",
    "teapot",
    "cup",
    "green",
    "black",
    "delivery",
    "parcel",
    "order",
    "payment",
    "card",
    "refund",
    "Sencha",
    "thanks",
)


def fill(client: Client, conversations: int, now: int) -> None:
    """A month of conversations that ends at `now` (ms), each delivered or not to two of three connectors."""
    dice = random.Random(100_003)  # noqa: S311  # dice that protect nothing
    clock = {"now": 0}
    piped = Pipelined(client)
    store = Store(piped, lambda: clock["now"])  # type: ignore[arg-type]  # as much of a client as these calls need
    times = iter(sorted(now - dice.randrange(30 * 86_400_000) for _ in range(conversations)))
    for number, at in enumerate(times):
        clock["now"] = at
        body = _body(number, at, dice, rare=number == conversations // 3)
        parsed = parse_conversation(body)
        store.accept(body, content_type="application/json")
        claim = leased(store, INBOX, piped.made, at, body)
        connectors = ("archive", dice.choice(("crm", "desk")))
        store.fan_out(claim, parsed.key, connectors, summary=line(parsed))
        for connector in connectors:
            outcome = (
                dice.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]
                if connector != "archive"
                else Outcome.DELIVERED
            )
            held = leased(store, connector, DeliveryId.of(connector, parsed.key), at, body, piped.made)
            _settle(store, held, outcome, at, number)
        piped.send(TOGETHER)
    piped.send()


def _settle(store: Store, claim: Claim, outcome: Outcome, at: int, number: int) -> None:
    good = outcome is Outcome.DELIVERED
    error = "" if good else "the destination answered 422: no such field 'colour'"
    exchange = Exchange(
        "POST", f"https://{claim.lane}.example.com/records", 201 if good else 422, 140, "", '{"a": 1}' * 20, "{}"
    )
    attempt = Attempt(at, 160, outcome, 1, exchange.status, error, worker="bench:1", requests=(exchange,))
    reference = Reference(str(number), f"https://{claim.lane}.example.com/records/{number}") if good else None
    # A failed one is due again long after the end.
    store.settle(claim, attempt, delay_ms=90 * 86_400_000, reference=reference)


def _body(number: int, at: int, dice: random.Random, *, rare: bool) -> bytes:
    person = (
        RARE_NAME
        if rare
        else f"{dice.choice(('Ann', 'Žofie', 'Jan', 'Olena', 'Mateo'))} {dice.choice('ABCDEFGH')}. {number % 9973}"
    )

    def message(index: int) -> dict[str, Any]:
        words = " ".join(dice.choices(_WORDS, k=12)) + (f" {RARE_WORDS}" if rare else "")
        kind, sender = ("visitor", "visitor:mx0001") if index % 2 == 0 else ("agent", "agent:3")
        return {
            "type": kind,
            "from": sender,
            "name": person,
            "content": words,
            "sentAt": at - 60_000 + index * 5000,
            "triggeredBy": None,
        }

    payload = {
        "accountId": 1000 + number % 3,
        "beginAt": at - 60_000,
        "endAt": at,
        "channel": {
            "id": f"co{number:07d}",
            "isChat": True,
            "isMissed": number % 12 == 0,
            "isOffline": number % 30 == 0,
            "rating": dice.choice((5, 5, 3, 1, None)),
        },
        "visitor": {
            "id": number % 40_000,
            "name": person,
            "email": f"visitor{number % 40_000}@example.com",
            "countryCode": "CZ",
        },
        "paths": [{"url": f"https://shop.example/tea/{number % 500}", "title": "Tea"}],
        "messages": [message(index) for index in range(8)],
    }
    return json.dumps(payload, ensure_ascii=False).encode()


def pages(conversations: int) -> Mapping[str, str]:
    """What is asked for, in words -> its address."""
    middle = f"co{conversations // 3:07d}"
    return {
        "overview": "/",
        "overview, a month": "/?span=month",
        "conversations": "/conversations",
        "conversations: dead": "/conversations?status=dead",
        "conversations: of a connector": "/conversations?connector=crm",
        "conversations: dead, of an account, missed": "/conversations?status=dead&account=1000&missed=1",
        "conversations: missed, offline, rated bad": "/conversations?missed=1&offline=1&rating=bad",
        "conversations: a common name": "/conversations?q=zofie",
        "conversations: a rare name": "/conversations?q=quirina+xyl",
        "conversations: an id": f"/conversations?q={middle}",
        "conversations: a name that is nowhere": "/conversations?q=nobodyatall",
        "conversations: a common word that was said": "/conversations?q=teapot&said=1",
        "conversations: a rare word that was said": "/conversations?q=zanzibar&said=1",
        "conversations: a rare word, dead": "/conversations?q=zanzibar&said=1&status=dead",
        "conversations: many dead of a connector, by name": "/conversations?q=zofie&connector=crm&status=dead",
        "one conversation": f"/conversations/{1000 + (conversations // 3) % 3}:{middle}",
        "its deliveries": f"/conversations/{1000 + (conversations // 3) % 3}:{middle}/deliveries",
        "a connector": "/connectors/crm",
        "a connector, a month": "/connectors/crm?span=month",
        "bulk jobs": "/conversations/jobs",
    }


def measured(session: requests.Session, home: str, address: str, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of each call, shortest first, and the size of the page."""
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        answer = session.get(home + address, timeout=60)
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200 or "/login" in answer.url:
            raise SystemExit(f"{address}: {answer.status_code} {answer.url}")
    return sorted(times[1:]), len(answer.content)  # the first one compiles the template


def clicks(session: requests.Session, home: str, address: str) -> Iterator[float]:
    """Each part of a search until its end: the list, and every "go on from there"."""
    while address:
        begun = time.perf_counter()
        html = session.get(home + address, timeout=60).text
        yield (time.perf_counter() - begun) * 1000
        head, found, _ = html.partition('">Go on from there')
        address = head.rpartition('href="')[2].replace("&amp;", "&") if found else ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--conversations", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--folder", type=Path, help="keep the store here, and use the one that is there")
    wanted = options.parse_args()
    with ExitStack() as opened:
        folder = wanted.folder or Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-")))
        server = Server(folder / "valkey").start()
        opened.callback(server.stop)
        stack = Stack(folder, server)
        opened.callback(stack.end)
        return _run(Console(), stack, wanted.conversations, wanted.rounds)


def _run(out: Console, stack: Stack, conversations: int, rounds: int) -> int:
    stack.configure(CONFIG)
    client = connect(stack.server.url)
    search = Search(client)
    if not search.extent(Filter()):
        client.config_set("appendfsync", "no")
        fill(client, conversations, round(time.time() * 1000))
        client.config_set("appendfsync", "always")
    stored = search.extent(Filter())
    counts = {str(status): search.extent(Filter(status=status)) for status in DeliveryStatus}
    memory = int(client.info("memory")["used_memory"]) >> 20
    out.print(f"{stored:,} conversations, {memory} MiB; deliveries: {counts}")
    if stored != conversations:
        raise SystemExit("that is not what was to be stored")
    Access(client).set_password(password.hashed(PASSWORD))
    stack.web()
    return _report(out, stack, conversations, rounds)


def _report(out: Console, stack: Stack, conversations: int, rounds: int) -> int:
    home = f"http://127.0.0.1:{stack.port}"
    slow = 0
    with requests.Session() as session:
        token = token_in(session.get(f"{home}/login", timeout=30).text)
        session.post(f"{home}/login", data={"password": PASSWORD, "csrf_token": token}, timeout=30)
        table = Table("Page", "Median ms", "95 % ms", "KiB")
        for name, address in pages(conversations).items():
            times, size = measured(session, home, address, rounds)
            median = statistics.median(times)
            slow += median > LIMIT
            table.add_row(name, f"{median:.0f}", f"{times[int(len(times) * 0.95)]:.0f}", f"{size / 1024:.0f}")
        out.print(table)
        for what, address in {
            "a name": "/conversations?q=nobodyatall",
            "a word": "/conversations?q=nobodyatall&said=1",
        }.items():
            parts = list(clicks(session, home, address))
            out.print(f"{what} that is nowhere: all looked through in {len(parts)} parts, {sum(parts):.0f} ms together")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
