"""What is written as templates, made to what renders it: what of it is wrong is said with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.kit.files.streaming import Outgoing
from connectors.kit.transcript import plain
from core.config.mistakes.model import KeyPath
from core.config.yaml_file import dotted
from core.errors import RecordRefused
from core.templates.language import LanguageError
from core.templates.scope import Names, Scope, is_template

Render = Callable[[Names], Any]
#: Notes what is wrong at a place.
Complain = Callable[[KeyPath, str], None]

#: An object with this key has the entries of another one beside its own.
SPREAD = "..."
#: An object with this key alone stands for as many values as there are files.
EACH_FILE = "each_file"
#: What is to be left out.
OMITTED = object()
_CONTENT = re.compile(r"\bfile\s*\.\s*content\b")
_CONTENT_ALONE = re.compile(r"\{\{[-+]?\s*file\.content\s*[-+]?\}\}")
#: The bodies in which a file can stand.
_WITH_FILES = frozenset(("json", "multipart", "raw"))
#: A header or a parameter that holds a secret, by its name.
_SECRET = re.compile(r"(^|[-_])(authorization|api[-_]?key|token|secret|password|cookie)($|[-_])", re.IGNORECASE)


class Compiler:
    """Makes what renders of what is written. `own` is what holds secrets for templates: settings, or secrets."""

    def __init__(self, complain: Complain, own: str, proves: Callable[[str], object]) -> None:
        """`proves` raises ValueError for a source that names what the rest of the configuration does not have."""
        self._complain, self._own, self._proves = complain, own, proves

    def made(
        self, make: Callable[[str], Callable[[Names], Any]], source: str, place: KeyPath, *, may_be_file: bool = False
    ) -> Render:
        if _CONTENT.search(source) and not (may_be_file and _CONTENT_ALONE.fullmatch(source.strip())):
            self._complain(
                place, "a file is a value of its own; write {{ file.content }} alone, in json, multipart or raw"
            )
        try:
            render = make(source)
            self._proves(source)
        except ValueError as error:
            self._complain(place, str(error))
            return lambda _: ""

        def rendered(names: Names) -> Any:
            try:
                return render(names)
            except LanguageError as error:
                raise RecordRefused(f"{dotted(place)}: {error}") from error

        return rendered

    def text(self, scope: Scope, source: str, place: KeyPath) -> Render:
        return self.made(scope.text, source, place)

    def condition(self, scope: Scope, source: str | None, place: KeyPath) -> Render:
        return self.made(scope.condition, source, place) if source is not None else lambda _: True

    def value(self, scope: Scope, source: Any, place: KeyPath) -> Render:
        """Of JSON. A template that comes out empty gives OMITTED, and so does what has nothing else in it."""
        if isinstance(source, str):
            if not is_template(source):
                return lambda _: source
            render = self.made(scope.value, source, place, may_be_file={*place[:3]} & _WITH_FILES != set())
            return lambda names: _clean(render(names))
        if isinstance(source, Mapping):
            return self._files(scope, source, place) if [*source] == [EACH_FILE] else self._object(scope, source, place)
        if isinstance(source, Sequence):
            items = [self.value(scope, one, (*place, index)) for index, one in enumerate(source)]
            spread = [isinstance(one, Mapping) and [*one] == [SPREAD] for one in source]
            return lambda names: _kept(_items([one(names) for one in items], spread), bool(source))
        return lambda _: source

    def _files(self, scope: Scope, source: Mapping[str, Any], place: KeyPath) -> Render:
        one = self.value(scope.each or scope, source[EACH_FILE], (*place, EACH_FILE))
        return lambda names: [one({**names, "file": file}) for file in names.get("files", ())] or OMITTED

    def _object(self, scope: Scope, source: Mapping[str, Any], place: KeyPath) -> Render:
        entries = [
            (self.made(scope.text, key, (*place, key)), self.value(scope, one, (*place, key)))
            for key, one in source.items()
            if key != SPREAD
        ]
        spread = self.value(scope, source[SPREAD], (*place, SPREAD)) if SPREAD in source else None
        lone = spread is not None and len(source) == 1

        def render(names: Names) -> Any:
            more = spread(names) if spread is not None else {}
            if lone and not isinstance(more, Mapping):
                return more  # in a list: entries of a list
            found = dict(more) if isinstance(more, Mapping) else {}
            for key, one in entries:
                value = one(names)
                if value is not OMITTED:
                    found[key(names)] = value
            return _kept(found, bool(source))

        return render

    def secrets(self, names: Mapping[str, Any], place: KeyPath) -> None:
        """Complain of what looks like a secret and is not held as one."""
        for name, value in names.items():
            if _SECRET.search(name) and not (isinstance(value, str) and f"{self._own}." in value):
                self._complain(
                    (*place, name),
                    "holds a secret that would be shown; write it under auth, or under secrets as NAME: … and here "
                    "{{ secrets.NAME }}",
                )


def _clean(value: Any) -> Any:
    value = _as_json(value)
    return OMITTED if value is None or (isinstance(value, str | list | dict) and not value) else value


def _as_json(value: Any) -> Any:
    """As JSON can have it, without control characters."""
    if isinstance(value, Mapping):
        return {str(name): _as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if value is None or isinstance(value, bool | int | float | Outgoing):
        return value
    return plain(value.isoformat() if isinstance(value, datetime) else str(value))


def _kept(found: Any, meant: bool) -> Any:
    return OMITTED if meant and not found else found


def _items(values: Sequence[Any], spread: Sequence[bool]) -> list[Any]:
    found: list[Any] = []
    for value, inside in zip(values, spread, strict=True):
        if value is not OMITTED:
            found += value if inside and isinstance(value, list | tuple) else [value]
    return found
