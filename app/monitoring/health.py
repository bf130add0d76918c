"""What a load balancer or an orchestrator asks."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify

from app.monitoring.admission import Admission
from core.config.reload import Watched
from core.errors import StoreUnavailable
from core.store import Ledger, check_server


def blueprint(client: redis.Redis, ledger: Ledger, watched: Watched, admission: Admission) -> Blueprint:
    """`/healthz`: this process answers. `/readyz`: what it accepts is safe. Names of machines, versions and words of
    the configuration are only for those whom /metrics would answer."""
    pages = Blueprint("ops", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @pages.get("/readyz")
    def readyz() -> tuple[Response, int]:
        known = admission.admits()
        try:
            verdict = check_server(client)
            workers = len(ledger.workers())
        except StoreUnavailable as error:
            why = f": {error}" if known else ""
            return jsonify(status="unavailable", wrong=[f"the store does not respond{why}"]), 503
        watched.current()
        doubts = [*verdict.doubts, *([] if workers else ["no worker is running"])]
        if watched.trouble:
            why = f": {watched.trouble}" if known else ""
            doubts.append(f"a change of the configuration was refused{why}")
        if not watched.current().tokens:
            doubts.append("no token is set, so no chat can be accepted: set SMARTSUPP_TOKEN")
        status = "unavailable" if verdict.wrong else "ready"
        version = {"redis": verdict.version} if known else {}
        answer = {"status": status, **version, "wrong": verdict.wrong, "doubts": doubts}
        return jsonify(answer), 503 if verdict.wrong else 200

    return pages
