"""Chats that every connector is tried with: the documented one, and hostile ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: The payload of Smartsupp's documentation, byte by byte.
HOOK = Path(__file__).with_name("hook.json").read_bytes()
#: The same, read.
SAMPLE: dict[str, Any] = json.loads(HOOK)


def chat(*messages: str, **visitor: Any) -> dict[str, Any]:
    """The documented payload with other messages and another visitor."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["visitor"] |= visitor
    if messages:
        made["messages"] = [
            {
                "type": "visitor",
                "name": "Ann",
                "from": "visitor:mx1",
                "content": text,
                "sentAt": 1427470439703 + n * 1000,
            }
            for n, text in enumerate(messages)
        ]
    return made


HOSTILE: dict[str, dict[str, Any]] = {
    "no email": chat(email=None),
    "no name": chat(name=None),
    "neither": chat(name="", email=""),
    "nonsense for an email": chat(email="<script>@'; DROP"),
    "no messages": {**chat(), "messages": []},
    "100 kB in one message": chat("long " * 20_000),
    "2,000 messages": chat(*(f"message number {n} of many" for n in range(2000))),
    "emoji and right-to-left": chat("👩‍👩‍👧‍👦 🍵", "שלום עליכם", "مرحبا بالعالم", name="Zoë 🎉 محمد"),
    "markup": chat(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        name="<b onmouseover=alert(1)>Ann</b>",
    ),
    "template syntax": chat("{{7*7}}", "{% for x in y %}", "${7*7}", "{{ticket.id}}", name="{{7*7}}"),
    "quotes": chat("""it's "quoted" `here` \\ and \\n there""", name="""O'Brien "Ann" <x@y>"""),
    "control characters": chat("a\x00b\x1bc\x07d\u202ee", name="A\x00nn"),
    "only spaces": chat(" ", "\n\n", name="   "),
    "100 kB in the name": chat("short", name="Ann " * 25_000),
    "100 kB in a variable": chat("short", variables={"x" * 50_000: "y" * 50_000}),
}


def other(*texts: str, kind: str = "", number: int = 60000) -> dict[str, Any]:
    """A later chat of the same visitor."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["channel"]["id"] = number
    if kind:
        made["channel"][kind] = True
    first = made["messages"][0]
    made["messages"] = [{**first, "content": text, "sentAt": 1427470439703 + n} for n, text in enumerate(texts)]
    return made


def longer(chat: dict[str, Any], *texts: str) -> dict[str, Any]:
    """The chat goes on."""
    made: dict[str, Any] = json.loads(json.dumps(chat))
    last = made["messages"][-1]["sentAt"]
    made["messages"] += [
        {**SAMPLE["messages"][0], "content": text, "sentAt": last + 1000 * n} for n, text in enumerate(texts, 1)
    ]
    return made
