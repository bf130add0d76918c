"""Jira Service Management Cloud on loopback, after https://developer.atlassian.com/cloud/jira/service-desk/rest/."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor

USER, TOKEN, DESK, KIND = "relay@shop.example", "atlassian-token-0123456789", 4, 25
BODY = 32_767
_PROOF = "Basic " + b64encode(f"{USER}:{TOKEN}".encode()).decode()
_WIKI = re.compile(r"\\([\\{}\[\]*_^~+|!?-])")


def error(status: int, text: str) -> Refuse:
    return Refuse(status, {"errorMessage": text, "i18nErrorMessage": {"i18nKey": "x", "parameters": []}})


class JiraVendor(HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, dict[str, Any]] = {}
        #: The accounts that are customers of the desk.
        self.members: list[str] = []
        self.fields = ["summary", "description", "customfield_10050"]
        self.behalf = True
        #: Whether the list of requests shows none yet.
        self.hidden = False
        self.issues: dict[str, dict[str, Any]] = {}
        desk = f"/servicedeskapi/servicedesk/{DESK}"
        self.guarded(
            "/rest",
            ("GET", "/servicedeskapi/servicedesk", self._desks),
            ("GET", f"{desk}/requesttype", self._kinds),
            ("GET", desk, lambda request: {"id": str(DESK), "projectKey": "SUP", "projectName": "Support"}),
            ("GET", f"{desk}/customer", self._customers),
            ("POST", f"{desk}/customer", self._join),
            ("GET", f"{desk}/requesttype/{KIND}/field", self._form),
            ("POST", "/servicedeskapi/customer", self._add_customer),
            ("GET", "/servicedeskapi/request", self._requests),
            ("POST", "/servicedeskapi/request", self._add_request),
            ("GET", r"/servicedeskapi/request/(\d+)/comment", self._comments),
            ("POST", r"/servicedeskapi/request/(\d+)/comment", self._add_comment),
            ("PUT", r"/api/3/issue/(\d+)", self._change),
        )

    def people(self) -> list[Any]:
        return list(self.accounts.values())

    def records(self) -> list[Any]:
        return list(self.issues.values())

    def texts(self) -> list[str]:
        """Without escapes and marks."""
        bodies = (one["body"] for issue in self.issues.values() for one in issue["comments"])
        read = (_WIKI.sub(r"\1", re.sub(r"\s*\\\[smartsupp:.*\Z", "", body)) for body in bodies)
        return [re.sub(r"^_(Part \d+ of \d+)_$", r"\1", text, flags=re.MULTILINE) for text in read]

    def allows(self, request: Request) -> bool:
        return request.headers.get("authorization") == _PROOF

    def stranger(self) -> Refuse:
        said = "Client must be authenticated to access this resource."
        return Refuse(401, {"message": said, "status-code": 401})

    @staticmethod
    def _page(found: list[Any], request: Request) -> Any:
        start, limit = int(request.query.get("start", 0)), int(request.query["limit"])
        shown = found[start : start + limit]
        last = start + limit >= len(found)
        return {"size": len(shown), "start": start, "limit": limit, "isLastPage": last, "values": shown}

    def _desks(self, request: Request) -> Any:
        return self._page([{"id": str(DESK), "projectKey": "SUP", "projectName": "Support"}], request)

    def _kinds(self, request: Request) -> Any:
        return self._page([{"id": str(KIND), "name": "Chat", "serviceDeskId": str(DESK)}], request)

    def _customers(self, request: Request) -> Any:
        if request.headers.get("x-experimentalapi") != "opt-in":
            raise error(412, "experimental")
        asked = self.only(request.query, "query", "limit")["query"].lower()
        known = [self.accounts[one] for one in self.members]
        return self._page([one for one in known if asked in one["emailAddress"].lower()], request)

    def _add_customer(self, request: Request) -> Answer:
        body = self.only(request.body, "email", "displayName")
        if body["email"].startswith("typo"):
            raise error(400, "The email address is not valid.")
        if any(one["emailAddress"] == body["email"].lower() for one in self.accounts.values()):
            raise error(409, "An account already exists for this email")
        account = f"qm:{self.new_id()}"
        self.accounts[account] = {
            "accountId": account, "emailAddress": body["email"].lower(), "displayName": body["displayName"],
        }  # fmt: skip
        return Answer(201, self.accounts[account])

    def _join(self, request: Request) -> Answer:
        for account in self.only(request.body, "accountIds")["accountIds"]:
            if account not in self.accounts:
                raise error(400, "no such account")
            if account not in self.members:
                self.members.append(account)
        return Answer(204)

    def _form(self, request: Request) -> Any:
        fields = [{"fieldId": one, "required": one == "summary"} for one in self.fields]
        return {"requestTypeFields": fields, "canRaiseOnBehalfOf": self.behalf}

    def _requests(self, request: Request) -> Any:
        own = ("serviceDeskId", "requestTypeId", "requestOwnership", "requestStatus")
        asked = self.only(request.query, *own, "start", "limit")
        if [asked[name] for name in own] != [str(DESK), str(KIND), "ALL_REQUESTS", "ALL_REQUESTS"]:
            raise error(400, "the fake does not know that")
        found = []
        for number, issue in reversed(self.issues.items()):
            values = [{"fieldId": name, "value": value} for name, value in issue["fields"].items()]
            found.append({"issueId": number, "issueKey": issue["key"], "requestFieldValues": values})
        return self._page([] if self.hidden else found, request)

    def _add_request(self, request: Request) -> Answer:
        body = self.only(request.body, "serviceDeskId", "requestTypeId", "requestFieldValues", "raiseOnBehalfOf")
        if (body["serviceDeskId"], body["requestTypeId"]) != (str(DESK), str(KIND)):
            raise error(404, "no such service desk or request type")
        fields = self.only(body["requestFieldValues"], *self.fields)
        if len(fields["summary"]) > 255 or "\n" in fields["summary"]:
            raise error(400, "The summary is invalid because it contains newline characters or is too long.")
        if "raiseOnBehalfOf" in body and body["raiseOnBehalfOf"] not in self.members:
            raise error(400, "the customer is not in the service desk")
        number = str(self.new_id())
        made: dict[str, Any] = {
            "key": f"SUP-{number}",
            "fields": fields,
            "for": body.get("raiseOnBehalfOf"),
            "comments": [],
        }
        self.issues[number] = made
        return Answer(201, {"issueId": number, "issueKey": made["key"]})

    def _issue(self, number: str) -> dict[str, Any]:
        if number not in self.issues:
            raise error(404, "The request does not exist, or you have no permission to see it.")
        return self.issues[number]

    def _change(self, request: Request, number: str) -> Answer:
        fields = self.only(self.only(request.body, "fields")["fields"], *self.fields)
        self._issue(number)["fields"].update(fields)
        return Answer(204)

    def _comments(self, request: Request, number: str) -> Any:
        asked = self.only(request.query, "public", "internal", "start", "limit")
        if (asked["public"], asked["internal"]) != ("false", "true"):
            raise error(400, "the fake knows internal comments alone")
        return self._page(self._issue(number)["comments"], request)

    def _add_comment(self, request: Request, number: str) -> Answer:
        body = request.body
        long = len(body["body"].encode("utf-16-le")) > 2 * BODY
        if {*body} != {"body", "public"} or body["public"] is not False or long:
            raise error(400, f"the fake does not know {sorted(body)}")
        made = {"id": str(self.new_id()), **body}
        self._issue(number)["comments"].append(made)
        return Answer(201, made)
