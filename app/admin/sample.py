"""A sample conversation in Smartsupp's form, made up, for trying things out."""

from __future__ import annotations

import json
import time
from typing import Any

#: No account of Smartsupp's: chats of it are samples, as is what `Hook.curl` sends.
SAMPLE_ACCOUNT = 1000


def payload() -> dict[str, Any]:
    """A body as the hook sends it; a new conversation each time."""
    end = int(time.time() * 1000)
    begin = end - 95_000

    def message(kind: str, sender: str, name: str, content: str, after: int, trigger: str | None = None) -> Any:
        return {
            "type": kind,
            "from": sender,
            "name": name,
            "content": content,
            "sentAt": begin + after * 1000,
            "triggeredBy": trigger,
        }

    visitor = "visitor:mxSample0000000000000000000000000000000001"
    return {
        "accountId": SAMPLE_ACCOUNT,
        "beginAt": begin,
        "endAt": end,
        "channel": {
            "id": end,
            "isChat": True,
            "isMissed": False,
            "isTriggered": True,
            "isOffline": False,
            "isCompleted": True,
            "isDropped": False,
            "duration": 95,
            "avgResponse": 12,
            "firstResponse": 14,
            "messagesCount": 6,
            "wordsCount": 34,
            "rating": 5,
            "ratingDesc": "Quick and kind",
        },
        "visitor": {
            "id": 4242,
            "name": "Žofie Nováková",
            "email": "zofie@example.com",
            "note": "",
            "group": None,
            "ipAddress": "192.0.2.17",
            "city": "Brno",
            "countryCode": "CZ",
            "country": "Czech Republic",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "platform": "Linux x86_64",
            "referer": "https://example.com/",
            "variables": {"customerId": {"label": "Customer", "value": "C-1042"}},
        },
        "paths": [{"url": "https://shop.example.com/tea/green", "title": "Green tea · Shop"}],
        "messages": [
            message("agent", "system", "", "Hello! Can we help you choose?", 0, "Welcome"),
            message("visitor", visitor, "Žofie Nováková", "Hi, do you deliver to Slovakia? 🍵", 31),
            message("system", "agent:7", "Petr", "agent.join", 40),
            message("agent", "agent:7", "Petr", "Yes, in two days, and free above 50 €.", 45),
            message("visitor", visitor, "Žofie Nováková", "Lovely, thank you!", 80),
            message("system", "system", "Žofie Nováková", "close.visitorClose", 95),
        ],
    }


def body() -> bytes:
    return json.dumps(payload(), ensure_ascii=False).encode()
