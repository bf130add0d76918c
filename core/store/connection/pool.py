"""A pool of connections that are handed on while they are warm.

redis-py looks after a connection each time that it is lent: it polls the socket, takes locks and tells observers, which
is a third of what a command costs us. One that was given back a moment ago needs none of that.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import Any

import redis

#: Seconds for which a connection that was given back is taken for a good one. A server that went away meanwhile shows
#: in the command, as it does in the middle of one.
WARM = 1.0


class Pool(redis.ConnectionPool):
    def __init__(self, *args: Any, **options: Any) -> None:
        self._warm: deque[tuple[redis.Connection, float]] = deque()
        super().__init__(*args, **options)

    def get_connection(self, *_: Any, **__: Any) -> Any:
        while self._warm:
            try:
                connection, since = self._warm.pop()
            except IndexError:  # another thread was faster
                break
            if time.monotonic() - since < WARM and connection.is_connected and connection.pid == os.getpid():
                return connection
            super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        # For the parent it is lent on. What an exception ended (Ctrl-C for one) may leave replies that nobody has read.
        if sys.exc_info()[0] is None and connection.is_connected and not connection.should_reconnect():
            self._warm.append((connection, time.monotonic()))
        else:
            super().release(connection)

    def reset(self) -> None:
        """After a fork: the sockets are the parent's."""
        self._warm.clear()
        super().reset()
