"""No link in the docs is dead, and every page can be found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.package import ROOT, tracked

PAGES = [file for file in tracked() if file.suffix == ".md"]
#: From here a stranger reaches every page.
START = Path("README.md")
_LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")


def prose(file: Path) -> str:
    """The page without its code."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", (ROOT / file).read_text(), flags=re.MULTILINE | re.DOTALL)


def links(file: Path) -> Iterator[tuple[Path, str]]:
    """Where each relative link leads: a file, and a heading in it or ""."""
    for found in _LINK.finditer(prose(file)):
        target = found[1] or found[2]
        if not re.match(r"[a-z]+:", target):
            name, _, heading = target.partition("#")
            place = (ROOT / file).parent / name if name else ROOT / file
            yield Path(place.resolve()).relative_to(ROOT.resolve()), heading


def headings(file: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", prose(file) if file.suffix == ".md" else "", re.MULTILINE)
    # Code in a heading is part of its anchor, so it is taken from the page as it is written.
    titles += re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_relative_link_is_dead(page: Path) -> None:
    there = set(tracked())
    for target, heading in links(page):
        assert target in there or any(target in file.parents for file in there), f"{page}: {target}"
        if heading:
            assert heading in headings(target), f"{page}: {target}#{heading}"


def test_no_merge_left_its_marks() -> None:
    marks = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)
    assert [str(file) for file in tracked() if marks.search((ROOT / file).read_bytes())] == []


def test_every_page_is_reached_from_the_readme() -> None:
    found, due = set(), [START]
    while due:
        page = due.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        due += [target for target, _ in links(page)]
    assert set(PAGES) - found == set()


def test_every_decision_stands_in_the_index_with_its_title_status_and_date() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "index.md").read_text()
    decisions = sorted(folder.glob("[0-9]*.md"))
    rows = re.findall(
        r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| (accepted|proposed|replaced by \d+) \| (\d{4}-\d\d-\d\d) \|$",
        index,
        re.MULTILINE,
    )
    assert [name for _, _, name, _, _ in rows] == [file.name for file in decisions]
    for file, (number, title, *_) in zip(decisions, rows, strict=True):
        assert file.read_text().splitlines()[0] == f"# {number}. {title}", file.name
        assert int(file.name[:4]) == int(number)


def words(code: str) -> str:
    """Without how far it is set in: the formatter of the pages moves methods to the left."""
    return "\n".join(line.strip() for line in code.splitlines() if line.strip())


def test_the_code_of_the_page_on_connectors_is_that_of_the_example() -> None:
    page = (ROOT / "docs" / "writing-a-connector.md").read_text()
    example = [file for file in tracked() if file.parts[:4] == ("connectors", "testing", "starter", "python")]
    sources = [words((ROOT / file).read_text()) for file in example if file.suffix in (".py", ".toml")]
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shown = [block for block in blocks if "def undecided" not in block]
    assert len(shown) > 6
    for block in shown:
        assert any(words(block) in source for source in sources), block


def test_every_file_that_a_page_of_the_docs_names_is_there() -> None:
    files = {str(file) for file in tracked()}
    places = files | {str(parent) for file in tracked() for parent in file.parents}
    roots = ("app", "connectors", "core", "workers", "tests", "docs", "release", "benchmarks")
    for page in ("CONTRIBUTING.md", "docs/architecture.md", "docs/contributing/releases.md"):
        named = re.findall(rf"`((?:{'|'.join(roots)})/[\w./-]*)", (ROOT / page).read_text())
        assert named, page
        for name in named:
            assert name.rstrip("/") in places, f"{page}: {name}"
