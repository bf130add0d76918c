# syntax=docker/dockerfile:1
# Two stages: pip and its cache stay behind. No compiler is needed, every dependency is a wheel.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/relay
COPY requirements.lock ./
RUN /opt/relay/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY release ./release
COPY core ./core
COPY connectors ./connectors
COPY workers ./workers
COPY app ./app
# otel, sentry or both, for traces and reports of bugs; their own dependencies are not pinned by hash.
ARG EXTRAS=
RUN /opt/relay/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index . \
 && if [ "$EXTRAS" ]; then /opt/relay/bin/pip install --no-cache-dir --no-build-isolation ".[$EXTRAS]"; fi \
 && /opt/relay/bin/pip uninstall --yes pip setuptools

FROM python:3.13-slim
# Not root, and nothing to write to but the data folder.
RUN useradd --system --uid 10001 --home-dir /data relay && install -d -o relay -m 700 /data && touch /etc/relay-image
COPY --from=build /opt/relay /opt/relay
COPY Procfile /app/
ENV PATH=/opt/relay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RELAY_DATA_DIR=/data \
    RELAY_HOST=0.0.0.0 \
    RELAY_LOG=json
WORKDIR /app
USER relay
VOLUME /data
EXPOSE 8000
# With RELAY_REDIS_URL: `relay web` or `relay worker`. Without: everything in one container, with the embedded server.
CMD ["relay", "up"]
