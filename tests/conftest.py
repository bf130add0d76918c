from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from core.store import Ledger, Store, connect
from core.store.protocol.keys import key
from tests.support import compiled, lanes
from tests.support.destination import Destination
from tests.support.forked import forked
from tests.support.server import Server
from tests.support.stack import Stack, stack

# The option --update-golden, and assertions that say what they compared.
pytest_plugins = ["connectors.testing.contract"]

compiled.share()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lanes.mark(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with lanes.alone(item):
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything has to run: a skip there hides something that is missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("In CI nothing may be skipped.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: Server) -> Server:
    """A real server, empty."""
    shared_server.empty()
    return shared_server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A real server that this test may kill, freeze and fill."""
    server = Server(tmp_path / "own").start()
    yield server
    server.kill()


class Clock:
    """Milliseconds that a test moves by hand. While they pass, some worker is alive: `server` hears of it."""

    def __init__(self, server: Server | None = None) -> None:
        self.now = 1_700_000_000_000
        self._server = server

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        if self._server:
            self._server.client.set(key("steady"), "1", px=3000)


@pytest.fixture
def clock(shared_server: Server) -> Clock:
    return Clock(shared_server)


@pytest.fixture
def woken() -> list[str]:
    """The lanes for which `store` has woken the workers."""
    return []


@pytest.fixture
def store(server: Server, clock: Clock, woken: list[str]) -> Store:
    return Store(connect(server.url, wake_up=woken.append), clock)


@pytest.fixture
def ledger(server: Server) -> Ledger:
    return Ledger(connect(server.url))


@pytest.fixture
def destination() -> Iterator[Destination]:
    with Destination() as there:
        yield there


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Stack]:
    """A server and what is needed to run the rest; nothing else runs yet."""
    with stack(tmp_path / "relay", forked) as made:
        yield made
