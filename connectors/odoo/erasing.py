"""Contacts whom Odoo is asked to delete."""

from __future__ import annotations

from collections.abc import Iterator

from requests import Response

from connectors.kit.connector import Somebody
from connectors.odoo.api import OdooApi
from connectors.odoo.partners import MODEL, Partners
from connectors.odoo.rpc import truth
from core.errors import DeliveryError, RecordRefused

#: Who is on an invoice has to stay readable there for as long as the books do, so nothing of them is overwritten.
_NEEDED = "what needs a contact, such as an invoice, an order or a user, is yours to decide about: see Privacy Lookup"


class OdooErasing(OdooApi):
    """The part of the connector that removes somebody."""

    erases = "Odoo deletes the contact for good; leads and tickets stay, with the address where they have one"

    def find_persons(self, email: str) -> Iterator[Somebody]:
        odoo = self.odoo()
        for one in Partners(self, odoo).find("email", email):
            name = " ".join((*one.values("name"), f"<{email}>"))
            yield Somebody(str(one.id), name, odoo.page(MODEL, one.id))

    def erase_person(self, person: Somebody) -> None:
        odoo, number = self.odoo(), int(person.id)
        if Partners(self, odoo).get(number) is not None:
            # https://github.com/odoo/odoo/blob/18.0/odoo/addons/base/models/res_partner.py: _unlink_except_user
            truth(odoo.call(MODEL, "unlink", ids=[number], judge=self._judge_unlink))

    def _judge_unlink(self, answer: Response) -> DeliveryError | None:
        error = self.judge(answer)
        return RecordRefused(f"{error} ({_NEEDED})", status=error.status) if type(error) is RecordRefused else error
