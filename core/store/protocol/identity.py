"""Names for what is made: bodies and leases. They are told apart by chance, and are no secrets."""

from __future__ import annotations

import os
import random

# Seeded by the system, which is not asked again for each: that lets another thread go first, every time.
_chance = random.Random()  # noqa: S311  # no secret depends on it
# A child would go on with its parent's numbers.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_chance.seed)


def fresh() -> str:
    """16 hexadecimal digits that nobody had before: of a hundred million, two are alike with a chance of 1 to 3,700."""
    return f"{_chance.getrandbits(64):016x}"
