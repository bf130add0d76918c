"""A child of the benchmarks: a shop with a year of chats, whose Smartsupp answers its API and posts hook and webhooks.

Run by benchmarks/backfill.py, in a process of its own, so that a year of made-up chats is in nobody else's memory.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.demo.shop import MadeChat, made_chat, moments
from tests.fakes.smartsupp import Luck, SmartsuppFake

#: What goes wrong on the way; and connections that post at once.
LUCK, CLIENTS = Luck(lost=0.05, doubled=0.05, late=0.3), 4
#: Of those that the hook posts, the share about which webhooks come, too; and of all, the newest ones, which come when
#: the backfill has its list.
_ABOUT, _NEWEST = 0.03, 0.01

_Posted = tuple[str, bytes, dict[str, str]]


class Shop:
    """`hooked` is the share of chats that the hook posts, the newest ones."""

    def __init__(self, smartsupp: SmartsuppFake, count: int, hooked: float) -> None:
        now = datetime.now(UTC)
        times = moments(now - timedelta(days=365), now - timedelta(days=2), count)
        self._smartsupp, self._dice = smartsupp, random.Random(11)  # noqa: S311  # dice that protect nothing
        #: Id at the API and id at the hook.
        self.ids: list[tuple[str, str]] = []
        self._hooked: list[MadeChat] = []
        self._newest: list[MadeChat] = []
        for number, began in enumerate(times):
            chat = made_chat(number, began)
            self.ids.append((chat.id, str(chat.hook["channel"]["id"])))
            if number >= count * (1 - hooked):
                self._hooked.append(chat)
            if number >= count * (1 - _NEWEST):
                self._newest.append(chat)
            else:
                smartsupp.add(chat)

    def add_newest(self) -> None:
        for chat in self._newest:
            self._smartsupp.add(chat)

    def posts(self, hook: str, webhooks: str) -> list[_Posted]:
        """What arrives, in its order."""
        about = [chat for chat in self._hooked if self._dice.random() < _ABOUT]
        bodies: list[_Posted] = [(hook, body, {}) for body in self._smartsupp.hooks(LUCK, self._hooked)]
        events: list[_Posted] = [(webhooks, *one) for one in self._smartsupp.webhooks(LUCK, about)]
        # Among each other in any order; the hook's keep theirs.
        places = sorted(self._dice.sample(range(len(bodies) + len(events)), len(events)))
        for place, one in zip(places, events, strict=True):
            bodies.insert(place, one)
        return bodies


class Poster:
    """Posts at a rate that keeps, once, as Smartsupp does: what got no answer is not posted again."""

    def __init__(self, port: int, posts: Sequence[_Posted], rate: float) -> None:
        self._port, self._posts, self._rate = port, posts, rate
        self._next = itertools.count()
        self._guard = threading.Lock()
        self._begun = time.monotonic()
        self.answers: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _post(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        for place, (path, body, headers) in self._mine():
            # A rate, which nobody could signal.
            time.sleep(max(0.0, self._begun + place / self._rate - time.monotonic()))
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                said = str(answer.status)
            except (OSError, http.client.HTTPException):  # it was killed
                connection.close()
                said = "none"
            with self._guard:
                self.answers[said] += 1

    def _mine(self) -> Iterator[tuple[int, _Posted]]:
        while (place := next(self._next)) < len(self._posts):
            yield place, self._posts[place]


def main() -> None:
    count, hooked = int(sys.argv[1]), float(sys.argv[2])
    with SmartsuppFake() as smartsupp:
        shop = Shop(smartsupp, count, hooked)
        poster: Poster | None = None
        _say({"base_url": smartsupp.base_url, "token": smartsupp.token, "ids": shop.ids})
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["do"] == "add":
                shop.add_newest()
                _say({})
            elif asked["do"] == "post":
                posts = shop.posts(asked["hook"], asked["webhooks"])
                poster = Poster(asked["port"], posts, asked["rate"])
                _say({"posts": len(posts), "lost": len(smartsupp.lost)})
            else:
                smartsupp.requests.clear()  # a year of them is not looked at
                done = {"over": poster.over(), "answers": dict(poster.answers)} if poster else {}
                _say(done)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
