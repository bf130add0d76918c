"""What `relay connectors check` looks at in HubSpot, and what `setup` makes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from connectors.hubspot.account import OWNERS, stages_of
from connectors.hubspot.api import OBJECTS, granted, results
from connectors.hubspot.choosing import PROPERTIES, HubSpotChoices
from connectors.kit.checks.expectation import Expectation, Mismatch
from connectors.kit.checks.items import AnswerCheck, CheckItem, ListCheck, run_checks
from connectors.kit.connector import Change, Finding
from connectors.kit.work.choices import constants
from core.wording.sentence import say

CHAT_ID = "smartsupp_chat_id"

_ACCEPTED = Expectation[str]("API key accepted")
_ACCEPTED_BY = Expectation[str]("API key accepted (account %(account)s)")
_PORTAL = Expectation[bool]("", "portal_id is not the account of the key", "set it to that account; links need it")
_MAY_READ = Expectation[bool]("can read %(what)s", "cannot read %(what)s", "give the key %(scopes)s")
_MAY_READ_OWNERS = Expectation[bool]("", _MAY_READ.wrong, _MAY_READ.remedy)
_SCOPE_TICKETS = say("the scope tickets")
_SCOPES_CONTACTS = say("the scopes crm.objects.contacts.read and crm.objects.contacts.write")
_STAGE_IN = Expectation[Any](
    "stage %(name)s in pipeline %(pipeline)s exists",
    "stage %(name)s in pipeline %(pipeline)s is missing",
    "pipeline/stage are one of %(there)s",
)
_STAGE = Expectation[Any]("stage %(name)s exists", "stage %(name)s is missing", "pipeline/stage are one of %(there)s")
_PIPELINE = Expectation[Any](
    "pipeline %(name)s exists", "pipeline %(name)s is missing", "pipeline/stage are one of %(there)s"
)
_PROPERTY = Expectation[Any](
    "the property %(name)s of %(kind)s exists",
    "the property %(name)s of %(kind)s is missing",
    "create it in HubSpot, or use the internal name of a property of %(kind)s",
)
_FIELD = Expectation[Any](
    "the property %(name)s of %(kind)s exists",
    "the property %(name)s of %(kind)s is missing",
    "create it in HubSpot, or use the internal name of a property of %(kind)s under fields",
)
_MARK = "the ticket property %(name)s with unique values is missing"
# Whether values are unique is settled when a property is made.
_UNIQUE = Expectation[dict[str, Any]](
    "the ticket property %(name)s with unique values exists",
    _MARK,
    "run: relay connectors setup %(connector)s",
    also=(
        Mismatch(
            _MARK,
            "archive it in HubSpot, then run: relay connectors setup %(connector)s",
            lambda it: not it.get("hasUniqueValue"),
        ),
    ),
)


class HubSpotChecks(HubSpotChoices):
    """The part of the connector that proves its settings, and makes the property that marks tickets."""

    def check(self) -> Iterator[Finding]:
        return run_checks(self._checks())

    def _checks(self) -> Iterator[CheckItem]:
        number, wanted = self.account()[0], self.settings.portal_id
        yield AnswerCheck(_ACCEPTED_BY if number else _ACCEPTED, lambda: number or "unknown", {"account": number})
        # Whoever may not know the account believes the settings.
        yield AnswerCheck(_PORTAL, lambda: bool(number or wanted) and number in ("", wanted or number))
        record = "tickets" if self.settings.ticket else "notes"
        scopes = _SCOPE_TICKETS if self.settings.ticket else _SCOPES_CONTACTS
        then = self._may_read(record, f"{OBJECTS}/{record}", scopes, lambda: self._of_records(record))
        yield self._may_read("contacts", f"{OBJECTS}/contacts", _SCOPES_CONTACTS, lambda: [then])

    def _may_read(
        self,
        what: str,
        path: str,
        scopes: str,
        then: Callable[[], Iterable[CheckItem]] = lambda: (),
        claim: Expectation[bool] = _MAY_READ,
    ) -> CheckItem:
        given = {"what": what, "scopes": scopes}
        return AnswerCheck(claim, partial(self._is_granted, path), given, then=lambda _: then())

    def _is_granted(self, path: str) -> bool:
        return granted(self._get(f"{path}?limit=1", 403), "results")

    def _of_records(self, record: str) -> Iterator[CheckItem]:
        own = self.settings
        if own.ticket:
            yield from self._stages()
        if any((own.owner, own.owner_fallback, own.task and own.task.owner)):
            # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
            owners = partial(self.owners.checks, own, own.task)
            yield self._may_read("owners", OWNERS, say("the scope crm.objects.owners.read"), owners, _MAY_READ_OWNERS)
        yield ListCheck(_PROPERTY, own.person_fields, partial(self._known, "contacts"), {"kind": "contacts"})
        if own.link_company:
            yield self._may_read("companies", f"{OBJECTS}/companies", say("the scope crm.objects.companies.read"))
        known = self._known(record)
        if own.ticket:
            yield ListCheck(_UNIQUE, [CHAT_ID], lambda: known, {"connector": self.name})
        yield ListCheck(_FIELD, own.fields, lambda: known, {"kind": record})

    def _stages(self) -> Iterator[CheckItem]:
        """Every pipeline and stage that the settings are sure to name."""
        pairs = [(one, it) for one in self.listed_pipelines() for it in stages_of(one)]
        known = [(a["id"].id, b["id"].id, f"{a['label'].text}: {b['label'].text}") for a, b in pairs]
        there = {"there": ", ".join(f"{a}/{b} ({label})" for a, b, label in known)}
        pipelines, stages = constants(self.settings.pipeline), constants(self.settings.stage)
        if len(pipelines) == 1:
            of = {stage: label for pipeline, stage, label in known if pipeline == pipelines[0]}
            yield ListCheck(_STAGE_IN, stages, lambda: of, {**there, "pipeline": pipelines[0]})
        else:
            yield ListCheck(_STAGE, stages, lambda: {stage: label for _, stage, label in known}, there)
        if len(pipelines) > 1 or not stages:
            yield ListCheck(_PIPELINE, pipelines, lambda: {pipeline: label for pipeline, _, label in known}, there)

    def _known(self, kind: str) -> dict[str, dict[str, Any]]:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
        return {one["name"].text: one.object for one in results(self._get(f"{PROPERTIES}/{kind}"))}

    def setup(self) -> Iterator[Change]:
        if self.settings.ticket and self._get(f"{PROPERTIES}/tickets/{CHAT_ID}", 404).status_code == 404:
            yield Change(f"create the ticket property {CHAT_ID}, with unique values", self._make_property)

    def _make_property(self) -> None:
        names = {"name": CHAT_ID, "label": "Smartsupp chat id", "groupName": "ticketinformation"}
        body = {**names, "type": "string", "fieldType": "text", "hasUniqueValue": True}
        self.call("POST", f"{PROPERTIES}/tickets", json=body)
