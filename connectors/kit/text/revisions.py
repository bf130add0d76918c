"""What a destination that keeps old text has of a chat already, so that a revision adds only what is new."""

from __future__ import annotations

from connectors.kit.step import Receipt, Step
from core.conversation import Conversation
from core.errors import PayloadError
from core.smartsupp.parser import parse_conversation

_STEP = "told"


def told(step: Step, receipt: Receipt, record: object) -> Conversation | None:
    """The revision that a record has whole, or None: none yet, or nobody remembers which."""
    kept = step.recall(_STEP)
    if not isinstance(kept, dict) or kept.get("record") != str(record):
        return None
    found = next((one for one in receipt.history() if one.payload == kept.get("payload")), None)
    try:
        return parse_conversation(found.body, found.account) if found is not None else None
    except PayloadError:  # as another version of us read it
        return None


def tell(step: Step, receipt: Receipt, record: object) -> None:
    """The record has all of this revision."""
    step.keep(_STEP, {"record": str(record), "payload": str(receipt.revision.payload)})
