"""Names for bodies and leases."""

from __future__ import annotations

import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from core.store.protocol.identity import fresh


def several(_: object = None) -> list[str]:
    return [fresh() for _ in range(1000)]


def test_they_are_all_different_in_all_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [one for part in pool.map(several, range(8)) for one in part]
    assert len(set(found)) == 8000
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in found)


@pytest.mark.processes
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_have_their_own(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"{os.name} knows no {method}")
    fresh()
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        parts = [pool.submit(several) for _ in range(2)]
        found = [*several(), *(one for part in parts for one in part.result())]
    assert len(set(found)) == len(found) == 3000
