"""A machine of its own for a worker or a receiver, with one cable to the server that can be pulled out.

As root on Linux it is a network namespace: what was sent is not acknowledged and sent again later and later, new
connections find nobody, and neither side is told anything. Vendors, and senders, are reached as ever, by another way.

Without root nobody can have one. Then the cable is a proxy that is stopped: what was sent is acknowledged and goes
nowhere, and once its short queue is full nobody answers new connections.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tests.faults.forward import Forwarder
from tests.support.server import Server
from tests.support.stack import free_port

ROOT = os.geteuid() == 0 and os.uname().sysname == "Linux"
HOW = "a network namespace" if ROOT else "a stopped proxy, as not root: no machine of its own"

#: Nobody's: kept for documentation (RFC 5737), and yet there are hosts that have one. The server has the first address
#: of one, the machine the second.
NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")


class Machine(Protocol):
    """`url` is the server as seen from there; `at` stands before a command that is to run there."""

    url: str
    at: Sequence[str]

    def cut(self) -> None:
        """Pull the cable to the server out."""

    def heal(self) -> None:
        """Put it back."""


@contextmanager
def machine(server: Server, reaches: Sequence[int], offers: Sequence[int] = ()) -> Iterator[Machine]:
    """Ports of 127.0.0.1: those that it `reaches` are here, those that it `offers` are there and reached from here."""
    with ExitStack() as ends:
        yield _Namespace(ends, server, reaches, offers) if ROOT else _Proxy(ends, server)


class _Namespace:
    def __init__(self, ends: ExitStack, server: Server, reaches: Sequence[int], offers: Sequence[int]) -> None:
        self._name = f"relay{os.getpid()}"
        self.at: Sequence[str] = (_program("nsenter"), f"--net=/run/netns/{self._name}", "--")
        _ip("netns", "add", self._name)
        ends.callback(_ip, "netns", "del", self._name)
        _ip("link", "add", self._name, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        ends.callback(_ip, "link", "del", self._name)
        known = subprocess.run([_program("ip"), "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
        network = next(one for one in NETWORKS if f" {one}" not in known)
        _ip("addr", "add", f"{network}1/30", "dev", self._name)
        _ip("link", "set", self._name, "up")
        _ip("-n", self._name, "addr", "add", f"{network}2/30", "dev", "eth0")
        for name in ("lo", "eth0"):
            _ip("-n", self._name, "link", "set", name, "up")
        self.url = f"redis://{network}1:{_listening(ends, server, network + '1')}"
        # A Unix socket is a file, which both sides of a cable can see.
        ways = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="relay-")))
        here = [*(f"{ways / str(port)}={port}" for port in reaches), *(f"{port}={ways / str(port)}" for port in offers)]
        there = [
            *(f"{port}={ways / str(port)}" for port in reaches),
            *(f"{ways / str(port)}={port}" for port in offers),
        ]
        for pairs, at in ((here, ()), (there, self.at)):
            ends.callback(Forwarder(*pairs, at=at).end)

    def cut(self) -> None:
        _ip("link", "set", self._name, "down")

    def heal(self) -> None:
        _ip("link", "set", self._name, "up")


class _Proxy:
    at: Sequence[str] = ()

    def __init__(self, ends: ExitStack, server: Server) -> None:
        self._cable = Forwarder(f"0={server.socket}", queue=1)
        ends.callback(self._cable.end)
        self.url = f"redis://127.0.0.1:{self._cable.ends[0]}"

    def cut(self) -> None:
        self._cable.process.send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        self._cable.process.send_signal(signal.SIGCONT)


def _listening(ends: ExitStack, server: Server, address: str) -> int:
    """Have the server listen at its end of the cable, too; returns the port."""
    port = free_port()
    ends.callback(server.client.config_set, "port", 0)
    server.client.config_set("protected-mode", "no")
    server.client.config_set("bind", address)
    server.client.config_set("port", port)
    return port


def _ip(*arguments: str) -> None:
    subprocess.run([_program("ip"), *arguments], check=True)


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing; on Debian: apt install iproute2 util-linux"
    return found
