"""The Celery app: how workers hear of work. A message says only "there is work in this lane" (docs/adr/0001)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from core.environment import Environment
from core.store.client import TIMEOUTS
from core.store.keys import CELERY_PREFIX

log = structlog.get_logger(__name__)

#: The one task. Its name is frozen: a worker of another version drops what it does not know.
DRAIN = "relay.drain"
#: Seconds after which a knock that nobody heard means nothing any more; the tick has sent others.
KNOCK_EXPIRES = 60


def create(env: Environment) -> Celery:
    """The app, with the reason for each of its settings."""
    app = Celery("relay")
    app.conf.update(
        broker_url=broker_url(env.server_url),
        broker_transport_options={
            **TIMEOUTS,
            # Several programs may share one Redis.
            "global_keyprefix": CELERY_PREFIX,
            # Nothing runs for long under a message, and nothing is lost with one.
            "visibility_timeout": 120,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        # Redis restarts; workers wait for it as long as it takes.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A server that is read-only, or lacks its replicas, is waited for too; without this a worker ends.
        broker_channel_error_retry=True,
        task_default_queue="knocks",
        # The store has every result; Celery's own would cost a write each.
        task_ignore_result=True,
        task_acks_late=False,
        # A worker that hoards knocks keeps them from those with a free thread.
        worker_prefetch_multiplier=1,
        # Events and remote control are chatter in Redis that nobody here listens to.
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def broker_url(url: str) -> str:
    """A redis-py address as kombu spells it: `unix:///path?db=1` is `redis+socket:///path?virtual_host=1`."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = f"?{parts.query.replace('db=', 'virtual_host=')}" if parts.query else ""
    return f"redis+socket://{parts.path}{database}"


def knocker(app: Celery) -> Callable[[str], None]:
    """Returns a function that tells the workers of work in a lane. It never raises: a tick makes up for a lost one."""

    def knock(lane: str) -> None:
        try:
            app.send_task(DRAIN, (lane,), expires=KNOCK_EXPIRES, retry=False)
        except (KombuError, CeleryError, RedisError, OSError) as error:
            log.warning("could not knock", lane=lane, error=str(error))

    return knock
