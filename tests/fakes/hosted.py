"""What the fakes of hosted destinations share: who may ask, what a body may have in it, texts without their marks, and
an index that lags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from connectors.testing.fake import Answer, Fake, Handler, Refuse, Request
from tests.fakes.authorization import Authorization


class HostedVendor(Fake):
    """`allows` says whether a request proves who sends it, `stranger` is what the vendor answers to all others."""

    def __init__(self) -> None:
        super().__init__()
        #: By id.
        self.tickets: dict[str, dict[str, Any]] = {}
        self.authorization = Authorization()
        self._token_path = ""
        #: Whether the search index shows nothing yet of what was created.
        self.lagging = False

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        return [without_mark(text) for ticket in self.tickets.values() for text in self.bodies(ticket)]

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        """The texts of a record, in order."""
        raise NotImplementedError

    # --- for the vendors ---------------------------------------------------------------

    def allows(self, request: Request) -> bool:
        raise NotImplementedError

    def stranger(self) -> Refuse:
        raise NotImplementedError

    def refusal(self, text: str) -> Refuse:
        """What the vendor answers to a body that it does not take."""
        raise NotImplementedError

    def tokens_at(self, path: str) -> None:
        """A token endpoint, which is no part of the API: its requests are not among the others, and what befalls the
        API does not befall it."""
        self._token_path = path
        self.authorization.tokens_at(self, path)

    def hangs(self, request: Request) -> bool:
        return super().hangs(request) and request.path != self._token_path

    def respond(self, request: Request) -> tuple[Answer, bool]:
        if request.path == self._token_path:
            with self._lock:
                return self._act(request), False
        return super().respond(request)

    def guarded(self, prefix: str, *routes: tuple[str, str, Handler]) -> None:
        """Routes for those alone who may ask."""
        for method, path, answer in routes:
            self.route(method, prefix + path, self._guard(answer))

    def _guard(self, answer: Handler) -> Callable[..., Any]:
        def guarded(request: Request, *groups: str) -> Any:
            if not self.allows(request):
                raise self.stranger()
            return answer(request, *groups)

        return guarded

    def only(self, body: Any, *keys: str, **wanted: Any) -> dict[str, Any]:
        """A body in which nothing is but these keys, and those that are `wanted`, which have these values."""
        if not isinstance(body, dict) or {*body} - {*keys} - {*wanted}:
            raise self.refusal(f"the fake does not know {body}")
        if wrong := [name for name, value in wanted.items() if body.get(name) != value]:
            raise self.refusal(f"the fake wants another {', '.join(wrong)}")
        return body

    def kept(self, text: Any, longest: int) -> str:
        if not isinstance(text, str) or not text or len(text) > longest:
            raise self.refusal(f"a text must have 1 to {longest} characters")
        return text

    def searched(self, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of these, what a search index shows."""
        return [] if self.lagging else list(found)


def without_mark(text: str) -> str:
    return re.sub(r"(<p>)?\[smartsupp:[^<\]]*\](</p>)?\Z", "", text)
