"""The senders: several clients that post at a steady rate, and remember what they were told."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count

import requests

from tests.faults.connector import POISON
from tests.faults.desk import REFUSED
from tests.support.stack import chat, until

CLIENTS = 6
#: Posts in a second, of all of them together.
RATE = 20
#: Seconds. Longer than a receiver takes to say that it could not keep a body, so that a client's posts stay in order.
PATIENCE = 30

#: Who writes in all of these chats, by email.
VISITOR = "ann@example.com"

NONSENSE = b"no conversation: "


@dataclass(frozen=True)
class Post:
    """One post and its answer. `conversation` is "" for nonsense; `status` is None when there was no answer."""

    conversation: str
    serial: int
    status: int | None
    id: str
    at: float
    body: bytes = field(default=b"", repr=False)

    @property
    def accepted(self) -> bool:
        return self.status is not None and self.status // 100 == 2


class Load:
    """`with Load(hook, "row") as load:` posts all the while. `load.posts` is what the clients saw."""

    def __init__(self, hook: str, name: str) -> None:
        self.posts: list[Post] = []
        #: The conversations that kill.
        self.poisonous: set[str] = set()
        self._hook, self._name = hook, name
        self._over = threading.Event()
        self._poison = threading.Event()
        # Each client has its own while it posts.
        self._locks = [threading.Lock() for _ in range(CLIENTS)]
        self._threads = [
            threading.Thread(target=self._client, args=(f"{name}-{number}", lock))
            for number, lock in enumerate(self._locks)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody posts meanwhile, and everybody who did has an answer, or none."""
        with ExitStack() as held:
            for lock in self._locks:
                held.enter_context(lock)
            yield

    def post_again(self, since: float) -> None:
        """Post what was accepted since then (monotonic seconds) once more, in its order: somebody has a list of it. The
        answers of now take the place of those that were given then. While nobody else posts."""
        session = _session()
        forgotten = [one for one in self.posts if one.accepted and one.at >= since]
        self.posts = [one for one in self.posts if one not in forgotten]
        for one in forgotten:
            self._post(session, one.conversation, one.serial, one.body)

    def poison(self) -> None:
        """Let the next conversation be one that kills."""
        self._poison.set()

    def accepted(self, since: float = 0.0) -> int:
        return sum(1 for post in list(self.posts) if post.accepted and post.at >= since)

    def until_accepted(self, seconds: float = 30.0) -> None:
        """Wait for a post that is accepted from now on."""
        since = time.monotonic()
        until(lambda: self.accepted(since), seconds, what="a post that is accepted")

    def _client(self, name: str, lock: threading.Lock) -> None:
        session = _session()
        serials = count(1)
        known: list[tuple[str, str, int]] = []
        last: tuple[str, int, bytes] | None = None
        due = time.monotonic() + random.uniform(0, CLIENTS / RATE)
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + CLIENTS / RATE, time.monotonic())
            with lock:
                dice = random.random()
                serial = next(serials)
                if last and dice < 0.05:  # the same body once more
                    self._post(session, *last)
                    continue
                if dice < 0.1:
                    self._post(session, "", serial, NONSENSE + f"{name} {serial}".encode())
                    continue
                if known and dice < 0.35:  # it goes on
                    conversation, visitor, began = random.choice(known[-10:])
                else:
                    began = round(time.time() * 1000)
                    conversation, visitor = f"{name}-{serial}", REFUSED if dice > 0.97 else "Ann"
                    if self._poison.is_set():
                        self._poison.clear()
                        visitor = POISON
                        self.poisonous.add(conversation)
                    known.append((conversation, visitor, began))
                last = (conversation, serial, _body(conversation, serial, visitor, began))
                self._post(session, *last)

    def _post(self, session: requests.Session, conversation: str, serial: int, body: bytes) -> None:
        status, identity = None, ""
        try:
            answer = session.post(self._hook, data=body, timeout=PATIENCE)
            status = answer.status_code
            identity = answer.json().get("id", "")
        except (requests.RequestException, ValueError):
            pass
        self.posts.append(Post(conversation, serial, status, identity, time.monotonic(), body))


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _body(conversation: str, serial: int, visitor: str, began: int) -> bytes:
    sent = round(time.time() * 1000)
    message = {"type": "visitor", "from": "visitor:mx1", "content": str(serial), "sentAt": sent}
    person = {"id": 7, "name": visitor, "email": VISITOR}
    return chat(conversation, beginAt=began, messages=[message], visitor=person)


def serial(body: bytes) -> tuple[str, int]:
    """Whose body it is, and the how manyth of its client: ("", 0) for nonsense."""
    if body.startswith(NONSENSE):
        return "", 0
    payload = json.loads(body)
    return payload["channel"]["id"], int(payload["messages"][0]["content"])
