"""What Relay asks of Smartsupp's API. Only reads.

Source: Smartsupp's own OpenAPI document of January 2021, github.com/smartsupp/openapi-client. The API of today is not
documented in public; it has been seen to spell the same names in snake case. So the client finds out which spelling is
understood, reads both, and believes no filter and no order that it asked for: what does not belong is left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from core.errors import ConnectorRefused, DeliveryError, NotFound, RecordRefused, RetryLater
from core.smartsupp.api.body import FetchedConversation
from core.smartsupp.api.rows import ConversationRow, in_order, mark_of, objects, overlapping, rows_of, time_of
from core.smartsupp.api.spelling import camel, respelled, snaked

#: Where the API is. Another address is for tests, and for whoever has a proxy of their own.
BASE_URL = "https://api.smartsupp.com/v2"
#: Conversations of one page, and messages and pages that come with one conversation.
CONVERSATIONS_AT_ONCE, MESSAGES_AT_ONCE, PATHS_AT_ONCE = 250, 250, 100
#: Requests that one conversation takes at least, with what is known of the visitor.
REQUESTS_FOR_ONE = 2
#: Pages of one list after which it does not end.
LONGEST_LIST = 10_000
#: An account's zone may be what a date without one is read in: so much is asked for on either side.
_ZONES = timedelta(hours=15)

T = TypeVar("T")


class AsksSmartsupp(Protocol):
    """Sends a request to an address below the base, and returns the JSON of the answer. Raises DeliveryError: a
    ConnectorRefused of status 401, 403 or 404, a RecordRefused of status 400, RetryLater."""

    def __call__(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any: ...


@dataclass(frozen=True)
class Dialect:
    """How requests are spelled: `name` for people, and whether a condition's values stand in a list."""

    name: str
    spell: Callable[[str], str]
    listed: bool


#: The API of today first.
DIALECTS = (Dialect("snake_case", str, True), Dialect("snake_case", str, False), Dialect("camelCase", camel, False))


@dataclass(frozen=True)
class ConversationPage:
    """`total` is how many the API says there are, or None; `through`: the list was read as far as this."""

    rows: tuple[ConversationRow, ...]
    total: int | None
    after: Any


@dataclass(frozen=True)
class Findings:
    """What a check has found. `refused` is what this token may not read -> why. `lacks` are fields that a conversation
    should have by Smartsupp's document and has not; `unknown` are those that we do not know."""

    dialect: str
    total: int | None
    agents: int | None
    refused: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


#: What a conversation has, by the document of 2021. What else it has is news to us.
_FIELDS = frozenset(
    {
        *("id", "type", "status", "channel", "contact_id", "visitor_id", "created_at", "updated_at", "finished_at"),
        *("agent_ids", "assigned_ids", "group_id", "loc_ip", "loc_city", "loc_code", "loc_country", "rating"),
        *("referer", "domain", "user_agent", "tags", "variables", "important", "is_closed", "is_offline", "is_served"),
    }
)
_INCLUDED = frozenset(
    {"contact_details", "visitor_details", "messages", "paths", "last_message", "unread_info", "read_info"}
)


class SmartsuppApi:
    """One account. Threads may share it."""

    def __init__(self, ask: AsksSmartsupp) -> None:
        self._ask = ask
        self._dialect: Dialect | None = None
        self._agents: list[Mapping[str, Any]] | None = None

    # --- lists -----------------------------------------------------------------

    def conversations(self, since: datetime, until: datetime, after: Any = None) -> Iterator[ConversationPage]:
        """The closed conversations that began within [since, until), page by page, each once; `after` of a page
        continues behind it. No order is promised. Raises DeliveryError."""
        seen: set[str] = set()
        for _ in range(LONGEST_LIST):
            found = self._search(self._wanted(since, until, after))
            rows = rows_of(found)
            inside = [one for one in rows if since <= one.began < until and one.id not in seen]
            seen = {one.id for one in rows} | {one.id for one in inside}
            total = found.get("total")
            before, after = after, overlapping(found.get("after"), [one.began for one in rows])
            yield ConversationPage(tuple(inside), total if isinstance(total, int) else None, after)
            # Those of the last page repeat its end: a cursor that stays would be asked for again and again.
            if not after or not found["items"] or after == before:
                return
        raise RetryLater(f"Smartsupp's list of conversations has more than {LONGEST_LIST:,} pages")

    def total(self, since: datetime, until: datetime) -> int | None:
        """How many there are, by the API's own count; None where it does not say. Raises DeliveryError."""
        total = self._search({**self._wanted(since, until, None), "size": 1}).get("total")
        return total if isinstance(total, int) else None

    def _wanted(self, since: datetime, until: datetime, after: Any) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "size": CONVERSATIONS_AT_ONCE,
            "after": after,
            "sort": [{"created_at": "asc"}],
            "filters": {"date_from": _iso(since - _ZONES), "date_to": _iso(until + _ZONES)},
            "query": [{"field": "status", "value": "closed"}],
        }

    def _search(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        def ask(dialect: Dialect) -> Any:
            body = respelled({name: value for name, value in wanted.items() if value is not None}, dialect.spell)
            if dialect.listed:
                body["query"] = [{**one, "value": [one["value"]]} for one in body["query"]]
            return self._ask("POST", "conversations/search", body=body)

        found = self._in_a_dialect(ask)
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            raise RetryLater("Smartsupp's list of conversations has an unexpected shape: expected 'items', a list")
        return {"total": None, "after": None, **snaked(found)}

    def _in_a_dialect(self, ask: Callable[[Dialect], T]) -> T:
        """What is asked in the spelling that is understood. A 400 may mean that another one is."""
        refused: DeliveryError | None = None
        for dialect in (self._dialect,) if self._dialect else DIALECTS:
            try:
                found = ask(dialect)
            except RecordRefused as error:
                refused = refused or error
                continue
            self._dialect = dialect
            return found
        raise refused or RetryLater("nothing was asked")

    # --- one conversation --------------------------------------------------------

    def conversation(self, identity: str, *, visitor: bool = False) -> FetchedConversation:
        """All of one conversation; with `visitor`, what is known of the browser, too, which is one request more.
        Raises NotFound where Smartsupp has it no more, and DeliveryError. What cannot be had beside conversation and
        messages is named in `lacking`."""
        wanted = {
            **dict.fromkeys(("contact_details", "visitor_details"), "true"),
            **dict.fromkeys(("messages_order", "paths_order"), "asc"),
            "messages": str(MESSAGES_AT_ONCE),
            "paths": str(PATHS_AT_ONCE),
        }

        def ask(dialect: Dialect) -> dict[str, Any]:
            params = {dialect.spell(name): value for name, value in wanted.items()}
            return self._found(f"conversations/{identity}", params, f"conversation {identity}")

        found = self._in_a_dialect(ask)
        if str(found.get("id")) != identity:
            raise RetryLater(f"Smartsupp answered with another conversation than {identity}")
        lacking: list[str] = []
        messages = found.get("messages")
        if not isinstance(messages, list) or not messages or len(messages) >= MESSAGES_AT_ONCE:
            messages = self._all(f"conversations/{identity}/messages")
        paths = found.get("paths")
        if not isinstance(paths, list):
            paths = self._or(lambda: self._all(f"conversations/{identity}/paths"), "pages", lacking) or []
        contact = found.get("contact_details")
        if not isinstance(contact, dict) and found.get("contact_id"):
            place = f"contacts/{found['contact_id']}"
            contact = self._or(lambda: self._found(place, {}, "contact"), "contact", lacking)
        seen = None
        if visitor and found.get("visitor_id"):
            place = f"visitors/{found['visitor_id']}"
            seen = self._or(lambda: self._found(place, {}, "visitor"), "visitor", lacking)
        agents = self._or(self.agents, "agents", lacking) or []
        return FetchedConversation(
            found,
            in_order(messages),
            in_order(paths),
            contact if isinstance(contact, dict) else None,
            seen,
            agents,
            tuple(lacking),
        )

    def agents(self) -> list[Mapping[str, Any]]:
        """Everybody who may chat, read once. Raises DeliveryError, NotFound."""
        if self._agents is None:
            found = self._get("agents", {}, "agents")
            listed = found.get("items") if isinstance(found, dict) else found
            if not isinstance(listed, list):
                raise RetryLater("Smartsupp's list of agents has an unexpected shape: expected a list")
            self._agents = [one for one in listed if isinstance(one, dict)]
        return self._agents

    def _all(self, path: str) -> list[Any]:
        """Every entry of a list that pages by `after`."""
        entries: list[Any] = []
        seen: set[str] = set()
        after: Any = None
        for _ in range(LONGEST_LIST):
            params = {
                "size": "200",
                "order": "asc",
                **({"after": str(after[0] if isinstance(after, list) else after)} if after else {}),
            }
            found = self._found(path, params, "messages")
            fresh = [one for one in objects(found.get("items")) if mark_of(one) not in seen]
            seen |= {mark_of(one) for one in fresh}
            entries += fresh
            before, after = after, overlapping(found.get("after"), _moments(fresh))
            if not fresh or after is None or after == before:
                return entries
        raise RetryLater(f"Smartsupp's list {path} has more than {LONGEST_LIST:,} pages")

    def _found(self, path: str, params: Mapping[str, str], what: str) -> dict[str, Any]:
        found = self._get(path, params, what)
        if not isinstance(found, dict):
            raise RetryLater(f"Smartsupp's answer for the {what} has an unexpected shape: expected an object")
        return found

    def _get(self, path: str, params: Mapping[str, str], what: str) -> Any:
        try:
            return snaked(self._ask("GET", path, params=params))
        except DeliveryError as error:
            if error.status in (404, 410) and not isinstance(error, RetryLater):
                raise NotFound(f"Smartsupp has no {what} any more") from None
            raise

    def _or(self, ask: Callable[[], T], what: str, lacking: list[str]) -> T | None:
        """What may be lacking: a chat is worth more than any of it. A token that is wrong is an error."""
        try:
            return ask()
        except (NotFound, RecordRefused, ConnectorRefused) as error:
            if isinstance(error, ConnectorRefused) and error.status == 401:
                raise
            lacking.append(f"{what}: {error}")
            return None

    # --- a check -----------------------------------------------------------------

    def check(self, since: datetime, until: datetime) -> Findings:
        """Whether the token is right, what it may read, and which of the fields that we know there are. Raises
        DeliveryError where conversations cannot be listed."""
        refused: dict[str, str] = {}

        def may(what: str, ask: Callable[[], T]) -> T | None:
            try:
                return ask()
            except (NotFound, DeliveryError) as error:
                refused[what] = str(error)
                return None

        listed = self._search({**self._wanted(since, until, None), "size": 1})
        total = listed["total"] if isinstance(listed["total"], int) else None
        agents = may("agents", self.agents)
        found = Findings(
            self._dialect.name if self._dialect else "", total, len(agents) if agents is not None else None, refused
        )
        newest = rows_of(listed)
        if not newest:
            return found
        one = may("conversation", lambda: self.conversation(newest[0].id, visitor=True))
        if one is None:
            return found
        for said in one.lacking:
            what, _, why = said.partition(": ")
            refused.setdefault(what, why)
        names = frozenset(one.conversation)
        return replace(found, lacks=tuple(sorted(_FIELDS - names)), unknown=tuple(sorted(names - _FIELDS - _INCLUDED)))


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moments(entries: list[dict[str, Any]]) -> list[datetime]:
    return [time for one in entries if (time := time_of(one.get("created_at")))]
