"""The check of words (tests/words.py) finds what it looks for, where it looks, and nothing of it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.words import findings

PLANTED = {
    "README.md": "The connector goes on by itself.\n",
    "docs/page.md": "Fine.\n\nA visitor without an e-mail.\n",
    "app/cli/setup/relay.example.yaml": "# Who gets notices\n",
    "app/dashboard/templates/page.html": "<p>Nothing was given up</p>\n",
    "app/cli/one.py": '@command\ndef one() -> None:\n    """Tell of trouble."""\n',
    "core/log.py": 'log.warning("the connector is held back")\n',
}
FINE = {
    "docs/glossary.md": "knock: wake-up\n",
    "docs/page.md": "Redis says `knock`. There is no place.\n",
    "app/dashboard/templates/page.html": "{# knock #}<p>All is well</p>\n",
    "core/keys.py": '"""Whoever knocks."""\nKEY = "knock"\n',
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("name", PLANTED)
def test_a_word_that_is_planted_is_found(tmp_path: Path, name: str) -> None:
    [found] = findings(written(tmp_path, {name: PLANTED[name]}))
    assert found.startswith(f"{name}:")


def test_names_quotations_and_the_glossary_may_have_them(tmp_path: Path) -> None:
    assert findings(written(tmp_path, FINE)) == []


def test_there_are_none_here() -> None:
    assert findings() == []
