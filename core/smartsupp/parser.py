"""Smartsupp's JSON: the body of a POST hook -> `Conversation`. What its API gives is read in core/smartsupp/api.

Source: https://docs.smartsupp.com/chat-box/post-hook/ and the change of 2018-11-16 (`groupKey` became `group`;
`from` changed `3` -> `agent:3`, null -> `system`, `mx…` -> `visitor:mx…`). Identity and the shape of
the messages must be right, or the error names the path; everything else may be missing, and what cannot be understood
is left empty and noted on the conversation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from core.conversation import Conversation
from core.errors import PayloadError
from core.pretty_json import is_deeper
from core.smartsupp.api.body import FORM
from core.smartsupp.api.reading import api_conversation, api_identity, opened_form
from core.smartsupp.fields import read_identity, read_variables
from core.smartsupp.json_reader import Lenient, Wild, described
from core.smartsupp.limits import check_items, check_objects

# How deep json.loads and json.dumps get depends on who calls them and on the version of Python. This does not, and
# whoever reads the body after us (a worker, the archive) can do so too. Smartsupp's own bodies are 5 deep.
_DEEPEST = 100

#: Of what could not be understood in one chat, this much is noted.
_NOTES = 20


@dataclass(frozen=True)
class StatisticsReport:
    """The hourly report that another flavour of the hook sends. There is nothing in it to deliver."""

    domains: int


def parse(body: bytes, account: str = "") -> Conversation | StatisticsReport:
    """Read the body of a hook.

    `account` is the account that the token belongs to, or "": where it is given, a body that names another
    account is refused, and a body that names none belongs to it. Raises PayloadError, and nothing else, for
    any other bytes.
    """
    found = _opened(body)
    if isinstance(found, StatisticsReport):
        return found
    try:
        return _conversation(found, account)
    except PayloadError:  # seldom, so only now is anything spent on it
        lenient = Lenient(found.members)
        chat = _conversation(lenient, account)
        more = len(lenient.notes) - _NOTES
        notes = (*lenient.notes[:_NOTES], *([f"and {more} more"] if more > 0 else ()))
        return chat.model_copy(update={"notes": notes})


def glance(body: bytes, account: str = "") -> bool:
    """Whether a body is a conversation and not a report, going by its identity, which is all that is read of it
    beside the JSON. Raises PayloadError."""
    found = _opened(body)
    if isinstance(found, StatisticsReport):
        return False
    if FORM in found:
        api_identity(found, account)
        return True
    channel = found.object("channel")
    _account(found, account)
    read_identity(channel, "id")
    return True


def _opened(body: bytes) -> Wild | StatisticsReport:
    value = read_json(body)
    if not isinstance(value, dict):
        raise PayloadError("", f"no conversation: expected a JSON object with 'channel', got {described(value)}")
    wild = Wild(value)
    if FORM in wild:
        return opened_form(value)
    if "channel" not in wild:
        if "domains" in wild:
            return StatisticsReport(domains=len(wild.object("domains").members))
        raise PayloadError("channel", "no conversation: expected an object, got nothing")
    return wild


def parse_conversation(body: bytes, account: str = "") -> Conversation:
    """The same for a body in which nothing but a conversation is of use. Raises PayloadError."""
    found = parse(body, account)
    if isinstance(found, StatisticsReport):
        raise PayloadError("channel", "no conversation: this is a statistics report")
    return found


def read_json(body: bytes) -> object:
    """The JSON of a body, within bounds. Raises PayloadError."""
    try:
        check_objects(body)
        value = _loaded(body)
    except UnicodeDecodeError as error:
        raise PayloadError("", f"not JSON: byte {error.start} is not {error.encoding}") from None
    except json.JSONDecodeError as error:
        raise PayloadError("", f"not JSON: {_said(error)} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise PayloadError("", "not JSON that can be read: nested too deeply") from None
    except ValueError:  # Python's own limit on the digits of one number
        raise PayloadError("", "not JSON that can be read: a number has too many digits") from None
    # Nothing is deeper than it has brackets; counting those is quick.
    if body.count(b"{") + body.count(b"[") > _DEEPEST and is_deeper(value, _DEEPEST):
        raise PayloadError("", "not JSON that can be read: nested too deeply")
    return value


def _loaded(body: bytes) -> object:
    """What Python's own reader finds, in half its time where the JSON is as it should be."""
    try:
        return from_json(body, cache_strings="keys")  # what people wrote stays nowhere
    except ValueError:
        # It may be JSON all the same: a raw line break in a text, half a surrogate pair, UTF-16. What is none gets the
        # error of that reader.
        return json.loads(body, strict=False)


#: The beginnings of what Python says of a text that is no JSON.
_SYNTAX = {
    "Expecting value": "a value is missing",
    "Expecting property name": "a name in double quotes is missing",
    "Expecting ':'": "a colon is missing",
    "Expecting ','": "a comma or a closing bracket is missing",
    "Unterminated string": "a text is never closed",
    "Invalid \\": "a \\ is followed by a character that it cannot go with",
    "Extra data": "there is more after the end",
    "Illegal trailing comma": "there is a comma before a closing bracket",
}


def _said(error: json.JSONDecodeError) -> str:
    return next((text for begin, text in _SYNTAX.items() if error.msg.startswith(begin)), "it cannot be read")


def _conversation(wild: Wild, expected: str) -> Conversation:
    if FORM in wild:
        return Conversation.model_validate(api_conversation(wild, expected))
    channel = wild.object("channel")
    for key in ("messages", "paths"):
        check_items(wild.where(key), key, wild.members.get(key))
    members = {
        "account": _account(wild, expected),
        "id": read_identity(channel, "id"),
        "begin_at": wild.time("beginAt"),
        "end_at": wild.time("endAt"),
        "is_chat": channel.flag("isChat"),
        "is_missed": channel.flag("isMissed"),
        "is_triggered": channel.flag("isTriggered"),
        "is_offline": channel.flag("isOffline"),
        "is_completed": channel.flag("isCompleted"),
        "is_dropped": channel.flag("isDropped"),
        "duration": channel.integer("duration"),
        "avg_response": channel.integer("avgResponse"),
        "first_response": channel.integer("firstResponse"),
        "messages_count": channel.integer("messagesCount"),
        "words_count": channel.integer("wordsCount"),
        "rating": channel.integer("rating"),
        "rating_desc": channel.text("ratingDesc"),
        "visitor": _visitor(wild.object("visitor")),
        "paths": _paths(wild),
        "messages": tuple([_message(message) for message in wild.objects("messages")]),
    }
    # All in one go: each part by itself would take a third longer.
    return Conversation.model_validate(members)


def _paths(wild: Wild) -> tuple[dict[str, Any], ...]:
    try:
        return tuple([{"url": page.text("url"), "title": page.text("title")} for page in wild.objects("paths")])
    except PayloadError as error:
        wild.odd(error)
        return ()


def _account(wild: Wild, expected: str) -> str:
    if expected and wild.members.get("accountId") is None:
        return expected
    account = read_identity(wild, "accountId")
    if expected and account != expected:
        raise PayloadError("accountId", f"the token belongs to account {expected}, this is from account {account}")
    return account


def _visitor(wild: Wild) -> dict[str, Any]:
    return {
        "id": wild.text("id"),
        "name": wild.text("name"),
        "email": wild.text("email"),
        "note": wild.text("note"),
        "group": wild.text("group" if "group" in wild else "groupKey"),
        "ip_address": wild.text("ipAddress"),
        "city": wild.text("city"),
        "country_code": wild.text("countryCode"),
        "country": wild.text("country"),
        "user_agent": wild.text("userAgent"),
        "platform": wild.text("platform"),
        "referer": wild.text("referer"),
        "variables": read_variables(wild),
    }


def _message(wild: Wild) -> dict[str, Any]:
    return {
        "type": wild.text("type"),
        "name": wild.text("name"),
        "sender": _sender(wild.text("from")),
        "content": wild.words("content"),
        "sent_at": wild.time("sentAt"),
        "triggered_by": wild.text("triggeredBy"),
    }


def _sender(sender: str) -> str:
    """Today's spelling of `from`, whichever was sent."""
    if not sender:
        return "system"
    if sender == "system" or ":" in sender:
        return sender
    return f"agent:{sender}" if sender.isdecimal() else f"visitor:{sender}"
