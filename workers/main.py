"""`relay worker`: a Celery worker, wired."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Mapping

import structlog
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_fixed

from core.config.environment import Environment
from core.errors import StoreUnavailable, StoreUnsafe
from core.gc_tuning import loaded
from core.store import check_server, connected
from workers import telemetry
from workers.celery import DRAIN, create, in_background, waker
from workers.runtime import Runtime

log = structlog.get_logger(__name__)


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("store unavailable; waiting", error=str(error))


_patiently = retry(
    retry=retry_if_exception_type(StoreUnavailable),
    wait=wait_fixed(0.5),
    before_sleep=lambda state: _tell(state) if state.attempt_number % 20 == 4 else None,
)


def main(env: Environment, variables: Mapping[str, str]) -> None:
    """Run until a signal says stop; then finish what is in flight. Raises ConfigError, StoreUnsafe.

    A server that does not answer is waited for; a mistake in the configuration is reported before that.
    """
    # Until Celery listens: process 1 of a container ignores a signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    telemetry.start("worker", variables)
    app = create(env)
    runtime = Runtime(env, variables, in_background(waker(app)))
    verdict = _patiently(check_server)(connected(env))
    for doubt in verdict.doubts:
        log.warning("store settings", problem=doubt)
    if verdict.wrong:
        raise StoreUnsafe("; ".join(verdict.wrong))

    _patiently(runtime.prepare)()

    @app.task(name=DRAIN)
    def drain(lane: str) -> None:
        runtime.drain(lane)

    # Celery keeps only weak references to receivers, hence the names.
    def keep_logging(**_: object) -> None: ...
    def ready(**_: object) -> None:
        runtime.start()
        loaded()

    def stopping(**_: object) -> None:
        runtime.stop()

    def stopped(**_: object) -> None:
        runtime.leave()

    setup_logging.connect(keep_logging)
    worker_ready.connect(ready)
    worker_shutting_down.connect(stopping)
    worker_shutdown.connect(stopped)
    # Celery's own account of each wake-up is noise beside ours of each attempt.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns root of pickled messages; ours are JSON, and in the image we are not root.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # Not by way of Celery's command line, which would bring a shell, a prompt and a pager into memory.
    worker = app.Worker(
        hostname=f"relay@{runtime.name.replace(':', '-')}",
        # Threads: deliveries wait for networks. For more cores, more workers (docs/adr/0002).
        pool_cls="threads",
        concurrency=env.concurrency,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()
    raise SystemExit(worker.exitcode)
