"""A conversation in which every text is an attack: on the page, on its style, on the eye, on the templates."""

from __future__ import annotations

import json
from typing import Any

#: Set by any script that runs. Elements that any markup would make. What a template would make of `{{ 7919 * 7927 }}`.
MARK = "relayWasHere"
INJECTED = ", ".join(
    [
        "[data-evil], iframe, object, embed, base, style, marquee, meta[http-equiv]",
        "link[href*=evil], img[src=x], form[action*=evil]",
        "[onerror], [onload], [onclick], [onfocus], [onmouseover], [style]",
        "a[href^='javascript' i], a[href^='data' i]:not([download='receipt.txt'])",
    ]
)
COMPUTED = str(7919 * 7927)

ELSEWHERE = "http://evil.invalid"
_LONG = "Donaudampfschiffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 8

#: One for each way out of text. Together they are in every field.
ATTACKS = (
    f"<script data-evil>window.{MARK}=1;alert(1)</script>",
    f"<img src=x data-evil onerror=window.{MARK}=1>",
    f"\"'><svg data-evil onload=window.{MARK}=1><animate onbegin=window.{MARK}=1></svg>",
    f"</textarea></title></pre></code></option></select><script data-evil>window.{MARK}=1</script>",
    f"<style data-evil>*{{display:none!important}}</style><link rel=stylesheet href={ELSEWHERE}/evil.css>",
    f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/'><base href={ELSEWHERE}/><iframe src={ELSEWHERE}></iframe>",
    f"<form action={ELSEWHERE}/evil><input autofocus onfocus=window.{MARK}=1></form>",
    f"' onmouseover=window.{MARK}=1 style=position:fixed;inset:0 x='",
    "{{ 7919 * 7927 }} {% for i in range(9) %}{{ i }}{% endfor %} ${7919*7927} #{7919*7927} <%= 7919*7927 %>",
    f"javascript:window.{MARK}=1",
    "\u202egnp.exe\u202c \u2066apart\u2069 \u200fright-to-left\u200e \u0007\u001b[31mred\u0000 \ufeff\u2028line\u2029",
    "Z̷̢̛͙͎͗̓̀a̶̡̧͇͋̈́l̸̨͙̈́̚g̵̣̈́o̷̥̍ 👩‍👩‍👧‍👦 \ud800 =1+1 @SUM(A1) +49 -1",
    _LONG,
)
ALL = " ".join(ATTACKS)


def payload(account: str = "1", channel: str = "hostile") -> dict[str, Any]:
    """Identity and numbers are as they must be for the body to be taken; all else is hostile."""
    urls = [f"javascript:window.{MARK}=1//{number}" for number in range(2)]
    urls += [
        f"data:text/html,<script>window.{MARK}=1</script>",
        f"https://shop.example/?q={ALL}",
        f"//{ELSEWHERE}",
        ALL,
    ]
    return {
        "accountId": account,
        "beginAt": 1_700_000_000_000,
        "endAt": 1_700_000_100_000,
        "channel": {"id": channel, "isChat": True, "isMissed": True, "rating": 1, "ratingDesc": ALL},
        "visitor": {
            **dict.fromkeys(
                ("id", "name", "note", "group", "ipAddress", "city", "countryCode", "country", "userAgent", "platform"),
                ALL,
            ),
            "email": f'"{ALL}"@evil.invalid',
            "referer": urls[0],
            "variables": {
                **{attack: {"label": attack, "value": attack} for attack in ATTACKS},
                "flat": ALL,
                "__proto__": {"label": "constructor", "value": ALL},
            },
        },
        "paths": [{"url": url, "title": ALL} for url in urls],
        "messages": [
            *(
                {"type": "visitor", "name": attack, "from": attack, "content": attack, "sentAt": 1_700_000_000_000}
                for attack in ATTACKS
            ),
            {
                "type": "agent",
                "name": ALL,
                "from": "agent:7",
                "content": ALL,
                "triggeredBy": ALL,
                "sentAt": 1_700_000_001_000,
            },
            {
                "type": "system",
                "name": ALL,
                "from": "system",
                "content": "close.visitorClose",
                "sentAt": 1_700_000_002_000,
            },
            {"type": "system", "name": ALL, "from": ALL, "content": ALL, "sentAt": 1_700_000_003_000},
            {"type": ALL, "name": ALL, "from": ALL, "content": ALL, "sentAt": 1_700_000_004_000},
        ],
        ALL: ALL,
    }


def body(account: str = "1", channel: str = "hostile") -> bytes:
    return json.dumps(payload(account, channel)).encode()


def no_json() -> bytes:
    """A body that goes into quarantine; its error quotes nothing, but the page shows all of it."""
    return f'{{"channel": {{"id": "{ALL}"}}, </script>{ALL}'.encode("utf-8", "replace")


def wrong_id() -> bytes:
    """Another, whose error quotes it."""
    return json.dumps({"accountId": 1, "channel": {"id": ALL}}).encode()
