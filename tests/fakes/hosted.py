"""What the fakes of hosted destinations share: who may ask, what a body may have in it, texts without their marks, and
an index that lags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Handler, Refuse, Request
from tests.fakes.authorization import Authorization
from tests.fakes.guarded import GuardedFake


class HostedVendor(GuardedFake):
    """`allows` says whether a request proves who sends it, `stranger` is what the vendor answers to all others."""

    def __init__(self) -> None:
        super().__init__()
        #: By id.
        self.tickets: dict[str, dict[str, Any]] = {}
        self.authorization = Authorization()
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

    def guarded(self, prefix: str, *routes: tuple[str, str, Handler]) -> None:
        self.serve(prefix, routes)

    def admit(self, request: Request) -> None:
        if not self.allows(request):
            raise self.stranger()

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
        self.beside.add(path)
        self.authorization.tokens_at(self, path)

    def only(self, given: Any, *keys: str, **wanted: Any) -> dict[str, Any]:
        """A body in which nothing is but these keys, and those that are `wanted`, which have these values."""
        if not isinstance(given, dict) or {*given} - {*keys} - {*wanted}:
            raise self.refusal(f"the fake does not know {given}")
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


def without_mark(text: str) -> str:
    return re.sub(r"(<p>)?\[smartsupp:[^<\]]*\](</p>)?\Z", "", text)
