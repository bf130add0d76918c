"""What a template may come out as, as far as that is written in it.

`{{ 31 if conversation.is_missed else 32 }}` comes out as 31 or 32: whoever reads settings can say before the first chat
that there is no group 32. What depends on the chat otherwise is not known, and is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from jinja2 import nodes

from core.templates.sandbox import Sandbox

_environment = Sandbox(autoescape=False)
#: Ways through a template that are looked at.
_MOST = 200


def outcomes(source: str) -> frozenset[str]:
    """The texts that a template, which was found right, is known to come out as, without blanks around them and without
    the empty one."""
    found = islice(_together(_environment.parse(source).body), _MOST)
    return frozenset(text.strip() for text in found if text is not None and text.strip())


def _together(body: Sequence[nodes.Node]) -> Iterator[str | None]:
    """Of nodes that stand one after the other. As soon as one of them is not known, the whole is not."""
    for parts in product(*(list(islice(_of(one), _MOST)) for one in body)):
        yield None if None in parts else "".join(part for part in parts if part is not None)


def _of(node: nodes.Node) -> Iterator[str | None]:
    if isinstance(node, nodes.Output):
        yield from _together(node.nodes)
    elif isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.If):
        yield from _together(node.body)
        for branch in node.elif_:
            yield from _together(branch.body)
        yield from _together(node.else_)
    elif isinstance(node, nodes.Assign | nodes.Macro):
        yield ""
    elif isinstance(node, nodes.Expr):
        yield from _value(node)
    else:
        yield None


def _value(node: nodes.Expr) -> Iterator[str | None]:
    if isinstance(node, nodes.Const):
        yield "" if node.value is None else str(node.value)
    elif isinstance(node, nodes.CondExpr):
        yield from _value(node.expr1)
        yield from _value(node.expr2) if node.expr2 is not None else iter([""])
    elif isinstance(node, nodes.Or | nodes.And):
        yield from _value(node.left) if isinstance(node, nodes.Or) else iter([None])
        yield from _value(node.right)
    elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
        yield from _values(node.node)
    elif (
        isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and isinstance(node.node.node, nodes.Dict)
    ):
        # {"3": 31}.get(…, 32)
        yield from _values(node.node.node)
        yield from _value(node.args[1]) if len(node.args) > 1 else iter([""])
    elif isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.args:
        yield from _value(node.node) if node.node is not None else iter([None])
        yield from _value(node.args[0])
    else:
        yield None


def _values(table: nodes.Dict) -> Iterator[str | None]:
    for pair in table.items:
        yield from _value(pair.value)
    yield ""
