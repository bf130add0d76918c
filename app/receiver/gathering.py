"""Posts that came at the same moment go to the store in one journey, and share one wait for the disk (docs/adr/0013).

Each is worked on by a greenlet, all of them in one thread: it runs until it has a body to give to the store, and goes
on when the store has said that it is kept. While the thread waits for the store, the next ones gather.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from greenlet import getcurrent, greenlet

from core.errors import StoreUnavailable
from core.store import Accepted, Received, Store
from core.store.accept import JOURNEY_BODIES, JOURNEY_BYTES

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Gathering:
    """`accept` and `aside` are for whoever runs in a greenlet of it; anybody else is answered as if it were not there.

    `journeys` is the store that the thread speaks to: it must not wait for a wake-up either. `threads` work on what may
    wait for something else.
    """

    def __init__(self, store: Store, journeys: Store, threads: int) -> None:
        self._store, self._journeys = store, journeys
        self._aside = ThreadPoolExecutor(threads, "hook")
        #: What the thread is to do next: begin a greenlet, or let one go on.
        self._next: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._asked: list[tuple[greenlet, Received]] = []
        self._ended: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        self._hub: greenlet | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="gathering", daemon=True).start()

    def work(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do this in a greenlet. For an event loop, whose future it returns."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            found, error = None, None
            try:
                found = work()
            except BaseException as raised:  # noqa: BLE001  # it is the future's
                error = raised
            self._ended.append((future, found, error))

        self._next.put(lambda: greenlet(run, self._hub).switch())
        return future

    def accept(self, body: bytes, account: str = "", content_type: str = "", origin: str = "") -> Accepted:
        """As the store's. Raises StoreUnavailable."""
        here, hub = getcurrent(), self._hub
        if hub is None or here.parent is not hub:
            return self._store.accept(body, account, content_type, origin)
        self._asked.append((here, Received(body, account, content_type, origin, context=copy_context())))
        found: Accepted = hub.switch()
        return found

    def aside(self, work: Callable[[], T]) -> T:
        """Do in another thread what may take a while: in this one all the others would wait for it."""
        here, hub = getcurrent(), self._hub
        if hub is None or here.parent is not hub:
            return work()
        context = copy_context()

        def elsewhere() -> None:
            try:
                found = context.run(work)
            except BaseException as raised:  # noqa: BLE001  # it goes where it is waited for
                self._next.put(partial(here.throw, type(raised), raised))
            else:
                self._next.put(lambda: here.switch(found))

        self._aside.submit(elsewhere)
        back: T = hub.switch()
        return back

    def _run(self) -> None:
        self._hub = getcurrent()
        while True:
            for go in self._gathered():
                go()
            self._answer()
            while self._asked:
                self._keep(self._journey())
                self._answer()

    def _gathered(self) -> list[Callable[[], object]]:
        """What there is to do, at least one."""
        found = [self._next.get()]
        while True:
            try:
                found.append(self._next.get_nowait())
            except Empty:
                return found

    def _journey(self) -> list[tuple[greenlet, Received]]:
        """The next ones to go together, at least one."""
        size = count = 0
        for _, one in self._asked[:JOURNEY_BODIES]:
            size += len(one.body)
            if count and size > JOURNEY_BYTES:
                break
            count += 1
        asked, self._asked = self._asked[:count], self._asked[count:]
        return asked

    def _keep(self, asked: Sequence[tuple[greenlet, Received]]) -> None:
        found: Sequence[Accepted | Exception]
        try:
            found = self._journeys.accept_each([one for _, one in asked])
        except StoreUnavailable as error:
            found = [error] * len(asked)
        except Exception as error:
            log.exception("bug in a journey to the store")
            found = [error] * len(asked)
        for (waiting, _), one in zip(asked, found, strict=True):
            if isinstance(one, Exception):
                waiting.throw(type(one), one)
            else:
                waiting.switch(one)

    def _answer(self) -> None:
        """Hand over what has ended, to each loop in one step."""
        ended, self._ended = self._ended, []
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, BaseException | None]]] = {}
        for one in ended:
            by_loop.setdefault(one[0].get_loop(), []).append(one)
        for loop, ones in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_hand_over, ones)


def _hand_over(ended: Sequence[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, found, error in ended:
        if future.done():  # whoever waited has gone
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)
