"""The tasks. They carry no data."""

from __future__ import annotations

from celery import Celery

from workers.celery import DRAIN
from workers.runtime import Runtime


def register(app: Celery, runtime: Runtime) -> None:
    """Give the app its task, bound to the runtime of this process."""

    @app.task(name=DRAIN)
    def drain(lane: str) -> None:
        runtime.drain(lane)
