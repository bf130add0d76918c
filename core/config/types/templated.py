"""A setting that is a constant, or a template that says for each chat what it is.

    group_id: Templated[int] | None = None

In the file it is `group_id: 31`, or `group_id: "{{ 31 if conversation.is_missed else 32 }}"`. A constant is checked
when the file is read, and so is whatever a template is sure to come out as; what it comes out as for a chat is read as
the constant would be.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Generic, Literal, Self, TypeVar, cast, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.config.extracted import only_extracted
from core.templates.language import wording
from core.templates.outcomes import outcomes
from core.templates.scope import is_template

T = TypeVar("T")


class TemplateOf(str, Generic[T]):
    """A template, and the type of what it is to come out as."""

    __slots__ = ("wanted",)
    wanted: Any

    def __new__(cls, source: str, wanted: Any) -> Self:
        made = super().__new__(cls, source)
        made.wanted = wanted
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return TemplateOf, (str(self), self.wanted)

    def read(self, text: str) -> T:
        """What it came out as. Raises ValueError, with what it should be."""
        try:
            found: T = _adapter(self.wanted)(text)
        except ValidationError:
            raise ValueError(f"expected {expected(self.wanted)}") from None
        return found

    @property
    def known(self) -> tuple[T, ...]:
        """Every value that it is sure to come out as for some chat."""
        return tuple(map(self.read, sorted(outcomes(self))))


def expected(wanted: Any) -> str:
    """What a value should be, for people."""
    if get_origin(wanted) is Annotated:
        return expected(get_args(wanted)[0])
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(str, get_args(wanted)))}"
    return {int: "a whole number", float: "a number"}.get(wanted, "a value that the setting takes")


@lru_cache(maxsize=256)
def _adapter(wanted: Any) -> Callable[[str], Any]:
    if get_origin(wanted) is Literal:
        # Numbers among them are text when a template says them.
        spelled = {str(one): one for one in get_args(wanted)}
        adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        return lambda text: adapter.validate_python(spelled.get(text, text))
    return TypeAdapter(wanted).validate_python


class _Templated:
    """What pydantic makes of the annotation below."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        [wanted] = [one for one in cast(list[Any], get_args(source)) if get_origin(one) is not TemplateOf]
        number = wanted in (int, float)

        def read(value: Any, constant: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            if number and isinstance(value, bool):
                raise PydanticCustomError("switch_for_number", "a switch for a number")
            if isinstance(value, TemplateOf) or not (isinstance(value, str) and is_template(value)):
                return value if isinstance(value, TemplateOf) else constant(value)
            wording(value)
            only_extracted(value, info)
            made: TemplateOf[Any] = TemplateOf(value, wanted)
            for text in sorted(outcomes(value)):
                try:
                    made.read(text)
                except ValueError as error:
                    raise ValueError(f"the template may come out as '{text}'; {error}") from None
            return made

        return core_schema.with_info_wrap_validator_function(
            read,
            handler.generate_schema(wanted),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: str(value) if isinstance(value, TemplateOf) else value
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        constant = handler(cast(Any, schema)["schema"])  # of the function around it
        template = {"type": "string", "format": "jinja-template", "pattern": r"\{[{%#]"}
        return {"anyOf": [constant, template]}


Templated = Annotated[T | TemplateOf[T], _Templated()]
