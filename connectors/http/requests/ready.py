"""A request that can be sent for any chat, and what is taken out of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from connectors.http.declared import BODIES, DeclaredRequest, taken
from connectors.http.requests.compiler import OMITTED, Compiler, Render
from connectors.kit.files.streaming import Outgoing, TextFile, json_options, multipart_body, raw_body
from connectors.kit.http import Judge
from connectors.kit.reply import Reply
from connectors.kit.transcript import plain, single_line
from connectors.kit.wire.verdicts import When
from connectors.kit.work.owner import OWNER
from core.config.environment import Strict
from core.config.mistakes.model import KeyPath
from core.config.yaml_file import dotted
from core.errors import RetryLater
from core.templates.scope import Names, Scope

_NAMED = re.compile(r"\bsteps\.([a-z][a-z0-9_]*)")


class Ready:
    """A request that can be sent for any chat."""

    def __init__(
        self,
        request: DeclaredRequest,
        scope: Scope,
        place: KeyPath,
        compiler: Compiler,
        identities: Sequence[str],
        *,
        takes: Mapping[str, str] | None = None,
    ) -> None:
        """`identities` are the steps that are the visitor's. `takes` is what is read of its answer, if not as it says
        itself."""
        self.method, self.place = request.method, place
        #: The steps whose values it names.
        self.named = frozenset(_NAMED.findall(request.model_dump_json()))
        self._in_path = frozenset(_NAMED.findall(request.path))
        self.path = compiler.made(scope.address, request.path, (*place, "request"))
        compiler.secrets(request.headers, (*place, "headers"))
        compiler.secrets(request.query, (*place, "query"))
        self._query = compiler.value(scope, request.query, (*place, "query"))
        self._headers = compiler.value(scope, request.headers, (*place, "headers"))
        self._body: tuple[str, Render] | None = None
        for name, field in BODIES.items():
            if (source := getattr(request, field)) is not None:
                self._body = name, self._body_of(name, source, scope, (*place, name), compiler)
        self.takes = {
            name: jmespath.compile(path) for name, path in (taken(request) if takes is None else takes).items()
        }
        self._headers_taken = request.take_header if takes is None else {}
        #: What it takes.
        self.taking = (*self.takes, *self._headers_taken)
        self._expect = jmespath.compile(request.expect) if request.expect else None
        self._cases = [*(case.when() for case in request.cases), *_died(request.path, identities)]

    @staticmethod
    def _body_of(name: str, source: Any, scope: Scope, place: KeyPath, compiler: Compiler) -> Render:
        if name == "text":
            return compiler.text(scope, source, place)
        if name == "raw":
            return compiler.value(scope, source, place)
        if name == "multipart":
            source = {key: one.model_dump() if isinstance(one, Strict) else one for key, one in source.items()}
        return compiler.value(scope, source, place)

    def lives_in(self, steps: Collection[str], *, anywhere: bool) -> bool:
        """Whether it makes something in what one of these steps made: that which its path names, or, if that names
        none, what it names `anywhere`."""
        return bool((self._in_path or (self.named if anywhere else frozenset())) & {*steps})

    def options(self, names: Names) -> dict[str, Any]:
        """As requests takes them. Raises RecordRefused."""
        headers = {name: header(text) for name, text in _filled(self._headers(names)).items()}
        options: dict[str, Any] = {"headers": headers}
        if query := _filled(self._query(names)):
            options["params"] = {name: _spelled(value) for name, value in query.items()}
        if self._body is not None:
            kind, render = self._body
            body = render(names)
            if kind == "json":
                with_files = json_options({} if body is OMITTED else body)
                headers.update(with_files.pop("headers", {}))
                options |= with_files
            elif kind == "form":
                options["data"] = {name: _spelled(value) for name, value in _filled(body).items()}
            elif kind == "multipart":
                parts = [(name, one) for name, value in _filled(body).items() for one in _values(value)]
                if files := [(name, one) for name, one in parts if isinstance(one, Outgoing)]:
                    fields: dict[str, list[str | TextFile]] = {}
                    for name, one in parts:
                        if not isinstance(one, Outgoing):
                            fields.setdefault(name, []).append(_part(one))
                    options |= {**(sent := multipart_body(fields, files).options), "headers": headers | sent["headers"]}
                else:
                    options["files"] = [(name, _as_requests(_part(one))) for name, one in parts]
            elif kind == "raw" and isinstance(body, Outgoing):
                options["data"] = raw_body(body)
                headers.setdefault("Content-Type", body.type)
            else:
                options["data"] = plain("" if body is OMITTED else str(body)).encode()
                headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return options

    def is_empty(self, names: Names) -> bool:
        """Whether it has a body in which nothing is said."""
        return self._body is not None and self._body[1](names) in (OMITTED, "", {})

    def judge(self, when: Callable[..., Judge], *more: When, owned: bool = False) -> Judge:
        """`owned`: it names an owner. Only then can an answer be about that one."""
        return when(*more, *(one for one in self._cases if owned or one.steps != (OWNER,)))

    def proven(self, body: Any) -> None:
        """Raises RetryLater for an answer that is none of the destination's own."""
        if self._expect is not None and not value_at(self._expect, body):
            raise RetryLater(f"{dotted(self.place)}.expect: the answer has an unexpected shape")

    def values(self, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What is taken out of an answer. Raises RetryLater where it has no id."""
        made = {name: value_at(path, body) for name, path in self.takes.items()}
        made |= {name: (headers or {}).get(header) for name, header in self._headers_taken.items()}
        if "id" in made:
            # Its path, for people; and what is no id is none.
            where = "take_header" if "id" in self._headers_taken else "take"
            Reply(made["id"], f"{dotted(self.place)}.{where}.id").id  # noqa: B018
        return made


def value_at(path: Any, body: Any) -> Any:
    """What stands at a JMESPath. Raises RetryLater where the answer is of another kind than the path takes."""
    try:
        return path.search(body)
    except JMESPathError:
        raise RetryLater(f"the answer has an unexpected shape: '{path.expression}' cannot be read in it") from None


def header(text: Any) -> str | bytes:
    """On one line. Beyond ASCII as UTF-8: http.client would refuse what is not Latin-1."""
    said = single_line(str(text))
    return said if said.isascii() else said.encode()


def _filled(value: Any) -> dict[str, Any]:
    return {} if value is OMITTED else value


def _spelled(value: Any) -> Any:
    """As a query or a form writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return [_spelled(one) for one in value] if isinstance(value, list | tuple) else str(value)


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _part(value: Any) -> str | TextFile:
    """Of a form with files."""
    if isinstance(value, Mapping):
        name = single_line(str(value.get("filename", "file"))).replace('"', "'")
        return TextFile(name, str(value["type"]), str(value.get("content", "")))
    return str(_spelled(value))


def _as_requests(part: str | TextFile) -> tuple[str | None, bytes] | tuple[str, bytes, str]:
    return (None, part.encode()) if isinstance(part, str) else (part.name, part.content.encode(), part.type)


def _died(path: str, identities: Sequence[str]) -> list[When]:
    """A 404 for what a step made says that this was deleted, and nothing of the other chats."""
    named = _NAMED.findall(path)
    return [
        When(
            (404, 410),
            text=f"what the step '{name}' created is no longer there",
            steps=(name,) if name in identities else (),
        )
        for name in named[:1]
    ]
