"""Packages that others import where they are installed, and nothing here needs of them: to those they are not there.

Each costs every process that runs for long one to four megabytes. Whoever does need one imports it himself, before or
after: the command line rich, traces OpenTelemetry.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

#: What is imported -> what it is to do without.
WITHOUT: Mapping[str, Sequence[str]] = {
    # A colourful console that is not ours.
    "structlog": ("rich",),
    # Metrics of the client, which somebody would have to switch on. Traces are made by an instrumentation, without it.
    "redis": ("opentelemetry",),
    # Guessing the encoding of a text whose sender does not say it. Without, it is UTF-8.
    "requests": ("chardet", "charset_normalizer"),
    # Its forms in the visitor's language. Ours are not of that kind; it only signs them.
    "flask_wtf": ("babel",),
}


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """To Python there are none of these meanwhile."""
    there = {name: sys.modules[name] for name in packages if name in sys.modules}
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]  # None: to Python, that there is none
    try:
        with warnings.catch_warnings():
            # requests finds that worth a warning.
            warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")
            yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(there)


class LeanImports:
    """First in `sys.meta_path`, so that it does not matter who imports one of them first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        absent = WITHOUT.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if absent else None
        if not absent or not spec or not spec.loader:
            return None
        execute = spec.loader.exec_module

        def execute_without(module: ModuleType) -> None:
            with hidden(*absent):
                execute(module)

        spec.loader.exec_module = execute_without  # type: ignore[method-assign]  # of this one spec's loader
        return spec


def make_imports_lean() -> None:
    if not any(isinstance(one, LeanImports) for one in sys.meta_path):
        sys.meta_path.insert(0, LeanImports())
