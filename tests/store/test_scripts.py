"""Scripts and those that call them name the same arguments, and nothing is written twice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from core.delivery import DeliveryStatus, Outcome, PayloadStatus
from core.store import Store
from core.store.protocol import scripts

STORE = Path(str(resources.files("core.store")))
PARTS = sorted(file.stem for file in (STORE / "lua" / "lib").glob("*.lua"))


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Where a script is run, its name, and the names of what it is given."""
    for file in STORE.glob("*.py"):
        tree = ast.parse(file.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            name = node.args[0]
            if not (isinstance(name, ast.Constant) and name.value in scripts.names()):
                continue
            where = f"{file.name}:{node.lineno}"
            if node.func.attr == "_run":
                yield where, name.value, {one.arg for one in node.keywords if one.arg}
            elif node.func.attr in ("_run_each", "_try_each"):
                around = [one for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)][-1]
                for found in ast.walk(around):
                    if isinstance(found, ast.Dict):
                        yield where, name.value, {str(one.value) for one in found.keys if isinstance(one, ast.Constant)}


def test_every_caller_names_the_arguments_that_its_script_declares() -> None:
    found = [*calls()]
    assert {name for _, name, _ in found} == set(scripts.names())
    for where, name, given in found:
        assert given | {"now"} == scripts.script(name).arguments.keys() | {"now"}, where


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_reads_every_argument_that_it_declares(name: str) -> None:
    parts = [scripts.script(f"lib/{part}").text for part in scripts.parts(name)]
    text = re.sub(r"--.*", "", "\n".join([scripts.script(name).text, *parts]))
    for argument in scripts.script(name).arguments:
        assert re.search(rf"\b{argument}\b", text), argument


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_gets_only_parts_of_which_it_needs_something(name: str) -> None:
    text = re.sub(r"--.*", "", scripts.source(name))
    for part in scripts.parts(name):
        made = re.findall(r"^local function (\w+)", scripts.script(f"lib/{part}").text, re.MULTILINE)
        used = [function for function in made if len(re.findall(rf"\b{function}\b", text)) > 1]
        assert used or part == "time", part
        if part == "time":
            assert len(re.findall(r"\bnow\b", text)) > 5


def test_every_part_is_used() -> None:
    assert {part for name in scripts.names() for part in scripts.parts(name)} == set(PARTS)


@pytest.mark.parametrize("name", [*scripts.names(), *(f"lib/{part}" for part in PARTS)])
def test_no_script_spells_a_status_or_an_outcome_itself(name: str) -> None:
    text = re.sub(r"--.*", "", scripts._files()[name].read_text())
    # These are fields of a payload and a delivery, too.
    words = {*PayloadStatus, *DeliveryStatus, *Outcome} - {"received", "delivered"}
    assert not {str(one) for one in words} & set(re.findall(r"'([^']*)'", text))


def test_names_that_are_missing_or_unknown_raise_at_once(store: Store) -> None:
    with pytest.raises(TypeError, match=r"script 'release': missing: token; unknown: tokens"):
        store._run("release", lane="inbox", id="1", tokens="t")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"what": "tick", "period": "1000"}, "script 'turn', period: a number is wanted, not '1000'"),
        ({"what": 1000, "period": 1000}, "script 'turn', what: a text is wanted, not 1000"),
        ({"what": None, "period": 1000}, "script 'turn', what: a text is wanted, not None"),
        ({"what": "tick", "period": True}, "script 'turn', period: a number is wanted, not True"),
    ],
)
def test_a_value_of_another_kind_raises_at_once(store: Store, given: dict[str, object], said: str) -> None:
    with pytest.raises(TypeError) as raised:
        store._run("turn", **given)  # type: ignore[arg-type]
    assert str(raised.value) == said


def test_lists_keep_apart_whatever_is_in_them(store: Store) -> None:
    spelled = scripts.script("renew").spelled({"now": "", "lanes": ["a", "b"], "ids": [], "tokens": ["c"]})
    assert spelled == ["", "2", "a", "b", "0", "1", "c"]
    with pytest.raises(TypeError, match="lanes: a list is wanted"):
        scripts.script("renew").spelled({"now": "", "lanes": "ab", "ids": [], "tokens": []})
