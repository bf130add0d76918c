"""A recipe: a document that is shipped, with settings of its own, so that it is a type like any other.

connectors/recipes/NAME.yaml is `type: NAME`. Its head declares the settings; the rest is what `type: http` takes, with
`settings.NAME` for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo

from connectors.http import Written
from connectors.http.capabilities import capabilities_of
from connectors.http.declared import Name
from connectors.http.document import HttpDocument
from connectors.http.names import plain_value
from connectors.http.program import Own, Program
from connectors.kit.files.settings import FileSettings
from connectors.kit.record import RecordSettings
from connectors.kit.work.owner import OwnerSettings
from connectors.kit.work.task import WorkSettings
from core.config import yaml_file
from core.config.environment import Strict
from core.config.mistakes.values import value_mistakes
from core.config.yaml_file import ConfigFile
from core.errors import ConfigError

RECIPES = Path(__file__).parents[1] / "recipes"

_TYPES: Mapping[str, Any] = {"text": str, "url": AnyHttpUrl, "number": int, "boolean": bool}


class Setting(Strict):
    """A setting of a recipe's. Without a default it must be written."""

    type: Literal["text", "url", "number", "boolean", "choice"] = Field(default="text", description="What it is.")
    choices: tuple[str, ...] = Field(default=(), description="With choice: what it may be.")
    secret: bool = Field(default=False, description="true: it is shown nowhere.")
    default: str | int | bool | None = Field(default=None, description="What it is unless it is written.")
    help: str = Field(min_length=1, description="What it is, for people.")

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("type: choice needs choices, and nothing else has them")
        if self.secret and self.type != "text":
            raise ValueError("a secret is a text")
        if self.type == "url" and self.default is not None:
            try:
                AnyHttpUrl(str(self.default))
            except ValidationError:
                raise ValueError("default must be a whole address that begins with https://") from None
        return self

    @property
    def annotation(self) -> Any:
        """As a template sees it."""
        kind = str if self.type in ("url", "choice") else _TYPES[self.type]
        return kind | None if self.may_be_missing else kind

    @property
    def may_be_missing(self) -> bool:
        return "default" in self.model_fields_set and self.default is None

    def field(self) -> tuple[Any, Any]:
        """As pydantic takes it."""
        kind = SecretStr if self.secret else Literal[self.choices] if self.choices else _TYPES[self.type]
        required = "default" not in self.model_fields_set
        default = AnyHttpUrl(str(self.default)) if self.type == "url" and self.default is not None else self.default
        info = Field(description=self.help) if required else Field(default=default, description=self.help)
        if required and kind is str:
            info = Field(description=self.help, min_length=1)
        return (kind | None if self.may_be_missing else kind), info


class RecipeDocument(HttpDocument):
    """A recipe's file."""

    label: str = Field(min_length=1, description="The destination's name, as it spells it itself.")
    makes: str = Field(min_length=1, description="What it makes there, for the list of connectors.")
    settings: dict[Name, Setting] = Field(min_length=1, description="The settings of its own.")
    defaults: dict[str, Any] = Field(default_factory=dict, description="Of settings that all connectors share.")


class RecipeSettings(RecordSettings):
    """Settings of a recipe; each has a model of its own, made of its head."""

    #: The file of the recipe.
    recipe: ClassVar[str]

    @model_validator(mode="after")
    def _has_no_credentials_in_addresses(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, AnyHttpUrl) and (value.username or value.password):
                raise ValueError(f"{name} is shown to people; remove the credentials from it")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Their class has no place where pickle would find it.
        return _again, (self.recipe, self.model_dump(by_alias=True), self.__pydantic_private__)


def _again(recipe: str, values: Mapping[str, Any], private: Mapping[str, Any]) -> RecipeSettings:
    found: RecipeSettings = recipe_in(Path(recipe)).settings_model.model_validate(values)  # type: ignore[assignment]
    for name, value in private.items():
        setattr(found, name, value)
    return found


class Recipe(Written[RecipeSettings]):
    """A connector that runs a recipe."""

    document: ClassVar[RecipeDocument]

    @classmethod
    def own(cls, settings: RecipeSettings | None = None) -> Own:
        declared = cls.document.settings
        values = {name: plain_value(getattr(settings, name)) for name in declared} if settings else None
        types = {name: one.annotation for name, one in declared.items()}
        public = {name: kind for name, kind in types.items() if not declared[name].secret}
        return Own("settings", types, public, values, fills_auth=True)

    @cached_property
    def program(self) -> Program:
        return Program(self.document, self.own(self.settings))


def recipe_names() -> list[str]:
    """The recipes that are shipped."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def load_recipe(kind: str) -> type[Recipe]:
    """The class of a recipe. Raises LookupError where there is none, ConfigError where something in it is wrong."""
    if kind not in recipe_names():
        raise LookupError(f"there is no recipe '{kind}'")
    return recipe_in(RECIPES / f"{kind}.yaml")


@lru_cache(maxsize=128)
def recipe_in(file: Path) -> type[Recipe]:
    """The class of the recipe in a file, for packages that bring one. Raises ConfigError with everything that is wrong
    in it."""
    return recipe_of(file.stem, file.read_text(encoding="utf-8"), str(file))


def recipe_of(kind: str, text: str, source: str) -> type[Recipe]:
    """The class of a recipe that is written so. Raises ConfigError with everything that is wrong in it."""
    file = yaml_file.read(text, source)
    with _noted(file):
        found = _made(kind, RecipeDocument.model_validate(file.values), file)
        if not file.problems:
            Program(found.document, found.own())
            found.settings_model.recipe = source  # type: ignore[attr-defined]  # _made gave it such a model
            return found
    raise ConfigError(source, sorted(file.problems, key=lambda problem: problem.line))


def _made(kind: str, document: RecipeDocument, file: ConfigFile) -> type[Recipe]:
    base = _base_of(document)
    shared = base.model_fields
    for name in {*document.settings} & {*shared}:
        file.problem(("settings", name), "is a setting of every connector; write its default under defaults")
    try:
        base.model_validate({"type": kind, **document.defaults})
    except ValidationError as error:
        for place, text in value_mistakes(error, base, document.defaults):
            file.problem(("defaults", *place), text)
    fields: dict[str, Any] = {
        name: (shared[name].annotation, _changed(shared[name], value))
        for name, value in document.defaults.items()
        if name in shared
    }
    fields |= {name: one.field() for name, one in document.settings.items() if name not in shared}
    class_name = "".join(part.title() for part in kind.split("-"))
    model = create_model(f"{class_name}Settings", __base__=base, **fields)
    model.__doc__ = f"Settings of `type: {kind}`."
    # Two connectors that write to one address deliver to one account.
    model.account_settings = tuple(name for name, one in document.settings.items() if one.type == "url") or tuple(
        name for name, one in document.settings.items() if not one.secret
    )
    said = f"{document.label}: {document.makes}."
    body = {
        "label": document.label,
        "makes": document.makes,
        "capabilities": capabilities_of(document),
        "document": document,
        "__doc__": said,
    }
    found: Any = type(class_name, (Recipe,), body)
    found.settings_model = model  # now: a class that is made takes that of its base
    return found  # type: ignore[no-any-return]  # it has just been made so


def _base_of(document: RecipeDocument) -> type[RecipeSettings]:
    """Settings that it shares with others, by what its destination can do."""
    able: list[tuple[type[BaseModel], object]] = [
        (FileSettings, document.attachments),
        (OwnerSettings, document.owners),
        (WorkSettings, document.makes_work),
    ]
    bases: Any = (RecipeSettings, *(one for one, can in able if can))
    return create_model("RecipeSettings", __base__=bases) if len(bases) > 1 else RecipeSettings


def _changed(field: FieldInfo, default: Any) -> FieldInfo:
    """The setting, with another default."""
    made = copy(field)
    made.default, made.validate_default = default, True
    return made


@contextmanager
def _noted(file: ConfigFile) -> Iterator[None]:
    """What a model refuses becomes a problem of the file, with its line."""
    try:
        yield
    except ValidationError as error:
        for place, text in value_mistakes(error, RecipeDocument, file.values):
            file.problem(place, text)
