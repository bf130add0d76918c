"""Forwards connections: `python -m tests.faults.forward QUEUE FROM=TO …`. An end is a port of 127.0.0.1 (0: a free one)
or the path of a Unix socket. Prints the ports or paths that it listens on. QUEUE is how many may wait to be taken.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _open(end: str) -> tuple[StreamReader, StreamWriter]:
    if "/" in end:
        return await asyncio.open_unix_connection(end)
    return await asyncio.open_connection("127.0.0.1", int(end))


async def _listen(queue: int, source: str, target: str) -> asyncio.Server:
    async def join(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await _open(target)
        except OSError:  # who listens there is away: so is this end
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    if "/" in source:
        return await asyncio.start_unix_server(join, source, backlog=queue)
    return await asyncio.start_server(join, "127.0.0.1", int(source), backlog=queue)


async def _serve(queue: int, pairs: Sequence[str]) -> None:
    servers = [await _listen(queue, *pair.split("=")) for pair in pairs]
    names = [server.sockets[0].getsockname() for server in servers]
    print(*(name if isinstance(name, str) else name[1] for name in names), flush=True)  # noqa: T201  # read by Forwarder
    await asyncio.gather(*(server.serve_forever() for server in servers))


class Forwarder:
    """The process. `ends` is where it listens, in the order of the pairs; `at` is put before its command."""

    def __init__(self, *pairs: str, queue: int = 100, at: Sequence[str] = ()) -> None:
        command = [*at, sys.executable, "-m", "tests.faults.forward", str(queue), *pairs]
        root = Path(__file__).parent.parent.parent
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self.process.stdout
        self.ends = self.process.stdout.readline().split()
        assert len(self.ends) == len(pairs), f"{command} listens nowhere"

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2:]))
