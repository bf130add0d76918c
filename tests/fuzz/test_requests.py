"""Every address of the receiver and the dashboard, with whatever anybody may put into it: never a 5xx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import pages
from tests.support.hostile import ATTACKS
from tests.support.stack import TOKEN

#: For each address, and answers that are among those to them all.
EXAMPLES = {"in": 12, "out": 2, "nobody": 2}
EXPECTED = {"in": {200, 303, 400, 404}, "out": {200, 303}, "nobody": {200, 303}}

#: What is there, what nearly is, and what no reader of numbers, days or ids expects.
VALUES = st.sampled_from(
    [
        *("1:3", "1:hostile", "{body}", "{bad}", "{job}", "crm", "archive", "app.css", TOKEN, "ann@example.com", "{}"),
        *("dead", "delivered", "quarantined", "received", "discard", "replay", "week", "good", "hello", "2024-02-01"),
        *(
            "",
            " ",
            "\x00",
            "%00",
            "%",
            "\r\nSet-Cookie: a=b",
            "\ud800",
            "\udcff",
            "\u00b2",
            "\u0661\u0662",
            "-1",
            "1.5",
        ),
        *(
            "9" * 30,
            "9" * 400,
            "9" * 5000,
            "1e999",
            "NaN",
            "a" * 9000,
            "[" * 5000,
            "~",
            "1~1:3",
            "x~1",
            "9" * 400 + "~x",
        ),
        *(
            "0001-01-01",
            "9999-12-31",
            "2024-02-30",
            "\u0662\u0660\u0662\u0664-01-01",
            "../../etc/passwd",
            "//evil.invalid",
        ),
        *("*", "?", "relay:*", ":", "1:", ":3", "\\", *ATTACKS),
    ]
)
#: What stands in a path: mostly what is there.
PARTS = (
    st.sampled_from(["1:3", "1:hostile", "{body}", "{bad}", "{job}", "crm", "archive", TOKEN])
    | VALUES
    | st.binary(max_size=20)
)
ANYTHING = VALUES | st.text(st.characters(), max_size=50) | st.binary(max_size=20)
PAIRS = st.lists(st.tuples(st.sampled_from(pages.FIELDS[:-1]) | st.text(max_size=10), ANYTHING), max_size=6)


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with pages.served():
        yield


def quoted(value: str | bytes, safe: str = "") -> str:
    return quote(value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"), safe)


def spelled(pairs: list[tuple[str, str | bytes]]) -> str:
    return "&".join(f"{quoted(name)}={quoted(value, '{}')}" for name, value in pairs)


def addresses() -> list[tuple[str, str]]:
    """Method and rule of all that the application answers."""
    rules = pages.site().app.url_map.iter_rules()
    return sorted((method, one.rule) for one in rules for method in (one.methods or set()) & {"GET", "POST"})


@pytest.mark.parametrize("who", ["in", "out", "nobody"])
def test_every_address_answers_whatever_is_sent_to_it(who: str) -> None:
    seen: set[int] = set()

    @settings(max_examples=EXAMPLES[who], deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def ask(method: str, rule: str, data: st.DataObject) -> None:
        path = re.sub("<.+?>", lambda _: quoted(data.draw(PARTS), "{}:"), rule)
        form = spelled(data.draw(PAIRS)) if method == "POST" else ""
        sent = f"{who} {method} {path}?{spelled(data.draw(PAIRS))}\n{form}"
        status = pages.site().answer(sent.encode())
        assert status < 500, sent
        seen.add(status)

    known = addresses()
    assert len(known) >= 40
    for method, rule in known:
        ask(method, rule)
    assert EXPECTED[who] <= seen
