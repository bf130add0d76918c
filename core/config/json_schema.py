"""The JSON Schema of relay.yaml, for an editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.config.settings import ConnectorSettings, Document


def schema(types: Mapping[str, type[ConnectorSettings]]) -> dict[str, Any]:
    """The schema of the whole file, with every known connector's settings."""
    result = Document.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["title"] = "relay.yaml"
    definitions = result.setdefault("$defs", {})
    choices = []
    for name, model in sorted(types.items()):
        part = model.model_json_schema()
        definitions.update(part.pop("$defs", {}))
        part["properties"]["type"] = {"const": name}
        definitions[f"connector-{name}"] = part
        choices.append({"$ref": f"#/$defs/connector-{name}"})
    dotted = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "pattern": "[.]"}}}
    result["properties"]["connectors"]["additionalProperties"] = {"anyOf": [*choices, dotted]}
    return result
