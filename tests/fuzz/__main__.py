# ruff: noqa: PLC0415  # the targets are imported by the child, and there under atheris's eyes
"""`python -m tests.fuzz`: every target at length, one process each, guided by coverage (atheris, that is libFuzzer).

Where there is no atheris, seeds are mutated by dice, and the table says so. Exit code 1: something was found, or too
few inputs were tried.
"""

from __future__ import annotations

import argparse
import logging
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import structlog

GUIDED = find_spec("atheris") is not None
#: Where coverage is looked at. What evaluates templates is left alone: it would only be slow.
INSTRUMENTED = ["app", "core", "connectors", "jinja2", "yaml"]
NOT_INSTRUMENTED = [
    "core.templates.sandbox",
    *(f"jinja2.{name}" for name in ("sandbox", "filters", "runtime", "utils", "tests")),
]

_LAST = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass(frozen=True)
class Outcome:
    name: str
    inputs: int
    seconds: float
    coverage: str
    error: str = ""


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        return _child(sys.argv[2], sys.argv[3:])
    options = argparse.ArgumentParser(prog="python -m tests.fuzz")
    options.add_argument("targets", nargs="*", help="all, unless named")
    options.add_argument("--runs", type=int, default=20_000, help="inputs for each target at most")
    options.add_argument("--seconds", type=int, default=60, help="for each target at most")
    options.add_argument("--at-least", type=int, default=0, help="inputs in all; fewer are a failure")
    options.add_argument("--input", type=Path, help="run the named target on this file, and nothing else")
    asked = options.parse_args()

    from tests.fuzz.mutation import judged, ready
    from tests.fuzz.pages import served

    with served():
        if asked.input:
            ready(asked.targets[0])
            judged(asked.targets[0], asked.input.read_bytes())
            return 0
        return _all(asked)


def _all(asked: argparse.Namespace) -> int:
    from tests.fuzz.targets import TARGETS

    found = []
    _say(f"{'target':<15}{'inputs':>9}{'seconds':>9}  {'coverage' if GUIDED else 'no atheris here: mutated by dice'}")
    for name in asked.targets or TARGETS:
        found.append(one := (_guided if GUIDED else _by_dice)(name, asked.runs, asked.seconds))
        _say(f"{one.name:<15}{one.inputs:>9}{one.seconds:>9.0f}  {one.coverage}{one.error}")
    total = sum(one.inputs for one in found)
    _say(f"{'all':<15}{total:>9}{sum(one.seconds for one in found):>9.0f}")
    return int(total < asked.at_least or any(one.error for one in found))


def _guided(name: str, runs: int, seconds: int) -> Outcome:
    from tests.fuzz.mutation import LONGEST
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    findings = Path(tempfile.gettempdir()) / "relay-fuzz"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        words = Path(folder) / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        limits = [
            f"-runs={runs}",
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            "-timeout=60",
            "-rss_limit_mb=2048",
        ]
        places = [f"-dict={words}", f"-artifact_prefix={findings}/{name}-", str(corpus)]
        command = [sys.executable, "-m", "tests.fuzz", "--child", name, *limits, *places]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    last = _LAST.search(done.stderr)
    seen = [int(number) for number in re.findall(r"^#(\d+)\s", done.stderr, re.MULTILINE)]
    coverage = f"{last[2]} edges, {last[3]} features, {last[4]} kept" if last else ""
    error = "" if last and done.returncode == 0 else "\n" + (done.stdout + done.stderr)[-3000:]
    return Outcome(name, max(seen, default=0), time.monotonic() - started, coverage, error)


def _escaped(word: str) -> str:
    return word.replace("\\\\", "\\").replace("\\", "\\\\").replace('"', '\\"')


def _child(name: str, arguments: list[str]) -> int:
    import atheris  # type: ignore[import-untyped]  # it has none

    with atheris.instrument_imports(include=INSTRUMENTED, exclude=NOT_INSTRUMENTED):
        from tests.fuzz.mutation import judged, ready, rearranged
        from tests.fuzz.targets import TARGETS

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        dice = random.Random(seed)
        new = rearranged(data, dice) if dice.random() < 0.7 else atheris.Mutate(data, longest)
        return new[:longest]

    # A line of log for each request takes longer than many a request.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    ready(name)
    options = {"custom_mutator": changed} if TARGETS[name].json else {}
    atheris.Setup([sys.argv[0], *arguments], lambda data: judged(name, data), **options)
    atheris.Fuzz()
    return 0


def _by_dice(name: str, runs: int, seconds: int) -> Outcome:
    from tests.fuzz.mutation import inputs, judged
    from tests.fuzz.targets import TARGETS

    started, number = time.monotonic(), 0
    for number, data in enumerate(inputs(TARGETS[name], random.Random()), 1):
        try:
            judged(name, data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what was looked for
            return Outcome(name, number, time.monotonic() - started, "", f"{type(error).__name__}: {error}\n{data!r}")
        if number >= runs or time.monotonic() - started > seconds:
            break
    return Outcome(name, number, time.monotonic() - started, "")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
