"""What the fakes of destinations with a key or a token share: who may ask, what a body may have in it, texts without
their marks, tokens, and an index that lags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Fake, Handler, Refuse, Request
from tests.fakes.authorization import Authorization


class HostedVendor(Fake):
    """Nobody is answered whom it does not admit, and no key is taken that the fake does not know."""

    def __init__(self, authorization: Authorization | None = None) -> None:
        super().__init__()
        #: By id.
        self.tickets: dict[str, dict[str, Any]] = {}
        self.authorization = authorization or Authorization()
        #: Paths that are answered whatever becomes of the others, and are not counted: those of token endpoints.
        self.beside: set[str] = set()
        #: Whether the search index shows nothing yet of what was created.
        self.lagging = False

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        return [without_mark(text) for ticket in self.tickets.values() for text in self.bodies(ticket)]

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        """The texts of a record, in order."""
        raise NotImplementedError

    # --- who asks ----------------------------------------------------------------------

    def guarded(self, prefix: str, *routes: tuple[str, str, Handler]) -> None:
        """Routes below a path, each for whoever `admit` lets in."""
        for method, path, answer in routes:
            self.route(method, f"{prefix}{path}", self._admitted(answer))

    def admit(self, request: Request) -> None:
        """Raises Refuse for who does not prove who it is."""
        if not self.allows(request):
            raise self.stranger()

    def allows(self, request: Request) -> bool:
        """Whether a request proves who sends it."""
        return self.authorization.is_good(request)

    def stranger(self) -> Refuse:
        """What the vendor answers to all others."""
        return Refuse(401, {"message": "no such token"})

    def tokens_at(self, path: str) -> None:
        """A token endpoint, which is no part of the API: its requests are not among the others, and what befalls the
        API does not befall it."""
        self.beside.add(path)
        self.authorization.tokens_at(self, path)

    # --- what it takes -----------------------------------------------------------------

    def refusal(self, text: str) -> Refuse:
        """What the vendor says of what it does not take, such as a key that it does not have; many say nothing, a fake
        always does."""
        return Refuse(400, {"message": text})

    def only(self, given: Any, *keys: str, **wanted: Any) -> dict[str, Any]:
        """A body or a query in which nothing is but these keys, and those that are `wanted`, which have these values;
        and nothing is empty."""
        if not isinstance(given, dict) or {*given} - {*keys} - {*wanted}:
            raise self.refusal(f"the fake does not know {given}")
        if any(one in (None, "", [], {}) for one in given.values()):
            raise self.refusal(f"the fake takes nothing empty: {given}")
        if wrong := [name for name, value in wanted.items() if given.get(name) != value]:
            raise self.refusal(f"the fake wants another {', '.join(wrong)}")
        return given

    def kept(self, text: Any, longest: int) -> str:
        if not isinstance(text, str) or not text or len(text) > longest:
            raise self.refusal(f"a text must have 1 to {longest} characters")
        return text

    def searched(self, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of these, what a search index shows."""
        return [] if self.lagging else list(found)

    # --- the server --------------------------------------------------------------------

    def hangs(self, request: Request) -> bool:
        return super().hangs(request) and request.path not in self.beside

    def respond(self, request: Request) -> tuple[Answer, bool]:
        if request.path in self.beside:
            with self._lock:
                return self._act(request), False
        return super().respond(request)

    def _admitted(self, answer: Handler) -> Handler:
        def admitted(request: Request, *groups: str) -> Any:
            self.admit(request)
            return answer(request, *groups)

        return admitted


def without_mark(text: str) -> str:
    return re.sub(r"(<p>)?\[smartsupp:[^<\]]*\](</p>)?\Z", "", text)
