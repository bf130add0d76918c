"""OAuth 2: one fetch for all, kept before it is used, renewed early and after a 401, and seen nowhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from connectors.kit.auth import oauth, tokens
from connectors.kit.auth.oauth import GrantedToken, Jwt, Provider
from connectors.kit.auth.tokens import Tokens
from connectors.kit.connector import HttpConnector, HttpSettings, Receipt, Step
from connectors.testing.fake import Answer, Fake, Request
from core.connector_state import ConnectorState, OwnState
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, RetryLater, StoreUnavailable
from tests.fakes.authorization import CLIENT, SECRET, Authorization


class Desk(Fake):
    """Lets in whoever has a good token."""

    def __init__(self) -> None:
        super().__init__()
        self.authorization = Authorization()
        self.authorization.tokens_at(self, "/oauth/tokens")
        self.route("GET", "/me", self._me)
        self.route("POST", "/tickets", self._me)

    def _me(self, request: Request) -> Any:
        return {"id": 1} if self.authorization.is_good(request) else Answer(401, {"error": "invalid_token"})


class Client(HttpConnector[HttpSettings]):
    label = "Desk"

    def __init__(self, desk: Fake, state: ConnectorState, **provider: Any) -> None:
        settings = HttpSettings(type="desk", allow_networks=("127.0.0.0/8",))  # type: ignore[arg-type]
        super().__init__("desk", settings, Path())
        self.url, self.state = desk.url, state
        url = f"{desk.url}/oauth/tokens"
        secret = SecretStr(SECRET)
        self.provider = Provider(**{"token_url": url, "client_id": CLIENT, "client_secret": secret, **provider})
        self.__dict__["credentials"] = self.tokens(self.provider)

    @property
    def base(self) -> str:
        return self.url

    @property
    def signed(self) -> Tokens:
        found = self.credentials
        assert isinstance(found, Tokens)
        return found

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        return Reference(self.ask("POST", "/tickets", json={})["id"].id)

    def me(self) -> Any:
        return self.ask("GET", "/me").raw


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as there:
        yield there


def keep(client: Client, token: GrantedToken) -> None:
    taken = client.state.take_token(client.provider.identity, 0, "test", 1000)
    client.state.keep_token(client.provider.identity, taken.version, "test", token.sealed(client.provider))


def logged_in(desk: Desk, state: ConnectorState) -> Client:
    """Somebody has logged in, long ago."""
    client = Client(desk, state, grant="login")
    keep(client, GrantedToken("an old one", desk.authorization.log_in(), ends=1.0))
    desk.authorization.access.clear()
    return client


def test_a_token_is_fetched_once_and_signs_every_request(desk: Desk) -> None:
    client = Client(desk, OwnState())
    assert [client.me() for _ in range(3)] == [{"id": 1}] * 3
    [asked] = desk.authorization.asked
    assert asked == {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}


def test_all_workers_have_one_fetch_between_them(desk: Desk) -> None:
    desk.pause = 0.1
    state = OwnState()
    clients = [Client(desk, state) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(Client.me, clients)) == [{"id": 1}] * 6
    assert len(desk.authorization.asked) == 1


def test_whoever_waits_too_long_for_another_worker_comes_back_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_WAIT", 0.1)
    state = OwnState()
    client = Client(desk, state)
    state.take_token(client.provider.identity, 0, "another worker", 30_000)
    with pytest.raises(RetryLater, match="another worker") as raised:
        client.me()
    assert raised.value.retry_after == tokens.LATER
    assert desk.requests == []


def test_it_is_renewed_before_it_ends_and_the_old_one_serves_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = OwnState()
    client, other = Client(desk, state), Client(desk, state)
    client.me()
    first = client.signed.current()
    other.me()
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 3600 - 60)
    # One of them fetches; the other goes on with what still works.
    state.take_token(client.provider.identity, first.version, "another worker", 30_000)
    assert client.signed.current() == first
    state.release_token("another worker")
    assert client.signed.current().access != first.access
    # And that one is the other's, too, without a fetch of its own.
    assert other.signed.current() == client.signed.current()
    assert len(desk.authorization.asked) == 2


def test_a_refused_token_is_renewed_once_and_the_request_sent_again(desk: Desk) -> None:
    client = Client(desk, OwnState())
    client.me()
    desk.authorization.end_all()
    with client.attempt() as exchanges:
        assert client.me() == {"id": 1}
        assert [one.status for one in exchanges] == [401, 200, 200]


def test_a_second_refusal_is_for_people(desk: Desk) -> None:
    client = Client(desk, OwnState())
    client.me()
    desk.route("GET", "/never", lambda request: Answer(401, {"error": "you may not"}))
    with pytest.raises(ConnectorRefused, match="401"):
        client.ask("GET", "/never")
    assert len(desk.authorization.asked) == 2


def test_a_token_that_another_worker_has_renewed_is_taken_over(desk: Desk) -> None:
    state = OwnState()
    client, other = Client(desk, state), Client(desk, state)
    client.me()
    other.me()
    desk.authorization.end_all()
    client.me()
    assert other.me() == {"id": 1}
    assert len(desk.authorization.asked) == 2


def test_a_rotated_refresh_token_is_kept_before_it_is_used(desk: Desk) -> None:
    class Watching(OwnState):
        def keep_token(self, client: str, seen: int, holder: str, kept: bytes) -> int:
            seen_then.append([one.path for one in desk.requests])
            return super().keep_token(client, seen, holder, kept)

    state = Watching()
    seen_then: list[list[str]] = []
    client = logged_in(desk, state)
    seen_then.clear()
    client.me()
    assert seen_then == [["/oauth/tokens"]]
    assert client.signed.current().refresh in desk.authorization.refresh


def test_a_rotated_refresh_token_survives_a_store_that_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(OwnState):
        down = False

        def keep_token(self, client: str, seen: int, holder: str, kept: bytes) -> int:
            if self.down:
                raise StoreUnavailable("it is away")
            return super().keep_token(client, seen, holder, kept)

    monkeypatch.setattr(tokens, "_patiently", lambda do: do())
    state = Away()
    client = logged_in(desk, state)
    state.down = True
    with pytest.raises(StoreUnavailable):
        client.me()
    state.down = False
    assert client.me() == {"id": 1}
    refreshed = [one for one in desk.authorization.asked if one["grant_type"] == "refresh_token"]
    assert len(refreshed) == 1


def test_a_lost_reply_to_a_rotation_costs_nothing_where_the_vendor_allows_it(desk: Desk) -> None:
    client = logged_in(desk, OwnState())
    desk.lose_reply_after = 0
    assert client.me() == {"id": 1}
    assert len({one["refresh_token"] for one in desk.authorization.asked}) == 1


def test_a_lost_reply_where_it_does_not_is_said_with_what_to_do(desk: Desk) -> None:
    desk.authorization.graceful = False
    client = logged_in(desk, OwnState())
    desk.lose_reply_after = 0
    with pytest.raises(ConnectorRefused, match=r"invalid_grant.*relay connectors login desk"):
        client.me()
    # And a login is all that it takes.
    client.signed.log_in("code-0123456789", "http://127.0.0.1:1/", "verifier")
    assert client.me() == {"id": 1}


def test_a_refresh_token_that_another_worker_was_first_to_use_is_no_refusal(desk: Desk) -> None:
    desk.authorization.graceful = False

    class Slow(OwnState):
        """The lease of whoever fetches runs out in the middle."""

        def take_token(self, client: str, seen: int, holder: str, lease_ms: int) -> Any:
            return super().take_token(client, seen, holder, 0)

    state = Slow()
    clients = [logged_in(desk, state)]
    clients.append(Client(desk, state, grant="login"))
    desk.pause = 0.2
    barrier = threading.Barrier(2)

    def both(client: Client) -> Any:
        barrier.wait()
        return client.me()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(both, clients)) == [{"id": 1}] * 2


def test_nobody_has_logged_in_yet(desk: Desk) -> None:
    with pytest.raises(ConnectorRefused, match="nobody has logged in yet; run: relay connectors login desk"):
        Client(desk, OwnState(), grant="login").me()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": "invalid_client"}, ConnectorRefused),
        (400, {"error": "invalid_scope"}, ConnectorRefused),
        (400, {"error": "something_of_their_own"}, ConnectorRefused),
        (400, {"error": "temporarily_unavailable"}, RetryLater),
        (400, {"error": "Access Denied"}, RetryLater),
        (429, {}, RetryLater),
        (503, "<html>", RetryLater),
        (200, {"error": "invalid_code"}, ConnectorRefused),
        (200, {"hello": "there"}, RetryLater),
        (200, "<html>", RetryLater),
        (200, ["token"], RetryLater),
    ],
)
def test_what_a_token_endpoint_answers(desk: Desk, status: int, body: Any, error: type[Exception]) -> None:
    desk.instead = [Answer(status, body)]
    with pytest.raises(error) as raised:
        Client(desk, OwnState(), waits=("Access Denied",)).me()
    assert type(raised.value) is error
    # The next one may try at once.
    desk.instead = []
    assert Client(desk, OwnState()).me() == {"id": 1}


@pytest.mark.parametrize(
    ("status", "body", "said", "seconds"),
    [
        (429, {}, "77", 77.0),
        (503, "<html>", "77", 77.0),
        (400, {"error": "slow_down"}, "77", 77.0),
        (400, {"error": "Access Denied"}, "", None),
        (429, {}, "soon", None),
    ],
)
def test_a_token_endpoint_says_how_long_to_wait(
    desk: Desk, status: int, body: Any, said: str, seconds: float | None
) -> None:
    desk.instead = [Answer(status, body, {"Retry-After": said} if said else {})]
    with pytest.raises(RetryLater) as raised:
        Client(desk, OwnState(), waits=("Access Denied",)).me()
    assert raised.value.retry_after == seconds


def test_nothing_that_a_token_endpoint_says_is_kept_or_shown(desk: Desk) -> None:
    client = logged_in(desk, OwnState())
    with client.attempt() as exchanges:
        client.me()
        token = client.signed.current()
        assert client.mask(f"said {token.access} and {token.refresh}") == "said ********** and **********"
        fetched = exchanges[0]
        assert (fetched.sent, fetched.answered, fetched.status) == ("", "", 200)
        seen = repr((exchanges, token, client.signed, client.provider))
    desk.instead = [Answer(400, {"error": "oops", "error_description": f"{SECRET} {token.access} s3cr3t"})]
    desk.authorization.end_all()
    with client.attempt() as exchanges, pytest.raises(ConnectorRefused) as raised:
        client.signed.renew({"headers": {"Authorization": f"Bearer {token.access}"}})
    seen += repr(exchanges) + str(raised.value)
    for secret in (SECRET, token.access, token.refresh, "s3cr3t"):
        assert secret not in seen


def test_a_vendor_that_repeats_a_token_is_masked(desk: Desk) -> None:
    client = Client(desk, OwnState())
    desk.route("GET", "/echo", lambda request: {"you": request.headers["authorization"]})
    with client.attempt() as exchanges:
        client.ask("GET", "/echo")
        assert client.signed.current().access not in repr(exchanges)
        assert "Bearer **********" in exchanges[-1].answered


def test_a_preview_fetches_no_token(desk: Desk) -> None:
    client = Client(desk, OwnState())
    with client.http.pretending(lambda *_: {"id": 1}) as sent:
        client.me()
    assert sent[0].headers["Authorization"] == "Bearer **********"
    assert desk.requests == []


def test_who_has_only_the_store_reads_no_token() -> None:
    provider = Provider("https://desk.example.com/token", CLIENT, SecretStr(SECRET))
    sealed = GrantedToken("access-token", "refresh-token").sealed(provider)
    assert b"token" not in sealed
    found = GrantedToken.opened(sealed, provider, 3)
    assert found is not None
    assert (found.access, found.refresh, found.version) == ("access-token", "refresh-token", 3)
    assert GrantedToken.opened(sealed, Provider(provider.token_url, CLIENT, SecretStr("another")), 3) is None


def test_a_token_of_a_newer_version_is_read() -> None:
    provider = Provider("https://desk.example.com/token", CLIENT, SecretStr(SECRET))
    newer = oauth._fernet(provider).encrypt(b'{"access": "a", "born": 1}')
    found = GrantedToken.opened(newer, provider, 1)
    assert found is not None
    assert found.access == "a"


def test_a_signed_jwt_asks_for_a_token() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    url = "https://oauth2.example.com/token"
    scope = "https://www.example.com/auth/sheets"
    said = Jwt(SecretStr(pem), issuer="relay@example.com", audience=url)
    provider = Provider(url, "relay@example.com", grant="jwt", jwt=said, scope=scope)
    asked = oauth.token_request(provider, None)
    assert set(asked) == {"grant_type", "assertion"}
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(asked["assertion"], key.public_key(), algorithms=["RS256"], audience=url)
    assert (claims["iss"], claims["scope"], claims["exp"] - claims["iat"]) == ("relay@example.com", scope, 3600)
    with pytest.raises(ConnectorRefused, match="private key cannot sign") as raised:
        oauth.token_request(Provider(url, "x", grant="jwt", jwt=Jwt(SecretStr("no key"), "a", url)), None)
    assert "no key" not in str(raised.value)


def test_a_client_may_prove_itself_in_a_header_and_speak_json(desk: Desk) -> None:
    client = Client(desk, OwnState(), in_header=True, as_json=True, scope="read write", extra={"resource": "x"})
    with pytest.raises(ConnectorRefused):  # the fake wants it in the body
        client.me()
    [request] = desk.requests
    assert request.body == {"grant_type": "client_credentials", "scope": "read write", "resource": "x"}
    assert request.headers["authorization"].startswith("Basic ")
