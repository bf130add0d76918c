"""Whatever a save of relay.yaml passes through, the receiver that runs takes every post, and every chat has a way."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import count
from pathlib import Path

import pytest
import requests

from app import create_app
from core.config import reload
from core.routing import routed
from core.smartsupp.parser import parse_conversation
from tests.e2e.test_pipeline import settled
from tests.faults.rig import family
from tests.support.server import Server
from tests.support.stack import SOON_RELOADED, Stack, chat, kill, until

TOKENS = ("hunttoken-0123456789abcdef", "another-token-0123456789")
OLD = f"""\
tokens:
  - token: {TOKENS[0]}
  - token: {TOKENS[1]}
connectors:
  archive: {{type: archive}}
  own:
    type: archive
    folder: own
routes:
  - to: [archive, own]
"""
NEW = OLD.replace("connectors:", "  - token: and-a-third-0123456789\nconnectors:").replace(
    "folder: own", "folder: ours"
)


def between(old: str, new: str) -> list[bytes]:
    """States that a save may leave for a moment, or for good when the disk is full."""
    cuts = [text[:cut].encode() for text in (old, new) for cut in range(len(text))]
    strange = [
        b"",
        b"\n",
        b"# soon\n",
        b"\0" * 100,
        old.encode()[:50] + b"\0" * 50,
        old.encode("utf-16"),
        b"{}",
        b"---\n",
    ]
    return [*cuts, *strange]


def test_no_state_between_two_good_files_costs_a_post(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every look comes at once, and each state stays until it would have been taken.
    for name in ("_PERIOD", "STILL", "AGAIN"):
        monkeypatch.setattr(reload, name, 0.0)
    config, numbers = tmp_path / "relay.yaml", count()
    config.write_text(OLD)
    variables = {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(tmp_path), "RELAY_CONFIG": str(config)}
    app = create_app(variables=variables)
    client = app.test_client()
    for state in between(OLD, NEW):
        for absent in (False, True):
            config.unlink() if absent else config.write_bytes(state)
            for _ in range(4):
                app.watched.current()
            body = chat(f"c{next(numbers)}")
            for token in TOKENS:
                assert client.post(f"/smartsupp/{token}", data=body).status_code == 202, state
            assert routed(app.watched.current(), parse_conversation(body))[0], state
    config.write_text(NEW)
    until(lambda: len(app.watched.current().tokens) == 3 and not app.watched.trouble, what="the new file")


def test_saves_that_truncate_first_cost_a_running_relay_nothing(relay: Stack) -> None:
    del relay.environment["SMARTSUPP_TOKEN"]
    relay.configure(OLD)
    # Far longer than whoever saves takes, even where this test gets no turn for a while.
    still = {"core.config.reload.STILL": 60.0, "core.config.reload.REMOVAL_STILL": 60.0}
    relay.constants |= {**SOON_RELOADED, **still}
    relay.web()
    relay.worker()
    hook = relay.hook.rpartition("/")[0]
    answers: list[int] = []
    saved = threading.Event()

    def post() -> None:
        for number in count():
            url = f"{hook}/{TOKENS[number % 2]}"
            answers.append(relay.post_to(url, chat(f"c{number}")).status_code)
            if saved.is_set():
                return

    poster = threading.Thread(target=post)
    poster.start()
    try:
        for number in range(5):
            relay.config.write_text("" if number % 2 else OLD[: OLD.index("  own:")])
            time.sleep(0.3)  # as long as whoever saves takes: some looks at the file
            relay.config.write_text(f"{OLD}# saved {number}\n")
    finally:
        saved.set()
        poster.join(60)
    assert set(answers) == {202}
    last = len(answers) - 1
    for name in ("archive", "own"):
        settled(relay, f"{name}:1:c{last}", "delivered")
    until(lambda: not relay.ledger.lane("inbox").waiting, what="the reading of all")
    assert len(list((relay.data / "own" / "1").iterdir())) == len(list((relay.data / "archive" / "1").iterdir()))


def test_receiver_and_worker_that_are_killed_while_the_file_is_broken_come_back_and_go_on(relay: Stack) -> None:
    del relay.environment["SMARTSUPP_TOKEN"]
    relay.configure(OLD)
    web, worker = relay.web(), relay.worker()
    hook = f"{relay.hook.rpartition('/')[0]}/{TOKENS[0]}"
    assert relay.post_to(hook, chat("c1")).status_code == 202
    relay.config.write_text("tokens: [")

    def taken(body: bytes) -> bool:
        try:
            return relay.post_to(hook, body).status_code == 202
        except requests.ConnectionError:
            return False

    # The child that answers, whom its main process starts again; then all of it.
    [child] = set(family(web)) - {web.pid}
    os.kill(child, signal.SIGKILL)
    until(lambda: taken(chat("c2")), what="a receiver again")
    for pid in reversed(family(web)):
        os.kill(pid, signal.SIGKILL)
    web.wait(timeout=10)
    relay.web()
    assert taken(chat("c3"))
    kill(worker)
    worker = relay.worker()
    for name in ("c2", "c3"):
        settled(relay, f"own:1:{name}", "delivered")
    assert "started with the last valid one" in relay.logs()
    assert any("relay.yaml" in one for one in relay.ledger.troubles().values())
    relay.config.write_text(NEW)
    until(lambda: relay.post_to(hook.replace(TOKENS[0], "and-a-third-0123456789"), chat("c4")).status_code == 202)
    # That of the killed one goes when it has not been heard of for a minute.
    until(lambda: not any(name.endswith(f":{worker.pid}") for name in relay.ledger.troubles()), what="no trouble")
