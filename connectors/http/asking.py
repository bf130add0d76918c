"""How a request that is ready is sent, and what is read of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from requests import Response

from connectors.http.looking import Looking, pager_of
from connectors.http.requests.offering import Offering
from connectors.http.requests.ready import Ready, value_at
from connectors.kit.http import Http, Judge
from connectors.kit.offered import Choice
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import Pager
from connectors.kit.work.owner import OWNER
from core.config.yaml_file import dotted
from core.errors import RetryLater
from core.templates.scope import Names

#: Whether a text is one that is looked for.
IsMarked = Callable[[str], bool]


@dataclass(frozen=True)
class FoundEntry:
    """What was taken out of an entry that was found, and the texts that its record was created with, if they are in
    it."""

    took: dict[str, Any]
    texts: Sequence[str] = ()


class Asking:
    """`when` makes a judge of cases, `headers` are those of every request, `speaks_json` whether answers are JSON."""

    def __init__(
        self,
        http: Http,
        base: str,
        when: Callable[..., Judge],
        headers: Mapping[str, str],
        *,
        speaks_json: bool,
    ) -> None:
        self._http, self._base, self._when = http, base, when
        self._headers, self._speaks_json = headers, speaks_json

    @property
    def is_pretending(self) -> bool:
        return self._http.is_pretending

    def send(
        self, ready: Ready, names: Names, *, repeatable: bool, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """What it takes out of its answer. Raises DeliveryError."""
        judge = ready.judge(self._when, owned=names.get(OWNER) is not None)
        answer = self._sent(ready, names, judge, repeatable, headers)
        body = self._body(answer)
        if self._http.is_pretending:
            return dict.fromkeys(ready.taking, 1)
        ready.proven(body)
        return ready.values(body, answer.headers)

    def look(
        self, looking: Looking, names: Names, is_marked: IsMarked | None = None, *, imagined: bool = False
    ) -> FoundEntry | None:
        """What it finds, or None. `is_marked` knows the texts that are meant; `imagined`: a
        preview finds something. Raises DeliveryError."""
        entry = self.entry(looking, names, is_marked)
        if self._http.is_pretending:
            return FoundEntry(dict.fromkeys(looking.taking, 1)) if imagined else None
        return None if entry is None else FoundEntry(looking.values(entry), _texts_at(looking.text_at, entry))

    def entry(self, looking: Looking, names: Names, is_marked: IsMarked | None = None) -> Any:
        """What it finds as it is: an entry of its list, or the body; None where there is none."""
        judge = looking.judge(self._when, *looking.answers)
        if looking.pager and not self._http.is_pretending:
            entries = self._pages(looking, names, judge, looking.pager)
        else:
            answer = self._sent(looking, names, judge, True)
            if answer.status_code in looking.none or answer.status_code == 204:
                return None
            body = self._body(answer)
            if self._http.is_pretending:
                return body
            looking.proven(body)
            if looking.empty is not None and value_at(looking.empty, body):
                return None
            if looking.entries is None:
                if body is None:
                    raise RetryLater(f"{dotted(looking.place)}: expected JSON, got nothing", status=answer.status_code)
                entries = iter([Reply(body)])
            else:
                entries = iter(_within(Reply(body), looking.entries))
        wanted = [(path, render(names)) for path, render in looking.where]
        return next((one.raw for one in entries if _is_meant(looking, one.raw, wanted, is_marked)), None)

    def texts(self, looking: Looking, names: Names) -> Iterator[str]:
        """Every text at `marked`, in all that it lists. Raises DeliveryError."""
        judge = looking.judge(self._when, *looking.answers)
        if looking.pager:
            entries = self._pages(looking, names, judge, looking.pager)
        else:
            answer = self._sent(looking, names, judge, True)
            body = None if answer.status_code in (*looking.none, 204) else self._body(answer)
            if body is None:
                return
            looking.proven(body)
            entries = iter(_within(Reply(body), looking.entries or ""))
        for one in entries:
            yield from _texts_at(looking.marked, one.raw)

    def offered(self, offering: Offering, names: Names) -> Iterator[Choice]:
        """What there is to choose from, page by page. Raises DeliveryError."""
        return offering.choices(self.listed(offering, names))

    def listed(self, offering: Offering, names: Names) -> Iterator[Reply]:
        """The entries of its list, page by page; in a preview none. Raises DeliveryError."""
        judge = offering.judge(self._when)
        if offering.pages is not None and not self._http.is_pretending:
            return self._pages(offering, names, judge, pager_of(offering.pages, offering.path_of_pages))
        body = self._body(self._sent(offering, names, judge, True))
        return iter(()) if self._http.is_pretending else offering.entries(body)

    def _pages(self, ready: Ready, names: Names, judge: Judge, pager: Pager) -> Iterator[Reply]:
        options = ready.options(names)
        headers = {**self._headers, **options["headers"]}
        url = self._base + ready.path(names)
        return pager.entries(self._http, url, options.get("params"), judge, headers)

    def _sent(
        self,
        ready: Ready,
        names: Names,
        judge: Judge,
        repeatable: bool,
        more: Mapping[str, str] | None = None,
    ) -> Response:
        options = ready.options(names)
        headers = {**self._headers, **options.pop("headers"), **(more or {})}
        url = self._base + ready.path(names)
        return self._http.request(ready.method, url, repeatable=repeatable, judge=judge, headers=headers, **options)

    def _body(self, answer: Response) -> Any:
        """The JSON of an answer; None where it is empty, or nobody wants it."""
        if not self._speaks_json or not answer.content.strip():
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise RetryLater("expected JSON, got something else", status=answer.status_code) from None


def _within(body: Reply, path: str) -> Reply:
    """The list at a path. Raises RetryLater where there is none: that says nothing of what was looked for."""
    for name in path.split(".") if path else ():
        body = body[name]
    return Reply([]) if body.raw is None and path else body


def _is_meant(looking: Looking, entry: Any, wanted: Any, is_marked: IsMarked | None) -> bool:
    for path, text in wanted:
        there = value_at(path, entry)
        if not text or text not in [str(one) for one in (there if isinstance(there, list) else [there])]:
            return False
    if looking.marked is None:
        return True
    return is_marked is not None and any(map(is_marked, _texts_at(looking.marked, entry)))


def _texts_at(path: Any, entry: Any) -> Sequence[str]:
    said = value_at(path, entry) if path is not None else None
    return [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)]
