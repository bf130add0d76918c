"""A real django-helpdesk on loopback: the package of PyPI (install.sh), an SQLite file, and waitress.

Everything is in one folder, and nothing outside of it is read or changed. It sends no mail: what it would send is a
file in that folder.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.live import packages
from tests.support.stack import free_port, until

MISSING = "django-helpdesk is not installed here; make test-live installs it (PyPI) and runs this"
ADMIN = ("admin", "password-0123")
AGENT = ("relay", "password-0123")

# https://django-helpdesk.readthedocs.io/en/stable/install.html
_SETTINGS = """
SECRET_KEY = 'live'
ALLOWED_HOSTS = ['127.0.0.1']
ROOT_URLCONF = 'urls'
SITE_ID = 1
USE_TZ = True
STATIC_URL = '/static/'
MEDIA_ROOT = {folder!r} + '/media'
LOGIN_URL = '/login/'
# It is asked with each request, and a slow hash would be computed for each.
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
EMAIL_BACKEND = 'django.core.mail.backends.filebased.EmailBackend'
EMAIL_FILE_PATH = {folder!r} + '/mail'
DATABASES = {{'default': {{
    'ENGINE': 'django.db.backends.sqlite3', 'NAME': {folder!r} + '/desk.db', 'OPTIONS': {{'timeout': 30}},
}}}}
INSTALLED_APPS = [
    'django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions', 'django.contrib.sites',
    'django.contrib.messages', 'django.contrib.staticfiles', 'django.contrib.admin', 'django.contrib.humanize',
    'django_cleanup', 'rest_framework', 'helpdesk',
]
MIDDLEWARE = [
    'django.contrib.sessions.middleware.SessionMiddleware', 'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware', 'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]
TEMPLATES = [{{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True, 'OPTIONS': {{
    'context_processors': [
        'django.template.context_processors.debug', 'django.template.context_processors.request',
        'django.contrib.auth.context_processors.auth', 'django.contrib.messages.context_processors.messages',
    ],
}}}}]
HELPDESK_TEAMS_MODE_ENABLED = False
HELPDESK_ACTIVATE_API_ENDPOINT = True
"""

_URLS = """
from django.urls import include, path
urlpatterns = [path('', include('helpdesk.urls', namespace='helpdesk'))]
"""

# The queue has an address: whoever has written gets an email about a ticket, as in every help desk. `relay` is staff.
_DATA = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from helpdesk.models import CustomField, Queue
call_command('migrate', verbosity=0)
# The templates of its emails, which its own instructions load, too.
call_command('loaddata', 'emailtemplate.json', verbosity=0)
Queue.objects.create(title='Chats', slug='chats', email_address='desk@live.example')
CustomField.objects.create(name='smartsupp_chat', label='Smartsupp chat', data_type='varchar', max_length=200,
                           required=False, staff_only=True)
User.objects.create_superuser({admin[0]!r}, 'admin@live.example', {admin[1]!r})
User.objects.create_user({agent[0]!r}, 'relay@live.example', {agent[1]!r}, is_staff=True)
"""


def installed() -> bool:
    return packages.has_python()


class DjangoHelpdesk:
    """Prepared once, then started and stopped at will; the port and what is in it stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True)
        (folder / "settings.py").write_text(_SETTINGS.format(folder=str(folder)))
        (folder / "urls.py").write_text(_URLS)
        (folder / "data.py").write_text(_DATA.format(admin=ADMIN, agent=AGENT))
        self._process: subprocess.Popen[bytes] | None = None
        done = subprocess.run(
            [str(packages.PYTHON), "data.py"],
            cwd=folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(self.folder)}

    def start(self) -> DjangoHelpdesk:
        serve = ["-m", "waitress", "--listen", f"127.0.0.1:{self.port}", "--threads", "4"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(packages.PYTHON), *serve, "--call", "django.core.wsgi:get_wsgi_application"],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until(self._answers, 300, f"django-helpdesk's answer (see {self.folder})")
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return bool(self.rest("GET", "tickets/"))
        except requests.ConnectionError:
            return False

    # --- looking at it as its admin ------------------------------------------------------

    def rest(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self.url}/api/{path}", auth=ADMIN, timeout=60, **options)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def tickets(self, key: str) -> list[dict[str, Any]]:
        """The tickets of a conversation, with what was written on them."""
        found: list[dict[str, Any]] = self.rest("GET", "tickets/", params={"page_size": 1000})["results"]
        return [one for one in found if one["custom_smartsupp_chat"] == key]

    def page(self, ticket: int) -> str:
        """The page of a ticket, as a browser gets it."""
        with requests.Session() as browser:
            form = browser.get(f"{self.url}/login/", timeout=60).text
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
            assert token
            login = {"username": AGENT[0], "password": AGENT[1], "csrfmiddlewaretoken": token[1]}
            browser.post(f"{self.url}/login/", data=login, timeout=60)
            shown = browser.get(f"{self.url}/tickets/{ticket}/", timeout=60)
            shown.raise_for_status()
            return shown.text

    def mails(self) -> list[str]:
        """What would have been sent."""
        return [one.read_text() for one in (self.folder / "mail").glob("*")]
