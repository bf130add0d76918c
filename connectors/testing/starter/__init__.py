"""What a connector of one's own starts from: My Desk, in Python and as a recipe.

Each is a package with its page, a fake of the vendor and a test suite that passes as it is.

`relay connectors new NAME` copies one of them under another name. The command line may import it, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

Way = Literal["python", "recipe"]
_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: What both ways share: they are held against one vendor.
_SHARED = ("tests/conftest.py", "tests/vendor.py")


def default_label(name: str) -> str:
    """How a destination is spelled, unless somebody knows better: Acme Desk for acme-desk."""
    return " ".join(part.capitalize() for part in name.split("-"))


def starter(name: str, label: str, way: Way) -> Mapping[str, str]:
    """The files of a connector of this type's name, by their paths. Raises ValueError for a name that cannot be one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' cannot be a type; write small letters, digits and single dashes, such as acme-desk")
    if not label.isprintable() or not label.strip() or re.search(r"[\"\\{}:#]", label):
        raise ValueError(f"'{label}' cannot stand in every file; leave out quotes, backslashes, braces, ':' and '#'")
    folder = _HERE / way
    found = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*")) if _is_source(file)}
    found |= {path: _HERE / "python" / path for path in _SHARED}
    renamed = {
        "relay_mydesk": f"relay_{name.replace('-', '_')}",
        "MyDesk": "".join(part.capitalize() for part in name.split("-")),
        "My Desk": label,
        "MYDESK": name.replace("-", "_").upper(),
        "mydesk.py": f"{name.replace('-', '_')}.py",
        "mydesk": name,
        '"smartsupp-relay"': f'"smartsupp-relay~={version("smartsupp-relay")}"',
        # The page of the recipe, where it lies here.
        "../python/tests/": "tests/",
    }
    spelled = re.compile("|".join(map(re.escape, renamed)))

    def under_its_name(text: str) -> str:
        return spelled.sub(lambda match: renamed[match[0]], text)

    return {under_its_name(path): under_its_name(file.read_text(encoding="utf-8")) for path, file in found.items()}


def _is_source(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts and not file.name.startswith(".")
