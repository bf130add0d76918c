"""A change of relay.yaml: whatever the file looks like, the result means what was wanted, and no line is lost."""

from __future__ import annotations

import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli.setup.init import example
from core.config import yaml_file
from core.config.editing.yaml_edit import Put, Remove, changed
from core.errors import ConfigError

EXAMPLE = example().decode()
VALUE = {"type": "webhook", "url": "https://example.com", "tags": ["a", "b"], "fields": {"x": "{{ title }}"}}


def values(text: str) -> Any:
    return yaml_file.read(text, "relay.yaml").values


def comments(text: str) -> list[str]:
    """What the texts of these tests have after a #."""
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


# --- any file ---------------------------------------------------------------------

_words = st.text(string.ascii_lowercase, min_size=1, max_size=6)
_scalars = st.one_of(
    st.booleans(), st.integers(-5, 99), st.none(), _words, st.sampled_from(["${TOKEN}", "a: b", "{{ x }}", "", "it's"])
)
_trees: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=8,
)
_connectors = st.dictionaries(_words, st.dictionaries(_words, _trees, min_size=1, max_size=3), min_size=1, max_size=3)
_files = st.fixed_dictionaries(
    {"connectors": _connectors},
    optional={"routes": st.lists(st.fixed_dictionaries({"to": st.lists(_words, max_size=2)}), max_size=3)},
)


class _Writer:
    """Writes values as people might: indented as they like, in blocks or in braces, with comments and blank lines."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw, self._number = draw, 0

    def _comment(self) -> str:
        self._number += 1
        return f"c{self._number}" if self._draw(st.booleans()) else ""

    def _flow(self, value: Any) -> str:
        return yaml.safe_dump([value], default_flow_style=True, width=10**9).strip()[1:-1]

    def _end(self) -> str:
        said = self._comment()
        return f"  # {said}\n" if said else "\n"

    def _between(self, column: int) -> str:
        said = self._comment()
        blank = "\n" if self._draw(st.booleans()) else ""
        return blank + (f"{' ' * column}# {said}\n" if said else "")

    def block(self, value: Any, column: int, indent: int) -> str:
        """An entry's value, from behind its key."""
        if not isinstance(value, dict | list) or not value or self._draw(st.integers(0, 3)) == 0:
            return f" {self._flow(value)}{self._end()}"
        text = self._end()
        inner = column + indent
        for key in value if isinstance(value, dict) else range(len(value)):
            text += self._between(inner)
            head = f"{self._flow(key)}:" if isinstance(value, dict) else "-"
            item = value[key]
            if head == "-":
                text += f"{' ' * inner}- {self._flow(item)}{self._end()}"
            else:
                text += f"{' ' * inner}{head}{self.block(item, inner, indent)}"
        return text

    def file(self, value: Any) -> str:
        indent = self._draw(st.sampled_from([2, 3, 4]))
        text = ""
        for key, item in value.items():
            text += self._between(0) + f"{key}:{self.block(item, 0, indent)}"
        text += self._between(0)
        return text if self._draw(st.booleans()) else text.rstrip("\n")


@st.composite
def _texts(draw: st.DrawFn) -> tuple[str, Any]:
    value = draw(_files)
    return _Writer(draw).file(value), value


@settings(max_examples=100, deadline=None)
@given(_texts(), _words, _trees, st.data())
def test_any_file_can_be_added_to_and_taken_from_and_is_as_before(
    made: tuple[str, Any], name: str, setting: Any, data: st.DataObject
) -> None:
    text, value = made
    assert values(text) == value
    name = f"new-{name}"
    more = {"type": "archive", "setting": setting}
    added = changed(text, "relay.yaml", Put(("connectors", name), more))
    assert values(added) == {**value, "connectors": {**value["connectors"], name: more}}
    assert sorted(comments(added)) == sorted(comments(text))
    if "\n" in text.strip():
        kept = iter(added.splitlines())
        in_one_line = values(text)["connectors"] and ("connectors: {" in text)
        assert in_one_line or all(line in kept for line in text.splitlines())  # each of them, in their order
    back = changed(added, "relay.yaml", Remove(("connectors", name)))
    assert values(back) == value
    assert sorted(comments(back)) == sorted(comments(text))
    path = ("connectors", data.draw(st.sampled_from(sorted(value["connectors"]))), "rate")
    assert values(changed(text, "relay.yaml", Put(path, setting)))["connectors"][path[1]]["rate"] == setting


@settings(max_examples=100, deadline=None)
@given(
    st.text(), st.sampled_from([Put(("connectors", "a"), VALUE), Remove(("connectors", "a")), Put(("routes", 0), {})])
)
def test_any_text_is_changed_as_wanted_or_refused(text: str, change: Put | Remove) -> None:
    try:
        result = changed(text, "relay.yaml", change)
    except ConfigError:
        return
    assert values(result) or isinstance(change, Remove)


# --- as people write ----------------------------------------------------------------


def test_the_example_keeps_every_line() -> None:
    text = changed(EXAMPLE, "relay.yaml", Put(("connectors", "own"), VALUE), Put(("routes",), [{"to": ["own"]}]))
    kept = iter(text.splitlines())
    assert all(line in kept for line in EXAMPLE.splitlines())
    # Beside the connector that is there, not behind the comments that follow.
    lines = text.splitlines()
    assert lines.index("  own:") == lines.index("    folder: archive # relative to the data folder") + 1
    without = changed(text, "relay.yaml", Remove(("connectors", "own")), Remove(("routes",)))
    assert without == EXAMPLE


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        # A value goes, and what is written behind it stays.
        ("a:\n  b: 1 # why\n", Put(("a", "b"), 2), "a:\n  b: 2 # why\n"),
        ("a: {b: 1, c: 2} # why\n", Put(("a", "b"), [1]), "a: {b: [1], c: 2} # why\n"),
        ("a: {b: 1, c: 2}\n", Remove(("a", "b")), "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", Remove(("a", "c")), "a: {b: 1}\n"),
        ("a: {b: 1}\n", Remove(("a", "b")), "a: {}\n"),
        # The comment after a connector belongs to what follows.
        ("a:\n  b: 1\n\n# on c\nc: 2\n", Put(("a", "d"), 3), "a:\n  b: 1\n  d: 3\n\n# on c\nc: 2\n"),
        ("a:\n  b: 1\n  d: 3\n\n# on c\nc: 2\n", Remove(("a", "d")), "a:\n  b: 1\n\n# on c\nc: 2\n"),
        # Where connectors stand apart, a new one does.
        ("a:\n  b: 1\n\n  c: 2\n", Put(("a", "d"), 3), "a:\n  b: 1\n\n  c: 2\n\n  d: 3\n"),
        # A section without anything in it.
        ("a: # none yet\n  # soon\nb: 1\n", Put(("a", "c"), 2), "a: # none yet\n  c: 2\n  # soon\nb: 1\n"),
        ("a: {} # none yet\n", Put(("a", "c"), 2), "a:  # none yet\n  c: 2\n"),
        ("# nothing\n", Put(("a", "b"), 1), "# nothing\na:\n  b: 1\n"),
        ("", Put(("a",), 1), "a: 1\n"),
        # Indented as the file is.
        ("a:\n    b:\n        c: 1\n", Put(("a", "d"), 2), "a:\n    b:\n        c: 1\n    d: 2\n"),
        # Lists.
        ("r:\n- to: [a] # x\n- to: [b]\n", Put(("r", 2), {"to": ["c"]}), "r:\n- to: [a] # x\n- to: [b]\n- to: [c]\n"),
        ("r:\n  - to: [a]\n  - to: [b]\n", Remove(("r", 0)), "r:\n  - to: [b]\n"),
        ("r:\n  - to: [a] # x\n", Put(("r", 0, "to"), ["a", "b"]), "r:\n  - to: [a, b] # x\n"),
        ("r:\n  - to:\n      - a # x\n", Put(("r", 0, "to", 1), "b"), "r:\n  - to:\n      - a # x\n      - b\n"),
        # A text of several lines ends before the comment that follows.
        ("a:\n  b: |\n    x\n\n# on c\nc: 1\n", Put(("a", "d"), 1), "a:\n  b: |\n    x\n  d: 1\n\n# on c\nc: 1\n"),
        # Line ends.
        ("a:\r\n  b: 1\r\n", Put(("a", "c"), 2), "a:\r\n  b: 1\r\n  c: 2\r\n"),
        ("a:\n  b: 1", Put(("a", "c"), 2), "a:\n  b: 1\n  c: 2\n"),
        # What is merged in stays where it is.
        ("x: &b {t: 1}\na:\n  <<: *b\n  c: 1\n", Put(("a", "t"), 2), "x: &b {t: 1}\na:\n  <<: *b\n  c: 1\n  t: 2\n"),
        ("x-b: &b {t: 1}\na: *b\nc: 1\n", Remove(("a",)), "x-b: &b {t: 1}\nc: 1\n"),
        ('"a":\n  \'b\': 1\n', Put(("a", "b"), {"c": 2}), "\"a\":\n  'b':\n    c: 2\n"),
        ("a: !!str 1\nb: 2\n", Put(("a",), "x"), "a: x\nb: 2\n"),
    ],
)  # fmt: skip
def test_a_change_is_made_where_a_person_would_make_it(before: str, change: Put | Remove, after: str) -> None:
    assert changed(before, "relay.yaml", change).replace("a:  #", "a: #") == after.replace("a:  #", "a: #")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        # What an alias elsewhere means would change, too.
        ("a: &x {b: 1}\nc: *x\n", Remove(("a",))),
        ("a: &x\n  b: 1\nc: *x\n", Put(("a",), 2)),
        ("a: &x {b: 1}\nc: *x\n", Put(("a", "b"), 2)),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", Remove(("c", "b"))),
        ("- a\n", Put(("connectors", "a"), 1)),
    ],
)
def test_what_cannot_be_spliced_is_refused(text: str, change: Put | Remove) -> None:
    with pytest.raises(ConfigError, match="change it by hand"):
        changed(text, "relay.yaml", change)


def test_what_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match="line 2"):
        changed("a: 1\n\tb: 2\n", "relay.yaml", Put(("c",), 1))
