"""What `relay connectors check` looks at in Pipedrive, and what `setup` makes there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from connectors.kit.checks.expectation import Expectation, Mismatch
from connectors.kit.checks.items import AnswerCheck, CheckItem, ListCheck, NameCheck, run_checks
from connectors.kit.connector import Change, Finding
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.wire.verdicts import When
from connectors.kit.work.choices import constants
from connectors.pipedrive.account import is_active
from connectors.pipedrive.choosing import TEXTS, PipedriveChoices
from connectors.pipedrive.records import PipedriveRecords
from connectors.pipedrive.settings import CUSTOM, MARKETING
from core.conversation import Conversation

#: The type of the activities that are made of tasks, as Pipedrive's own key has it.
TASK = "task"

_ACCEPTED = Expectation[Reply](
    "API token accepted: %(user)s of %(company)s",
    values=lambda me: {"user": me["name"].text, "company": me["company_name"].text},
)
_DOMAIN = Expectation[bool]("", "the token belongs to %(domain)s.pipedrive.com", "write company: %(domain)s")
_PIPELINE = Expectation[Reply](
    "pipeline %(name)s: %(called)s",
    "there is no active pipeline %(name)s",
    "correct pipeline_id, or remove it",
    values=lambda found: {"called": found["name"].text},
)
#: A stage, and whether the settings name its pipeline, or none.
_STAGE = Expectation[tuple[Reply, bool]](
    "stage %(name)s: %(called)s",
    "there is no active stage %(name)s",
    "correct stage_id, or remove it",
    also=(
        Mismatch(
            "stage %(name)s, %(called)s, is of pipeline %(of)s",
            "write pipeline_id: %(of)s, or another stage_id",
            lambda found: not found[1],
        ),
    ),
    values=lambda found: {"called": found[0]["name"].text, "of": found[0]["pipeline_id"].id},
)
_TASKS = Expectation[bool](
    "there is an active activity type %(type)s",
    "there is no active activity type %(type)s",
    "switch on Task in Company settings > Activities",
)
_FIELD = Expectation[Reply](
    "%(of)s field %(name)s: %(called)s",
    "there is no %(of)s field %(name)s",
    "copy the API key of a %(of)s field from Company settings > Data fields",
    also=(
        Mismatch(
            "the %(of)s field %(called)s is of type %(type)s",
            "use one of type %(texts)s",
            lambda field: field["field_type"].text not in TEXTS,
        ),
    ),
    values=lambda field: {"called": field["field_name"].text, "type": field["field_type"].text},
)
_CAMPAIGNS = Expectation[bool](
    "persons have %(field)s", "persons do not have %(field)s", "remove %(field)s: it needs Pipedrive's app Campaigns"
)
_LABEL = Expectation[Any](
    "",
    "there is no %(record)s label '%(name)s'",
    "create it with: relay connectors setup %(connector)s; or write other tags, or tags: []",
)


class PipedriveChecks(PipedriveChoices, PipedriveRecords):
    """The part of the connector that proves its settings, and makes the labels of its tags."""

    def check(self) -> Iterator[Finding]:
        return run_checks(self._checks())

    def _checks(self) -> Iterator[CheckItem]:
        own = self.settings
        # https://developers.pipedrive.com/docs/api/v1/Users#getCurrentUser
        me = self.ask("GET", "/v1/users/me")["data"]
        yield AnswerCheck(_ACCEPTED, lambda: me)
        domain = me.object.get("company_domain") or own.company
        yield AnswerCheck(_DOMAIN, lambda: not own.company or own.company == domain, {"domain": domain})
        yield from self.owners.checks(own, own.task)
        pipelines = constants(own.pipeline_id)
        yield NameCheck(_PIPELINE, pipelines, partial(self._active, "pipelines"))
        yield NameCheck(_STAGE, constants(own.stage_id), partial(self._stage, pipelines))
        if own.task:
            yield AnswerCheck(_TASKS, self._has_tasks, {"type": TASK})
        persons = filter(CUSTOM.fullmatch, own.person_fields)
        for of, keys in {"deal": own.fields, "person": persons}.items():
            given = {"of": of, "texts": ", ".join(TEXTS)}
            yield ListCheck(_FIELD, keys, partial(self._fields_by_key, of), given)
        if MARKETING in own.person_fields:
            yield AnswerCheck(_CAMPAIGNS, self._has_campaigns, {"field": MARKETING})
        yield NameCheck(_LABEL, self._missing_labels(), lambda _: None, {"record": own.record, "connector": self.name})

    def _active(self, kind: str, number: int) -> Reply | None:
        # https://developers.pipedrive.com/docs/api/v1/Pipelines#getPipeline , and Stages#getStage
        found = self.there(f"/api/v2/{kind}/{number}")
        return found if is_active(found) else None

    def _stage(self, pipelines: Sequence[int], number: int) -> tuple[Reply, bool] | None:
        found = self._active("stages", number)
        return None if found is None else (found, not pipelines or found["pipeline_id"].number in pipelines)

    def _has_tasks(self) -> bool:
        # https://developers.pipedrive.com/docs/api/v1/ActivityTypes#getActivityTypes
        types = self.ask("GET", "/v1/activityTypes")["data"]
        return any(one["key_string"].text == TASK and is_active(one) for one in types)

    def _fields_by_key(self, of: str) -> dict[str, Reply]:
        return {field["field_code"].text: field for field in self.fields_of(of)}

    def _has_campaigns(self) -> bool:
        asked = {"limit": 1, "include_fields": MARKETING}
        url, without = f"{self.base}/api/v2/persons", When((400, 402, 403), then=None)
        return self.http.request("GET", url, params=asked, judge=self.when(without)).status_code == 200

    # --- labels ----------------------------------------------------------------------

    def _missing_labels(self) -> list[str]:
        """The tags that Pipedrive has no label for, as far as they are the same for every visitor."""
        fixed = tuple(tag for tag in self.settings.tags if not re.search("conversation|visitor|name", tag))
        if self.settings.record == "note" or not fixed:
            return []
        settings = self.settings.model_copy(update={"tags": fixed})
        kinds = (Conversation(account="1", id="1", is_missed=n == 1, is_offline=n == 2) for n in range(3))
        labels = self.labels()
        wanted = dict.fromkeys(tag for kind in kinds for tag in Mapping(settings, kind).tags(" "))
        return [tag for tag in wanted if tag not in labels]

    def setup(self) -> Iterator[Change]:
        missing = self._missing_labels()
        deals = missing and self.settings.record == "deal"
        # https://developers.pipedrive.com/docs/api/v1/DealFields#addDealFieldOptions
        field = self.label_field() if deals else None
        options = f"/api/v2/dealFields/{field['field_code'].text}/options" if field is not None else ""
        for tag in missing:
            # https://developers.pipedrive.com/docs/api/v1/LeadLabels#addLeadLabel
            body: Any = [{"label": tag}] if options else {"name": tag, "color": "gray"}
            make = partial(self._make_label, options or "/v1/leadLabels", body)
            yield Change(f"create the {self.settings.record} label '{tag}'", make)

    def _make_label(self, path: str, body: Any) -> None:
        self.ask("POST", path, json=body)
        self.cache.forget("labels")
