"""What was fetched of one conversation, and the body that it is kept as.

The body has the API's own answers under a name of ours each, so that a later version can read more out of them. Left
out is what changes without anybody saying anything (when a visitor was last seen), and what says nothing: so fetching
an unchanged conversation again gives the same bytes, which the store knows for a duplicate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.smartsupp.api.spelling import snaked

#: The member that tells this body from a hook's, and the form of the rest.
FORM = "relay"
FORM_NAME = "smartsupp-api/1"

#: Members that change by themselves, and pictures of people. In whichever object they stand.
_RESTLESS = frozenset(
    {
        *("avatar", "chats_count", "connected_at", "last_activity", "last_login", "last_message", "last_seen_at"),
        *("page_title", "page_url", "read_info", "served_by", "thumb400", "unread_info", "updated_at", "views_count"),
        *("visits_count", "identity_id", "chat_id", "delivered_at", "delivery_status"),
    }
)
#: What is known of an agent that a chat needs.
_OF_AGENTS = ("id", "email", "fullname", "nickname")


@dataclass(frozen=True)
class FetchedConversation:
    """The answers, with their keys in snake case. `contact` and `visitor` are None where they could not be had: they
    were deleted, or are not for this token. `lacking` says which, and why, for people."""

    conversation: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]]
    paths: Sequence[Mapping[str, Any]] = ()
    contact: Mapping[str, Any] | None = None
    visitor: Mapping[str, Any] | None = None
    agents: Sequence[Mapping[str, Any]] = ()
    lacking: Sequence[str] = field(default=(), compare=False)

    @property
    def id(self) -> str:
        return str(self.conversation.get("id", ""))


def as_body(fetched: FetchedConversation, account: str = "") -> bytes:
    """The body to keep. `account` is Smartsupp's number of the account, which its API does not mention."""
    took_part = _took_part(fetched)
    agents = [
        {name: agent.get(name) for name in _OF_AGENTS}
        for agent in sorted(fetched.agents, key=lambda one: str(one.get("id")))
        if str(agent.get("id")) in took_part
    ]
    parts: dict[str, Any] = {
        "conversation": {name: value for name, value in fetched.conversation.items() if name not in _INSIDE},
        "messages": list(fetched.messages),
        "paths": list(fetched.paths),
        "contact": fetched.contact,
        "visitor": fetched.visitor,
        "agents": agents,
    }
    about = {"form": FORM_NAME, **({"account": account} if account else {})}
    kept = {FORM: about, **{name: _told(snaked(value)) for name, value in parts.items() if value}}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


#: What stands beside the conversation, as it may be fetched in another request.
_INSIDE = ("messages", "paths", "contact_details", "visitor_details")


def _took_part(fetched: FetchedConversation) -> set[str]:
    """Ids of the agents who are named anywhere in it."""
    named = [*fetched.conversation.get("agent_ids", ()), *fetched.conversation.get("assigned_ids", ())]
    return {str(one) for one in [*named, *(message.get("agent_id") for message in fetched.messages)] if one is not None}


def _told(value: Any) -> Any:
    """What says something."""
    if isinstance(value, list):
        return [_told(one) for one in value]
    if not isinstance(value, dict):
        return value
    told = {
        name: inner if name == "variables" else _told(inner) for name, inner in value.items() if name not in _RESTLESS
    }
    return {name: inner for name, inner in told.items() if inner is not None and inner not in ([], {}, "")}


def is_fetched(body: bytes) -> bool:
    """Whether a body is of this form, and not a hook's: without reading it."""
    return body.lstrip()[:12].replace(b" ", b"").startswith(b'{"relay":')


def lasting(body: bytes) -> bytes:
    """What decides whether a body is there already. The API signs the address of a file anew for whoever asks: that is
    no news of the chat. Any other body is what it is."""
    if not is_fetched(body) or b'"file_' not in body:
        return body
    try:
        return json.dumps(_without_addresses(json.loads(body))).encode()
    except (ValueError, RecursionError):  # it will be quarantined as it is
        return body


#: Members of a file that are signed, or run out.
_FLEETING = frozenset({"url", "expire_at", "expires_at"})


def _without_addresses(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_addresses(one) for one in value]
    if not isinstance(value, dict):
        return value
    is_file = "file_name" in value or "file_type" in value
    return {name: _without_addresses(inner) for name, inner in value.items() if not (is_file and name in _FLEETING)}
