"""(h) The memory of a worker over many deliveries, and over bodies that somebody made to fill it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import requests

from benchmarks import machine
from benchmarks.backlog import fill
from benchmarks.figures import Figure, Missing, Result
from benchmarks.resting import taken, up
from benchmarks.setting import Setting, outside, still
from core.delivery import PayloadStatus
from core.store import INBOX, Control
from tests.e2e.test_up import Up
from tests.support.stack import until

DELIVERIES, HOSTILE = 100_000, 200
#: A body may be so long.
_LONGEST = 1 << 20
#: Seconds between two looks; and without any progress, after which nothing comes of it any more.
_LOOK, _STUCK = 0.25, 120
#: A body of `count` parts, made of this; most are refused, and all are read.
_PARTS = (b"{}", b"[]", b'{"a":1}', b'[{"}":"]"}]', b"[[[[]]]]", b'"\\ud83d\\ude00"', b"1e308")


def growing(setting: Setting) -> Result:
    """One round: memory is no matter of luck. Needs /proc."""
    if not machine.has_proc():
        raise Missing("memory is read from /proc, which this system does not have")
    count, hostile = (1_000, 14) if setting.quick else (DELIVERIES, HOSTILE)
    first = setting.numbers(count)
    with outside() as world, up(setting, world) as (relay, client):
        until(lambda: len(relay.children()) == 3, 60, "server, receiver and worker")
        ledger = relay.ledger()
        Control(client).pause("one", "benchmark")
        with still(machine.family(relay.children()["relay worker"])):
            fill(client, "one", first, count)
        Control(client).resume("one")
        marks = [count // 100, count // 10, count // 2, count]
        delivered = dict.fromkeys(marks, 0.0)
        highest = 0.0
        for done, memory in _watched(relay, lambda: ledger.lane("one").counts["delivered"], count):
            highest = max(highest, memory)
            for mark in marks:
                if done >= mark and not delivered[mark]:
                    delivered[mark] = memory
        setting.say(f"h: {count:,} deliveries, at most {highest:.0f} MB")
        worst = 0.0
        hook = relay.ready()
        for number in range(hostile):
            answer = requests.post(hook, data=_hostile(number), timeout=30)
            answer.raise_for_status()
        for _, memory in _watched(relay, lambda: hostile - ledger.lane(INBOX).waiting, hostile):
            worst = max(worst, memory)
        quarantined = ledger.payload_counts()[PayloadStatus.QUARANTINED]
        after = _worker(relay)
    grown = delivered[count] - delivered[marks[1]]
    return Result(
        f"Memory of a worker over {count:,} deliveries, then over {hostile} hostile bodies of 1 MiB",
        [
            *(Figure(f"after {mark:,} deliveries", "MB", (memory,)) for mark, memory in delivered.items()),
            Figure("highest meanwhile", "MB", (highest,), most=160),
            Figure(f"grown from {marks[1]:,} to {count:,}", "MB", (grown,), most=15),
            Figure("highest over hostile bodies", "MB", (worst,), most=160),
            Figure("after them", "MB", (after,)),
            Figure("of them in quarantine", "bodies", (float(quarantined),)),
        ],
        notes=["MB: 10⁶ bytes of proportional set size of the worker, read four times a second"],
    )


def _watched(relay: Up, done: Callable[[], int], count: int) -> Iterator[tuple[int, float]]:
    """How far it is, and the worker's memory in MB, until `count` are done."""
    known, moved = -1, time.monotonic()
    while known < count:
        now = done()
        if now != known:
            known, moved = now, time.monotonic()
        elif time.monotonic() - moved > _STUCK:
            raise SystemExit(f"{known} of {count} are done, and no more come")
        yield known, _worker(relay)
        time.sleep(_LOOK)


def _worker(relay: Up) -> float:
    return taken(relay)["worker"] / 1e6


def _hostile(number: int) -> bytes:
    """A body that is as long as it may be, of as many parts as it can hold; each is another one."""
    part = _PARTS[number % len(_PARTS)]
    key = (b"messages", b"paths", b"elsewhere")[number // len(_PARTS) % 3]
    head = b'{"accountId":1,"channel":{"id":"hostile-%d"},"%s":[' % (number, key)
    many = (_LONGEST - len(head) - 2) // (len(part) + 1)
    return head + b",".join([part] * many) + b"]}"
