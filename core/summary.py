"""What lists and searches need of a conversation, as one short line, so that no body has to be read for them.

Three lines in fact: tags (` missed rating:5 account:208 `), what a list shows as JSON, and the text that is searched,
folded. Pure.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass

from core.conversation import Conversation

#: Characters of what was said that a list shows.
_OPENING = 120
#: Characters of a name, an email or an id that are kept; longer ones are nobody's.
_LONGEST = 200


@dataclass(frozen=True)
class Summary:
    """What a list shows of a conversation. `rating` is 5 good, 3 normal, 1 bad or None; `began` is in ms or None."""

    name: str = ""
    email: str = ""
    visitor: str = ""
    country: str = ""
    opening: str = ""
    messages: int = 0
    began: int | None = None
    rating: int | None = None
    missed: bool = False
    offline: bool = False


_DEFAULTS = asdict(Summary())


def line(conversation: Conversation) -> bytes:
    """The line to keep of a conversation's newest revision."""
    visitor = conversation.visitor
    said = next((message.content for message in conversation.messages if message.type == "visitor"), "")
    shown = Summary(
        name=visitor.name[:_LONGEST],
        email=visitor.email[:_LONGEST],
        visitor=visitor.id[:_LONGEST],
        country=visitor.country_code[:8],
        opening=" ".join(said.split())[:_OPENING],
        messages=sum(1 for message in conversation.messages if message.type != "system"),
        began=round(conversation.begin_at.timestamp() * 1000) if conversation.begin_at else None,
        rating=conversation.rating,
        missed=conversation.is_missed,
        offline=conversation.is_offline,
    )
    tags = [tag for tag, on in (("missed", shown.missed), ("offline", shown.offline)) if on]
    tags += [f"rating:{shown.rating or 'none'}", f"account:{conversation.account}"]
    kept = {name: value for name, value in vars(shown).items() if value != _DEFAULTS[name]}
    searched = folded(" ".join((shown.name, shown.email, conversation.id, shown.visitor)))
    # ASCII: a lone surrogate can be escaped, not encoded.
    return f" {' '.join(tags)} \n{json.dumps(kept, separators=(',', ':'))}\n".encode() + searched


def summary_of(kept: bytes) -> Summary:
    """The summary of a line; an empty one for an empty line. What another version of ours kept besides is left out."""
    parts = kept.split(b"\n", 2)
    if len(parts) != 3:
        return Summary()
    return Summary(**{name: value for name, value in json.loads(parts[1]).items() if name in _DEFAULTS})


def bare(kept: bytes) -> bytes:
    """A line without what a visitor wrote or is known by, for a store whose bodies are sealed."""
    if not kept:
        return kept
    about = asdict(summary_of(kept)) | {"name": "", "email": "", "visitor": "", "opening": ""}
    return kept.split(b"\n", 1)[0] + b"\n" + json.dumps(about, separators=(",", ":")).encode() + b"\n"


def searched(kept: bytes) -> bytes:
    return kept.rpartition(b"\n")[2]


def folded(text: str) -> bytes:
    """Text without case, accents and line ends, as it is searched."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(plain.casefold().split()).encode("utf-8", "replace")
