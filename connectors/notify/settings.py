"""Settings of `type: notify`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from connectors.kit.chat_services.short_message import MessageSettings, WhenContinued
from core.config.types.apprise_url import AppriseUrl


class NotifySettings(MessageSettings):
    """Settings of `type: notify`."""

    account_settings: ClassVar[tuple[str, ...]] = ("url",)

    url: AppriseUrl = Field(
        description="The address of the service, as Apprise spells it, such as ntfy://ntfy.sh/my-topic."
    )
    on_revision: WhenContinued = Field(
        default="nothing", description="When the chat continues. nothing: no further message; append: another one."
    )
