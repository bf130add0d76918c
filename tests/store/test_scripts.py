"""Scripts and those that call them name the same arguments, and nothing is written twice."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from core.delivery import DeliveryStatus, Outcome, PayloadStatus
from core.store import Store
from core.store.protocol import scripts

STORE = Path(str(resources.files("core.store")))
PARTS = sorted(file.stem for file in (STORE / "lua" / "lib").glob("*.lua"))


@dataclass(frozen=True)
class Call:
    """Where a script is run, its name, and what it is given."""

    where: str
    name: str
    given: Mapping[str, ast.expr]


def calls() -> Iterator[Call]:
    for file in STORE.rglob("*.py"):
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
                yield Call(where, name.value, {one.arg: one.value for one in node.keywords if one.arg})
            elif node.func.attr in ("_run_each", "_try_each"):
                around = [one for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)][-1]
                for found in ast.walk(around):
                    if isinstance(found, ast.Dict):
                        pairs = zip(found.keys, found.values, strict=True)
                        yield Call(
                            where,
                            name.value,
                            {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)},
                        )


#: What an argument is called where it is given, if not as its script calls it.
ALSO: Mapping[str, Mapping[str, set[str]]] = {
    "accept": {"id": {"fresh"}, "body": {"seal"}, "size": {"body"}},
    "advance": {
        "job": {"job_key"},
        "open": {"open_of"},
        "before": {"cursor"},
        "last": {"not after"},
        "matched": {"rows"},
        "plans": {"as_json"},
    },
    "compared": {"comparison": {"dumps"}},
    "discard": {"id": {"identity"}, "kind": {"_kind"}},
    "divert": {"id": {"payload"}, "reason": {"error"}},
    "erase": {"conversation": {"identity", "one"}, "settled": {"None", "before"}, "dead": {"None", "dead_before"}},
    "erase_payload": {"id": {"identity", "one"}, "wanted": {"''", "status"}, "before": {"None", "before"}},
    "fan_out": {"summary": {"bare", "summary"}, "waits": {"rules"}},
    "finish_catch_up": {"kept": {"_KEPT_MS"}},
    "forget": {"connector": {"lane"}},
    "give_to": {"repeated": {"repeat"}},
    "hold": {"connector": {"lane"}, "identity": {"person"}},
    "incidents": {"calm": {"calm_ms"}, "anew": {"ANEW_MS"}, "most": {"MOST"}, "troubles": {"found"}},
    "drop_orders": {"lane": {"source_lane"}, "most": {"_MANY"}},
    "let_go": {"connector": {"lane"}, "identity": {"person"}},
    "move_orders": {"old": {"source_lane"}, "new": {"lane"}, "account": {"number"}, "most": {"_MANY"}},
    "look": {
        "low": {"since"},
        "high": {"until"},
        "most": {"size"},
        "text": {"needle"},
        "in_ids": {"can_be_part"},
        "deliveries": {"about_deliveries"},
        "sets": {"keys"},
    },
    "notice": {"lease": {"SENDING_MS"}, "kept": {"KEPT_MS"}},
    "order": {"wait": {"wait_ms"}, "at_most": {"at_most_ms"}},
    "pause": {"by": {"'admin'"}},
    "remember": {"connector": {"lane"}, "value": {"kept"}},
    "renew": {"lanes": {"lane"}, "ids": {"id"}, "tokens": {"token"}},
    "rename": {"most": {"_MANY"}},
    "replay": {"id": {"identity"}, "kind": {"_kind"}},
    "resume": {"fingerprint": {"changed_to"}},
    "reword": {
        "what": {"'admin'", "what"},
        "name": {"''", "about"},
        "words": {"found", "text"},
        "others": {"_GONE", "sealed"},
    },
    "reword_attempt": {"delivery": {"about"}},
    "settle": {
        "connector": {"lane"},
        "late": {"late_ms"},
        "delay": {"delay_ms"},
        "too_many": {"breaker"},
        "retry": {"instead"},
    },
    "settle_order": {"delay": {"delay_ms"}},
    "sort_dead": {"about": {"''", "about"}, "ids": {"gone", "ids"}},
    "step_catch_up": {"fields": {"field"}, "figures": {"figure"}},
    "take": {"rate": {"per_second"}},
    "tick": {"period": {"period_ms"}},
    "told": {"notice": {"text"}, "sent": {"False", "True"}},
    "turn": {"period": {"period_ms"}},
}


def misplaced(script: str, given: Mapping[str, ast.expr]) -> list[str]:
    """Arguments that are given something which is not called like them."""
    also = ALSO.get(script, {})
    return [name for name, value in given.items() if not _words(value) & also.get(name, {name})]


def _words(value: ast.expr) -> set[str]:
    """What an expression is called: its last word, or those of the parts that it may become."""
    inner: list[ast.expr] = []
    match value:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return {word}
        case ast.Constant(value=constant):
            return {repr(constant)}
        case ast.UnaryOp(op=ast.Not(), operand=one):
            return {f"not {word}" for word in _words(one)}
        case ast.Call(func=ast.Name(id="str" | "len") | ast.Attribute(attr="_sealed" | "_record")):
            inner = value.args
        case ast.Call(func=one) | ast.BinOp(left=one) | ast.Subscript(value=one) | ast.Starred(value=one):
            inner = [one]
        case ast.IfExp(body=one, orelse=ast.Constant()) | ast.IfExp(body=ast.Constant(), orelse=one):
            inner = [one]
        case ast.BoolOp(values=[one, *_]) | ast.List(elts=[one]) | ast.ListComp(elt=one):
            inner = [one]
        case ast.IfExp(body=one, orelse=other):
            inner = [one, other]
    assert inner, ast.unparse(value)
    return set().union(*map(_words, inner))


def test_every_caller_names_the_arguments_that_its_script_declares() -> None:
    found = [*calls()]
    assert {one.name for one in found} == set(scripts.names())
    for one in found:
        assert one.given.keys() | {"now"} == scripts.script(one.name).arguments.keys() | {"now"}, one.where


def test_every_argument_is_given_what_is_called_like_it() -> None:
    for one in calls():
        assert misplaced(one.name, one.given) == [], one.where


def test_two_arguments_that_are_swapped_are_noticed_whichever_they_are() -> None:
    for one in calls():
        for first, second in itertools.combinations(one.given, 2):
            swapped = {**one.given, first: one.given[second], second: one.given[first]}
            if ast.dump(swapped[first]) != ast.dump(one.given[first]):
                assert misplaced(one.name, swapped), f"{one.where}: {first} and {second}"


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
