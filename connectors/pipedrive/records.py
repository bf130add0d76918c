"""Leads and deals that a person has already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.kit.reply import Reply
from connectors.kit.work.one_record import Before
from connectors.pipedrive.account import PipedriveAccount

PATHS: Mapping[str, str] = {"lead": "/v1/leads", "deal": "/api/v2/deals"}
#: How many of a person's deals are looked at, those that changed last.
_MOST = 100


class PipedriveRecords(PipedriveAccount):
    """The part of the connector that knows what there is of a person."""

    def page_of(self, kind: str, record: Any) -> str:
        """Where people read a lead or a deal."""
        return f"{self.base}/{'leads/inbox' if kind == 'lead' else 'deal'}/{record}"

    def newest(self, person: int | None, since: datetime) -> Before | None:
        """One that is open, or the one that changed last. Where leads are made, an open deal is taken before a second
        lead: somebody has made it of one."""
        ended = None
        for one in self.before(person, since):
            if one.open:
                return one
            ended = ended or (one if one.known["kind"] == self.settings.record else None)
        return ended

    def before(self, person: int | None, since: datetime) -> Iterator[Before]:
        """What changed since a moment, each kind in the order of that: where leads are made, these first, and archived
        ones last. No list is asked for before it is needed."""
        if person is None:
            return
        leads = self.settings.record == "lead"
        changed = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if leads:
            # https://developers.pipedrive.com/docs/api/v1/Leads#getLeads
            asked = {"person_id": person, "updated_since": changed, "limit": 100}
            yield from self._leads(self.pages(PATHS["lead"], asked), since, is_open=True)
        # https://developers.pipedrive.com/docs/api/v1/Deals#getDeals
        newest = {"sort_by": "update_time", "sort_direction": "desc", "limit": _MOST}
        deals = self.pages(PATHS["deal"], {"person_id": person, "updated_since": changed, **newest})
        for one in islice(deals, _MOST):
            is_open = one["status"].text == "open" and not one.object.get("is_archived")
            yield self._of(one, "deal", one["id"].number, is_open)
        if leads:
            # https://developers.pipedrive.com/docs/api/v1/Leads#getArchivedLeads, which knows no `updated_since`.
            archived = self.pages(f"{PATHS['lead']}/archived", {"person_id": person, "limit": 100})
            yield from self._leads(archived, since, is_open=False)

    def _leads(self, listed: Iterable[Reply], since: datetime, *, is_open: bool) -> Iterator[Before]:
        dated = ((datetime.fromisoformat(one["update_time"].text), one) for one in listed)
        recent = sorted((pair for pair in dated if pair[0] >= since), key=lambda pair: pair[0], reverse=True)
        return (self._of(one, "lead", one["id"].id, is_open) for _, one in recent)

    def _of(self, one: Reply, kind: str, number: Any, is_open: bool) -> Before:
        return Before(number, is_open, self.page_of(kind, number), {**one.object, "kind": kind})
