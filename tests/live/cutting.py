"""A proxy in front of a real system that loses answers: the system has done what was asked, and nobody hears of it."""

from __future__ import annotations

import random
import threading
from types import TracebackType

import requests

from tests.support.destination import Destination, Handler

_HOP = {"connection", "host", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"}


class Cutting:
    """`with Cutting(url, share=0.1) as proxy:` — `proxy.url`, and `proxy.lost`: what wrote and was not answered."""

    def __init__(self, url: str, share: float) -> None:
        self._behind, self._share = url, share
        self._luck = random.Random(14)
        self._lock = threading.Lock()
        self._there = Destination()
        self._there.behaviour = self._forward
        self.url = self._there.url.removesuffix("/hook")
        self.lost: list[str] = []

    def _forward(self, handler: Handler, number: int) -> None:
        received = self._there.received[number]
        headers = {name: value for name, value in received.headers.items() if name not in _HOP}
        answer = requests.request(
            received.method,
            self._behind + received.path,
            data=received.body,
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        with self._lock:
            lose = received.method != "GET" and self._luck.random() < self._share
            if lose:
                self.lost.append(f"{received.method} {received.path}")
        if lose:
            handler.cut()
        else:
            kept = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
            handler.answer(answer.status_code, answer.content, **kept)

    def __enter__(self) -> Cutting:
        self._there.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._there.__exit__(kind, error, trace)
