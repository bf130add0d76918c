"""Values that a model of the settings refuses: pydantic's findings as sentences.

What a value is, is only said of settings that hold no secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from core.config.mistakes.model import KeyPath, holds, keys_at, setting_at

_LIST = "must be a list: [one, another]"
_SETTINGS = "must be settings, one a line and indented: 'key: value'"
#: What a section was called in version 0.1 -> its name. Goes with 0.3.
RENAMED = {"notices": "alerts"}
SECTIONS = (
    *("tokens", "source", "connectors", "routes", "retention", "alerts"),
    *("agents", "country", "variables", "extract", "redact", "business_hours"),
    *RENAMED,
)
SECTION = "is a section of its own; move it to the left edge, level with 'connectors:'"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_IN = {"second": 1.0, "minute": 60.0, "day": 86400.0}


class Refusal:
    """One finding of pydantic, and all that helps to say it well."""

    def __init__(self, detail: Mapping[str, Any], model: Any) -> None:
        self.kind, self.message = detail["type"], str(detail["msg"])
        self.context: Mapping[str, Any] = detail.get("ctx") or {}
        self.value = detail.get("input")
        self.path: KeyPath = tuple(detail["loc"])
        self.key = str(self.path[-1]) if self.path else ""
        self.field = setting_at(model, self.path)
        self.known = keys_at(model, self.path[:-1])
        self.secret = self.field is None or holds(self.field.annotation, SecretStr)

    @property
    def wanted(self) -> str:
        """What the setting is, in its own words."""
        text = self.field.description if self.field and self.field.description else ""
        return f" ({text.rstrip('.')})" if text else ""

    @property
    def nullable(self) -> bool:
        return self.field is not None and type(None) in get_args(self.field.annotation)


def _text(it: Refusal) -> str:
    if it.value is None:
        return EMPTY_SECRET if it.secret and it.field else "is empty; type a value, or remove the line"
    return "must be text; put it in quotes"


#: Also said of a secret that is "" or blank, in core/config/environment.py.
EMPTY_SECRET = "is empty; type the secret, or ${NAME}, ${file:/path} or ${secret:NAME}"  # noqa: S105


def _number(it: Refusal) -> str:
    whole = "a whole number" if it.field and holds(it.field.annotation, int) else "a number"
    if it.value is None:
        return f"is empty; type {whole}, or remove the line"
    if isinstance(it.value, bool) or str(it.value).strip().lower() in ("never", "none", "unlimited", "nan", "inf"):
        return _never(it, f"must be {whole}")
    text = "" if it.secret else str(it.value).strip()
    if found := re.fullmatch(r"([\d.,_]+) *(?:/|per) *(s|m|h)\w*", text):
        each = float(found[1].replace(",", ".").strip("._") or 0) / _SECONDS[found[2]]
        return f"must be {whole} without a unit{it.wanted}; write {each:.4g}"
    if found := re.fullmatch(r"(\d+(?:[.,]\d+)?) *(ms|s|m|h|d)[a-z]*", text):
        unit = next((size for word, size in _IN.items() if word in it.wanted.lower()), None)
        amount = float(found[1].replace(",", "."))
        write = f"{amount * _SECONDS[found[2]] / unit:.4g}" if unit else found[1]
        return f"must be {whole} without a unit{it.wanted}; write {write}"
    if re.fullmatch(r"\d+,\d+", text):
        return f"must be {whole}; write {text.replace(',', '.')}"
    return f"must be {whole}, such as 5{it.wanted}"


def _never(it: Refusal, otherwise: str) -> str:
    return f"{otherwise}; for never, or no limit, write null" if it.nullable else otherwise


def _limit(words: str, name: str) -> Callable[[Refusal], str]:
    def said(it: Refusal) -> str:
        text = f"must be {words} {it.context[name]:g}{it.wanted}"
        return _never(it, text) if name == "gt" else text

    return said


def _pattern(it: Refusal) -> str:
    """What of an address, or in which case, would be right is worked out from the pattern itself."""
    value, pattern = "" if it.secret else str(it.value).strip(), str(it.context.get("pattern", ""))
    whole = _is_plain(value) and ("." in value or "//" in value)
    host = urlsplit(value if "//" in value else f"//{value}").netloc if whole else ""
    for candidate in (host.partition(".")[0].lower(), value.lower(), value.partition("@")[0].lower()):
        if candidate and candidate != value and re.search(pattern, candidate):
            return f'write only "{candidate}"' + (", not the whole address" if "." in value or "/" in value else "")
    return f"is not in the right form{it.wanted}"


def _url(it: Refusal) -> str:
    value = "" if it.secret else str(it.value).strip()
    if _is_plain(value) and "://" not in value and "." in value and not value.startswith("/"):
        return f"must begin with https://; write https://{value}"
    return "must be a whole address that begins with https://"


def _is_plain(value: str) -> bool:
    """Whether a text is an address without anything in it that may be secret."""
    return bool(re.fullmatch(r"(?:https?://)?[\w.:-]+(?:/[\w./-]*)?", value)) and len(value) <= 253


def _network(it: Refusal) -> str:
    return network_mistake("" if it.secret else str(it.value))


def network_mistake(text: str) -> str:
    """What to write instead of a text that is no network."""
    try:
        return f"has the address of a single machine before the /; write {ip_network(text.strip(), strict=False)}"
    except ValueError:
        return "must be an address or a network in numbers, such as 10.0.0.7 or 10.0.0.0/8"


def _list(it: Refusal) -> str:
    inside = get_args(it.field.annotation) if it.field else ()
    plain = isinstance(it.value, str) and _is_plain(it.value) and not any(holds(one, BaseModel) for one in inside)
    if it.value is None:
        return "is empty; write a list below it, one entry a line: '- …', or remove the line"
    if isinstance(it.value, dict):
        return "must be a list; write '- ' in front of its first setting, and indent the others as far"
    return f"must be a list: [{it.value}]" if plain and not it.secret else _LIST


def _mapping(it: Refusal) -> str:
    if it.value is None:
        return "is empty; write its settings below it, indented, or remove the line"
    if it.path[-1:] and isinstance(it.path[-1], int) and it.known:  # an item of a list
        return f"must be settings; write '- {it.known[0]}: …'"
    if len(it.path) == 2 and it.key in SECTIONS:
        return SECTION
    if isinstance(it.value, list):
        return f"{_SETTINGS}; remove the dashes"
    if isinstance(it.value, str) and ":" in it.value:
        return f"{_SETTINGS}, with a space after the colon"
    return _SETTINGS


def _choice(it: Refusal) -> str:
    choices = re.findall(r"'([^']*)'", str(it.context.get("expected", "")))
    near = difflib.get_close_matches(str(it.value).lower(), choices, n=1)
    meant = f". Did you mean '{near[0]}'?" if near else ""
    text = f"must be one of: {', '.join(choices)}{meant}"
    return f"{text}; or null" if it.nullable and not near else text


def _unknown(it: Refusal) -> str:
    if it.key != it.key.strip() or not it.key.isprintable():
        return "there is an invisible character in its name; type it again"
    connector = isinstance(it.value, Mapping) and "type" in it.value
    if connector and "connectors" in it.known:
        return "unknown setting. Did you mean to indent it under connectors:?"
    if connector:
        return "unknown setting. Is it a connector of its own? Then indent it as far as the name of this one"
    if it.key in SECTIONS:
        return SECTION
    near = did_you_mean(it.key, it.known)
    return (
        f"unknown setting{near}"
        if near
        else f"unknown setting; available: {', '.join(sorted({*it.known} - {*RENAMED}))}"
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`. Did you mean …?`, or "" where nothing is like it."""
    names = list(known)
    word = name.lower().strip()
    near = [one for one in names if word and len(word) > 2 and (word in one.split("_") or word == one)]
    near = near or difflib.get_close_matches(word, names, n=1)
    return f". Did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


def _own(it: Refusal) -> str:
    return it.message.removeprefix("Value error, ")


def _other(it: Refusal) -> str:
    return f"is not valid{it.wanted}"


#: pydantic's names for what it finds (https://docs.pydantic.dev/latest/errors/validation_errors/).
_VALUES: Mapping[str, str | Callable[[Refusal], str]] = {
    **dict.fromkeys(("string_type", "path_type", "secret_str_type"), _text),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), _list),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), _mapping),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _number),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number", "switch_for_number"), _number),
    **dict.fromkeys(("url_type", "url_parsing", "url_syntax_violation", "url_scheme", "url_too_long"), _url),
    **dict.fromkeys(("ip_any_network", "ip_v4_network", "ip_v6_network"), _network),
    "greater_than": _limit("above", "gt"),
    "greater_than_equal": _limit("at least", "ge"),
    "less_than": _limit("below", "lt"),
    "less_than_equal": _limit("at most", "le"),
    "literal_error": _choice,
    "enum": _choice,
    "extra_forbidden": _unknown,
    "missing": lambda it: f"is missing; add '{it.key}: …'{it.wanted}",
    "string_pattern_mismatch": _pattern,
    "string_too_long": lambda it: f"must have at most {it.context['max_length']} characters",
    "string_too_short": "is empty; type a value, or remove the line",
    "too_short": "is empty; name at least one",
    "too_long": lambda it: f"has more than {it.context['max_length']} entries",
    "value_error": _own,
}


def value_mistakes(error: ValidationError, model: Any, values: Any) -> Iterable[tuple[KeyPath, str]]:
    """The path below `values`, and the sentence, for everything that a model refuses; each path once."""
    said: dict[KeyPath, str] = {}
    for detail in error.errors(include_url=False):
        it = Refusal(detail, model)
        if it.kind == "too_short" and it.value:
            continue  # its entries are wrong, and are said themselves
        sentence = _VALUES.get(it.kind, _other)
        path = it.path if it.kind == "missing" else _there(it.path, values)
        said.setdefault(path, sentence if isinstance(sentence, str) else sentence(it))
    return said.items()


def _there(path: KeyPath, values: Any) -> KeyPath:
    """As much of a path as the file has: pydantic adds which type of several it tried."""
    found: KeyPath = ()
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
        found = (*found, part)
    return found
