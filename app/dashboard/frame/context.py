"""What every page of the dashboard is given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.config.editing.door import Door
from core.config.environment import Environment
from core.config.reload import Watched
from core.store import Access, Control, Ledger, RateLimit, Store
from core.store.connection.client import Client


@dataclass(frozen=True)
class Site:
    """`client` is for the parts of the store that a page needs and others do not; `config_door` leads to relay.yaml."""

    env: Environment
    watched: Watched
    store: Store
    control: Control
    ledger: Ledger
    access: Access
    rate_limit: RateLimit
    client: Client
    config_door: Door
    #: A check may take a minute, and the threads of this process are the receiver's too.
    checking: threading.BoundedSemaphore = field(default_factory=threading.BoundedSemaphore)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other check is running; none is started meanwhile."""
        free = self.checking.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self.checking.release()
