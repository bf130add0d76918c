"""A help desk on loopback with a memory. Asked twice it makes two tickets, so a duplicate can be counted.

How it behaves is its `mood`, which may change at any time: what it does before, instead of or after what it was asked.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.destination import Destination, Handler

#: The visitor whose ticket the desk will not take.
REFUSED = "refused"

Answer = tuple[int, Any]
#: Deals with one request, given a function that does what was asked and returns the answer.
Mood = Callable[["Desk", Handler, Callable[[], Answer]], None]


@dataclass
class Ticket:
    id: int
    key: str
    texts: list[str] = field(default_factory=list)


class Desk(Destination):
    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = "key-of-the-desk-0"
        self.behaviour = self._serve
        self.clear()

    def clear(self) -> None:
        """An empty desk in a good mood."""
        self._tickets: list[Ticket] = []
        self._guard = threading.Lock()
        self.mood: Mood = healthy
        self.received.clear()
        self.served: Counter[str] = Counter()
        self.up = True

    def tickets(self) -> dict[str, list[Ticket]]:
        """What is there, by key."""
        found: dict[str, list[Ticket]] = {}
        for ticket in list(self._tickets):
            found.setdefault(ticket.key, []).append(ticket)
        return found

    def stop(self) -> None:
        """Nobody listens any more: connections are refused."""
        self.up = False
        self.shutdown()
        self.server_close()

    def start(self) -> None:
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self.up = True
        self.__enter__()

    def _serve(self, handler: Handler, number: int) -> None:
        if not self.up:
            drop(handler)
            return
        self.mood(self, handler, lambda: self._act(handler, number))

    def _act(self, handler: Handler, number: int) -> Answer:
        request = self.received[number]
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return 401, {"error": "who are you?"}
        path = urlsplit(request.path)
        with self._guard:
            self.served[request.method] += 1
            if request.method == "GET":
                (key,) = parse_qs(path.query)["key"]
                return 200, [{"id": one.id} for one in self._tickets if one.key == key]
            body = request.json()
            if request.method == "PUT":
                ticket = self._tickets[int(path.path.rpartition("/")[2])]
                ticket.texts.append(body["text"])
                return 200, {"id": ticket.id}
            if body["name"] == REFUSED:
                return 422, {"error": "not this one"}
            ticket = Ticket(len(self._tickets), body["key"])
            self._tickets.append(ticket)
            return 201, {"id": ticket.id}


def reply(handler: Handler, answer: Answer, **headers: str) -> None:
    handler.answer(answer[0], json.dumps(answer[1]).encode(), **headers)


def drop(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def healthy(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    # Long enough that something is in flight whenever something is killed; half before it acts, half after.
    time.sleep(random.uniform(0.01, 0.15))
    answer = act()
    time.sleep(random.uniform(0.01, 0.15))
    reply(handler, answer)


def failing(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """500, and every second time it has acted all the same."""
    if random.random() < 0.5:
        act()
    reply(handler, (500, {"error": "sorry"}))


def cutting(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """It acts, and the answer breaks off in the middle."""
    act()
    handler.cut()


def dropping(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """It acts, and nobody is told."""
    act()
    drop(handler)


def hanging(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """It says nothing for longer than anybody waits, and every second time it has acted all the same."""
    if random.random() < 0.5:
        act()
    desk.over.wait(5)
    drop(handler)


def late(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """It takes its time, but less than anybody waits."""
    answer = act()
    time.sleep(random.uniform(1, 1.8))
    reply(handler, answer)


def limiting(desk: Desk, handler: Handler, act: Callable[[], Answer]) -> None:
    """Too many requests: some may come back in a second, the others in two minutes."""
    reply(handler, (429, {"error": "slow down"}), Retry_After=random.choice(("1", "120")))
