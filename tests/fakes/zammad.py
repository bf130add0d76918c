"""Zammad 6 on loopback, after https://docs.zammad.org/en/latest/api/ticket/index.html and its controllers.

What Zammad does silently is silent here too: an attribute that it does not know is left out.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request
from tests.fakes.staff import Staff

TOKEN = "zammad-token-0123456789"
BODY = 1_500_000
#: What a page of a search has at most, whatever is asked for: ApplicationController#model_search_render.
AGENTS = 200
_TICKET = {"title", "group", "owner_id", "customer", "tags", "article", "smartsupp_chat", "country"}
_ARTICLE = {"ticket_id", "subject", "body", "content_type", "type", "internal", "attachments"}


class ZammadVendor(Staff, Fake):
    def __init__(self) -> None:
        super().__init__()
        #: Attributes that an admin has made; of Zammad's own only what is asked for here.
        self.attributes = {"smartsupp_chat", "country"}
        self.groups = ["Users", "Chats"]
        self.users: list[dict[str, Any]] = []
        self.tickets: dict[str, dict[str, Any]] = {}
        for method, path, answer in (
            ("GET", "/users/me", lambda request: {"id": 3, "login": "relay@example.com"}),
            ("GET", "/groups", self._list_groups),
            ("GET", "/users/search", self._search_users),
            ("GET", "/tickets", self._list),
            ("GET", "/tickets/search", self._search),
            ("POST", "/tickets", self._create),
            ("PUT", r"/tickets/(\d+)", self._update),
            ("GET", r"/ticket_articles/by_ticket/(\d+)", self._articles),
            ("POST", "/ticket_articles", self._add_article),
        ):
            self.route(method, f"/api/v1{path}", self._for_agent(answer))

    def people(self) -> list[Any]:
        return self.users

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        """Without the marks in their last lines."""
        bodies = (one["body"] for ticket in self.tickets.values() for one in ticket["articles"])
        return [re.sub(r"<p>\[smartsupp:[^<]*\]</p>\Z", "", body) for body in bodies]

    def attached(self) -> list[tuple[str, bytes]]:
        articles = (one for ticket in self.tickets.values() for one in ticket["articles"])
        files = (file for one in articles for file in one.get("attachments", ()))
        return [(one["filename"], base64.b64decode(one["data"])) for one in files]

    @staticmethod
    def _for_agent(answer: Any) -> Any:
        def guarded(request: Request, *groups: str) -> Any:
            if request.headers.get("authorization") != f"Token token={TOKEN}":
                raise Refuse(401, {"error": "Invalid token!", "error_human": "Invalid token!"})
            return answer(request, *groups)

        return guarded

    def _search_users(self, request: Request) -> Any:
        asked = {**request.query}
        page, size = int(asked.pop("page", 1)), min(int(asked.pop("per_page", 50)), AGENTS)
        if asked != {"query": "*", "permissions": "ticket.agent"}:
            raise Refuse(422, {"error": f"the fake does not understand {request.query}"})
        begin = (page - 1) * size
        agent = {"firstname": "Ann", "lastname": "Agent"}
        found = [{"id": number, "email": email, "active": on, **agent} for number, email, on in self.hired()]
        return found[begin : begin + size]

    def owner_of(self, record: dict[str, Any]) -> int | None:
        owner: int | None = record["owner_id"]
        return owner

    def _list_groups(self, request: Request) -> Any:
        old = {"id": 99, "name": "Old", "active": False, "note": None}
        return [{"id": n, "name": one, "active": True, "note": None} for n, one in enumerate(self.groups, 1)] + [old]

    def _shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        own = {name: ticket.get(name) for name in self.attributes}
        return {"id": ticket["id"], "number": f"3{ticket['id']}", "title": ticket["title"], **own}

    def _list(self, request: Request) -> Any:
        return [self._shown(one) for one in self.tickets.values()][: int(request.query.get("per_page", 100))]

    def _search(self, request: Request) -> Any:
        prefix = "condition[ticket.smartsupp_chat]"
        if {*request.query} != {f"{prefix}[operator]", f"{prefix}[value]", "expand"} or "query" in request.query:
            raise Refuse(422, {"error": f"the fake does not understand {request.query}"})
        if "smartsupp_chat" not in self.attributes:
            raise Refuse(422, {"error": "Invalid condition"})
        # MySQL does not tell small letters from capitals.
        wanted = request.query[f"{prefix}[value]"].lower()
        return [self._shown(one) for one in self.tickets.values() if str(one["smartsupp_chat"]).lower() == wanted]

    def _create(self, request: Request) -> Answer:
        body = request.body
        if not isinstance(body, dict) or {*body} - _TICKET:
            raise Refuse(422, {"error": f"the fake does not know {sorted(body)}"})
        if body["group"] not in self.groups:
            raise Refuse(422, {"error": f"No lookup value found for 'group': \"{body['group']}\""})
        customer = body.get("customer")
        if not customer:
            raise Refuse(422, {"error": "Missing required value for field 'customer_id'!"})
        if customer["email"].startswith("typo"):
            raise Refuse(422, {"error": f"Invalid email '{customer['email']}'"})
        article = self._checked(body["article"], _ARTICLE - {"ticket_id"})
        if not any(one["email"] == customer["email"].lower() for one in self.users):
            self.users.append({**customer, "email": customer["email"].lower()})
        made = {
            **{name: body.get(name) for name in self.attributes},
            "id": self.new_id(),
            "title": body["title"],
            # Who may not own it is left out without a word.
            "owner_id": body.get("owner_id") if self.may_own(body.get("owner_id")) else None,
            "tags": body.get("tags", "").split(","),
            "articles": [{**article, "id": self.new_id()}],
        }
        self.tickets[str(made["id"])] = made
        return Answer(201, self._shown(made))

    @staticmethod
    def _checked(article: dict[str, Any], keys: set[str]) -> dict[str, Any]:
        wanted = {"content_type": "text/html", "type": "note", "internal": True}
        if {*article} - keys or any(article.get(name) != value for name, value in wanted.items()):
            raise Refuse(422, {"error": f"the fake does not know {article}"})
        if not article.get("body") or len(article["body"]) > BODY:
            raise Refuse(422, {"error": "Need at least an 'article body' field."})
        return article

    def _ticket(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refuse(404, {"error": f"Couldn't find Ticket with 'id'={number}"})
        return self.tickets[number]

    def _update(self, request: Request, number: str) -> Any:
        ticket = self._ticket(number)
        ticket.update({name: value for name, value in request.body.items() if name in self.attributes})
        return self._shown(ticket)

    def _articles(self, request: Request, number: str) -> Any:
        return self._ticket(number)["articles"]

    def _add_article(self, request: Request) -> Answer:
        article = self._checked(request.body, _ARTICLE)
        if not isinstance(article["ticket_id"], int):
            raise Refuse(422, {"error": "the fake takes numbers"})
        for one in article.get("attachments", []):
            if {*one} != {"filename", "data", "mime-type"} or not base64.b64decode(one["data"], validate=True):
                raise Refuse(422, {"error": "Attachments needs to have 'filename', 'data' and 'mime-type'"})
        self._ticket(str(article["ticket_id"]))["articles"].append({**article, "id": self.new_id()})
        return Answer(201, {"id": self.new_id() - 1})
