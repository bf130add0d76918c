"""Secrets that somebody typed into a form, on their way to its next page: in a hidden field, which only this relay can
read, for whoever typed them, and for an hour. The page shows them to nobody, nor does a copy of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import session

from app.dashboard.frame.forms import whose_hand
from app.dashboard.frame.sessions import Session

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_LIFE = 3600


def sealed(secrets: Mapping[str, str], purpose: str) -> str:
    """For a hidden field of a form; `purpose` says which form."""
    return _fernet(purpose).encrypt(json.dumps(dict(secrets)).encode()).decode() if secrets else ""


def opened(text: str, purpose: str) -> dict[str, str]:
    """What was sealed; nothing where that was too long ago, in another session or for another form."""
    from cryptography.fernet import InvalidToken

    try:
        found = json.loads(_fernet(purpose).decrypt(text.encode(), ttl=_LIFE))
    except (InvalidToken, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def form_mark(content: bytes, purpose: str) -> str:
    """Tells a content from any other, and gives nothing of it away."""
    return hmac.new(_key(purpose), content, hashlib.sha256).hexdigest()[:32]


def _fernet(purpose: str) -> Fernet:
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(_key(purpose)))


def _key(purpose: str) -> bytes:
    here: Session = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # as in login.py
    about = "\0".join(["form", whose_hand(), str(session.get("id", "")), purpose])
    return hmac.new(here.secret.encode(), about.encode(), hashlib.sha256).digest()
