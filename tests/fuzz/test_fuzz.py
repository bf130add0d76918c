"""A short run of every target, the same each time. `make fuzz` is the long one, guided by coverage."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.fuzz.mutation import inputs, judged
from tests.fuzz.pages import served
from tests.fuzz.targets import TARGETS


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with served():
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_seeds_break_no_promise(name: str) -> None:
    for data in islice(inputs(TARGETS[name], random.Random(name)), 300):
        judged(name, data)
