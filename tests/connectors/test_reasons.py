"""Why a request got no answer, and what to do: sentences, and none of Python's or the system's own words."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from http.client import IncompleteRead, RemoteDisconnected

import pytest
import requests

from app.admin.checks import remedy
from connectors.kit.responses import unanswered
from core.errors import ConnectorRefused, DeliveryError, Intercepted, RecordRefused, RetryLater

URL = "https://lipatea.freshdesk.com/api"


def wrapped(cause: Exception, kind: type[Exception] = requests.exceptions.ConnectionError) -> Exception:
    """As requests hands it on."""
    error = kind("HTTPSConnectionPool(host='…', port=443): Max retries exceeded")
    error.__cause__ = cause
    return error


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def tls(text: str) -> Exception:
    return wrapped(ssl.SSLError(1, text), requests.exceptions.SSLError)


REASONS = {
    "refused": (wrapped(system(errno.ECONNREFUSED)), "the server refused the connection; is it running?"),
    "unknown": (wrapped(socket.gaierror(socket.EAI_NONAME, "x")), "lipatea.freshdesk.com does not exist (DNS)"),
    "no DNS": (wrapped(socket.gaierror(socket.EAI_AGAIN, "x")), "the name server does not respond"),
    "closed": (wrapped(RemoteDisconnected("x")), "the server closed the connection without a response"),
    "reset": (wrapped(system(errno.ECONNRESET)), "the server closed the connection without a response"),
    "no route": (wrapped(system(errno.EHOSTUNREACH)), "the server cannot be reached; check the address"),
    "cut": (wrapped(IncompleteRead(b"x", 5)), "the response is incomplete"),
    "connect": (requests.exceptions.ConnectTimeout("x"), "no connection in time"),
    "read": (requests.exceptions.ReadTimeout("x"), "no response in time"),
    "name": (tls("certificate verify failed: Hostname mismatch, certificate is not valid"), "is for another name"),
    "authority": (tls("certificate verify failed: self-signed certificate"), "name its file in REQUESTS_CA_BUNDLE"),
    "expired": (tls("certificate verify failed: certificate has expired"), "has expired; renew it"),
    "plain": (tls("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "the port does not use TLS"),
    "other": (wrapped(system(errno.EXDEV)), "the connection failed"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_request_without_an_answer_says_why_in_a_sentence(name: str) -> None:
    error, sentence = REASONS[name]
    text = str(unanswered(error, URL, None))
    assert sentence in text
    assert text.endswith("(lipatea.freshdesk.com)")
    assert not any(word in text for word in ("Error", "Errno", "Exception", "Disconnected", "HTTPSConnection", "SSL:"))


@pytest.mark.parametrize(
    ("error", "todo"),
    [
        (ConnectorRefused("HTTP 401", status=401), "replace the credentials"),
        (ConnectorRefused("HTTP 403", status=403), "missing permissions"),
        (ConnectorRefused("HTTP 404", status=404), "check the address"),
        (ConnectorRefused("HTTP 302", status=302), "check the address"),
        (RetryLater("HTTP 500", status=500), "try again later"),
        (RetryLater("HTTP 429", status=429), "lower rate"),
        (RetryLater("the server refused the connection"), "check the address in relay.yaml, or try again later"),
        (Intercepted("HTTP 403", status=403), "firewall or proxy"),
        (RecordRefused("HTTP 422", status=422), "check the address and the settings"),
    ],
)
def test_what_to_do_depends_on_the_cause(error: DeliveryError, todo: str) -> None:
    assert todo in remedy(error)
