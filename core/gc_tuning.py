"""Python's search for garbage in cycles, tamed for processes that load much and then run for long."""

from __future__ import annotations

import gc

#: Objects that are made before the young ones are looked through; Python's own 700 are fewer than a delivery makes.
YOUNG = 10_000


def loaded() -> None:
    """What is there by now stays for good, and is not looked through again: a full search of it takes a worker 60 ms,
    in which all its threads stand still, and searches took 6 % of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)


def replaced() -> None:
    """Something that was there then has been replaced, and may go."""
    gc.unfreeze()
