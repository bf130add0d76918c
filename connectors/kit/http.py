"""How connectors speak HTTP: connections, time-outs, and the short horizon of retry.

Every request has a time-out for connecting and for each read, and an end for the whole attempt, which stays below
what a worker's lease allows. Redirects are not followed. Nothing is taken from ~/.netrc.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidSchema, RequestException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_random_exponential,
)
from urllib3.exceptions import HTTPError

from connectors.kit.auth.credentials import NOTHING, Credentials, Options
from connectors.kit.auth.tokens import is_refused
from connectors.kit.files.streaming import StreamedBody
from connectors.kit.reply import Reply
from connectors.kit.responses import READ, refusal, shown, unanswered, without_frames, words
from connectors.kit.transport.adapter import Transport
from connectors.kit.transport.attempt import KEPT, KEPT_FAILED, Attempts
from connectors.kit.transport.preview import Imagine, Sent, made_up
from core.config.environment import Network
from core.delivery import Exchange
from core.errors import DeliveryError, RetryLater

CONNECT_SECONDS = 5.0
#: A longer wait than this, in seconds, is the lane's to do and not a worker's.
SHORT_WAIT = 5.0
SHORT_TRIES = 3
#: Bytes of an answer that are read. More is no answer to anything we ask.
ANSWER_LIMIT = 8 * 1024 * 1024

#: What requests' own sessions send, and our name. Only gzip and deflate are understood without further packages.
_HEADERS = {
    "User-Agent": "relay-for-smartsupp",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
}


#: Decides what an answer means: an error, or None for a success.
Judge = Callable[[requests.Response], DeliveryError | None]
#: Takes what is answered piece by piece, where it is no answer to be read but a file.
Into = Callable[[requests.Response, Iterator[bytes]], None]


class Http(Attempts):
    """Requests of one connector. Threads share it, and its connections."""

    def __init__(
        self,
        *,
        timeout: float,
        allow_networks: Sequence[Network] = (),
        judge: Judge | None = None,
        mask: Callable[[str], str] = str,
        credentials: Callable[[], Credentials] = lambda: NOTHING,
    ) -> None:
        super().__init__()
        self._timeout = timeout
        self._mask = mask
        self._credentials = credentials
        self._judge: Judge = judge or (
            lambda answer: None if answer.status_code // 100 == 2 else refusal(answer, mask=mask, speaks_json=False)
        )
        self._transport = Transport(allow_networks, self._clock.left)
        # Made once: they hold nothing of a request.
        self._repeating = {safe: self._repeats(safe) for safe in (True, False)}
        self._imagine: tuple[Imagine, list[Sent]] | None = None

    @contextmanager
    def pretending(self, imagine: Imagine) -> Iterator[list[Sent]]:
        """Nothing is sent meanwhile, by any thread: `imagine` answers, and the list fills with what would be."""
        sent: list[Sent] = []
        self._imagine = (imagine, sent)
        try:
            yield sent
        finally:
            self._imagine = None

    @property
    def is_pretending(self) -> bool:
        return self._imagine is not None

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._transport.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        repeatable: bool | None = None,
        judge: Judge | None = None,
        **options: Any,
    ) -> requests.Response:
        """Send a request with the connector's credentials and return its answer when that is a success; else raise what
        it means. Where the credentials are refused and others can be had, it is sent once more.

        `repeatable` says that doing it twice does no harm, which is the default for GET, HEAD and OPTIONS. `judge`
        decides what the answer means, instead of the connector's own. `into` is given the body of a success, which is
        then empty. Other `options` are those of requests. Raises RetryLater, RecordRefused, ConnectorRefused.
        """
        safe = method in ("GET", "HEAD", "OPTIONS") if repeatable is None else repeatable
        # When it is over, nothing is sent any more, and nothing is noted as sent.
        self._clock.left()
        credentials, judged = self._credentials(), judge or self._judge
        signed = credentials.sign(options)
        try:
            return self._repeating[safe](self._once, method, url, judged, signed)
        except DeliveryError as refused:
            if not is_refused(refused) or not credentials.renew(signed):
                raise
        return self._repeating[safe](self._once, method, url, judged, credentials.sign(options))

    def unsigned(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request without credentials, of which nothing is kept but its status, and return its answer, whatever
        it is: to an endpoint that gives tokens. Raises RetryLater."""
        self._clock.left()
        return self._repeating[True](self._once, method, url, _taken, options, True)

    def json(self, method: str, url: str, **options: Any) -> Any:
        """The same, and the JSON of the answer; None when the answer is empty."""
        answer = self.request(method, url, **options)
        if not answer.content.strip():
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError):
            said = words(self._mask(answer.content[:READ].decode("utf-8", "replace")))
            raise RetryLater(f"expected JSON, got {said}", status=answer.status_code) from None

    def reply(self, method: str, url: str, **options: Any) -> Reply:
        """The same, wrapped: to read what is not there raises RetryLater, with the path."""
        return Reply(self.json(method, url, **options))

    def _repeats(self, safe: bool) -> Retrying:
        return Retrying(
            retry=retry_if_exception(lambda error: _worth_repeating(error, safe)),
            stop=lambda state: state.attempt_number >= SHORT_TRIES or state.upcoming_sleep >= self._clock.remaining(),
            wait=_wait,
            reraise=True,
        )

    def _once(self, method: str, url: str, judge: Judge, options: Options, private: bool = False) -> requests.Response:
        started = time.monotonic()
        answer: requests.Response | None = None
        problem = ""
        try:
            answer = self._open(method, url, options)
            into: Into | None = options.get("into")
            if answer.raw is not None and (into is None or answer.status_code // 100 != 2):
                _read(answer)
            elif into is not None:
                _pass_on(answer, into)
            error = judge(answer)
            if error is not None:
                raise error
            return answer
        except DeliveryError as error:
            problem = str(error)
            raise
        except (RequestException, HTTPError, OSError, UnicodeError) as error:
            failure = unanswered(error, url, answer)
            problem = str(failure)
            try:
                raise failure from without_frames(error)
            finally:
                del failure
        finally:
            code = answer.status_code if answer is not None else None
            elapsed = round((time.monotonic() - started) * 1000)
            limit = 0 if private else KEPT_FAILED if problem else KEPT
            sent, answered = self._kept(answer, options, limit)
            place = self._mask(shown(url))
            self._own.exchanges.append(Exchange(method, place, code, elapsed, self._mask(problem), sent, answered))

    def _kept(self, answer: requests.Response | None, options: Mapping[str, Any], limit: int) -> tuple[str, str]:
        """What went out and what came back, for people to read. Masked before it is cut: half a secret is one too."""
        body: Any = answer.request.body if answer is not None and answer.request is not None else options.get("data")
        if isinstance(body, StreamedBody):
            body = str(body)
        if body is None and answer is None and options.get("json") is not None:
            body = json.dumps(options["json"])
        back = answer.content if answer is not None and answer._content else b""  # noqa: SLF001  # what was read of it
        return tuple(self._mask(_readable(text))[:limit] for text in (body, back))  # type: ignore[return-value]  # two of them

    def _open(self, method: str, url: str, options: Options) -> requests.Response:
        left = self._clock.left()
        request = _Request()
        patience = options.get("timeout") or self._timeout
        given = {name: value for name, value in options.items() if name not in ("timeout", "into")}
        request.prepare(method, url, **{**given, "headers": {**_HEADERS, **(options.get("headers") or {})}})
        if urlsplit(url).scheme.lower() not in ("http", "https"):
            raise InvalidSchema(url)
        if self._imagine:
            return made_up(request, *self._imagine)
        timeout = (min(CONNECT_SECONDS, left), min(patience, left))
        # Not a session's: merging cookies, parameters, hooks and redirects that nothing here ever has takes as long as
        # the request itself. And nothing of the environment: an entry in ~/.netrc would replace the connector's own
        # credentials.
        return self._transport.send(request, timeout=timeout, stream=True, verify=_authorities())


def _taken(answer: requests.Response) -> None:
    """Whatever it is, the caller reads it."""


class _Request(requests.PreparedRequest):
    def prepare_cookies(self, cookies: object) -> None:
        """None: nothing is kept from one delivery to the next."""


def _authorities() -> str | bool:
    """Who may sign certificates: the file that the environment names, or certifi's."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    while piece := answer.raw.read1(65536, decode_content=True):
        yield piece


def _pass_on(answer: requests.Response, into: Into) -> None:
    """Nothing of the answer's body stays here."""
    answer._content = b""  # noqa: SLF001  # so that requests reads none
    try:
        into(answer, _pieces(answer))
    except BaseException:
        answer.close()
        raise
    answer.raw.release_conn()


def _read(answer: requests.Response) -> None:
    """Read the answer's body, up to the limit."""
    parts, size = [], 0
    for part in _pieces(answer):
        size += len(part)
        if size > ANSWER_LIMIT:
            answer.close()
            raise RetryLater(f"the answer is longer than {ANSWER_LIMIT} bytes", status=answer.status_code)
        parts.append(part)
    # What requests does itself when it reads a body, which it cannot do within a limit.
    answer._content = b"".join(parts)  # noqa: SLF001
    answer.raw.release_conn()


def _readable(body: Any) -> str:
    """The beginning of a body as text, long enough to be masked and then cut."""
    if isinstance(body, bytes):
        return body[:READ].decode("utf-8", "replace")
    return body[:READ] if isinstance(body, str) else ""


def _worth_repeating(error: BaseException, safe: bool) -> bool:
    if not isinstance(error, RetryLater):
        return False
    return (safe or error.untaken) and (error.retry_after or 0) <= SHORT_WAIT


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RetryLater) and error.retry_after is not None:
        return error.retry_after
    return _backoff(state)


_backoff = wait_random_exponential(multiplier=0.2, max=2)
