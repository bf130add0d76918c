"""What an Odoo is to the connector: how it is called, what it answers, and what of it the settings name.

https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from requests import Response

from connectors.kit import record as mapping
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import HttpConnector
from connectors.kit.responses import Verdict
from connectors.kit.work.owner import Owners
from connectors.odoo.rpc import (
    VERDICTS,
    Json2,
    JsonRpc,
    Rpc,
    first_id,
    first_team,
    imagined,
    known_fields,
    meaning,
)
from connectors.odoo.settings import RECORD_KINDS, OdooSettings, RecordKind, typed
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater
from core.wording.sentence import to_be_said


class OdooApi(HttpConnector[OdooSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Odoo"
    makes = "a contact, and a lead or a help desk ticket with the chat as an internal note"
    capabilities = Capabilities(
        person="a contact, by email, phone or customer id, else created; blank fields filled",
        revision="what is new, as a further note",
        idempotent="looked for in the database, by key and Message-Id",
        files="attached to an internal note",
    )
    # Its own page of HTML: there is no such database, or nothing of Odoo's at this address.
    statuses: ClassVar[Mapping[int, Verdict]] = {404: ConnectorRefused}

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code == 404 and not self.settings.database and answer.content.lstrip().startswith(b"<"):
            # What Odoo answers when it cannot tell which of its databases is meant.
            text = "Odoo answers 404 to every call: name its database, as in 'database: shop', or correct 'url'"
            return ConnectorRefused(text, status=404)
        return meaning(answer) or super().judge(answer)

    def judge_record(self, answer: Response) -> DeliveryError | None:
        """For what names the record: deleted, or merged into another one."""
        error = self.judge(answer)
        missing = isinstance(error, RecordRefused) and "MissingError" in str(error)
        return Gone(str(error), "record", status=answer.status_code) if missing else error

    def judge_new(self, answer: Response) -> DeliveryError | None:
        """For a new record or contact: what it names may have been deleted or merged, or Odoo refuses the person."""
        error = self.judge(answer)
        refused = type(error) is RecordRefused
        return Gone(str(error), "person", "tags", status=answer.status_code) if refused else error

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return imagined(path, body)

    def odoo(self) -> Rpc:
        given = self.settings
        base, key = str(given.url).rstrip("/"), given.api_key.get_secret_value()
        if given.protocol == "json-2":
            return Json2(self.http, base, given.database, key)
        return JsonRpc(self.http, base, given.database, given.login, key)

    @property
    def kind(self) -> RecordKind:
        return RECORD_KINDS[self.settings.record]

    @property
    def key_field(self) -> str:
        return self.settings.key_field or self.kind.key

    # --- what the settings name ----------------------------------------------------

    def is_there(self, odoo: Rpc, model: str, number: int) -> bool:
        """Whether there is such a team or stage; asked once for all workers."""
        look = partial(self.cache.get, f"{model} {number}", lambda: first_id(odoo, model, [["id", "=", number]]))
        return self.cache.pretends or look() is not None

    def owners(self, odoo: Rpc) -> Owners[int]:
        """Odoo's own people. Portal users are customers."""

        def found(*leaf: Any) -> int | None:
            active = [["share", "=", False], ["active", "=", True]]
            return first_id(odoo, "res.users", [list(leaf), *active])

        return Owners(
            self.cache,
            by_email=lambda email: found("login", "=", email.lower()) or found("email_normalized", "=", email.lower()),
            by_id=lambda named: found("id", "=", int(named)) if named.isascii() and named.isdecimal() else None,
            kind=to_be_said("an active internal user of Odoo"),
            imagined=1,
        )

    def first_team(self, odoo: Rpc) -> int | None:
        """A lead with neither team nor salesperson is in nobody's pipeline."""
        return self.cache.get("team", partial(first_team, odoo))

    def tags_of(self, odoo: Rpc, names: list[str]) -> list[int]:
        """Their ids; those that are missing are made."""
        found = odoo.call(self.kind.tag, "search_read", domain=[["name", "in", names]], fields=["name"])
        known = {one["name"].text: one["id"].number for one in found}
        missing = [{"name": name} for name in names if name not in known]
        if missing:
            # Names are unique. Two first chats at once both make the tag; the second finds it at its next try.
            made = odoo.call(self.kind.tag, "create", vals_list=missing, judge=self._judge_tags)
            known |= {one["name"]: made[index].number for index, one in enumerate(missing)}
        return [known[name] for name in names]

    def _judge_tags(self, answer: Response) -> DeliveryError | None:
        return meaning(answer, {**VERDICTS, "ValidationError": RetryLater}) or super().judge(answer)

    def record_fields(self, odoo: Rpc, words: mapping.Mapping) -> dict[str, Any]:
        given = words.fields()
        known = known_fields(odoo, self.kind.model, *given) if given else {}
        for name in sorted(given.keys() - known.keys()):
            raise ConnectorRefused(f"{self.kind.model} has no field '{name}'; correct it under fields")
        return {name: typed("fields", name, known[name], text) for name, text in given.items()}
