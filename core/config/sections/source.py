"""The section `source`: where chats come from. The hook's tokens, Smartsupp's API, its signed webhooks; of one account,
or of several, each by a name (docs/adr/0030)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, AnyHttpUrl, Field, IPvAnyNetwork, SecretStr, model_validator

from core.config.environment import ACCOUNT_ID, MIN_TOKEN, Strict, Token, usable_token
from core.config.types.duration import Duration

#: What the account is called that has no name of its own.
ONLY = "main"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
#: A webhook's secret is a key for HMAC: one that can be guessed signs nothing.
_SHORTEST_SECRET = 16


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name has at most 63 lower-case letters, digits, '-' and '_'")
    return name


def _long(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_SECRET:
        raise ValueError(f"needs at least {_SHORTEST_SECRET} characters; copy the whole secret from Smartsupp")
    return secret


def _bearer(secret: SecretStr) -> SecretStr:
    # It goes into a header. What was pasted with a line end, or with the header's own word, would be refused each time.
    value = secret.get_secret_value()
    if value.lower().startswith("bearer "):
        raise ValueError("write the token alone, without 'Bearer'")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("contains a space or a character that no token has; copy it again")
    return secret


def _between(low: timedelta, high: timedelta, words: str) -> AfterValidator:
    def within(value: timedelta) -> timedelta:
        if not low <= value <= high:
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(within)


class HookSource(Strict):
    """A token in the hook's URL, as under `tokens`."""

    token: Annotated[SecretStr, AfterValidator(usable_token)] = Field(
        description=f"At least {MIN_TOKEN} characters.", json_schema_extra={"minLength": MIN_TOKEN}
    )


class ApiSource(Strict):
    """Smartsupp's REST API (https://docs.smartsupp.com/rest-api/overview/)."""

    token: Annotated[SecretStr, AfterValidator(_bearer)] = Field(description="The API token of the account.")
    base_url: AnyHttpUrl = Field(default=AnyHttpUrl("https://api.smartsupp.com/v2/"), description="Where the API is.")
    rate: float = Field(default=2, gt=0, le=100, description="Requests a second, over all workers.")
    reconcile_days: int = Field(
        default=7,
        ge=0,
        le=30,
        description="The last days are compared with what is kept, every night; the last one every hour. 0: never.",
    )
    timeout: float = Field(default=20, gt=0, le=50, description="Seconds to wait for each response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8."
    )


class WebhookSource(Strict):
    """Smartsupp's signed webhooks (https://docs.smartsupp.com/rest-api/webhooks/). They only say that something
    happened; the chat is then fetched from the API."""

    secret: Annotated[SecretStr, AfterValidator(_long)] = Field(
        description="The app's shared secret: it signs each webhook."
    )
    wait: Annotated[Duration, _between(timedelta(0), timedelta(hours=24), "from 0s to 24h")] = Field(
        default=timedelta(minutes=2), description="How long nothing may have happened in a chat before it is fetched."
    )


class Enrich(Strict):
    """A chat that the hook sent is completed from the API before it is delivered."""

    within: Annotated[Duration, _between(timedelta(seconds=1), timedelta(hours=24), "from 1s to 24h")] = Field(
        default=timedelta(minutes=5), description="How long a chat waits for that at most; then it goes without."
    )


class Account(Strict):
    """Where the chats of one Smartsupp account come from."""

    account: str | None = Field(
        default=None,
        pattern=ACCOUNT_ID.pattern,
        description="Smartsupp's id of the account: accountId in the hook's JSON.",
    )
    hook: HookSource | None = Field(default=None, description="A token in the hook's URL.")
    api: ApiSource | None = Field(default=None, description="Smartsupp's REST API.")
    webhooks: WebhookSource | None = Field(default=None, description="Smartsupp's signed webhooks.")
    enrich: Enrich | None = Field(
        default=Enrich(), description="Completes the hook's chats from the API; null: they go as they came."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.webhooks and not self.api:
            raise ValueError("'webhooks' need 'api': they only say that something happened, and the chat is fetched")
        if self.api and not self.account:
            raise ValueError(
                "'api' needs 'account': write account: and the accountId that stands in a chat of the hook"
            )
        return self


class SourceSection(Account):
    """One account, or several under `accounts`."""

    accounts: dict[Annotated[str, AfterValidator(_name)], Account] = Field(
        default_factory=dict, description="Several accounts, each by a name that you choose."
    )

    @model_validator(mode="after")
    def _is_one_or_several(self) -> Self:
        if self.accounts and (self.account or self.hook or self.api or self.webhooks):
            raise ValueError("has settings beside 'accounts'; move them there, below a name of their own")
        numbers = [one.account for one in self.accounts.values() if one.api]
        if twice := next((one for one in numbers if numbers.count(one) > 1), None):
            raise ValueError(f"'accounts' has account {twice} twice; keep one of them")
        return self

    def named(self) -> dict[str, Account]:
        """Every account by its name."""
        return dict(self.accounts) if self.accounts else {ONLY: self}

    def tokens(self) -> Iterator[Token]:
        """Those that the hook takes beside `tokens`."""
        for one in self.named().values():
            if one.hook:
                yield Token(token=one.hook.token, account=one.account)
