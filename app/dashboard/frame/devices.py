"""Browsers that an admin has used before: a signed cookie of their own, which lets nobody in. It only gives a browser a
bucket of its own for the log-in, so that strangers who guess passwords keep out strangers."""

from __future__ import annotations

import hashlib
import secrets

from flask import Request, g
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

#: Seconds after the last log-in for which a browser is known.
_LIFE = 180 * 24 * 3600


def device_name(request: Request, secret: str) -> str:
    """The name that this browser was given at a log-in, or ""."""
    cookie = request.cookies.get(_cookie())
    if not cookie:
        return ""
    try:
        return str(_signer(secret).loads(cookie, max_age=_LIFE))
    except BadSignature:
        return ""


def remember(response: Response, request: Request, secret: str) -> None:
    """Know this browser again. A new password makes all browsers strangers."""
    name = device_name(request, secret) or secrets.token_urlsafe(16)
    response.set_cookie(
        _cookie(), str(_signer(secret).dumps(name)), _LIFE, secure=g.secure, httponly=True, samesite="Strict"
    )


def _cookie() -> str:
    return "__Host-relay-device" if g.secure else "relay-device"


def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="relay device", signer_kwargs={"digest_method": hashlib.sha256})
