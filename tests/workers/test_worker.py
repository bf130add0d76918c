"""How a worker starts, and what it does about an item that others may have died of."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from core.config import reload
from core.config.environment import environment
from core.config.loader import load
from core.ids import PayloadId
from core.store import INBOX, Claim, Ledger, Store, connect
from core.store.connection.client import TIMEOUTS
from core.store.protocol.constants import BEAT_MS, LEASE_MS, SUSPECT
from core.store.protocol.keys import key
from tests.e2e.test_pipeline import config, settled, webhook
from tests.support.destination import Destination, Handler
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import RELAY, Stack, chat, free_port, kill, until
from workers import delivery, isolation
from workers.lease_keeper import HUNG
from workers.runtime import Runtime


def suspected(relay: Stack) -> Store:
    """A delivery that is under suspicion and waits; `resume` lets it go."""
    store = Store(connect(relay.server.url))
    control(store).pause("hook", "until it is under suspicion")
    relay.store.accept(chat("c1"))
    until(lambda: relay.ledger.lane("hook").waiting, what="the delivery")
    relay.server.client.hset(key("delivery", "hook:1:c1"), "crashes", SUSPECT)
    return store


def in_the_way(relay: Stack) -> Path:
    """A file that keeps whatever is started there from now on from finding the package of the same name."""
    file = relay.folder / "workers.py"
    file.write_text("")
    return file


def crashes(relay: Stack) -> int:
    return int(relay.server.client.hget(key("delivery", "hook:1:c1"), "crashes") or 0)


def test_what_is_under_suspicion_is_delivered_while_the_configuration_is_broken(
    relay: Stack, destination: Destination
) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.worker()
    store = suspected(relay)
    relay.config.write_text("")
    control(store).resume("hook")
    settled(relay, "hook:1:c1", "delivered")
    assert "running in a separate process" in relay.logs()
    assert "cannot be passed to a separate process" not in relay.logs()
    assert "separate process did not start" not in relay.logs()
    assert len(destination.received) == 1


def test_a_process_that_cannot_start_is_not_held_against_what_is_under_suspicion(
    relay: Stack, destination: Destination
) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.constants["workers.lease_keeper.RETRY_SECONDS"] = 20
    relay.worker()
    store = suspected(relay)
    in_the_way(relay)
    control(store).resume("hook")
    until(lambda: "separate process did not start" in relay.logs(), what="a process that cannot start")
    first = relay.server.client.zscore(key("lane", "hook"), "hook:1:c1") or 0

    def held_for_longer_than_a_lease() -> bool:
        assert relay.ledger.lane("hook").in_flight == 1
        return (relay.server.client.zscore(key("lane", "hook"), "hook:1:c1") or 0) > first + LEASE_MS

    # The pause is longer than a lease: it is held meanwhile, and tried once only.
    until(held_for_longer_than_a_lease, what="a lease that is renewed")
    assert relay.logs().count("separate process did not start") == 1
    assert crashes(relay) == SUSPECT
    in_the_way(relay).unlink()
    settled(relay, "hook:1:c1", "delivered")
    assert len(destination.received) == 1


def test_what_is_held_for_a_while_is_given_back_by_a_worker_that_stops(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    worker = relay.worker()
    store = suspected(relay)
    in_the_way(relay)
    control(store).resume("hook")
    until(lambda: "separate process did not start" in relay.logs(), what="a process that cannot start")
    worker.terminate()
    assert worker.wait(timeout=90) == 0
    lane = relay.ledger.lane("hook")
    assert (lane.in_flight, lane.waiting) == (0, 1)
    assert crashes(relay) == SUSPECT


CLAIM = Claim(
    INBOX, PayloadId("p1"), "token", 2, more=False, payload=PayloadId("p1"), account="", received=0, body=chat()
)


def test_a_process_that_the_system_refuses_has_not_died_of_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(isolation.NotBegun, match="Resource temporarily unavailable"):
        isolation.run(CLAIM, 60)


@pytest.mark.processes
def test_a_worker_without_file_descriptors_has_nothing_against_an_item() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(isolation.NotBegun, match="Too many open files"):
            isolation.run(CLAIM, 60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.processes
def test_a_process_that_is_killed_or_too_slow_before_it_begins_has_not_died_of_an_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    for does, said, limit in (("kill -9 $$", "ended with -9", 60), ("exec sleep 60", "was not ready in time", 1)):
        python.write_text(f"#!/bin/sh\n{does}\n")
        python.chmod(0o755)
        with pytest.raises(isolation.NotBegun, match=said):
            isolation.run(CLAIM, limit)


@pytest.mark.processes
def test_a_process_that_dies_or_is_too_slow_once_it_has_begun_is_held_against_its_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    # A shell begins at once, so that the time is over when it has begun.
    for does, limit in (("kill -9 $$", 60), ("exec sleep 60", 3)):
        python.write_text(f"#!/bin/sh\nprintf ! > /dev/fd/$3\n{does}\n")
        python.chmod(0o755)
        assert not isolation.run(CLAIM, limit)


def test_a_process_has_time_for_an_attempt_and_for_a_server_that_is_away_afterwards() -> None:
    journey: float = TIMEOUTS["socket_timeout"]
    starting = 5
    assert starting + ATTEMPT_SECONDS + delivery.PATIENCE + journey <= isolation.APART
    # As long as that, its lease is renewed.
    assert HUNG > isolation.APART


@pytest.mark.processes
def test_a_worker_that_waits_for_the_server_stops_when_it_is_told_to(tmp_path: Path) -> None:
    said = tmp_path / "log"
    variables = {
        **os.environ,
        "RELAY_REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "RELAY_DATA_DIR": str(tmp_path),
    }
    with said.open("wb") as log:
        worker = subprocess.Popen([RELAY, "worker"], env=variables, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until(lambda: "store unavailable; waiting" in said.read_text(), what="the wait")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=90) == 0
    finally:
        worker.kill()


@pytest.mark.processes
def test_a_worker_says_what_is_wrong_with_its_configuration_before_it_waits_for_the_server(tmp_path: Path) -> None:
    config_file = tmp_path / "relay.yaml"
    config_file.write_text("connectors: {hook: {type: nobody-knows}}")
    variables = {
        **os.environ,
        "RELAY_REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "RELAY_CONFIG": str(config_file),
        "RELAY_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [RELAY, "worker"], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "nobody-knows" in done.stderr


def test_what_runs_in_a_process_of_its_own_is_finished_though_its_worker_is_killed(
    relay: Stack, destination: Destination
) -> None:
    """So that it is not held against the item, however often somebody kills workers."""
    answer = threading.Event()

    def held(handler: Handler, number: int) -> None:
        answer.wait(60)
        handler.answer(200)

    destination.behaviour = held
    relay.configure(config(hook=webhook(destination.url)))
    worker = relay.worker()
    store = suspected(relay)
    control(store).resume("hook")
    until(lambda: destination.received, what="the attempt")
    kill(worker)
    seconds, micros = relay.server.client.time()
    lease_at_the_kill = seconds * 1000 + micros // 1000 + LEASE_MS
    until(
        lambda: (relay.server.client.zscore(key("lane", "hook"), "hook:1:c1") or 0) > lease_at_the_kill,
        what="a lease that was renewed after the kill",
    )
    answer.set()
    found = settled(relay, "hook:1:c1", "delivered")
    assert [one.outcome for one in found.attempts] == ["delivered"]
    assert len(destination.received) == 1


def test_the_heartbeat_goes_on_while_a_changed_configuration_is_being_checked(
    server: Server, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text("connectors: {archive: {type: archive}}")
    variables = {
        "RELAY_REDIS_URL": server.url,
        "RELAY_CONFIG": str(file),
        "RELAY_DATA_DIR": str(tmp_path),
    }
    runtime = Runtime(environment(variables), variables, lambda _: None)
    checking, ended = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        checking.set()
        ended.wait(300)
        return load(*arguments)

    monkeypatch.setattr(reload, "load", slow)
    runtime.start()
    try:
        file.write_text("connectors: {archive: {type: archive}, other: {type: archive}}")
        assert checking.wait(90)
        last = server.client.zscore(key("workers"), runtime.name) or 0
        until(lambda: (server.client.zscore(key("workers"), runtime.name) or 0) > last + BEAT_MS, what="another beat")
        assert not ended.is_set()
    finally:
        ended.set()
        runtime.stop()
        runtime.leave()
