"""Flask and Celery as most would write it: `task.delay` in the view, a task that posts and tries again.

It answers 202 before the chat is on disk, and Celery acknowledges a task before it is done: whatever dies takes with it
what it had. Served by `granian benchmarks.peers.programs.naive:app`, worked on by `celery -A … worker`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

import requests
from celery import Celery
from flask import Flask, request

app = Flask(__name__)
celery = Celery(__name__, broker=os.environ.get("PEER_BROKER", ""))


@app.post("/hook")
def hook() -> tuple[dict[str, str], int]:
    deliver.delay(request.get_json())
    return {"status": "accepted"}, 202


@celery.task(autoretry_for=(requests.RequestException,), retry_backoff=True)
def deliver(chat: dict[str, Any]) -> None:
    body = json.dumps(chat).encode()
    signature = hmac.new(os.environ["PEER_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    requests.post(os.environ["PEER_TARGET"], data=body, headers=headers, timeout=20).raise_for_status()
