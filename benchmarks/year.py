"""A store as it is after a year: chats of a shop on every day, each delivered to both connectors or not, through the
store's own scripts."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.pipelined import TOGETHER, Pipelined, leased
from connectors.testing.chats import SAMPLE
from core.delivery import Attempt, Exchange, Outcome, PayloadStatus, Reference
from core.ids import DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Claim, Store
from core.store.claims import Reading
from core.store.connection.client import Client
from core.store.protocol.keys import key
from core.summary import line

DAY_MS = 86_400_000
DAYS = 365
CONNECTORS = ("archive", "crm")
#: Who is looked for: one among all, after a third of them.
RARE_NAME, RARE_WORDS = "Quirina Xylander", "zanzibar porcelain"
#: Of a thousand chats so many end like this at the second connector.
_ENDS = {Outcome.DELIVERED: 955, Outcome.SKIPPED: 20, Outcome.REFUSED: 15, Outcome.RETRY: 5, Outcome.BUG: 5}
#: One body of so many is no chat, one chat of so many is continued, and one is delivered at the second try.
_NO_CHAT, _CONTINUED, _SECOND_TRY = 500, 20, 25
_REASONS = ("the destination answered 422: no such field 'colour'", "the destination answered 404: no such queue")
#: Shops are asleep at night: how much of a day's chats begins in each hour.
_HOURS = (1, 1, 0, 0, 0, 1, 2, 5, 8, 10, 10, 9, 8, 9, 9, 8, 8, 7, 7, 8, 8, 7, 4, 2)

_FIRST = (
    "Jana",
    "Petr",
    "Žofie",
    "Tomáš",
    "Eva",
    "Olena",
    "Mateusz",
    "Kinga",
    "Anna",
    "Lukas",
    "Chloé",
    "Mateo",
    "Ann",
)
_LAST = ("Nová", "Svobod", "Dvořák", "Kováč", "Horák", "Wiśniewsk", "Nagy", "Müller", "Garcí", "Smith", "Bondarenk")
_THINGS = (
    "teapot",
    "cup",
    "saucer",
    "sencha",
    "matcha",
    "whisk",
    "kettle",
    "tin",
    "sampler",
    "strainer",
    "caddy",
    "tray",
)
_COLOURS = ("blue", "green", "white", "black", "red", "celadon", "grey", "brown")
_ASKED = (
    "Hello, is the {colour} {thing} still in stock? I need {n} of them.",
    "Dobrý den, kdy dorazí objednávka {order}? Zaplaceno bylo {day}. {month}.",
    "Hi! The {thing} of my order {order} came with a crack, here is what the parcel looked like.",
    "Can I change the address of order {order} to {street} {n}?",
    "How long does the {colour} {thing} take to arrive in {town}?",
    "Máte {thing} i v jiné barvě než {colour}? Na webu vidím jen {n} kusů.",
    "I paid {price} twice for {order}, when do I get one of them back?",
    "Does the {thing} fit the {colour} {thing2}, or do I need the larger one?",
    "The code TEA{n} does not work at the checkout, it says that it has expired.",
    "Thank you. And what would {n} of the {colour} ones cost with shipping to {town}?",
    "I would need it by {day}. {month}., it is meant as a present for my mother.",
    "ok", "Thanks!", "Yes, please.", "děkuji", "One moment, I have to look for it.",
)  # fmt: skip
_ANSWERED = (
    "Good afternoon! Let me have a look, it will take only a moment.",
    "We have {n} of the {colour} {thing} left. With the courier it arrives in {town} on {day}. {month}.",
    "Dobrý den, objednávka {order} odešla dnes, číslo zásilky je {parcel}.",
    "I am sorry about the {thing}. We send you another one, order {order}, free of charge.",
    "The refund of {price} was made on {day}. {month}.; banks take up to {n} days.",
    "Of course, within 30 days. The receipt lies in the parcel, without a price on request.",
    "Here it is: https://shop.example/tea/{colour}-{thing}-{n}",
    "The {colour} {thing} costs {price}, and from 1500 Kč delivery costs nothing.",
    "I have changed it to {street} {n}, {town}. Is there anything else that I can do?",
    "You are welcome, have a nice day!",
)
_TOWNS = ("Brno", "Praha", "Ostrava", "Plzeň", "Bratislava", "Košice", "Kraków", "Wien", "Győr", "Dresden", "Lyon")
_STREETS = ("Veveří", "Masarykova", "Dlouhá", "Kounicova", "Hlavná", "Nádražní", "U Parku", "Lipová")
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {v}_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SM-S91{v}B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
)


@dataclass(frozen=True)
class Chat:
    """One of the year: its number, when it ended (ms), its body; `more` of it came later, or b""."""

    number: int
    at: int
    body: bytes
    more: bytes = b""


def chats(count: int, now: int, *, days: int = DAYS, seed: int = 100_003) -> Iterator[Chat]:
    """A year that ends at `now` (ms), oldest first. The same for the same arguments."""
    dice = random.Random(seed)  # noqa: S311  # dice that protect nothing
    first = now - days * DAY_MS
    times = sorted(
        min(now - 1, first + dice.randrange(days) * DAY_MS + dice.choices(range(24), _HOURS)[0] * 3_600_000
            + dice.randrange(3_600_000))
        for _ in range(count)
    )  # fmt: skip
    for number, at in enumerate(times):
        body, more = _bodies(number, at, dice, rare=number == count // 3)
        yield Chat(number, at, body, more)


def fill(client: Client, count: int, now: int, *, days: int = DAYS) -> None:
    """Keep a year of chats. Nobody else may take from a lane meanwhile."""
    dice = random.Random(count)  # noqa: S311
    clock = {"now": 0}
    piped = Pipelined(client)
    store = Store(piped, lambda: clock["now"])  # type: ignore[arg-type]  # as much of a client as these calls need
    for chat in chats(count, now, days=days):
        clock["now"] = chat.at
        if chat.number % _NO_CHAT == 1:
            _quarantined(store, piped, chat)
        _kept(store, piped, chat, chat.body, dice, revision=1)
        if chat.more:
            clock["now"] = chat.at + 600_000
            _kept(store, piped, chat, chat.more, dice, revision=2)
        piped.send(TOGETHER)
    piped.send()
    _without_minutes(client, now)


def _quarantined(store: Store, piped: Pipelined, chat: Chat) -> None:
    body = b'{"accountId": 208, "channel": {"isChat": true, "number": %d}}' % chat.number
    store.accept(body, content_type="application/json")
    store.divert(PayloadId(piped.made), PayloadStatus.QUARANTINED, "channel.id: missing")


def _kept(store: Store, piped: Pipelined, chat: Chat, body: bytes, dice: random.Random, *, revision: int) -> None:
    parsed = parse_conversation(body)
    at = chat.at + (revision - 1) * 600_000
    store.accept(body, content_type="application/json")
    payload = piped.made
    claim = leased(store, INBOX, payload, at, body)
    begun = round(parsed.begin_at.timestamp() * 1000) if parsed.begin_at else None
    store.fan_out_each([Reading(claim, parsed.key, CONNECTORS, summary=line(parsed), begun=begun)])
    for connector in CONNECTORS:
        again = connector != CONNECTORS[0] and chat.number % _SECOND_TRY == 3
        outcome = (
            dice.choices(list(_ENDS), list(_ENDS.values()))[0] if connector != CONNECTORS[0] else Outcome.DELIVERED
        )
        delivery = DeliveryId.of(connector, parsed.key)
        if again:
            _settle(store, leased(store, connector, delivery, at, body, payload), Outcome.RETRY, at, chat.number, 0)
        held = leased(store, connector, delivery, at, body, payload)
        # One that fails for now is due again long after the end.
        _settle(store, held, outcome, at, chat.number, 2 * DAYS * DAY_MS)


def _settle(store: Store, claim: Claim, outcome: Outcome, at: int, number: int, delay: int) -> None:
    good = outcome is Outcome.DELIVERED
    error = "" if good or outcome is Outcome.SKIPPED else _REASONS[number % 2]
    sent = json.dumps({"subject": f"Chat {number}", "requester": claim.id, "text": claim.body.decode()[:600]})
    exchange = Exchange(
        "POST", f"https://{claim.lane}.example.com/records", 201 if good else 422, 140, "", sent,
        json.dumps({"id": number, "created_at": at, "status": "open"}),
    )  # fmt: skip
    attempt = Attempt(at, 160, outcome, 1, exchange.status, error, worker="bench:1", requests=(exchange,))
    reference = Reference(str(number), f"https://{claim.lane}.example.com/records/{number}") if good else None
    store.settle(claim, attempt, delay_ms=delay, reference=reference)


def _without_minutes(client: Client, now: int) -> None:
    """Counts of a minute are kept for two hours; these were counted just now, as far as the server knows."""
    kept = now // 60_000 - 120
    names = client.scan_iter(match=key("count", "minute", "*"), count=5_000)
    old = (name for name in names if int(name.rpartition(b":")[2]) < kept)
    while part := list(itertools.islice(old, 5_000)):
        client.unlink(*part)


def _bodies(number: int, at: int, dice: random.Random, *, rare: bool) -> tuple[bytes, bytes]:
    payload = _chat(number, at, dice, rare=rare)
    body = json.dumps(payload, ensure_ascii=False).encode()
    if number % _CONTINUED != 7:
        return body, b""
    payload["messages"] += [_message(payload, dice, at + 300_000 + n, n % 2 == 0) for n in range(2)]
    payload["endAt"] = at + 590_000
    return body, json.dumps(payload, ensure_ascii=False).encode()


def _chat(number: int, at: int, dice: random.Random, *, rare: bool) -> dict[str, Any]:
    """The documented payload, with a visitor, a way through the shop and a talk of its own."""
    talk = min(24, 1 + int(dice.expovariate(1 / 7)))
    begun = at - 20_000 * talk - dice.randrange(60_000)
    who = dice.randrange(120_000)
    person = RARE_NAME if rare else f"{_FIRST[who % len(_FIRST)]} {_LAST[who // 13 % len(_LAST)]}{'aoyeui'[who % 6]}"
    town = _TOWNS[who % len(_TOWNS)]
    named = dice.random() < 0.7 or rare
    missed, offline = number % 12 == 0, number % 30 == 0
    payload: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    payload |= {"accountId": 208 + number % 2, "beginAt": begun, "endAt": at}
    payload["channel"] |= {
        "id": 10_000_000 + number,
        "isMissed": missed,
        "isOffline": offline,
        "isTriggered": dice.random() < 0.3,
        "duration": (at - begun) // 1000,
        "avgResponse": dice.randrange(5, 90),
        "firstResponse": dice.randrange(3, 60),
        "messagesCount": talk,
        "wordsCount": 9 * talk,
        "rating": dice.choice((5, 5, 5, 3, 1, None, None, None)),
        "ratingDesc": dice.choice(("", "", "", "Quick and friendly", "Nikdo mi neodpověděl")),
    }
    payload["visitor"] |= {
        "id": 500_000 + who,
        "name": person if named else None,
        "email": f"{_FIRST[who % 13].lower()}.{who}@example.{'com' if who % 3 else 'cz'}" if named else None,
        "note": "",
        "ipAddress": f"{80 + who % 100}.{who // 7 % 256}.{who // 3 % 256}.{who % 256}",
        "city": town,
        "userAgent": dice.choice(_BROWSERS).format(v=dice.randrange(16, 124)),
        "platform": dice.choice(("Win32", "MacIntel", "iPhone", "Linux armv8l")),
        "referer": dice.choice(("", "https://www.google.com/", "https://www.heureka.cz/", "https://www.facebook.com/")),
        "variables": {
            "userId": {"label": "User ID", "value": str(who)},
            "cart": {"label": "Cart", "value": f"{dice.randrange(0, 9_000)} Kč"},
            "orders": {"label": "Orders", "value": who % 11},
        },
    }
    payload["paths"] = [
        {
            "url": f"https://shop.example/tea/{colour}-{thing}-{dice.randrange(999)}",
            "title": f"{colour.capitalize()} {thing} · Shop",
        }
        for colour, thing in ((dice.choice(_COLOURS), dice.choice(_THINGS)) for _ in range(1 + talk % 5))
    ]
    sent = [begun + (at - begun) * n // (talk + 2) for n in range(talk + 2)]
    said = [_message(payload, dice, sent[n], n % 2 == 0) for n in range(talk)]
    if rare:
        said[0]["content"] += f" {RARE_WORDS}"
    joined = {**SAMPLE["messages"][1], "sentAt": sent[1]}
    closed = {**SAMPLE["messages"][-1], "name": person, "sentAt": at}
    payload["messages"] = [said[0], *([] if missed else [joined]), *said[1:], closed]
    return payload


def _message(payload: dict[str, Any], dice: random.Random, at: int, visitor: bool) -> dict[str, Any]:
    text = dice.choice(_ASKED if visitor else _ANSWERED).format(
        colour=dice.choice(_COLOURS),
        thing=dice.choice(_THINGS),
        thing2=dice.choice(_THINGS),
        n=dice.randrange(2, 40),
        order=dice.randrange(20_240_000, 20_260_000),
        day=dice.randrange(1, 29),
        month=dice.randrange(1, 13),
        street=dice.choice(_STREETS),
        town=dice.choice(_TOWNS),
        price=f"{dice.randrange(90, 4_000)} Kč",
        parcel=dice.randrange(10**11, 10**12),
    )
    who = payload["visitor"]
    agent = 3 + who["id"] % 4
    return {
        "type": "visitor" if visitor else "agent",
        "name": who["name"] if visitor else f"Agent {agent}",
        "from": f"visitor:mx{who['id']:x}Tiqn9adr2h39kmzAJ0FeaTGFJhmjio0R" if visitor else f"agent:{agent}",
        "content": text,
        "sentAt": at,
        "triggeredBy": None,
    }
