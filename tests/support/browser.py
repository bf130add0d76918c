"""A real Chromium, Debian's or the system's own, and tabs whose every complaint is written down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

MISSING = (
    "no browser: these tests drive a Chromium that is installed here, and find none. On Debian: "
    "apt install chromium; elsewhere set RELAY_CHROMIUM to the program"
)
NARROW, WIDE = (360, 740), (1440, 900)

Theme = Literal["light", "dark"]

# What a policy blocked is told here even where the console says nothing.
_TELL = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} blocked ${event.blockedURI || event.sample}`), true);"""


def program() -> str | None:
    """The browser's path, or None."""
    named = os.environ.get("RELAY_CHROMIUM")
    found = (shutil.which(name) for name in ((named,) if named else ("chromium", "chromium-browser", "google-chrome")))
    return next(filter(None, found), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    # Its sandbox refuses root, which tests in a container are.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Tab:
    """One window on a site. `faults` is everything that should not have happened: errors in the console, requests to
    other hosts, answers of 400 and above, dialogs. `quiet()` fails when there is one."""

    def __init__(
        self,
        browser: Browser,
        home: str,
        size: tuple[int, int] = WIDE,
        theme: Theme = "light",
        *,
        scripts: bool = True,
        zone: str = "Europe/Prague",
        language: str = "en-GB",
    ) -> None:
        self.home, self.faults, self._expected = home, list[str](), set[int]()
        self.context: BrowserContext = browser.new_context(
            base_url=home,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            java_script_enabled=scripts,
            locale=language,
            timezone_id=zone,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(_TELL)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error in a script: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)
        self.page.on("popup", lambda popup: self.faults.append(f"a window opened: {popup.url}"))

    def log_in(self, password: str) -> None:
        self.page.goto("/login")
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def look(self, size: tuple[int, int], theme: Theme) -> None:
        """Change the window of the page that is open."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")

    def picture(self, file: Path) -> None:
        """The whole page, in a window as high as it is: what sticks to the window's edges is where it would be."""
        before = self.page.viewport_size
        assert before
        height = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.set_viewport_size({"width": before["width"], "height": max(before["height"], height)})
        self.page.screenshot(path=file)
        self.page.set_viewport_size(before)

    def expect(self, *statuses: int) -> None:
        """Answers that are no fault here."""
        self._expected |= set(statuses)

    def quiet(self) -> None:
        assert not self.faults, "\n".join([f"at {self.page.url}:", *self.faults])

    def fits(self) -> None:
        """Nothing sticks out sideways."""
        wide, room = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room, f"{self.page.url} is {wide} px wide in {room} px: {self.page.evaluate(_STICKS_OUT)}"

    def close(self) -> None:
        self.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        # An answer of 400 and above is told here and as a response; the latter knows which.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if urlsplit(request.url)[:2] != urlsplit(self.home)[:2]:
            self.faults.append(f"a request to elsewhere: {request.url[:200]}")

    def _failed(self, request: Request) -> None:
        # A page that is left gives up what it was fetching.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"no answer: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.faults.append(f"{response.status} {response.request.method} {response.url}")


_STICKS_OUT = """[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .slice(0, 8)
  .map((one) => `${one.localName}.${one.getAttribute("class")} ${Math.round(one.getBoundingClientRect().right)}`)"""
