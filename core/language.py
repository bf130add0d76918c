"""The one language of the configuration: Jinja, sandboxed, over the conversation.

A condition is an expression (`conversation.is_missed and visitor.country_code == "CZ"`), a wording is a template
(`Chat with {{ visitor.name }}`). Both are checked when the configuration is loaded: syntax, names and every
attribute of the conversation. What a visitor typed is data to them and is never evaluated.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from jinja2 import ChainableUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from core.conversation import Conversation, Visitor

#: What an expression may name, and the type behind each name.
NAMES: dict[str, type[BaseModel]] = {"conversation": Conversation, "visitor": Visitor}

# What the check below cannot know before the time (a variable that this visitor's page did not set) is empty, not
# an error: a typing mistake in a field's name was found when the configuration was loaded.
_environment = ImmutableSandboxedEnvironment(undefined=ChainableUndefined, autoescape=False, keep_trailing_newline=True)
for _toy in ("lipsum", "cycler", "joiner"):
    del _environment.globals[_toy]

Condition = Callable[[Conversation], bool]
Wording = Callable[[Conversation], str]


class LanguageError(ValueError):
    """An expression or a template that cannot work; the text says why and, where it can, what was meant."""


@lru_cache(maxsize=1024)
def condition(source: str) -> Condition:
    """Compile an expression. Raises LanguageError here for what is wrong with it, not when a conversation comes."""
    try:
        # An expression is parsed as the only output of a template, which is how Jinja itself compiles one.
        _check(_environment.parse("{{ (" + source + "\n) }}"))
        expression = _environment.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise LanguageError(f"not an expression: {error.message}") from None

    return lambda conversation: bool(_run(lambda: expression(**_names(conversation))))


@lru_cache(maxsize=1024)
def wording(source: str) -> Wording:
    """Compile a template. Raises LanguageError here for what is wrong with it, not when a conversation comes."""
    try:
        _check(_environment.parse(source))
        template = _environment.from_string(source)
    except TemplateSyntaxError as error:
        raise LanguageError(f"line {error.lineno}: {error.message}") from None
    return lambda conversation: str(_run(lambda: template.render(_names(conversation))))


def _run(evaluate: Callable[[], Any]) -> Any:
    try:
        return evaluate()
    except (TemplateError, TypeError, ValueError, ArithmeticError, OverflowError, MemoryError) as error:
        raise LanguageError(f"{type(error).__name__}: {error}") from None


def _names(conversation: Conversation) -> dict[str, Any]:
    return {"conversation": conversation, "visitor": conversation.visitor}


def _check(template: nodes.Template) -> None:
    """Refuse names that do not exist and attributes that the conversation does not have."""
    types_of: dict[str, Any] = dict(NAMES)
    for name in template.find_all(nodes.Name):
        if name.ctx in ("store", "param"):
            types_of.setdefault(name.name, None)
    for loop in template.find_all(nodes.For):
        items = _type_of(loop.iter, types_of)
        if isinstance(loop.target, nodes.Name) and get_origin(items) is tuple:
            types_of[loop.target.name] = get_args(items)[0]
    known = {*types_of, *_environment.globals, "loop"}
    for name in template.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in known:
            raise LanguageError(f"'{name.name}' is not known{_meant(name.name, known)}")
    for access in template.find_all((nodes.Getattr, nodes.Getitem)):
        _type_of(access, types_of)


def _type_of(node: nodes.Node, types_of: dict[str, Any]) -> Any:
    """The type of `conversation.visitor.name` and its like, or None where it cannot be told before the time."""
    if isinstance(node, nodes.Name):
        return types_of.get(node.name)
    if isinstance(node, nodes.Getattr):
        owner, name = _type_of(node.node, types_of), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        owner, name = _type_of(node.node, types_of), node.arg.value
    else:
        return None
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        if name not in owner.model_fields:
            raise LanguageError(f"{owner.__name__} has no '{name}'{_meant(str(name), owner.model_fields)}")
        return _plain(owner.model_fields[name].annotation)
    if get_origin(owner) is tuple and isinstance(name, int):
        return get_args(owner)[0]
    if get_origin(owner) is dict:
        return get_args(owner)[1]
    if owner in (str, int, bool, datetime) and isinstance(name, str) and not hasattr(owner, name):
        raise LanguageError(f"{owner.__name__} has no '{name}'{_meant(name, dir(owner))}")
    return None


def _plain(annotation: Any) -> Any:
    """The type without its `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        some = [argument for argument in get_args(annotation) if argument is not type(None)]
        return some[0] if len(some) == 1 else None
    return annotation


def _meant(name: str, known: Iterable[str]) -> str:
    public = sorted(one for one in known if not one.startswith("_"))
    near = difflib.get_close_matches(name, public, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(public)}"
