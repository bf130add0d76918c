"""A process of the benchmarks that is told what to do: lines of JSON to its stdin, lines of JSON from its stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


class Child:
    """`with Child("benchmarks.outside") as outside: outside.ask("forget")`. `hello` is what it said first."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the one who asks; this one ends with its stdin.
            start_new_session=True,
        )
        self.hello = self.answer()

    def tell(self, do: str, **more: Any) -> None:
        """Ask without waiting for the answer."""
        stdin = self._process.stdin
        assert stdin  # noqa: S101  # says the type; it was asked for above
        stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        stdin.flush()

    def answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout  # noqa: S101  # says the type; it was asked for above
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        self.tell(do, **more)
        return self.answer()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
