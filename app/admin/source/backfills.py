"""A backfill from Smartsupp's API as both faces begin it: counted first, then started for each account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from core.config.sections.source import Account
from core.config.settings import Settings
from core.smartsupp.api.client import REQUESTS_FOR_ONE
from core.store import Client
from core.store.sources.catch_ups import CatchUp, CatchUps
from workers.source.api import opened_api


@dataclass(frozen=True)
class PastChats:
    """Of each account how many there are by Smartsupp's count, or None; `seconds` that fetching them takes at least."""

    counts: Mapping[str, int | None]
    seconds: float

    @property
    def total(self) -> int | None:
        """None: an account's number is not known."""
        known = [count for count in self.counts.values() if count is not None]
        return sum(known) if len(known) == len(self.counts) else None


def accounts_with_api(settings: Settings) -> dict[str, Account]:
    """By their names."""
    return {name: account for name, account in settings.accounts.items() if account.api and account.account}


def count_past_chats(client: Client, accounts: Mapping[str, Account], since: int, until: int) -> PastChats:
    """Ask Smartsupp. Times are in ms. Raises DeliveryError, with the name of the account."""
    counts: dict[str, int | None] = {}
    lasts = [0.0]
    for name, account in accounts.items():
        api = opened_api(name, account, client)
        if api is None or account.api is None:
            continue
        counts[name] = api.total(_time(since), _time(until))
        lasts.append((counts[name] or 0) * REQUESTS_FOR_ONE / account.api.rate)
    return PastChats(counts, math.fsum(lasts))


def start_backfill(
    client: Client,
    accounts: Mapping[str, Account],
    since: int,
    until: int,
    *,
    by: str,
    connector: str = "",
    expected: Mapping[str, int | None] | None = None,
) -> list[CatchUp]:
    """Begin one for each account that has any chats of that time."""
    counts = expected or {}
    return [
        CatchUps(client).start(
            "backfill",
            name,
            account.account or "",
            since,
            until,
            by=by,
            connector=connector,
            expected=-1 if (count := counts.get(name)) is None else count,
        )
        for name, account in accounts.items()
        if counts.get(name) != 0
    ]


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
