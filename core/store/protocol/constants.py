"""What Python and the scripts both know: words that they exchange, and times and sizes, each written here alone.

scripts.py hands them to Lua under the same names: `LEASE_MS`, `Outcome.DELIVERED`, `How.STAY`. Times are ms.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

from core.delivery import DeliveryStatus, Nowhere, Outcome, PayloadStatus
from core.store.protocol.keys import PREFIX

#: The lane of bodies that no worker has read yet. Connectors cannot be called that (core/config/settings.py).
INBOX = "inbox"

How = Literal["answer", "stay", "leave"]
#: What an attempt says of the destination: out of order; it throttles; nothing, as another delivery held the same
#: person (`occupied`) or our own code failed (`bug`).
Trouble = Literal["", "outage", "throttled", "occupied", "bug"]
#: What an attempt did to its connector's gate; see `Store.settle`.
Gate = Literal["", "held", "still", "open", "doubted"]
#: How a fetch from Smartsupp's API ended; `early`: it does not have yet what somebody said that there is.
Ended = Literal["done", "later", "early", "down", "refused"]
ENDED: tuple[Ended, ...] = get_args(Ended)
#: Who closed a gate: an admin; relay, as credentials or address were refused; the circuit breaker.
Closer = Literal["admin", "relay", "breaker"]
#: What an identity names.
Kind = Literal["delivery", "payload", "conversation"]


class Counted(StrEnum):
    """What statistics count besides statuses and outcomes."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    KILLED = "killed"  # dead after a series of crashes
    OPENED = "opened"  # the circuit of a connector


#: A worker that is alive renews its leases every BEAT_MS; one that is not loses them after LEASE_MS.
LEASE_MS = 5_000
BEAT_MS = 1_500
#: One that was not seen for so long is gone.
WORKER_GONE_MS = 60_000
#: Nobody was seen for so long: the server itself may have been away.
STEADY_MS = 3_000
#: An item whose lease may have run out for that reason is looked at again after so long.
SETTLING_MS = 1_000

#: A wake-up that nobody answered for so long was lost.
WAKE_UP_MS = 60_000

#: Bodies that one thread reads at once, and about as many bytes of them.
BATCH = 16
BATCH_BYTES = 1 << 20

#: After this many crashes in a row the next try of an item runs in a process of its own (workers/work.py): it can hurt
#: no other, and is to blame if that one dies while its worker lives.
SUSPECT = 2
#: From this crash on an item waits before its next try, twice as long each time. A machine that goes down again and
#: again says nothing about the items that were in flight, so it is no reason to give one up.
SLOW_CRASHES = 3
FIRST_CRASH_WAIT_MS, LONGEST_CRASH_WAIT_MS = 30_000, 3_600_000
#: An item is given up when it has ended so many processes that had nothing else to do, which takes at least two waits:
#: one may be killed for a reason of its machine's.
FATAL_ALONE = 3

#: The cause of a delivery that ended its processes: the store notes it by itself.
CRASHED_CAUSE = "crashed"
#: Attempts of a delivery that are kept.
ATTEMPTS_KEPT = 100

#: How long the mark stands that says that work waits for a connector's limits.
LIMITED_MS = 30_000
#: Requests that the first delivery of a connector is taken to need.
FIRST_GUESS = 4
#: A day of a connector's budget of requests, and the longest that there is, when clocks are put back.
WHOLE_DAY_MS, LONGEST_DAY_MS = 86_400_000, 25 * 3_600_000
#: A 429 holds a connector back for no longer than this.
LONGEST_HOLD_MS = 60_000

#: A closed circuit lets one delivery through after FIRST_PROBE_MS, then after twice as long each time.
FIRST_PROBE_MS, LONGEST_PROBE_MS = 30_000, 600_000
#: Should that one never come back, another goes after this.
PROBE_MS = 90_000

#: Two ids that began so close to each other may be one conversation (core/sameness.py).
TWIN_MS = 1_500

#: When a conversation began that retention removed is known for so long: longer than a comparison with Smartsupp looks
#: back.
REMOVED_KEPT_MS = 40 * 86_400_000
#: Whoever works on catch-ups is followed by another one when nothing was heard of it for so long.
CATCH_UP_LEASE_MS = 20_000

#: A conversation that began so long before the store's memory, or after, may be older than that: clocks differ.
SKEW_MS = 600_000
#: Nobody works on one delivery for longer than this.
ALONE_MS = 600_000
#: A refusal of all records that nobody confirmed is remembered for so long; a gate knows so many of those that did.
SUSPECT_MS, MOST_CAUSES = 3 * 86_400_000, 100

#: Changes of a connector's gate that are kept.
GATES_KEPT = 50

#: How long the counts of a minute and of an hour are kept: 2 hours, 33 days.
MINUTE_KEPT_MS, HOUR_KEPT_MS = 2 * 3_600_000, 33 * 86_400_000

#: A notice that could not be sent is tried again after twice this, doubled each time.
NOTICE_RETRY_MS, LONGEST_NOTICE_RETRY_MS = 15_000, 3_600_000

_VALUES: dict[str, int | str] = {
    "PREFIX": PREFIX,
    **{name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | str)},
}
_WORDS: dict[str, dict[str, str]] = {
    **{
        kind.__name__: {one.name: one.value for one in kind}
        for kind in (PayloadStatus, DeliveryStatus, Outcome, Nowhere, Counted)
    },
    **{
        name: {word.upper(): word for word in get_args(kind) if word}
        for name, kind in (
            ("How", How),
            ("Trouble", Trouble),
            ("Gate", Gate),
            ("Closer", Closer),
            ("Kind", Kind),
            ("Ended", Ended),
        )
    },
}


def lua_literals() -> dict[str, str]:
    """Everything above by the name that a script has for it -> as Lua spells it. All texts are plain words."""
    words = {f"{kind}.{name}": word for kind, found in _WORDS.items() for name, word in found.items()}
    known = {**_VALUES, **words}
    return {name: f"'{value}'" if isinstance(value, str) else str(value) for name, value in known.items()}


#: The kinds of words, for whoever looks for one that is not there.
KINDS = tuple(_WORDS)
