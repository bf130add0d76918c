"""The runner: every benchmark, or some, one after the other. A table for people, JSON for machines."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.accepting import accepting
from benchmarks.against import JOBS, against
from benchmarks.child import ROOT
from benchmarks.dashboard import year_of_chats
from benchmarks.delivering import delivering
from benchmarks.depth import depth
from benchmarks.figures import Figure, Missing, Result
from benchmarks.growing import growing
from benchmarks.places import places
from benchmarks.resting import resting
from benchmarks.scaling import scaling
from benchmarks.secure import secure
from benchmarks.setting import Setting
from benchmarks.waiting import idle, isolated

#: Waiting deliveries in g.
DEPTHS = (1_000, 10_000, 100_000)

LATEST = Path(__file__).parent / "latest.json"

ALL: Mapping[str, Callable[[Setting], Result]] = {
    "a": accepting,
    "b": delivering,
    "c": scaling,
    "d": idle,
    "e": isolated,
    "f": resting,
    "g": depth,
    "h": growing,
    "j": places,
    "k": secure,
}


def main() -> int:
    wanted = _options().parse_args()
    run: Mapping[str, Callable[[Setting], Result]] = ALL
    if wanted.against:
        run = {name: partial(against, revision=wanted.against, job=job) for name, job in JOBS.items()}
    if wanted.conversations and not wanted.against:
        run = {**ALL, "i": year_of_chats}
    if unknown := set(wanted.only) - set(run):
        raise SystemExit(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(run)}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    console = Console()
    report: dict[str, Any] = {"machine": machine.described()}
    if not machine.has_proc():
        console.print("This system has no /proc: memory (f), and how busy the machine is, are not measured here.")
    place = wanted.folder or ROOT / "var"  # not in /tmp, which is no disk on some systems
    place.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=place, ignore_cleanup_errors=True) as folder:
        setting = Setting(
            folder=Path(folder),
            console=console,
            seconds=0.5 if wanted.quick else wanted.seconds,
            rounds=1 if wanted.quick else wanted.rounds,
            workers=wanted.workers,
            quick=wanted.quick,
            depths=wanted.depths,
            conversations=wanted.conversations,
        )
        for key in wanted.only or run:
            report[key] = _measured(key, run[key], setting)
    report["machine"]["seconds"] = round(time.monotonic() - begun)
    report["machine"]["options"] = {name: getattr(setting, name) for name in ("seconds", "rounds", "workers", "quick")}
    out = wanted.out or (None if wanted.only or wanted.quick or wanted.against else LATEST)
    if out:
        out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def stop(number: int, _: object) -> None:
    """End what was started, on the way out; whoever asks a second time does not stop that."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


def _measured(key: str, measure: Callable[[Setting], Result], setting: Setting) -> dict[str, Any]:
    try:
        result = measure(setting)
    except Missing as lack:
        setting.console.print(f"({key}) not measured: {lack}", highlight=False)
        return {"missing": str(lack)}
    setting.console.print(table(key, result))
    for note in result.notes:
        setting.console.print(f"  {note}", highlight=False)
    return result.as_dict()


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    options.add_argument("--only", type=keys, default=[], help="which, such as a,b; without it all of them")
    options.add_argument(
        "--against", help="a commit: this tree and that one side by side (one, two, tls, slow64, slow256)"
    )
    options.add_argument("--seconds", type=float, default=6.0, help="what one measurement is to take, about")
    options.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    options.add_argument("--workers", type=int, default=machine.cores(), help="worker processes in b, d, e and g")
    options.add_argument(
        "--depths",
        type=_numbers,
        default=DEPTHS,
        help="how many wait in g, such as 1000,1000000; some 5 kB of memory each",
    )
    options.add_argument(
        "--conversations",
        type=int,
        default=0,
        help="also (i): the dashboard's pages with so many chats of a year; 365000 take some minutes and 3 GB",
    )
    options.add_argument(
        "--quick", action="store_true", help="as little as shows that it runs; the figures mean nothing"
    )
    options.add_argument("--folder", type=Path, help="where the servers keep their data; on a disk")
    options.add_argument("--out", type=Path, help="where the JSON goes; without it a whole run goes to latest.json")
    return options


def keys(text: str) -> Sequence[str]:
    return text.replace(",", " ").split()


def _numbers(text: str) -> Sequence[int]:
    return [int(one) for one in keys(text)]


def table(key: str, result: Result) -> Table:
    table = Table("", "Unit", "Min", "Median", "Max", "Wanted", title=f"({key}) {result.title}", title_justify="left")
    for what, figures in (("", result.figures), ("ceiling: ", result.ceiling), ("ratio: ", result.ratios)):
        for one in figures:
            table.add_row(
                what + one.name, one.unit, *map(short, (min(one.rounds), one.median, max(one.rounds))), _verdict(one)
            )
    return table


def _verdict(figure: Figure) -> str:
    if figure.reached is None:
        return ""
    return f"{figure.wanted} " + ("[green]✓[/]" if figure.reached else "[red]✗[/]")


def short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
