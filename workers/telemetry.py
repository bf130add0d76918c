"""OpenTelemetry and Sentry, both optional and off unless the environment asks for them.

What leaves is what is named here, whatever the instrumentations collect: no body, no text, no address with its path, no
message of an exception, no local variable. A span and a report name what they are about by its ids.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import structlog
from requests import PreparedRequest

from connectors.kit.transport import adapter

log = structlog.get_logger(__name__)

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

#: What says which conversation something is about (core/log.py).
IDS = ("payload", "conversation", "delivery", "connector", "lane")

#: Attributes of a span that say nothing about a visitor and hold no secret.
_EXPORTABLE = frozenset(
    {
        *(f"relay.{name}" for name in IDS),
        *("http.method", "http.request.method", "http.status_code", "http.response.status_code", "http.route"),
        *("db.system", "db.system.name", "db.redis.pipeline_length", "error.type", "exception.type"),
        *("messaging.destination", "celery.action", "celery.task_name", "celery.state"),
    }
)
_FULL_URLS = ("url.full", "http.url")
#: What a report keeps of what Sentry's integrations collect; `exception` and `logentry` are made anew.
_REPORTED = (
    *("event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "sdk", "logger"),
    *("transaction", "modules"),
)


def start(role: str, variables: Mapping[str, str], app: Any = None) -> None:
    """Begin what is asked for, in this process. `role` is "receiver" or "worker", `app` the Flask application.

    A missing extra is said and no reason to stop: deliveries matter more.
    """
    if _traced(variables):
        try:
            _trace(role, app)
        except ImportError as error:
            _missing("otel", error)
    if dsn := variables.get("SENTRY_DSN"):
        try:
            _report(role, dsn)
        except ImportError as error:
            _missing("sentry", error)


def _traced(variables: Mapping[str, str]) -> bool:
    said = variables.get("RELAY_OTEL", "").strip().lower()
    if said in (*_ON, *_OFF):
        return said in _ON
    return any(variables.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT") for part in ("", "TRACES_"))


def _missing(extra: str, error: ImportError) -> None:
    log.error(
        "telemetry is off: its packages are not installed",
        package=error.name,
        remedy=f"pip install '.[{extra}]' in the source folder",
    )


# --- OpenTelemetry -----------------------------------------------------------


def _trace(role: str, app: Any) -> None:
    from opentelemetry import trace  # noqa: PLC0415  # the extra may be missing, here and below
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.celery import CeleryInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.flask import FlaskInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: PLC0415
    from opentelemetry.propagate import inject  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult  # noqa: PLC0415
    from opentelemetry.trace import SpanKind, Status  # noqa: PLC0415

    class Named(SpanProcessor):
        """Gives every span the ids that its log lines have."""

        def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK's signature
            bound = structlog.contextvars.get_contextvars()
            span.set_attributes({f"relay.{name}": str(bound[name]) for name in IDS if name in bound})

    class Busy(Sampler):
        """As the environment says (OTEL_TRACES_SAMPLER), but for the looks of those who have nothing to do."""

        def __init__(self, inner: Sampler) -> None:
            self._inner = inner

        def should_sample(
            self, parent_context: Any, trace_id: int, name: str, kind: Any = None, *others: Any, **more: Any
        ) -> SamplingResult:
            parent = trace.get_current_span(parent_context).get_span_context()
            if kind is SpanKind.CLIENT and not parent.is_valid:
                return SamplingResult(Decision.DROP)
            return self._inner.should_sample(parent_context, trace_id, name, kind, *others, **more)

        def get_description(self) -> str:
            return f"Busy({self._inner.get_description()})"

    class Discreet(SpanExporter):
        """Lets out what is spoken of, and nothing else."""

        def __init__(self, inner: SpanExporter) -> None:
            self._inner = inner

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return self._inner.export([self._told(span) for span in spans])

        def shutdown(self) -> None:
            self._inner.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return self._inner.force_flush(timeout_millis)

        def _told(self, span: ReadableSpan) -> ReadableSpan:
            given = dict(span.attributes or {})
            method = str(given.get("http.request.method") or given.get("http.method") or "request")
            # Where no route is known, the instrumentation names the path, and with it perhaps the token.
            name = f"{method} {given.get('http.route', '')}".strip() if span.kind is SpanKind.SERVER else span.name
            return ReadableSpan(
                name=name[:100],
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                attributes=exportable(given),
                kind=span.kind,
                status=Status(span.status.status_code),
                start_time=span.start_time,
                end_time=span.end_time,
                instrumentation_scope=span.instrumentation_scope,
            )

    name = os.environ.get("OTEL_SERVICE_NAME") or f"relay-{role}"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.sampler = Busy(provider.sampler)
    provider.add_span_processor(Named())
    provider.add_span_processor(BatchSpanProcessor(Discreet(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    # They have no types of their own.
    instrumentors: Sequence[Any] = (CeleryInstrumentor, RedisInstrumentor)
    for instrumentor in instrumentors:
        instrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("relay")

    @contextmanager
    def span(request: PreparedRequest) -> Iterator[Callable[[int], None]]:
        """Of a request that a connector sends, spelled as OpenTelemetry's instrumentation of urllib3 does."""
        method, url = request.method or "", request.url or ""
        about = {"http.method": method, "http.url": url}
        with tracer.start_as_current_span(method, kind=SpanKind.CLIENT, attributes=about) as made:
            inject(request.headers)
            yield lambda status: made.set_attribute("http.status_code", status)

    adapter.spans.append(span)
    if app is not None:
        flask: Any = FlaskInstrumentor
        flask().instrument_app(app, tracer_provider=provider)
    log.info("traces are sent", service=name)


def exportable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes that may be told; of an address, the host alone."""
    found = {name: value for name, value in attributes.items() if name in _EXPORTABLE}
    for name in _FULL_URLS:
        host = _host(str(attributes.get(name, "")))
        if host:
            found["server.address"] = host
    return found


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


# --- Sentry ------------------------------------------------------------------


def _report(role: str, dsn: str) -> None:
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk.integrations.celery import CeleryIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.flask import FlaskIntegration  # noqa: PLC0415
    from sentry_sdk.utils import event_from_exception  # noqa: PLC0415

    def discreet(event: Any, hint: dict[str, Any]) -> Any:
        record = hint.get("log_record")
        said = record.msg if record is not None and isinstance(record.msg, dict) else {}
        error = said.get("exc_info")
        if isinstance(error, BaseException) and "exception" not in event:
            # structlog carries it inside of what is said, where Sentry does not look.
            found, _ = event_from_exception(error, client_options=sentry_sdk.get_client().options)
            event["exception"] = found["exception"]
        return reported(event, said, getattr(record, "name", ""), role)

    sentry_sdk.init(
        dsn=dsn,
        release=version("smartsupp-relay"),
        integrations=[FlaskIntegration(), CeleryIntegration()],
        # Nothing of what happens to be installed besides.
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        # No header of ours in requests to vendors.
        trace_propagation_targets=[],
        before_send=discreet,
    )
    log.info("errors are reported to Sentry", role=role)


def reported(event: Mapping[str, Any], said: Mapping[str, Any], logger: str, role: str) -> dict[str, Any]:
    """A report with the kind and the place of each exception, and the ids of what it is about. `said` is the log line
    where there is one; that of a library is not told, for it may hold anything."""
    kept = {name: event[name] for name in _REPORTED if name in event}
    runtime = (event.get("contexts") or {}).get("runtime")
    kept["contexts"] = {"runtime": runtime} if runtime else {}
    kept["tags"] = {"role": role, **{name: str(said[name]) for name in IDS if name in said}}
    if said or logger:
        kept["logentry"] = {"message": str(said["event"]) if "event" in said else f"an error in {logger}"}
    raised = (event.get("exception") or {}).get("values") or ()
    if raised:
        kept["exception"] = {"values": [_raised(one) for one in raised]}
    return kept


def _raised(one: Mapping[str, Any]) -> dict[str, Any]:
    frames = (one.get("stacktrace") or {}).get("frames") or ()
    places = [{name: value for name, value in frame.items() if name != "vars"} for frame in frames]
    kept = {name: one[name] for name in ("type", "module", "mechanism") if name in one}
    return {**kept, "stacktrace": {"frames": places}} if places else kept
