"""What `check` looks for in Odoo: the key, what the settings name, the rights, and who will see what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.kit.connector import Finding
from connectors.kit.work.choices import constants
from connectors.odoo.api import OdooApi
from connectors.odoo.partners import MODEL as PARTNER
from connectors.odoo.rpc import Rpc, first_id, first_team, known_fields
from connectors.odoo.settings import RECORD_KINDS, OdooSettings, RecordKind
from core.config.types.templated import TemplateOf


def odoo_findings(api: OdooApi, odoo: Rpc, name: str) -> Iterator[Finding]:
    settings = api.settings
    kind, user = RECORD_KINDS[settings.record], odoo.me()
    me = _read(odoo, "res.users", user, "email") if user else None
    yield Finding(True, f"API key accepted by {settings.url}")
    if me is not None:
        yield Finding(
            bool(me.get("email")),
            "the key's user has an email address" if me.get("email") else "the key's user has no email address",
            "give the user one in Odoo: notes cannot be written without it",
        )
    yield from _fields(odoo, settings, kind, name)
    yield from api.owners(odoo).findings(settings, settings.task.owner if settings.task else None)
    for setting, model in (("team_id", kind.team), ("stage_id", kind.stage)):
        for wanted in constants(getattr(settings, setting)):
            found = _read(odoo, model, wanted, "name")
            called = f" ({found.get('name')})" if found else ""
            yield _there(bool(found), f"{model} {wanted}{called}", f"correct {setting}")
    if settings.record == "lead":
        yield from _seen(api, odoo)
    if user:
        yield _others(odoo, kind, user)
    rights = [(PARTNER, "create"), (PARTNER, "write"), (kind.model, "create"), (kind.model, "write")]
    rights += [(kind.tag, "create")] if settings.tags else []
    rights += [("mail.activity", "create")] if settings.task else []
    for model, operation in rights:
        yield Finding(
            odoo.may(model, operation),
            f"the right to {operation} {model}",
            "give the key's user 'All Documents' of Sales or 'User' of Helpdesk, and Contact Creation",
        )


def _fields(odoo: Rpc, settings: OdooSettings, kind: RecordKind, name: str) -> Iterator[Finding]:
    key = settings.key_field or kind.key
    known = known_fields(odoo, kind.model, *settings.fields, key)
    for field in (key, *settings.fields):
        remedy = (
            f"correct it under key_field, or create it: relay connectors setup {name}"
            if field == key
            else "correct it under fields, or create it in Odoo"
        )
        yield _there(field in known, f"the field '{field}' of {kind.model}", remedy)
    if known.get(key, "char") != "char":
        yield Finding(False, f"'{key}' is of type {known[key]}", "name a field of text")
    if settings.person_fields:
        known = known_fields(odoo, PARTNER, *settings.person_fields)
        for field in settings.person_fields:
            yield _there(field in known, f"the field '{field}' of {PARTNER}", "correct it, or create it in Odoo")


def _seen(api: OdooApi, odoo: Rpc) -> Iterator[Finding]:
    """What a salesperson will see of a lead."""
    settings = api.settings
    owned = settings.owner or settings.owner_fallback
    if owned:
        yield Finding(True, "leads are seen by their salesperson under 'My Pipeline', with which CRM opens")
    come = "leads for which the owner is nobody come" if owned else "leads come without a salesperson"
    where = "seen under Sales > Teams, and under 'My Pipeline', with which CRM opens, once somebody is assigned"
    named = settings.team_id
    if isinstance(named, TemplateOf):
        yield Finding(True, f"{come} to the team that the template of team_id names: {where}")
    team = first_team(odoo) if named is None or isinstance(named, TemplateOf) else named
    if team is None:
        yield Finding(
            False, f"{come} and without a team, so nobody sees them in CRM", "create a sales team, or set owner"
        )
    elif found := _read(odoo, "crm.team", team, "name"):
        otherwise = ", where it names none," if isinstance(named, TemplateOf) else ""
        yield Finding(True, f"{come}{otherwise} to the team {found.get('name')}: {where}")


def _others(odoo: Rpc, kind: RecordKind, user: int) -> Finding:
    """A user with 'Own Documents Only' may do everything, but to records of others. No method tells that in all
    versions; a record does."""
    if first_id(odoo, kind.model, [["user_id", "!=", False], ["user_id", "!=", user]]):
        return Finding(True, f"records of {kind.model} that others are responsible for can be seen")
    text = f"no record of {kind.model} that somebody else is responsible for can be seen"
    return Finding(True, f"{text}; if there are any, the key's user needs 'All Documents'")


def _read(odoo: Rpc, model: str, record: int, field: str) -> dict[str, Any] | None:
    found = odoo.call(model, "search_read", domain=[["id", "=", record]], fields=[field], limit=1)
    return found[0].object if len(found) else None


def _there(right: bool, text: str, remedy: str) -> Finding:
    return Finding(right, f"{text} exists" if right else f"{text} does not exist, or the user may not see it", remedy)
