"""`relay up`, as a newcomer runs it: everything here, with the embedded server."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from app.process import is_alive
from app.supervisor import welcome
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.ids import DeliveryId
from core.store import Ledger, connect
from tests.support.admin import token_in
from tests.support.forked import finished
from tests.support.server import Server
from tests.support.stack import RELAY, TOKEN, Stack, chat, free_port, until


class Up:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "SMARTSUPP_"))},
            "RELAY_PORT": str(free_port()),
        }
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """As systemd and Docker do: what it prints is a log."""
        with self.log.open("ab") as log:
            self._run(log.fileno(), *options)

    def start_at_a_terminal(self) -> None:
        """As a person does. What is shown goes into the log, too."""
        self.log.touch()
        mine, theirs = pty.openpty()
        self._run(theirs)
        os.close(theirs)
        threading.Thread(target=self._copy, args=(mine,), daemon=True).start()

    def _run(self, output: int, *options: str) -> None:
        self.process = subprocess.Popen(
            [RELAY, "up", *options],
            cwd=self.folder,
            env=self.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def _copy(self, terminal: int) -> None:
        with self.log.open("ab") as log, suppress(OSError):  # EIO: nobody has it open any more
            while shown := os.read(terminal, 4096):
                log.write(shown.replace(b"\r\n", b"\n"))
                log.flush()
        os.close(terminal)

    def said(self) -> str:
        return self.log.read_text()

    def ready(self) -> str:
        """Wait for the welcome; returns the hook URL."""
        until(lambda: re.search(r"Try it:\n\n.+\n\n.+\n", self.said()), 60, what="the welcome")
        return f"http://127.0.0.1:{self.environment['RELAY_PORT']}/smartsupp/{self.token()}"

    def token(self) -> str:
        return (self.folder / "var" / "smartsupp-token").read_text().strip()

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it: to the whole foreground group."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGINT)

    def children(self) -> dict[str, int]:
        """What runs under the supervisor, by a word of its command line."""
        assert self.process
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                command = (status.parent / "cmdline").read_bytes().decode().replace("\0", " ")
            except (OSError, ValueError):
                continue
            for word in ("valkey-server", "relay web", "relay worker"):
                if word in command and parent == self.process.pid:
                    found[word] = int(status.parent.name)
        return found

    def ledger(self) -> Ledger:
        env = environment({**self.environment, "RELAY_DATA_DIR": str(self.folder / "var")})
        return Ledger(connect(env.server_url, patient=True))


@contextmanager
def brought_up(folder: Path) -> Iterator[Up]:
    """Nothing runs yet; what is started ends with the block."""
    made = Up(folder)
    try:
        yield made
    finally:
        if made.process and made.process.poll() is None:
            made.process.terminate()
            try:
                made.process.wait(timeout=90)
            except subprocess.TimeoutExpired:
                made.process.kill()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with brought_up(tmp_path) as made:
        yield made


needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc, which is Linux's")


def logged_in(dashboard: str, password: str) -> bool:
    browser = requests.Session()
    form = {"csrf_token": token_in(browser.get(f"{dashboard}/login", timeout=10).text), "password": password}
    return "Log out" in browser.post(f"{dashboard}/login", data=form, timeout=10).text


@needs_proc
def test_it_runs_everything_keeps_its_token_and_stops_in_order(up: Up) -> None:
    up.start_at_a_terminal()
    hook = up.ready()
    assert re.search(r"^ *Hook URL +(\S+)$", up.said(), re.MULTILINE)[1] == hook  # type: ignore[index]  # or it fails
    assert requests.post(hook, data=chat("c1"), timeout=10).json()["status"] == "accepted"
    until((up.folder / "var" / "archive" / "1" / "c1" / "r1.json").exists)
    # The line that it prints works as it is.
    curl = re.search(r"^ *curl -d '(.+)' (\S+)$", up.said(), re.MULTILINE)
    assert curl
    assert requests.post(curl[2], data=curl[1].encode(), timeout=10).json()["status"] == "accepted"
    made = re.search(r"^ *Dashboard +(\S+)\n *Password +(\S+) ", up.said(), re.MULTILINE)
    assert made
    assert logged_in(made[1], made[2])
    assert not logged_in(made[1], made[2][:-1])
    children = up.children()
    assert sorted(children) == ["relay web", "relay worker", "valkey-server"]
    up.interrupt()
    assert up.process
    assert up.process.wait(timeout=90) == 0
    assert not any(is_alive(pid) for pid in children.values())

    up.log.write_text("")
    up.start_at_a_terminal()
    assert up.ready() == hook
    assert requests.post(hook, data=chat("c1"), timeout=10).json()["status"] == "duplicate"
    assert re.search(r"^ *Password +as before", up.said(), re.MULTILINE)
    assert made[2] not in up.said()
    assert logged_in(made[1], made[2])


def test_who_asks_for_the_secrets_has_them_in_a_file_too(up: Up) -> None:
    up.start("--show-secrets")
    hook = up.ready()
    assert f"Hook URL       {hook}\n" in up.said()
    made = re.search(r"^  Password +(\S+) ", up.said(), re.MULTILINE)
    assert made
    assert logged_in(hook.partition("/smartsupp")[0], made[1])


@pytest.mark.parametrize("container", [True, False])
def test_in_a_container_the_commands_in_the_log_lead_into_it(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    container: bool,
) -> None:
    monkeypatch.setattr(welcome, "why_not_ready", lambda _: "")
    monkeypatch.setattr(welcome, "_IMAGE", tmp_path if container else tmp_path / "no-such-file")
    monkeypatch.setattr(socket, "gethostname", lambda: "d1f2")
    monkeypatch.setenv("SMARTSUPP_TOKEN", TOKEN)
    env = environment({"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(tmp_path), "SMARTSUPP_TOKEN": TOKEN})
    welcome.main(env, load(env, settings_model, {}))
    said = capsys.readouterr().out
    before = "docker exec -it d1f2 " if container else ""
    assert f"to set one: {before}relay admin set-password\n" in said
    assert f"\n  {before}relay send --sample\n" in said
    assert "the one in SMARTSUPP_TOKEN" in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("path", "activated", "known"),
    [
        (["{own}", "/usr/bin"], False, False),
        (["{own}", "{own}", "/usr/bin"], True, False),
        (["{own}", "{own}", "/usr/bin"], False, True),
        (["{own}", "{elsewhere}"], True, True),
    ],
    ids=["as make run", "activated in this terminal", "for good, as in the image", "installed by pipx"],
)
def test_the_welcome_says_how_another_terminal_gets_to_know_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: list[str], activated: bool, known: bool
) -> None:
    own, elsewhere = tmp_path / "a b" / "bin", tmp_path / "local"
    for folder in (own, elsewhere):
        folder.mkdir(parents=True)
        (folder / "relay").touch(mode=0o755)
    (own / "activate").touch()
    monkeypatch.setattr(sys, "prefix", str(own.parent))
    monkeypatch.setenv("PATH", os.pathsep.join(one.format(own=own, elsewhere=elsewhere) for one in path))
    monkeypatch.setenv("VIRTUAL_ENV", str(own.parent) if activated else "")
    assert welcome._way_in() == ("" if known else f", after . '{own}/activate'")


@needs_proc
def test_what_dies_is_started_again(up: Up) -> None:
    up.start()
    hook = up.ready()
    before = up.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def all_back() -> bool:
        now = up.children()
        return len(now) == 3 and not set(now.values()) & set(before.values())

    until(all_back, what="three new processes")
    accepted = until(lambda: _posted(hook, chat("c1")), what="the receiver")
    # A duplicate, when it was kept and the server died before it could say so.
    assert accepted["status"] in ("accepted", "duplicate")
    until((up.folder / "var" / "archive" / "1" / "c1" / "r1.json").exists, 60)


@needs_proc
def test_a_receiver_that_is_killed_leaves_nothing_behind_that_answers(relay: Stack) -> None:
    relay.configure("connectors: {archive: {type: archive}}")
    relay.web()
    killed = relay.processes[-1]
    assert relay.answers()
    killed.kill()
    killed.wait()
    until(lambda: not relay.answers(), 15, "nobody at the port")


def _posted(hook: str, body: bytes) -> dict[str, str] | None:
    try:
        answer = requests.post(hook, data=body, timeout=10)
    except requests.RequestException:
        return None
    return answer.json() if answer.status_code == 202 else None


@needs_proc
def test_nothing_outlives_a_supervisor_that_is_killed(up: Up) -> None:
    up.start()
    hook = up.ready()
    children = up.children()
    assert up.process
    up.process.kill()
    up.process.wait(timeout=10)
    until(lambda: not any(is_alive(pid) for pid in children.values()), 90, what="the end of all children")
    up.log.write_text("")
    up.start()
    assert up.ready() == hook


def refused(folder: Path, **variables: str) -> str:
    code, _, beside = finished(["up"], {**os.environ, **variables}, folder)
    assert code == 2
    assert "Traceback" not in beside
    return beside


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "relay.yaml").write_text("connectors: {x: {type: y}}"), "no connector type 'y'"),
        (lambda folder: (folder / "Procfile").write_text("what is this"), "line 1: expected NAME: COMMAND"),
        (lambda folder: (folder / "var").write_text("a file"), "cannot write to"),
    ],
)
def test_it_says_what_is_wrong_and_starts_nothing(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(tmp_path)
    assert said in refused(tmp_path, RELAY_PORT=str(free_port()))


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"RELAY_PORT: cannot listen on 127.0.0.1:{port}" in refused(tmp_path, RELAY_PORT=port)


def test_workers_are_told_to_stop_at_the_same_time(up: Up) -> None:
    stubborn = 'trap "echo told $$; sleep 8; echo gone $$; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
    command = shlex.join(["sh", "-c", stubborn])
    (up.folder / "Procfile").write_text(f"web: relay web\nworker: relay worker\none: {command}\ntwo: {command}\n")
    up.start()
    up.ready()
    until(lambda: up.said().count("ready\n") >= 2, what="both")
    up.log.write_text("")
    assert up.process
    up.process.terminate()
    assert up.process.wait(timeout=90) == 0
    assert re.findall(r"^(told|gone)", up.said(), re.MULTILINE) == ["told", "told", "gone", "gone"]


def test_it_drains_before_it_stops(up: Up) -> None:
    up.start()
    hook = up.ready()
    for number in range(50):
        requests.post(hook, data=chat(f"c{number}"), timeout=10)
    up.interrupt()
    assert up.process
    assert up.process.wait(timeout=90) == 0
    assert "SIGKILL" not in up.said(), "one that did not end by itself"
    up.log.write_text("")
    up.start()
    up.ready()
    until(lambda: up.ledger().lane("archive").counts["delivered"] == 50, 60)
    assert all(
        len(one.attempts) == 1 for one in map(up.ledger().delivery, [DeliveryId(f"archive:1:c{n}") for n in range(50)])
    )
