"""A visitor to be erased: distinctive words, and a look for them in all that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

EMAIL = "petra.vondrackova@posta.example"
NAME = "Petra Vondráčková"
VISITOR = "viPetra7Xk2q"
SAID = "moje tajná objednávka 7781"


def petra(channel: str = "c1", **changes: Any) -> bytes:
    """The body of a conversation of hers, in account 1."""
    visitor = {"id": VISITOR, "name": NAME, "email": EMAIL, **changes.pop("visitor", {})}
    payload: dict[str, Any] = {
        "accountId": 1,
        "channel": {"id": channel, "isChat": True},
        "visitor": visitor,
        "messages": [{"type": "visitor", "from": "visitor:mx1", "content": SAID, "sentAt": 1427470439703}],
    }
    return json.dumps({**payload, **changes}).encode()


def remains(client: redis.Redis, folder: Path | None = None) -> list[str]:
    """Where any of her words still stands: names of keys and files."""
    texts = [*_texts(client), *(_files(folder) if folder else ())]
    return sorted({place for place, text in texts for word in _WORDS if word in text.lower()})


def _spellings(word: str) -> set[bytes]:
    return {form.encode().lower() for form in (word, json.dumps(word)[1:-1])}


_WORDS = {one for word in (EMAIL, NAME, VISITOR, SAID) for one in _spellings(word)}


def _texts(client: Any) -> Iterator[tuple[str, bytes]]:
    for name in client.scan_iter(count=1000):
        yield name.decode(), name
        match client.type(name):
            case b"string":
                found = [client.get(name) or b""]
            case b"hash":
                found = [part for pair in client.hgetall(name).items() for part in pair]
            case b"list":
                found = client.lrange(name, 0, -1)
            case b"set":
                found = list(client.smembers(name))
            case b"zset":
                found = client.zrange(name, 0, -1)
            case b"none":  # gone meanwhile
                found = []
            case kind:
                raise AssertionError(f"{name!r} is a {kind!r}, which nobody looks into")
        yield from ((name.decode(), one) for one in found)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.rglob("*"):
        yield str(file), str(file).encode()
        if file.is_file():
            yield str(file), file.read_bytes()
