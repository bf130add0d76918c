"""Holds the requests that a fake got against the vendor's own OpenAPI document.

openapi-core checks path, method, types, required keys and read-only ones. These documents leave their objects open, so
a misspelt key would pass; therefore every key of a body and every query parameter must be named as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from connectors.testing.fake import Request

#: Beside the repository; the documents are the vendors' and no part of it.
SPECS = Path(__file__).parents[3] / "shared" / "vendors" / "specs"


class Document:
    """One document. `repairs` puts schemas in place of wrong ones, by their path in the document; `described` names
    what only the prose of an operation has, as `("operationId", "user.skip_verify_email")`, and the prose must. `paths`
    are those that only the vendor's pages have."""

    def __init__(
        self,
        name: str,
        *,
        repairs: Mapping[str, Any] | None = None,
        described: Iterable[tuple[str, str]] = (),
        paths: Mapping[str, Any] | None = None,
    ) -> None:
        text = (SPECS / name).read_text()
        # The C loader is as safe, and ten times as fast on megabytes.
        self._root = json.loads(text) if name.endswith(".json") else yaml.load(text, yaml.CSafeLoader)
        for place, schema in (repairs or {}).items():
            *parents, last = place.split("/")
            at = self._root
            for parent in parents:
                at = at[parent]
            assert last in at, f"{place} is not in {name}"
            at[last] = deepcopy(schema)
        for path, item in (paths or {}).items():
            assert path not in self._root["paths"], f"{path} is in {name} by now"
            self._root["paths"][path] = deepcopy(item)
        self._described = frozenset(described)
        # The first server is where requests are said to go; its variables have defaults. A path alone is a server of
        # one's own.
        server = self._root["servers"][0]
        values = {key: value["default"] for key, value in server.get("variables", {}).items()}
        self._server = server["url"].format(**values)
        if self._server.startswith("/"):
            self._server = f"https://vendor.example.com{self._server}"
        self._server = self._server.rstrip("/")
        self._root["servers"] = [{"url": self._server}]
        self._prefix = re.sub(r"^https?://[^/]+", "", self._server)
        # None: the documents contradict the standard in places that no request of ours touches.
        config = Config(spec_validator_cls=None)  # type: ignore[arg-type]  # documented, and not in its types
        self._checker = OpenAPI.from_dict(self._root, config=config)

    def problems(self, request: Request) -> list[str]:
        """What the document has against a request."""
        found = self._operation(request)
        if found is None:
            return [f"{request.method} {request.path} is not in the document"]
        item, operation = found
        problems = [f"{request.method} {request.path}: {problem}" for problem in self._core(request)]
        label = operation.get("operationId", "")
        parameters = [self._followed(one) for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
        known = [name for one in parameters if one["in"] == "query" for name in _names(one)]
        unknown = [f"?{name}" for name in request.query if not any(_fits(name, one) for one in known)]
        if isinstance(request.body, bytes):
            unknown += self._of_file(operation, request)
        elif request.body is not None:
            body = self._followed(operation.get("requestBody", {}))
            schema = body.get("content", {}).get("application/json", {}).get("schema")
            unknown += ["a body"] if schema is None else self._unnamed([schema], request.body, "")
        prose = operation.get("description", "")
        return problems + [
            f"{label}: nothing is called {name}"
            for name in unknown
            if ((label, name) not in self._described or re.split(r"[.?]", name)[-1] not in prose)
            # Named on a page of its own, to which the operation's prose leads.
            and not (name in ("?page", "?per_page") and "Offset pagination" in prose)
        ]

    # --- openapi-core ------------------------------------------------------------

    def _core(self, request: Request) -> Iterator[str]:
        try:
            self._checker.validate_request(_Asked(request, self._server, self._prefix))
        except OpenAPIError as error:
            # It takes no text of a form for a number: `_of_file` does.
            if not (_is_form(request) and "Request body" in str(error)):
                yield " ".join(_causes(error))[:600]

    # --- names -------------------------------------------------------------------

    def _operation(self, request: Request) -> tuple[Any, Any] | None:
        path = request.path.removeprefix(self._prefix)
        # Plain paths come before those with a variable.
        for template in sorted(self._root["paths"], key=lambda one: one.count("{")):
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            item = self._root["paths"][template]
            if request.method.lower() in item and re.fullmatch(pattern, path):
                return item, item[request.method.lower()]
        return None

    def _followed(self, node: Any) -> Any:
        while "$ref" in node:
            at = self._root
            for key in node["$ref"].removeprefix("#/").split("/"):
                at = at[key.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def _branches(self, schema: Any) -> Iterator[Any]:
        """A schema, and those that it is put together from."""
        schema = self._followed(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(word, []):
                yield from self._branches(part)

    def _of_file(self, operation: Any, request: Request) -> list[str]:
        """Of a form the fields that it does not name; and whether it takes a file as its body."""
        content = self._followed(operation.get("requestBody", {})).get("content", {})
        kind = request.headers["content-type"].partition(";")[0]
        if _is_form(request):
            fields, files = request.form()
            schema = content.get(kind, {}).get("schema")
            if schema is None:
                return ["a form"]
            types = {name: one.get("type") for name, one in self._followed(schema)["properties"].items()}
            wrong = [name for name, text in fields.items() if types.get(name) == "integer" and not text.isdecimal()]
            return wrong + self._unnamed([schema], {**fields, **{name: "" for name, *_ in files}}, "")
        # Where only the prose speaks of the body, it does so by its header.
        return [] if kind in content or (not content and "`Content-Type`" in operation["description"]) else ["a file"]

    def _unnamed(self, schemas: Sequence[Any], value: Any, place: str) -> list[str]:
        """The keys in a value, as `ticket.comment.body`, that none of the schemas names."""
        branches = [branch for schema in schemas for branch in self._branches(schema)]
        if isinstance(value, list):
            items = [branch["items"] for branch in branches if "items" in branch]
            return [name for one in value for name in self._unnamed(items, one, place)]
        if not isinstance(value, dict):
            return []
        named = [branch["properties"] for branch in branches if "properties" in branch]
        others = [branch["additionalProperties"] for branch in branches if branch.get("additionalProperties")]
        typed = [other for other in others if isinstance(other, dict) and other]
        # An object of which nothing is named is a bag of the customer's own names.
        bag = not any(named) and any(branch.get("type") == "object" for branch in branches)
        found: list[str] = []
        for key, inside in value.items():
            where = f"{place}.{key}".lstrip(".")
            under = [properties[key] for properties in named if key in properties] or typed
            if under:
                found += self._unnamed(under, inside, where)
            elif not bag:
                found.append(where)
        return found


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


class _Asked:
    """A fake's request as openapi-core wants one, at the address that the document names."""

    def __init__(self, request: Request, server: str, prefix: str) -> None:
        self.host_url = server.removesuffix(prefix) if prefix else server
        self.path = prefix + quote(request.path.removeprefix(prefix), safe="/%:")
        self.method = request.method.lower()
        is_file = isinstance(request.body, bytes)
        self.content_type = request.headers["content-type"] if is_file else "application/json"
        self.body = request.raw if is_file else None if request.body is None else json.dumps(request.body).encode()
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(request.query),
            header=Headers(list(request.headers.items())),
            cookie=ImmutableMultiDict(),
        )


def document(name: str, **more: Any) -> Document:
    """The document. Raises FileNotFoundError where it is not there: this is only run by who has them."""
    return Document(name, **more)


def _names(parameter: Mapping[str, Any]) -> Iterable[str]:
    """What a parameter may be called: an exploded object is as many parameters as it has keys, such as its example."""
    schema = parameter.get("schema", {})
    if schema.get("type") == "object" and schema.get("additionalProperties") and "style" not in parameter:
        return list(schema.get("example", {}))
    return [parameter["name"]]


def _fits(name: str, parameter: str) -> bool:
    """`filter[x]` fits a parameter `filter`, or `filter[x]`; `cf_12` fits `cf_0`."""
    numbered = re.fullmatch(r"(\w+_)0", parameter)
    if numbered and re.fullmatch(rf"{numbered[1]}\d+", name):
        return True
    return name in (parameter, f"{parameter}[]") or name.startswith(f"{parameter}[")


def _causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        yield from (
            f"{'.'.join(map(str, one.path))}: {one.message[:200]}" for one in getattr(error, "schema_errors", ())
        )
        error = error.__cause__ or error.__context__
