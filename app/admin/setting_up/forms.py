"""The settings of one connector as somebody fills them in, and what that makes of them in relay.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.admin.setting_up.fields import FieldKind, SettingField, field_text, field_value, fields, fitting
from core.config.settings import ConnectorSettings
from core.config.sources.references import is_reference


@dataclass(frozen=True)
class Filled:
    """What was typed: the `values` as relay.yaml has them, the `secrets` that are kept outside of it, and what is wrong
    with a setting, by its name."""

    values: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: Mapping[str, str] = field(default_factory=dict)


class SettingsForm:
    """The settings of a `model`; `old` is what relay.yaml has of them, references not filled in, and `type`."""

    def __init__(self, model: type[ConnectorSettings], old: Mapping[str, Any]) -> None:
        self._old = old
        self.fields: Sequence[SettingField] = [
            fitting(one, old[one.name]) if one.name in old else one for one in fields(model)
        ]

    def texts(self) -> dict[str, str]:
        """As somebody would type what the file has. Secrets are left out."""
        return {one.name: self._text(one) for one in self.fields}

    def has(self, name: str) -> bool:
        """Whether the file has it: of a secret that is all that is shown."""
        return self._old.get(name) is not None

    def reference(self, name: str) -> str:
        """What relay.yaml has in place of a secret, such as `${HUBSPOT_TOKEN}`; "" where it has the secret itself."""
        value = self._old.get(name)
        return value if isinstance(value, str) and is_reference(value) else ""

    def filled(self, given: Mapping[str, str], secrets: Mapping[str, str], gone: Sequence[str] = ()) -> Filled:
        """`given` has the text of each field, `secrets` what was typed of them, or before; those in `gone` are taken
        away. What nobody touched stays as the file spells it; what is emptied goes, and its default applies."""
        values, errors = dict(self._old), dict[str, str]()
        sealed: dict[str, str] = {}
        for one in self.fields:
            text = (secrets if one.hidden else given).get(one.name, "")
            if one.hidden and not text:
                if one.name in gone:
                    values.pop(one.name, None)
            elif one.kind is FieldKind.SECRET and not is_reference(text):
                sealed[one.name] = text
                values.pop(one.name, None)
            elif one.hidden or not _same(text, self._text(one)):
                try:
                    self._take(values, one, text)
                except ValueError as error:
                    errors[one.name] = str(error)
        return Filled(values, sealed, errors)

    def _take(self, values: dict[str, Any], one: SettingField, text: str) -> None:
        if text.strip():
            values[one.name] = field_value(one, text)
        else:
            values.pop(one.name, None)

    def _text(self, one: SettingField) -> str:
        return field_text(one, self._old[one.name]) if one.name in self._old and not one.hidden else ""


def _same(one: str, other: str) -> bool:
    """Browsers end lines in their own way, and take the space from the ends of what stands on one line."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
