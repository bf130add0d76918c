"""What comparisons with Smartsupp's API have found, for the overview and `relay status`."""

from __future__ import annotations

from dataclasses import dataclass

from core.config.settings import Settings
from core.store import Client
from core.store.sources.catch_ups import CatchUp, CatchUps
from core.wording.sentence import say_n

#: Days in which chats that the hook never sent are counted.
MISSING_DAYS = 7


@dataclass(frozen=True)
class SecondSource:
    """`missing` chats were never sent by the hook, and fetched; compared last `at` (ms), or 0. `silent` are accounts
    whose hook sends nothing; `open` is what is being fetched."""

    missing: int
    at: int
    silent: tuple[str, ...]
    open: tuple[CatchUp, ...]

    @property
    def sentence(self) -> str:
        """For people, or ""."""
        if not self.missing:
            return ""
        return say_n(
            "%(count)s chat that Smartsupp's hook never sent was fetched from its API in the last %(days)s days",
            "%(count)s chats that Smartsupp's hook never sent were fetched from its API in the last %(days)s days",
            self.missing,
            days=MISSING_DAYS,
        )


def second_source(client: Client, settings: Settings | None) -> SecondSource | None:
    """None: no account has an API. Raises StoreUnavailable."""
    names = {name for name, account in settings.accounts.items() if account.api} if settings else set()
    if not names:
        return None
    catch_ups = CatchUps(client)
    found = {name: one for name, one in catch_ups.comparisons().items() if name in names}
    return SecondSource(
        catch_ups.missing(MISSING_DAYS),
        max((one.at for one in found.values()), default=0),
        tuple(sorted(name for name, one in found.items() if one.silent)),
        tuple(one for one in catch_ups.open() if one.kind == "backfill" or one.error),
    )
