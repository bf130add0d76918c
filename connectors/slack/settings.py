"""Settings of `type: slack`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from connectors.kit.chat_services.short_message import MessageSettings
from core.config.types.secret_url import SecretUrl
from core.config.types.templated import Templated, TemplateOf

#: Ids of channels; a name can be changed, and Slack's history is not asked by name.
ChannelId = Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]{5,20}$")]


class SlackSettings(MessageSettings):
    """Settings of `type: slack`."""

    account_settings: ClassVar[tuple[str, ...]] = ("base_url", "token", "url")

    # Slack takes about a message a second in one channel.
    rate: float | None = Field(
        default=1.0,
        gt=0,
        description="Requests a second, over all workers, with bursts of one second's worth; null: no limit.",
    )
    token: SecretStr | None = Field(default=None, description="The bot's token, xoxb-…")
    channel: Templated[ChannelId] | None = Field(
        default=None, description="With a token: the id of the channel, such as C0123456789, or a template."
    )
    channel_fallback: ChannelId | None = Field(
        default=None, description="Where channel is a template: the channel for chats for which it names none."
    )
    url: SecretUrl | None = Field(
        default=None, description="Instead of a token: the address of an incoming webhook. It can only add messages."
    )
    on_revision: Literal["nothing", "append", "overwrite"] | None = Field(
        default=None,
        description="When the chat continues. overwrite: the message is changed, with a token; append: another one, "
        "in its thread with a token; nothing. null: overwrite with a token, nothing without.",
    )
    base_url: str = Field(
        default="https://slack.com/api", pattern=r"^https?://[^\s?#@]+$", description="Of Slack's API."
    )

    @property
    def mode(self) -> str:
        return self.on_revision or ("overwrite" if self.token else "nothing")

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if bool(self.token) == bool(self.url) or bool(self.token) != bool(self.channel):
            raise ValueError("write either 'token: …' and 'channel: …', or 'url: …'")
        if self.url and self.on_revision == "overwrite":
            raise ValueError("a webhook cannot change a message; write on_revision: append or nothing")
        if isinstance(self.channel, TemplateOf) != bool(self.channel_fallback):
            raise ValueError("channel_fallback is for a channel that is a template, and each of these has one")
        return self
