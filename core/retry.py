"""The long horizon: when a failed delivery is tried again. Pure: numbers in, a number or None out.

The seconds inside one attempt are the connectors' business (connectors/kit/http.py); minutes to days are here, and
the lane does the waiting. Both are spelled in tenacity.
"""

from __future__ import annotations

from tenacity import RetryCallState, stop_after_delay, wait_chain, wait_fixed, wait_random
from tenacity.stop import stop_base
from tenacity.wait import wait_base

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Seconds between tries. The last one repeats until `GIVE_UP`.
SCHEDULE = (30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
GIVE_UP = 3 * DAY
#: A vendor may ask for a longer pause than the schedule's, but not for one past this.
LONGEST_RETRY_AFTER = DAY
#: A vendor that says 0, or a time that is over, is not asked again and again without a pause.
SHORTEST_RETRY_AFTER = 1.0

# A tenth on top, so that what failed together does not come back together.
_wait: wait_base = wait_chain(*(wait_fixed(seconds) + wait_random(0, seconds / 10) for seconds in SCHEDULE))
_stop: stop_base = stop_after_delay(GIVE_UP)


def next_try(tries: int, waited: float, retry_after: float | None = None) -> float | None:
    """Seconds until the next try, or None when it is time to give up.

    `tries` counts the failed ones, this one included; `waited` is the sum of what was returned for those before it:
    time in which nothing was tried, as a connector was held back or off or no worker there, is no reason to give up.
    `retry_after` is what the vendor asked for, in seconds: it wins, but for the time at which we give up.
    """
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]  # never called
    state.attempt_number = tries
    state.start_time = 0.0
    state.outcome_timestamp = waited
    if _stop(state):
        return None
    if retry_after is not None:
        return min(max(retry_after, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)
    return _wait(state)
