"""What the fakes of vendors with an API key or a token share: nobody is answered without it, and no key is taken that
the fake does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from connectors.testing.fake import Answer, Fake, Handler, Refuse, Request


class GuardedFake(Fake):
    def __init__(self) -> None:
        super().__init__()
        #: Paths that are answered whatever becomes of the others, and are not counted: those of token endpoints.
        self.beside: set[str] = set()

    def hangs(self, request: Request) -> bool:
        return super().hangs(request) and request.path not in self.beside

    def respond(self, request: Request) -> tuple[Answer, bool]:
        if request.path in self.beside:
            with self._lock:
                return self._act(request), False
        return super().respond(request)

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


class TokenFake(GuardedFake):
    """One whose access tokens come from an endpoint beside it, which answers whatever becomes of the other requests."""

    token_path: str
    #: What a token request must say.
    wanted: dict[str, str]
    #: What stands before the token in `Authorization`.
    prefix = "Bearer "

    def __init__(self) -> None:
        super().__init__()
        self.tokens: set[str] = set()
        #: What came to the token endpoint.
        self.granted: list[dict[str, str]] = []
        self.beside.add(self.token_path)
        self.route("POST", self.token_path, self._grant)

    def _grant(self, request: Request) -> Answer:
        said = dict(parse_qsl((request.body or b"").decode()))
        self.granted.append(said)
        if said != self.wanted:
            return Answer(400, {"error": "invalid_client", "error_description": "not this client"})
        self.tokens.add(f"access-token-{len(self.granted)}")
        return Answer(200, self.grant(f"access-token-{len(self.granted)}"))

    def grant(self, token: str) -> dict[str, Any]:
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def admit(self, request: Request) -> None:
        if request.headers.get("authorization", "").removeprefix(self.prefix) not in self.tokens:
            raise self.unauthorized()

    def unauthorized(self) -> Refuse:
        return Refuse(401, {"message": "no such token"})
