"""`relay web`: the process that starts the server's process, and starts it again when it dies (docs/adr/0003).

It lives as long as the relay and does nothing else, so it loads nothing else: whether everything is right is found out
in a process that ends then. It took 68 MB before, and takes a quarter.
"""

from __future__ import annotations

import gc
import os
import resource

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.process import FINISHING

#: Connections at once; further ones wait to be accepted. Each may hold a body of 1 MiB, an admin's of 4.
CONNECTIONS = 256
#: Files that are open beside them: the program's, and connections to the store.
FILES = 40


def main() -> None:
    """Serve until a signal says stop. Raises SystemExit when something is wrong, which was said then."""
    host, port = _checked()
    # The server's own process is a fork of this one. What neither looks through for garbage stays shared: 1.7 MB.
    gc.collect()
    gc.freeze()
    Granian(
        "app.server.web:application",
        factory=True,
        interface=Interfaces.ASGI,
        # Where it may also be HTTP/2, a connection that says nothing is never closed.
        http=HTTPModes.http1,
        address=host,
        port=port,
        workers=1,
        backpressure=places(),
        websockets=False,
        respawn_failed_workers=True,
        # Accepting ends at once, what was begun is answered.
        workers_kill_timeout=FINISHING,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        # No access log: the path holds the token.
        log_access=False,
        # Its warnings are about the number of threads, which was measured (docs/adr/0003).
        log_level=LogLevels.error,
    ).serve()


def places() -> int:
    """Connections that the server may take: CONNECTIONS, or what the limit on open files leaves."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if allowed < 0 else max(8, min(CONNECTIONS, allowed - FILES))


def _checked() -> tuple[str, int]:
    """Where to listen, as a child of this process finds it, which says by itself what is wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        from app.server.beginning import ready  # only here: it loads what this process is to be without

        os.write(writing, "{1} {0}".format(*ready(os.getppid())).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        port, _, host = answer.read().partition(" ")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not host:
        # Told to stop while it was looking, or what it found wrong.
        raise SystemExit(128 - code if code < 0 else code)
    return host, int(port)
