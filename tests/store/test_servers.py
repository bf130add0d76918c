"""Servers that are more than one process on this machine: behind Sentinels, and behind TLS."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import redis
from click.testing import CliRunner

from app.cli.sections import group
from core.config.environment import environment
from core.delivery import DeliveryStatus
from core.errors import NotFound, StoreLoading, StoreUnavailable
from core.ids import DeliveryId
from core.store import Ledger, Store, check_server, connect
from core.store.connection import client
from tests.support.certificates import Authority
from tests.support.command_line import CommandLine
from tests.support.forked import forked
from tests.support.sentinels import NAME, Sentinels, sentinels
from tests.support.server import Server
from tests.support.stack import Stack, chat, free_port, kill, until
from workers.celery import create, waker

MISSING = "no redis-server with TLS here (the embedded Valkey has none). On Debian: apt install redis-server"
#: Seconds after which a relay has to be at work again with another primary. The Sentinels take two to three of them.
#: On a busy machine an election may fail, and the next one comes after twice their failover time-out.
SOON = 90


@contextmanager
def running(folder: Path, url: str, workers: int = 1, timeout: int = 5) -> Iterator[Stack]:
    """A receiver and workers on the server of this address, which has so many seconds to answer."""

    class Elsewhere:  # a Stack wants no more of its server than where it is
        def __init__(self) -> None:
            self.url = url

    folder.mkdir(parents=True, exist_ok=True)
    made = Stack(folder, cast(Server, Elsewhere()), forked)
    made.constants[f"{client.__name__}.TIMEOUTS"] = {**client.TIMEOUTS, "socket_timeout": timeout}
    try:
        made.web()
        for _ in range(workers):
            made.worker()
        yield made
    finally:
        made.end()


def delivered(stack: Stack, *numbers: int) -> bool:
    try:
        found = [stack.ledger.delivery(DeliveryId(f"archive:1:{number}")).status for number in numbers]
    except (NotFound, StoreUnavailable):
        return False
    return set(found) == {DeliveryStatus.DELIVERED}


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Sentinels]:
    with sentinels(tmp_path / "sentinels") as made:
        yield made


def replicated(there: Sentinels) -> None:
    """Wait until the replica has all that the primary had when this was called."""
    primary = there.primary()
    (replica,) = (node for node in there.nodes if node is not primary)
    written = int(primary.client.info("replication")["master_repl_offset"])
    until(lambda: int(replica.client.info("replication")["slave_repl_offset"]) >= written, what="the replica")


def test_when_the_primary_is_killed_everything_goes_on_with_its_replica_and_nothing_replicated_is_lost(
    three: Sentinels, tmp_path: Path
) -> None:
    with running(tmp_path / "relay", three.url) as stack:
        before = range(20)
        assert {stack.post(chat(number)).status_code for number in before} == {202}
        replicated(three)
        first = three.primary()
        three.kill_sentinel()
        first.kill()

        answers: dict[int, int] = {}
        ends, number = time.monotonic() + SOON, 100
        while time.monotonic() < ends and list(answers.values()).count(202) < 20:
            answers[number] = stack.post(chat(number)).status_code
            number += 1
        assert set(answers.values()) <= {202, 503}
        taken = [number for number, status in answers.items() if status == 202]
        assert len(taken) == 20, "no new primary, or the receiver did not find it"
        # The one that is asked here may be the last to hear of it.
        until(lambda: three.primary() is not first, what="the other primary")
        until(lambda: delivered(stack, *before, *taken), SOON, "every accepted body")
        # One that was answered with 503 may be sent again; one that was accepted is known.
        assert stack.post(chat(0)).json()["status"] == "duplicate"

        first.start()
        until(lambda: first.role() == "slave", what="the old primary's demotion")
        assert stack.post(chat(500)).status_code == 202
        until(lambda: delivered(stack, 500), SOON, "a body after the old primary came back")
        quiet(stack.logs(), three)


def test_a_primary_that_is_replaced_while_it_lives_is_left_for_the_new_one(three: Sentinels, tmp_path: Path) -> None:
    with running(tmp_path / "relay", three.url) as stack:
        assert stack.post(chat(1)).status_code == 202
        until(lambda: delivered(stack, 1))
        replicated(three)
        first = three.primary()
        three.clients()[0].sentinel_failover(NAME)
        until(lambda: three.primary() is not first, what="the other primary")
        # Those who are connected to the old one learn of it by its refusal to write.
        until(lambda: stack.post(chat(2)).status_code == 202, SOON, "a post")
        until(lambda: delivered(stack, 2), SOON, "its delivery")


def test_when_the_primary_falls_silent_nobody_takes_its_late_replies_and_everything_goes_on(
    three: Sentinels, tmp_path: Path
) -> None:
    with running(tmp_path / "relay", three.url, timeout=2) as stack:
        assert stack.post(chat(0)).status_code == 202
        until(lambda: delivered(stack, 0))
        replicated(three)
        first = three.primary()
        assert first.process
        first.process.send_signal(signal.SIGSTOP)
        # The connections that were open learn of it by a time-out each.
        until(lambda: stack.post(chat(1)).status_code == 202, 3 * SOON, "a post")
        until(lambda: delivered(stack, 1), SOON, "its delivery")
        first.process.send_signal(signal.SIGCONT)
        until(lambda: first.role() == "slave", what="the old primary's demotion")
        assert stack.post(chat(2)).status_code == 202
        until(lambda: delivered(stack, 0, 1, 2), SOON, "all")


def test_a_connection_that_timed_out_is_not_used_again(three: Sentinels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client.TIMEOUTS, "socket_timeout", 0.5)
    mine = connect(three.url)
    mine.set("mine", "1")
    waiting = three.primary()
    # Of writing alone, or the Sentinels would replace it.
    waiting.client.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
    with pytest.raises(redis.TimeoutError):
        mine.set("mine", "2")
    waiting.client.execute_command("CLIENT", "UNPAUSE")
    assert mine.get("mine") in (b"1", b"2"), "the late reply of another command"


def test_a_copy_made_while_the_server_runs_holds_what_was_accepted_before_it(
    own_server: Server, tmp_path: Path
) -> None:
    """As docs/upgrading.md says; somebody posts all the while."""
    store = Store(own_server.client)
    before = [store.accept(b"before %d" % number).id for number in range(50)]
    assert own_server.client.config_set("auto-aof-rewrite-percentage", 0)
    stop = threading.Event()

    def post() -> None:
        other = Store(connect(own_server.url))
        number = 0
        while not stop.is_set():
            other.accept(b"during %d" % number)
            number += 1

    poster = threading.Thread(target=post)
    poster.start()
    try:
        shutil.copytree(own_server.folder / "appendonlydir", tmp_path / "copy" / "appendonlydir")
    finally:
        stop.set()
        poster.join()
    restored = Server(tmp_path / "copy").start()
    try:
        ledger = Ledger(restored.client)
        assert [ledger.payload(identity).id for identity in before] == before
        assert Store(restored.client).accept(b"before 7").known
        assert Store(restored.client).accept(b"after").id
    finally:
        restored.kill()


def quiet(text: str, there: Sentinels) -> None:
    for secret in (there.password, "for%2Ftests%40", there.own):
        assert secret not in text


def test_without_a_primary_the_doctor_says_so_and_no_password(three: Sentinels, tmp_path: Path) -> None:
    url = three.url
    with running(tmp_path / "relay", url, workers=0) as stack:
        stack.environment["RELAY_REDIS_URL"] = url.replace(f"/{NAME}/", "/other/")
        said = stack.cli("doctor", code=1)
        assert "No master found for 'other'" in said
        three.end()
        stack.environment["RELAY_REDIS_URL"] = url
        said += stack.cli("doctor", code=1)
        assert f"No master found for '{NAME}'" in said
        assert stack.post(chat(1)).status_code == 503
        quiet(said + stack.logs(), three)


class Tls:
    """A Redis that speaks nothing but TLS, and a Sentinel in front of it when asked for."""

    def __init__(self, folder: Path, authority: Authority, program: str, *addresses: str) -> None:
        self._folder, self._authority, self._program = folder, authority, program
        self._files = authority.issue("server", *(addresses or ("127.0.0.1",)))
        self.port, self.sentinel = free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    def url(self, authority: Authority | None = None, **options: object) -> str:
        options = {"ssl_ca_certs": (authority or self._authority).file, **options}
        return f"rediss://:secret-word@127.0.0.1:{self.port}/1?" + "&".join(f"{k}={v}" for k, v in options.items())

    def start(self, clients: str = "no") -> Tls:
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
        self._run(self.port, [*durable, "--requirepass", "secret-word"], clients)
        return self

    def watch(self) -> str:
        """Start the Sentinel; returns the address."""
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {NAME} 127.0.0.1 {self.port} 1\nsentinel auth-pass {NAME} secret-word\n"
            "tls-replication yes\n"
        )
        self._run(self.sentinel, [], "no", str(config), "--sentinel")
        return f"sentinels://:secret-word@127.0.0.1:{self.sentinel}/{NAME}/1?ssl_ca_certs={self._authority.file}"

    def _run(self, port: int, options: list[str], clients: str, *config: str) -> None:
        pem, key = self._files
        tls = ["--tls-cert-file", str(pem), "--tls-key-file", str(key), "--tls-auth-clients", clients]
        place = ["--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        log = self._folder / f"{port}.log"
        ca = ["--tls-ca-cert-file", str(self._authority.file)]
        command = [self._program, *config, *place, *tls, *ca, *options, "--logfile", str(log)]
        self._processes.append(subprocess.Popen(command))
        until(lambda: log.exists() and f"port={port}" in log.read_text(), what="the server")

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(timeout=20)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@contextmanager
def tls(folder: Path, authority: Authority, *addresses: str, clients: str = "no") -> Iterator[Tls]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip(MISSING)
    made = Tls(folder, authority, program, *addresses)
    try:
        yield made.start(clients)
    finally:
        made.end()


def test_over_tls_a_body_is_kept_knocked_for_and_delivered(tmp_path: Path, authority: Authority) -> None:
    with tls(tmp_path, authority) as there, running(tmp_path / "relay", there.url()) as stack:
        assert stack.post(chat(1)).status_code == 202
        until(lambda: delivered(stack, 1))
        assert "no wake-up sent" not in stack.logs()
        assert "secret-word" not in stack.logs() + stack.cli("doctor") + stack.cli("config", "show")


def test_a_server_whose_authority_is_another_is_told_nothing_and_the_reason_is_said(
    tmp_path: Path, authority: Authority
) -> None:
    other = Authority(tmp_path / "other", "other")
    with tls(tmp_path, authority) as there, running(tmp_path / "relay", there.url(other), workers=0) as stack:
        assert stack.post(chat(1)).status_code == 503
        worker = stack.run("worker")
        until(lambda: stack.logs().count("certificate is not trusted") >= 2, what="the reason, from both")
        assert worker.poll() is None, "what a certificate's renewal puts right ends no worker"
        said = stack.cli("doctor", code=1)
        assert "its certificate is not trusted" in said
        assert "ssl_ca_certs" in said
        assert "secret-word" not in said + stack.logs()
        kill(worker)


def test_a_certificate_for_another_name_is_refused(tmp_path: Path, authority: Authority) -> None:
    with (
        tls(tmp_path, authority, "redis.example.com") as there,
        pytest.raises(StoreUnavailable, match=r"certificate is not trusted.*127\.0\.0\.1"),
    ):
        check_server(connect(there.url()))


def test_a_server_that_wants_certificates_is_shown_one(tmp_path: Path, authority: Authority) -> None:
    pem, key = authority.issue("relay")
    with tls(tmp_path, authority, clients="yes") as there:
        with pytest.raises(StoreUnavailable):
            check_server(connect(there.url()))
        url = there.url(ssl_certfile=pem, ssl_keyfile=key)
        assert not check_server(connect(url)).wrong
        assert knocked(url) == 1


def test_sentinels_speak_tls_too(tmp_path: Path, authority: Authority) -> None:
    with tls(tmp_path, authority) as there:
        url = there.watch()
        client = connect(url)
        assert not Store(client).accept(b"{}").known
        assert client.connection_pool.connection_kwargs["db"] == 1
        assert knocked(url) == 1


def knocked(url: str) -> int:
    """Knock, and count the messages that wait for a worker."""
    waker(create(environment({"RELAY_REDIS_URL": url})))("inbox")
    return int(connect(url).llen("relay:celery:knocks"))


_LISTENER = """
import os, socket, sys, time
if os.geteuid() == 0:
    os.setuid(65534)
there = socket.socket(socket.AF_UNIX)
there.bind(sys.argv[1])
there.listen()
time.sleep(600)
"""


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="only Linux says who listens at a socket")
def test_a_server_of_somebody_else_is_told_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "s"
        place.parent.chmod(0o777)
        listener = subprocess.Popen([sys.executable, "-c", _LISTENER, str(place)])
        try:
            until(place.exists, what="somebody who listens")
            # As root the other one is a user of no rights; else we are the other one of somebody else.
            client = connect(f"unix://{place}", owner=0 if os.geteuid() == 0 else os.geteuid() + 1)
            with pytest.raises(StoreUnavailable, match="not to the owner of the data folder"):
                Ledger(client).now()
        finally:
            listener.kill()
            listener.wait()


def test_commands_wait_for_a_store_that_loads_or_say_so(own_server: Server, tmp_path: Path) -> None:
    with own_server.client.pipeline() as pipe:
        for number in range(4000):
            pipe.set(f"some:{number}", "x")
        pipe.execute()
    own_server.client.bgrewriteaof()
    until(lambda: not own_server.client.info("persistence")["aof_rewrite_in_progress"], what="a base with all keys")
    own_server.stop()
    # Microseconds for each key that is loaded, and bytes between two looks at who asks.
    own_server._options = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    starting = threading.Thread(target=own_server.start, args=(300,))
    starting.start()
    cli = CommandLine(tmp_path, own_server)

    def loads() -> bool:
        try:
            own_server.client.ping()
        except redis.exceptions.BusyLoadingError:
            return True
        except redis.exceptions.RedisError:
            return False
        raise AssertionError("it has loaded already")

    until(loads, what="a server that loads")
    result = CliRunner().invoke(group, ["status"], env=cli.environment)
    assert isinstance(result.exception, StoreLoading)
    assert "is loading its append-only file" in cli.run("doctor", code=0)
    own_server.client.config_set("key-load-delay", 1000)  # from here on it is soon done
    assert cli.json("admin", "set-password", "--generate")["set"]
    starting.join()
