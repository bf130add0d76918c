"""What every page of the dashboard is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.environment import Environment
from core.store import Access, Ledger, Store
from core.store.client import Client
from core.watch import Watched


@dataclass(frozen=True)
class Site:
    """`client` is for the parts of the store that a page needs and others do not; `knock` tells a worker that a lane
    has work, as `workers.celery.knocker` makes it."""

    env: Environment
    watched: Watched
    store: Store
    ledger: Ledger
    access: Access
    client: Client
    knock: Callable[[str], None]
