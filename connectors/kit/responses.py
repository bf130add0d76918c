"""What an answer means, or the lack of one: the status -> error table, and the vendor's own words."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Container, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import ReadTimeoutError

from connectors.kit.transport.connection import NotConnected
from core.errors import ConnectorRefused, DeliveryError, Intercepted, RecordRefused, RetryLater, TimedOut

#: Characters of an answer that are kept in an error.
QUOTE = 300
#: Bytes of a body that are looked at for that: far more, so that no secret is cut before it is masked.
READ = 65_536

Verdict = type[RetryLater] | type[RecordRefused] | type[ConnectorRefused]

#: What a status means unless a connector's own table says otherwise; then the hundreds.
STATUS: Mapping[int, Verdict] = {
    401: ConnectorRefused,
    402: ConnectorRefused,
    403: ConnectorRefused,
    # The address is wrong, or gone: that is so for every record, and nothing should die of it.
    404: ConnectorRefused,
    405: ConnectorRefused,
    407: ConnectorRefused,
    408: RetryLater,
    410: ConnectorRefused,
    421: RetryLater,
    423: RetryLater,
    425: RetryLater,
    429: RetryLater,
}
_HUNDREDS: Mapping[int, Verdict] = {1: RetryLater, 3: ConnectorRefused, 4: RecordRefused, 5: RetryLater}


#: What firewalls and proxies answer in a vendor's place, to a request that they dislike. Of the credentials it says
#: nothing.
_INTERCEPTED = frozenset({401, 403, 404, 405, 406, 407, 410, 418, 451})
#: Where the vendor speaks JSON, no refusal of its own is a page: proxies have more of them (400, 409, 426, 428, 444,
#: 495, 499). But what is too long for the proxy today is so tomorrow.
_PROXIES = frozenset(range(400, 500)) - {413, 414}


def refusal(
    answer: requests.Response,
    table: Mapping[int, Verdict] = STATUS,
    mask: Callable[[str], str] = str,
    *,
    speaks_json: bool = True,
    own: Container[int] = (),
) -> DeliveryError:
    """The error that an answer means, with the vendor's own words; `mask` takes secrets out before they are cut.

    `speaks_json`: whatever is not JSON was written by somebody else than the vendor; else only pages of HTML were.
    Of the statuses in `own` nothing was.
    """
    code = answer.status_code
    # Not answer.text, which guesses the encoding of megabytes.
    said = words(mask(answer.content[:READ].decode("utf-8", "replace")))
    text = f"HTTP {code} {words(mask(answer.reason or ''))}".rstrip() + (f": {said}" if said else "")
    verdict = table.get(code) or _HUNDREDS.get(code // 100, RetryLater)
    if code // 100 == 3 and "Location" in answer.headers:
        place = words(mask(shown(answer.headers["Location"])))
        return ConnectorRefused(f"HTTP {code}: the address has moved to {place}; use that in relay.yaml", status=code)
    possible = _PROXIES if speaks_json else _INTERCEPTED
    if verdict is not RetryLater and code in possible and code not in own and _is_foreign(answer, speaks_json):
        return Intercepted(f"HTTP {code} from a firewall or proxy, not from the destination: {said}", status=code)
    if verdict is RetryLater:
        # A 429 was surely not acted upon; of a 5xx nobody knows.
        kind = TimedOut if code == 504 else RetryLater
        return kind(text, status=code, retry_after=retry_after(answer.headers), untaken=code == 429)
    return verdict(text, status=code)


def _is_foreign(answer: requests.Response, speaks_json: bool) -> bool:
    body = answer.content.strip()
    if not body or not speaks_json:
        return body.startswith(b"<")
    try:
        answer.json()
    except (ValueError, RecursionError):
        return True
    return False


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds that Retry-After asks for, given as seconds or as a date (RFC 9110, 10.2.3); None without it."""
    value = headers.get("Retry-After", "").strip()
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def shown(url: str) -> str:
    """An address for people to read: no credentials, no query, which may hold some."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def unanswered(error: Exception, url: str, answer: requests.Response | None) -> DeliveryError:
    """A request without a whole answer. Nothing was sent when not even a connection was made."""
    if isinstance(error, requests.exceptions.InvalidHeader | UnicodeEncodeError):
        return ConnectorRefused(
            "a header cannot be sent: the credentials contain a character that is not allowed there"
        )
    if isinstance(error, InvalidURL | InvalidSchema | MissingSchema | UnicodeError):
        return ConnectorRefused(f"{shown(url)} is not a valid address")
    unsent = isinstance(error, NotConnected | requests.exceptions.ConnectTimeout)
    code = answer.status_code if answer is not None else None
    late = any(isinstance(cause, requests.exceptions.ReadTimeout | ReadTimeoutError) for cause in _causes(error))
    kind = TimedOut if late else RetryLater
    place = urlsplit(shown(url)).netloc
    return kind(f"{_reason(error, place)} ({place})", status=code, untaken=unsent)


def without_frames(error: Exception) -> Exception:
    """The error and what it came from, without the frames of the stack that they went through: those hold request and
    answer, and the error itself, so that nothing of it goes before the next search for garbage."""
    for one in _causes(error):
        one.__traceback__ = None
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it wraps, and what it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        wrapped = getattr(error, "reason", None) or next(iter(error.args), None)
        error = wrapped if isinstance(wrapped, BaseException) else error.__cause__ or error.__context__


#: What the system says of a connection that failed -> the sentence, with what to do.
_ERRNO: Mapping[int, str] = {
    errno.ECONNREFUSED: "the server refused the connection; is it running?",
    errno.ECONNRESET: "the server closed the connection without a response",
    errno.EPIPE: "the server closed the connection without a response",
    errno.ECONNABORTED: "the server closed the connection without a response",
    errno.EHOSTUNREACH: "the server cannot be reached; check the address and the network",
    errno.ENETUNREACH: "the server cannot be reached; check the address and the network",
    errno.ETIMEDOUT: "no connection in time",
    errno.EADDRNOTAVAIL: "this machine has no free port for the connection",
    errno.EMFILE: "too many files are open",
}
#: What OpenSSL says, in part -> the same.
_TLS: Mapping[str, str] = {
    "hostname mismatch": "the certificate is for another name; check the address",
    "ip address mismatch": "the certificate is for another name; check the address",
    "certificate has expired": "the certificate has expired; renew it at the destination",
    "certificate verify failed": "the certificate is not from a trusted authority; name its file in REQUESTS_CA_BUNDLE",
    "wrong_version_number": "the port does not use TLS; check the port",
    "record layer failure": "the port does not use TLS; check the port",
}


def _reason(error: Exception, place: str) -> str:
    """Why there is no answer, in a sentence; the words of Python and of the system are for programmers."""
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "no response in time"
    if isinstance(error, requests.exceptions.SSLError) or any(isinstance(one, ssl.SSLError) for one in causes):
        said = " ".join(map(str, causes)).lower().replace("wrong version number", "wrong_version_number")
        return next((text for part, text in _TLS.items() if part in said), "TLS failed; check the address and the port")
    return next(filter(None, (_sentence(one, place) for one in reversed(causes))), "the connection failed")


def _sentence(cause: BaseException, place: str) -> str:
    if isinstance(cause, socket.gaierror):
        if cause.errno == socket.EAI_AGAIN:
            return "the name server does not respond"
        return f"{urlsplit(f'//{place}').hostname} does not exist (DNS); check the domain"
    if isinstance(cause, TimeoutError):
        # Ours say what took too long (connectors/kit/resolver.py).
        return words(str(cause)) if cause.errno is None and str(cause) else "no response in time"
    if isinstance(cause, RemoteDisconnected):
        return "the server closed the connection without a response"
    if isinstance(cause, IncompleteRead):
        return "the response is incomplete"
    return _ERRNO.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""


def words(text: str) -> str:
    """The beginning of a stranger's text, on one line and without what steers a terminal."""
    return " ".join("".join(one for one in text[: 4 * QUOTE] if one.isprintable() or one.isspace()).split())[:QUOTE]
