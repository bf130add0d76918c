"""What a destination offers for the settings that name something there, for those who fill in a form.

It is a help and no condition: whatever goes wrong, the form is shown, says so, and takes what is typed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from connectors.kit.connector import Connector
from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.transcript import single_line
from core.errors import DeliveryError, TimedOut
from core.wording.sentence import say

#: Seconds for each list, and for all of them where they go wrong. Somebody waits for the page.
_SECONDS, _ALL_SECONDS = 10.0, 20.0
#: Entries of a list that are read; whoever has more types.
MOST_CHOICES = 500
#: Characters of what went wrong; of a value, which is left out if it is longer, and of its name.
_LONGEST, _LONGEST_VALUE, _LONGEST_NAME = 300, 1_000, 300
#: What a missing right is answered with.
_FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class Offered:
    """For one setting: the choices, whether there are more, and why there are none, or ""."""

    choices: Sequence[Choice] = ()
    more: bool = False
    problem: str = ""


def offered(connector: Connector[Any]) -> Mapping[str, Offered]:
    """What the destination offers, by setting. After one list for which it could not be reached, or that failed when
    all of them have taken long, no other is asked for."""
    found: dict[str, Offered] = {}
    away: Offered | None = None
    ends = time.monotonic() + _ALL_SECONDS
    for one in _guarded(connector.choices) or ():
        made, unreachable = (away, True) if away is not None else _read(connector, one)
        away = made if unreachable or (made.problem and time.monotonic() > ends) else None
        found |= dict.fromkeys(one.settings, made)
    return found


def _read(connector: Connector[Any], wanted: ChoiceList) -> tuple[Offered, bool]:
    """What there is, and whether the destination could not be reached."""
    with connector.wire.attempt(_SECONDS) if connector.wire else nullcontext([]) as exchanges:
        try:
            found = list(islice(_once(wanted.read()), MOST_CHOICES + 1))
        except TimedOut:
            seconds = round(_SECONDS)
            return Offered(problem=say("no complete answer within %(seconds)s seconds", seconds=seconds)), True
        except DeliveryError as error:
            text = connector.mask(single_line(str(error)))[:_LONGEST]
            if error.status in _FORBIDDEN and wanted.right:
                text = say("%(error)s. The credentials need %(right)s", error=text, right=wanted.right)
            return Offered(problem=text), bool(exchanges) and exchanges[-1].status is None
        except Exception as error:  # noqa: BLE001  # a bug of the connector's, which may be anybody's, takes no form away
            kind = type(error).__name__
            return Offered(problem=say("internal error in this connector: %(error)s", error=kind)), False
    return Offered(found[:MOST_CHOICES], more=len(found) > MOST_CHOICES), False


def _once(choices: Iterable[Choice]) -> Iterable[Choice]:
    """Each value once, under the name that comes first."""
    seen: set[str] = set()
    for one in choices:
        if one.value not in seen and len(one.value) <= _LONGEST_VALUE:
            seen.add(one.value)
            yield Choice(one.value, one.label[:_LONGEST_NAME])


def _guarded(ask: Callable[[], Iterable[ChoiceList]]) -> Sequence[ChoiceList] | None:
    try:
        return list(ask())
    except Exception:  # noqa: BLE001  # as above: then there is nothing to choose from
        return None
