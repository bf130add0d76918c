"""What processes that run for long are without: each megabyte is there as often as there are processes."""

from __future__ import annotations

import calendar
import json
import subprocess
import sys

import pytest

from core.lean_imports import hidden

#: For a destination, a way of alerting, keys or traces that somebody may have set up.
_FOR_SOME = ["cryptography.fernet", "jwt", "oauthlib", "opentelemetry", "phonenumbers", "re2", "sentry_sdk", "smtplib"]
_FOR_NOBODY = ["apprise", "chardet", "charset_normalizer", "pygments", "rich"]
#: What the two processes do without that only start others.
_LARGE = ["celery", "core.config.settings", "flask", "kombu", "pydantic", "redis", "requests", "structlog", "urllib3"]
_PROCESSES = {
    "supervisor": (["app.supervisor.supervisord"], [*_FOR_SOME, *_FOR_NOBODY, *_LARGE, "click", "ssl"]),
    "starter of the receiver": (["app.cli", "app.server.main"], [*_FOR_SOME, *_FOR_NOBODY, *_LARGE]),
    "receiver": (
        ["app.cli", "app.server.main", "app.server.serving", "app.server.application"],
        [*_FOR_SOME, *_FOR_NOBODY, "babel", "stdnum", "workers.alerts.sending", "workers.runtime"],
    ),
    "worker": (
        ["app.cli", "workers.main", "workers.runtime", "celery.apps.worker"],
        [*_FOR_SOME, *_FOR_NOBODY, "babel", "flask", "stdnum", "workers.alerts.sending"],
    ),
}


def _fresh(program: str, *arguments: str) -> str:
    """What a new process prints, which takes any warning for an error."""
    command = [sys.executable, "-W", "error:Unable to find", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.processes
@pytest.mark.parametrize("process", _PROCESSES)
def test_a_process_that_runs_for_long_is_without_what_it_does_not_need(process: str) -> None:
    modules, unwanted = _PROCESSES[process]
    program = (
        "import importlib, json, sys\n"
        "for one in sys.argv[1:]: importlib.import_module(one)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(_fresh(program, *modules)))
    assert set(modules) <= loaded
    assert not loaded & set(unwanted)


@pytest.mark.processes
def test_whoever_needs_what_was_kept_from_another_gets_it() -> None:
    program = (
        "import core, structlog, requests, redis, flask_wtf\n"
        "from redis.observability import providers\n"
        "assert not providers.OTEL_AVAILABLE\n"
        "import rich.table, charset_normalizer, babel.dates, opentelemetry.trace\n"
        "answer = requests.Response()\n"
        "answer._content, answer.encoding = 'Dobrý den, žluťoučký kůň'.encode(), None\n"
        "print(answer.text == 'Dobrý den, žluťoučký kůň')"
    )
    assert _fresh(program) == "True\n"


def test_what_is_hidden_comes_back_as_it_was() -> None:
    with hidden("calendar", "no_such_package"):
        with pytest.raises(ModuleNotFoundError):
            __import__("calendar")
        with pytest.raises(ModuleNotFoundError):
            __import__("no_such_package")
    assert __import__("calendar") is calendar
    assert "no_such_package" not in sys.modules
