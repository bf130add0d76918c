"""Jinja's sandbox with bounds: a template may neither reach out, nor take long, nor grow without end.

The sandbox keeps templates away from Python. These bounds are for an admin's mistake, such as a loop in a loop over a
long chat: it becomes an error of that one conversation, and holds nobody else up.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import ChainableUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

#: Turns of loops in one evaluation. A call costs five, and one more for every 1,000 characters that it makes.
STEPS = 200_000
#: Characters, or items, of what is made by multiplying, and of what an evaluation may return.
_LONGEST = 10_000_000
#: The largest number that one of _SIZED is given: they make something as long as that.
LARGEST = 10_000
_SIZED = frozenset(("center", "ljust", "rjust", "zfill", "expandtabs", "indent", "batch", "slice"))

#: No author of a template can write it: names that begin with "_" are no filter's.
_METER = "_metered"
#: `%9999999d`, `{:>9999999}`, and widths that are only known when it runs.
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{5}|\*)|\{[^{}]*(?:\d{5}|\{)")

_evaluation = threading.local()


class Sandbox(ImmutableSandboxedEnvironment):
    # Not worked out while a template is compiled, either.
    intercepted_binops = frozenset(("*", "%"))

    def __init__(self, **options: Any) -> None:
        # What is missing is empty, not an error (core/templates/language.py finds typing mistakes).
        super().__init__(undefined=ChainableUndefined, keep_trailing_newline=True, finalize=_shown, **options)
        for toy in ("lipsum", "cycler", "joiner"):
            del self.globals[toy]
        self.filters = {name: _guarded(name, use) for name, use in self.filters.items()}
        self.filters[_METER] = _metered

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of the conversation only its fields: pydantic's own methods read files and pickles."""
        if isinstance(obj, BaseModel):
            return attr in type(obj).model_fields
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for text, other in ((left, right), (right, left)):
            if operator == "*" and isinstance(other, int) and isinstance(text, str | list | tuple):
                _within(len(text) * other)
        if operator == "%" and isinstance(left, str):
            _narrow(left)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        use = super().wrap_str_format(value)
        if use is None:
            return None

        def narrow(*args: Any, **kwargs: Any) -> str:
            _narrow(value.__self__)
            return use(*args, **kwargs)

        return narrow

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # Jinja's
        text = getattr(__obj, "__self__", None)
        name = __obj.__name__ if isinstance(text, str) else ""
        return _checked(
            name, (*args, *kwargs.values()), lambda: super(Sandbox, __self).call(__context, __obj, *args, **kwargs)
        )


def _shown(value: Any) -> Any:
    """A number or a time that is not known is empty, as a text is: "None" is no word for people."""
    return "" if value is None else value


def bounded(template: nodes.Template) -> nodes.Template:
    """The same, with its loops counted."""
    for loop in template.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _METER, [], [], None, None, lineno=loop.lineno)
    return template


def evaluated(evaluate: Callable[[], Any]) -> Any:
    """What `evaluate` returns, if it needs no more than STEPS. Raises SecurityError, and whatever it raises."""
    _evaluation.left = STEPS
    return evaluate()


def joined(parts: Iterable[str]) -> str:
    """Raises SecurityError when they are too long together."""
    found, length = [], 0
    for part in parts:
        length += len(part)
        _within(length)
        found.append(part)
    return "".join(found)


def _guarded(name: str, use: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(use)  # with Jinja's marks for what it passes
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if name == "format":
            _narrow(str(args[0]))
        return _checked(name, (*args, *kwargs.values()), lambda: use(*args, **kwargs))

    return guarded


def _checked(name: str, given: Iterable[Any], use: Callable[[], Any]) -> Any:
    if name in _SIZED and any(isinstance(value, int) and abs(value) > LARGEST for value in given):
        raise SecurityError(f"{name} takes numbers up to {LARGEST}")
    _spend(5)
    found = use()
    if isinstance(found, str):
        _spend(len(found) // 1000)
    return found


def _metered(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _spend(1)
        yield item


def _spend(steps: int) -> None:
    # While a template is compiled, Jinja tries what is constant in it.
    _evaluation.left = getattr(_evaluation, "left", STEPS) - steps
    if _evaluation.left < 0:
        raise SecurityError(f"it takes more than {STEPS} steps")


def _narrow(text: str) -> None:
    if _WIDE.search(text):
        raise SecurityError("a width of more than four digits, or one that is not written out")


def _within(length: int) -> None:
    if length > _LONGEST:
        raise SecurityError(f"it is longer than {_LONGEST} characters")
