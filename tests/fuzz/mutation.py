"""Inputs made from others, by dice: for short runs, and where there is no atheris."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

from tests.fuzz.targets import TARGETS, Target

#: Seconds of processor time on one input. More is a hang.
SLOW = 1.0
LONGEST = 16_384

#: What stands where something else is expected.
_STRANGERS: tuple[Any, ...] = (
    None,
    True,
    "",
    0,
    -1,
    1e308,
    float("inf"),
    float("nan"),
    2**63,
    10**400,
    [],
    {},
    [[]],
    {"value": {"value": 1}, "label": []},
    "\ud83d",
    "\x00\u202e\x1b[2J",
    "{{7*7}}<script>&#",
    "a" * 3000,
    "\r\n\u2028[10:00:00] Bob: ",
    1427470439703,
    "1427470439703",
    "9" * 30,
)


def ready(name: str) -> None:
    """Make what a target needs before the time of its first input is taken."""
    next(TARGETS[name].seeds())


def judged(name: str, data: bytes) -> None:
    """Run a target on one input. Raises whatever it raises, and AssertionError when it takes too long."""
    started = time.process_time()
    TARGETS[name].run(data)
    took = time.process_time() - started
    assert took <= SLOW, f"{took:.1f} s on one input"


def inputs(target: Target, dice: random.Random) -> Iterator[bytes]:
    """The seeds, then mutations of them, without end."""
    corpus = list(target.seeds())
    yield from corpus
    words = [word.replace("\\\\", "\\").encode() for word in target.words]
    while True:
        data = dice.choice(corpus)
        for _ in range(dice.choice((1, 1, 2, 4, 16))):
            data = (
                rearranged(data, dice) if target.json and dice.random() < 0.7 else _mutated(data, dice, words, corpus)
            )
        yield data[:LONGEST]


def _mutated(data: bytes, dice: random.Random, words: list[bytes], corpus: list[bytes]) -> bytes:
    start = dice.randrange(len(data) + 1)
    end = min(len(data), start + dice.choice((0, 1, 1, 4, 30)))
    match dice.randrange(6):
        case 0:
            new = dice.randbytes(dice.choice((1, 2, 8)))
        case 1 | 2:
            new = dice.choice(words)
        case 3:
            new = data[start:end] * dice.choice((2, 3, 50))
        case 4:
            other = dice.choice(corpus)
            place = dice.randrange(len(other) + 1)
            new = other[place : place + dice.choice((1, 10, 100))]
        case _:
            new = b""
    return data[:start] + new + data[end:]


def rearranged(data: bytes, dice: random.Random) -> bytes:
    """The same JSON with one of its values, wherever it stands, changed, moved, doubled or gone; or the same bytes,
    where they are no JSON."""
    try:
        value = json.loads(data, strict=False)
        places = list(_places(value))
        if not places:
            return data
        holder, key = dice.choice(places)
        match dice.randrange(5):
            case 0 | 1:
                holder[key] = dice.choice(_STRANGERS)
            case 2:
                other, from_ = dice.choice(places)
                holder[key] = json.loads(json.dumps(other[from_]))
            case 3:
                del holder[key]
            case _ if isinstance(holder, list):
                holder.extend(json.loads(json.dumps([holder[key]] * dice.choice((1, 20)))))
            case _:
                holder[dice.choice(("\ud800", "", "a.b", "value", "label", "x" * 300))] = holder[key]
        return json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value that something holds, as holder and key."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
