"""EspoCRM 10 on loopback, after https://docs.espocrm.com/development/api/ and its controllers.

What EspoCRM does silently is silent here too: it leaves out an attribute that it does not know. Most of its errors have
no body; the reason stands in a header.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.testing.fake import Fake, Refuse, Request
from tests.fakes.markdown import read
from tests.fakes.staff import Staff

KEY = "espocrm-key-0123456789"
#: Bytes of a text, characters of a name and of a subject.
TEXT, NAME, SUBJECT = 65_535, 100, 255
_CASE = {"name", "description", "contactId", "assignedUserId"}
_BAD = re.compile("[<>=]")


def invalid(field: str, kind: str) -> Refuse:
    data = {"field": field, "type": kind}
    said = {"messageTranslation": {"label": "validationFailure", "scope": None, "data": data}}
    return Refuse(400, said, X_Status_Reason="validationFailure")


class EspoVendor(Staff, Fake):
    def __init__(self) -> None:
        super().__init__()
        #: Fields of cases that an admin has made.
        self.fields = {"cSmartsuppChat", "cCountry"}
        self.rights: dict[str, Any] = {
            "Contact": {"create": "yes", "read": "all", "edit": "no", "stream": "no"},
            "Case": {"create": "yes", "read": "all", "edit": "all", "stream": "all"},
        }
        self.contacts: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        for method, path, answer in (
            ("GET", "/App/user", self._me),
            ("GET", "/Metadata", self._metadata),
            ("GET", "/Contact", self._look_for_contacts),
            ("POST", "/Contact", self._add_contact),
            ("GET", "/Case", self._look_for_cases),
            ("POST", "/Case", self._add_case),
            ("PUT", r"/Case/(\w+)", self._change_case),
            ("GET", r"/Case/(\w+)/stream", self._stream),
            ("POST", "/Note", self._add_note),
            ("GET", "/User", self._users),
            ("GET", r"/Case/(\w+)/tasks", self._tasks),
            ("POST", "/Task", self._add_task),
        ):
            self.route(method, f"/api/v1{path}", self._as_user(answer))

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def records(self) -> list[Any]:
        return list(self.cases.values())

    def texts(self) -> list[str]:
        """As the page of a case shows them: what was posted last stands on top of the stream."""
        found = []
        for case in self.cases.values():
            found += [case["description"], *(one["post"] for one in reversed(case["posts"]))]
        return [read(text) for text in found]

    @staticmethod
    def _as_user(answer: Any) -> Any:
        def guarded(request: Request, *groups: str) -> Any:
            if request.headers.get("x-api-key") != KEY:
                raise Refuse(401)
            return answer(request, *groups)

        return guarded

    def _id(self) -> str:
        return f"65f{self.new_id():014d}"

    def _metadata(self, request: Request) -> Any:
        if request.query != {"key": "entityDefs.Case.fields"}:
            raise Refuse(400)
        return {name: {"type": "varchar"} for name in ("name", *sorted(self.fields))}

    def _me(self, request: Request) -> Any:
        return {
            "user": {"id": "65f1", "userName": "relay", "type": "api"},
            "acl": {"table": self.rights},
            "token": None,
        }

    def _text(self, body: dict[str, Any], field: str, longest: int) -> None:
        value = body.get(field, "")
        if not isinstance(value, str) or _BAD.search(value):
            raise invalid(field, "pattern")
        if len(value) > longest:
            raise invalid(field, "maxLength")

    def _only(self, request: Request, *keys: str) -> dict[str, Any]:
        body = request.body
        if not isinstance(body, dict) or {*body} - {*keys}:
            raise Refuse(400, {"message": f"the fake does not know {body}"})
        return body

    @staticmethod
    def _asked(request: Request, *more: str) -> tuple[str, str]:
        """The attribute and the value of the one condition."""
        prefix = "whereGroup[0]"
        known = {f"{prefix}[type]", f"{prefix}[attribute]", f"{prefix}[value]", "attributeSelect", "maxSize", *more}
        if {*request.query} - known or request.query.get(f"{prefix}[type]") != "equals":
            raise Refuse(400, {"message": f"the fake does not understand {request.query}"})
        return request.query[f"{prefix}[attribute]"], request.query[f"{prefix}[value]"]

    # --- users and their tasks -----------------------------------------------------------

    def spelled(self, number: int) -> str:
        return f"65f{number:014d}"

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return record.get("assignedUserId")

    def _users(self, request: Request) -> Any:
        if {*request.query} != {"attributeSelect", "offset", "maxSize"}:
            raise Refuse(400, {"message": f"the fake does not understand {request.query}"})
        begin, size = int(request.query["offset"]), int(request.query["maxSize"])
        api = {"id": "65f1", "name": "Relay", "emailAddress": None, "isActive": True, "type": "api"}
        own = [
            {"id": one, "name": "Ann", "emailAddress": email, "isActive": active, "type": "regular"}
            for one, email, active in self.hired()
        ]
        return {"total": 1 + len(own), "list": [api, *own][begin : begin + size]}

    def _assigned(self, body: dict[str, Any]) -> None:
        if "assignedUserId" in body and not self.may_own(body["assignedUserId"]):
            raise Refuse(403, X_Status_Reason="Assignment failure: assigned user or team not allowed.")

    def _tasks(self, request: Request, case: str) -> Any:
        self._case(case)
        found = [{"id": one["id"], "name": one["name"]} for one in self.todo if one["of"] == case]
        return {"total": len(found), "list": found}

    def _add_task(self, request: Request) -> Any:
        body = self._only(request, "name", "parentType", "parentId", "dateEnd", "assignedUserId")
        self._text(body, "name", SUBJECT)
        self._assigned(body)
        self._case(body["parentId"])
        due = datetime.fromisoformat(body["dateEnd"]).isoformat()[:16] if "dateEnd" in body else ""
        made = {
            "id": self._id(),
            "name": body["name"],
            "of": body["parentId"],
            "owner": self.owner_of(body),
            "due": due,
        }
        self.todo.append(made)
        return {"id": made["id"], "name": made["name"]}

    # --- contacts ----------------------------------------------------------------------

    def _look_for_contacts(self, request: Request) -> Any:
        attribute, value = self._asked(request, "orderBy", "order")
        found = [one for one in self.contacts.values() if one[attribute].lower() == value.lower()]
        return {"total": len(found), "list": [{"id": one["id"]} for one in found][: int(request.query["maxSize"])]}

    def _add_contact(self, request: Request) -> Any:
        body = self._only(request, "firstName", "lastName", "emailAddress")
        if not body.get("lastName"):
            raise invalid("lastName", "required")
        for field in ("firstName", "lastName"):
            self._text(body, field, NAME)
        if body["emailAddress"].startswith("typo"):
            raise invalid("emailAddress", "emailAddress")
        name = (body.get("firstName"), body["lastName"])
        same = [one for one in self.contacts.values() if (one.get("firstName"), one["lastName"]) == name]
        if same and request.headers.get("x-skip-duplicate-check") != "true":
            raise Refuse(409, same, X_Status_Reason="duplicate")
        made = {**body, "id": self._id()}
        self.contacts[made["id"]] = made
        return made

    # --- cases -------------------------------------------------------------------------

    def _shown(self, case: dict[str, Any]) -> dict[str, Any]:
        return {"id": case["id"], "name": case["name"], **{name: case.get(name) for name in self.fields}}

    def _look_for_cases(self, request: Request) -> Any:
        attribute, value = self._asked(request)
        if attribute not in self.fields:
            raise Refuse(400, X_Status_Reason=f"Not existing attribute '{attribute}' in where.")
        # MySQL does not tell small letters from capitals.
        found = [one for one in self.cases.values() if str(one.get(attribute)).lower() == value.lower()]
        shown = request.query.get("attributeSelect", "id").split(",")
        listed = [{name: {**one, **self._shown(one)}.get(name) for name in shown} for one in found]
        return {"total": len(found), "list": listed[: int(request.query["maxSize"])]}

    def _add_case(self, request: Request) -> Any:
        body = self._only(request, *_CASE, "cSmartsuppChat", "cCountry")
        if not body.get("name"):
            raise invalid("name", "required")
        self._text(body, "name", SUBJECT)
        if "contactId" in body and body["contactId"] not in self.contacts:
            label = {"label": "cannotRelateNonExisting", "scope": None, "data": {"foreignEntityType": "Contact"}}
            raise Refuse(403, {"messageTranslation": label}, X_Status_Reason="Can't relate with non-existing record.")
        self._assigned(body)
        self._fits(body.get("description", ""))
        made = {name: value for name, value in body.items() if name in _CASE | self.fields}
        made |= {"id": self._id(), "posts": []}
        self.cases[made["id"]] = made
        return self._shown(made)

    @staticmethod
    def _fits(text: str) -> None:
        if len(text.encode()) > TEXT:
            raise Refuse(500)

    def _case(self, case: str) -> dict[str, Any]:
        if case not in self.cases:
            raise Refuse(404, X_Status_Reason=f"Record {case} does not exist.")
        return self.cases[case]

    def _change_case(self, request: Request, case: str) -> Any:
        body = self._only(request, "cCountry")
        self._case(case).update({name: value for name, value in body.items() if name in self.fields})
        return self._shown(self._case(case))

    def _stream(self, request: Request, case: str) -> Any:
        if {*request.query} != {"filter", "offset", "maxSize"} or request.query["filter"] != "posts":
            raise Refuse(400, {"message": f"the fake does not understand {request.query}"})
        offset, size = int(request.query["offset"]), int(request.query["maxSize"])
        found = self._case(case)["posts"][::-1]
        return {"total": len(found), "list": found[offset : offset + size], "pinnedList": []}

    def _add_note(self, request: Request) -> Any:
        body = self._only(request, "type", "parentType", "parentId", "post", "isInternal")
        if (body.get("type"), body.get("parentType"), body.get("isInternal")) != ("Post", "Case", True):
            raise Refuse(400, {"message": f"the fake does not know {body}"})
        if body["parentId"] not in self.cases:
            raise Refuse(403, X_Status_Reason="No access to parent.")
        self._fits(body["post"])
        made = {**body, "id": self._id()}
        self.cases[body["parentId"]]["posts"].append(made)
        return made
