"""An authorization server of OAuth 2 beside a vendor's API: client credentials, and refresh tokens that rotate."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

from connectors.testing.fake import Answer, Fake, Refuse, Request

CLIENT, SECRET = "relay", "client-secret-0123456789"


class Authorization:
    """`tokens_at` puts its token endpoint into a fake, and what needs a token asks `is_good`.

    `lasts` is the life of an access token in seconds. With `graceful`, a refresh token is taken again until the one
    that followed it has been used, as RFC 9700 allows; else a second use is refused. `prefix` is what stands before a
    token; `says_life`: its answers say how long one lasts.
    """

    def __init__(
        self,
        lasts: float = 3600.0,
        *,
        graceful: bool = True,
        client: str = CLIENT,
        secret: str = SECRET,
        prefix: str = "Bearer ",
        says_life: bool = True,
    ) -> None:
        self.lasts, self.graceful = lasts, graceful
        self._client, self._prefix, self._says_life = (client, secret), prefix, says_life
        #: What a request must ask for.
        self.scope = ""
        #: What it answers to the next requests instead of a token.
        self.instead: list[Answer] = []
        #: Access token -> when it ends.
        self.access: dict[str, float] = {}
        #: Refresh token -> the one that followed it, or "".
        self.refresh: dict[str, str] = {}
        #: What token requests said, in order.
        self.asked: list[dict[str, str]] = []
        self.refused = 0
        #: The next answer gets lost on its way.
        self.lose_next = False
        self._made = 0

    def tokens_at(self, fake: Fake, path: str) -> None:
        def give(request: Request) -> Answer:
            answer = self._give(request)
            if self.lose_next:
                self.lose_next = False
                fake.lose_reply_after = 0
            return answer

        fake.route("POST", path, give)

    def is_good(self, request: Request) -> bool:
        said = request.headers.get("authorization", "")
        token = said.removeprefix(self._prefix) if said.startswith(self._prefix) else ""
        return self.access.get(token, 0) > time.time()

    def log_in(self) -> str:
        """The refresh token of a person who has logged in."""
        return str(self._fresh("")["refresh_token"])

    def end_all(self) -> None:
        """All access tokens are taken back at once."""
        self.access.clear()

    def _give(self, request: Request) -> Answer:
        body = request.body
        said = body if isinstance(body, dict) else {k: v[0] for k, v in parse_qs((body or b"").decode()).items()}
        self.asked.append({name: str(value) for name, value in said.items()})
        if self.instead:
            return self.instead.pop(0)
        if (said.get("client_id"), said.get("client_secret")) != self._client:
            raise self._refusal(401, "invalid_client")
        if self.scope and said.get("scope") != self.scope:
            raise self._refusal(400, "invalid_scope")
        if said["grant_type"] == "client_credentials":
            return Answer(200, self._fresh())
        if said["grant_type"] == "authorization_code" and said.get("code") == "code-0123456789":
            return Answer(200, self._fresh(""))
        old = said.get("refresh_token", "")
        follower = self.refresh.get(old)
        if said["grant_type"] != "refresh_token" or follower is None:
            raise self._refusal(400, "invalid_grant")
        if follower and (not self.graceful or self.refresh.get(follower)):
            raise self._refusal(400, "invalid_grant")
        self.refresh.pop(follower, None)
        self.access.clear()  # the old pair is deleted
        return Answer(200, self._fresh(old))

    def _refusal(self, status: int, code: str) -> Refuse:
        self.refused += 1
        return Refuse(status, {"error": code, "error_description": f"no, and never {self._client[1]}"})

    def _fresh(self, old: str | None = None) -> dict[str, Any]:
        self._made += 1
        access = f"access-token-{self._made:04}"
        self.access[access] = time.time() + self.lasts
        given: dict[str, Any] = {"access_token": access, "token_type": "bearer", "scope": "read write"}
        if old is not None:
            given["refresh_token"] = f"refresh-token-{self._made:04}"
            self.refresh[given["refresh_token"]] = ""
            if old:
                self.refresh[old] = given["refresh_token"]
        return given | ({"expires_in": round(self.lasts)} if self._says_life and self.lasts >= 1 else {})
