"""Conversations and deliveries, made through the real steps of the store."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core.config.settings import ConnectorSettings, Route, Settings
from core.delivery import Attempt, Exchange, Outcome, Reference
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Claim, Control, Store
from core.store.claims import UNLIMITED, Limits, Quiet, Reading
from core.summary import line
from tests.support.stack import chat


def settings(
    *connectors: str,
    off: Sequence[str] = (),
    to: Sequence[str] | None = None,
    formerly: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Settings:
    """A configuration of these, and one route to them all, or `to` some."""
    names = {
        name: ConnectorSettings(type="archive", enabled=name not in off, formerly=tuple(formerly.get(name, ())))
        for name in (*connectors, *off)
    }
    routes = (Route(to=list(connectors if to is None else to)),)
    return Settings("relay.yaml", (), names, routes)


def configured() -> Settings:
    """The settings of the moment, for those who ask again and again."""
    return settings("archive", "crm", "desk", "hooks")


def control(store: Store) -> Control:
    """What admins do, by the client and the clock of a store."""
    return Control(store._redis, store._clock)


def conversation(store: Store, body: bytes, **outcomes: Outcome | None) -> str:
    """Take a body in for these connectors, and make one attempt with each outcome (None: it waits). Returns its id."""
    store.accept(body)
    claim = store.claim(INBOX, secrets.token_hex(4))
    assert claim, "nothing in the inbox"
    parsed = parse_conversation(claim.body)
    store.fan_out(claim, parsed.key, list(outcomes), summary=line(parsed))
    for connector, outcome in outcomes.items():
        if outcome:
            settle(store, claimed(store, connector, parsed.key), outcome)
    return parsed.key


def chats(store: Store, count: int, first: int = 1, **outcomes: Outcome | None) -> list[str]:
    return [conversation(store, chat(number), **outcomes) for number in range(first, first + count)]


def claimed(store: Store, connector: str, conversation: str, limits: Limits = UNLIMITED) -> Claim:
    """A lease on that delivery; others that are due before it are given back."""
    passed = []
    while claim := store.claim(connector, secrets.token_hex(4), limits=limits):
        if claim.conversation == conversation:
            break
        passed.append(claim)
    for one in passed:
        store.release(one)
    assert claim, f"{conversation} is not due for {connector}"
    return claim


def settle(store: Store, claim: Claim, outcome: Outcome, **changes: Any) -> None:
    """End an attempt as a worker does."""
    failed = outcome not in (Outcome.DELIVERED, Outcome.SKIPPED)
    facts: dict[str, Any] = {
        "at": claim.received + 1000,
        "ms": 120,
        "outcome": outcome,
        "revision": claim.revision,
        "status": 500 if failed else 201,
        "error": "500 Internal Server Error" if failed else "",
        "worker": "here:1",
        "requests": (Exchange("POST", "https://crm.example.com/tickets", 500 if failed else 201, 110),),
    }
    made = Reference("T-1", "https://crm.example.com/tickets/1") if outcome is Outcome.DELIVERED else None
    store.settle(
        claim,
        Attempt(**{**facts, **{name: value for name, value in changes.items() if name in facts}}),
        reference=changes.get("reference", made),
        delay_ms=changes.get("delay_ms", 30_000 if outcome is Outcome.RETRY else 0),
    )


def waiting_for_quiet(store: Store, connector: str) -> int:
    """Chat 1 was delivered, and has a revision that waits for ten minutes of quiet. Returns when it is due."""
    conversation(store, chat(1), **{connector: Outcome.DELIVERED})
    store.accept(chat(1, visitor={"name": "Ann B."}))
    claim = store.claim(INBOX, secrets.token_hex(4))
    assert claim
    identity = parse_conversation(claim.body).key
    store.fan_out_each([Reading(claim, identity, (connector,))], None, {connector: Quiet(600_000, 3_600_000)})
    return claim.received + 600_000
