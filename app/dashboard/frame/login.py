"""The door of the dashboard: who comes in, log-in and log-out, and the token that every form carries."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

import structlog
from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response as AnyResponse
from wtforms import ValidationError

from app.admin import password
from app.dashboard.frame import devices
from app.dashboard.frame.context import Site
from app.dashboard.frame.sessions import Session, Sessions
from app.dashboard.language.translation import flash
from app.proxies import Proxies, network_of
from core.errors import StoreUnsafe
from core.wording.sentence import say

log = structlog.get_logger(__name__)

#: Tokens and refill per second of the log-in's buckets: of one address, and of all together.
ONE_ADDRESS = (5.0, 1 / 30)
EVERYBODY = (30.0, 0.5)

#: Bytes of a form: of anybody's, and of an admin's, who may correct a body of 1 MiB; a form spells it in up to three.
SMALL_FORM = 16 * 1024
LARGE_FORM = 4 * 1024 * 1024

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What strangers may see.
_OPEN = frozenset({"dashboard.login", "dashboard.login_link"})
#: What a password's hash needs that nobody can read.
_SEALED = say(
    "The password is encrypted with a key that is not in RELAY_ENCRYPTION_KEYS. Put the key back, or run"
    " relay admin set-password."
)
#: What relay.js sends when a page brings a part of itself up to date.
LIVE = "X-Relay-Live"


@dataclass(frozen=True)
class User:
    """Who is signed in. `proxied`: a proxy says so."""

    name: str
    proxied: bool = False


def signed_in() -> User | None:
    user: User | None = g.get("user")
    return user


class LoginGuard:
    """Tells admins from strangers."""

    def __init__(self, site: Site, sessions: Sessions, proxies: Proxies) -> None:
        self._site, self._sessions, self.proxies = site, sessions, proxies

    def recognise(self) -> User | None:
        """Load the session, once in a request. Raises StoreUnavailable."""
        if "user" not in g:
            opened = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # Flask's own way to the object behind the proxy
            self._sessions.load(current_app, request, opened, self._site.access.secret())
            g.live = LIVE in request.headers
            g.user = self._user()
        return signed_in()

    def _user(self) -> User | None:
        if name := self.proxies.user(request.environ):
            return User(name, proxied=True)
        mark = session.get("id")
        if not mark or self._site.access.ended(mark):
            return None
        return User("admin")

    def admit(self) -> AnyResponse | None:
        """Before every request of the dashboard."""
        if request.endpoint == "dashboard.static":
            return None
        user = self.recognise()
        request.max_content_length = request.max_form_memory_size = LARGE_FORM if user else SMALL_FORM
        if user is None and request.endpoint not in _OPEN:
            if g.live:
                raise Unauthorized
            return redirect(url_for("dashboard.login", next=_heading()), 303)
        if request.method not in _SAFE and request.endpoint not in _OPEN:
            self.check_token()
        return None

    def check_token(self) -> None:
        """Raises Forbidden."""
        try:
            validate_csrf(
                request.form.get("csrf_token"),
                secret_key=_secret(),
                time_limit=int(self._sessions.life.total_seconds()),
            )
        except ValidationError as error:
            raise Forbidden(say("This form has expired, or it was sent from another page.")) from error

    def let_in(self) -> None:
        """From here on this browser is the admin's."""
        session.clear()
        session.permanent = True
        # A new name for a new session: what was known of the old one is worth nothing.
        session["id"] = secrets.token_urlsafe(16)
        # Now, so that no fragment of a page has to put it into the cookie, which would prolong it.
        generate_csrf(secret_key=_secret())

    def see_out(self) -> None:
        if mark := session.get("id"):
            self._site.access.end(mark, int(self._sessions.life.total_seconds() * 1000))
        session.clear()

    def must_wait(self, address: str) -> int:
        """Seconds until whoever asks may try a password, or 0. A browser that was logged in before waits for itself
        alone: strangers from many addresses cannot keep an admin out."""
        limit = self._site.rate_limit
        if device := self._device():
            wait = limit.take(device, *ONE_ADDRESS)
        else:
            wait = limit.take(_bucket(address), *ONE_ADDRESS) or limit.take("login", *EVERYBODY)
        return math.ceil(wait / 1000)

    def welcome(self, target: str, address: str) -> AnyResponse:
        """Let in who has shown the password or a link, and lead to `target`."""
        self._site.rate_limit.refill(self._device() or _bucket(address))
        response = redirect(target, 303)
        devices.remember(response, request, _secret())
        self.let_in()
        log.info("login", address=address)
        return response

    def _device(self) -> str:
        """The bucket of this browser, or "" if it is a stranger's."""
        name = devices.device_name(request, _secret())
        return f"login:device:{name}" if name else ""


def routes(pages: Blueprint, site: Site, door: LoginGuard) -> None:
    """`/login` and `/logout`."""

    @pages.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        target = local(request.values.get("next", ""))
        if signed_in():
            return redirect(target, 303)
        return try_password(target) if request.method == "POST" else form(target)

    def try_password(target: str) -> ResponseReturnValue:
        try:
            door.check_token()
        except Forbidden:
            return form(target, say("This page has expired. Try again.")), 403
        address = network_of(door.proxies.client(request.environ))
        if wait := door.must_wait(address):
            log.warning("login delayed", address=address, seconds=wait)
            return (
                form(target, say("Too many attempts. Try again in %(wait)s s.", wait=wait)),
                429,
                {"Retry-After": str(wait)},
            )
        try:
            kept = site.access.password()
        except StoreUnsafe:
            log.error("the password cannot be read", remedy=_SEALED)
            return form(target, _SEALED), 503
        if not password.matches(kept, request.form.get("password", "")):
            log.warning("login refused", address=address)
            return form(target, say("Wrong password.")), 403
        site.access.seal_anew()
        return door.welcome(target, address)

    @pages.route("/login/link/<token>", methods=["GET", "POST"])
    def login_link(token: str) -> ResponseReturnValue:
        """A button, because programs that look at links in messages follow them."""
        if request.method != "POST":
            return render_template("login_link.html", error="")
        try:
            door.check_token()
        except Forbidden:
            return render_template("login_link.html", error=say("This page has expired. Try again.")), 403
        address = network_of(door.proxies.client(request.environ))
        if not site.access.use_login_link(token):
            log.warning("login link refused", address=address)
            return render_template("login_link.html", error=say("This link has expired or was already used.")), 403
        return door.welcome("/", address)

    @pages.post("/logout")
    def logout() -> AnyResponse:
        door.see_out()
        flash(say("You are logged out."), "good")
        return redirect(url_for("dashboard.login"), 303)

    def form(target: str, error: str = "") -> str:
        try:
            ready = bool(site.access.password())
        except StoreUnsafe:
            ready, error = True, error or _SEALED
        return render_template("login.html", next=target, error=error, ready=ready)


def csrf_field() -> Markup:
    """The hidden input that every form of the dashboard needs."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf(secret_key=_secret()))


def local(target: str) -> str:
    """Where to go after the log-in: a path of this site, whatever a stranger has put into the address."""
    here = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if here and target.partition("?")[0] != "/login" else "/"


def _heading() -> str | None:
    """Where somebody was going who must log in first."""
    return request.full_path.rstrip("?") if request.method == "GET" and request.path != "/" else None


def _bucket(address: str) -> str:
    return f"login:{address}"


def _secret() -> str:
    opened: Session = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # as above
    return opened.secret
