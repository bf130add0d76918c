"""What Smartsupp's signed webhooks say: `event_callback`, and which conversation something happened to.

Source: https://docs.smartsupp.com/rest-api/webhooks/, and the code of others who receive them. What is not understood
is left; the conversation's id must be there, or the error names the path.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from core.errors import PayloadError
from core.smartsupp.api.spelling import snaked
from core.smartsupp.fields import read_identity
from core.smartsupp.json_reader import Wild
from core.smartsupp.parser import read_json

#: The signature: HMAC-SHA256 of the raw body, in hexadecimal digits.
SIGNATURE = "X-Smartsupp-Hmac"
_DIGEST = re.compile(r"(?:sha256=)?([0-9A-Fa-f]{64})")

#: A conversation has come to an end, or was rated afterwards: it is fetched.
_ENDS = frozenset({"closed", "closed_by_contact", "rated"})
#: Somebody wrote. It is of use where the conversation had ended before: what is kept of it is no longer all.
_GOES_ON = frozenset({"contact_replied", "agent_replied", "bot_replied"})


@dataclass(frozen=True)
class WebhookEvent:
    """`conversation` is its id in the API, "" for an event about something else. `ends`: it is to be fetched;
    `goes_on`: it is where it ended before; neither: it changes nothing that is kept."""

    name: str
    conversation: str = ""
    ends: bool = False
    goes_on: bool = False


def signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether a body was signed with a secret, in a time that does not tell how much of the signature was right."""
    found = _DIGEST.fullmatch(signature.strip())
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, found[1].lower() if found else "")


def read_event(body: bytes) -> WebhookEvent:
    """Raises PayloadError."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise PayloadError("", "no webhook of Smartsupp's: expected a JSON object with 'event'")
    wild = Wild(snaked(value))
    name = wild.text("event")
    if not name:
        raise PayloadError("event", "no webhook of Smartsupp's: expected the name of an event, got nothing")
    subject, _, what = name.partition(".")
    ends, goes_on = what in _ENDS, what in _GOES_ON
    if subject != "conversation" or not (ends or goes_on):
        return WebhookEvent(name)
    return WebhookEvent(name, _conversation(wild, ends), ends, goes_on)


def _conversation(wild: Wild, ends: bool) -> str:
    """Its id, wherever it stands: that is documented nowhere. What ends a conversation may have it as `data` itself; of
    a message, `data.id` would be the message's."""
    data = wild.object("data")
    if isinstance(data.members.get("conversation"), str):
        return read_identity(data, "conversation")
    inner, message = data.object("conversation"), data.object("message")
    places = [(inner, "id"), *((place, key) for place in (data, message) for key in ("conversation_id", "chat_id"))]
    for place, key in [*places, *([(data, "id")] if ends else [])]:
        if place.members.get(key) is not None:
            return read_identity(place, key)
    raise inner.expected("id", "the id of a conversation")
