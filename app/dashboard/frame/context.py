"""What every page of the dashboard is given."""

from __future__ import annotations

from dataclasses import dataclass

from core.config.environment import Environment
from core.config.reload import Watched
from core.store import Access, Control, Ledger, RateLimit, Store
from core.store.connection.client import Client


@dataclass(frozen=True)
class Site:
    """`client` is for the parts of the store that a page needs and others do not."""

    env: Environment
    watched: Watched
    store: Store
    control: Control
    ledger: Ledger
    access: Access
    rate_limit: RateLimit
    client: Client
