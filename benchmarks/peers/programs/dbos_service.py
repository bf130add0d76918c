"""Durable workflows of DBOS on PostgreSQL. Runs with the packages of its own folder, as a script."""

# mypy: ignore-errors

import hashlib
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from dbos import DBOS

DBOS(config={"name": "peer", "system_database_url": os.environ["PEER_DATABASE"], "run_admin_server": False})
session = requests.Session()


@DBOS.step(retries_allowed=True, max_attempts=10)
def post(body: str) -> None:
    signature = hmac.new(os.environ["PEER_SECRET"].encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    session.post(os.environ["PEER_TARGET"], data=body.encode(), headers=headers, timeout=20).raise_for_status()


@DBOS.workflow()
def deliver(chat: dict) -> None:
    post(json.dumps(chat))


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        DBOS.start_workflow(deliver, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: a line for each request is no part of the job."""


if __name__ == "__main__":
    DBOS.launch()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PEER_PORT"])), Hook).serve_forever()
