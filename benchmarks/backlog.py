"""Waiting deliveries, many and quickly: through the store's own scripts, sent together."""

from __future__ import annotations

import time
from functools import cache

from benchmarks.bodies import FIRST, KINDS, body
from benchmarks.pipelined import TOGETHER, Pipelined, leased
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Store
from core.store.connection.client import Client
from core.summary import line
from tests.support.stack import until

#: Seconds after which the server has begun to write its file anew, if it will; and until it has.
_LOOK, _PATIENCE = 0.3, 900


def fill(client: Client, connector: str, first: int, count: int) -> None:
    """Conversations that wait for a connector. Nobody else may take from the inbox meanwhile."""
    now = int(client.time()[0]) * 1000
    piped = Pipelined(client)
    store = Store(piped)  # type: ignore[arg-type]  # as much of a client as these calls need
    usual = str(client.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"])
    # A file of gigabytes that is written anew meanwhile makes the server wait for the disk for longer than we would.
    client.config_set("auto-aof-rewrite-percentage", 0)
    client.config_set("appendfsync", "no")
    try:
        for number in range(first, first + count):
            raw = body(number)
            key, summary = read(number)
            store.accept(raw, content_type="application/json")
            claim = leased(store, INBOX, piped.made, now, raw)
            store.fan_out(claim, ConversationId(key), (connector,), summary=summary)
            piped.send(TOGETHER)
        piped.send()
    finally:
        client.config_set("appendfsync", "always")
        client.config_set("auto-aof-rewrite-percentage", usual)
    time.sleep(_LOOK)
    until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], _PATIENCE, "the file rewritten")


def read(number: int) -> tuple[str, bytes]:
    """What intake makes of a body: the conversation and its summary. Bodies of one kind differ in their number alone,
    and reading a hundred thousand of them takes a minute."""
    key, summary = _read(number % KINDS)
    return str(number).join(key), str(number).encode().join(summary)


@cache
def _read(kind: int) -> tuple[list[str], list[bytes]]:
    one = next(number for number in range(FIRST, FIRST + KINDS) if number % KINDS == kind)
    conversation = parse_conversation(body(one))
    return conversation.key.split(str(one)), line(conversation).split(str(one).encode())
