"""A body of many tiny parts is refused before it becomes as many objects, and what a real chat holds is not."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from core.errors import PayloadError
from core.smartsupp import limits
from core.smartsupp.limits import MOST_ITEMS, MOST_OBJECTS
from core.smartsupp.parser import glance, parse, parse_conversation
from tests.support.stack import chat


def filled(key: str, count: int) -> bytes:
    variables = {f"v{number}": number for number in range(count)} if key == "variables" else {}
    changes: dict[str, Any] = {"visitor": {"variables": variables}, key: [{}] * count}
    return chat(**changes)


@pytest.mark.parametrize(("key", "path"), [("messages", ""), ("paths", ""), ("variables", "visitor.")])
def test_more_of_anything_than_a_chat_can_have_is_refused_by_its_name(key: str, path: str) -> None:
    most = MOST_ITEMS[key]
    parse_conversation(filled(key, most))
    with pytest.raises(PayloadError) as refused:
        parse_conversation(filled(key, most + 1))
    assert refused.value.path == f"{path}{key}"
    assert f"{most + 1:,} {key}, where {most:,} are allowed" in str(refused.value)


@pytest.mark.parametrize("piece", [b"{}", b"[]", b'{"a":1}', b'[{"}":"]"}]'])
def test_a_body_of_many_objects_costs_neither_worker_nor_receiver_much_memory(piece: bytes) -> None:
    count = (1 << 20) // (len(piece) + 1)
    for key in (b"messages", b"elsewhere"):
        body = b'{"accountId":1,"channel":{"id":"m"},"%s":[%s]}' % (key, b",".join([piece] * count))
        for read in (parse, glance):
            tracemalloc.start()
            try:
                with pytest.raises(PayloadError, match="JSON objects and lists, where 20,000 are allowed"):
                    read(body)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_brackets_that_somebody_wrote_are_text(encoding: str) -> None:
    said = '{"a": [' * MOST_OBJECTS + '\\ \\" 漢字'
    payload: Any = json.loads(chat(messages=[{"content": said}]))
    found = parse_conversation(json.dumps(payload, ensure_ascii=False).encode(encoding))
    assert found.messages[0].content == said


@pytest.mark.parametrize("end", ["", "\\", '\\"'])
def test_a_text_that_is_never_closed_is_looked_at_once(end: str) -> None:
    begin = '{"accountId": 1, "channel": {"id": "'
    body = begin + '\\"[{' * MOST_OBJECTS + end
    assert [found.span() for found in limits._TEXT.finditer(body)][-1] == (len(begin) - 1, len(body))
    with pytest.raises(PayloadError, match="a text is never closed"):
        parse(body.encode())


def test_the_limits_fit_together() -> None:
    assert sum(MOST_ITEMS.values()) < MOST_OBJECTS
