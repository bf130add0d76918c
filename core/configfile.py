"""The YAML file: text -> plain values, with the line of each, and its secrets filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from core.errors import ConfigError, Problem

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

KeyPath = tuple[str | int, ...]


@dataclass
class ConfigFile:
    """A file that was read: its `values`, the line of each path, the problems found on the way, and the files
    that it drew secrets from."""

    values: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    secret_files: list[Path] = field(default_factory=list)

    def problem(self, path: KeyPath, text: str) -> None:
        """Note what is wrong at `path`, with the line it, or the nearest thing around it, stands on."""
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


def read(text: str, source: str, environment: Mapping[str, str], folder: Path) -> ConfigFile:
    """Read YAML. `${NAME}` is taken from `environment`, `${file:/path}` from a file (relative to `folder`), and
    `$${` stands for `${` itself. Raises ConfigError when it is not YAML at all; lesser problems are collected.
    """
    try:
        # The nodes know their lines; safe_load's values do not.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(source, [Problem("", f"not YAML: {_said(error)}", line)]) from None
    except yaml.YAMLError as error:
        raise ConfigError(source, [Problem("", f"not YAML: {error}")]) from None
    except RecursionError:
        raise ConfigError(source, [Problem("", "nested too deeply")]) from None
    file = ConfigFile({})
    if node is not None:
        loader = yaml.SafeLoader("")
        try:
            file.values = _values(node, (), file, loader)
        except RecursionError:
            raise ConfigError(source, [Problem("", "nested too deeply, or an alias that contains itself")]) from None
    file.values = _filled(file.values, (), file, environment, folder)
    return file


def _values(node: yaml.Node, path: KeyPath, file: ConfigFile, loader: yaml.SafeLoader) -> Any:
    file.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if key in values:
                file.lines[(*path, key)] = key_node.start_mark.line + 1
                file.problem((*path, key), "is given twice; remove one")
                continue
            values[key] = _values(value_node, (*path, key), file, loader)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_values(item, (*path, index), file, loader) for index, item in enumerate(node.value)]
    try:
        return loader.construct_object(node)
    except yaml.MarkedYAMLError as error:
        file.problem(path, f"cannot be read: {_said(error)}")
    except (ValueError, LookupError, AttributeError):  # PyYAML's own, when a value does not fit its tag
        file.problem(path, "cannot be read as a number, a date or what its tag says; put it between quotes")
    return None


def _said(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words, without the name of an alias or a tag: it may be a secret that lacks its quotes."""
    text = str(error.problem)
    if re.search("alias|anchor|tag", text):
        return re.split(" ['\"]", text)[0] + "; text that begins with *, & or ! needs quotes"
    return text


def _filled(value: Any, path: KeyPath, file: ConfigFile, environment: Mapping[str, str], folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, (*path, key), file, environment, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, (*path, index), file, environment, folder) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "${"
        if name.startswith("file:"):
            return _from_file(folder / os.path.expanduser(name[len("file:") :]), path, file)
        if not _NAME.fullmatch(name):
            file.problem(path, f"'${{{name}}}' is neither ${{NAME}} nor ${{file:/path}}; write $${{ for the text ${{")
        elif name not in environment:
            file.problem(path, f"the environment has no {name}; set it, or write ${{file:/path}}")
        else:
            return environment[name]
        return ""

    return _REFERENCE.sub(replace, value)


def _from_file(name: Path, path: KeyPath, file: ConfigFile) -> str:
    file.secret_files.append(name)
    try:
        return name.read_text(encoding="utf-8").strip()
    except OSError as error:
        file.problem(path, f"cannot read {name}: {error.strerror}")
    except UnicodeDecodeError:
        file.problem(path, f"cannot read {name}: it is not text")
    except ValueError:
        file.problem(path, "cannot read a file with NUL in its name")
    return ""
