"""A made-up tea shop that has chatted for a month: what its admin would see on a weekday with one thing wrong."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from connectors.registry import settings_model
from core.config.environment import environment
from core.config.reload import Watched
from core.delivery import Exchange, Outcome, Reference
from core.store import connected
from core.store.connection.client import to_nobody
from tests.support.past import Past, Try
from tests.support.stack import Stack

CONFIG = """\
# Lípa Tea: where our chats go
connectors:
  archive:
    type: archive
  hubspot:
    type: hubspot
    token: ${HUBSPOT_TOKEN}
    time_zone: Europe/Prague
  zendesk:
    type: zendesk
    subdomain: lipatea
    client_id: relay
    client_secret: ${ZENDESK_TOKEN}
  warehouse:
    type: webhook
    url: https://stock.lipatea.example/chats
    secret: ${WEBHOOK_SECRET}

routes:
  - to: [archive, hubspot]
  - to: [zendesk]
    when: conversation.is_missed or conversation.rating == 1
  - to: [warehouse]
    when: visitor.variables
"""
VARIABLES = {
    "HUBSPOT_TOKEN": "pat-eu1-0000-made-up-for-pictures",
    "ZENDESK_TOKEN": "made-up-for-pictures-0123456789",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr",
}

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_SHOP = json.loads((Path(__file__).parents[1] / "browser" / "shop.json").read_text(encoding="utf-8"))

#: Ago, ms: when Zendesk refused its token, and from when to when HubSpot was away.
_REFUSED = 47 * _MINUTE
_OUTAGE = (5 * _HOUR, 5 * _HOUR - 25 * _MINUTE)
#: Chats, counted from the newest, whose email address is none: HubSpot refuses them.
_NO_ADDRESS = (4, 60, 61)


def open_shop(made: Stack, a_day: int, ahead: int = 0) -> None:
    """Fill an empty store with the month that ends now: about `a_day` chats on a weekday. No worker may run yet.

    The shop's clock is `ahead` hours of UTC.
    """
    env, now = environment(made.environment), round(time.time() * 1000)
    settings = Watched(env, settings_model, made.environment).current()
    made.server.client.config_set("appendfsync", "no")
    _fill(Past(connected(env, wake_up=to_nobody), settings.fingerprints), now, a_day, ahead)
    made.server.client.config_set("appendfsync", "always")


def _fill(past: Past, now: int, a_day: int, ahead: int) -> None:
    dice = random.Random(20418)
    times = sorted(_times(now, a_day, ahead, dice))
    for number, at in enumerate(times):
        newest = len(times) - number
        body = chat(number, at, dice)
        if newest in _NO_ADDRESS:
            body["visitor"]["email"] = body["visitor"]["email"].rpartition(".")[0]
        tries = {"archive": [Try(dice.randint(35, 130), ms=12, reference=Reference(f"1000/{_channel(number)}/r1"))]}
        tries["hubspot"] = _hubspot(body, number, now - at, newest, dice)
        if body["channel"]["isMissed"] or now - at == _REFUSED or (now - at < _REFUSED and number % 3 == 0):
            tries["zendesk"] = _zendesk(number, now - at, dice)
        if dice.random() < 0.4:
            tries["warehouse"] = [
                Try(round(dice.lognormvariate(5.4, 0.4)), ms=180, reference=Reference(f"msg_{number:08x}"))
            ]
        if newest == 7:
            # The visitor came back: the first body is the chat without its end. (A missed one has but one message.)
            shorter = {**body, "endAt": body["endAt"] - 90_000, "messages": body["messages"][:2]}
            first = {name: made[-1:] for name, made in tries.items() if name != "zendesk"}
            past.came(at - 90_000, json.dumps(shorter, ensure_ascii=False).encode(), first)
        past.came(at, json.dumps(body, ensure_ascii=False).encode(), tries)
    broken = json.dumps(chat(90_000, now - 3 * _HOUR, dice), ensure_ascii=False).encode()
    past.quarantined(now - 3 * _HOUR, broken[: len(broken) * 2 // 3])
    past.quarantined(now - _DAY, broken.replace(b'"visitor": {', b'"visitor": "gone", "was": {', 1))


def chat(number: int, at: int, dice: random.Random) -> dict[str, Any]:
    """What Smartsupp sends at `at` ms."""
    visitor = _SHOP["visitors"][number % len(_SHOP["visitors"])]
    language = visitor["language"]
    missed = language in _SHOP["missed"] and dice.random() < 0.14
    agent = dice.choice(sorted(_SHOP["agents"]))
    said = [["v", _SHOP["missed"][language]]] if missed else _SHOP["chats"][language]
    begin = at - 5_000 - sum(14_000 + 190 * len(text) for _, text in said)
    messages = list(_messages(said, visitor["name"], agent, begin))
    known = number % 3 == 0 and visitor["name"]
    variables = {
        "customer": {"label": "Customer", "value": f"C-{4000 + number % 600}"},
        "basket": {"label": "Basket", "value": "38.50 €"},
    }
    return {
        "accountId": 1000,
        "beginAt": begin,
        "endAt": at - 2_000,
        "channel": {
            "id": _channel(number),
            "isChat": True,
            "isMissed": missed,
            "isOffline": missed and dice.random() < 0.5,
            "isCompleted": not missed,
            "duration": (at - begin) // 1000,
            "firstResponse": None if missed else dice.randint(6, 40),
            "messagesCount": len(messages),
            "rating": None if missed else dice.choices([5, 3, 1, None], [50, 8, 2, 40])[0],
        },
        "visitor": {
            "id": 70_000 + number % len(_SHOP["visitors"]),
            **{name: value for name, value in visitor.items() if name != "language"},
            "ipAddress": f"192.0.2.{number % 250 + 1}",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "platform": "Linux x86_64",
            "referer": "https://www.example.com/search?q=good+tea",
            "variables": variables if known else {},
        },
        "paths": [{"url": url, "title": title} for url, title in dice.sample(_SHOP["pages"], 2)],
        "messages": messages,
    }


def _messages(said: Sequence[Sequence[str]], name: str, agent: str, begin: int) -> Iterator[dict[str, Any]]:
    at = begin
    helper = _SHOP["agents"][agent]
    for who, text in said:
        kind, sender, speaker, content = {
            "v": ("visitor", "visitor:mxLipa0000000000000000000000000000000001", name, text),
            "a": ("agent", f"agent:{agent}", helper, text),
            "j": ("system", f"agent:{agent}", helper, "agent.join"),
            "c": ("system", "system", name, "close.visitorClose"),
        }[who]
        yield {"type": kind, "from": sender, "name": speaker, "content": content, "sentAt": at, "triggeredBy": None}
        at += 14_000 + 190 * len(text)


def _channel(number: int) -> str:
    return f"co{number + 81_000:06d}"


def _times(now: int, a_day: int, ahead: int, dice: random.Random) -> Iterator[int]:
    """Busy before noon and after supper, quiet at night and on Sundays; more every week."""
    start = now - 30 * _DAY + _HOUR
    for hour in range(30 * 24 - 1):
        at = start + hour * _HOUR
        clock = (at / _HOUR + ahead) % 24
        shape = 0.02 + math.exp(-(((clock - 10) / 2.6) ** 2)) + 0.75 * math.exp(-(((clock - 18.5) / 2.2) ** 2))
        weekend = 0.55 if (at // _DAY + 4) % 7 in (0, 6) else 1.0
        wanted = a_day * shape / 8.4 * weekend * (0.75 + 0.25 * hour / 720)
        for _ in range(int(wanted + dice.random())):
            yield at + dice.randrange(_HOUR)
    # The last hour, whatever the hour.
    yield now - _REFUSED
    yield from (
        now - minutes * _MINUTE - dice.randrange(_MINUTE) for minutes in (58, 51, 40, 38, 33, 27, 21, 16, 12, 8, 5, 2)
    )


def _hubspot(body: dict[str, Any], number: int, ago: int, newest: int, dice: random.Random) -> list[Try]:
    person = body["visitor"]
    properties = json.dumps({"properties": {"email": person["email"], "firstname": person["name"]}}, ensure_ascii=False)
    api = "https://api.hubapi.com/crm/v3/objects"
    search = Exchange(
        "POST", f"{api}/contacts/search", 200, 142, sent='{"filterGroups":[…]}', answered='{"total":0,"results":[]}'
    )
    create = Exchange("POST", f"{api}/contacts", 201, 231, sent=properties, answered=f'{{"id":"{5_100_000 + number}"}}')
    note = Exchange(
        "POST", f"{api}/notes", 201, 187, sent='{"properties":{"hs_note_body":"…"}}', answered=f'{{"id":"{number}"}}'
    )
    made = Reference(
        str(5_100_000 + number), f"https://app-eu1.hubspot.com/contacts/1000/record/0-1/{5_100_000 + number}"
    )
    took = round(dice.lognormvariate(6.9, 0.35))
    good = Try(took, ms=min(took, 560), reference=made, requests=(search, create, note))
    if newest in _NO_ADDRESS:
        why = "Property values were not valid: email is not a valid address"
        refused = json.dumps({"status": "error", "message": why, "category": "VALIDATION_ERROR"})
        answer = Exchange("POST", f"{api}/contacts", 400, 120, sent=properties, answered=refused)
        error = f"HubSpot refused the record (400): {why}"
        return [Try(took, Outcome.REFUSED, 290, error, requests=(search, answer))]
    away = Exchange(
        "POST",
        f"{api}/contacts/search",
        503,
        10_020,
        sent='{"filterGroups":[…]}',
        answered="<html>Service Unavailable</html>",
    )
    if newest in (3, 6):
        return [Try(took, Outcome.RETRY, 10_040, "HubSpot answered 503", _HOUR, requests=(away,))]
    if _OUTAGE[1] < ago < _OUTAGE[0]:
        first = Try(took, Outcome.RETRY, 10_040, "HubSpot answered 503", 30_000, requests=(away,))
        return [first, Try(took + 32_000, ms=560, reference=made, requests=(search, create, note))]
    return [good]


def _zendesk(number: int, ago: int, dice: random.Random) -> list[Try]:
    if ago < _REFUSED:
        return []
    took = round(dice.lognormvariate(7.2, 0.3))
    url = "https://lipatea.zendesk.com/api/v2/users/create_or_update"
    if ago == _REFUSED:
        answer = Exchange(
            "POST", url, 401, 96, sent='{"user":{"email":"…"}}', answered='{"error":"Couldn\'t authenticate you"}'
        )
        return [
            Try(
                took,
                Outcome.PAUSED,
                110,
                "Zendesk refused the credentials (401): Couldn't authenticate you",
                requests=(answer,),
            )
        ]
    ticket = 20_000 + number
    created = Exchange(
        "POST",
        "https://lipatea.zendesk.com/api/v2/tickets",
        201,
        310,
        sent='{"ticket":{…}}',
        answered=f'{{"ticket":{{"id":{ticket}}}}}',
    )
    return [
        Try(
            took,
            ms=420,
            reference=Reference(str(ticket), f"https://lipatea.zendesk.com/agent/tickets/{ticket}"),
            requests=(created,),
        )
    ]
