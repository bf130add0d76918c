"""What nobody may notice: logs that cannot be written, processes that are killed, users who look around."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from app.process import is_alive, must_be_free
from app.supervisor.supervisord import Output
from core.config.environment import environment
from core.ids import DeliveryId
from tests.e2e.test_up import Up, needs_proc, up
from tests.support.stack import RELAY, Stack, chat, until

__all__ = ["up"]  # the fixture


def sealed_log(relay: Stack, command: str, log: str) -> subprocess.Popen[bytes]:
    """Start `relay COMMAND` with a log that takes nothing: full, closed, or a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    target = {"full": "2>/dev/full >/dev/full", "closed": "2>&- >&-", "dead": ""}[log]
    line = ["/bin/sh", "-c", f"exec {RELAY} {command} {target}"]
    process = subprocess.Popen(line, env=relay.environment, cwd=relay.folder, stdout=writer, stderr=writer)
    os.close(writer)
    os.close(reader)
    relay.processes.append(process)
    return process


@pytest.mark.parametrize("log", ["full", "closed", "dead"])
def test_a_log_that_cannot_be_written_changes_no_answer_and_no_delivery(relay: Stack, log: str) -> None:
    sealed_log(relay, "web", log)
    until(relay.answers, what="the receiver")
    worker = sealed_log(relay, "worker", log)
    until(lambda: any(name.endswith(f":{worker.pid}") for name in relay.ledger.workers()), what="the worker")
    answers = [relay.post(chat(f"c{number}")).status_code for number in range(10)]
    answers.append(requests.post(f"{relay.hook}x", data=b"{}", timeout=10).status_code)  # refused, which is logged
    assert answers == [202] * 10 + [403]
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 10, what="ten deliveries")
    attempts = [len(relay.ledger.delivery(DeliveryId(f"archive:1:c{number}")).attempts) for number in range(10)]
    assert attempts == [1] * 10


@needs_proc
@pytest.mark.parametrize("delay", [0.02, 0.2, 0.5, 1.2, 3.0])
def test_no_orphan_of_a_killed_receiver_holds_the_port(relay: Stack, delay: float) -> None:
    main = relay.run("web")

    def forked() -> list[int]:
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                command = (status.parent / "cmdline").read_bytes()
                if int(fields[1]) == main.pid and b"tracker" not in command:
                    found.append(int(status.parent.name))
        return found

    until(forked, what="a process that it started")
    time.sleep(delay)  # how far it has come is what is tried
    children = forked()
    main.kill()
    main.wait()
    until(lambda: not any(is_alive(pid) for pid in children), 20, "the end of what it forked")
    # What it forked between the look and the end, too.
    must_be_free(environment(relay.environment), 20)


@needs_proc
def test_what_a_killed_supervisor_left_behind_is_waited_for(up: Up) -> None:
    up.start()
    hook = up.ready()
    for _ in range(2):
        assert up.process
        up.process.kill()  # not waited for: what it left behind still runs when the next one starts
        before = up.process
        up.log.write_text("")
        up.start()
        assert up.ready() == hook
        before.wait()
    assert requests.post(hook, data=chat("c1"), timeout=10).status_code == 202


@needs_proc
@pytest.mark.parametrize("log", ["full", "dead"])
def test_a_log_that_takes_nothing_ends_no_supervisor(up: Up, log: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    if log == "full":
        os.close(writer)
        writer = os.open("/dev/full", os.O_WRONLY)
    up._run(writer)
    os.close(writer)

    def posted() -> bool:
        with suppress(OSError, requests.RequestException):
            hook = f"http://127.0.0.1:{up.environment['RELAY_PORT']}/smartsupp/{up.token()}"
            return requests.post(hook, data=chat("c1"), timeout=10).status_code == 202
        return False

    until(posted, 60, what="a receiver")
    before = until(lambda: len(found := up.children()) == 3 and found, what="three processes")
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: len(now := up.children()) == 3 and not set(now.values()) & set(before.values()), 60, what="three anew"
    )
    until(posted, 60, what="the receiver again")
    assert up.process
    assert up.process.poll() is None
    up.process.terminate()
    assert up.process.wait(timeout=90) == 0
    until(lambda: not at_work_in(up.folder), what="no process of it left, those of a killed parent included")


def at_work_in(folder: Path) -> list[int]:
    """The processes that run in a folder, whoever's child they are."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (place / "cwd").readlink().is_relative_to(folder):
                found.append(int(place.name))
    return found


def test_a_process_in_which_no_python_runs_any_more_ends_by_itself() -> None:
    """As when a server written in another language waits for a thread that waits for the interpreter."""
    code = """
import ctypes, os, threading
from app import process
process._STUCK = 0.5
looked, later = threading.Event(), process.faulthandler.dump_traceback_later
process.faulthandler.dump_traceback_later = lambda *given, **named: (later(*given, **named), looked.set())
process.watch_parent(os.getppid())
looked.wait()
ctypes.PyDLL(None).sleep(600)  # keeps the interpreter
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1
    assert b"Timeout" in done.stderr


def test_a_reader_that_stops_reading_holds_nobody_up() -> None:
    reader, writer = os.pipe()
    try:
        output = Output(writer)
        lines = b"a line\n" * 100_000
        assert output.write(lines) == len(lines)  # far more than a pipe holds
        while len(os.read(reader, 65_536)) == 65_536 and select.select([reader], [], [], 0)[0]:
            pass
        output.write(b"the end")
        assert os.read(reader, 65_536).endswith(b"the end")
    finally:
        os.close(reader)
        os.close(writer)


def test_a_socket_folder_of_somebody_else_is_not_used(up: Up) -> None:
    data = up.folder / ("deep" * 30) / "var"
    up.environment["RELAY_DATA_DIR"] = str(data)
    place = environment(up.environment).socket.parent
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        done = subprocess.run(
            [RELAY, "up"], cwd=up.folder, env=up.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert f"{place}, the folder of the store's socket, must be a folder that only you can enter" in done.stderr
    finally:
        place.rmdir()


@needs_proc
def test_nuls_after_a_loss_of_power_keep_nobody_from_starting(up: Up) -> None:
    up.start()
    hook = up.ready()
    assert requests.post(hook, data=chat("c1"), timeout=10).json()["status"] == "accepted"
    assert up.process
    up.process.terminate()
    up.process.wait(timeout=90)
    (increment,) = (up.folder / "var" / "valkey" / "appendonlydir").glob("*.incr.aof")
    with increment.open("ab") as file:
        file.write(b"\0" * 4096)
    up.log.write_text("")
    up.start()
    assert up.ready() == hook
    assert "the last 4,096 bytes were never acknowledged; they were cut off" in up.said()
    assert requests.post(hook, data=chat("c1"), timeout=10).json()["status"] == "duplicate"


@needs_proc
def test_a_store_without_its_manifest_is_repaired_while_the_relay_waits(up: Up) -> None:
    up.start()
    hook = up.ready()
    assert requests.post(hook, data=chat("c1"), timeout=10).json()["status"] == "accepted"
    (up.folder / "var" / "valkey" / "appendonlydir" / "appendonly.aof.manifest").unlink()
    os.kill(up.children()["valkey-server"], signal.SIGKILL)
    until(lambda: "which Valkey would overwrite" in up.said(), 60, what="the reason in the log")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [RELAY, *command],
            cwd=up.folder,
            env=up.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert "relay repair" in run("status").stderr
    assert "rebuilt from 2 files" in run("repair", "--yes").stdout
    answer = until(lambda: (found := requests.post(hook, data=chat("c1"), timeout=30)).ok and found, 60, what="a store")
    assert answer.json()["status"] == "duplicate"
