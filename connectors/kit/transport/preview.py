"""What would be sent, when nothing is: a connector makes the answers up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.kit.files.streaming import StreamedBody

#: Makes up the JSON that answers a method, a path and a JSON body.
Imagine = Callable[[str, str, Any], Any]


@dataclass(frozen=True)
class Sent:
    """A request as it would be sent. `body` is JSON, or text where it is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any


def made_up(request: requests.PreparedRequest, imagine: Imagine, sent: list[Sent]) -> requests.Response:
    """Note a request and make its answer up."""
    body: Any = request.body.decode() if isinstance(request.body, bytes) else request.body
    if isinstance(body, StreamedBody):
        body = body.shown
    else:
        with suppress(ValueError):
            body = json.loads(body) if body else None
    sent.append(Sent(request.method or "", request.url or "", dict(request.headers), body))
    answer = requests.Response()
    answer.status_code = 200
    answer._content = json.dumps(imagine(request.method or "", urlsplit(request.url or "").path, body)).encode()  # noqa: SLF001
    return answer
