"""The admin's password: made, judged, hashed."""

from __future__ import annotations

import secrets
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

#: Characters.
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000

# Without l, o, 0, 1 and capitals: read aloud and typed without doubt.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@cache
def _nobody() -> str:
    """Compared with when there is no password, so that this takes as long as when there is one."""
    return generate_password_hash(secrets.token_hex())


def generate() -> str:
    """100 random bits, in groups."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def problem(password: str) -> str:
    """What is wrong with a password, or ""."""
    if len(password) < SHORTEST_PASSWORD:
        return f"a password needs at least {SHORTEST_PASSWORD} characters; --generate makes one"
    if len(password) > LONGEST_PASSWORD:
        return f"a password has at most {LONGEST_PASSWORD} characters"
    if len(set(password)) < 5:
        return "a password needs at least 5 different characters"
    return ""


def hashed(password: str) -> str:
    return generate_password_hash(password)


def matches(kept: str, password: str) -> bool:
    """`kept` is a hash, or "" where no password has been set: then it never matches."""
    return check_password_hash(kept or _nobody(), password[: LONGEST_PASSWORD + 1]) and bool(kept)
