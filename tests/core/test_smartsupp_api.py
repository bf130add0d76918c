"""Whatever Smartsupp's API answers becomes the conversation that its hook would have sent, and more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo.shop import SHOP_ACCOUNT, MadeChat, agents, made_chat
from core.config.sections.redact import Redact
from core.config.values import ValueSettings
from core.conversation import Agent, ChatFile, Conversation
from core.errors import ConnectorRefused, NotFound, PayloadError, RecordRefused, RetryLater
from core.redaction.chat import redacted_chat
from core.smartsupp.api.body import FORM, FetchedConversation, as_body, lasting
from core.smartsupp.api.client import DIALECTS, SmartsuppApi
from core.smartsupp.api.rows import overlapping
from core.smartsupp.api.spelling import camel, respelled, snake, snaked
from core.smartsupp.parser import glance, parse, parse_conversation
from core.values.chat import Values

BEGAN = datetime(2025, 3, 1, 10, 0, 0, 123_000, UTC)


#: A chat with a file and an internal note.
def about(tag: str) -> MadeChat:
    found = (made_chat(number, BEGAN) for number in range(100))
    return next(chat for chat in found if tag in chat.conversation["tags"])


RETURNS, DELIVERY = about("returns"), about("delivery")


def fetched(chat: Any = DELIVERY, **more: Any) -> FetchedConversation:
    found = FetchedConversation(
        snaked(chat.conversation), snaked(chat.messages), snaked(chat.paths), snaked(chat.contact), None, agents()
    )
    return replace(found, **more)


def read(found: FetchedConversation, account: str = SHOP_ACCOUNT) -> Conversation:
    return parse_conversation(as_body(found, account))


def test_a_fetched_chat_is_what_the_hook_would_have_sent() -> None:
    hook, ours = parse_conversation(json.dumps(DELIVERY.hook).encode()), read(fetched())
    same = ("account", "begin_at", "end_at", "kind", "rating", "is_chat", "is_offline", "is_completed")
    assert [getattr(ours, name) for name in same] == [getattr(hook, name) for name in same]
    assert [(one.type, one.name, one.content, one.sent_at) for one in ours.messages] == [
        (one.type, one.name, one.content, one.sent_at) for one in hook.messages
    ]
    assert (ours.visitor.name, ours.visitor.email) == (hook.visitor.name, hook.visitor.email)
    assert (ours.id, ours.visitor.id) == (DELIVERY.id, DELIVERY.visitor["id"])


def test_it_has_what_the_hook_lacks() -> None:
    found = read(fetched())
    agent = found.agents[0]
    assert agent.email.endswith("@tea.example.com")
    assert (found.channel, found.domain, found.tags) == ("default", "tea.example.com", ("delivery",))
    assert found.paths[0].seen_at == BEGAN - timedelta(seconds=40)
    [note] = found.internal_notes
    assert note.agent == agent
    assert "carrier" in note.content
    assert not any("carrier" in one.content for one in found.messages)
    [file] = [one for message in read(fetched(RETURNS)).messages for one in message.files]
    assert (file.name, file.type, file.size) == ("teapot.gif", "image/gif", 26_146)
    assert file.expires_at


def test_values_come_of_it() -> None:
    values = Values(
        read(fetched(contact={"name": "Ann", "phone": "602 123 456", "note": "VIP"})), ValueSettings(country="CZ")
    )
    assert (values.phone, values.channel, values.agent.email) == (
        "+420602123456",
        "web",
        read(fetched()).agents[0].email,
    )
    mail = {**fetched().conversation, "channel": {"type": "facebook"}}
    assert Values(read(fetched(conversation=mail))).channel == "facebook"


def test_who_has_not_answered_has_missed_it() -> None:
    alone = [one for one in fetched().messages if one["sub_type"] == "contact"]
    found = read(fetched(messages=alone))
    assert (found.kind, found.is_chat, found.is_completed) == ("missed", False, False)
    offline = read(fetched(messages=alone, conversation={**fetched().conversation, "is_offline": True}))
    assert (offline.kind, offline.is_missed) == ("offline", False)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"sub_type": "bot", "content": "Hi"}, ("agent", "Bot", "bot", "Hi", "")),
        (
            {"sub_type": "trigger", "content": {"type": "text", "text": "Hi"}, "trigger": {"id": "1", "name": "Sale"}},
            ("agent", "", "system", "Hi", "Sale"),
        ),
        (
            {"type": "event", "sub_type": "system", "content": {"type": "agent_join"}},
            ("system", "", "system", "agent_join", ""),
        ),
        ({"agent_id": "31", "content": "Hi"}, ("agent", "Olivia Brown", "agent:31", "Hi", "")),
        ({"visitor_id": "viX", "content": "Hi"}, ("visitor", "Ann", "visitor:viX", "Hi", "")),
        ({"sub_type": "something_new", "content": {"text": None}}, ("system", "", "system", "", "")),
    ],
)
def test_each_kind_of_message(message: Mapping[str, Any], expected: tuple[str, ...]) -> None:
    [found] = read(fetched(messages=[{"type": "message", **message}], contact={"name": "Ann"})).messages
    assert (found.type, found.name, found.sender, found.content, found.triggered_by) == expected


def test_a_file_may_stand_in_the_content() -> None:
    data = {"url": "https://files.example/a", "fileName": "a.pdf", "fileType": "application/pdf", "size": 7}
    upload = {"type": "message", "sub_type": "contact", "content": {"type": "upload", "text": None, "data": data}}
    [found] = read(fetched(messages=[upload])).messages
    assert found.content == "a.pdf"
    assert found.files == (ChatFile(name="a.pdf", type="application/pdf", size=7, url="https://files.example/a"),)


def test_an_unchanged_chat_fetched_later_has_the_same_body() -> None:
    later = {"updated_at": "2026-01-01T00:00:00Z", "unread_info": {"count": 3}}
    contact = {**(fetched().contact or {}), "last_seen_at": "2026-01-01T00:00:00Z", "visits_count": 99}
    again = fetched(conversation={**fetched().conversation, **later}, contact=contact, lacking=("visitor: gone",))
    assert as_body(again, SHOP_ACCOUNT) == as_body(fetched(), SHOP_ACCOUNT)
    rated = {**fetched().conversation, "rating": {"value": 1, "text": "Bad"}}
    assert as_body(fetched(conversation=rated), SHOP_ACCOUNT) != as_body(fetched(), SHOP_ACCOUNT)


def test_only_agents_who_took_part_are_kept() -> None:
    kept = json.loads(as_body(fetched(), SHOP_ACCOUNT))["agents"]
    assert [str(one["id"]) for one in kept] == DELIVERY.conversation["agentIds"]
    assert set(kept[0]) == {"id", "email", "fullname", "nickname"}


def test_the_account_is_that_of_the_source() -> None:
    assert parse_conversation(as_body(fetched()), "208").account == "208"
    assert glance(as_body(fetched(), SHOP_ACCOUNT), SHOP_ACCOUNT)
    for look in (parse, glance):
        with pytest.raises(PayloadError, match=r"relay\.account: the source belongs to account 7"):
            look(as_body(fetched(), SHOP_ACCOUNT), "7")
        with pytest.raises(PayloadError, match=r"relay\.account"):
            look(as_body(fetched()))


def test_a_form_of_a_newer_version_says_so() -> None:
    body = json.loads(as_body(fetched(), SHOP_ACCOUNT))
    body[FORM]["form"] = "smartsupp-api/2"
    with pytest.raises(PayloadError, match="a newer version of Relay"):
        parse(json.dumps(body).encode())


def test_both_spellings_are_the_same_chat() -> None:
    body = json.loads(as_body(fetched(), SHOP_ACCOUNT))
    humps = {FORM: body[FORM], **respelled({name: body[name] for name in body if name != FORM}, camel)}
    assert parse(json.dumps(humps).encode()) == parse(json.dumps(body).encode())


@pytest.mark.parametrize(
    "time", ["2025-03-01T10:00:00.123Z", "2025-03-01T11:00:00.123456+01:00", "2025-03-01T10:00:00.123", 1740823200123]
)
def test_times_in_any_spelling(time: Any) -> None:
    assert read(fetched(conversation={**fetched().conversation, "created_at": time})).begin_at == BEGAN


@pytest.mark.parametrize("time", ["yesterday", "0001-01-01T00:00:00+14:00", -5, ["2025"], "9999-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_read_is_noted_and_costs_nothing_else(time: Any) -> None:
    found = read(fetched(conversation={**fetched().conversation, "created_at": time}))
    assert found.begin_at is None
    assert found.messages
    assert "conversation.created_at" in found.notes[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read_or_said(body: bytes) -> Conversation | str:
    try:
        return parse_conversation(body)
    except PayloadError as error:
        return str(error)


@given(st.sampled_from(("messages", "paths", "contact", "agents", "conversation", "visitor")), st.data())
def test_whatever_stands_in_it_is_a_chat_or_one_clear_error(part: str, data: st.DataObject) -> None:
    body = json.loads(as_body(fetched(RETURNS), SHOP_ACCOUNT))
    target = body.get(part) or {}
    if isinstance(target, list):
        target = data.draw(st.sampled_from(target))
    body[part] = data.draw(JSON) if data.draw(st.booleans()) else body.get(part)
    target[data.draw(st.sampled_from(sorted(target) or ["id"]))] = data.draw(JSON)
    assert read_or_said(json.dumps(body).encode())


def test_what_is_redacted_in_messages_is_in_notes_tags_and_names_of_files() -> None:
    card = "4111 1111 1111 1111"
    note = {"type": "note", "agent_id": "31", "content": f"paid with {card}"}
    file = {"type": "message", "sub_type": "contact", "attachments": [{"file_name": f"{card}.jpg"}]}
    talk = {**fetched().conversation, "tags": [card]}
    found = redacted_chat(read(fetched(conversation=talk, messages=[note, file])), Redact())
    assert card not in found.conversation.model_dump_json()
    assert {"internal note 1", "tag 1", "the name of a file at message 1"} <= {
        place for places in found.found.values() for place in places
    }


@given(st.from_regex(r"[a-z]{1,5}(_[a-z]{2,5}){0,3}", fullmatch=True))
def test_the_spellings_are_each_others_inverse(name: str) -> None:
    assert snake(camel(name)) == name


def test_variables_keep_the_names_that_the_shop_gave_them() -> None:
    talk = {**fetched().conversation, "variables": {"orderNumber": 7, "userId": {"label": "User", "value": "u1"}}}
    found = read(fetched(conversation=talk)).visitor.variables
    assert {name: (one.label, one.value) for name, one in found.items()} == {
        "orderNumber": ("orderNumber", 7),
        "userId": ("User", "u1"),
    }


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


@pytest.mark.parametrize(
    ("after", "times", "following"),
    [
        ([9], [1, 9], [8]),  # others of that ms may follow
        (9, [1, 9], 8),
        ([1], [9, 1], [2]),  # the newest first
        ([9], [9, 9], [9]),  # a whole page of one ms: on, or it would never end
        (["opaque"], [1, 9], ["opaque"]),
        ([9, 3], [1, 9], [9, 3]),
        (None, [1, 9], None),
        ([], [], None),
    ],
)
def test_a_page_begins_with_the_last_moment_of_the_one_before(after: Any, times: list[int], following: Any) -> None:
    assert overlapping(after, [at(one) for one in times]) == following


class Scripted:
    """Answers by the path, and notes what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[tuple[str, Any]]()

    def __call__(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any:
        self.asked.append((path, body or params))
        found = self.answers[path.replace("/", "_")]
        found = found(body or params) if callable(found) else found
        if isinstance(found, Exception):
            raise found
        return found


ROW = {"id": "co1", "status": "closed", "created_at": "2025-03-01T10:00:00.123Z"}
SINCE, UNTIL = BEGAN - timedelta(days=1), BEGAN + timedelta(days=1)


def test_it_finds_the_spelling_that_is_understood_and_keeps_to_it() -> None:
    def only_camel(body: Any) -> Any:
        return {"items": [ROW], "total": 1, "after": None} if "dateFrom" in body["filters"] else refused

    refused = RecordRefused("HTTP 400", status=400)
    api = Scripted(conversations_search=only_camel)
    client = SmartsuppApi(api)
    for _ in range(2):
        assert [row.id for page in client.conversations(SINCE, UNTIL) for row in page.rows] == ["co1"]
    assert len(api.asked) == len(DIALECTS) + 1
    with pytest.raises(RecordRefused):
        next(SmartsuppApi(Scripted(conversations_search=refused)).conversations(SINCE, UNTIL))


def test_it_believes_no_filter_that_it_asked_for() -> None:
    rows = [
        ROW,
        {**ROW, "id": "open", "status": "open"},
        {**ROW, "id": "older", "created_at": "2024-01-01T00:00:00Z"},
        {**ROW, "id": "newer", "created_at": UNTIL.isoformat()},
        {**ROW, "id": None},
        {**ROW, "id": "unclear", "created_at": "some day"},
        "nothing",
    ]
    api = SmartsuppApi(Scripted(conversations_search={"items": rows, "total": 7, "after": None}))
    [page] = api.conversations(SINCE, UNTIL)
    assert [row.id for row in page.rows] == ["co1"]


def test_a_cursor_that_does_not_move_ends_the_list() -> None:
    api = Scripted(conversations_search={"items": [ROW], "total": 1, "after": ["x"]})
    assert [len(page.rows) for page in SmartsuppApi(api).conversations(SINCE, UNTIL)] == [1, 0]


@pytest.mark.parametrize("answer", [[], "text", {"items": None}, {"items": {"a": 1}}, {}, None])
def test_a_list_of_another_shape_is_tried_again_later(answer: Any) -> None:
    with pytest.raises(RetryLater, match="unexpected shape"):
        next(SmartsuppApi(Scripted(conversations_search=answer)).conversations(SINCE, UNTIL))


def forbidden(status: int) -> ConnectorRefused:
    return ConnectorRefused(f"HTTP {status}", status=status)


def test_what_a_token_may_not_read_costs_an_enrichment_and_no_chat() -> None:
    talk = {**ROW, "contact_id": "ct1", "visitor_id": "vi1", "messages": [{"id": "ms1", "content": "Hello"}]}
    api = Scripted(
        conversations_co1=talk,
        conversations_co1_paths=forbidden(403),
        contacts_ct1=forbidden(404),
        visitors_vi1=forbidden(403),
        agents=RecordRefused("HTTP 418", status=418),
    )
    found = SmartsuppApi(api).conversation("co1", visitor=True)
    assert [one.partition(":")[0] for one in found.lacking] == ["pages", "contact", "visitor", "agents"]
    assert read(found).messages[0].content == "Hello"


def test_a_token_that_is_wrong_is_no_lack() -> None:
    talk = {**ROW, "contact_id": "ct1", "messages": [{"id": "ms1"}], "paths": []}
    with pytest.raises(ConnectorRefused):
        SmartsuppApi(Scripted(conversations_co1=talk, contacts_ct1=forbidden(401))).conversation("co1")


def test_a_deleted_conversation_is_not_found() -> None:
    with pytest.raises(NotFound, match="no conversation co1 any more"):
        SmartsuppApi(Scripted(conversations_co1=forbidden(404))).conversation("co1")


def test_another_conversation_than_was_asked_for_is_not_taken() -> None:
    with pytest.raises(RetryLater, match="another conversation"):
        SmartsuppApi(Scripted(conversations_co1={**ROW, "id": "co2"})).conversation("co1")


def test_messages_that_do_not_come_with_it_are_asked_for() -> None:
    newest_first = [
        {"id": "ms2", "created_at": "2025-03-01T10:00:02Z"},
        {"id": "ms1", "created_at": "2025-03-01T10:00:01Z"},
    ]
    api = Scripted(
        conversations_co1={**ROW, "paths": [], "contact_details": {"name": "Ann"}},
        conversations_co1_messages={"items": newest_first, "after": None},
        agents=[],
    )
    found = SmartsuppApi(api).conversation("co1")
    assert [one["id"] for one in found.messages] == ["ms1", "ms2"]


def test_a_check_says_what_there_is() -> None:
    talk = {**ROW, "messages": [{"id": "ms1"}], "paths": [], "brand_new": 1, "contact_details": {}}
    api = Scripted(
        conversations_search={"items": [ROW], "total": 12, "after": None}, conversations_co1=talk, agents=forbidden(403)
    )
    found = SmartsuppApi(api).check(SINCE, UNTIL)
    assert (found.total, found.agents, found.unknown) == (12, None, ("brand_new",))
    assert "tags" in found.lacks
    assert found.refused == {"agents": "HTTP 403"}
    assert Agent().email == ""


def test_an_address_that_was_signed_anew_is_no_other_chat() -> None:
    def signed(signature: str, size: int = 7) -> bytes:
        file = {
            "file_name": "a.pdf",
            "size": size,
            "url": f"https://files.example/a?{signature}",
            "expire_at": signature,
        }
        return as_body(
            fetched(messages=[{"type": "message", "sub_type": "contact", "attachments": [file]}]), SHOP_ACCOUNT
        )

    assert signed("one") != signed("two")
    assert lasting(signed("one")) == lasting(signed("two"))
    assert lasting(signed("one")) != lasting(signed("one", 8))
    page = [{"url": "https://tea.example.com/other"}]
    assert lasting(as_body(fetched(RETURNS, paths=page))) != lasting(as_body(fetched(RETURNS)))
    hook = b'{"accountId": 1, "file_name": "x", "url": "y"}'
    assert lasting(hook) == hook
    assert lasting(b'{"relay": {"file_name": [[') == b'{"relay": {"file_name": [['
