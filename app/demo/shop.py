"""Chats of a shop that does not exist: the same ones for the same numbers, as Smartsupp's API and its hook have them.

The API's shapes are those of Smartsupp's OpenAPI document of 2021 (camelCase), the hook's those of its page of the POST
hook. Either has ids of its own for the same chat, as with Smartsupp.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.demo.talks import COUNTRIES, LANGUAGES, PEOPLE, TALKS

SHOP_ACCOUNT = "1000"
DOMAIN = "tea.example.com"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
_AGENTS = (("31", "Olivia Brown"), ("32", "Tomáš Marek"), ("33", "Hana Veselá"))
_RATED = {5: ("Very helpful, thank you!", ""), 3: ("", "It took a while."), 1: ("Nobody could help me.",)}
_SPELLED = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class MadeChat:
    """One chat: what the API answers about it, and the body of the hook. `began` has whole milliseconds."""

    number: int
    began: datetime
    conversation: dict[str, Any]
    messages: list[dict[str, Any]]
    paths: list[dict[str, Any]]
    contact: dict[str, Any]
    visitor: dict[str, Any]
    hook: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.conversation["id"])


def agents() -> list[dict[str, Any]]:
    """Who answers."""
    return [
        {
            "id": int(number),
            "active": True,
            "role": "agent",
            "fullname": name,
            "nickname": name.split()[0],
            "email": f"{_plain(name).split()[0]}@{DOMAIN}",
            **dict.fromkeys(("description", "avatar", "lastLogin", "lastActivity", "deletedAt")),
        }
        for number, name in _AGENTS
    ]


def moments(since: datetime, until: datetime, count: int, seed: int = 7) -> list[datetime]:
    """When so many chats began, the oldest first: more by day than by night."""
    dice = random.Random(seed)  # noqa: S311  # made up is what they are
    days = max(1, (until - since).days)
    found: list[datetime] = []
    while len(found) < count:
        minute = min(max(0, round(dice.gauss(14 * 60, 4 * 60))), 24 * 60 - 1)
        at = since + timedelta(days=dice.randrange(days), minutes=minute, milliseconds=dice.randrange(60_000))
        if at < until:
            found.append(at)
    return sorted(found)


def made_chat(number: int, began: datetime) -> MadeChat:
    """Chat number so and so."""
    dice = random.Random(f"chat {number}")  # noqa: S311  # as above
    began -= timedelta(microseconds=began.microsecond % 1000)
    talk = dice.choice(TALKS)
    homes = LANGUAGES[talk.language]
    who = dice.choice([at for at, one in enumerate(PEOPLE) if one[1] in homes]) + len(PEOPLE) * dice.randrange(40)
    name, country, city = PEOPLE[who % len(PEOPLE)]
    email = f"{_plain(name).replace(' ', '.')}{who}@example.com" if dice.random() < 0.8 else None
    phone = f"+4206{who:08d}" if dice.random() < 0.4 else None
    identity, visitor_id = api_id("co", number), api_id("vi", who)
    agent = dice.choice(_AGENTS)
    facts = {"order": f"A-{10_000 + number}", "ago": dice.randrange(2, 6), "phone": phone or "+420602123456"}
    lines, at = [], began
    for line in talk.lines:
        lines.append((line[0], line[2:].format(**facts), at))
        at += timedelta(milliseconds=dice.randrange(4_000, 90_000))
    ended, offline = at, talk.tag == "vzkaz"
    answered = any(kind == "A" for kind, _, _ in lines)
    rating = dice.choice((5, 5, 5, 3, 1)) if answered and dice.random() < 0.4 else None
    words = dice.choice(_RATED[rating]) if rating else ""
    messages = [
        _message(api_id("ms", number * 100 + place), identity, kind, text, time, agent[0], visitor_id)
        for place, (kind, text, time) in enumerate(lines)
    ]
    where = {"locCode": country.lower(), "locCountry": COUNTRIES[country]}
    page = f"https://{DOMAIN}/{_plain(talk.page).replace(' ', '-')}"
    person = {"name": name, "email": email, "phone": phone, "note": "Regular customer" if who % 9 == 0 else None}
    conversation = {
        "id": identity,
        "type": "chat",
        "status": "closed",
        "channel": {"type": "default", "id": None},
        "contactId": api_id("ct", who),
        "visitorId": visitor_id,
        "createdAt": api_time(began),
        "updatedAt": api_time(ended),
        "finishedAt": api_time(ended),
        "agentIds": [agent[0]] if answered else [],
        "assignedIds": [],
        "groupId": None,
        "locIp": f"192.0.2.{who % 250}",
        "locCity": city,
        **where,
        "referer": "https://search.example/",
        "rating": {"value": rating, "text": words or None} if rating else None,
        "domain": DOMAIN,
        "userAgent": _BROWSER,
        "tags": [talk.tag],
        "variables": {"lang": talk.language},
        "important": False,
        "isClosed": True,
        "isOffline": offline,
        "isServed": answered,
    }
    avatar = {"color": {"text": "8961af", "bg": "ead3fd"}, "initials": name[:1]}
    contact = {
        "id": api_id("ct", who),
        "createdAt": api_time(began),
        "updatedAt": api_time(ended),
        "identityId": None,
        **person,
        "avatar": avatar,
        "bannedAt": None,
        "bannedBy": None,
        "chatsCount": 1,
        "visitsCount": 3,
        "lastSeenAt": api_time(ended),
    }
    visitor = {
        "id": visitor_id,
        "avatar": avatar,
        "bannedAt": None,
        "chatsCount": 1,
        "connectedAt": api_time(began),
        "contactId": api_id("ct", who),
        "createdAt": api_time(began),
        "domain": DOMAIN,
        "email": email,
        "group": "shop",
        "lastSeenAt": api_time(ended),
        **where,
        "name": name,
        "pageTitle": talk.page,
        "pageUrl": page,
        "referer": "",
        "servedBy": [agent[0]] if answered else [],
        "status": "active",
        "viewsCount": 2,
        "visitsCount": 3,
        "chatId": identity,
        "lang": talk.language,
        "locIp": f"192.0.2.{who % 250}",
        "locCity": city,
        "browser": "Chrome",
        "browserVersion": "141.0",
        "platform": "Linux",
        "os": "Linux",
        "userAgent": _BROWSER,
        "paths": [],
    }
    paths = [{"url": page, "title": talk.page, "createdAt": api_time(began - timedelta(seconds=40))}]
    hook = {
        "accountId": int(SHOP_ACCOUNT),
        "beginAt": ms(began),
        "endAt": ms(ended),
        "channel": {
            "id": 50_000 + number,
            "isChat": answered,
            "isMissed": not answered and not offline,
            "isTriggered": False,
            "isOffline": offline,
            "isCompleted": answered,
            "isDropped": False,
            "duration": (ended - began).seconds,
            "avgResponse": 14,
            "firstResponse": 14,
            "messagesCount": len(lines),
            "wordsCount": sum(len(text.split()) for _, text, _ in lines),
            "rating": rating,
            "ratingDesc": words,
        },
        "visitor": {
            "id": 70_000 + who,
            "name": name,
            "email": email,
            "note": person["note"],
            "group": None,
            # Smartsupp's hook has these two the other way round.
            "ipAddress": f"192.0.2.{who % 250}",
            "city": COUNTRIES[country],
            "country": city,
            "countryCode": country,
            "userAgent": _BROWSER,
            "platform": "Linux",
            "referer": "",
            "variables": {"lang": {"label": "Language", "value": talk.language}},
        },
        "paths": [{"url": page, "title": talk.page}],
        "messages": [_hooked(kind, text, time, agent, name, who) for kind, text, time in lines if kind != "N"],
    }
    return MadeChat(number, began, conversation, messages, paths, contact, visitor, hook)


def api_id(prefix: str, number: int) -> str:
    """An id as the API has them: `co` and twelve letters and digits."""
    number, found = number * 2_654_435_761 + 3**40, ""
    for _ in range(12):
        number, rest = divmod(number, len(_SPELLED))
        found += _SPELLED[rest]
    return prefix + found


def api_time(time: datetime) -> str:
    """As the API writes times."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(time: datetime) -> int:
    """As the hook writes them."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // _MS


def _plain(name: str) -> str:
    """ASCII, in lower case."""
    accents = str.maketrans("áčďéěíňóřšťúůýžłńśźżäöüßáőűçèêàâîôñé", "acdeeinorstuuyzlnszzaousaoucéeaaioné")
    return name.lower().translate(accents).encode("ascii", "ignore").decode()


def _message(identity: str, chat: str, kind: str, text: str, at: datetime, agent: str, visitor: str) -> dict[str, Any]:
    side = {"V": "contact", "F": "contact", "A": "agent", "N": "agent", "B": "bot"}[kind]
    files = (
        [
            {
                "type": "image",
                "fileName": text,
                "fileType": "image/gif",
                "size": 26_146,
                "width": 512,
                "height": 512,
                "expireAt": api_time(at + timedelta(days=1)),
                "thumb400": None,
            }
        ]
        if kind == "F"
        else []
    )
    return {
        "id": identity,
        "type": "note" if kind == "N" else "message",
        "sub_type": side,
        "channel": {"type": "default", "id": None},
        "chatId": chat,
        "groupId": None,
        "agentId": agent if side == "agent" else None,
        "visitorId": visitor if side == "contact" else None,
        "createdAt": api_time(at),
        "content": {"type": "text", "text": None if files else text, "data": None},
        **dict.fromkeys(("trigger", "responseTime", "deliveryTo", "deliveryStatus", "deliveryFailReason")),
        "deliveredAt": None,
        "attachments": files,
    }


def _hooked(kind: str, text: str, at: datetime, agent: tuple[str, str], name: str, who: int) -> dict[str, Any]:
    sender = {"A": f"agent:{agent[0]}", "B": "system"}.get(kind, f"visitor:mx{who}")
    return {
        "type": "visitor" if kind in "VF" else "agent",
        "from": sender,
        "content": text,
        "sentAt": ms(at),
        "name": {"A": agent[1], "B": ""}.get(kind, name),
        "triggeredBy": None,
    }
