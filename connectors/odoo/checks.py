"""What `check` looks for in Odoo: the key, what the settings name, the rights, and who will see what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from connectors.kit.checks.expectation import Expectation, Mismatch
from connectors.kit.checks.items import AnswerCheck, CheckItem, ListCheck, NameCheck
from connectors.kit.work.choices import constants
from connectors.odoo.api import OdooApi
from connectors.odoo.partners import MODEL as PARTNER
from connectors.odoo.rpc import Rpc, first_id, first_team, known_fields
from connectors.odoo.settings import RECORD_KINDS, OdooSettings, RecordKind
from core.config.types.templated import TemplateOf
from core.wording.sentence import say

_ACCEPTED = Expectation[bool]("API key accepted by %(url)s")
_WRITES = Expectation[dict[str, Any]](
    "the key's user has an email address",
    "the key's user has no email address",
    "give the user one in Odoo: notes cannot be written without it",
    holds=lambda me: bool(me.get("email")),
)
_UNSEEN = "the field '%(name)s' of %(model)s does not exist, or the user may not see it"
_FIELD = Expectation[str](
    "the field '%(name)s' of %(model)s exists", _UNSEEN, "correct it under fields, or create it in Odoo"
)
_KEY = Expectation[str](
    "the field '%(name)s' of %(model)s exists",
    _UNSEEN,
    "correct it under key_field, or create it: relay connectors setup %(connector)s",
    also=(Mismatch("'%(name)s' is of type %(type)s", "name a field of text", lambda kind: kind != "char"),),
    values=lambda kind: {"type": kind},
)
_PERSON = Expectation[str]("the field '%(name)s' of %(model)s exists", _UNSEEN, "correct it, or create it in Odoo")
_THING = Expectation[dict[str, Any]](
    "%(model)s %(name)s (%(called)s) exists",
    "%(model)s %(name)s does not exist, or the user may not see it",
    "correct %(setting)s",
    values=lambda found: {"called": found.get("name")},
)
_RIGHT = Expectation[bool](
    "the right to %(operation)s %(model)s",
    "no right to %(operation)s %(model)s",
    "give the key's user 'All Documents' of Sales or 'User' of Helpdesk, and Contact Creation",
)
#: A user with 'Own Documents Only' may do everything, but to records of others. No method tells that in all versions; a
#: record does.
_OTHERS = Expectation[bool]("records of %(model)s that others are responsible for can be seen")
_NO_OTHERS = Expectation[bool](
    "no record of %(model)s that somebody else is responsible for can be seen; if there are any, the key's user needs "
    "'All Documents'"
)


def odoo_checks(api: OdooApi, odoo: Rpc, name: str) -> Iterator[CheckItem]:
    own = api.settings
    kind, user = RECORD_KINDS[own.record], odoo.me()
    me = _read(odoo, "res.users", "email", user) if user else None
    yield AnswerCheck(_ACCEPTED, lambda: True, {"url": own.url})
    if me is not None:
        yield AnswerCheck(_WRITES, lambda: me)
    yield from _fields(odoo, own, kind, name)
    yield from api.owners(odoo).checks(own, own.task)
    for setting, model in (("team_id", kind.team), ("stage_id", kind.stage)):
        look = partial(_read, odoo, model, "name")
        yield NameCheck(_THING, constants(getattr(own, setting)), look, {"model": model, "setting": setting})
    if own.record == "lead":
        yield from _seen(api, odoo)
    if user:
        others = first_id(odoo, kind.model, [["user_id", "!=", False], ["user_id", "!=", user]])
        yield AnswerCheck(_OTHERS if others else _NO_OTHERS, lambda: True, {"model": kind.model})
    rights = [(PARTNER, "create"), (PARTNER, "write"), (kind.model, "create"), (kind.model, "write")]
    rights += [(kind.tag, "create")] if own.tags else []
    rights += [("mail.activity", "create")] if own.task else []
    for model, operation in rights:
        yield AnswerCheck(_RIGHT, partial(odoo.may, model, operation), {"model": model, "operation": operation})


def _fields(odoo: Rpc, own: OdooSettings, kind: RecordKind, name: str) -> Iterator[CheckItem]:
    key, of = own.key_field or kind.key, {"model": kind.model}
    known = known_fields(odoo, kind.model, *own.fields, key)
    yield NameCheck(_KEY, [key], known.get, {**of, "connector": name})
    yield NameCheck(_FIELD, own.fields, known.get, of)
    persons = partial(known_fields, odoo, PARTNER, *own.person_fields)
    yield ListCheck(_PERSON, own.person_fields, persons, {"model": PARTNER})


# --- what a salesperson will see of a lead -----------------------------------------------

_OWNED = Expectation[bool]("leads are seen by their salesperson under 'My Pipeline', with which CRM opens")
_NOT_ALWAYS, _NEVER = say("leads for which the owner is nobody come"), say("leads come without a salesperson")
_ONCE = say("seen under Sales > Teams, and under 'My Pipeline', with which CRM opens, once somebody is assigned")
_BY_TEMPLATE = Expectation[bool]("%(come)s to the team that the template of team_id names: %(once)s")
_TO_TEAM = Expectation[dict[str, Any]](
    "%(come)s to the team %(called)s: %(once)s", values=lambda team: {"called": team.get("name")}
)
_ELSE_TO_TEAM = Expectation[dict[str, Any]](
    "%(come)s, where it names none, to the team %(called)s: %(once)s", values=lambda team: {"called": team.get("name")}
)
_HAS_TEAM = Expectation[int](
    "", "%(come)s and without a team, so nobody sees them in CRM", "create a sales team, or set owner"
)


def _seen(api: OdooApi, odoo: Rpc) -> Iterator[CheckItem]:
    own, named = api.settings, api.settings.team_id
    owned, template = bool(own.owner or own.owner_fallback), isinstance(named, TemplateOf)
    said = {"come": _NOT_ALWAYS if owned else _NEVER, "once": _ONCE}
    if owned:
        yield AnswerCheck(_OWNED, lambda: True)
    if template:
        yield AnswerCheck(_BY_TEMPLATE, lambda: True, said)
    team = first_team(odoo) if named is None or isinstance(named, TemplateOf) else named
    yield AnswerCheck(_HAS_TEAM, lambda: team, said)
    # Whether there is such a team is found above.
    if team is not None and (found := _read(odoo, "crm.team", "name", team)):
        yield AnswerCheck(_ELSE_TO_TEAM if template else _TO_TEAM, lambda: found, said)


def _read(odoo: Rpc, model: str, field: str, record: int) -> dict[str, Any] | None:
    found = odoo.call(model, "search_read", domain=[["id", "=", record]], fields=[field], limit=1)
    return found[0].object if len(found) else None
