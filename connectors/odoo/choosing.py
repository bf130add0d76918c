"""What an Odoo offers for settings that name something in it, for those who fill them in.

The key's user reads teams, stages and tags with the rights that leads or tickets need; other users and the fields of
contacts are shown to every internal user.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.reply import Reply
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS
from connectors.odoo.partners import MODEL as PARTNER
from connectors.odoo.rpc import Rpc
from connectors.odoo.settings import RECORD_KINDS, OdooSettings

#: Records of a model that are read. Who has more of them than that types.
_MOST = 1_000
#: Types of fields that a text can fill.
_FILLABLE = (
    *("char", "text", "html", "selection", "boolean", "date", "datetime"),
    *("integer", "float", "monetary", "many2one"),
)


def odoo_choices(odoo: Rpc, settings: OdooSettings) -> Iterator[ChoiceList]:
    kind = RECORD_KINDS[settings.record]
    right = "the group User of Sales" if settings.record == "lead" else "the group User of Helpdesk"
    read = partial(_records, odoo)
    yield ChoiceList(("team_id",), lambda: map(_named, read(kind.team, "name")), right)
    yield ChoiceList(("stage_id",), partial(_stages, odoo, kind.stage), right)
    yield ChoiceList(("tags",), lambda: (Choice(_text(one, "name"), "") for one in read(kind.tag, "name")), right)
    yield ChoiceList(("fields",), partial(_fields, odoo, kind.model, *_FILLABLE), right)
    yield ChoiceList(("key_field",), partial(_fields, odoo, kind.model, "char"), right)
    yield ChoiceList(OWNER_SETTINGS, partial(_users, odoo))
    yield ChoiceList((*PERSON_SETTINGS, "customer_id_field"), partial(_fields, odoo, PARTNER, *_FILLABLE))


def _records(odoo: Rpc, model: str, *fields: str, domain: Any = ()) -> Iterator[Reply]:
    yield from odoo.call(model, "search_read", domain=list(domain), fields=list(fields), limit=_MOST)


def _stages(odoo: Rpc, model: str) -> Iterator[Choice]:
    """A stage of CRM may belong to one team, which it names; one of Helpdesk may belong to several."""
    # https://github.com/odoo/odoo/blob/18.0/addons/crm/models/crm_stage.py
    of = ("team_id",) if model == "crm.stage" else ()
    for one in _records(odoo, model, "name", *of):
        team = one.object.get("team_id")
        name = _text(one, "name")
        yield Choice(one["id"].id, f"{team[1]}: {name}" if isinstance(team, list) and len(team) > 1 else name)


def _users(odoo: Rpc) -> Iterator[Choice]:
    """Odoo's own people, by the address that they sign in with, or by number."""
    internal = [["share", "=", False], ["active", "=", True]]
    for one in _records(odoo, "res.users", "name", "login", domain=internal):
        login = _text(one, "login")
        yield Choice(login if "@" in login else one["id"].id, _text(one, "name"))


def _fields(odoo: Rpc, model: str, *types: str) -> Iterator[Choice]:
    # https://www.odoo.com/documentation/19.0/developer/reference/external_api.html#fields-get
    found = odoo.call(model, "fields_get", attributes=["type", "string", "readonly"])
    for name in sorted(found.object):
        one = found[name]
        if one["type"].text in types and not one.object.get("readonly"):
            yield Choice(name, f"{one['string'].text} ({one['type'].text})")


def _named(one: Reply) -> Choice:
    return Choice(one["id"].id, _text(one, "name"))


def _text(one: Reply, field: str) -> str:
    """Odoo writes false for a text that is empty."""
    return str(one[field].raw or "")
