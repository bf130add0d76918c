"""What a HubSpot account has that a record can be given to: owners, and pipelines with their stages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from connectors.hubspot.api import HubSpotApi, granted, results, wrapped
from connectors.kit.record import Mapping as Words
from connectors.kit.reply import Reply
from connectors.kit.step import Step
from connectors.kit.wire.verdicts import PAUSE, When
from connectors.kit.work.choices import chosen
from connectors.kit.work.owner import Owners
from core.config.types.templated import TemplateOf
from core.wording.sentence import to_be_said

ACCOUNT = "/account-info/2026-09/details"
OWNERS = "/crm/owners/2026-09"
#: A ticket in a stage of this state is closed. https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines/guide
CLOSED = "CLOSED"
#: Pipeline -> stage -> whether tickets in it are open, or closed; each in the order of HubSpot's own board.
Pipelines = Mapping[str, Mapping[str, str]]
_MAY_NOT_LOOK = "the key may not look up owners; give it the scope crm.objects.owners.read, or write the owner's id"


#: The object's type in the address of a record's page.
_TYPES = {"tickets": "0-5", "contacts": "0-1"}


class HubSpotAccount(HubSpotApi):
    """The part of the connector that knows the account, and nothing of chats."""

    def place(self) -> str:
        """Where people see the records, such as app-eu1.hubspot.com/contacts/123; "" when the key may not know."""
        if self.settings.portal_id:
            return f"app.hubspot.com/contacts/{self.settings.portal_id}"
        number, domain = self.account()
        return f"{domain}/contacts/{number}" if number else ""

    def account(self) -> tuple[str, str]:
        """The account's number and where its people work; empty when the key may not know."""
        # https://developers.hubspot.com/docs/api-reference/latest/account/account-information/guide
        answer = self._get(ACCOUNT, 403)
        if not granted(answer, "portalId"):
            return "", ""
        return wrapped(answer)["portalId"].id, wrapped(answer)["uiDomain"].text

    # --- owners ----------------------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[str]:
        kind = to_be_said("an active owner in HubSpot")
        return Owners(self.cache, by_email=self._owner_by_email, by_id=self._owner_by_id, kind=kind, imagined="1")

    def _owner_by_email(self, email: str) -> str | None:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
        may_look = self.when(When((403,), PAUSE, text=_MAY_NOT_LOOK))
        found = results(self.call("GET", OWNERS, params={"email": email}, judge=may_look))
        same = (one for one in found if one["email"].text.casefold() == email.casefold())
        return next((one["id"].id for one in same if works(one)), None)

    def _owner_by_id(self, named: str) -> str | None:
        if not (named.isascii() and named.isdecimal()):
            return None
        answer = self._get(f"{OWNERS}/{named}", 403, 404)
        if not granted(answer, "id"):
            # Whoever may not look believes the settings; HubSpot refuses an owner that it does not have.
            return named if answer.status_code == 403 else None
        found = wrapped(answer)
        return found["id"].id if works(found) else None

    # --- pipelines ---------------------------------------------------------------------

    def listed_pipelines(self) -> list[Reply]:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines/guide
        found = [one for one in results(self._get("/crm/pipelines/2026-09/tickets")) if not one.object.get("archived")]
        return sorted(found, key=lambda one: one["displayOrder"].number)

    def pipelines(self) -> Pipelines:
        return self.cache.get("pipelines", self._pipelines)

    def _pipelines(self) -> dict[str, dict[str, str]]:
        return {one["id"].id: {it["id"].id: _state(it) for it in stages_of(one)} for one in self.listed_pipelines()}

    def placed(self, step: Step, words: Words) -> dict[str, str]:
        """The pipeline and the stage of a new ticket. Where a template named what is not there, HubSpot's first."""
        settings = self.settings
        if not any(isinstance(one, TemplateOf) for one in (settings.pipeline, settings.stage)):
            fixed = chosen(step, words, settings, "pipeline", "stage")
            return {"hs_pipeline": fixed["pipeline"], "hs_pipeline_stage": fixed["stage"]}
        # A preview asks nobody, and believes the templates.
        pretends = self.cache.pretends
        known: Pipelines = {} if pretends else self.pipelines()
        exists = {"pipeline": lambda one: pretends or one in known}
        pipeline = str(
            chosen(step, words, settings, "pipeline", exists=exists).get("pipeline") or next(iter(known), "")
        )
        stages = known.get(pipeline, {})
        exists = {"stage": lambda one: pretends or one in stages}
        stage = chosen(step, words, settings, "stage", exists=exists).get("stage")
        # A stage that is fixed beside a pipeline that is not belongs to one pipeline at most.
        fits = pretends or stage in stages
        return {"hs_pipeline": pipeline, "hs_pipeline_stage": stage if stage and fits else next(iter(stages), "")}

    def is_open(self, ticket: Mapping[str, Any]) -> bool:
        """Whether work on a ticket goes on, by the stage that it is in."""
        stages = self.pipelines().get(str(ticket.get("hs_pipeline")), {})
        return stages.get(str(ticket.get("hs_pipeline_stage"))) != CLOSED


def page(place: str, kind: str, record: str) -> str:
    """Where people read a record; "" where nobody knows the place."""
    return f"https://{place}/record/{_TYPES[kind]}/{record}" if place else ""


def stages_of(pipeline: Reply) -> list[Reply]:
    found = [one for one in pipeline["stages"] if not one.object.get("archived")]
    return sorted(found, key=lambda one: one["displayOrder"].number)


def _state(stage: Reply) -> str:
    return str(stage["metadata"].object.get("ticketState") or "")


def works(owner: Reply) -> bool:
    """Whether somebody can be given records: queues cannot, nor who left."""
    return owner["type"].text == "PERSON" and not owner.object.get("archived")
