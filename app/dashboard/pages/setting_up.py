"""Connectors set up in the browser: the types to choose from, and a form of the settings that checks, previews, shows
the change of relay.yaml and saves it. Each step is a POST of the whole form, so that it needs no scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin import checks
from app.admin.preview import NoPreview, Preview, preview
from app.admin.setting_up import changes
from app.admin.setting_up.fields import FieldKind, SettingField
from app.admin.setting_up.forms import Filled, SettingsForm
from app.admin.setting_up.offered import Offered, offered
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import whose_hand
from app.dashboard.frame.sealed import opened, sealed
from app.dashboard.language.translation import flash
from app.dashboard.view import setting_form
from app.dashboard.view.review import Review, reviewed
from app.dashboard.view.setting_form import FIELD_PREFIX
from app.dashboard.view.transcript import Bubble, bubbles
from connectors import registry
from connectors.kit.connector import Connector, Finding
from core.config.editing.door import Draft
from core.config.settings import Settings
from core.config.sources.secret_store import BadSecret
from core.errors import ConfigError, NotFound, PayloadError
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Search
from core.wording.sentence import say

#: Chats that a preview can be made of.
_CHATS = 100


@dataclass(frozen=True)
class _Sheet:
    """One form: of a new connector, or of one that relay.yaml has."""

    name: str
    kind: str
    label: str
    form: SettingsForm
    is_new: bool
    action: str
    make: Callable[[Filled], Draft]


@dataclass
class _Answer:
    """What the page shows beside the form. `findings` are None where no check was asked for."""

    errors: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[str] = ()
    review: Review | None = None
    findings: Sequence[Finding] | None = None
    offered: Mapping[str, Offered] = field(default_factory=dict)
    busy: bool = False
    preview: Preview | None = None
    no_preview: str = ""
    transcript: Sequence[Bubble] = ()


def routes(pages: Blueprint, site: Site) -> None:
    search = Search(site.client)

    @pages.get("/setup/connectors")
    def connectors_add() -> str:
        return render_template("connectors_add.html", types=setting_form.connector_types())

    @pages.route("/setup/connectors/<kind>", methods=["GET", "POST"])
    def connectors_add_one(kind: str) -> ResponseReturnValue:
        found = registry.named_type(kind)
        if found is None:
            raise NotFound(say("There is no type '%(kind)s' of connector.", kind=kind))
        name = request.form.get("name", "").strip() if request.method == "POST" else _free_name(site, kind)
        chats, when = request.form.get("chats", changes.EVERY), request.form.get("when", "")

        def make(filled: Filled) -> Draft:
            wanted = changes.WantedChange(name, filled.values, filled.secrets, chats, when)
            return changes.added(site.config_door, wanted, whose_hand())

        form = SettingsForm(found.settings_model, {"type": kind})
        action = url_for("dashboard.connectors_add_one", kind=kind)
        return answered(_Sheet(name, kind, found.label, form, True, action, make))

    @pages.route("/connectors/<name>/settings", methods=["GET", "POST"])
    def connectors_settings(name: str) -> ResponseReturnValue:
        old = changes.existing_connector(site.config_door.values(), name)
        kind = str(old.get("type", ""))
        try:
            found = registry.find(kind)
        except LookupError as error:
            raise NotFound(f"connectors.{name}.type: {error.args[0]}") from None

        def make(filled: Filled) -> Draft:
            wanted = changes.WantedChange(name, filled.values, filled.secrets)
            return changes.altered(site.config_door, wanted, whose_hand())

        form = SettingsForm(found.settings_model, old)
        action = url_for("dashboard.connectors_settings", name=name)
        return answered(_Sheet(name, kind, found.label, form, False, action, make))

    def answered(sheet: _Sheet) -> ResponseReturnValue:
        if request.method != "POST":
            return page(sheet, sheet.form.texts(), {}, _Answer()), 200
        texts = {one.name: request.form.get(FIELD_PREFIX + one.name, "") for one in sheet.form.fields}
        typed = opened(request.form.get("kept", ""), sheet.action)
        typed |= {one.name: texts[one.name] for one in sheet.form.fields if one.hidden and texts[one.name].strip()}
        answer = _tried(site, sheet, texts, typed)
        if answer is None:
            flash(say("%(name)s is saved.", name=sheet.name), "good")
            known = sheet.name in site.watched.current().connectors
            here = url_for("dashboard.connectors_one", name=sheet.name) if known else url_for("dashboard.connectors")
            return redirect(here, 303)
        wrong = answer.errors or answer.others
        return page(sheet, texts, typed, answer), 422 if wrong else answer.review.status if answer.review else 200

    def page(sheet: _Sheet, texts: Mapping[str, str], typed: Mapping[str, str], answer: _Answer) -> str:
        found = setting_form.inputs(sheet.form, texts, typed, answer.errors, answer.offered)
        return render_template(
            "connector_form.html",
            sheet=sheet,
            groups=list(setting_form.grouped(found, sheet.form)),
            kept=sealed(typed, sheet.action),
            answer=answer,
            chats=search.page(Filter(), limit=_CHATS).rows if answer.review else (),
            given=request.form,
        )


def _tried(site: Site, sheet: _Sheet, texts: Mapping[str, str], typed: Mapping[str, str]) -> _Answer | None:
    """What the settings come to; None when they are saved."""
    gone = [one.name for one in sheet.form.fields if request.form.get(f"gone-{one.name}")]
    filled = sheet.form.filled(texts, typed, gone)
    if filled.errors:
        return _Answer(filled.errors)
    try:
        review = reviewed(site, lambda: sheet.make(filled))
    except ConfigError as error:
        names = [one.name for one in sheet.form.fields]
        found = setting_form.placed(error.problems, sheet.name, names)
        return _Answer(found.at, found.others, offered={} if found.others else _glimpse(site, sheet, filled, found.at))
    except BadSecret as error:
        return _Answer(others=[str(error)])
    if review is None:
        return None
    answer = _Answer(review=review)
    built = _built(site, review.draft.settings, sheet.name)
    if request.form.get("do") == "check":
        _check(site, built, answer)
    _preview(site, built, answer)
    return answer


def _built(site: Site, settings: Settings, name: str) -> Connector[Any]:
    # It shares nothing with the one that works: no token that was given for other settings.
    return registry.make(settings, name, site.env.data_dir)


def _check(site: Site, connector: Connector[Any], answer: _Answer) -> None:
    with site.alone() as free:
        answer.busy = not free
        if free:
            answer.findings = list(checks.findings(connector))
            if any(one.right for one in answer.findings):
                answer.offered = offered(connector)


def _glimpse(site: Site, sheet: _Sheet, filled: Filled, wrong: Mapping[str, str]) -> Mapping[str, Offered]:
    """What there is to choose from where all that is wrong is that something is still to be chosen, such as a queue."""
    fields = [one for one in sheet.form.fields if one.name in wrong]
    if request.form.get("do") != "check" or not all(_is_to_be_chosen(one) for one in fields):
        return {}
    # No queue is called so; and as it is a number, where one is wanted, nothing is looked up by it here.
    made_up = {one.name: 1 if one.kind is FieldKind.NUMBER else "…" for one in fields}
    try:
        settings = sheet.make(replace(filled, values={**filled.values, **made_up})).settings
    except (ConfigError, BadSecret):
        return {}
    with site.alone() as free:
        return offered(_built(site, settings, sheet.name)) if free else {}


def _is_to_be_chosen(one: SettingField) -> bool:
    typed = request.form.get(FIELD_PREFIX + one.name, "").strip()
    return one.required and not one.hidden and not typed and one.kind in (FieldKind.TEXT, FieldKind.NUMBER)


def _preview(site: Site, connector: Connector[Any], answer: _Answer) -> None:
    newest = Search(site.client).page(Filter(), limit=1).rows
    wanted = request.form.get("chat") or (newest[0].id if newest else "")
    history = site.store.revisions(ConversationId(wanted)) if wanted else []
    if not history:
        return
    try:
        conversation = parse_conversation(history[-1].body, history[-1].account)
        answer.transcript = bubbles(conversation)
        answer.preview = preview(connector, conversation, history)
    except (NoPreview, PayloadError) as error:
        answer.no_preview = str(error)


def _free_name(site: Site, kind: str) -> str:
    """The type, or the first number after it that nobody has."""
    taken = site.config_door.values().get("connectors") or {}
    return next(name for name in (kind, *(f"{kind}-{number}" for number in range(2, 1000))) if name not in taken)
