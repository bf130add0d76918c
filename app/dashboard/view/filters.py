"""A filter of conversations as a query string, as a form, and in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from core.delivery import STATUS_NAMES, UNDELIVERED, DeliveryStatus
from core.store import Filter
from core.wording.sentence import say, say_n, to_be_said

#: Characters of a search.
_LONGEST = 200

#: How a query spells a rating -> as a filter has it.
RATINGS: Mapping[str, str] = {"good": "5", "normal": "3", "bad": "1", "none": "none"}
#: What version 0.1 called one of them, in addresses that people have kept. Goes with 0.3.
_OLD = {"waiting": DeliveryStatus.WAITING.spelled}
_FIELDS = ("q", "said", "connector", "status", "account", "missed", "offline", "rating", "from", "to", "job", "cause")
_JOB = re.compile(r"(b-)?[0-9a-f]{12}")
_CAUSE = re.compile(r"[0-9a-f]{10}|crashed")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_T = TypeVar("_T")


class _Wrong(Exception):
    """What is wrong with a value, and what it may be."""


@dataclass(frozen=True)
class Asked:
    """What somebody asked for. `values` is as it was typed, `errors` says by field what is wrong with it; where there
    are any, `filter` is without those fields."""

    filter: Filter
    values: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def query(self) -> dict[str, Any]:
        """For url_for, without what is empty."""
        return {name: value for name, value in self.values.items() if value}

    @property
    def further(self) -> int:
        """How many of the fields are set that the form hides at first."""
        return sum(bool(self.values[name]) for name in ("account", "missed", "offline", "rating", "from", "to"))


def asked(query: Mapping[str, str], connectors: Collection[str], zone: tzinfo = UTC) -> Asked:
    """Read a query string or a form, whose days are those of `zone`; nothing in it is an error here."""
    form = _Form({name: " ".join(query.get(name, "").split()) for name in _FIELDS}, {})
    form.values["status"] = _OLD.get(form.values["status"], form.values["status"])
    found = Filter(
        text=form.read("q", _text) or "",
        said=form.ticked("said"),
        connector=form.read(
            "connector", lambda name: _one_of(name, connectors, to_be_said("There is no connector “%(word)s”."))
        )
        or "",
        status=form.read("status", _status),
        undelivered=form.values["status"] == UNDELIVERED,
        account=form.read("account", _account) or "",
        missed=form.ticked("missed"),
        offline=form.ticked("offline"),
        rating=form.read(
            "rating", lambda word: RATINGS[_one_of(word, RATINGS, to_be_said("There is no rating “%(word)s”."))]
        )
        or "",
        since=form.read("from", lambda day: _begin(_day(day), zone)),
        until=form.read("to", lambda day: _begin(_day(day) + timedelta(days=1), zone)),
        job=form.read("job", _job) or "",
        cause=form.read("cause", _cause) or "",
    )
    if found.cause:
        if found.status not in (None, DeliveryStatus.DEAD) or found.undelivered:
            form.errors["status"] = say("Only dead letters have a cause.")
        found = replace(found, status=DeliveryStatus.DEAD)
        form.values["status"] = DeliveryStatus.DEAD.spelled if "status" not in form.errors else form.values["status"]
    if found.since is not None and found.until is not None and found.since >= found.until:
        form.errors["to"] = say("This is before “From”.")
    if found.undelivered and found.job:
        form.errors["status"] = say("A chat that was not delivered anywhere has no delivery of a bulk job.")
    if found.undelivered and found.connector:
        form.errors["connector"] = say("A chat that was not delivered anywhere has no connector.")
    return Asked(found, form.values, form.errors)


@dataclass(frozen=True)
class _Form:
    values: dict[str, str]
    errors: dict[str, str]

    def read(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """What a field says; None where it is empty or wrong."""
        try:
            return parse(self.values[name]) if self.values[name] else None
        except _Wrong as wrong:
            self.errors[name] = wrong.args[0]
            return None

    def ticked(self, name: str) -> bool:
        return self.values[name] not in ("", "0")


def spelled(wanted: Filter, zone: tzinfo = UTC) -> dict[str, str]:
    """The query of a filter; times become whole days of `zone`, and one that ends within a day goes on to its end."""
    ratings = {kept: word for word, kept in RATINGS.items()}
    query = {
        "q": wanted.text,
        "said": "1" if wanted.said else "",
        "connector": wanted.connector,
        "status": UNDELIVERED if wanted.undelivered else wanted.status.spelled if wanted.status else "",
        "account": wanted.account,
        "missed": "1" if wanted.missed else "",
        "offline": "1" if wanted.offline else "",
        "rating": ratings.get(wanted.rating, ""),
        "from": _date(wanted.since, zone) if wanted.since is not None else "",
        "to": _date(wanted.until - 1, zone) if wanted.until is not None else "",
        "job": wanted.job,
        "cause": wanted.cause,
    }
    return {name: value for name, value in query.items() if value}


def in_words(wanted: Filter, zone: tzinfo = UTC, *, as_of: int | None = None) -> list[tuple[str, str]]:
    """Name and value of everything that a filter asks for. An end just after `as_of` (ms) is the one that every bulk
    job has, and says nothing."""
    whole = as_of is not None and wanted.until == as_of + 1
    query = spelled(replace(wanted, until=None) if whole else wanted, zone)
    said = say("Text, messages included") if wanted.said else say("Text")
    names = {
        "q": said,
        "connector": say("Connector"),
        "status": say("Status"),
        "account": say("Account"),
        "rating": say("Rating"),
        "from": say("From"),
        "to": say("To"),
        "job": say("Bulk job"),
        "cause": say("Cause"),
    }
    found = [(label, query[name]) for name, label in names.items() if name in query]
    return found + [
        (label, say("yes")) for name, label in (("missed", say("Missed")), ("offline", say("Offline"))) if name in query
    ]


def _text(text: str) -> str:
    if len(text) > _LONGEST:
        raise _Wrong(say_n("At most %(count)s character.", "At most %(count)s characters.", _LONGEST))
    return text


def _one_of(word: str, known: Collection[str], missing: str) -> str:
    if word not in known:
        raise _Wrong(say(missing, word=word[:40]))
    return word


def _status(word: str) -> DeliveryStatus | None:
    word = _one_of(word, STATUS_NAMES, to_be_said("There is no status “%(word)s”."))
    return DeliveryStatus.named(word) if word != UNDELIVERED else None


def _account(name: str) -> str:
    if not _ACCOUNT.fullmatch(name):
        raise _Wrong(say("An account has only letters, digits, “_”, “-” and “.”."))
    return name


def _job(identity: str) -> str:
    if not _JOB.fullmatch(identity):
        raise _Wrong(say("There is no bulk job “%(identity)s”.", identity=identity[:40]))
    return identity


def _cause(identity: str) -> str:
    if not _CAUSE.fullmatch(identity):
        raise _Wrong(say("There is no cause “%(identity)s”.", identity=identity[:40]))
    return identity


def _day(text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
        # Days far away have no room for their end.
        if not date(1970, 1, 1) <= day <= date(9000, 1, 1):
            raise ValueError
    except ValueError:
        raise _Wrong(say("Write a day as 2026-11-22.")) from None
    return day


def _begin(day: date, zone: tzinfo) -> int:
    """Its first millisecond, as far as times of this kind have one."""
    return max(0, round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000))


def _date(ms: int, zone: tzinfo) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(zone).date().isoformat()
