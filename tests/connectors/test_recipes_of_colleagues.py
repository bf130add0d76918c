"""What recipes leave to whoever has a record by now, and what they find again whatever the chat has become."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.testing.chats import SAMPLE, other
from connectors.testing.contract import Contract
from connectors.testing.fake import Refuse
from connectors.testing.records import ANN, BOB
from core.errors import ConnectorRefused
from tests.connectors import test_bitrix24 as bitrix24
from tests.connectors import test_dynamics_365 as dynamics
from tests.connectors import test_espocrm as espocrm
from tests.connectors import test_front as front
from tests.connectors import test_raynet as raynet
from tests.connectors import test_redmine as redmine
from tests.connectors import test_salesforce as salesforce
from tests.connectors import test_zoho_crm as zoho
from tests.support.recipes import longer

#: Contract, and where its fake has the owner of a record.
OWNED: list[tuple[type[Contract], str]] = [
    (front.TestFront, "assignee"),
    (redmine.TestRedmine, "assigned_to"),
    (dynamics.TestDynamics365, "owner"),
]
WITH_TASKS: list[type[Contract]] = [
    bitrix24.TestBitrix24,
    dynamics.TestDynamics365,
    espocrm.TestEspoCrm,
    raynet.TestRaynet,
    salesforce.TestSalesforce,
    zoho.TestZohoCrm,
]


def given_to(contract: Any, vendor: Any, somebody: Any, place: str) -> None:
    record = vendor.records()[0]
    if hasattr(contract, "reassign"):
        contract.reassign(record, somebody)
    else:
        record[place] = somebody


@pytest.mark.parametrize(("kind", "place"), OWNED)
def test_a_record_from_before_there_was_an_owner_stays_with_whoever_has_it(kind: type[Contract], place: str) -> None:
    contract, memory = kind(), dict[str, Any]()
    with contract.fake() as made:
        vendor: Any = made
        vendor.knows_owner(ANN)
        bob = vendor.knows_owner(BOB)
        contract.deliver(contract.connector(vendor), SAMPLE, memory)
        given_to(contract, vendor, bob, place)
        contract.deliver(contract.connector(vendor, owner=ANN), longer(), memory, 2)
        assert vendor.owner_of(vendor.records()[0]) == bob


@pytest.mark.parametrize(("kind", "place"), OWNED)
@pytest.mark.parametrize("forgotten", ["the answer", "everything"])
def test_a_record_that_was_made_before_stays_with_whoever_has_it(
    kind: type[Contract], place: str, forgotten: str
) -> None:
    contract, memory = kind(), dict[str, Any]()
    with contract.fake() as made:
        vendor: Any = made
        vendor.knows_owner(ANN)
        bob = vendor.knows_owner(BOB)
        contract.deliver(contract.connector(vendor, owner=ANN), SAMPLE, memory)
        given_to(contract, vendor, bob, place)
        if forgotten == "everything":
            memory.clear()
        else:
            for name in {"case", "issue", "message"} & memory.keys():
                del memory[name]
        contract.deliver(contract.connector(vendor, owner=ANN), SAMPLE, memory, first=forgotten != "everything")
        assert len(vendor.records()) == 1
        assert vendor.owner_of(vendor.records()[0]) == bob


@pytest.mark.parametrize("kind", WITH_TASKS)
@pytest.mark.parametrize(
    ("settings", "chat"),
    [({}, other("Hello?", "More")), ({"language": "cs"}, other("Hello?", kind="isMissed"))],
    ids=["kind", "language"],
)
def test_a_task_is_found_again_whatever_has_changed_since(
    kind: type[Contract], settings: dict[str, Any], chat: dict[str, Any]
) -> None:
    contract, memory = kind(), dict[str, Any]()
    task = {"due": "4h", "kinds": ["missed", "offline", "chat"]}
    with contract.fake() as made:
        vendor: Any = made
        vendor.knows_owner(ANN)
        contract.deliver(contract.connector(vendor, task=task), other("Hello?", kind="isMissed"), memory)
        assert len(vendor.todo) == 1
        memory.pop("todo")  # as after an answer that was lost
        contract.deliver(contract.connector(vendor, task=task, **settings), chat, memory, 2)
        assert len(vendor.todo) == 1


@pytest.mark.parametrize("place", ["/lead/", "/task/"])
def test_somebody_whom_raynet_refuses_leaves_the_chat_to_another(place: str) -> None:
    contract = raynet.TestRaynet()
    with contract.fake() as made:
        vendor: Any = made
        ann = vendor.knows_owner(ANN)
        admit = vendor.admit

        def refusing(request: Any) -> None:
            admit(request)
            if request.method == "PUT" and place in request.path and request.body.get("owner") == ann:
                raise Refuse(400, {"type": "ValidationException", "message": "owner"})

        vendor.admit = refusing
        connector = contract.connector(vendor, owner=ANN, task={"due": "4h"})
        contract.deliver(connector, other("Hello?", kind="isMissed"), {})
        assert (len(vendor.records()), len(vendor.todo)) == (1, 1)


def test_a_list_of_users_that_is_refused_pauses_the_connector_and_ends_no_chat() -> None:
    contract = zoho.TestZohoCrm()
    with contract.fake() as made:
        vendor: Any = made
        vendor.knows_owner(ANN)
        admit = vendor.admit

        def refusing(request: Any) -> None:
            admit(request)
            if request.path.endswith("/users"):
                raise Refuse(400, {"code": "INVALID_REQUEST", "status": "error"})

        vendor.admit = refusing
        with pytest.raises(ConnectorRefused, match="the list of users was refused"):
            contract.deliver(contract.connector(vendor, owner=ANN), SAMPLE, {})
