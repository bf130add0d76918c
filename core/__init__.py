"""What the receiver, the workers and the connectors share. No Flask, no Celery and no vendor in here."""

import importlib
import sys

# structlog takes rich where it is there, 4 MB in every process, for a colourful console that is not ours. Who prints
# tables with it, the command line, imports it later.
_there = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]  # to Python, that there is none
importlib.import_module("structlog")
del sys.modules["rich"]
if _there:
    sys.modules["rich"] = _there
