"""The Celery app: how workers hear of work. A message says only "there is work in this lane" (docs/adr/0001)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from ssl import CERT_REQUIRED
from urllib.parse import quote

import structlog
from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from core.config.environment import Environment
from core.config.redis_url import Address, parse_redis_url
from core.store.connection.client import TIMEOUTS, sentinel_options
from core.store.protocol.keys import CELERY_PREFIX

log = structlog.get_logger(__name__)

#: The one task. Its name is frozen: a worker of another version drops what it does not know.
DRAIN = "relay.drain"
#: Seconds after which a wake-up that nobody heard means nothing any more; the tick has sent others.
WAKE_UP_EXPIRES = 60


def create(env: Environment) -> Celery:
    """The app, with the reason for each of its settings."""
    address = parse_redis_url(env.server_url)
    app = Celery("relay")
    app.conf.update(
        broker_url=broker_url(address),
        # Certificates are always verified.
        broker_use_ssl={"ssl_cert_reqs": CERT_REQUIRED, **address.files} if address.tls else None,
        broker_transport_options={
            **TIMEOUTS,
            **(
                {"master_name": address.service, "sentinel_kwargs": sentinel_options(address)}
                if address.service
                else {}
            ),
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
        # Frozen, like every name in Redis: workers of two versions share it.
        task_default_queue="knocks",
        # The store has every result; Celery's own would cost a write each.
        task_ignore_result=True,
        task_acks_late=False,
        # A worker that hoards wake-ups keeps them from those with a free thread.
        worker_prefetch_multiplier=1,
        # Events and remote control are chatter in Redis that nobody here listens to.
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def broker_url(address: Address) -> str:
    """An address as kombu spells it: several Sentinels are several URLs with ';' between them."""
    who = f"{quote(address.username or '', safe='')}:{quote(address.password or '', safe='')}@"
    who = "" if who == ":@" else who
    if address.path:
        return f"redis+socket://{who}{quote(address.path)}?virtual_host={address.database}"
    scheme = "sentinel" if address.service else "rediss" if address.tls else "redis"
    hosts = [(f"[{host}]" if ":" in host else quote(host), port) for host, port in address.hosts]
    return ";".join(f"{scheme}://{who}{host}:{port}/{address.database}" for host, port in hosts)


def waker(app: Celery) -> Callable[[str], None]:
    """Returns a function that tells the workers of work in a lane. It never raises: a tick makes up for a lost one."""

    def wake_up(lane: str) -> None:
        try:
            app.send_task(DRAIN, (lane,), expires=WAKE_UP_EXPIRES, retry=False)
        except (KombuError, CeleryError, RedisError, OSError) as error:
            log.warning("no wake-up sent", lane=lane, error=str(error))

    return wake_up


def in_background(wake_up: Callable[[str], None]) -> Callable[[str], None]:
    """The same, from a thread of its own, in order: while a wake-up waits for a server that says nothing, the leases of
    whoever sends it would run out. Traces go on, as the caller's context goes with it."""
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                waiting.get()()
            except Exception:  # the tick makes up for one lost wake-up, but not for all that this thread has to send
                log.exception("unhandled error in a wake-up")

    started = threading.Lock()

    def later(lane: str) -> None:
        if started.acquire(blocking=False):  # with the first one: not everybody who may wake somebody does
            threading.Thread(target=work, name="wake-ups", daemon=True).start()
        context = copy_context()
        waiting.put(lambda: context.run(wake_up, lane))

    return later
