"""What a vendor's answers mean, as tables instead of code: by status, by a code in the body, by an error in a success.

    VERDICTS = Verdicts(
        statuses={409: RetryLater},
        codes={"error": {"IdempotentRequestError": RetryLater}, "details": {"group": ConnectorRefused}},
        hints=(Hint(header="ratelimit-reset"),),
    )

A code is looked for where the vendor puts codes, never in its words, which may quote what a visitor wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from requests import Response

from connectors.kit.responses import STATUS, Verdict, refusal
from core.errors import ConnectorRefused, DeliveryError, Gone, Intercepted, RecordRefused, RetryLater

#: What the verdicts are called in a declaration.
WAIT: Verdict = RetryLater
REFUSE: Verdict = RecordRefused
PAUSE: Verdict = ConnectorRefused

#: Longer waits than this, in seconds, are a mistake of the vendor's clock.
LONGEST_WAIT = 7 * 86_400.0


def body_of(answer: Response) -> Any:
    """The JSON of an answer, or None."""
    with suppress(ValueError, RecursionError):
        return answer.json()
    return None


def at(body: Any, path: str) -> Iterator[Any]:
    """What stands at a path such as `data[].code`: `[]` goes through a list, `*` through the values of an object, and a
    name into one. `{}` at the end gives the names in an object."""
    found = [body]
    for name in path.split(".") if path else ():
        bare = name.removesuffix("[]").removesuffix("{}")
        if bare == "*":
            found = [value for one in found if isinstance(one, dict) for value in one.values()]
        elif bare:
            found = [one[bare] for one in found if isinstance(one, dict) and bare in one]
        if name.endswith("[]"):
            found = [item for one in found if isinstance(one, list) for item in one]
        elif name.endswith("{}"):
            found = [key for one in found if isinstance(one, dict) for key in one]
    yield from found


@dataclass(frozen=True)
class Hint:
    """Where a vendor says how long to wait, in a header or at a path of the body, and how: in seconds or milliseconds
    from now, or as a time (Unix seconds, or milliseconds, or a date). With `waits`, what stands there is a word, and
    these are the seconds that each means; with `always`, nothing has to stand anywhere.

    It is for answers of the statuses `on`, or of any; with `codes`, for those with one of these codes at a path of the
    body, which by that are to be waited for, whatever their status. `first`: it knows better than Retry-After.
    """

    header: str = ""
    path: str = ""
    unit: Literal["seconds", "milliseconds", "epoch", "epoch-ms", "date"] = "seconds"
    waits: Mapping[str, float] = field(default_factory=dict)
    always: float | None = None
    on: Sequence[int] = ()
    first: bool = False
    codes: Mapping[str, Set[str]] = field(default_factory=dict)

    def waits_for(self, answer: Response, body: Any) -> bool:
        """Whether one of its codes says that the answer is to be waited for."""
        return bool(self.codes) and self._is_about(answer, body)

    def _is_about(self, answer: Response, body: Any) -> bool:
        if self.on and answer.status_code not in self.on:
            return False
        said = ((codes, at(body, path)) for path, codes in self.codes.items())
        return not self.codes or any(str(one) in codes for codes, found in said for one in found)

    def seconds(self, answer: Response, body: Any, now: datetime) -> float | None:
        """How long to wait; None where it is not said, or cannot be read."""
        if not self._is_about(answer, body):
            return None
        if self.always is not None:
            return self.always
        said = answer.headers.get(self.header) if self.header else next(iter(at(body, self.path)), None)
        if said is None or isinstance(said, dict | list | bool):
            return None
        text = str(said).strip()
        if self.waits:
            return self.waits.get(text)
        return _wait(text, self.unit, now)


def _wait(text: str, unit: str, now: datetime) -> float | None:
    try:
        if unit == "date":
            found = _moment(text) - now.timestamp()
        elif not text.isascii():
            return None
        elif unit in ("seconds", "milliseconds"):
            found = float(text) / (1000 if unit == "milliseconds" else 1)
        else:
            found = float(text) / (1000 if unit == "epoch-ms" else 1) - now.timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, found), LONGEST_WAIT) if found == found else None  # noqa: PLR0124  # "nan" is a number to float


def _moment(text: str) -> float:
    """A date as HTTP or ISO 8601 writes it; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True)
class When:
    """What an answer means when it is about something in particular: a record that we made earlier, or the visitor.

    It applies to an answer of one of `statuses`; if `codes`, where one of these codes stands at its path; if `every`,
    where something stands at the path and all of it is among these; if `said`, where one of these words stands in the
    body, and none of those in `unless`. `refused`: only where the answer means that this record is refused.
    Then it means `then`: a verdict with `text` in front of what the vendor said, or None for a success. With `steps`
    it is Gone: what those steps made has died, or the vendor does not take the visitor.
    """

    statuses: Sequence[int]
    then: Verdict | None = RecordRefused
    text: str = ""
    steps: tuple[str, ...] = ()
    codes: Mapping[str, Set[str]] = field(default_factory=dict)
    every: Mapping[str, Set[str]] = field(default_factory=dict)
    said: Sequence[bytes] = ()
    unless: Sequence[bytes] = ()
    refused: bool = False

    def applies(self, answer: Response, error: DeliveryError | None) -> bool:
        # A page of a firewall says nothing of what we made.
        if answer.status_code not in self.statuses or isinstance(error, Intercepted):
            return False
        if self.refused and type(error) is not RecordRefused:
            return False
        body = body_of(answer) if self.codes or self.every else None
        if not all(any(str(one) in codes for one in at(body, path)) for path, codes in self.codes.items()):
            return False
        for path, codes in self.every.items():
            found = [str(one) for one in at(body, path)]
            if not found or not codes >= {*found}:
                return False
        lowered = answer.content.lower() if self.said or self.unless else b""
        wanted = not self.said or any(word.lower() in lowered for word in self.said)
        return wanted and not any(word.lower() in lowered for word in self.unless)

    def meaning(self, answer: Response, error: DeliveryError | None) -> DeliveryError | None:
        if self.then is None:
            return None
        text = f"{self.text}: {error}" if self.text and error is not None else self.text or str(error)
        if self.steps:
            return Gone(text, *self.steps, status=answer.status_code)
        made = self.then(text, status=answer.status_code)
        if isinstance(made, RetryLater) and isinstance(error, RetryLater):
            made.retry_after = error.retry_after  # when is still the vendor's to say
        return made


@dataclass(frozen=True)
class Verdicts:
    """What the answers of a vendor mean.

    `statuses` adds to what a status means to all. `codes`: path -> code -> verdict, for what is no success; the first
    table that knows a code decides. `in_success`: the same for a 2xx, in which a vendor puts errors; `fails` is a path
    and the values that say that it is one (Slack's `ok: false`), or "" for a path where anything says so. What is in no
    table is `else_` in a success that fails.
    `hints` say how long to wait where `Retry-After` does not. Where one of `cases` applies to what this comes to, that
    decides. With the statuses in `guards` the vendor's own guard turns a client away for a while, in no JSON.
    """

    statuses: Mapping[int, Verdict] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    only: frozenset[int] = frozenset()
    in_success: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    fails: tuple[str, frozenset[Any]] | None = None
    else_: Verdict = RecordRefused
    hints: Sequence[Hint] = ()
    cases: Sequence[When] = ()
    guards: Sequence[int] = ()
    speaks_json: bool = True

    def judge(
        self,
        answer: Response,
        mask: Callable[[str], str] = str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> DeliveryError | None:
        """The error that an answer means, or None when it is a success."""
        return _settled(answer, self._judged(answer, mask, now), self.cases)

    def _judged(
        self, answer: Response, mask: Callable[[str], str], now: Callable[[], datetime]
    ) -> DeliveryError | None:
        success, body = answer.status_code // 100 == 2, body_of(answer)
        waits = any(hint.waits_for(answer, body) for hint in self.hints)
        if success and not waits and not self._fails(body):
            return None
        known = WAIT if waits else self._known(self.in_success if success else self.codes, body, answer.status_code)
        if success:
            known = known or self.else_
        elif answer.status_code in self.guards and "json" not in answer.headers.get("Content-Type", ""):
            known = RetryLater
        table = {**STATUS, **self.statuses, **({answer.status_code: known} if known else {})}
        error = refusal(answer, table, mask, speaks_json=self.speaks_json, own=self.statuses)
        if isinstance(error, RetryLater):
            error.retry_after = self._wait(answer, body, error.retry_after, now())
        return error

    def _wait(self, answer: Response, body: Any, standard: float | None, now: datetime) -> float | None:
        for first in (True, False):
            hinted = (hint.seconds(answer, body, now) for hint in self.hints if hint.first is first)
            found = next((one for one in hinted if one is not None), None)
            if found is not None:
                return found
            if standard is not None:
                return standard
        return None

    def _fails(self, body: Any) -> bool:
        if self.fails is not None:
            path, values = self.fails
            found = list(at(body, path))
            return any(one in values for one in found if not isinstance(one, dict | list)) if values else bool(found)
        return self._known(self.in_success, body, 200) is not None

    def _known(self, tables: Mapping[str, Mapping[str, Verdict]], body: Any, status: int) -> Verdict | None:
        if status // 100 != 2 and self.only and status not in self.only:
            return None
        for path, table in tables.items():
            for code in at(body, path):
                if isinstance(code, str | int) and (verdict := table.get(str(code))):
                    return verdict
        return None


def judged(
    answer: Response, judge: Callable[[Response], DeliveryError | None], cases: Sequence[When]
) -> DeliveryError | None:
    """What an answer means: the first of the cases that applies, or what `judge` says."""
    return _settled(answer, judge(answer), cases)


def _settled(answer: Response, error: DeliveryError | None, cases: Sequence[When]) -> DeliveryError | None:
    found = next((case for case in cases if case.applies(answer, error)), None)
    return found.meaning(answer, error) if found is not None else error
