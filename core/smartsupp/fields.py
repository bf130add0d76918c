"""What a hook's body and the answers of the API have in common: ids, and the variables of a shop's page."""

from __future__ import annotations

import re
from typing import Any

from core.errors import PayloadError
from core.smartsupp.json_reader import Wild, clean
from core.smartsupp.limits import check_items

# Ids become parts of Redis keys and of file names, so they are held to what Smartsupp sends (55039, co8Zk…):
# no separator, no dot in front.
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")


def read_identity(wild: Wild, key: str) -> str:
    """An id as text. Raises PayloadError."""
    value = wild.members.get(key)
    if isinstance(value, str | int) and not isinstance(value, bool) and _ID.fullmatch(str(value)):
        return str(value)
    raise wild.expected(key, "an id (letters, digits, '_', '-' and '.', at most 64 of them)")


def read_variables(wild: Wild) -> dict[str, Any]:
    """`{key: {label, value}}`, whichever of its forms was sent. Raises PayloadError."""
    check_items(wild.where("variables"), "variables", wild.members.get("variables"))
    try:
        variables = wild.object("variables")
    except PayloadError as error:
        wild.odd(error)
        return {}
    return {clean(key): _variable(variables, key) for key in variables.members}


def _variable(variables: Wild, key: str) -> dict[str, Any]:
    """`{label, value}`, either of which may be missing, or the flat value that newer widgets send."""
    value = variables.members[key]
    if isinstance(value, dict) and ("value" in value or "label" in value):
        wild = variables.object(key)
        return {"label": wild.text("label") or clean(key), "value": wild.scalar("value")}
    return {"label": clean(key), "value": variables.scalar(key)}
