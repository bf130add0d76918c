"""What a Pipedrive company has that a record can be given to: users, pipelines with their stages, labels, fields."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from connectors.kit.record import Mapping as Words
from connectors.kit.reply import Reply
from connectors.kit.step import Step
from connectors.kit.work.choices import chosen
from connectors.kit.work.owner import Owners
from connectors.pipedrive.api import PipedriveApi
from core.config.types.templated import TemplateOf
from core.wording.sentence import to_be_said


class PipedriveAccount(PipedriveApi):
    """The part of the connector that knows the company, and nothing of chats."""

    # --- users -----------------------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[int]:
        kind = to_be_said("an active user in Pipedrive")
        return Owners(self.cache, by_email=self._user_by_email, by_id=self._user_by_id, kind=kind, imagined=1)

    def _user_by_email(self, email: str) -> int | None:
        # https://developers.pipedrive.com/docs/api/v1/Users#findUsersByName
        found = self.pages("/v1/users/find", {"term": email, "search_by_email": 1})
        same = (one for one in found if one["email"].text.casefold() == email.casefold())
        return next((one["id"].number for one in same if is_active(one)), None)

    def _user_by_id(self, named: str) -> int | None:
        if not (named.isascii() and named.isdecimal()):
            return None
        # https://developers.pipedrive.com/docs/api/v1/Users#getUser
        found = self.there(f"/v1/users/{named}")
        return found["id"].number if found is not None and is_active(found) else None

    # --- pipelines -------------------------------------------------------------------

    def placed(self, step: Step, words: Words) -> dict[str, int]:
        """The pipeline and the stage of a new deal. What a template named and is not there is left to Pipedrive."""
        settings, pretends = self.settings, self.cache.pretends
        exists = {"pipeline_id": lambda number: pretends or self._has("pipelines", number)}
        found = chosen(step, words, settings, "pipeline_id", exists=exists)

        def fits(stage: int) -> bool:
            of = None if pretends else self._pipeline_of(stage)
            return pretends or (of is not None and found.get("pipeline_id", of) == of)

        found |= chosen(step, words, settings, "stage_id", exists={"stage_id": fits})
        # A stage that is fixed beside a pipeline that is not belongs to one pipeline at most.
        if isinstance(settings.pipeline_id, TemplateOf) and "stage_id" in found and not fits(found["stage_id"]):
            del found["stage_id"]
        return found

    def _has(self, kind: str, number: int) -> bool:
        return self.cache.get(f"{kind} {number}", lambda: is_active(self.there(f"/api/v2/{kind}/{number}")))

    def _pipeline_of(self, stage: int) -> int | None:
        """The pipeline of a stage, if there is such a stage."""

        def ask() -> int | None:
            found = self.there(f"/api/v2/stages/{stage}")
            return found["pipeline_id"].number if found is not None and is_active(found) else None

        return self.cache.get(f"stage {stage}", ask)

    # --- labels and fields ---------------------------------------------------------------

    def label_ids(self, words: Words) -> dict[str, list[Any]]:
        """The labels of a new lead or deal: those of the tags that Pipedrive has."""
        tags = words.tags(" ")
        labels = self.cache.get("labels", self.labels) if tags else {}
        found = [labels[tag] for tag in tags if tag in labels]
        return {"label_ids": found} if found else {}

    def labels(self) -> dict[str, Any]:
        """Name in small letters → id."""
        return {name.lower(): number for name, number in self.named_labels()}

    def named_labels(self) -> Iterator[tuple[str, Any]]:
        if self.settings.record == "lead":
            # https://developers.pipedrive.com/docs/api/v1/LeadLabels#getLeadLabels
            yield from ((one["name"].text, one["id"].id) for one in self.pages("/v1/leadLabels", {}))
            return
        field = self.label_field()
        options = field.get("options") if field is not None else None
        yield from ((one["label"].text, one["id"].number) for one in options or ())

    def label_field(self) -> Reply | None:
        """The deal field whose options are the labels. https://pipedrive.readme.io/docs/working-with-labels"""
        return next((one for one in self.fields_of("deal") if one["field_code"].text in ("label", "label_ids")), None)

    def fields_of(self, of: str) -> Iterator[Reply]:
        # https://developers.pipedrive.com/docs/api/v1/DealFields#getDealFields, and PersonFields
        return self.pages(f"/api/v2/{of}Fields", {"limit": 500})


def is_active(found: Reply | None) -> bool:
    """Whether something is there that was neither deleted nor switched off."""
    shown = found.object if found is not None else {"is_deleted": True}
    return not shown.get("is_deleted") and shown.get("active_flag") is not False
