"""supervisor (http://supervisord.org), which no log can end and which starts a program again soon, however often.

It copies what its programs print to its own streams. On a full disk, or where nobody reads these any more, it would die
of the traceback that it prints about that; where a reader has stopped reading, it would hang, and with it everything
that prints. What cannot be written within a moment is dropped here.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any

from core.lean_imports import hidden

# It imports clients and servers of HTTP, neither of which runs here: without TLS they take 3 MB less.
with hidden("ssl"):
    from supervisor import loggers, process, supervisord
    from supervisor.states import ProcessStates

#: Where app/supervisor/up.py sends what programs print.
STREAMS = {"/dev/fd/1": 1, "/dev/fd/2": 2}
#: Seconds that a reader may take; and the most before a program that dies young is started again.
_PATIENCE, _LONGEST_PAUSE = 1.0, 10
#: Bytes that a pipe takes at once when it takes any (PIPE_BUF of Linux).
_PIECE = 4096


class Output(io.RawIOBase):
    """Writes to a descriptor what it takes. Whatever else is written to it is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._stuck = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any, /) -> int:
        text = bytes(data)
        with suppress(OSError, ValueError):
            for start in range(0, len(text), _PIECE):
                # One that is stuck is not waited for again.
                ready = select.select([], [self._descriptor], [], 0 if self._stuck else _PATIENCE)[1]
                self._stuck = not ready
                if not ready:
                    break
                os.write(self._descriptor, text[start : start + _PIECE])
        return len(text)


def _handle_file(logger: Any, filename: str, fmt: str, **options: Any) -> None:
    """As supervisor's own, but for its own streams: these are not opened anew, which a socket (systemd's) forbids."""
    if filename not in STREAMS:
        _as_ever(logger, filename, fmt, **options)
        return
    handler = loggers.StreamHandler(Output(STREAMS[filename]))
    handler.setFormat(fmt)
    handler.setLevel(logger.level)
    logger.addHandler(handler)


def _change_state(self: Any, new_state: int, expected: bool = True) -> Any:
    """As supervisor's own, whose pauses grow by a second each, without end."""
    self.backoff = min(self.backoff, _LONGEST_PAUSE - 1) if new_state == ProcessStates.BACKOFF else self.backoff
    return _changed(self, new_state, expected)


_as_ever = loggers.handle_file
_changed = process.Subprocess.change_state


def main() -> None:
    sys.stdout = io.TextIOWrapper(Output(1), "utf-8", "replace", write_through=True)
    sys.stderr = io.TextIOWrapper(Output(2), "utf-8", "replace", write_through=True)
    loggers.handle_file = _handle_file
    process.Subprocess.change_state = _change_state
    supervisord.main()


if __name__ == "__main__":
    main()
