"""Settings of `type: email`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from connectors.kit.record import RecordSettings
from connectors.kit.wire.outcome import LostAnswer
from core.config.settings import Template
from core.config.types.mail_server import EmailAddress, MailServer
from core.config.types.templated import Templated, TemplateOf
from core.wording.sentence import say

#: Header fields that are ours, or the mail server's, to write.
_OURS = (
    r"(?i)from|to|cc|bcc|sender|reply-to|subject|date|message-id|in-reply-to|references|return-path|received|dkim-.*"
    r"|mime-version|content-.*|resent-.*|auto-submitted|x-auto-response-suppress|keywords|x-smartsupp-conversation"
)


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}", name):
        raise ValueError("write the name of a header, such as X-Priority")
    if re.fullmatch(_OURS, name):
        raise ValueError(f"{name} is written by Relay; take another name, such as X-{name}")
    return name


class EmailSettings(MailServer, RecordSettings):
    """Settings of `type: email`."""

    account_settings: ClassVar[tuple[str, ...]] = ("host", "from_address", "to")

    # Mail servers count connections, and a help desk takes many mails at once for a loop.
    concurrency: int | None = Field(
        default=2,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )
    from_address: EmailAddress = Field(
        description="Whom the emails come from: an address of yours that the mail server may send for."
    )
    from_name: Template = Field(default="", description="The name beside it; empty: none.")
    to: tuple[Templated[EmailAddress], ...] = Field(
        min_length=1, max_length=50, description="The recipients: addresses, or templates that name one."
    )
    fields: dict[Annotated[str, AfterValidator(_header_name)], Template] = Field(
        default_factory=dict, description="Further headers, by name. An empty one is left out."
    )
    long_transcript: Literal["attach", "split"] = Field(
        default="attach",
        description="What to do with a transcript that is too long for one email. attach: all of it in a text file; "
        "split: the rest in further emails of the same thread.",
    )
    auto_submitted: bool = Field(
        default=True,
        description="true: marked as written by a program (RFC 3834), so that no autoresponder answers it.",
    )
    repeatable: LostAnswer = Field(
        default="again",
        description="When the server's answer to an email gets lost, nobody knows whether it was taken. again: send it "
        "again, with the same Message-ID; never: a person decides.",
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The recipients that are the same for every chat."""
        return tuple(one for one in self.to if not isinstance(one, TemplateOf))

    def doubts(self) -> Iterator[tuple[str, str]]:
        yield from super().doubts()
        if any(one.lower().endswith((".zendesk.com", ".zendesk-staging.com")) for one in self.addresses):
            yield (
                say("Zendesk suspends emails that a program sends, and blocks their sender for an hour"),
                say("use type: zendesk"),
            )
