"""Sentences for people that a face can say in another language.

A sentence is its English text, which logs, the command line and JSON use like any other; and it remembers the text with
its values apart, so that the dashboard finds it in a catalogue of gettext (app/dashboard/language). Nothing else knows
of languages. Values are written as `%(name)s`, which gettext's tools check; a percent sign is `%%`. A whole number is
spelled with separators, so an id is given as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Sentence(str):
    """`forms`: the text for one, and for several where it counts something; or none, where it is made of `parts`, with
    `between` between them."""

    forms: tuple[str, ...] = ()
    number: int = 1
    values: Mapping[str, Any] = {}
    parts: tuple[str, ...] = ()
    between: str = " "


def say(text: str, /, **values: Any) -> str:
    """A sentence with its values, which may be sentences themselves."""
    return _made((text,), 1, values)


def say_n(one: str, many: str, count: int, /, **values: Any) -> str:
    """A sentence about a number of things: it is `%(count)s` in the text. Languages have up to four forms of it."""
    return _made((one, many), count, {"count": count, **values})


def say_all(*sentences: str, between: str = " ") -> str:
    """Several sentences, one after the other, or the entries of a list; those that are empty are left out."""
    parts = tuple(one for one in sentences if one)
    made = Sentence(between.join(parts))
    made.parts, made.between = parts, between
    return made


def constant(text: str) -> str:
    """A text that stands elsewhere in the code and that the catalogues have, as it is."""
    return say(text.replace("%", "%%")) if text else Sentence()


def to_be_said(text: str) -> str:
    """Marks a text for the catalogues, which `say` is given later."""
    return text


def to_be_counted(one: str, many: str) -> tuple[str, str]:
    """The same for `say_n`."""
    return one, many


def _made(forms: tuple[str, ...], count: int, values: Mapping[str, Any]) -> Sentence:
    text = forms[0] if len(forms) == 1 or count == 1 else forms[1]
    made = Sentence(text % {name: _spelled(value) for name, value in values.items()})
    made.forms, made.number, made.values = forms, count, values
    return made


def _spelled(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)
