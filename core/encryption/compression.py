"""Bodies and attempts made smaller for the store: deflate, with a dictionary of what stands in every body that
Smartsupp sends or its API gives, and in every attempt (docs/adr/0037). Pure."""

from __future__ import annotations

import zlib

#: Bytes of a body below which nothing is to be gained.
_SMALL = 200
#: A larger body stays as it is, and none is opened that would be: what is posted is a tenth of it at most, and one that
#: only looks as if it had been compressed here takes no worker's memory.
_LARGEST = 8 << 20
_RAW = -15
_LEVEL = 6

#: What bodies have in common, the most frequent last, where deflate finds it by the shortest way. It may never change:
#: what was kept with it is opened with it. Another one is a dictionary of another number, beside this.
DICTIONARY_1 = (
    # A body that was made of the API's answers.
    b'{"relay":{"form":"smartsupp-api/1","account":"'
    b'"},"conversation":{"id":"","ext_id":null,"status":"closed","type":"simple","domain":"https://www.",'
    b'"referer":"",'
    b'"created_at":"2026-01-01T10:00:00.000Z","finished_at":"2026-","is_offline":false,"is_served":true,'
    b'"is_assigned":'
    b'true,"close_type":"visitor_close","rating_value":5,"rating_text":null,"contact_id":"ct","visitor_id":"vi",'
    b'"agent_ids":["1"],"assigned_ids":[],"tags":[],"channel":{"type":"default","id":null},"location":{"ip":"",'
    b'"code":"CZ",'
    b'"country":"Czechia","city":"Prague"},"variables":{}},"contact":{"name":"","email":"","phone":"+420",'
    b'"note":null,'
    b'"tags":[],"properties":{},"banned_at":null,"gdpr_approved":false},"visitor":{"id":"vi",'
    b'"user_agent":"Mozilla/5.0",'
    b'"browser":"Chrome","browser_version":"","os":"Windows","lang":"cs","platform":"Win32"},"agents":[{"id":"",'
    b'"email":"",'
    b'"fullname":"","nickname":""}],"attachments":[],"trigger_id":null,"trigger_name":null,"group_id":null,'
    b'"is_reply":'
    b'false,"is_first_reply":false,"is_internal":false,"response_time":null,"channel":{"type":"default","id":null},'
    b'"tags":[],"sub_type":"contact","agent_id":"","type":"message","content":{"type":"text","text":"",'
    b'"data":null},'
    # An attempt, and what it quotes of a request and its answer.
    b'","answered":"{\\"id\\":\\"","sent":"{\\"properties\\": {\\"subject\\": \\"Chat with \\", \\"email\\": \\"'
    b'{"at":17,"ms":1,"outcome":"skipped","revision":1,"status":null,"error":"","next":null,"worker":"","requests":[]}'
    b'{"at":17,"ms":1,"outcome":"retry","revision":1,"status":503,"error":"the destination answered ","next":17,'
    b'"worker":"","requests":[{"method":"PATCH","url":"https://api.","status":503,"ms":1,"error":"","sent":"","answered":""}'
    b',{"method":"GET","url":"https://api.","status":200,"ms":1,"error":"","sent":"","answered":"{\\"results\\":[]}"},'
    b'{"at":17,"ms":1,"outcome":"delivered","revision":1,"status":201,"error":"","next":null,"worker":"relay:1",'
    b'"requests":[{"method":"POST","url":"https://","status":201,"ms":1,"error":"","sent":"{\\"","answered":"{\\"id\\":"}]}'
    # Pages and browsers, as shops have them.
    b"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
    b"Safari/537.36"
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
    b"Mobile/15E148 Safari/604.1Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Mozilla/5.0 (Windows NT 10.0; "
    b"Win64; x64; "
    b"rv:120.0) Gecko/20100101 Firefox/120.0Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML,"
    b" like "
    b"Gecko) Chrome/120.0.0.0 Safari/537.36https://www.google.com/https://www.facebook.com/https:\\/\\/www."
    # A body of the hook, as PHP and as others set it.
    b'{"accountId": 1, "beginAt": 17, "endAt": 17, "channel": {"id": 1, "isChat": true, "isMissed": false, '
    b'"isTriggered": '
    b'false, "isOffline": false, "isCompleted": true, "isDropped": false, "duration": 1, "avgResponse": 1, '
    b'"firstResponse":'
    b' 1, "messagesCount": 1, "wordsCount": 1, "rating": null, "ratingDesc": ""}, "visitor": {"id": 1, "name": '
    b'"", "email":'
    b' "", "note": "", "group": null, "ipAddress": "", "city": "", "countryCode": "CZ", "country": "Czech '
    b'Republic", '
    b'"userAgent": "", "platform": "Win32", "referer": "", "variables": {"": {"label": "", "value": ""}}}, '
    b'"paths": [{"url":'
    b' "https://", "title": ""}, {"url": "https://", "title": ""}], "messages": [{"type": "system", "name": "", '
    b'"from": '
    b'"agent:", "content": "agent.join", "sentAt": 17, "triggeredBy": null}, {"type": "system", "from": '
    b'"system", "content":'
    b' "close.visitorClose", "sentAt": 17, "triggeredBy": null}, {"type": "agent", "name": "", "from": '
    b'"agent:1", "content":'
    b' "", "sentAt": 17, "triggeredBy": null}, {"type": "visitor", "name": "", "from": "visitor:mx", "content": ""'
    b'{"accountId":1,"beginAt":17,"endAt":17,"channel":{"id":1,"isChat":true,"isMissed":false,"isTriggered":false,'
    b'"isOffline":false,"isCompleted":true,"isDropped":false,"duration":1,"avgResponse":1,"firstResponse":1,'
    b'"messagesCount":1,"wordsCount":1,"rating":null,"ratingDesc":""},"visitor":{"id":1,"name":"",'
    b'"email":"@gmail.com",'
    b'"note":"","group":null,"ipAddress":"","city":"Praha","countryCode":"CZ","country":"Czech Republic",'
    b'"userAgent":"",'
    b'"platform":"Win32","referer":"","variables":{"":{"label":"","value":""}}},"paths":[{"url":"https:\\/\\/",'
    b'"title":""},'
    b'{"url":"https://","title":""}],"messages":[{"type":"system","name":"","from":"agent:","content":"agent.join",'
    b'"sentAt":17,"triggeredBy":null},{"type":"system","from":"system","content":"close.visitorClose","sentAt":17,'
    b'"triggeredBy":null},{"type":"agent","name":"","from":"agent:","content":"Dobr\xc3\xbd den, Hello, '
    b"d\xc4\x9bkuji, "
    b'thank you","sentAt":17,"triggeredBy":null},{"type":"visitor","name":"","from":"visitor:","content":"",'
    b'"sentAt":17'
)


def compressed(body: bytes) -> bytes | None:
    """None: it is not smaller like that, or too large."""
    if not _SMALL <= len(body) <= _LARGEST:
        return None
    making = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, zdict=DICTIONARY_1)
    made = making.compress(body) + making.flush()
    return made if len(made) < len(body) else None


def expanded(made: bytes) -> bytes:
    """Raises ValueError for what `compressed` has not made."""
    opening = zlib.decompressobj(_RAW, zdict=DICTIONARY_1)
    try:
        body = opening.decompress(made, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"not a compressed body: {error}") from error
    if not opening.eof or opening.unused_data:
        raise ValueError("not a compressed body, or only a part of one")
    return body
