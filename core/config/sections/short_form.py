"""A section that may be written as one text, where one of its settings says it all."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from core.config.environment import Strict


class ShortForm(Strict):
    """`wait: 10m` in place of `wait: {quiet: 10m}`."""

    #: The setting that the text stands for, and what an editor is told of the text.
    short_form: ClassVar[str]
    short_schema: ClassVar[dict[str, Any]] = {"type": "string"}
    #: What of a file counts as that text. A number may get a better refusal than "must be text".
    short_types: ClassVar[tuple[type, ...]] = (str,)

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, value: Any) -> Any:
        return {cls.short_form: value} if isinstance(value, cls.short_types) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(core_schema))
        settings = dict(whole)
        whole.clear()
        whole["anyOf"] = [cls.short_schema, settings]
        return whole
