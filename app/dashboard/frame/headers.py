"""Headers of every answer of the dashboard, and its static files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory, url_for
from werkzeug.exceptions import NotFound

_FOLDER = Path(__file__).parents[1] / "static"
_YEAR = 365 * 24 * 3600

#: Nothing from elsewhere, nothing inline, in nobody's frame.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Nobody whose page is opened from here learns which conversation it was.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def guarded(response: Response) -> Response:
    """Add them. Pages are kept nowhere; a page that knows better has said so already."""
    response.headers.update(_ALWAYS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(("Accept-Language", "Cookie"))
    return response


def static_files(pages: Blueprint) -> None:
    """`/static/NAME`, and `asset(NAME)` in templates: an address that changes with the file."""
    digests = {
        file.relative_to(_FOLDER).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for file in sorted(_FOLDER.rglob("*"))
        if file.is_file()
    }

    @pages.get("/static/<path:name>")
    def static(name: str) -> Response:
        if name not in digests:
            raise NotFound
        response = send_from_directory(_FOLDER, name, etag=digests[name])
        # An address without the digest, or with that of another version, may mean something else tomorrow.
        known = request.args.get("v") == digests[name]
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable" if known else "no-cache"
        return response

    @pages.app_template_global()
    def asset(name: str) -> str:
        return url_for("dashboard.static", name=name, v=digests[name])
