"""Plain values as YAML, as people write it."""

from __future__ import annotations

from typing import Any

import yaml

#: No line of ours is folded.
_WIDE = 10**9


def block_lines(values: Any, column: int, newline: str) -> str:
    """A block at a column, each line ended."""
    written = yaml.dump(values, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDE)
    return "".join(f"{' ' * column if line else ''}{line}{newline}" for line in written.split("\n")[:-1])


def on_one_line(value: Any) -> str:
    """On one line."""
    written = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, allow_unicode=True, sort_keys=False, width=_WIDE
    )
    return str(written).strip()[1:-1]


class _Dumper(yaml.SafeDumper):
    """As people write it: no anchors, a list of plain values on one line, several lines of text below a `|`."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's own
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002  # PyYAML's own
        super().increase_indent(flow, False)

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, _is_flat(sequence) or flow_style)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, "|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def is_nested(value: Any) -> bool:
    """Whether it is written below its key, and not on the key's line."""
    return isinstance(value, dict | list) and bool(value) and not _is_flat(value)


def _is_flat(value: Any) -> bool:
    """A list of plain values stands on the line of its key."""
    return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value)
