"""Slack: a message in a channel, changed or answered in its thread when the chat continues.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from connectors.kit.auth.credentials import NOTHING, Credentials, Header
from connectors.kit.capabilities import Capabilities
from connectors.kit.chat_services.short_message import is_told, messages, send_once
from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.text.formats import SLACK
from connectors.kit.text.parts import Layout, Part, append, overwrite
from connectors.kit.wire.pager import by_cursor
from connectors.kit.wire.verdicts import PAUSE, WAIT, Verdicts, When
from connectors.slack.settings import SlackSettings
from core.config.types.templated import TemplateOf
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused

#: Slack cuts a text of more than 40,000 characters, and people read one of so many.
TEXTS = Layout(12_000, form=SLACK, mark="{} {}.{}".format, shown=False)
_EVENT = "smartsupp_chat"
_LISTS = by_cursor("response_metadata.next_cursor", items="messages", per_page=200)
#: Somebody deleted the message, or the workspace lets no old one be changed.
_UNCHANGEABLE = frozenset({"message_not_found", "edit_window_closed", "cant_update_message", "thread_not_found"})
_LEFT = When((200,), then=None, codes={"error": _UNCHANGEABLE})
#: Seconds by which a clock of ours may be ahead of Slack's.
_SKEW = 300


@dataclass(frozen=True)
class _Chat:
    """One delivery: its words, the channel, and since when a message of it can be there, in Unix seconds."""

    step: Step
    words: Mapping
    revision: int
    channel: str
    oldest: str

    def blank(self, number: int) -> Part:
        """What is written over a reply that this revision does not need."""
        return replace(TEXTS.blank(self.words, self.revision, number + 1), number=number)


class Slack(HttpConnector[SlackSettings]):
    label = "Slack"
    makes = "a short message in a channel, for chats that somebody has to look after"
    capabilities = Capabilities(
        person="in the text",
        revision="the message is changed, or answered in its thread",
        idempotent="looked for in the channel, by metadata; by a webhook, sent again or a person decides",
    )
    # https://docs.slack.dev/reference/methods/chat.postMessage#errors
    verdicts = Verdicts(
        fails=("ok", frozenset({False})),
        in_success={
            "error": {
                **dict.fromkeys(("ratelimited", "rate_limited", "internal_error", "fatal_error"), WAIT),
                **dict.fromkeys(("service_unavailable", "request_timeout", "accesslimited"), WAIT),
                **dict.fromkeys(("invalid_auth", "not_authed", "token_revoked", "token_expired"), PAUSE),
                **dict.fromkeys(("account_inactive", "missing_scope", "no_permission", "access_denied"), PAUSE),
                **dict.fromkeys(("channel_not_found", "not_in_channel", "is_archived"), PAUSE),
                **dict.fromkeys(("ekm_access_denied", "org_login_required", "restricted_action"), PAUSE),
                **dict.fromkeys(("restricted_action_read_only_channel", "two_factor_setup_required"), PAUSE),
                **dict.fromkeys(("team_access_not_granted", "not_allowed_token_type"), PAUSE),
            }
        },
    )

    @property
    def base(self) -> str:
        return self.settings.base_url.rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        return Header(self.settings.token) if self.settings.token else NOTHING

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words, number, mode = Mapping(self.settings, conversation), receipt.number, self.settings.mode
        _ = words.person  # raises Skipped where the admin wants that
        if self.settings.url:
            if not is_told(step, number, mode):
                parts = messages(self.settings, TEXTS, words, number)
                send_once(step, parts, self.settings.repeatable, self._by_webhook)
            return Reference(words.key)
        channel = step("channel", lambda: self._channel(words))
        oldest = str(int(receipt.since.timestamp()) - _SKEW)
        chat = _Chat(step, words, number, channel, oldest)
        root = self._message(chat, messages(self.settings, TEXTS, words, number), mode)
        return Reference(f"{channel}/{root}", step("page", lambda: self._page(channel, root)))

    # --- by a bot -------------------------------------------------------------------------

    def _message(self, chat: _Chat, parts: list[Part], mode: str) -> str:
        """The first part in the channel, the others in its thread, and so is what a revision adds. Returns the time by
        which Slack knows the first."""
        step, number = chat.step, parts[0].revision
        change = partial(self._change, chat.channel)
        known = step.recall("root")
        if known is None or mode == "overwrite":
            post, find = partial(self._post, chat, ""), partial(self._find, chat, "", exact=False)
            [known] = overwrite(step, "message", parts[:1], write=post, look=find, change=change, blank=chat.blank)
            step.keep("root", known)
            step("first", lambda: number)
        root = str(known)
        post, find = partial(self._post, chat, root), partial(self._find, chat, root, exact=mode != "overwrite")
        if mode == "overwrite":
            rest = [replace(part, number=part.number - 1) for part in parts[1:]]
            overwrite(step, "reply", rest, write=post, look=find, change=change, blank=chat.blank)
        elif mode == "append" or number == step.recall("first"):
            append(step, "reply", parts[1:] if number == step.recall("first") else parts, write=post, look=find)
        return root

    def _post(self, chat: _Chat, thread: str, part: Part) -> str:
        # https://docs.slack.dev/reference/methods/chat.postMessage
        message = {"channel": chat.channel, **_text(part), **({"thread_ts": thread} if thread else {})}
        return str(self.ask("POST", "/chat.postMessage", json=message)["ts"].text)

    def _change(self, channel: str, ts: str, part: Part) -> bool:
        # https://docs.slack.dev/reference/methods/chat.update ; whoever deleted the message does not want it back.
        message = {"channel": channel, "ts": ts, "text": part.body, "metadata": _metadata(part)}
        self.ask("POST", "/chat.update", json=message, repeatable=True, judge=self.when(_LEFT))
        return True

    def _find(self, chat: _Chat, thread: str, part: Part, *, exact: bool) -> str | None:
        """A message of ours by its metadata, which is in Slack's database and in no search index; of this revision, or
        of any."""
        # https://docs.slack.dev/reference/methods/conversations.history , conversations.replies
        path = "/conversations.replies" if thread else "/conversations.history"
        asked: dict[str, Any] = {"channel": chat.channel, "oldest": chat.oldest, "include_all_metadata": "true"}
        if thread:
            asked["ts"] = thread
        found = self.entries(_LISTS, path, **asked)
        return next((one["ts"].text for one in found if _is_of(_mark(one), part.mark, exact=exact)), None)

    def _page(self, channel: str, ts: str) -> str:
        # https://docs.slack.dev/reference/methods/chat.getPermalink
        return str(
            self.ask("GET", "/chat.getPermalink", params={"channel": channel, "message_ts": ts})["permalink"].text
        )

    def _channel(self, words: Mapping) -> str:
        try:
            return words.filled(self.settings.channel) or str(self.settings.channel_fallback)
        except ValueError:
            return str(self.settings.channel_fallback)

    # --- by an address --------------------------------------------------------------------

    def _by_webhook(self, part: Part) -> bool:
        # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
        assert self.settings.url  # noqa: S101  # whoever has a token does not come here
        url = self.settings.url.get_secret_value()
        body = {"text": part.body, "unfurl_links": False, "unfurl_media": False}
        self.http.request("POST", url, json=body, judge=_WEBHOOK.judge)
        return True

    # --- looking first --------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        if self.settings.url:
            # A webhook says "no_text" to a message without one, and sends nothing.
            answer = self.http.request("POST", self.settings.url.get_secret_value(), json={}, judge=lambda _: None)
            there = answer.status_code == 400 and answer.text.strip() in _EMPTY
            no = f"no webhook of Slack answers at this address (HTTP {answer.status_code})"
            text = "the webhook answers; what it says to a message, only a message shows"
            remedy = "copy the address from Slack, under Incoming Webhooks, again"
            yield Finding(there, text if there else no, "" if there else remedy)
            return
        me = self.ask("POST", "/auth.test", repeatable=True)
        yield Finding(True, f"the token is the one of {me['user'].text} in {me['team'].text}")
        known = (one for one in (self.settings.channel, self.settings.channel_fallback) if one)
        for channel in dict.fromkeys(one for one in known if not isinstance(one, TemplateOf)):
            self.ask("GET", "/conversations.history", params={"channel": channel, "limit": "1"})
            yield Finding(True, f"the bot reads channel {channel}, as it must to find its own messages")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """An empty channel."""
        return {"ok": True, "ts": "1700000000.000100", "permalink": "https://slack.com/…", "messages": []}


#: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_EMPTY = frozenset({"no_text", "invalid_payload", "missing_text_or_fallback_or_attachments"})
_WEBHOOK = Verdicts(statuses={403: ConnectorRefused, 404: ConnectorRefused, 410: ConnectorRefused}, speaks_json=False)


def _text(part: Part) -> dict[str, Any]:
    return {"text": part.body, "metadata": _metadata(part), "unfurl_links": False, "unfurl_media": False}


def _metadata(part: Part) -> dict[str, Any]:
    return {"event_type": _EVENT, "event_payload": {"mark": part.mark}}


def _mark(message: Reply) -> str:
    """What stands in the metadata of a message of ours, or ""."""
    found: Reply | None = message
    for name in ("metadata", "event_payload", "mark"):
        found = found.get(name) if found is not None and isinstance(found.raw, dict) else None
    return str(found.raw) if found is not None else ""


def _is_of(mark: str, wanted: str, *, exact: bool) -> bool:
    """Whether two marks, `KEY REVISION.PART`, are of the same text; or of the same part of any revision."""
    if exact or not mark:
        return mark == wanted
    pieces, others = mark.rsplit(" ", 1), wanted.rsplit(" ", 1)
    return pieces[0] == others[0] and pieces[-1].rpartition(".")[2] == others[-1].rpartition(".")[2]
