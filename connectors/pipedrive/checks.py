"""What `relay connectors check` looks at in Pipedrive, and what `setup` makes there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

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


class PipedriveChecks(PipedriveChoices, PipedriveRecords):
    """The part of the connector that proves its settings, and makes the labels of its tags."""

    def check(self) -> Iterator[Finding]:
        # https://developers.pipedrive.com/docs/api/v1/Users#getCurrentUser
        me, settings = self.ask("GET", "/v1/users/me")["data"], self.settings
        yield Finding(True, f"API token accepted: {me['name'].text} of {me['company_name'].text}")
        company, domain = settings.company, me.object.get("company_domain")
        if company and domain and company != domain:
            yield Finding(False, f"the token belongs to {domain}.pipedrive.com", f"write company: {domain}")
        yield from self.owners.findings(settings, settings.task.owner if settings.task else None)
        pipelines = constants(settings.pipeline_id)
        yield from (self._pipeline(number) for number in pipelines)
        yield from (self._stage(number, pipelines) for number in constants(settings.stage_id))
        if settings.task:
            yield self._task_type()
        named = {"deal": settings.fields, "person": filter(CUSTOM.fullmatch, settings.person_fields)}
        for of, keys in ((of, list(keys)) for of, keys in named.items()):
            known = {field["field_code"].text: field for field in self.fields_of(of)} if keys else {}
            yield from (_fillable(of, key, known.get(key)) for key in keys)
        if MARKETING in settings.person_fields:
            yield self._campaigns()
        remedy = f"create it with: relay connectors setup {self.name}; or write other tags, or tags: []"
        for tag in self._missing_labels():
            yield Finding(False, f"there is no {settings.record} label '{tag}'", remedy)

    def _pipeline(self, number: int) -> Finding:
        # https://developers.pipedrive.com/docs/api/v1/Pipelines#getPipeline
        found = self.there(f"/api/v2/pipelines/{number}")
        if found is None or not is_active(found):
            return Finding(False, f"there is no active pipeline {number}", "correct pipeline_id, or remove it")
        return Finding(True, f"pipeline {number}: {found['name'].text}")

    def _stage(self, number: int, pipelines: tuple[int, ...]) -> Finding:
        # https://developers.pipedrive.com/docs/api/v1/Stages#getStage
        found = self.there(f"/api/v2/stages/{number}")
        if found is None or not is_active(found):
            return Finding(False, f"there is no active stage {number}", "correct stage_id, or remove it")
        name, of = found["name"].text, found["pipeline_id"].number
        if pipelines and of not in pipelines:
            text = f"stage {number}, {name}, is of pipeline {of}"
            return Finding(False, text, f"write pipeline_id: {of}, or another stage_id")
        return Finding(True, f"stage {number}: {name}")

    def _task_type(self) -> Finding:
        # https://developers.pipedrive.com/docs/api/v1/ActivityTypes#getActivityTypes
        types = self.ask("GET", "/v1/activityTypes")["data"]
        right = any(one["key_string"].text == TASK and is_active(one) for one in types)
        text = f"there is {'an' if right else 'no'} active activity type {TASK}"
        return Finding(right, text, "" if right else "switch on Task in Company settings > Activities")

    def _campaigns(self) -> Finding:
        asked = {"limit": 1, "include_fields": MARKETING}
        url, without = f"{self.base}/api/v2/persons", When((400, 402, 403), then=None)
        right = self.http.request("GET", url, params=asked, judge=self.when(without)).status_code == 200
        text = f"persons {'have' if right else 'do not have'} {MARKETING}"
        return Finding(right, text, "" if right else f"remove {MARKETING}: it needs Pipedrive's app Campaigns")

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


def _fillable(of: str, key: str, field: Reply | None) -> Finding:
    if field is None:
        remedy = f"copy the API key of a {of} field from Company settings > Data fields"
        return Finding(False, f"there is no {of} field {key}", remedy)
    name, kind = field["field_name"].text, field["field_type"].text
    if kind not in TEXTS:
        return Finding(False, f"the {of} field {name} is of type {kind}", f"use one of type {', '.join(TEXTS)}")
    return Finding(True, f"{of} field {key}: {name}")
