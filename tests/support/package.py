"""Wheels and sdists, built as a release is, and environments outside the repository to install them into."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
#: The moment of a commit, as git log gives it.
MOMENT = "1700000000"
_BUILD = "import sys, reproducible as backend; getattr(backend, sys.argv[1])(sys.argv[2])"


@dataclass(frozen=True)
class Built:
    """One build."""

    sdist: Path
    wheel: Path


@cache
def tracked() -> list[Path]:
    """What a commit of everything here would hold. Asked for once, when tests are collected, so that none has to start
    git."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({Path(name) for name in names if name and (ROOT / name).exists()})


def twice(folder: Path) -> tuple[Built, Built]:
    """Build in two clones of the repository that differ in what clones differ in, one by way of its sdist. Made once,
    whoever of the processes that share the tests asks first."""
    clones = folder / "one", folder / "another"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _clone(clones[0], umask=0o022)
            _clone(clones[1], umask=0o077)
            _together(("build_sdist", clone, clone.with_suffix(".dist")) for clone in clones)
            (sdist,) = clones[0].with_suffix(".dist").glob("*.tar.gz")
            with tarfile.open(sdist) as packed:
                packed.extractall(folder, filter="data")
            unpacked = folder / sdist.name.removesuffix(".tar.gz")
            _together(
                ("build_wheel", source, clone.with_suffix(".dist"))
                for source, clone in zip((unpacked, clones[1]), clones, strict=True)
            )
            (folder / "done").touch()
    one, another = (
        Built(*(next(clone.with_suffix(".dist").glob(kind)) for kind in ("*.tar.gz", "*.whl"))) for clone in clones
    )
    return one, another


def _clone(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        for name in tracked():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
            (folder / name).chmod((ROOT / name).stat().st_mode & ~umask)
    finally:
        os.umask(before)


def _together(builds: Iterator[tuple[str, Path, Path]]) -> None:
    running = []
    for hook, source, into in builds:
        into.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(source / "release"), "SOURCE_DATE_EPOCH": MOMENT}
        command = [sys.executable, "-c", _BUILD, hook, str(into)]
        output = (into / f"{hook}.log").open("wb")
        running.append((subprocess.Popen(command, cwd=source, env=environment, stdout=output, stderr=output), output))
    for process, output in running:
        assert process.wait() == 0, Path(output.name).read_text()


def wheel_of(source: Path, into: Path) -> Path:
    """A wheel of another project."""
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(into), str(source))
    (wheel,) = into.glob("*.whl")
    return wheel


def environment_with(folder: Path, wheels: Sequence[Path], *, extra: Sequence[str] = ()) -> Path:
    """A new environment with the wheels, all that they declare, `extra`, and nothing else. Returns its folder of
    programs. What is declared is linked from the environment of the tests, where it is pinned."""
    venv.create(folder, with_pip=False, symlinks=True)
    place = Path(next(folder.glob("lib/python*/site-packages")))
    pip("--python", str(folder / "bin" / "python"), "install", "--no-compile", *map(str, wheels))
    found = {one.stem.split("-")[0].replace("_", "-") for one in wheels}
    wanted = [need for path in place.glob("*.dist-info") for need in _needs(Distribution.at(path), ())]
    wanted += [Requirement(name) for name in extra]
    while wanted:
        need = wanted.pop()
        name = need.name.lower().replace("_", "-")
        mark = f"{name}[{','.join(sorted(need.extras))}]"
        if mark in found or name in {one.stem.split("-")[0].replace("_", "-") for one in wheels}:
            continue
        found.add(mark)
        there = distribution(need.name)
        assert there.version in need.specifier, (str(need), there.version)
        _link(there, place)
        wanted += _needs(there, tuple(need.extras))
    return folder / "bin"


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments]
    offline = ["--no-deps", "--no-index"]
    done = subprocess.run([*command, *offline], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _needs(package: Distribution, extras: Sequence[str]) -> list[Requirement]:
    needs = [Requirement(text) for text in package.requires or ()]
    return [
        need
        for need in needs
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def _link(package: Distribution, place: Path) -> None:
    tops = {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (place / top).exists():
            (place / top).symlink_to(Path(str(package.locate_file(top))))
