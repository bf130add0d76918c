"""The door of the dashboard: who gets in, for how long, and what nobody gets past."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from click.testing import CliRunner
from cryptography.fernet import Fernet
from flask import Blueprint, Flask, abort, render_template_string, request
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from structlog.testing import capture_logs
from werkzeug.security import check_password_hash

from app import create_app
from app.admin import password
from app.cli.sections import group
from app.dashboard import PAGES
from app.dashboard.frame import login
from app.dashboard.frame.context import Site
from core.errors import NotFound
from core.store import Access, RateLimit, connect
from tests.support.admin import PASSWORD, Admin, admin, token_in, web_app
from tests.support.server import Server
from tests.support.stack import RELAY, TOKEN, Stack, chat

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LIVE = {login.LIVE: "1"}


def probe(pages: Blueprint, site: Site) -> None:
    """A page that does what pages do, and goes wrong in every way."""

    @pages.get("/probe")
    def probe() -> str:
        page = "{% extends 'base.html' %}{% block title %}{{ title }}{% endblock %}"
        return render_template_string(page, title="Probe <&>")

    @pages.post("/probe")
    def probe_post() -> str:
        return f"{len(request.form.get('text', ''))} characters"

    @pages.get("/probe/<kind>")
    def probe_wrong(kind: str) -> str:
        if kind == "bug":
            raise RuntimeError("a bug")
        if kind == "missing":
            raise NotFound("there is no <b>payload</b>")
        abort(int(kind), "words of the page")


@pytest.fixture
def app(server: Server, tmp_path: Path) -> Flask:
    return web_app(server, tmp_path, (*PAGES, probe))


@pytest.fixture
def page(app: Flask) -> Admin:
    """An admin who has logged in."""
    made = Admin(app)
    assert made.log_in().status_code == 303
    return made


@pytest.fixture
def stranger(app: Flask) -> Admin:
    return Admin(app)


@pytest.fixture
def keeper(server: Server) -> Access:
    return Access(connect(server.url))


class Hours:
    """Moves the clock of cookies."""

    def __init__(self) -> None:
        self.gone = 0.0

    def __call__(self, _: object = None) -> int:
        return int(time.time() + self.gone * 3600)


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    made = Hours()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", made)
    return made


def sent_to_login(answer: Any) -> bool:
    return bool(answer.status_code == 303 and urlsplit(answer.headers["Location"]).path == "/login")


# --- log-in and log-out --------------------------------------------------------


def test_the_right_password_opens_and_the_bar_appears(stranger: Admin) -> None:
    assert sent_to_login(stranger.get("/probe"))
    assert stranger.log_in().headers["Location"] == "/"
    seen = stranger.get("/probe")
    assert seen.status_code == 200
    assert "Log out" in seen.text


@pytest.mark.parametrize("wrong", ["", "a password for test", PASSWORD + " ", PASSWORD.upper(), "x" * 15_000, "\0"])
def test_a_wrong_password_does_not(stranger: Admin, wrong: str) -> None:
    answer = stranger.log_in(wrong)
    assert answer.status_code == 403
    assert "Wrong password." in answer.text
    assert sent_to_login(stranger.get("/probe"))


def test_without_a_password_nobody_gets_in_and_the_page_says_how_to_set_one(
    server: Server, keeper: Access, tmp_path: Path
) -> None:
    stranger = Admin(web_app(server, tmp_path))
    connect(server.url).hdel("relay:admin", "password")
    assert "relay admin set-password" in stranger.get("/login").text
    for given_ in ("", PASSWORD):
        assert stranger.log_in(given_).status_code == 403
    # Set while the page was open: the secret is a new one by then, and one more try does it.
    token = token_in(stranger.get("/login").text)
    keeper.set_password(password.hashed(PASSWORD))
    late = stranger.client.post("/login", data={"password": PASSWORD, "csrf_token": token})
    assert (late.status_code, "has expired. Try again" in late.text) == (403, True)
    assert stranger.log_in().status_code == 303


def test_it_takes_as_long_without_a_password_as_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(kept: str, given_: str) -> bool:
        compared.append(kept.partition("$")[0])
        return check_password_hash(kept, given_)

    monkeypatch.setattr(password, "check_password_hash", compare)
    assert not password.matches("", PASSWORD)
    assert password.matches(password.hashed(PASSWORD), PASSWORD)
    assert compared == ["scrypt:32768:8:1"] * 2


def test_after_the_log_in_one_is_where_one_was_going(stranger: Admin) -> None:
    answer = stranger.get("/probe?status=dead&q=a b")
    query = urlsplit(answer.headers["Location"]).query
    form = stranger.get("/login?" + query).text
    wanted = re.search(r'name="next" value="([^"]+)"', form)
    assert wanted
    target = wanted[1].replace("&amp;", "&")
    assert stranger.log_in(next=target).headers["Location"] == "/probe?status=dead&q=a%20b"


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/\n//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    " //evil.example",
    "/login?next=/login",
    "http:evil.example",
    "http:///evil.example",
    "//[evil",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_log_in_leads_nowhere_else(stranger: Admin, target: str) -> None:
    assert stranger.log_in(next=target).headers["Location"] == "/"
    again = stranger.get("/login", query_string={"next": target})
    assert (again.status_code, again.headers["Location"]) == (303, "/")


@given(st.text() | st.sampled_from(ELSEWHERE).flatmap(lambda bad: st.text().map(lambda text: bad + text)))
def test_whatever_is_asked_for_the_target_is_on_this_host(target: str) -> None:
    found = login.local(target)
    assert urlsplit(urljoin("https://relay.example/login", found)).netloc == "relay.example"
    assert found[:2] not in ("//", "/\\")


def test_logging_out_ends_the_session_for_copies_of_the_cookie_too(page: Admin, app: Flask) -> None:
    copy = page.client.get_cookie("relay")
    assert copy
    answer = page.submit("/logout")
    assert sent_to_login(answer)
    assert "You are logged out." in page.get("/login").text
    thief = Admin(app)
    thief.client.set_cookie("relay", copy.value)
    assert sent_to_login(thief.get("/probe"))


def test_a_session_ends_after_its_hours_of_no_use_and_use_prolongs_it(page: Admin, hours: Hours) -> None:
    for hours.gone in (11, 22, 33):
        assert page.get("/probe").status_code == 200
    hours.gone = 33 + 12.1
    assert sent_to_login(page.get("/probe"))


def test_a_page_that_keeps_itself_up_to_date_is_no_use(page: Admin, hours: Hours) -> None:
    for hours.gone in (4, 8, 11.9):
        answer = page.get("/probe", headers=LIVE)
        assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (200, [])
    hours.gone = 12.1
    assert page.get("/probe", headers=LIVE).status_code == 401


def test_the_hours_can_be_chosen(server: Server, tmp_path: Path, hours: Hours) -> None:
    page = admin(server, tmp_path, RELAY_SESSION_HOURS="2")
    hours.gone = 1.9
    assert page.get("/no-such-page").text.count("Log out") == 1
    hours.gone = 4
    assert "Log out" not in page.get("/no-such-page").text


def test_a_new_password_logs_everybody_out(page: Admin, keeper: Access) -> None:
    keeper.set_password(password.hashed("another password"))
    assert sent_to_login(page.get("/probe"))
    assert page.log_in(PASSWORD).status_code == 403
    assert page.log_in("another password").status_code == 303


def test_every_web_process_knows_the_session(page: Admin, server: Server, tmp_path: Path) -> None:
    elsewhere = Admin(web_app(server, tmp_path, (probe,)))
    cookie = page.client.get_cookie("relay")
    assert cookie
    elsewhere.client.set_cookie("relay", cookie.value)
    assert elsewhere.get("/probe").status_code == 200


def test_two_processes_that_start_at_once_make_one_secret(server: Server) -> None:
    assert Access(connect(server.url)).secret() == Access(connect(server.url)).secret()


def test_who_has_the_store_but_not_the_keys_cannot_sign_a_cookie(server: Server) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    plain = Access(connect(server.url)).secret()
    sealed = Access(connect(server.url, keys=[old])).secret()
    everything = server.client.hgetall("relay:admin")
    assert plain.encode() in everything.values()
    assert sealed.encode() not in everything.values()
    assert plain not in sealed
    # A key is replaced: sessions last until the old one is taken away.
    assert Access(connect(server.url, keys=[new, old])).secret() == sealed
    assert Access(connect(server.url, keys=[new])).secret() != sealed


@pytest.mark.parametrize("spoil", [lambda text: text[:-2], lambda text: "x" + text, lambda _: "", lambda _: "a.b.c"])
def test_a_cookie_that_was_touched_is_none(page: Admin, spoil: Callable[[str], str]) -> None:
    cookie = page.client.get_cookie("relay")
    assert cookie
    page.client.set_cookie("relay", spoil(cookie.value))
    assert sent_to_login(page.get("/probe"))


def test_the_session_of_before_the_log_in_is_not_the_one_after_it(stranger: Admin) -> None:
    token = token_in(stranger.get("/login").text)
    before = stranger.client.get_cookie("relay")
    stranger.log_in()
    after = stranger.client.get_cookie("relay")
    assert before
    assert after
    planted = Admin(stranger.app)
    planted.client.set_cookie("relay", before.value)
    assert sent_to_login(planted.get("/probe"))
    # Who planted the first one knew its token.
    assert stranger.client.post("/probe", data={"csrf_token": token}).status_code == 403


# --- guessing ------------------------------------------------------------------


def stop_refill(server: Server, bucket: str) -> None:
    """As if no time passed, however slow the machine is."""
    server.client.hincrby(f"relay:bucket:{bucket}", "at", 3_600_000)


def spend_all(server: Server, bucket: str, limits: tuple[float, float]) -> None:
    limit = RateLimit(connect(server.url))
    limit.refill(bucket)
    assert limit.take(bucket, *limits, limits[0]) == 0


def test_after_five_wrong_passwords_an_address_must_wait(stranger: Admin, server: Server) -> None:
    for _ in range(5):
        assert stranger.log_in("wrong").status_code == 403
    stop_refill(server, "login:127.0.0.1")
    held = stranger.log_in(PASSWORD)
    assert held.status_code == 429
    assert 1 <= int(held.headers["Retry-After"]) <= 30
    assert f"Try again in {held.headers['Retry-After']} s." in held.text
    elsewhere = Admin(stranger.app, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.log_in().status_code == 303
    # The time passes.
    server.client.hincrby("relay:bucket:login:127.0.0.1", "at", -3_631_000)
    assert stranger.log_in().status_code == 303


def test_the_right_password_gives_the_tries_back(stranger: Admin) -> None:
    for _ in range(3):
        for _ in range(4):
            assert stranger.log_in("wrong").status_code == 403
        assert stranger.log_in().status_code == 303
        stranger.submit("/logout")


def test_one_who_changes_addresses_must_wait_too(stranger: Admin, server: Server) -> None:
    capacity, refill = login.EVERYBODY
    assert RateLimit(connect(server.url)).take("login", capacity, refill, capacity - 2) == 0
    stop_refill(server, "login")
    for number in range(2):
        assert Admin(stranger.app, REMOTE_ADDR=f"192.0.2.{number}").log_in("wrong").status_code == 403
        stop_refill(server, "login")
    assert Admin(stranger.app, REMOTE_ADDR="192.0.2.9").log_in().status_code == 429


def test_a_browser_that_was_logged_in_before_does_not_wait_for_strangers(stranger: Admin, server: Server) -> None:
    assert stranger.log_in().status_code == 303
    stranger.submit("/logout")
    spend_all(server, "login", login.EVERYBODY)
    spend_all(server, "login:127.0.0.1", login.ONE_ADDRESS)
    stop_refill(server, "login")
    stop_refill(server, "login:127.0.0.1")
    assert Admin(stranger.app).log_in().status_code == 429
    assert stranger.log_in("wrong").status_code == 403
    assert stranger.log_in().status_code == 303


def test_a_known_browser_guesses_no_faster_and_is_known_by_its_signature_alone(stranger: Admin, server: Server) -> None:
    stranger.log_in()
    stranger.submit("/logout")
    for _ in range(5):
        assert stranger.log_in("wrong").status_code == 403
    (bucket,) = server.client.keys("relay:bucket:login:device:*")
    server.client.hincrby(bucket, "at", 3_600_000)
    assert stranger.log_in().status_code == 429
    cookie = stranger.client.get_cookie("relay-device")
    assert cookie
    assert cookie.http_only
    spend_all(server, "login", login.EVERYBODY)
    stop_refill(server, "login")
    for forged in ("x", cookie.value[:-1], ""):
        other = Admin(stranger.app, REMOTE_ADDR="192.0.2.7")
        other.client.set_cookie("relay-device", forged)
        assert other.log_in().status_code == 429


def test_a_device_cookie_lets_nobody_in(page: Admin) -> None:
    cookie = page.client.get_cookie("relay-device")
    assert cookie
    other = Admin(page.app)
    other.client.set_cookie("relay-device", cookie.value)
    other.client.set_cookie("relay", cookie.value)
    assert sent_to_login(other.get("/probe"))


def test_a_link_logs_in_once_and_not_by_being_looked_at(stranger: Admin, keeper: Access, server: Server) -> None:
    spend_all(server, "login", login.EVERYBODY)
    link = f"/login/link/{keeper.make_login_link(60_000)}"
    assert "works once" in stranger.get(link).text
    assert sent_to_login(stranger.get("/probe"))
    assert stranger.client.post(link).status_code == 403
    form = {"csrf_token": token_in(stranger.get(link).text)}
    assert stranger.client.post(link, data=form).headers["Location"] == "/"
    assert stranger.get("/probe").status_code == 200
    other = Admin(stranger.app)
    again = other.client.post(link, data={"csrf_token": token_in(other.get(link).text)})
    assert again.status_code == 403
    assert "has expired or was already used" in again.text
    assert sent_to_login(other.get("/probe"))
    assert not server.client.keys("relay:login-link:*")


def test_a_link_ends_with_its_time_and_with_the_password(keeper: Access, server: Server) -> None:
    link = keeper.make_login_link(60_000)
    (kept,) = server.client.keys("relay:login-link:*")
    assert link not in str(kept)
    assert 0 < server.client.pttl(kept) <= 60_000
    keeper.set_password(password.hashed("another password"))
    assert not keeper.use_login_link(link)


def test_the_command_prints_a_link_that_the_dashboard_takes(stranger: Admin, server: Server, tmp_path: Path) -> None:
    env = {"RELAY_REDIS_URL": server.url, "SMARTSUPP_TOKEN": TOKEN, "RELAY_DATA_DIR": str(tmp_path)}
    done = CliRunner().invoke(group, ["admin", "login-link", "--json"], env=env)
    link = urlsplit(json.loads(done.stdout)["link"]).path
    form = {"csrf_token": token_in(stranger.get(link).text)}
    assert stranger.client.post(link, data=form).status_code == 303


def test_a_network_of_ipv6_is_one_address(stranger: Admin, server: Server) -> None:
    for number in range(5):
        assert Admin(stranger.app, REMOTE_ADDR=f"2001:db8::{number}").log_in("wrong").status_code == 403
    stop_refill(server, "login:2001:db8::/64")
    assert Admin(stranger.app, REMOTE_ADDR="2001:db8::ffff").log_in().status_code == 429
    assert Admin(stranger.app, REMOTE_ADDR="2001:db8:0:1::1").log_in().status_code == 303


def test_a_form_of_a_stranger_is_small(stranger: Admin) -> None:
    assert stranger.log_in("x" * 20_000).status_code == 413


# --- forms ---------------------------------------------------------------------


def test_a_form_with_its_token_is_taken_even_a_large_one(page: Admin) -> None:
    assert page.submit("/probe", text="x" * 3_500_000).text == "3500000 characters"
    assert page.submit("/probe", text="x" * 4_500_000).status_code == 413


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c"])
def test_a_form_without_its_token_is_refused(page: Admin, token: str | None) -> None:
    answer = page.client.post("/probe", data={} if token is None else {"csrf_token": token})
    assert answer.status_code == 403
    assert "it was sent from another page" in answer.text
    assert page.client.post("/probe", json={"text": "x"}).status_code == 403


def test_the_token_of_another_session_is_refused(page: Admin) -> None:
    other = Admin(page.app)
    foreign = token_in(other.get("/login").text)
    assert page.client.post("/probe", data={"csrf_token": foreign}).status_code == 403
    assert other.client.post("/login", data={"csrf_token": token_in(page.get("/probe").text)}).status_code == 403


def test_a_log_in_needs_a_token_too(stranger: Admin) -> None:
    assert stranger.client.post("/login", data={"password": PASSWORD}).status_code == 403
    assert sent_to_login(stranger.get("/probe"))


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Every method and address of the dashboard, with made-up values in the address."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("dashboard.") and rule.endpoint not in (
            "dashboard.static",
            "dashboard.login",
            "dashboard.login_link",
        ):
            for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
                yield method, adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "1"), method)


def test_no_page_but_the_log_in_is_shown_to_a_stranger(stranger: Admin) -> None:
    found = list(routes(stranger.app))
    assert ("GET", "/probe") in found
    for method, path in found:
        form = {"x": "y"} if method == "POST" else None
        assert sent_to_login(stranger.client.open(path, method=method, data=form)), path
        assert stranger.client.open(path, method=method, headers=LIVE).status_code == 401, path


def test_no_form_of_any_page_is_taken_without_a_token(page: Admin) -> None:
    found = [path for method, path in routes(page.app) if method != "GET"]
    assert "/logout" in found
    for path in found:
        assert page.client.post(path).status_code == 403, path
    assert page.get("/probe").status_code == 200


# --- every answer --------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/probe", 200, "Probe &lt;&amp;&gt;"),
        ("/probe/missing", 404, "there is no &lt;b&gt;payload&lt;/b&gt;"),
        ("/probe/400", 400, "words of the page"),
        ("/probe/418", 418, "words of the page"),
        ("/probe/bug", 500, "Internal error"),
        ("/no-such-page", 404, "Page not found"),
        ("/logout", 405, "Method not allowed"),
        ("/static/no-such-file", 404, "Page not found"),
        ("/static/../access.py", 404, "Page not found"),
    ],
)
def test_every_answer_carries_the_headers_and_every_mistake_is_a_page(
    page: Admin, path: str, code: int, said: str
) -> None:
    answer = page.get(path)
    assert answer.status_code == code
    assert said in answer.text
    assert "Traceback" not in answer.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_redirect_and_a_refusal_carry_the_headers_too(stranger: Admin) -> None:
    for answer in (stranger.get("/probe"), stranger.get("/probe", headers=LIVE), stranger.log_in("wrong")):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_static_files_may_be_kept_for_ever_under_the_address_of_their_content(stranger: Admin) -> None:
    login = stranger.get("/login").text
    found = re.findall(r'"(/static/[^"]+)"', login)
    assert len(found) == 5
    for path in found:
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert stranger.get(path.partition("?")[0]).headers["Cache-Control"] == "no-cache"
        assert stranger.get(path + "0").headers["Cache-Control"] == "no-cache"
        assert "Set-Cookie" not in answer.headers


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(stranger: Admin) -> None:
    found = {cookie.partition("=")[0]: cookie for cookie in stranger.log_in().headers.getlist("Set-Cookie")}
    assert set(found) == {"relay", "relay-device"}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(found["relay"].split("; "))
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(found["relay-device"].split("; "))
    for cookie in found.values():
        assert "Secure" not in cookie
        assert "Domain" not in cookie


def test_the_cookie_is_secure_where_the_public_address_is(server: Server, tmp_path: Path) -> None:
    page = Admin(web_app(server, tmp_path, RELAY_PUBLIC_URL="https://relay.example.com/"))
    cookies = page.log_in().headers.getlist("Set-Cookie")
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == ["__Host-relay", "__Host-relay-device"]
    assert all("Secure" in cookie.split("; ") for cookie in cookies)


# --- proxies -------------------------------------------------------------------

PROXY = {"RELAY_TRUSTED_PROXIES": "10.1.0.0/16", "RELAY_USER_HEADER": "X-Forwarded-User"}
ANN = {"X-Forwarded-User": "ann@example.com"}


def test_a_trusted_proxy_signs_in_and_its_users_forms_need_their_token(server: Server, tmp_path: Path) -> None:
    page = Admin(web_app(server, tmp_path, (probe,), **PROXY), REMOTE_ADDR="10.1.2.3", HTTP_X_FORWARDED_USER="Zoë")
    seen = page.get("/probe")
    assert seen.status_code == 200
    assert "Log out" not in seen.text
    assert page.client.post("/probe").status_code == 403
    assert page.get("/login?next=/probe").headers["Location"] == "/probe"


def test_the_header_of_anybody_else_is_nothing(server: Server, tmp_path: Path) -> None:
    app = web_app(server, tmp_path, (probe,), **PROXY)
    for address in ("10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "::1", "", "10.1.0.1 "):
        stranger = Admin(app, REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="10.1.0.1")
        refused = sent_to_login(stranger.get("/probe", headers=ANN))
        assert refused == (address != "10.1.0.1 "), address
    # Without the variables there is no such header at all.
    plain = Admin(web_app(server, tmp_path, (probe,)), REMOTE_ADDR="10.1.2.3")
    assert sent_to_login(plain.get("/probe", headers=ANN))


def test_without_the_header_a_proxys_visitors_log_in_with_the_password(server: Server, tmp_path: Path) -> None:
    page = Admin(web_app(server, tmp_path, (probe,), **PROXY), REMOTE_ADDR="10.1.2.3")
    assert sent_to_login(page.get("/probe", headers={"X-Forwarded-User": " "}))
    assert page.log_in().status_code == 303
    assert page.get("/probe").status_code == 200


def test_the_log_ins_of_different_visitors_of_one_proxy_are_limited_each_for_itself(
    server: Server, tmp_path: Path
) -> None:
    app = web_app(server, tmp_path, RELAY_TRUSTED_PROXIES="10.1.0.1")

    def visitor(address: str) -> Admin:
        return Admin(app, REMOTE_ADDR="10.1.0.1", HTTP_X_FORWARDED_FOR=f"203.0.113.77, {address}")

    for _ in range(5):
        assert visitor("192.0.2.1").log_in("wrong").status_code == 403
    stop_refill(server, "login:192.0.2.1")
    assert visitor("192.0.2.1").log_in().status_code == 429
    assert visitor("192.0.2.2").log_in().status_code == 303


def test_a_proxy_that_speaks_tls_makes_the_cookie_secure(server: Server, tmp_path: Path) -> None:
    app = web_app(server, tmp_path, RELAY_TRUSTED_PROXIES="10.1.0.1")
    # The last is what the trusted proxy has seen itself.
    for said, name in (("https", "__Host-relay="), ("http, https", "__Host-relay="), ("https, http", "relay=")):
        behind = Admin(app, REMOTE_ADDR="10.1.0.1", HTTP_X_FORWARDED_PROTO=said)
        assert behind.get("/login").headers["Set-Cookie"].startswith(name)
    direct = Admin(app, REMOTE_ADDR="10.1.0.2", HTTP_X_FORWARDED_PROTO="https")
    assert direct.get("/login").headers["Set-Cookie"].startswith("relay=")


# --- the rest of the relay -----------------------------------------------------


def test_the_receiver_and_the_probes_know_no_session(page: Admin) -> None:
    stranger = page.app.test_client()
    for answer in (
        stranger.post(f"/smartsupp/{TOKEN}", data=chat()),
        stranger.post("/smartsupp/wrong-token", data=chat()),
        page.client.post(f"/smartsupp/{TOKEN}", data=chat(2)),
        page.client.get("/healthz"),
        page.client.get("/readyz"),
    ):
        assert answer.status_code in (202, 403, 200)
        assert answer.is_json
        assert not {"Set-Cookie", "Content-Security-Policy", "Vary"} & set(answer.headers.keys())
    for method, path, code in (
        ("GET", f"/smartsupp/{TOKEN}", 405),
        ("POST", "/smartsupp/", 404),
        ("PUT", "/healthz", 405),
    ):
        answer = stranger.open(path, method=method)
        assert answer.status_code == code
        assert "base.html" not in answer.text
        assert "stylesheet" not in answer.text
        assert not {"Set-Cookie", "Location"} & set(answer.headers.keys())


def test_while_the_store_is_away_the_dashboard_says_so_and_comes_back_by_itself(
    own_server: Server, tmp_path: Path
) -> None:
    web_app(own_server, tmp_path)
    own_server.kill()
    # Made while there is no store.
    config = {"RELAY_CONFIG": str(tmp_path / "relay.yaml"), "RELAY_DATA_DIR": str(tmp_path)}
    app = create_app(variables={"RELAY_REDIS_URL": own_server.url, "SMARTSUPP_TOKEN": TOKEN, **config}, pages=(probe,))
    page = Admin(app)
    with capture_logs() as logs:
        for path in ("/probe", "/login"):
            answer = page.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "The store does not respond" in answer.text
            assert "Log out" not in answer.text
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "store unavailable" in str(logs)
    assert page.get("/no-such-page").status_code == 404
    assert page.get("/static/relay.css").status_code == 200
    assert page.get("/healthz").json == {"status": "ok"}
    receiver = page.client.post(f"/smartsupp/{TOKEN}", data=chat())
    assert (receiver.status_code, receiver.json) == (503, {"error": "not stored; try again"})
    own_server.start()
    assert page.log_in().status_code == 303
    assert page.get("/probe").status_code == 200


def test_the_real_server_lets_the_admin_in_and_writes_no_secret_down(relay: Stack) -> None:
    relay.environment["RELAY_USER_HEADER"], relay.environment["RELAY_TRUSTED_PROXIES"] = "Remote-User", "127.0.0.2"
    first = relay.cli("admin", "set-password", "--generate").splitlines()[0]
    assert len(first) == 23
    relay.web()
    home = f"http://127.0.0.1:{relay.port}"
    browser = requests.Session()

    def log_in(given_: str) -> requests.Response:
        token = token_in(browser.get(f"{home}/login", timeout=30).text)
        form = {"password": given_, "csrf_token": token, "next": "/no-such-page"}
        return browser.post(f"{home}/login", data=form, timeout=30)

    assert log_in("not the password at all").status_code == 403
    assert "Log out" in log_in(first).text
    cookie = browser.cookies["relay"]
    # 127.0.0.1 is a peer like any other: REMOTE_ADDR is who connects, not what a header says.
    forged = {"Remote-User": "root", "X-Forwarded-For": "127.0.0.2", "Forwarded": "for=127.0.0.2"}
    answer = requests.get(f"{home}/erase", headers=forged, timeout=30)
    assert "Log out" not in answer.text
    assert "Password" in answer.text or answer.status_code == 404
    command = [RELAY, "admin", "set-password"]
    piped = subprocess.run(
        command, input=b"a password from a pipe\n", env=relay.environment, capture_output=True, timeout=60, check=True
    )
    assert b"is set" in piped.stderr
    assert "Log out" not in browser.get(f"{home}/no-such-page", timeout=30).text
    assert "Log out" in log_in("a password from a pipe").text
    for secret in (first, "not the password at all", "a password from a pipe", cookie, TOKEN):
        assert secret not in relay.logs()
    assert "login refused" in relay.logs()


def test_a_log_in_seals_the_password_from_before_there_were_keys(server: Server, tmp_path: Path) -> None:
    keys = Fernet.generate_key().decode()
    made = Admin(web_app(server, tmp_path, RELAY_ENCRYPTION_KEYS=keys))
    assert made.log_in("not this one").status_code == 403
    redis: Any = server.client
    assert redis.hget("relay:admin", "password").startswith(b"scrypt:")
    assert made.log_in().status_code == 303
    assert b"scrypt" not in redis.hget("relay:admin", "password")
    assert Admin(web_app(server, tmp_path, RELAY_ENCRYPTION_KEYS=keys)).log_in().status_code == 303


def test_without_the_key_that_sealed_the_password_the_page_says_what_to_do(
    server: Server, tmp_path: Path, keeper: Access
) -> None:
    Access(connect(server.url, keys=(Fernet.generate_key().decode(),))).set_password(password.hashed(PASSWORD))
    stranger = Admin(web_app(server, tmp_path, RELAY_ENCRYPTION_KEYS=Fernet.generate_key().decode()))
    assert "Put the key back, or run relay admin set-password" in stranger.get("/login").text
    answer = stranger.log_in()
    assert (answer.status_code, "Put the key back" in answer.text) == (503, True)
    keeper.set_password(password.hashed(PASSWORD))
    assert stranger.log_in().status_code == 303


# --- the command line ----------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "at least 12 characters"),
        ("short\n", "at least 12 characters"),
        ("aaaaaaaaaaaaaaaa\n", "at least 5 different characters"),
        ("x y z" * 300 + "\n", "at most 1000 characters"),
    ],
)
def test_a_password_that_is_none_is_not_set(server: Server, keeper: Access, typed: str, said: str) -> None:
    env = {"RELAY_REDIS_URL": server.url, "SMARTSUPP_TOKEN": TOKEN}
    done = CliRunner().invoke(group, ["admin", "set-password"], input=typed, env=env)
    assert done.exit_code == 2
    assert said in done.stderr
    assert keeper.password() == ""


def test_a_script_gets_the_password_that_was_made(server: Server, keeper: Access) -> None:
    env = {"RELAY_REDIS_URL": server.url, "SMARTSUPP_TOKEN": TOKEN, "RELAY_PUBLIC_URL": "https://relay.example.com"}
    done = CliRunner().invoke(group, ["admin", "set-password", "--generate", "--json"], env=env)
    said = json.loads(done.stdout)
    assert (said["set"], said["login"]) == (True, "https://relay.example.com/login")
    assert password.matches(keeper.password(), said["password"])
    silent = CliRunner().invoke(group, ["admin", "set-password", "--json"], input=f"{PASSWORD}\n", env=env)
    assert "password" not in json.loads(silent.stdout)
    assert password.matches(keeper.password(), PASSWORD)


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(relay: Stack) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [RELAY, "admin", "set-password"],
        env=relay.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    everything = unread = ""

    def expect(wanted: str) -> None:
        nonlocal everything, unread
        while wanted not in unread:
            assert select.select([ours], [], [], 60)[0], f"waited for {wanted!r}, saw {unread!r}"
            said = os.read(ours, 4096).decode()
            everything, unread = everything + said, unread + said
        unread = unread.partition(wanted)[2]

    for prompt, typed in (
        ("New password: ", "one way or another"),
        ("Repeat the password: ", "another way or one"),
        ("New password: ", PASSWORD),
        ("Repeat the password: ", PASSWORD),
    ):
        expect(prompt)
        # The echo is switched off before the prompt is written, and switching it off drops what was typed too early.
        os.write(ours, f"{typed}\n".encode())
    expect("is set")
    assert process.wait(timeout=20) == 0
    os.close(ours)
    assert PASSWORD not in everything
    assert "do not match" in everything
    assert password.matches(Access(connect(relay.server.url)).password(), PASSWORD)


def test_passwords_that_are_made_differ_and_are_good() -> None:
    made = {password.generate() for _ in range(100)}
    assert len(made) == 100
    assert all(password.problem(one) == "" for one in made)
    assert json.dumps(sorted(made)).isascii()
