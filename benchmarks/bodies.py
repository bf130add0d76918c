"""Bodies as Smartsupp sends them: the documented one, with a talk of a usual length in it, each time another one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from connectors.testing.chats import HOOK

#: Where the number of the conversation goes.
_HERE = "@@"
_TALK = (
    "Good afternoon, is the blue teapot that I saw last week still in stock?",
    "Good afternoon! Let me have a look, it will take only a moment.",
    "Thank you. I would need it by Friday, it is meant as a present.",
    "We have four of them. With the courier it arrives on Thursday before noon.",
    "That is great. Can I pay by card when it comes, or only in advance?",
    "Both. When you pay in advance, the delivery costs nothing from 1500 Kč.",
    "And if she does not like the colour, may she exchange it for another?",
    "Of course, within 30 days. The receipt lies in the parcel, without a price on request.",
    "Without the price, please. I am going to order it right now, Žofie Nováková.",
    "Perfect. I shall put a note to your order. Is there anything else that I can do?",
)

#: In every body, and so in whatever is made of it.
MARK = re.compile(rb"#(\d+)#")
#: The first number; all have as many digits.
FIRST = 10_000_000


def _pieces(said: Sequence[str]) -> list[bytes]:
    payload: dict[str, Any] = json.loads(HOOK)
    payload["channel"]["id"] = payload["visitor"]["id"] = _HERE
    payload["visitor"]["email"] = f"visitor{_HERE}@example.com"
    messages = payload["messages"]
    messages[0]["content"] = f"Hello, I am number #{_HERE}#"
    talk = [{**messages[4 - index % 2], "content": text} for index, text in enumerate(said)]
    payload["messages"] = [*messages[:4], *talk, *messages[4:]]
    # A number, not text, where Smartsupp has one.
    text = json.dumps(payload, ensure_ascii=False).replace(f'"{_HERE}"', _HERE)
    return text.encode().split(_HERE.encode())


# Of several lengths, so that no size class of an allocator decides.
_PIECES = [_pieces(_TALK[:count]) for count in range(len(_TALK) + 1)]
_SIZES = [len(str(FIRST).encode().join(pieces)) for pieces in _PIECES]

#: Bodies whose numbers leave the same rest, divided by this, differ in nothing else.
KINDS = len(_PIECES)


def body(number: int) -> bytes:
    """The body of conversation `number`."""
    return str(number).encode().join(_PIECES[number % KINDS])


def size(number: int) -> int:
    """Its bytes."""
    return _SIZES[number % KINDS]
