"""What sticks to an address comes off; what could be somebody else's is none."""

from __future__ import annotations

import pytest

from connectors.kit.email_address import email_in, spellings

ANN = "ann@shop.example.com"
#: Nobody sees them.
STUCK = (
    "\u200e\u200f\u200b\u200c\u200d\u2060\ufeff\u00a0\u202a\u202c\u2066\u2069\u00ad\x00\x07\x7f\t\r\n\u2028\u3000"
    "\ufe0f\u034f\u3164\ud800\ufffd"
)


@pytest.mark.parametrize(
    "typed",
    [
        ANN,
        f"  {ANN}\n",
        f"{ANN}.",
        f"{ANN},",
        f"{ANN};",
        f"{ANN}…",
        f"{ANN}!?)",
        f"<{ANN}>",
        f"Ann <{ANN}>",
        f'"Ann Lee" <{ANN}>',
        f"Ann ({ANN})",
        f"Ann [{ANN}]",
        f"'{ANN}'",
        f"'{ANN}",
        f'"{ANN}"',
        f"„{ANN}“",
        f"«{ANN}»",
        f"`{ANN}`",
        f"*{ANN}*",
        f"_{ANN}_",
        f"**{ANN}**",
        f"mailto:{ANN}",
        f"MAILTO: {ANN}?subject=Hello%20you",
        f"mailto:{ANN.replace('@', '%40')}",
        f"Email: {ANN}",
        f"email={ANN}",
        f'<a href="mailto:{ANN}">{ANN}</a>',
        f"&lt;{ANN}&gt;",
        f"&amp;lt;{ANN}&amp;gt;",
        ANN.replace("@", "&#64;"),
        ANN.replace("@", "%40"),
        ANN.replace("@", "＠"),
        ANN.replace("@", "﹫"),
        ANN.replace(".", "．"),
        ANN.replace(".", "。"),
        "ａｎｎ＠ｓｈｏｐ．ｅｘａｍｐｌｅ．ｃｏｍ",
        f"{ANN}/",
        f"{ANN}\\",
        f"{ANN}-",
        f"{ANN}_",
        f"\\{ANN}",
        f": {ANN}",
        f", {ANN}",
        f".{ANN}",
        f"{ANN}, boss@shop.example.com",
        f"{ANN};{ANN}",
        f"{ANN} <{ANN}>",
        f"{ANN} (home)",
        "ann @ shop.example.com",
        "ann@ shop.example.com",
        *(f"{sign}{ANN}{sign}" for sign in STUCK),
        "an\u200bn@sh\u00adop.example.com",
    ],
)
def test_what_sticks_to_an_address_comes_off(typed: str) -> None:
    assert email_in(typed) == ANN


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ann",
        "ann@",
        "@shop.example.com",
        "ann@shop",
        "ann@shop,com",
        # Not lee's, and not m's.
        "ann,lee@shop.example.com",
        "ann lee@shop.example.com",
        "ann:lee@shop.example.com",
        "ann;lee@shop.example.com",
        "ann\\lee@shop.example.com",
        "ann@gmail.co m",
        "ann@shop. example.com",
        "ann@@shop.example.com",
        "ann@lee@shop.example.com",
        "ann@shop..example.com",
        "ann..lee@shop.example.com",
        "ann@[192.0.2.1]",
        "ann@localhost",
        "<script>@'; DROP",
        f"{'a' * 250}@shop.example.com",
    ],
)
def test_what_could_be_somebody_elses_is_none(typed: str) -> None:
    assert email_in(typed) == ""


@pytest.mark.parametrize(
    "own",
    [
        "_ann@shop.example.com",
        "*ann@shop.example.com",
        "o'brien@shop.example.com",
        "ann+shop@shop.example.com",
        "ann_@shop.example.com",
    ],
)
def test_what_belongs_to_an_address_stays(own: str) -> None:
    assert email_in(own) == own


def test_a_domain_is_in_ascii_however_it_was_typed() -> None:
    for typed in ("ann@müller.de", "ann@xn--mller-kva.de", "ann@MÜLLER.de", "ann@mu\u0308ller.de"):
        assert email_in(typed) == "ann@xn--mller-kva.de"
    assert spellings("ann@xn--mller-kva.de") == ("ann@xn--mller-kva.de", "ann@müller.de")
    assert spellings(ANN) == (ANN,)
    assert email_in("žofie@seznam.cz") == "žofie@seznam.cz"


def test_a_long_text_is_read_in_no_time() -> None:
    for text in (
        "<" * 100_000,
        "a@" * 50_000,
        "@" * 100_000,
        '"' * 100_000,
        "a" * 100_000 + "@",
        " " * 100_000,
        "a@a" + "." * 100_000,
        "mailto:" * 20_000,
    ):
        assert email_in(text) == ""
