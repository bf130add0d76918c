"""The benchmarks run, and their report has what people and docs read in it. What it says is not tested: a machine that
does something else besides measures nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import machine, year
from benchmarks.backlog import read
from benchmarks.bodies import FIRST, MARK, body, size
from benchmarks.figures import Figure, Rounds, ratio
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Ledger, Search, connect
from core.summary import line
from tests.support.server import Server
from tests.support.stack import until

ROOT = Path(__file__).parent.parent


#: Says in the environment of every process of a run whose it is.
MARKED = "BENCHMARKS_OF_TEST"


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A quick run that keeps its data in a folder; what it says goes into a file beside that."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--folder", str(folder), *options]
    with folder.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, MARKED: str(folder)})


def started_by(folder: Path) -> list[str]:
    """The command lines of what that run has started, as far as it still runs, and its own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The server writes its title over its environment; it works in its own folder.
            marked = f"{MARKED}={folder}".encode() in (process / "environ").read_bytes()
            if marked or (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.processes
def test_a_peer_does_the_same_job_in_the_same_run(tmp_path: Path) -> None:
    """The one that needs nothing installed; it says of the others what they need, or measures them."""
    out = tmp_path / "report.json"
    command = [sys.executable, "-m", "benchmarks.peers", "--quick", "--only", "naive", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())["naive"]
    for side, figures in (("relay", found["figures"]), ("naive", found["ceiling"])):
        for what in ("delivered", "accepting", "all processes", "idle"):
            assert figures[f"{side}, {what}"]["median"] > 0
    assert found["ratios"].keys() == {"delivered", "accepting", "p99", "all processes", "idle", "afterwards"}
    assert "naive: nothing is on disk when it answers" in done.stdout


@pytest.mark.processes
def test_a_run_reports_every_round_and_leaves_nothing_behind(tmp_path: Path) -> None:
    out, folder = tmp_path / "report.json", tmp_path / "data"
    running = start(folder, "--only", "a,k", "--out", str(out))
    assert running.wait(timeout=180) == 0, (tmp_path / "data.log").read_text()
    report = json.loads(out.read_text())
    assert set(report) == {"machine", "a", "k"}
    assert {"date", "cores", "python", "versions", "load", "options"} <= set(report["machine"])
    accepts = report["a"]
    assert accepts["figures"]["relay accepts"]["median"] > 0
    assert accepts["ceiling"]["bare accepts"]["median"] > 0
    assert accepts["ratios"]["accepts"]["wanted"] == "at least 0.8"
    secure, plain = report["k"]["figures"], report["k"]["ceiling"]
    rate = secure["over TLS"]
    assert rate["unit"] == "/s"
    assert len(rate["rounds"]) == 1
    assert rate["min"] == rate["median"] == rate["max"] > 0
    assert plain["plain, worker"]["median"] > 0
    parts = sum(plain[f"plain, {one}"]["median"] for one in ("receiver", "worker", "server"))
    assert plain["plain, all"]["median"] == pytest.approx(parts, abs=0.01)
    assert report["k"]["ratios"].keys() == {"deliveries", "CPU, worker", "CPU, all"}
    assert str(ROOT) not in out.read_text(), "the report is published; folders of the machine have no place in it"
    assert list(folder.iterdir()) == []
    assert started_by(folder) == []


@pytest.mark.processes
@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_stop_ends_everything_that_it_started(tmp_path: Path, how: int, code: int) -> None:
    folder = tmp_path / "data"
    running = start(folder, "--only", "d")
    wanted = ("benchmarks.outside", "valkey-server", "relay web", "relay worker")
    try:
        until(lambda: all(any(word in one for one in started_by(folder)) for word in wanted), 60, "all of it running")
    finally:
        running.send_signal(how)
    assert running.wait(timeout=60) == code, (tmp_path / "data.log").read_text()
    assert started_by(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.processes
def test_a_benchmark_that_does_not_exist_is_said_to_be_none(tmp_path: Path) -> None:
    assert start(tmp_path / "data", "--only", "a,x").wait(timeout=60) == 1
    assert "there is no benchmark x; there are: a, b, c, d, e, f, g" in (tmp_path / "data.log").read_text()


def test_every_body_is_a_conversation_of_its_own() -> None:
    numbers = range(FIRST, FIRST + 50)
    conversations = {number: parse_conversation(body(number)) for number in numbers}
    assert len({one.key for one in conversations.values()}) == 50
    for number, conversation in conversations.items():
        assert read(number) == (conversation.key, line(conversation))
        assert len(body(number)) == size(number)
        mark = MARK.search(body(number))
        assert mark
        assert int(mark[1]) == number


def test_a_year_of_chats_is_what_intake_and_deliveries_would_have_kept(server: Server) -> None:
    now, count = 1_790_000_000_000, 60
    made = list(year.chats(count, now))
    assert made == list(year.chats(count, now))
    assert len({parse_conversation(one.body).key for one in made}) == count
    times = [one.at for one in made]
    assert times == sorted(times)
    assert now - year.DAYS * year.DAY_MS <= times[0] < times[-1] < now
    client = connect(server.url)
    year.fill(client, count, now)
    search, ledger = Search(client), Ledger(client)
    assert search.count(Filter()) == (count, True)
    assert [row.summary.name for row in search.page(Filter(text="quirina")).rows] == [year.RARE_NAME]
    assert search.count(Filter(missed=True)) == (count // 12, True)
    assert ledger.payload_counts()["quarantined"] == 1
    assert ledger.lane("archive").counts["delivered"] == count
    assert sum(ledger.lane("crm").counts.values()) == count
    continued = next(one for one in made if one.more)
    stored = ledger.conversation(ConversationId(parse_conversation(continued.body).key))
    assert [one.body for one in stored.payloads] == [continued.body, continued.more]


@pytest.mark.skipif(not machine.has_proc(), reason="CPU time is read from /proc")
def test_cpu_is_what_was_taken_since_the_last_look() -> None:
    meter = machine.Meter(busy=[os.getpid()], none=[])
    first = time.process_time()
    while time.process_time() < first + 0.3:
        pass
    spent = meter.spent()
    assert 0.1 < spent["busy"] == spent["all"]
    assert spent["none"] == 0
    assert meter.spent()["busy"] < spent["busy"]
    found = Rounds()
    found.add_cpu("one, ", spent, 100)
    assert found.figure("one, busy").median == pytest.approx(spent["busy"] * 10)


def test_ratios_are_of_the_same_round_and_judged_by_their_median() -> None:
    found = Rounds()
    for ours, theirs in ((80.0, 100.0), (90.0, 100.0), (10.0, 20.0)):
        found.add("ours", "/s", ours)
        found.add("theirs", "/s", theirs)
    one = ratio("share", found.figure("ours"), found.figure("theirs"), least=0.8)
    assert one.rounds == (0.8, 0.9, 0.5)
    assert (one.median, one.reached) == (0.8, True)
    assert Figure("late", "ms", (50.0, 51.0, 52.0), most=50).reached is False
    assert Figure("any", "ms", (50.0,)).reached is None
