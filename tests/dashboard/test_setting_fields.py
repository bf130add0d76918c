"""Every value that a connector can have stands in its form as somebody would type it, and comes back as it was."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError, create_model

from app.admin.setting_up.fields import field_text, field_value, fields, fitting
from app.admin.setting_up.forms import SettingsForm
from connectors import registry
from core.config.environment import Strict
from core.config.settings import ConnectorSettings

TYPES = sorted(registry.types())
_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
_TEXTS = st.one_of(
    _WORDS, st.lists(_WORDS, min_size=1, max_size=4).map("\n".join), st.sampled_from(["", "null", "true", "{{ x }}"])
)
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6), _TEXTS)
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=3)),
    max_leaves=6,
)


class Inner(Strict):
    key: SecretStr


class Odd(ConnectorSettings):
    """Of a plug-in: secrets inside of other things."""

    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Sent along.")
    auth: Inner | None = Field(default=None, description="Who it is.")
    places: list[Inner] = Field(default_factory=list)


class Deaf(ConnectorSettings):
    """Of a plug-in: a setting of all connectors means nothing to it."""

    refused = MappingProxyType({"rate": "it asks nobody"})


def test_a_form_has_no_setting_that_the_type_refuses() -> None:
    assert "rate" not in {one.name for one in fields(Deaf)}
    assert Deaf.model_validate({"type": "deaf", "rate": None}).rate is None
    with pytest.raises(ValidationError, match="it asks nobody; remove it") as refusal:
        Deaf.model_validate({"type": "deaf", "rate": 5})
    assert refusal.value.errors()[0]["loc"] == ("rate",)


@pytest.mark.parametrize("kind", TYPES)
def test_every_setting_has_a_field_with_its_default_and_the_defaults_come_to_the_same(kind: str) -> None:
    model = registry.settings_model(kind)
    found = {one.name: one for one in fields(model)}
    assert set(found) == set(model.model_fields) - {"type", *model.refused}
    for name, info in model.model_fields.items():
        if name not in found or info.is_required() or found[name].hidden:
            continue
        one = found[name]
        if one.default:
            kind_of: Any = info.annotation
            alone: Any = create_model("Alone", setting=(kind_of, info))
            found_again = alone(setting=field_value(one, one.default)).setting
            assert found_again == info.get_default(call_default_factory=True), name


@pytest.mark.parametrize("kind", TYPES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_what_stands_in_the_file_comes_back_untouched_whatever_it_is(kind: str, data: st.DataObject) -> None:
    model = registry.settings_model(kind)
    names = st.sampled_from([name for name in model.model_fields if name != "type"])
    old: Mapping[str, Any] = {"type": kind, **data.draw(st.dictionaries(names, _VALUES, max_size=4))}
    form = SettingsForm(model, old)
    # As a browser sends it.
    sent = {name: text.replace("\n", "\r\n") for name, text in form.texts().items()}
    filled = form.filled(sent, {})
    assert not filled.errors
    assert filled.values == old
    assert not filled.secrets


@settings(deadline=None, max_examples=40)
@given(value=_VALUES)
def test_what_cannot_be_typed_as_its_kind_is_written_as_yaml_that_means_it(value: object) -> None:
    for one in fields(registry.settings_model("hubspot")):
        fitted = fitting(one, value)
        if not one.hidden:
            assert field_value(fitted, field_text(fitted, value)) == value


def test_a_table_holds_values_of_several_lines() -> None:
    one = next(one for one in fields(registry.settings_model("hubspot")) if one.name == "person")
    value = {"city": "{{ visitor.city }}", "note": "first\n  second\n\nthird", "empty": ""}
    assert field_text(one, value) == "city: {{ visitor.city }}\nnote: first\n    second\n  \n  third\nempty: "
    assert field_value(one, field_text(one, value)) == value
    with pytest.raises(ValueError, match="city is there twice"):
        field_value(one, "city: a\ncity: b")


def test_secrets_inside_of_other_things_are_hidden_too() -> None:
    found = {one.name: one for one in fields(Odd)}
    assert {name for name, one in found.items() if one.hidden} == {"headers", "auth", "places"}
    old = {"type": "odd", "headers": {"X-Key": "hidden-0123"}, "auth": {"key": "hidden-0123"}}
    form = SettingsForm(Odd, old)
    assert "hidden" not in str(form.texts())
    assert form.filled(form.texts(), {}).values == old
    filled = form.filled(form.texts(), {"headers": "X-Key: another"}, gone=["auth"])
    assert filled.values == {"type": "odd", "headers": {"X-Key": "another"}}


def test_nothing_is_typed_apart_from_the_default() -> None:
    found = {one.name: one for one in fields(registry.settings_model("hubspot"))}
    assert field_value(found["phone"], '""') == ""
    assert field_value(found["tags"], "[]") == []
    assert field_value(found["person"], "{}") == {}
    assert field_value(found["rate"], "null") is None
    assert field_value(found["portal_id"], "123") == "123"
    assert [field_value(found["rate"], text) for text in ("5", "0.5", "a lot")] == [5, 0.5, "a lot"]
