"""The body that was made of the API's answers -> the members of a `Conversation`.

Source: Smartsupp's own OpenAPI document of January 2021, github.com/smartsupp/openapi-client; the API of today has the
same shapes in snake case. Flags, which the API does not have, are worked out of the messages as the POST hook's
documentation explains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import PayloadError
from core.smartsupp.api.body import FORM, FORM_NAME
from core.smartsupp.api.spelling import snaked
from core.smartsupp.fields import read_identity, read_variables
from core.smartsupp.json_reader import Wild, clean, latest
from core.smartsupp.limits import check_items

#: What an agent may be called, the best first.
_NAMES = ("fullname", "nickname")
#: Who wrote a message -> its type in a chat.
_SIDES = {"contact": "visitor", "agent": "agent", "bot": "agent", "trigger": "agent", "system": "system"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def opened_form(value: Mapping[str, Any]) -> Wild:
    """A body of this form, with one spelling. Raises PayloadError for one that a newer version made."""
    found = Wild(snaked(value))
    form = found.object(FORM).text("form")
    if form != FORM_NAME:
        raise PayloadError(f"{FORM}.form", f"expected '{FORM_NAME}'; a newer version of Relay reads others")
    return found


def api_identity(wild: Wild, expected: str) -> tuple[str, str]:
    """Account and id of the conversation. Raises PayloadError."""
    about = wild.object(FORM)
    account = expected if expected and about.members.get("account") is None else read_identity(about, "account")
    if expected and account != expected:
        raise PayloadError(f"{FORM}.account", f"the source belongs to account {expected}, this is from {account}")
    return account, read_identity(wild.object("conversation"), "id")


def api_conversation(wild: Wild, expected: str) -> dict[str, Any]:
    """Members of a Conversation, to be validated by it. Raises PayloadError."""
    account, identity = api_identity(wild, expected)
    for key in ("messages", "paths"):
        check_items(wild.where(key), key, wild.members.get(key))
    talk, contact, visitor = wild.object("conversation"), wild.object("contact"), wild.object("visitor")
    chat = _Chat(_agents(wild), contact.text("name") or visitor.text("name"))
    written = [one for one in wild.objects("messages") if one.text("type") != "note"]
    messages = [chat.message(one) for one in written]
    notes = [chat.note(one) for one in wild.objects("messages") if one.text("type") == "note"]
    begin, end = time_in(talk, "created_at"), time_in(talk, "finished_at")
    times = [one["sent_at"] for one in messages if one["sent_at"]]
    end = end or (max(times) if times else None)
    return {
        "account": account,
        "id": identity,
        "begin_at": begin,
        "end_at": end,
        **_flags(talk, messages),
        "duration": round((end - begin).total_seconds()) if begin and end and end >= begin else None,
        "messages_count": len([one for one in messages if one["type"] != "system"]),
        **_rating(talk),
        "visitor": _visitor(talk, contact, visitor),
        "paths": tuple(_pages(wild)),
        "messages": tuple(messages),
        "channel": talk.object("channel").text("type"),
        "domain": talk.text("domain") or visitor.text("domain"),
        "tags": tuple(_tags(talk)),
        "important": talk.flag("important"),
        "agents": tuple(chat.agents.values()),
        "internal_notes": tuple(notes),
    }


@dataclass(frozen=True)
class _Chat:
    """Who takes part."""

    agents: Mapping[str, Mapping[str, str]]
    visitor: str

    def message(self, wild: Wild) -> dict[str, Any]:
        kind = _kind(wild)
        side = "system" if wild.text("type") == "event" else _SIDES[kind]
        files = tuple(_files(wild))
        text = _text(wild) or ", ".join(one["name"] for one in files)
        agent, guest = wild.text("agent_id"), wild.text("visitor_id")
        names = {"agent": self._name(agent), "contact": self.visitor, "bot": "Bot"}
        sender = {"agent": f"agent:{agent}" if agent else "system", "contact": f"visitor:{guest}", "bot": "bot"}
        return {
            "type": side,
            "name": names.get(kind, self._name(agent)),
            "sender": sender.get(kind, "system"),
            "content": text,
            "sent_at": time_in(wild, "created_at"),
            "triggered_by": wild.object("trigger").text("name") if kind == "trigger" else "",
            "files": files,
        }

    def note(self, wild: Wild) -> dict[str, Any]:
        agent = wild.text("agent_id")
        known = self.agents.get(agent, {"id": agent})
        return {"agent": known, "content": _text(wild), "written_at": time_in(wild, "created_at")}

    def _name(self, agent: str) -> str:
        return self.agents.get(agent, {}).get("name", "")


def time_in(wild: Wild, key: str) -> datetime | None:
    """A time in ISO 8601, as UTC where it names no zone; or a Unix time, as the hook has it. Null and "" are None."""
    value = wild.members.get(key)
    if not isinstance(value, str) or not value or value.isdecimal():
        return None if value == "" else wild.time(key)
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or not _EPOCH <= found <= latest():
        wild.odd(wild.expected(key, "a date and time (ISO 8601)"))
        return None
    return found - timedelta(microseconds=found.microsecond % 1000)


def _agents(wild: Wild) -> dict[str, dict[str, str]]:
    found = {}
    for agent in wild.objects("agents"):
        name = next(filter(None, (agent.text(one).strip() for one in _NAMES)), "")
        found[agent.text("id")] = {"id": agent.text("id"), "name": name, "email": agent.text("email")}
    return found


def _kind(wild: Wild) -> str:
    """Who wrote; where that is not said, whoever is named."""
    said = wild.text("sub_type")
    if said in _SIDES:
        return said
    if wild.text("agent_id"):
        return "agent"
    return "contact" if wild.text("visitor_id") else "system"


def _text(wild: Wild) -> str:
    """What was written: text, or an object that holds it. Of an event it is the code."""
    content = wild.members.get("content")
    if not isinstance(content, dict):
        return wild.words("content")
    inner = wild.object("content")
    return inner.words("text") or (inner.text("type") if wild.text("type") == "event" else "")


def _files(wild: Wild) -> list[dict[str, Any]]:
    content = wild.members.get("content")
    found = list(wild.objects("attachments"))
    if not found and isinstance(content, dict) and isinstance(content.get("data"), dict):
        inner = wild.object("content").object("data")
        found = [inner] if "file_name" in inner or "url" in inner else []
    return [
        {
            "name": one.text("file_name") or one.text("name"),
            "type": one.text("file_type"),
            "size": one.integer("size"),
            "url": one.text("url"),
            "expires_at": time_in(one, "expire_at"),
        }
        for one in found
    ]


def _pages(wild: Wild) -> list[dict[str, Any]]:
    try:
        return [
            {"url": one.text("url"), "title": one.text("title"), "seen_at": time_in(one, "created_at")}
            for one in wild.objects("paths")
        ]
    except PayloadError as error:
        wild.odd(error)
        return []


def _tags(talk: Wild) -> list[str]:
    """Texts, or objects with a name."""
    found = talk.members.get("tags") or []
    if not isinstance(found, list):
        talk.odd(talk.expected("tags", "a list"))
        return []
    named = [one.get("name") if isinstance(one, dict) else one for one in found]
    return [clean(one) for one in named if isinstance(one, str) and one]


def _rating(talk: Wild) -> dict[str, Any]:
    given = talk.members.get("rating")
    if not isinstance(given, dict):
        return {"rating": talk.integer("rating") or talk.integer("rating_value"), "rating_desc": ""}
    rating = talk.object("rating")
    return {"rating": rating.integer("value"), "rating_desc": rating.text("text")}


def _flags(talk: Wild, messages: list[dict[str, Any]]) -> dict[str, bool]:
    asked = any(one["type"] == "visitor" for one in messages)
    answered = any(one["sender"].startswith("agent:") or one["sender"] == "bot" for one in messages)
    offline = talk.flag("is_offline")
    missed = asked and not answered and not offline
    closed = talk.flag("is_closed") or talk.text("status") == "closed"
    return {
        "is_chat": asked and answered,
        "is_missed": missed,
        "is_triggered": any(one["triggered_by"] for one in messages),
        "is_offline": offline,
        "is_completed": closed and answered,
    }


def _visitor(talk: Wild, contact: Wild, visitor: Wild) -> dict[str, Any]:
    def first(key: str, *places: Wild) -> str:
        return next(filter(None, (place.text(key) for place in places)), "")

    return {
        "id": talk.text("visitor_id") or talk.text("contact_id"),
        "name": first("name", contact, visitor),
        "email": first("email", contact, visitor),
        "phone": contact.text("phone"),
        "note": contact.text("note"),
        "group": visitor.text("group"),
        "ip_address": first("loc_ip", talk, visitor),
        "city": first("loc_city", talk, visitor),
        "country_code": first("loc_code", talk, visitor).upper(),
        "country": first("loc_country", talk, visitor),
        "user_agent": first("user_agent", talk, visitor),
        "platform": visitor.text("platform"),
        "referer": first("referer", talk, visitor),
        "variables": read_variables(talk),
    }
