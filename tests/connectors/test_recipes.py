"""Recipes: what is shipped, and the one that docs/writing-a-recipe.md writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from app.admin.setting_up.offered import offered
from connectors import registry
from connectors.http import DeclaredSettings, recipe
from connectors.http.answers import Case, Fails, Meanings, Wait
from connectors.http.declared import DeclaredRequest, Find, Pages
from connectors.http.document import HttpDocument, LookRequest, MadeRecord, StepOf, Transcript
from connectors.http.recipe import RecipeDocument, Setting
from connectors.http.requests.offering import ChoiceRequest, OwnerRequest
from connectors.http.signing import Auth, OfBasic, OfHeader, OfOAuth, OfQuery
from connectors.kit.offered import Choice
from connectors.registry import settings_model
from connectors.testing.contract import Contract
from core.config.environment import environment
from core.config.json_schema import schema
from core.config.loader import load
from tests.connectors.test_declared import EXAMPLE, PAGE
from tests.fakes.desk import KEY, DeskVendor

DOCS = Path(__file__).parents[2] / "docs"
WRITING = DOCS / "writing-a-recipe.md"
SHIPPED = recipe.recipe_names()
#: Lines of a recipe.
LONGEST = 120


class TestTheRecipeOfThePage(Contract):
    kind = "mydesk"
    secrets = (KEY,)
    has_people = False

    @pytest.fixture(autouse=True)
    def shipped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if it lay in connectors/recipes."""
        written = "".join(re.findall(r"^```yaml\n(.*?)^```", WRITING.read_text(), re.MULTILINE | re.DOTALL))
        (tmp_path / "mydesk.yaml").write_text(written)
        monkeypatch.setattr(recipe, "RECIPES", tmp_path)

    @property
    def golden(self) -> Path:
        return super().golden.with_name("recipe.mydesk.json")

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY}

    def test_it_lists_the_fields_that_there_are(self, vendor: DeskVendor) -> None:
        found = offered(self.connector(vendor))
        assert found["fields"].choices == [Choice("country", "Country"), Choice("kind", "Kind")]

    def test_it_is_a_type_like_any_other(self) -> None:
        assert registry.find("mydesk").label == "My Desk"
        assert "mydesk" in registry.types()
        with pytest.raises(LookupError, match="did you mean 'mydesk'"):
            registry.find("mydeks")
        assert settings_model("mydesk").model_fields["concurrency"].default == 4


@pytest.mark.parametrize("kind", SHIPPED)
def test_a_recipe_is_short_loads_and_has_a_page_whose_config_is_right(kind: str, tmp_path: Path) -> None:
    text = (recipe.RECIPES / f"{kind}.yaml").read_text()
    assert len(text.splitlines()) <= LONGEST
    found = recipe.load_recipe(kind)
    page = (DOCS / "connectors" / f"{kind}.md").read_text()
    assert page.startswith(f"# {found.label}\n")
    shown = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    file = tmp_path / "relay.yaml"
    file.write_text(shown)
    secrets = dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\}", shown), "secret-0123456789")
    settings = load(environment({"RELAY_CONFIG": str(file)}), settings_model, secrets)
    assert [one.type for one in settings.connectors.values()] == [kind]
    # Whatever nobody has tried against the vendor itself is said.
    assert "Not verified" in page


@pytest.mark.parametrize("kind", SHIPPED)
def test_an_address_with_credentials_is_refused(kind: str) -> None:
    own = recipe.load_recipe(kind).document.settings
    values = {name: "1" for name, one in own.items() if "default" not in one.model_fields_set}
    urls = [name for name, one in own.items() if one.type == "url"]
    values |= dict.fromkeys(urls, "https://x.example.com")
    settings_model(kind).model_validate({"type": kind, **values})
    for url in urls:
        with pytest.raises(ValueError, match="remove the credentials"):
            settings_model(kind).model_validate({"type": kind, **values, url: "https://a:b@x.example.com"})


def test_the_schema_knows_them() -> None:
    made = schema({name: kind.settings_model for name, kind in registry.types().items()})
    checker = jsonschema.Draft202012Validator(made)
    assert list(checker.iter_errors(EXAMPLE)) == []
    zammad = {"type": "zammad", "url": "https://z.example.com", "token": "x", "group": "Chats"}
    assert list(checker.iter_errors({"connectors": {"z": zammad}})) == []
    del zammad["group"]
    assert list(checker.iter_errors({"connectors": {"z": zammad}}))


@pytest.mark.parametrize(
    "model",
    [
        HttpDocument, StepOf, DeclaredRequest, Find, Pages, Transcript, MadeRecord, Auth, OfBasic, OfHeader, OfQuery,
        OfOAuth, Meanings, Case, Wait, Fails, LookRequest, ChoiceRequest, OwnerRequest,
        DeclaredSettings,
    ],
)  # fmt: skip
def test_every_setting_of_http_stands_on_its_page(model: type[BaseModel]) -> None:
    text = PAGE.read_text() + (DOCS / "connectors" / "README.md").read_text()
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in text or name in ("type", "enabled"), name


@pytest.mark.parametrize("model", [Setting, RecipeDocument])
def test_every_setting_of_a_recipes_head_stands_on_its_page(model: type[BaseModel]) -> None:
    text = WRITING.read_text()
    for name in {*model.model_fields} - {*HttpDocument.model_fields}:
        assert f"`{name}" in text, name
