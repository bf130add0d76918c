"""What a load balancer or an orchestrator asks."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify

from core.errors import StoreUnavailable
from core.store import Ledger, check
from core.watch import Watched


def blueprint(client: redis.Redis, ledger: Ledger, watched: Watched) -> Blueprint:
    """`/healthz`: this process answers. `/readyz`: what it accepts is safe."""
    pages = Blueprint("ops", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @pages.get("/readyz")
    def readyz() -> tuple[Response, int]:
        try:
            verdict = check(client)
            workers = len(ledger.workers())
        except StoreUnavailable as error:
            return jsonify(status="unavailable", wrong=[f"Redis does not answer: {error}"]), 503
        watched.current()
        doubts = [*verdict.doubts, *([] if workers else ["no worker was heard of in the last minute"])]
        if watched.trouble:
            doubts.append(f"a change of the configuration was refused: {watched.trouble}")
        if not watched.current().tokens:
            doubts.append("there is no token: set SMARTSUPP_TOKEN, or nothing can be accepted")
        status = "unavailable" if verdict.wrong else "ready"
        answer = {"status": status, "redis": verdict.version, "wrong": verdict.wrong, "doubts": doubts}
        return jsonify(answer), 503 if verdict.wrong else 200

    return pages
