"""What is no YAML, in plain words: PyYAML's findings as what to type. Of a line no more is shown than its key, and a
template, which is no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import yaml

_QUOTES = 'put the text in quotes: {key}: "…"'
_NEEDS_QUOTES = "text that begins with {sign} needs quotes"
#: Of what may be a secret nothing is shown, so it must name what templates name.
_TEMPLATE = r"\{[{%][^}]*\b(?:conversation|visitor|title|name|kind|transcript)\b"
_OPEN = "a {sign} that was opened in line {opened} is never closed"


def _line(lines: Sequence[str], mark: yaml.Mark | None) -> str:
    return lines[mark.line] if mark and mark.line < len(lines) else ""


def _begins(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    mark = error.problem_mark
    return _NEEDS_QUOTES.format(sign=_line(lines, mark)[mark.column : mark.column + 1] if mark else "such a sign")


def _quote(error: yaml.MarkedYAMLError, _lines: Sequence[str]) -> str:
    opened = f"line {error.context_mark.line + 1}" if error.context_mark else "a line above"
    return f"a quote that was opened in {opened} is never closed"


def _key(line: str) -> str:
    found = re.match(r"\s*(?:- +)*([\w.-]+):", line)
    return found[1] if found else ""


def _templated(line: str) -> str:
    """What to type for a line with a template that lacks its quotes, or ""."""
    found = re.match(r"\s*(?:- +)*([\w.-]+):\s+((?!['\"]).*" + _TEMPLATE + r".*)$", line)
    return f"put the text in quotes: {found[1]}: '{found[2].rstrip()}'" if found and "'" not in found[2] else ""


def _unclosed(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    mark = error.context_mark or error.problem_mark
    if said := _templated(_line(lines, mark)) or _templated(_line(lines, error.problem_mark)):
        return said
    sign = "{" if "mapping" in str(error.context) else "["
    found = re.search(r"'([,}\]])', but (?:got|found)|found '([,}\]])'", str(error.problem))
    if error.context and "flow node" in error.context and found and found[2]:
        return "a comma or a bracket too many"
    return _OPEN.format(sign=sign, opened=mark.line + 1 if mark else "?")


def _colon(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    line, key = _line(lines, error.problem_mark), ""
    if said := _templated(line):
        return said
    before = line[: error.problem_mark.column] if error.problem_mark else ""
    if ": " in before:
        key = _key(line)
        return _QUOTES.format(key=key) if key else "put the text in quotes"
    above = next((one for one in reversed(lines[: error.problem_mark.line]) if one.strip()), "")  # type: ignore[union-attr]
    if name := _key(above):
        return f"this line is indented more than the line above; line it up with '{name}:', or give '{name}:' no value"
    return "the line above is not 'key: value'; add the colon, or put the text in quotes"


def _block(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    mark = error.problem_mark
    line = _line(lines, mark)
    if said := _templated(line):
        return said
    if mark and line[: mark.column].strip():
        return "there is something after the end of the text; put the whole text into one pair of quotes"
    if name := _key(_line(lines, error.context_mark)):
        return f"this line is indented differently from the lines above; line it up with '{name}:'"
    return "this line is indented differently from the lines above; line it up with them"


#: The first that is found in PyYAML's words counts; a function makes the sentence of (error, lines of the file).
_YAML: Sequence[tuple[str, str | Callable[[yaml.MarkedYAMLError, Sequence[str]], str]]] = (
    (r"character '\\t'", "use spaces, not tabs"),
    (r"found character", _begins),
    (r"alias|anchor|occurrence|tag|URI", _NEEDS_QUOTES.format(sign="*, & or !")),
    (r"unexpected end of stream", _quote),
    (r"escape", r"a \ in double quotes begins a special sign; use single quotes, or write \\"),
    (r"another document", "a file holds one configuration; remove the line ---"),
    (r"node content, but found '<stream end>'|'[,}\]]', but (got|found)", _unclosed),
    (r"node content", "a comma or a bracket too many"),
    (r"sequence entries", "begin a list on a line of its own, below its key: '- …'"),
    (r"mapping values are not allowed", _colon),
    (r"expected <block end>", _block),
    (r"could not find expected ':'", "this line is not 'key: value'; add the colon, and a space after it"),
    (r"chomping or indentation", "begin the text on the line below | or >"),
)


def syntax_mistake(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line (0: unknown) and the sentence for what makes a text no YAML."""
    if isinstance(error, yaml.reader.ReaderError):
        if error.character in (0, "\0"):
            return 0, "the file has NUL bytes in it, as a save that was interrupted leaves them; save it again"
        line = text[: error.position].count("\n") + 1
        return line, "there is an invisible control character; type the line again"
    if not isinstance(error, yaml.MarkedYAMLError) or not error.problem_mark:
        return 0, "cannot be read as YAML; check indentation, quotes and colons"
    lines = text.splitlines()
    line = error.problem_mark.line + 1
    if error.context_mark and "':'" in str(error.problem) and "simple key" in str(error.context):
        line = error.context_mark.line + 1
    for pattern, sentence in _YAML:
        if re.search(pattern, f"{error.problem}"):
            return line, sentence if isinstance(sentence, str) else sentence(error, lines)
    return line, "cannot be read as YAML; check its indentation, quotes and colons"
