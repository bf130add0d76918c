"""A recipe that adds to a record what goes on in its chat adds only what is new: every recipe that does so."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from connectors import registry
from connectors.http import running
from connectors.http.recipe import Recipe
from connectors.testing.chats import SAMPLE, longer
from connectors.testing.contract import Contract
from tests.connectors.test_bitrix24 import TestBitrix24 as Bitrix24
from tests.connectors.test_dynamics_365 import TestDynamics365 as Dynamics365
from tests.connectors.test_espocrm import TestEspoCrm as EspoCrm
from tests.connectors.test_front import TestFront as Front
from tests.connectors.test_gitlab import TestGitLab as GitLab
from tests.connectors.test_gorgias import TestGorgias as Gorgias
from tests.connectors.test_helpscout import TestHelpScout as HelpScout
from tests.connectors.test_intercom import TestIntercom as Intercom
from tests.connectors.test_jira_service_management import TestJiraServiceManagement as Jira
from tests.connectors.test_raynet import TestRaynet as Raynet
from tests.connectors.test_redmine import TestRedmine as Redmine
from tests.connectors.test_salesforce import TestSalesforce as Salesforce
from tests.connectors.test_zammad import TestZammad as Zammad
from tests.connectors.test_zoho_crm import TestZohoCrm as ZohoCrm
from tests.connectors.test_zoho_desk import TestZohoDesk as ZohoDesk
from tests.support.recipes import Clock

ALL: list[type[Contract]] = [Bitrix24, Dynamics365, EspoCrm, Front, GitLab, Gorgias, HelpScout, Intercom]
ALL += [Jira, Raynet, Redmine, Salesforce, Zammad, ZohoCrm, ZohoDesk]
SUITES = {suite.kind: suite for suite in ALL}


@pytest.fixture(autouse=True)
def an_index_that_lags_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "now", Clock())


def _steps(suite: type[Contract], *chats: dict[str, Any]) -> tuple[str, list[int]]:
    """Deliver these as revisions of one chat. All that arrived, and how many texts there were after each."""
    bench, memory, counts = suite(), dict[str, Any](), list[int]()
    with bench.fake() as vendor:
        connector = bench.connector(vendor)
        for number, chat in enumerate(chats, 1):
            reference = bench.deliver(connector, chat, memory, number)
            assert reference.id
            counts.append(len(vendor.texts()))
        return bench.arrived(vendor), counts


@pytest.mark.parametrize("kind", SUITES)
def test_a_revision_adds_only_what_is_new(kind: str) -> None:
    suite, texts = SUITES[kind], ("tanks.", "One thing more", "And another")
    arrived, counts = _steps(suite, SAMPLE, longer(SAMPLE, texts[1]), longer(SAMPLE, *texts[1:]))
    assert [arrived.count(suite().spread(text)) for text in texts] == [1, 1, 1]
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


@pytest.mark.parametrize("kind", SUITES)
def test_a_revision_without_anything_to_read_adds_no_text_and_keeps_its_record(kind: str) -> None:
    counted = json.loads(json.dumps(SAMPLE))
    counted["channel"]["duration"] = 99
    _, counts = _steps(SUITES[kind], SAMPLE, counted)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("kind", SUITES)
def test_a_revision_in_which_an_earlier_message_is_another_comes_whole(kind: str) -> None:
    suite, changed = SUITES[kind], longer(SAMPLE, "One thing more")
    changed["messages"][0]["content"] = "Corrected"
    arrived, _ = _steps(suite, SAMPLE, changed)
    texts = ("Corrected", "One thing more", "tanks.")
    assert [arrived.count(suite().spread(text)) for text in texts] == [1, 1, 2]


def test_every_recipe_that_adds_texts_is_here() -> None:
    adding = {
        name
        for name in registry.recipes()
        if any(
            step.each and step.mode == "append"
            for step in cast(type[Recipe], registry.find(name)).document.steps.values()
        )
    }
    assert adding == SUITES.keys()
