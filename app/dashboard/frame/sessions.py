"""Sessions of the dashboard: Flask's signed cookies, with a secret that lies in the store.

Opening one touches nothing, so that the receiver needs no session and the app comes up without a store. The dashboard
loads it, with the secret of this moment; only one that was loaded is written back.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from flask import Flask, Request, Response, g
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.proxies import Proxies
from core.config.environment import Environment


class Session(SecureCookieSession):
    """`secret` is "" until it is loaded."""

    secret = ""


class Sessions(SecureCookieSessionInterface):
    """Cookies end after `hours` without a request; fragments that a page fetches by itself do not count as one."""

    digest_method = staticmethod(hashlib.sha256)
    session_class = Session

    def __init__(self, env: Environment, proxies: Proxies) -> None:
        self._proxies = proxies
        self._public_tls = env.public_url.startswith("https://")
        self.life = timedelta(hours=env.session_hours)

    def open_session(self, app: Flask, request: Request) -> Session:  # noqa: ARG002  # Flask's signature
        return Session()

    def load(self, app: Flask, request: Request, session: Session, secret: str) -> None:
        """Fill an opened session from its cookie, if that is genuine and not too old."""
        session.secret = secret
        g.secure = self._public_tls or self._proxies.secure(request.environ)
        cookie = request.cookies.get(self.get_cookie_name(app))
        if not cookie:
            return
        try:
            found = self._serializer(secret).loads(cookie, max_age=int(self.life.total_seconds()))
        except BadSignature:
            return
        session.update(found)
        session.modified = False

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, Session) and session.secret:
            g.signer = self._serializer(session.secret)
            super().save_session(app, session, response)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:  # noqa: ARG002  # Flask's signature
        signer: URLSafeTimedSerializer = g.signer
        return signer

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return session.modified or (super().should_set_cookie(app, session) and not g.get("live"))

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002  # Flask's signature
        # The prefix makes browsers refuse one that a neighbouring host or plain HTTP has set.
        return "__Host-relay" if g.secure else "relay"

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002  # Flask's signature
        return bool(g.secure)

    def get_cookie_samesite(self, app: Flask) -> str:  # noqa: ARG002  # Flask's signature
        # Not Strict: a link in a notice by mail must find the admin logged in. Whatever changes anything is a POST.
        return "Lax"

    def _serializer(self, secret: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            secret,
            salt="relay dashboard",
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )
