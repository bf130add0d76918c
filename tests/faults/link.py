"""A cable that can be cut without anybody being told: `python -m tests.faults.link SOCKET` prints the port that it
listens on and forwards what comes there to a Unix socket. Stopped (SIGSTOP), it holds every connection open and says
nothing more.

No network namespace is needed for that: what a process sees of a cut cable is that no byte comes and none is
acknowledged. The short queue is there for the same reason: once it is full, new connections are not answered either.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from pathlib import Path

QUEUE = 1


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _serve(path: str) -> None:
    async def join(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(path)
        except OSError:  # the server is away: so is its port
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    server = await asyncio.start_server(join, "127.0.0.1", 0, backlog=QUEUE)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # whoever started it reads this
    await server.serve_forever()


class Link:
    """One cable, as a process of its own. `url` is the server at its other end."""

    def __init__(self, socket: Path) -> None:
        command = [sys.executable, "-m", "tests.faults.link", str(socket)]
        root = Path(__file__).parent.parent.parent
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout
        self.url = f"redis://127.0.0.1:{int(self._process.stdout.readline())}"

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)
        if self._process.stdout:
            self._process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
