"""What is wrong with a condition or a template, in plain words: Jinja's and Python's findings as what to type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError

_TEXTS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")

#: What other languages have, looked for outside of texts in quotes.
_FOREIGN: Sequence[tuple[str, str]] = (
    (r"\{\{|\}\}|\{%", "write the condition alone, without {{ }}"),
    (r"&&", "write 'and' instead of &&"),
    (r"\|\|", "write 'or' instead of ||"),
    (r"!(?!=)", "write 'not' instead of !"),
    (r"===|!==", "use == to compare, and != for not equal"),
    (r"<>", "write != instead of <>"),
    (r"(?<![=!<>~])=(?!=)", "use == to compare"),
    (r"\bis\s+(not\s+)?null\b", "write 'is none' instead of 'is null'"),
    (r"\bAND\b|\bOR\b|\bNOT\b|\bIN\b", "use lower case: and, or, not, in"),
    (r"(?i)\bcontains\b|\blike\b", 'write "text" in visitor.name to look for a part of it'),
    (r"\b\d+(?:ms|s|m|h|d)\b", "write a number without a unit; durations are in seconds"),
)
_SHORT = re.compile(r"unexpected '[)}]'|end of (template|print statement)")


def foreign(source: str) -> str:
    """What is written in another language than this, or ""."""
    code = _TEXTS.sub("''", source)
    return next((text for pattern, text in _FOREIGN if re.search(pattern, code)), "")


def of_condition(source: str, error: TemplateSyntaxError) -> str:
    code, message = _TEXTS.sub("''", source), str(error.message)
    opened = code.count("(") - code.count(")")
    got = re.search(r"got '([^']+)'", message)
    causes: Sequence[tuple[object, str]] = (
        (not source.strip(), "the condition is empty; remove it, and the route takes every chat"),
        (foreign(source), foreign(source)),
        (re.search("['\"]", code.replace("''", "")), "a quote in the condition is never closed"),
        (opened > 0, "a ( in the condition is never closed"),
        (opened < 0, "the condition has a ) too many"),
        (_SHORT.search(message), "the condition ends too early; something is missing at its end"),
        (got, f"the condition cannot be read at '{got and got[1]}'; join two conditions with 'and' or 'or'"),
    )
    usual = 'the condition cannot be read; it looks like: conversation.is_missed and visitor.country_code == "CZ"'
    return next((text for found, text in causes if found), usual)


def of_template(error: TemplateSyntaxError) -> str:
    message = str(error.message)
    place = f"line {error.lineno}: " if error.lineno else ""
    if found := re.search(r"The innermost block that needs to be closed is '(\w+)'", message):
        return f"{place}{{% {found[1]} %}} is never closed; add {{% end{found[1]} %}}"
    if found := re.search(r"[Uu]nknown tag '(\w+)'", message):
        return f"{place}there is no {{% {found[1]} %}}"
    if "end of template" in message or "end of comment" in message or "end of raw" in message:
        return f"{place}a {{{{ or {{% that was opened is never closed"
    if "Expected an expression" in message:
        return f"{place}there is nothing between {{{{ and }}}}; name a field, such as {{{{ visitor.name }}}}"
    if found := re.search(r"got '([^']+)'|unexpected (?:char )?['\"]([^'\"]+)['\"]", message):
        return f"{place}what is between {{{{ and }}}} cannot be read at '{found[1] or found[2]}'"
    return f"{place}what is between {{{{ and }}}} cannot be read"


def of_evaluation(error: Exception) -> str:
    """Why something that was read could not be worked out for one conversation."""
    if isinstance(error, SecurityError | UndefinedError):
        return str(error.message or "it is out of reach")
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, TypeError):
        return "it joins or compares a number, a text and nothing as if they were one kind; try |default(0) or |string"
    return f"it cannot be worked out for this chat ({type(error).__name__})"
