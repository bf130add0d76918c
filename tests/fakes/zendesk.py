"""Zendesk Support on loopback, after https://developer.zendesk.com/api-reference/ticketing/introduction/.

Stricter than Zendesk in one thing: what Zendesk would silently drop, such as a misspelt key, is refused.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from markupsafe import Markup

from connectors.testing.fake import Answer, Fake, Refuse, Request
from tests.fakes.authorization import Authorization

EMAIL, TOKEN = "agent@example.com", "key-0123456789"
#: Bytes of a comment's HTML, as Zendesk keeps it.
COMMENT = 65_535

_TICKET = {
    "subject": str,
    "comment": dict,
    "requester_id": int,
    "submitter_id": int,
    "external_id": str,
    "tags": list,
    "custom_fields": list,
    "group_id": int,
    "brand_id": int,
    "ticket_form_id": int,
    "priority": str,
    "status": str,
    "type": str,
    "due_at": str,
    "assignee_id": int,
    "via_followup_source_id": int,
}
#: https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_import/
_IMPORT = {name: kind for name, kind in _TICKET.items() if name != "comment"} | {
    "comments": list,
    "created_at": str,
    "updated_at": str,
    "solved_at": str,
}
_USER = dict.fromkeys(("name", "email", "external_id", "phone", "notes", "details", "locale", "time_zone"), str)
#: What a type of custom field of a user takes.
_VALUES: dict[str, tuple[Any, ...]] = {"text": (str,), "checkbox": (bool,), "integer": (int,), "decimal": (int, float)}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CHOICES = {
    "priority": ("urgent", "high", "normal", "low"),
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
    "type": ("problem", "incident", "question", "task"),
}


def invalid(field: str, description: str, error: str = "InvalidValue") -> Refuse:
    """The 422 of a record that does not pass."""
    return Refuse(
        422,
        {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {field: [{"description": description, "error": error}]},
        },
    )


class ZendeskVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.authorization = Authorization()
        self.authorization.tokens_at(self, "/oauth/tokens")
        self.agent: dict[str, Any] = {"id": 7, "name": "Agent", "email": EMAIL, "role": "agent", "suspended": False}
        self.settings: dict[str, Any] = {"tagging": True, "is_first_comment_private_enabled": True}
        self.things: dict[str, dict[int, dict[str, Any]]] = {
            "group": {31: {"name": "Chats", "deleted": False}, 32: {"name": "Old", "deleted": True}},
            "brand": {41: {"name": "Shop", "active": True}, 42: {"name": "Gone", "active": False}},
            "ticket_form": {51: {"name": "Chat", "active": True}, 52: {"name": "Old", "active": False}},
            "ticket_field": {
                360001: {"title": "Chat id", "type": "text", "active": True, "removable": True},
                360002: {"title": "Country", "type": "text", "active": False, "removable": True},
                34: {"title": "Subject", "type": "subject", "active": True, "removable": False},
            },
        }
        self.user_fields = {
            "customer_no": {"type": "text", "active": True},
            "newsletter": {"type": "checkbox", "active": True},
            "visits": {"type": "integer", "active": True},
            "old": {"type": "text", "active": False},
        }
        #: What the clock says, and the tickets that triggers have seen.
        self.now = "2015-03-27T16:00:00Z"
        self.triggered: list[int] = []
        #: Who would have been sent mail.
        self.mailed: list[str] = []
        #: True: a ticket made in this run is not listed yet.
        self.list_lags = False
        #: Whether a search, and an upsert, know users by their further addresses: nobody says.
        self.shows_further = self.upserts_further = True
        self._users: list[dict[str, Any]] = []
        #: Whom somebody has deleted, and not for good yet.
        self.deleted_users: list[dict[str, Any]] = []
        self._agents: list[dict[str, Any]] = []
        self._indexed: list[dict[str, Any]] = []
        self._tickets: list[dict[str, Any]] = []
        self._keys: dict[str, tuple[Any, Answer]] = {}
        #: Files that no comment has yet, by token.
        self.uploads: dict[str, dict[str, Any]] = {}
        for method, pattern, answer in (
            ("GET", "/users/me", lambda request: {"user": self.agent}),
            ("GET", "/users/search", self._search),
            ("GET", r"/users/(\d+)/identities", self._identities),
            ("POST", "/users", self._create_user),
            ("POST", "/users/create_or_update", self._save_user),
            ("GET", "/account/settings", lambda request: {"settings": {"tickets": self.settings}}),
            ("GET", "/users", self._list_users),
            ("GET", r"/users/(\d+)", self._show_user),
            ("PUT", r"/users/(\d+)", self._change_user),
            ("DELETE", r"/users/(\d+)", self._delete_user),
            ("DELETE", r"/deleted_users/(\d+)", self._delete_for_good),
            ("GET", "/user_fields", self._list_user_fields),
            ("GET", r"/users/(\d+)/tickets/requested", self._requested),
            ("POST", "/tickets", self._create),
            ("POST", "/imports/tickets", self._import),
            ("POST", "/uploads", self._upload),
            ("GET", "/tickets", self._list),
            ("PUT", r"/tickets/(\d+)", self._update),
            ("GET", r"/tickets/(\d+)/comments", self._comments),
            ("GET", r"/(group|brand|ticket_form|ticket_field)s/(\d+)", self._show),
            ("GET", r"/(group)s/assignable", self._list_things),
            ("GET", r"/(brand|ticket_form|ticket_field)s", self._list_things),
        ):
            self.route(method, "/api/v2" + pattern, answer)

    # --- for tests ---------------------------------------------------------------

    def knows_agent(self, email: str, **more: Any) -> dict[str, Any]:
        """An agent in every group, unless `groups` names those."""
        agent = {"name": "Ann", "email": email, "role": "agent", "role_type": 0, "active": True, **more}
        made = self.knows(**agent)
        self._users.remove(made)  # people are those who write
        self._agents.append(made)
        return made

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number: int = self.knows_agent(email, suspended=not active)["id"]
        return number

    def owner_of(self, record: dict[str, Any]) -> int | None:
        found: int | None = record.get("assignee_id")
        return found

    def end(self, record: dict[str, Any]) -> None:
        record["status"] = "closed"

    def age(self, record: dict[str, Any]) -> None:
        record["updated_at"] = "2015-03-13T12:00:00Z"

    def due_of(self, record: dict[str, Any]) -> str:
        return str(record.get("due_at") or "")[:16] if record["type"] == "task" else ""

    def follows(self, record: dict[str, Any], earlier: dict[str, Any]) -> bool:
        told = f"{self.url}/agent/tickets/{earlier['id']}" in record["comments"][0]["html_body"]
        return told and record.get("via_followup_source_id") == earlier["id"]

    def knows(self, **user: Any) -> dict[str, Any]:
        """A user from before, whom the search shows."""
        made = {"id": self.new_id(), "role": "end-user", "external_id": None, "suspended": False, **user}
        self._users.append(made)
        self._indexed.append(made)
        return made

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: Any) -> int:
        more = {key: value for key, value in fields.items() if key in _USER}
        own = {key: value for key, value in fields.items() if key not in _USER}
        typed = {"name": name or email, "email": email or None, "phone": phone or None}
        number: int = self.knows(**typed, **more, user_fields=own)["id"]
        return number

    def person(self, number: int) -> dict[str, str]:
        user = self._user(number)
        known = {**user, **user.get("user_fields", {})}
        return {name: str(value or "") for name, value in known.items()}

    def remove_person(self, number: int) -> None:
        """Somebody deletes a user: of those a profile is left, as Zendesk shows it."""
        gone = self._user(number)
        self._users.remove(gone)
        self._agents.append({"id": gone["id"], "name": "Permanently Deleted User", "email": None, "active": False})

    def records_of(self, number: int) -> int:
        return sum(one["requester_id"] == number for one in self.records())

    def _user(self, number: int) -> dict[str, Any]:
        return next(one for one in self._users if one["id"] == number)

    def people(self) -> list[Any]:
        return self._users

    def records(self) -> list[Any]:
        return [ticket for ticket in self._tickets if not ticket["deleted"]]

    def texts(self) -> list[str]:
        return [comment["html_body"] for ticket in self._tickets for comment in ticket["comments"]]

    def attached(self) -> list[tuple[str, bytes]]:
        comments = [comment for ticket in self.records() for comment in ticket["comments"]]
        return [(one["file_name"], one["content"]) for comment in comments for one in comment.get("attachments", ())]

    def forget_keys(self) -> None:
        """Two hours go by."""
        self._keys.clear()

    # --- routes --------------------------------------------------------------------

    def _act(self, request: Request) -> Answer:
        if request.path == "/oauth/tokens":
            return super()._act(request)
        expected = base64.b64encode(f"{EMAIL}/token:{TOKEN}".encode()).decode()
        basic = request.headers.get("authorization") == f"Basic {expected}"
        if not basic and not self.authorization.is_good(request):
            return Answer(401, {"error": "Couldn't authenticate you"})
        if request.headers.get("accept") != "application/json":
            return Answer(406, {"error": "the documentation asks for Accept: application/json"})
        if request.path == "/api/v2/uploads":
            return super()._act(request)
        if request.method in ("POST", "PUT") and request.headers.get("content-type") != "application/json":
            return Answer(400, {"error": "the documentation asks for Content-Type: application/json"})
        answer = super()._act(request)
        if answer.status == 404:
            answer.body = {"error": "RecordNotFound", "description": "Not found"}
        return answer

    def _show_user(self, request: Request, number: str) -> Any:
        user = next((one for one in self._users + self._agents if one["id"] == int(number)), None)
        if user is None:
            raise Refuse(404)
        return {"user": user}

    def _change_user(self, request: Request, number: str) -> Any:
        user = next((one for one in self._users if one["id"] == int(number)), None)
        if user is None:
            raise Refuse(404)
        change = self._user_inside(request)
        email = change.get("email", "").lower()
        if email and any(
            email == (one.get("email") or "").lower() or email in self._further(one) for one in self._users
        ):
            raise invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")
        if email and not change.get("skip_verify_email"):
            self.mailed.append(email)
        user["user_fields"] = {**user.get("user_fields", {}), **change.pop("user_fields", {})}
        user.update({name: value for name, value in change.items() if name != "skip_verify_email"})
        return {"user": user}

    def _delete_user(self, request: Request, number: str) -> Any:
        user = next((one for one in self._users + self._agents if one["id"] == int(number)), None)
        if user is None or user.get("active") is False:
            raise Refuse(404)
        if user in self._agents:
            raise Refuse(403, {"error": {"title": "Forbidden", "message": "You do not have access to this page."}})
        self._users.remove(user)
        self.deleted_users.append(user | {"active": False})
        return {"user": self.deleted_users[-1]}

    def _delete_for_good(self, request: Request, number: str) -> Any:
        user = next((one for one in self.deleted_users if one["id"] == int(number)), None)
        if user is None:
            raise Refuse(404)
        self.deleted_users.remove(user)
        gone = {"id": user["id"], "name": "Permanently Deleted User", "email": None, "active": False}
        self._agents.append(gone)
        return {"deleted_user": user}

    def _list_user_fields(self, request: Request) -> Any:
        if request.query.get("page") != "1":
            raise Refuse(400, {"error": "BadRequest"})
        return {
            "user_fields": [
                {"id": n, "key": key, "title": key.title(), **one}
                for n, (key, one) in enumerate(self.user_fields.items())
            ]
        }

    def _search(self, request: Request) -> Any:
        asked, query = set(request.query), request.query.get("query", "")
        # Whom this run has made, no search knows yet.
        known = [user for user in self._indexed if user in self._users + self._agents]
        if asked == {"external_id"}:
            wanted = request.query["external_id"].lower()
            return {"users": [one for one in known if (one.get("external_id") or "").lower() == wanted]}
        if asked != {"query"}:
            raise Refuse(400, {"error": "BadRequest"})
        # A part of the value is enough, so that the caller has to compare.
        if found := re.fullmatch(r"email:(\S+)", query):
            wanted = found[1].lower()
            same = [
                one
                for one in known
                if wanted in (one.get("email") or "").lower() or (self.shows_further and wanted in self._further(one))
            ]
        elif found := re.fullmatch(r"role:end-user phone:\*(\d+)", query):
            wanted = found[1]
            same = [one for one in known if wanted in re.sub(r"\D", "", one.get("phone") or "")]
        elif found := re.fullmatch(r'role:end-user (\w+):"([^"]*)"', query):
            key, wanted = found[1], found[2].lower()
            same = [one for one in known if wanted in str(one.get("user_fields", {}).get(key) or "").lower()]
        else:
            raise Refuse(400, {"error": "BadRequest"})
        return {"users": [one for one in same if one["role"] == "end-user" or query.startswith("email:")]}

    def _further(self, user: dict[str, Any]) -> list[str]:
        return [one.lower() for one in user.get("further", ())]

    def _identities(self, request: Request, number: str) -> Any:
        user = next((one for one in self._users + self._agents if one["id"] == int(number)), None)
        if user is None:
            raise Refuse(404)
        emails = [*filter(None, [user.get("email")]), *user.get("further", ())]
        phones = [{"id": 1, "user_id": user["id"], "type": "phone_number", "value": "+1 555", "primary": False}]
        return {
            "identities": [
                {"id": n, "user_id": user["id"], "type": "email", "value": one, "primary": one == user.get("email")}
                for n, one in enumerate(emails, 2)
            ]
            + phones
        }

    def _user_inside(self, request: Request) -> dict[str, Any]:
        user = self._inside(request, "user", {**_USER, "user_fields": dict, "skip_verify_email": bool})
        email = user.get("email", "")
        for key, value in user.get("user_fields", {}).items():
            kind = self.user_fields.get(key, {}).get("type", "")
            if kind not in _VALUES or type(value) not in _VALUES[kind]:
                raise invalid("base", f"{key}: {value!r} is not taken")
        # Letters beyond ASCII are not what Zendesk calls an address; nor is what its own checks dislike.
        if email and (not re.fullmatch(r"[!-~]+@[!-~]+\.[!-~]+", email) or email.startswith("typo")):
            raise invalid("email", f"Email: {email} is not properly formatted")
        return user

    def _create_user(self, request: Request) -> Answer:
        user = self._user_inside(request)
        if not 1 <= len(user.get("name", "").strip()) <= 255:
            raise invalid("name", "Name: is too short (minimum one character)", "ValueTooShort")
        email = user["email"].lower()
        if any((one.get("email") or "").lower() == email or email in self._further(one) for one in self._users):
            raise invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")
        return self._add_user(user)

    def _add_user(self, user: dict[str, Any]) -> Answer:
        given = {name: value for name, value in user.items() if name != "skip_verify_email"}
        self._users.append({"id": self.new_id(), "role": "end-user", "email": None, "external_id": None, **given})
        if user.get("email") and not user.get("skip_verify_email"):
            self.mailed.append(user["email"])
        return Answer(201, {"user": self._users[-1]})

    def _save_user(self, request: Request) -> Answer:
        user = self._user_inside(request)
        email, external = user.get("email", "").lower(), user.get("external_id", "").lower()
        further = [one for one in self._users if email and email in self._further(one)]
        same = [
            one
            for one in self._users
            if (email and (one.get("email") or "").lower() == email)
            or (external and (one.get("external_id") or "").lower() == external)
            or (self.upserts_further and one in further)
        ]
        if len(same) > 1 or (further and not same):
            raise invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")
        if same:
            same[0].update({name: value for name, value in user.items() if name in ("name", "external_id")})
            return Answer(200, {"user": same[0]})
        if not 1 <= len(user.get("name", "").strip()) <= 255:
            raise invalid("name", "Name: is too short (minimum one character)", "ValueTooShort")
        return self._add_user(user)

    def _create(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if key in self._keys:
            before, answer = self._keys[key]
            if before != request.body:
                raise Refuse(400, {"error": "IdempotentRequestError", "description": "used with other parameters"})
            return Answer(answer.status, answer.body, {"x-idempotency-lookup": "hit"})
        ticket = self._inside(request, "ticket", _TICKET)
        self._validate(ticket)
        source = ticket.get("via_followup_source_id")
        if source is not None and self._ticket(str(source))["status"] != "closed":
            del ticket["via_followup_source_id"]  # it has no effect with other tickets
        made = self._made(ticket)
        author = made.get("submitter_id", made["requester_id"])
        self._add_comment(made, ticket.get("comment"), author)
        self._tickets.append(made)
        self.triggered.append(made["id"])
        answer = Answer(201, {"ticket": self._shown(made)}, {"x-idempotency-lookup": "miss"})
        if key:
            self._keys[key] = (request.body, answer)
        return answer

    def _made(self, ticket: dict[str, Any]) -> dict[str, Any]:
        new = {"status": "new", "type": None, "created_at": self.now, "updated_at": self.now}
        return {**new, **ticket, "id": self.new_id(), "deleted": False, "comments": []}

    def _import(self, request: Request) -> Answer:
        if self.agent["role"] != "admin":
            raise Refuse(403, {"error": "Forbidden", "description": "You do not have access to this page"})
        ticket = self._inside(request, "ticket", _IMPORT)
        self._validate(ticket)
        made = self._made(ticket)
        for one in ticket.get("comments") or [None]:
            comment = dict(one or {})
            author, created = comment.pop("author_id", None), comment.pop("created_at", None)
            if author != self.agent["id"] or not _TIME.fullmatch(created or "") or created > self.now:
                raise invalid("comment", "Comment: its author or its time is wrong")
            self._add_comment(made, comment, author)
        self._tickets.append(made)
        return Answer(201, {"ticket": self._shown(made)})

    def _requested(self, request: Request, number: str) -> Any:
        asked = {name: value for name, value in request.query.items() if name not in ("page", "per_page")}
        if asked != {"sort_by": "updated_at", "sort_order": "desc"}:
            raise Refuse(400, {"error": "BadRequest"})
        mine = [one for one in self.records() if one["requester_id"] == int(number)]
        mine.sort(key=lambda one: str(one["updated_at"]), reverse=True)
        return {"tickets": [self._shown(one) for one in mine[: int(request.query["per_page"])]]}

    def _validate(self, ticket: dict[str, Any]) -> None:
        if ticket.get("submitter_id") not in {self.agent["id"], ticket.get("requester_id")}:
            raise invalid("submitter", "Submitter: is invalid")
        everybody = self._users + self._agents
        requester = next((user for user in everybody if user["id"] == ticket.get("requester_id")), None)
        if requester is None or requester.get("active") is False:
            raise invalid("requester", "Requester: is missing")
        if requester.get("suspended") or requester.get("refused"):
            raise invalid("requester", f"Requester: {requester['name']} is suspended.", "UserSuspended")
        self._validate_assignee(ticket)
        due = ticket.get("due_at")
        if due is not None and (not _TIME.fullmatch(due) or ticket.get("type") != "task"):
            raise invalid("due_at", "Due at: is of a task, in ISO 8601")
        for kind in ("group", "brand", "ticket_form"):
            if f"{kind}_id" in ticket and ticket[f"{kind}_id"] not in self.things[kind]:
                raise invalid(kind, f"{kind}: is invalid")
        for name, choices in _CHOICES.items():
            if ticket.get(name) not in (None, *choices):
                raise invalid(name, f"{name}: {ticket[name]} is not a valid value")
        if any(not isinstance(tag, str) or not tag or re.search(r"\s", tag) for tag in ticket.get("tags", [])):
            raise invalid("tags", "Tags: have no spaces")
        for field in ticket.get("custom_fields", []):
            known = self.things["ticket_field"].get(field["id"])
            if set(field) != {"id", "value"} or not known or not isinstance(field["value"], str):
                raise invalid("custom_fields", f"{field} is none")
        if not 0 < len(ticket.get("subject", "")) <= 255 or len(ticket.get("external_id", "")) > 255:
            raise invalid("subject", "too long, or missing")

    def _validate_assignee(self, ticket: dict[str, Any]) -> None:
        if "assignee_id" not in ticket:
            return
        user = next((one for one in self._users + self._agents if one["id"] == ticket["assignee_id"]), None)
        # As Zendesk answers in https://github.com/facetoe/zenpy/issues/628
        if user is None or user["role"] == "end-user" or user.get("suspended") or user.get("role_type") == 1:
            raise invalid("assignee", "Assignee: is invalid")
        if ticket.get("group_id") not in (None, *user.get("groups", (ticket.get("group_id"),))):
            raise invalid("assignee", "Assignee: is not a member of the group")

    def _list(self, request: Request) -> Any:
        if set(request.query) != {"external_id"}:
            raise Refuse(400, {"error": "BadRequest"})
        listed = [] if self.list_lags else self.records()
        return {
            "tickets": [self._shown(one) for one in listed if one.get("external_id") == request.query["external_id"]]
        }

    def _update(self, request: Request, number: str) -> Any:
        found = self._ticket(number)
        if found["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        change = self._inside(request, "ticket", _TICKET)
        if "comment" in change or not change:
            self._add_comment(found, change.pop("comment", None), self.agent["id"])
        found.update(change, updated_at=self.now)
        self.triggered.append(found["id"])
        return {"ticket": self._shown(found), "audit": {"id": self.new_id()}}

    def _upload(self, request: Request) -> Answer:
        """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/#upload-files"""
        kind = request.headers.get("content-type", "")
        if set(request.query) != {"filename"} or not re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) or not request.raw:
            raise Refuse(400, {"error": "BadRequest", "description": "a filename, a media type and a file"})
        if len(request.raw) > 50 << 20:
            raise Refuse(413, {"error": "AttachmentTooBig", "description": "The file is too big"})
        token = f"upload{self.new_id()}"
        kept = {"id": self.new_id(), "file_name": request.query["filename"], "content_type": kind}
        self.uploads[token] = kept | {"content": request.raw}
        return Answer(201, {"upload": {"token": token, "attachment": kept}})

    def _comments(self, request: Request, number: str) -> Any:
        comments = self._ticket(number)["comments"]
        newest_first = request.query.get("sort_order") == "desc"
        size, page = int(request.query.get("per_page", 100)), int(request.query.get("page", 1))
        shown = (comments[::-1] if newest_first else comments)[size * (page - 1) : size * page]
        return {
            "comments": [{name: one for name, one in comment.items() if name != "attachments"} for comment in shown]
        }

    def _show(self, request: Request, kind: str, number: str) -> Any:
        found = self.things[kind].get(int(number))
        if found is None:
            raise Refuse(404)
        return {kind: {"id": int(number), **found}}

    def _list_things(self, request: Request, kind: str) -> Any:
        things = [{"id": number, **one} for number, one in self.things[kind].items()]
        if kind in ("ticket_form", "ticket_field"):  # all at once
            if request.query:
                raise Refuse(400, {"error": "BadRequest"})
            return {f"{kind}s": things}
        # Of groups only those that are not deleted are assignable.
        return self._paged(request, f"{kind}s", [one for one in things if not one.get("deleted")])

    def _list_users(self, request: Request) -> Any:
        role = request.query.get("role")
        if role not in ("agent", "admin", "end-user"):
            raise Refuse(400, {"error": "BadRequest"})
        return self._paged(request, "users", [one for one in self._users + self._agents if one.get("role") == role])

    @staticmethod
    def _paged(request: Request, name: str, found: list[Any]) -> Any:
        page, size = int(request.query["page"]), int(request.query["per_page"])
        if not 1 <= size <= 100:
            raise Refuse(400, {"error": "BadRequest"})
        return {name: found[size * (page - 1) : size * page], "count": len(found)}

    # --- what they share -------------------------------------------------------------

    def _ticket(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] | None = next((one for one in self.records() if one["id"] == int(number)), None)
        if found is None:
            raise Refuse(404)
        return found

    def _inside(self, request: Request, name: str, shape: dict[str, type]) -> dict[str, Any]:
        """What stands under `name` in the body, its keys and types checked."""
        if not isinstance(request.body, dict) or set(request.body) != {name} or request.query:
            raise Refuse(400, {"error": "BadRequest", "description": f"expected '{name}'"})
        inside: dict[str, Any] = request.body[name]
        for key, value in inside.items():
            if key not in shape or type(value) is not shape[key]:
                raise invalid(key, f"{key}: {value!r} is not taken")
        return dict(inside)

    def _add_comment(self, ticket: dict[str, Any], comment: Any, author: int) -> None:
        if (
            not isinstance(comment, dict)
            or set(comment) - {"uploads"} != {"html_body", "public"}
            or not comment["html_body"]
        ):
            raise invalid("comment", "Description: cannot be blank", "BlankValue")
        # Zendesk keeps the HTML with its own wrapping and attributes.
        kept = comment["html_body"].replace("<p>", '<p dir="auto">')
        kept = f'<div class="zd-comment" dir="auto">{kept}</div>'
        if len(kept.encode()) > COMMENT:
            raise invalid("comment", "Comment: is too long", "ValueTooLong")
        # Only agents can write what end users do not see.
        public = comment["public"] or author != self.agent["id"]
        if public:
            self.mailed.append(str(ticket["requester_id"]))
        tokens = comment.get("uploads", [])
        if any(token not in self.uploads for token in tokens):
            raise invalid("uploads", "Uploads: token is not known, or was used before")
        files = [self.uploads.pop(token) for token in tokens]
        made = {"id": self.new_id(), "author_id": author, "html_body": kept, "public": public}
        ticket["comments"].append(made | ({"attachments": files} if files else {}))

    def _shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        hidden = ("comment", "comments", "deleted")
        description = Markup(ticket["comments"][0]["html_body"]).striptags()  # noqa: S704
        return {**{name: value for name, value in ticket.items() if name not in hidden}, "description": description}
