"""The configuration of this process as it is now, with the connectors that are built from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector
from core.config.environment import Environment
from core.config.reload import Watched
from core.config.settings import Settings
from core.errors import ConfigError, Problem, StoreUnavailable
from core.gc_tuning import replaced
from core.store import INBOX, StoredState, connected
from core.store.claims import UNLIMITED, Limits
from core.store.sources.orders import source_lane
from core.supervised import SUPERVISED


@dataclass(frozen=True)
class Adopted:
    """Settings, and each enabled connector by its name."""

    settings: Settings
    connectors: Mapping[str, Connector[Any]]

    @property
    def lanes(self) -> tuple[str, ...]:
        sources = [source_lane(name) for name, account in self.settings.accounts.items() if account.api]
        return (INBOX, *self.connectors, *sources)

    def limits(self, lane: str) -> Limits:
        known = self.settings.connectors.get(lane)
        return Limits(known.concurrency, known.rate, known.per_day, known.day_over()) if known else UNLIMITED


class Configuration:
    """`now` is the one in force. `changed` is set when gates that closed under another one may be opened: at the start,
    too, as something may have been corrected while nobody ran."""

    def __init__(
        self,
        env: Environment,
        variables: Mapping[str, str],
        inherited: Settings | None = None,
        *,
        prepare: Callable[[Settings], object] = lambda _: None,
    ) -> None:
        """What is `inherited` is in force as it is, whatever the file says by now. `prepare` is called with a
        changed one before it comes into force, and may raise StoreUnavailable. Raises ConfigError."""
        self._data_dir, self._prepare = env.data_dir, prepare
        self._states = partial(StoredState, connected(env))
        self.changed = threading.Event()
        self.changed.set()
        self._watched: Watched | None = None
        if inherited is None:
            self._watched = Watched(
                env, registry.settings_model, variables, self._adopt, restarted=SUPERVISED in variables
            )
            inherited = self._watched.current()
        self.now = self._built(inherited)

    @property
    def trouble(self) -> str:
        """What is wrong with a change that was refused, or ""."""
        return self._watched.trouble if self._watched else ""

    def settings(self) -> Settings:
        return self.now.settings

    def follow(self, stopping: threading.Event) -> None:
        """Look for changes from a thread of its own: checking 10,000 routes takes longer than a lease lasts."""
        if self._watched:
            self._watched.follow(stopping)

    def _adopt(self, settings: Settings) -> None:
        """Take a changed configuration; attempts in flight end under the old one. Raises ConfigError."""
        built = self._built(settings)
        try:
            self._prepare(settings)
        except StoreUnavailable as error:
            text = f"cannot be adopted while the store is unavailable; next attempt in half a minute ({error})"
            raise ConfigError(settings.source, [Problem("", text)]) from None
        self.now = built
        self.changed.set()
        replaced()

    def _built(self, settings: Settings) -> Adopted:
        try:
            return Adopted(settings, registry.build(settings, self._data_dir, self._states))
        except Exception as error:  # a third party's constructor fails as it likes
            raise ConfigError(settings.source, [Problem("connectors", f"{type(error).__name__}: {error}")]) from error
