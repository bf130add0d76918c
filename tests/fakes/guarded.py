"""What the fakes of vendors with an API key or a token share: nobody is answered without it, and no key is taken that
the fake does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Fake, Handler, Refuse, Request


class GuardedFake(Fake):
    def serve(self, prefix: str, routes: Iterable[tuple[str, str, Handler]]) -> None:
        """Routes below a path, each for whoever `admit` lets in."""
        for method, path, answer in routes:
            self.route(method, f"{prefix}{path}", self._admitted(answer))

    def admit(self, request: Request) -> None:
        """Raises Refuse for who does not prove who it is."""
        raise NotImplementedError

    def unknown(self, what: Any) -> Refuse:
        """What the vendor says of a key or a parameter that it does not have; many say nothing, a fake always does."""
        return Refuse(400, {"message": f"the fake does not know {what}"})

    def only(self, given: Any, *keys: str) -> dict[str, Any]:
        """A body or a query with no other keys, in which nothing is empty."""
        if (
            not isinstance(given, dict)
            or {*given} - {*keys}
            or any(one in (None, "", [], {}) for one in given.values())
        ):
            raise self.unknown(given)
        return given

    def _admitted(self, answer: Handler) -> Handler:
        def admitted(request: Request, *groups: str) -> Any:
            self.admit(request)
            return answer(request, *groups)

        return admitted
