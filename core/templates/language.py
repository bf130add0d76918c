"""The one language of the configuration: Jinja, sandboxed, over the conversation and what is worked out of it.

A condition is an expression (`conversation.is_missed and visitor.country_code == "CZ"`), a wording is a template
(`Chat with {{ visitor.name }}`). Both are checked when the configuration is loaded: syntax, names and every
attribute of the conversation. What a visitor typed is data to them and is never evaluated.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from jinja2 import TemplateSyntaxError, nodes
from pydantic import AwareDatetime, BaseModel

from core.conversation import Conversation, Visitor
from core.templates.sandbox import Sandbox, bounded, evaluated, joined
from core.templates.syntax_mistakes import foreign, of_condition, of_evaluation, of_template
from core.values.chat import TYPES, Values

#: What has fields of its own.
_MODELS: dict[str, type[BaseModel]] = {"conversation": Conversation, "visitor": Visitor}

#: What an expression may name, and the type behind each name.
NAMES: Mapping[str, Any] = {**TYPES, **_MODELS}

jinja = Sandbox(autoescape=False)

# The same for templates whose result is HTML: every value in them is escaped.
_html = jinja.overlay(autoescape=True)

#: What a template may name besides: `title` (the kind in the connector's language), `name` (the visitor's name, else
#: email, else "a visitor"), `link` (the chat's page in the dashboard, or ""), `summary` and `transcript`.
EXTRAS = ("title", "name", "link", "summary", "transcript")

Condition = Callable[[Values], bool]
Wording = Callable[[Values, Mapping[str, str]], str]


class LanguageError(ValueError):
    """An expression or a template that cannot work; the text says why and, where it can, what was meant."""


@lru_cache(maxsize=1024)
def condition(source: str) -> Condition:
    """Compile an expression. Raises LanguageError here for what is wrong with it, not when a conversation comes."""
    if (said := foreign(source)) and "{{" not in source and "null" in said:
        raise LanguageError(said)
    try:
        # An expression is parsed as the only output of a template, which is how Jinja itself compiles one.
        parsed = jinja.parse("{{ (" + source + "\n) }}")
        check(parsed, {})
        expression = jinja.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise LanguageError(of_condition(source, error)) from None
    except RecursionError:
        raise LanguageError("the condition is nested too deeply") from None
    wanted = wanted_by(parsed)
    return lambda values: bool(computed(lambda: expression(**given(values, wanted))))


# More than any installation has: beyond it, every template would be compiled anew for each chat.
@lru_cache(maxsize=16_384)
def wording(source: str, *, html: bool = False) -> Wording:
    """Compile a template. Raises LanguageError here for what is wrong with it, not when a conversation comes.

    What it returns takes the values of a chat and the EXTRAS. With `html`, every value is escaped unless it is Markup.
    """
    language = _html if html else jinja
    try:
        parsed = language.parse(source)
        check(parsed, dict.fromkeys(EXTRAS, str))
        template = language.from_string(bounded(parsed))
    except TemplateSyntaxError as error:
        raise LanguageError(of_template(error)) from None
    except RecursionError:
        raise LanguageError("nested too deeply") from None
    wanted = wanted_by(parsed)
    return lambda values, extras: computed(lambda: joined(template.generate({**extras, **given(values, wanted)})))


def mentions(source: str, name: str) -> bool:
    """Whether a template, which is right, names something."""
    return any(one.name == name for one in _html.parse(source).find_all(nodes.Name))


def extracts(source: str) -> frozenset[str]:
    """The names of `extract` that a condition or a template reads, which are the admin's own."""
    found: set[Any] = set()
    for whole in (source, "{{ (" + source + "\n) }}") if "extracted" in source else ():
        with suppress(TemplateSyntaxError, RecursionError):
            parsed = jinja.parse(whole)
            found |= {node.attr for node in parsed.find_all(nodes.Getattr) if _is_extracted(node.node)}
            found |= {_constant(node.arg) for node in parsed.find_all(nodes.Getitem) if _is_extracted(node.node)}
    return frozenset(name for name in found if isinstance(name, str) and not hasattr(dict, name))


def _is_extracted(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "extracted"


def computed(evaluate: Callable[[], Any]) -> Any:
    """What it returns. Raises LanguageError for whatever fails in it."""
    try:
        return evaluated(evaluate)
    except MemoryError:  # says nothing about the conversation
        raise
    except Exception as error:  # noqa: BLE001  # filters and methods of text fail in every way that Python knows
        raise LanguageError(of_evaluation(error)) from None


def wanted_by(template: nodes.Template) -> tuple[str, ...]:
    """Of the values, those that are named: the others need not be worked out."""
    named = {name.name for name in template.find_all(nodes.Name)}
    return tuple(name for name in TYPES if name in named)


def given(values: Values, wanted: Iterable[str]) -> dict[str, Any]:
    """What the names of a chat stand for: all fields, and of the values those that are wanted."""
    found = {name: getattr(values, name) for name in wanted}
    return {**found, "conversation": values.conversation, "visitor": values.conversation.visitor}


def check(template: nodes.Template, extras: Mapping[str, Any]) -> None:
    """Refuse names that do not exist and attributes that their owner does not have. `extras` are names besides those of
    a chat, and their types; None where a type cannot be told."""
    if any(template.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        raise LanguageError("there is no other template to take in; write it here")
    if template.find(nodes.Pow):  # 9 ** 9 ** 9 would be worked out here and now
        raise LanguageError("there are no powers here; write a * a")
    for what, known in ((nodes.Filter, jinja.filters), (nodes.Test, jinja.tests)):
        for use in template.find_all(what):
            # Jinja itself looks, inside a branch, only when it gets there.
            if use.name not in known:
                hint = _meant(use.name, known, all_named=what is nodes.Filter)
                raise LanguageError(f"there is no {what.__name__.lower()} '{use.name}'{hint}")
    stored = {name.name for name in template.find_all(nodes.Name) if name.ctx != "load"}
    named = {
        *NAMES,
        *extras,
        *stored,
        *jinja.globals,
        *(macro.name for macro in template.find_all(nodes.Macro)),
        "loop",
    }
    for name in template.find_all(nodes.Name):
        if name.name not in named:
            raise LanguageError(
                f"'{name.name}' is not known{_place(name.name) or _meant(name.name, {*NAMES, *extras})}"
            )
    _check_types(template, {**NAMES, **extras, **dict.fromkeys(stored)})


def _check_types(node: nodes.Node, types_of: dict[str, Any]) -> None:
    """Refuse attributes that their owner does not have, wherever its type can be told before the time."""
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        _type_of(node, types_of)
    if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name):
        _check_types(node.iter, types_of)
        items = _type_of(node.iter, types_of)
        types_of = {**types_of, node.target.name: get_args(items)[0] if get_origin(items) is tuple else None}
    for child in node.iter_child_nodes():
        _check_types(child, types_of)


def _type_of(node: nodes.Node, types_of: dict[str, Any]) -> Any:
    """The type of `conversation.visitor.name` and its like, or None where it cannot be told before the time."""
    if isinstance(node, nodes.Name):
        return types_of.get(node.name)
    if isinstance(node, nodes.Getattr):
        if node.attr.startswith("__"):
            raise LanguageError(f"'{node.attr}' is out of reach, as is all that begins with '__'")
        return _member(_type_of(node.node, types_of), node.attr)
    if isinstance(node, nodes.Getitem):
        return _member(_type_of(node.node, types_of), _constant(node.arg))
    return None


def _member(owner: Any, name: Any) -> Any:
    """The type of what a field's name, an index or a slice takes from `owner`, as far as these are known."""
    if isinstance(owner, type) and issubclass(owner, BaseModel) and name is not None:
        if str(name) not in owner.model_fields:
            said = owner.model_config.get("title") or owner.__name__
            raise LanguageError(f"{said} has no '{name}'{_meant(str(name), owner.model_fields)}")
        return _plain(owner.model_fields[name].annotation)
    if get_origin(owner) is tuple:
        if isinstance(name, str) and not hasattr(tuple, name):
            raise LanguageError(f"a list has no '{name}'; write [0] for its first, or |length")
        return owner if isinstance(name, slice) else get_args(owner)[0]
    if get_origin(owner) is dict:
        return get_args(owner)[1]
    if owner in (str, int, bool, datetime) and isinstance(name, str) and not hasattr(owner, name):
        raise LanguageError(f"{owner.__name__} has no '{name}'{_meant(name, dir(owner))}")
    return None


def _constant(node: nodes.Expr) -> Any:
    """The value of `"name"`, `-1` or `2:`, or None for what is only known when it runs."""
    try:
        return node.as_const()
    except nodes.Impossible:
        return None


def _plain(annotation: Any) -> Any:
    """The type without its `| None`, and without what pydantic adds."""
    if get_origin(annotation) in (Union, types.UnionType):
        some = [argument for argument in get_args(annotation) if argument is not type(None)]
        return _plain(some[0]) if len(some) == 1 else None
    return datetime if annotation is AwareDatetime else annotation


def _place(name: str) -> str:
    """For a field that is named without what it is a field of."""
    for owner, model in _MODELS.items():
        for field in model.model_fields:
            if name in (field, field.removeprefix("is_")):
                return f"; did you mean '{owner}.{field}'?"
    return ""


def _meant(name: str, known: Iterable[str], *, all_named: bool = True) -> str:
    public = sorted(one for one in known if not one.startswith("_"))
    near = difflib.get_close_matches(name, public, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; there are {', '.join(public)}" if all_named else ""
