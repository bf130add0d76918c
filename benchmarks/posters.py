"""The ceiling of delivering: bare `requests` posts, one Session a thread. `python -m benchmarks.posters THREADS`.

Told {"do": "post", "url", "first", "seconds"}, it posts conversations from `first` on, with all its threads (child.py).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import requests

from app.process import tie_to_parent
from benchmarks.bodies import body

_HEADERS = {"Content-Type": "application/json"}


def _post(session: requests.Session, url: str, numbers: Iterator[int], until: float) -> int:
    """Returns how many."""
    sent = 0
    while time.monotonic() < until:
        # next() of a range is one step of the interpreter: no two threads get the same number.
        session.post(url, data=body(next(numbers)), headers=_HEADERS, timeout=60).raise_for_status()
        sent += 1
    return sent


def main() -> None:
    threads = int(sys.argv[1])
    with ThreadPoolExecutor(threads) as pool, ExitStack() as opened:
        sessions = [opened.enter_context(requests.Session()) for _ in range(threads)]
        said: dict[str, Any] = {}
        while True:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
            line = sys.stdin.readline()
            if not line:
                return
            wanted = json.loads(line)
            numbers, until = iter(range(wanted["first"], 10**8)), time.monotonic() + wanted["seconds"]
            running = [pool.submit(_post, one, wanted["url"], numbers, until) for one in sessions]
            said = {"posts": sum(one.result() for one in running)}


if __name__ == "__main__":
    tie_to_parent()
    main()
