"""What the forms of several pages ask for alike: why somebody does something, and who it is."""

from __future__ import annotations

from flask import request

from app.dashboard.frame.login import signed_in
from core.wording.sentence import say

#: Characters of a reason that are kept.
LONGEST_REASON = 200
NO_REASON = say("Nothing was discarded: enter a reason, it is kept with the delivery.")


def reason_given() -> str:
    """Of the form that was sent, on one line; or ""."""
    return " ".join(request.form.get("reason", "").split())[:LONGEST_REASON]


def whose_hand() -> str:
    """Who sent the form, for the records."""
    user = signed_in()
    return user.name if user else "admin"
