"""The YAML file: text -> plain values, with the line of each, and its secrets filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from core.config.mistakes.model import KeyPath
from core.config.mistakes.syntax import syntax_mistake
from core.errors import ConfigError, Problem

#: Values in a file, those of an alias counted wherever it stands: nine levels of them would be thousands of millions.
_MOST = 100_000
_INTEGER = "tag:yaml.org,2002:int"
#: YAML 1.1 reads 0123 as 83 and 1:30 as 90.
_SURPRISING = re.compile(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9_]+)+)")
_MERGE = "tag:yaml.org,2002:merge"
_EMPTY = "is empty; restore it, or remove it and write a new one with relay init"


@dataclass
class ConfigFile:
    """A file that was read: its `values`, the line of each path, the problems found on the way, and the files
    that it drew secrets from."""

    values: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    secret_files: list[Path] = field(default_factory=list)
    _said: set[KeyPath] = field(default_factory=set)

    def problem(self, path: KeyPath, text: str) -> None:
        """Note what is wrong at `path`, with the line it, or the nearest thing around it, stands on."""
        if path in self._said:
            return  # the first says why; what follows from it would only puzzle
        self._said.add(path)
        near = path
        while near and near not in self.lines:
            near = near[:-1]
        self.problems.append(Problem(dotted(path), text, self.lines.get(near, 0)))


def dotted(path: KeyPath) -> str:
    """`connectors.shop.url`, `routes[0].when`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def decoded(content: bytes, source: str) -> str:
    """The text of a file. Raises ConfigError when there is none, and UnicodeDecodeError."""
    if not content.strip(b"\0 \t\r\n"):
        what = "has nothing but NUL bytes in it; save it again" if b"\0" in content else _EMPTY
        raise ConfigError(source, [Problem("", what)])
    return content.decode("utf-8-sig")


def as_written(text: str, _path: KeyPath, _file: ConfigFile) -> str:
    return text


def read(text: str, source: str, fill: Callable[[str, KeyPath, ConfigFile], str] = as_written) -> ConfigFile:
    """Read YAML; every text becomes what `fill` makes of it (core/config/sources/references.py). Raises ConfigError
    when it is not YAML at all, or empty; lesser problems are collected.
    """
    try:
        # The nodes know their lines; safe_load's values do not.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None or node.value == "":  # nothing but comments, or ---
            raise ConfigError(source, [Problem("", _EMPTY)])
        reader = _Reader(ConfigFile({}))
        file = reader.file
        file.values = reader.values(node, ())
    except yaml.YAMLError as error:
        line, sentence = syntax_mistake(error, text)
        raise ConfigError(source, [Problem("", sentence, line)]) from None
    except RecursionError:
        raise ConfigError(source, [Problem("", "nested too deeply, or an alias that contains itself")]) from None
    except _TooLarge:
        problem = Problem("", f"more than {_MOST:,} values, aliases (*name) counted each time; use fewer of them")
        raise ConfigError(source, [problem]) from None
    if isinstance(file.values, dict):
        # Where anchors may stand, as in Compose files.
        file.values = {key: value for key, value in file.values.items() if not key.startswith("x-")}

    def filled(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: filled(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item, (*path, index)) for index, item in enumerate(value)]
        return fill(value, path, file) if isinstance(value, str) else value

    file.values = filled(file.values, ())
    return file


class _TooLarge(Exception):
    pass


class _Reader:
    """Makes plain values of nodes, and notes in `file` where each stands."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file
        self._loader = yaml.SafeLoader("")
        self._count = 0

    def values(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > _MOST:
            raise _TooLarge
        self.file.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.values(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(cast(yaml.ScalarNode, node), path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any] | None:
        if any(isinstance(key, yaml.MappingNode) for key, _ in node.value):
            self.file.problem(path, "text with {{ … }} needs quotes around it")
            return None
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if key in values:
                self.file.lines[(*path, key)] = key_node.start_mark.line + 1
                self.file.problem((*path, key), "is given twice; remove one")
                continue
            values[key] = self.values(value_node, (*path, key))
        # What is written here counts before what is merged, and of that the first.
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for merged in self._merged(value_node, path):
                    values = {**merged, **values}
        return values

    def _merged(self, node: yaml.Node, path: KeyPath) -> Iterator[dict[str, Any]]:
        for one in node.value if isinstance(node, yaml.SequenceNode) else (node,):
            if not isinstance(one, yaml.MappingNode):
                self.file.problem((*path, "<<"), "merges settings: name an anchor of some, as in '<<: *name'")
                continue
            lines = dict(self.file.lines)
            if isinstance(found := self._mapping(one, path), dict):
                yield found
            self.file.lines.update(lines)

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = str(node.value)
        if node.tag == _INTEGER and not node.style and _SURPRISING.fullmatch(text):
            self.file.problem(path, f"YAML reads {text} as another number; put it in quotes, or write it without the 0")
            return text
        try:
            return self._loader.construct_object(node)
        except yaml.MarkedYAMLError:
            self.file.problem(path, "text that begins with *, & or ! needs quotes")
        except (ValueError, LookupError, AttributeError):  # PyYAML's own, when a value does not fit its tag
            self.file.problem(path, "cannot be read as a number, a date or what its tag says; put it in quotes")
        return None
