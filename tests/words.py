"""`python -m tests.words`: no text that people read has a word that the glossary has another one for.

Looked at are pages, templates, the example configuration, and texts in the code: string literals with a space in them,
and what commands say in their help. Names in code and in Redis are not texts.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: A pattern, and what to write instead.
BANNED = {
    r"knock\w*": "wake-up, wake",
    r"notices?": "alert",
    r"troubles?": "incident, problem",
    r"errands?": "delivery",
    r"forget(?:s|ting)? (?:a|the) visitor": "erase",
    r"held back|hold(?:s|ing)? \w+ back": "pause, block",
    r"goes on|go on|went on|going on": "continue, resume",
    r"sent ahead|goes ahead|go ahead": "test delivery",
    r"given up|gave up on|give up": "dead letter, discard",
    r"due again|once more": "queued, again",
    r"bugs? of ours|mistake of ours": "internal error",
    r"look into what|looked into": "search",
    r"e-mails?": "email",
    r"spelt": "spelled",
    r"time-outs?": "timeout",
    r"log-ins?": "login",
    r"(?<!there )is no (?!longer|more)\w+": "is not a …",
    r"is said|is told|are told": "the subject that says it",
    r"who(?:m)?ever wonders": "all users",
    r"the server is away|the store is away": "store unavailable",
    r"mend(?:s|ed|ing)?": "repair, correct",
    r"of today|of yesterday": "current, previous",
    r"heard of": "seen",
    r"the right to (?:read|write)": "can read, can write",
    r"tries that failed|(?:put|putting) (?:it )?right": "failed attempts; correct, fix",
    r"the old one goes": "still using the previous version",
    r"called this, too|what goes by itself": "other addresses and ids; automatic deletion",
    r"what waits takes its turn|let it go": "the rest follows in turn; resume",
}
_BANNED = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): better for pattern, better in BANNED.items()}
#: Where old words have to stand: the old spellings that are still understood, and names that are frozen.
_KEPT = re.compile(
    r"`[^`\n]*`|relay forget|relay notices|The section notices|notices: is now called|/\S+/\S+|<!--.*?-->"
    r"|E-Mail-Adresse"
)
_PAGES = ("*.md", "docs/**/*.md", "deploy/**/*.md", "deploy/**/*.yml", "app/cli/setup/relay.example.yaml")
_EXCEPT = ("docs/glossary.md",)
_CODE = ("app", "core", "workers", "connectors")


def texts(root: Path = ROOT) -> Iterator[tuple[str, int, str]]:
    """File, line and text of everything that people read."""
    for pattern in _PAGES:
        for file in sorted(root.glob(pattern)):
            name = str(file.relative_to(root))
            if name not in _EXCEPT and not name.startswith("."):
                yield from ((name, number, line) for number, line in enumerate(file.read_text().splitlines(), 1))
    for file in sorted(root.glob("app/dashboard/templates/*.html")):
        text = re.sub(r"\{#.*?#\}", lambda found: "\n" * found[0].count("\n"), file.read_text(), flags=re.DOTALL)
        name = str(file.relative_to(root))
        yield from ((name, number, line) for number, line in enumerate(text.splitlines(), 1))
    for folder in _CODE:
        for file in sorted((root / folder).rglob("*.py")):
            name = str(file.relative_to(root))
            yield from ((name, line, text) for line, text in literals(file.read_text(), helps="/cli/" in f"/{name}"))


def literals(source: str, *, helps: bool) -> Iterator[tuple[int, str]]:
    """Line and text of each literal; with `helps` also the docstrings of commands."""
    tree = ast.parse(source)
    documented: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            command = helps and isinstance(node, ast.FunctionDef) and bool(node.decorator_list)
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and not command:
                documented.add(id(first.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield from ((node.lineno + add, line) for add, line in enumerate(node.value.splitlines()) if " " in line)


def findings(root: Path = ROOT) -> list[str]:
    found = []
    for name, number, text in texts(root):
        for pattern, better in _BANNED.items():
            found += [f"{name}:{number}: '{one}': write {better}" for one in pattern.findall(_KEPT.sub(" ", text))]
    return found


if __name__ == "__main__":
    hits = findings()
    sys.stdout.write("".join(f"{one}\n" for one in hits))
    sys.exit(bool(hits))
