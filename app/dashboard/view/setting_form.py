"""The settings of a connector as inputs of a page, with the mistakes of relay.yaml at the inputs they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType

from app.admin.setting_up.fields import FieldKind, SettingField
from app.admin.setting_up.forms import SettingsForm
from app.admin.setting_up.gallery import GalleryType, gallery
from app.admin.setting_up.offered import Offered
from core.errors import Problem
from core.wording.sentence import constant, say, say_all

#: Stands before the name of a setting, so that none is called like another input of the page.
FIELD_PREFIX = "s-"
_NOTHING = Offered()
NONE_OFFERED: Mapping[str, Offered] = MappingProxyType({})
_UPPER = {"api": "API", "id": "ID", "url": "URL", "html": "HTML"}
_HOW = {
    FieldKind.LIST: say("One on each line."),
    FieldKind.TABLE: say("One on each line, as NAME: VALUE."),
    FieldKind.YAML: say("As in relay.yaml."),
}


@dataclass(frozen=True)
class FormInput:
    """`kept` says what there is of a secret, which itself is not shown; `options` are pairs of a value and its words,
    of a drop-down; `rows` is 0 for what stands on one line; `offered` is what the destination has."""

    name: str
    label: str
    text: str
    hint: str
    error: str
    hidden: bool
    required: bool
    kept: str
    removable: bool
    options: Sequence[tuple[str, str]]
    rows: int
    offered: Offered = _NOTHING

    @property
    def unlisted(self) -> str:
        """Why there is no list, or ""."""
        problem = self.offered.problem
        return (
            say("What there is could not be listed: %(problem)s. Type what you mean.", problem=problem)
            if problem
            else ""
        )


@dataclass(frozen=True)
class Type:
    """A type of connector, for those who choose one."""

    name: str
    label: str
    makes: str
    needs: str


def connector_types() -> list[Type]:
    """All that have a name, by their vendor's."""
    return sorted(map(_type, gallery()), key=lambda one: one.label.casefold())


def _type(one: GalleryType) -> Type:
    needs = (reduce(_either, map(label, together)) for together in one.needs)
    return Type(one.name, one.label, constant(one.makes), say_all(*needs, between=", "))


def _either(first: str, second: str) -> str:
    return say("%(first)s or %(second)s", first=first, second=second)


def label(name: str) -> str:
    """`base_url` -> `Base URL`."""
    words = [_UPPER.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def inputs(
    form: SettingsForm,
    texts: Mapping[str, str],
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    offered: Mapping[str, Offered] = NONE_OFFERED,
) -> list[FormInput]:
    """`texts` and `typed`, which are the secrets, are what somebody typed so far; `offered` what the destination
    has."""
    made = [_input(form, one, texts.get(one.name, ""), one.name in typed, errors) for one in form.fields]
    return [replace(one, offered=offered.get(one.name.removeprefix(FIELD_PREFIX), _NOTHING)) for one in made]


def _input(form: SettingsForm, field: SettingField, text: str, typed: bool, errors: Mapping[str, str]) -> FormInput:
    return FormInput(
        name=f"{FIELD_PREFIX}{field.name}",
        label=label(field.name),
        text="" if field.hidden else text,
        hint=say_all(constant(field.about), _how(field), _default(field)),
        error=errors.get(field.name, ""),
        hidden=field.hidden,
        required=field.required,
        kept=_kept(form, field, typed),
        removable=field.hidden and not field.required and form.has(field.name),
        options=_options(field, text),
        rows=_rows(field, text),
    )


def _how(field: SettingField) -> str:
    """How it is typed, where that has to be said."""
    if field.kind is FieldKind.TEXT and field.choices:
        return say("One of %(choices)s, or a template.", choices=", ".join(field.choices))
    return _HOW.get(field.kind, "")


def _default(field: SettingField) -> str:
    """What applies when the input is empty; that of a drop-down is among its options."""
    if field.default in ("", "null") or field.kind in (FieldKind.SWITCH, FieldKind.CHOICE):
        return ""
    return say("Default: %(default)s", default=", ".join(field.default.splitlines()))


def _kept(form: SettingsForm, field: SettingField, typed: bool) -> str:
    if not field.hidden:
        return ""
    if typed:
        return say("Entered. Leave this empty to use it.")
    if named := form.reference(field.name):
        return say("Set, by %(named)s. Leave this empty to keep it.", named=named)
    return say("Set. Leave this empty to keep it.") if form.has(field.name) else ""


def _options(field: SettingField, text: str) -> list[tuple[str, str]]:
    if field.kind not in (FieldKind.SWITCH, FieldKind.CHOICE):
        return []
    words = (
        {"true": say("yes"), "false": say("no")}
        if field.kind is FieldKind.SWITCH
        else {one: one for one in field.choices}
    )
    default = words.get(field.default, say("none") if field.default == "null" else field.default)
    found = [("", say("Default: %(default)s", default=default)), *words.items()]
    return found if not text or text in words else [*found, (text, text)]


def _rows(field: SettingField, text: str) -> int:
    """A template grows, so it has room for several lines from the beginning."""
    lines = max(text.count("\n"), field.default.count("\n")) + 1
    if field.kind in (FieldKind.LIST, FieldKind.TABLE, FieldKind.YAML):
        return min(max(lines, 2), 15)
    return min(max(lines, 2), 15) if field.kind is FieldKind.TEXT and (lines > 1 or "{{" in text + field.default) else 0


@dataclass(frozen=True)
class Mistakes:
    """`at` has the text for each setting, `others` what is wrong elsewhere in the file."""

    at: Mapping[str, str]
    others: Sequence[str]


def placed(problems: Sequence[Problem], name: str, names: Sequence[str]) -> Mistakes:
    """The problems of the connector `name`, whose settings are `names`."""
    at: dict[str, str] = {}
    others = []
    for problem in problems:
        found = re.fullmatch(rf"connectors\.{re.escape(name)}\.(\w+)(.*)", problem.path, re.DOTALL)
        if found and found[1] in names:
            below = found[2].lstrip(".")
            text = f"{below}: {problem.text}" if below else problem.text
            at[found[1]] = f"{at[found[1]]}; {text}" if found[1] in at else text
        elif problem.path == f"connectors.{name}":
            others.append(problem.text)
        else:
            others.append(f"{problem.path}: {problem.text}" if problem.path else problem.text)
    return Mistakes(at, others)


def grouped(found: Sequence[FormInput], form: SettingsForm) -> Iterator[tuple[str, list[FormInput]]]:
    """First what must be filled in and what is of this type alone, then what all have: heading and inputs."""
    own = {f"{FIELD_PREFIX}{one.name}" for one in form.fields if one.own or one.required}
    yield "", [one for one in found if one.name in own]
    yield say("More settings"), [one for one in found if one.name not in own]
