"""Whether the address that the receiver is to have is free."""

from __future__ import annotations

import errno
import socket
import time

from core.environment import Environment
from core.errors import ConfigError, Problem


def must_be_free(env: Environment, patience: float = 0.0) -> None:
    """Raises ConfigError when one cannot listen there, or when somebody else still does after `patience` seconds.

    Granian shares a port with whoever else shares it, on purpose. Two receivers that share one by mistake would each
    get half of the chats, perhaps for two stores: so this asks as one who does not share.
    """
    ends = time.monotonic() + patience
    while error := _refusal(env.host, env.port):
        if error.errno != errno.EADDRINUSE or time.monotonic() >= ends:
            text = f"cannot listen on {env.host}:{env.port}: {error.strerror}; choose another"
            raise ConfigError("the environment", [Problem("RELAY_PORT", text)])
        time.sleep(0.1)


def _refusal(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a receiver of a moment ago, which linger, are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None
