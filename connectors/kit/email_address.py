"""The email address in what a visitor typed, without what stuck to it.

Strict about whose address it is: what could be read in two ways is not an address, and the chat comes without a person.
"""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import unquote

from email_validator import EmailNotValidError, validate_email

#: Characters that are looked at: far more than any address has.
_LONGEST = 2_000

#: Full-width ASCII, and other ways to write the two signs of an address.
_LOOK_ALIKES = {0xFF01 + n: chr(0x21 + n) for n in range(94)}
_LOOK_ALIKES |= dict.fromkeys(map(ord, "。｡․﹒"), ".") | {ord("﹫"): "@"}
#: Invisible, although Unicode counts them among letters and marks: fillers, joiners, variation selectors.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd]")

_QUOTES = '"`´‘’“”„«»‹›「」『』【】〈〉《》'
_BRACKETS = r"<>()\[\]{}"
#: One side of an address: without what stands between it and other things.
_SIDE = rf"[^\s{_BRACKETS}{_QUOTES},;:|\\@]+"
#: In brackets or quotation marks, or behind "mailto:" or "email:".
_FRAMED = re.compile(rf"(?:[<(\[{{{_QUOTES}]|\b(?:mailto|e-?mail)\s*[:=])\s*({_SIDE}@{_SIDE})", re.IGNORECASE)
#: All that there is, but for what sticks to it, and for what follows a comma or a bracket.
_ALONE = re.compile(
    rf"[\s{_BRACKETS}{_QUOTES},;:|\\.!?]*({_SIDE}@{_SIDE})\s*(?:[{_BRACKETS}{_QUOTES},;:|\\].*)?", re.DOTALL
)
#: A domain ends where something follows that no domain has.
_DOMAIN = re.compile(r"[^/?#&=!%*~'^$+|]+")


def email_in(text: str) -> str:
    """The address, its domain in ASCII (punycode) as every system takes it; "" when there is none or more than one way
    to read it."""
    plain = _plain(text[:_LONGEST])
    found = [one[1] for one in _FRAMED.finditer(plain)]
    if alone := _ALONE.fullmatch(plain):
        found.append(alone[1])
    return next(filter(None, map(_valid, found)), "")


def spellings(address: str) -> tuple[str, ...]:
    """An address of `email_in`, and the same one with its domain in the letters that people see, if that differs."""
    try:
        shown = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:  # a made-up one
        return (address,)
    return tuple(dict.fromkeys((address, shown)))


def _plain(text: str) -> str:
    """Without what markup and links put in place of a sign, without the invisible, and with the usual signs."""
    text = html.unescape(html.unescape(text))
    if "@" not in text or text.lower().lstrip().startswith("mailto:"):
        text = unquote(text)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text.translate(_LOOK_ALIKES)))
    # Controls, direction marks, zero-width spaces, surrogates, private use.
    seen = (" " if one.isspace() else one for one in text if one.isspace() or unicodedata.category(one)[0] != "C")
    text = " ".join("".join(seen).split())
    # "ann @ shop.example.com" can be read in one way only.
    return re.sub(" ?@ ?", "@", text) if text.count("@") == 1 and text.count(" ") <= 2 else text


def _valid(candidate: str) -> str:
    local, _, rest = candidate.partition("@")
    cut = _DOMAIN.match(rest)
    domain = re.sub(r"[\W_]+\Z", "", cut[0]) if cut else ""
    # An apostrophe that opens is a slip, or quotes; an asterisk may be the visitor's own unless another one closes.
    for sign in "'*_~":
        if local.startswith(sign) and (sign == "'" or sign in rest[len(domain) :]):
            local = local.lstrip(sign)
    try:
        found = validate_email(f"{local}@{domain}", check_deliverability=False)
    except EmailNotValidError:
        return ""
    return f"{found.local_part}@{found.ascii_domain}"
