"""What Granian starts by name: the first thing that a server's process does."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from app.process import tie_to_parent, watch_parent

if TYPE_CHECKING:
    from app.server.asgi import Buffered


def application() -> Buffered:
    # Killed, Granian's own process would leave it behind, to answer beside the next one under settings of yesterday.
    parent = multiprocessing.parent_process()
    tie_to_parent(parent.pid if parent else None)
    if parent and parent.pid:
        watch_parent(parent.pid)

    from app.server.serving import serving  # takes a second to load, in which the parent may die

    return serving()
