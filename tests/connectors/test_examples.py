"""The examples of `type: http` (docs/connectors/examples), of which each runs against the real system in tests/live."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from connectors import registry

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "connectors" / "http.md"
EXAMPLES = sorted((_PAGE.parent / "examples").glob("*.yaml"))


@pytest.fixture(params=EXAMPLES, ids=[one.stem for one in EXAMPLES])
def example(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def test_an_example_can_be_taken_as_it_stands(example: Path) -> None:
    ((name, written),) = yaml.safe_load(example.read_text())["connectors"].items()
    kind = registry.find(written["type"])
    addresses = re.sub(r"\$\{\w+_URL\}", "https://desk.example.com", json.dumps(written))
    settings = kind.settings_model.model_validate(json.loads(re.sub(r"\$\{\w+\}", "something", addresses)))
    assert kind(name, settings, Path()).name == name


def test_an_example_writes_no_secret_and_no_address_of_anybodys(example: Path) -> None:
    said = example.read_text()
    assert re.search(r"\$\{\w+_URL\}", said)
    assert "http://" not in said
    assert "https://" not in said


def test_an_example_is_on_the_page_and_is_tried_against_the_real_system(example: Path) -> None:
    assert f"](examples/{example.name})" in _PAGE.read_text()
    tried = _ROOT / "tests" / "live" / f"test_{example.stem.replace('-', '_')}.py"
    assert f'example = "{example.stem}"' in tried.read_text()
