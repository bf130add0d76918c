"""What a Pipedrive company offers for settings that name something in it, for those who fill them in.

An API token may read all of it; one of a user who sees less is shown less.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS
from connectors.pipedrive.account import PipedriveAccount, is_active
from connectors.pipedrive.settings import CUSTOM

#: Types of fields that take a text. The others take numbers, ids of options, or objects.
TEXTS = ("varchar", "varchar_auto", "text", "phone", "date")


class PipedriveChoices(PipedriveAccount):
    """The part of the connector that lists what there is."""

    def choices(self) -> Iterator[ChoiceList]:
        record = self.settings.record
        yield ChoiceList(OWNER_SETTINGS, self._users)
        yield ChoiceList((*PERSON_SETTINGS, "customer_id_field"), partial(self._fillable_fields, "person"))
        if record == "note":
            return
        yield ChoiceList(("tags",), lambda: (Choice(name, name) for name, _ in self.named_labels()))
        # A lead has the fields of deals.
        yield ChoiceList(("fields",), partial(self._fillable_fields, "deal"))
        if record == "deal":
            yield ChoiceList(("pipeline_id",), self._pipelines)
            yield ChoiceList(("stage_id",), self._stages)

    def _users(self) -> Iterator[Choice]:
        # https://developers.pipedrive.com/docs/api/v1/Users#getUsers
        found = self.pages("/v1/users", {})
        return (Choice(one["email"].text, one["name"].text) for one in found if is_active(one))

    def _pipelines(self) -> Iterator[Choice]:
        # https://developers.pipedrive.com/docs/api/v1/Pipelines#getPipelines
        found = self.pages("/api/v2/pipelines", {"limit": 500})
        return (Choice(one["id"].id, one["name"].text) for one in found if is_active(one))

    def _stages(self) -> Iterator[Choice]:
        pipelines = {one.value: one.label for one in self._pipelines()}
        # https://developers.pipedrive.com/docs/api/v1/Stages#getStages
        for one in self.pages("/api/v2/stages", {"limit": 500}):
            of = one["pipeline_id"].id
            if is_active(one) and of in pipelines:
                yield Choice(one["id"].id, f"{pipelines[of]}: {one['name'].text}")

    def _fillable_fields(self, of: str) -> Iterator[Choice]:
        """The company's own fields that a text can fill."""
        fields = ((one, one["field_code"].text) for one in self.fields_of(of))
        mine = ((one, code) for one, code in fields if CUSTOM.fullmatch(code) and one["field_type"].text in TEXTS)
        return (Choice(code, one["field_name"].text) for one, code in mine)
