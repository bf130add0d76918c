"""The same language over further names, for requests that are written in the configuration.

What may be named, and of which type each name is, is known when the configuration is loaded; so a name that does not
exist is found then. A text that is one expression alone, such as `{{ ticket.id }}`, keeps the type of its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jinja2 import TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import UndefinedError

from core.templates.language import NAMES, LanguageError, check, computed, given, jinja, wanted_by
from core.templates.sandbox import bounded, joined
from core.templates.syntax_mistakes import foreign, of_condition, of_template

#: What a name stands for while one conversation is worked on; under CHAT, which no template can name, its values.
Names = Mapping[str, Any]
CHAT = "the chat"

_SIGNS = re.compile(r"\{\{|\{%|\{#")


def _in_address(value: Any) -> str:
    text = "" if value is None or isinstance(value, Undefined) else str(value)
    if not text or not text.strip("."):
        # It would be another address: that of the whole list, or one further up.
        raise UndefinedError("a value in the address is empty")
    return quote(text, safe="")


_address = jinja.overlay(finalize=_in_address)


def is_template(source: str) -> bool:
    return bool(_SIGNS.search(source))


class Scope:
    """`extras` are the names besides conversation and visitor, with their types; None where one cannot be told."""

    def __init__(self, extras: Mapping[str, Any], *, chat: bool = True) -> None:
        """Without `chat` there is no conversation: for what is worked out when the configuration is loaded."""
        #: For what stands in it once for each of several, and may name that one.
        self.each: Scope | None = None
        self._extras = tuple(extras.items())
        self._chat = chat

    def text(self, source: str) -> Callable[[Names], str]:
        """A template. Raises LanguageError, here for what is wrong with it, later for what cannot be worked out."""
        return self._text(source, jinja)

    def address(self, source: str) -> Callable[[Names], str]:
        """The same, for a path: a value is written as an address writes it, and none may be empty."""
        return self._text(source, _address)

    def value(self, source: str) -> Callable[[Names], Any]:
        """The same; but what is one expression alone gives that expression's value, and None where it has none."""
        parsed = self._checked(source, jinja)
        output = parsed.body[0] if len(parsed.body) == 1 else None
        alone = output.nodes if isinstance(output, nodes.Output) else []
        if len(alone) != 1 or isinstance(alone[0], nodes.TemplateData):
            return _rendered(source, jinja)
        expression = _expression(source.strip()[2:-2].strip("-+ \n\t"))
        wanted = wanted_by(parsed)
        return lambda names: computed(lambda: expression(**_all(names, wanted)))

    def condition(self, source: str) -> Callable[[Names], bool]:
        """An expression that is true or not."""
        if (said := foreign(source)) and "{{" not in source and "null" in said:
            raise LanguageError(said)
        try:
            parsed = _right("{{ (" + source + "\n) }}", jinja, self._extras, self._chat)
            expression = _expression(source, undefined_to_none=False)
        except TemplateSyntaxError as error:
            raise LanguageError(of_condition(source, error)) from None
        wanted = wanted_by(parsed)
        return lambda names: bool(computed(lambda: expression(**_all(names, wanted))))

    def _text(self, source: str, language: Any) -> Callable[[Names], str]:
        self._checked(source, language)
        return _rendered(source, language)

    def _checked(self, source: str, language: Any) -> nodes.Template:
        try:
            return _right(source, language, self._extras, self._chat)
        except TemplateSyntaxError as error:
            raise LanguageError(of_template(error)) from None


# A configuration that is loaded again, and each connector of one recipe, takes what is there: to make a recipe ready
# costs a fifth then.
@lru_cache(maxsize=8192)
def _right(source: str, language: Any, extras: tuple[tuple[str, Any], ...], chat: bool) -> nodes.Template:
    """A template in which everything that is named exists. Raises TemplateSyntaxError, LanguageError."""
    parsed = _parsed(source, language)
    if not chat:
        for name in parsed.find_all(nodes.Name):
            if name.name in NAMES:
                raise LanguageError(f"'{name.name}' cannot be named here: this is the same for every chat")
    check(parsed, dict(extras))
    return parsed


@lru_cache(maxsize=4096)
def _parsed(source: str, language: Any) -> nodes.Template:
    """Only to be looked at: everybody has the same. Raises TemplateSyntaxError."""
    parsed: nodes.Template = language.parse(source)
    return parsed


@lru_cache(maxsize=4096)
def _rendered(source: str, language: Any) -> Callable[[Names], str]:
    # Parsed once more, as `bounded` changes what it is given.
    parsed = language.parse(source)
    wanted, template = wanted_by(parsed), language.from_string(bounded(parsed))
    return lambda names: str(computed(lambda: joined(template.generate(_all(names, wanted)))))


@lru_cache(maxsize=4096)
def _expression(source: str, *, undefined_to_none: bool = True) -> Callable[..., Any]:
    found: Callable[..., Any] = jinja.compile_expression(source, undefined_to_none=undefined_to_none)
    return found


def _all(names: Names, wanted: Sequence[str]) -> dict[str, Any]:
    """The names, and what those of a chat stand for, where there is one."""
    values = names.get(CHAT)
    return {**(given(values, wanted) if values is not None else {}), **names}
