"""The section `source`: one account, or several by name; what was valid before still is; mistakes say what to type."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connectors import registry
from core.config.json_schema import schema
from core.config.settings import Settings, masked
from tests.core.test_settings import Config

API = {"token": "a-token-of-the-api"}
WEBHOOKS = {"secret": "the-secret-of-an-app"}
SECRETS = ("a-token-of-the-api", "the-secret-of-an-app", "token-of-a-hook-0123")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def text(**source: Any) -> str:
    return json.dumps({"source": source, "connectors": {"archive": {"type": "archive"}}})


def loaded(config: Config, **source: Any) -> Settings:
    return config.load(text(**source))


def test_one_account_is_called_main_and_several_by_their_names(config: Config) -> None:
    one = loaded(config, account="208", api=API, webhooks={**WEBHOOKS, "wait": "30s"}).accounts
    assert [*one] == ["main"]
    assert one["main"].webhooks
    assert one["main"].webhooks.wait == timedelta(seconds=30)
    assert one["main"].enrich
    assert one["main"].enrich.within == timedelta(minutes=5)
    several = loaded(config, accounts={"de": {"account": "208", "api": API}, "cz": {"account": "209"}}).accounts
    assert {name: account.account for name, account in several.items()} == {"de": "208", "cz": "209"}
    assert loaded(config, account="208", api=API, enrich=None).accounts["main"].enrich is None


def test_without_the_section_there_is_no_account_and_tokens_are_as_before(config: Config) -> None:
    settings = config.load(
        "tokens: [{token: token-of-a-hook-0123, account: '7'}]\nconnectors: {archive: {type: archive}}"
    )
    assert settings.accounts == {}
    assert [one.account for one in settings.tokens] == ["7"]


def test_the_tokens_of_all_accounts_are_those_of_the_hook(config: Config) -> None:
    hook = {"token": "token-of-a-hook-0123"}
    accounts = {"de": {"account": "208", "hook": hook}, "any": {"hook": {"token": "another-token-0123456"}}}
    assert [one.account for one in loaded(config, accounts=accounts).tokens] == ["208", None]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"webhooks": WEBHOOKS}, "source: 'webhooks' need 'api': they only say that something happened"),
        ({"api": API}, "source: 'api' needs 'account': write account: and the accountId"),
        ({"account": 208}, "source.account: must be text; put it in quotes"),
        ({"account": "208", "accounts": {"de": {}}}, "source: has settings beside 'accounts'; move them there"),
        ({"accounts": {"De": {}}}, "source.accounts.De: a name has at most 63 lower-case letters"),
        (
            {"accounts": {one: {"account": "208", "api": API} for one in ("de", "cz")}},
            "source: 'accounts' has account 208 twice; keep one of them",
        ),
        ({"account": "208", "api": {"token": "Bearer x"}}, "source.api.token: write the token alone, without 'Bearer'"),
        ({"account": "208", "api": {"token": "a b"}}, "source.api.token: contains a space"),
        ({"account": "208", "api": {"token": ""}}, "source.api.token: is empty; type the secret"),
        ({"account": "208", "api": {**API, "rate": 0}}, "source.api.rate: must be above 0"),
        ({"account": "208", "api": API, "webhooks": {"secret": "short"}}, "source.webhooks.secret: needs at least 16"),
        ({"account": "208", "api": API, "webhooks": {**WEBHOOKS, "wait": 120}}, "source.webhooks.wait: needs a unit"),
        (
            {"account": "208", "api": API, "webhooks": {**WEBHOOKS, "wait": "2d"}},
            "source.webhooks.wait: must be from 0s",
        ),
        ({"account": "208", "api": API, "enrich": {"within": "0s"}}, "source.enrich.within: must be from 1s to 24h"),
        ({"hook": {"token": "short"}}, "source.hook.token: a token needs at least 16 characters"),
        ({"hok": {}}, "source.hok: unknown setting. Did you mean 'hook'?"),
    ],
)
def test_a_mistake_says_where_and_what_to_type(config: Config, source: dict[str, Any], problem: str) -> None:
    [found] = config.problems(text(**source))
    assert problem in found
    assert not any(secret in found for secret in SECRETS)


def test_secrets_are_hidden_and_the_schema_knows_the_section(config: Config) -> None:
    hook = {"token": "token-of-a-hook-0123"}
    source = {"account": "208", "hook": hook, "api": API, "webhooks": WEBHOOKS}
    settings = loaded(config, **source)
    shown = json.dumps(masked(settings), default=str) + repr(settings)
    assert not any(secret in shown for secret in SECRETS)
    assert json.loads(json.dumps(masked(settings)["source"], default=str))["accounts"]["main"]["account"] == "208"
    types = {name: registry.settings_model(name) for name in registry.BUILT_IN}
    jsonschema.validate(json.loads(text(**source)), schema(types))
