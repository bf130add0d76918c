from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import MISSING, Tab, chromium, program


# As long as this folder: while it is open, no other test of this process may run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = program()
    if path is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=15_000)
    with chromium(path) as opened:
        yield opened


@pytest.fixture(scope="package")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminsRelay]:
    """A relay with a password, a receiver, a worker and destinations. All files share it that make none of their own:
    what a test needs it makes, under names of its own, and what others would trip over it clears away."""
    with admins_relay(tmp_path_factory.mktemp("site") / "relay") as made:
        yield made


@pytest.fixture
def open_tab(browser: Browser, site: AdminsRelay) -> Iterator[Callable[..., Tab]]:
    """`open_tab(size=…, theme=…, scripts=…)`: a window of a stranger. Each has to have been quiet in the end."""
    tabs: list[Tab] = []

    def opened(**options: Any) -> Tab:
        tabs.append(Tab(browser, site.home, **options))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.close()
    for tab in tabs:
        tab.quiet()


@pytest.fixture
def tab(open_tab: Callable[..., Tab], site: AdminsRelay) -> Tab:
    """A window of the admin."""
    made = open_tab()
    made.log_in(site.password)
    return made
