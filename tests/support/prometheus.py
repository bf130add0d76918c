"""A real Prometheus and its promtool, Debian's, and what their expressions name."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.stack import free_port, until

MISSING = "no promtool or prometheus here: these rules are checked by the real ones. On Debian: apt install prometheus"
_METRIC = re.compile(r"\b(relay_[a-z_]+)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
#: What Prometheus adds to every series, and what label_replace is told to make.
_ADDED = {"job", "instance"}

Samples = Mapping[str, list[Mapping[str, str]]]


def program(name: str) -> str:
    """Its path. Skips where it is not installed, which fails in CI (conftest)."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(MISSING)
    return found


def strangers(expression: str, samples: Samples) -> list[str]:
    """What an expression names and no sample has: a metric, a label, a value that a label is compared with."""
    found: list[str] = []
    labels = set(_ADDED)
    for name, selector in _METRIC.findall(expression):
        if name not in samples:
            found.append(name)
            continue
        has = {label for sample in samples[name] for label in sample}
        labels |= has
        for label, how, value in _MATCHER.findall(selector):
            if label in _ADDED:
                continue
            if label not in has:
                found.append(f"{name}{{{label}}}")
            elif how in ("=", "!=") and not any(sample.get(label) == value for sample in samples[name]):
                found.append(f'{name}{{{label}="{value}"}}')
    labels |= set(re.findall(r'label_replace\(.*?,\s*"(\w+)",', expression, re.DOTALL))
    for grouping in _GROUPING.findall(expression):
        found += [f"by ({label})" for label in re.findall(r"\w+", grouping) if label not in labels]
    return found


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, expression: str) -> list[Mapping[str, Any]]:
        """The samples of an expression now. Fails on one that Prometheus does not understand."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result = answer["data"]["result"]
        return result if answer["data"]["resultType"] == "vector" else [{"value": result}]

    def rules(self) -> list[Mapping[str, Any]]:
        groups = requests.get(f"{self.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def raised(self) -> set[str]:
        """The alerts that are pending or firing."""
        return {rule["name"] for rule in self.rules() if rule["state"] != "inactive"}


@contextmanager
def prometheus(folder: Path, config: Path, token: str, target: str) -> Iterator[Prometheus]:
    """Prometheus with this configuration and its rules, each second, at one target."""
    folder.mkdir()
    wanted = yaml.safe_load(config.read_text())
    wanted["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    wanted["rule_files"] = [str(config.parent / name) for name in wanted["rule_files"]]
    (job,) = wanted["scrape_configs"]
    (folder / "token").write_text(token)
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(wanted))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    made = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(lambda: _ready(made.url), what="Prometheus")
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False
