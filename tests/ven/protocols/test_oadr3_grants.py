"""What was granted to a resource alone is for its devices alone (R5.3)."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Response
from openadr_core.model.event import DrEvent
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_ven.domain import indications as i
from openadr_ven.fleet.aiming import Aim
from openadr_ven.fleet.columns import DeviceClass
from openadr_ven.protocols.oadr3.grants import GrantReading, Grants
from tests.ven.domain.test_events_of_openadr3 import event_of
from tests.ven.fleet.synthetic import fleet_of
from tests.ven.protocols.test_oadr3_hearing import ScriptedVtn, json_answer, told, vtn_of

BATTERY = Target(kind=TargetKind.RESOURCE, name="fleet-battery")
GRANTS = Grants(ven=frozenset({"group"}), by_target={"feeder": frozenset({"fleet-battery"}), "group": frozenset({"x"})})


@pytest.mark.parametrize(
    ("targets", "aimed"),
    [
        (by_name("feeder"), (BATTERY,)),
        (by_name("group"), by_name("group")),
        (by_name("feeder", "group"), (BATTERY, *by_name("group"))),
        (by_name("stranger"), by_name("stranger")),
        ((Target(kind=TargetKind.GROUP, name="feeder"),), (Target(kind=TargetKind.GROUP, name="feeder"),)),
        ((), ()),
    ],
)
def test_a_target_of_a_resource_alone_becomes_that_resource(
    targets: tuple[Target, ...], aimed: tuple[Target, ...]
) -> None:
    assert GRANTS.aimed(targets) == aimed


def test_only_the_devices_of_the_resource_are_meant() -> None:
    fleet = fleet_of(240, seed=3)
    aim = Aim(fleet, fleet_name="fleet")

    def meant(*names: str) -> object:
        rows = aim.rows(_for(*GRANTS.aimed(by_name(*names))))
        return None if rows is None else rows.tolist()

    assert meant("feeder") == (fleet.device_class == DeviceClass.BATTERY).tolist()
    assert meant("feeder", "group") is None, "all of it, by the ven's own"
    unknown = Grants(by_target={"t": frozenset({"not of this fleet"})})
    rows = aim.rows(_for(*unknown.aimed(by_name("t"))))
    assert rows is not None
    assert not np.any(rows), "a resource that we do not know moves nobody"


def _for(*targets: Target) -> DrEvent:
    return replace(event_of(), targets=targets)


def an_event(modified: str = "2030-07-01T10:00:00Z") -> dict[str, Any]:
    return {
        "id": "e1", "programID": "p1", "modificationDateTime": modified, "createdDateTime": "2030-07-01T10:00:00Z",
        "targets": ["feeder"], "intervalPeriod": {"start": "2030-07-01T19:00:00Z", "duration": "PT1H"},
        "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
    }  # fmt: skip


def a_ven(*targets: str) -> Response:
    return json_answer([{"id": "v1", "venName": "house", "targets": list(targets)}])


def a_battery(*targets: str) -> Response:
    return json_answer([{"id": "r1", "venID": "v1", "resourceName": "fleet-battery", "targets": list(targets)}])


@pytest.fixture
def vtn() -> ScriptedVtn:
    found = vtn_of()
    found.answers["GET", "/programs"] = json_answer([{"id": "p1", "programName": "p"}])
    found.answers["GET", "/events"] = json_answer([an_event()])
    found.answers["GET", "/vens"] = a_ven()
    found.answers["GET", "/resources"] = a_battery("feeder")
    return found


def targets_of(indications: list[i.Indication]) -> list[tuple[Target, ...]]:
    return [one.event.targets for one in indications if isinstance(one, i.EventReceived | i.EventChanged)]


@pytest.mark.openadr3("R5.3")
def test_a_session_reads_what_it_was_granted_before_it_reads_events(vtn: ScriptedVtn) -> None:
    assert targets_of(vtn.run()) == [(BATTERY,)]
    lists = [path for method, path in vtn.asked if method == "GET" and path in {"/programs", "/resources", "/events"}]
    assert lists[:3] == ["/programs", "/resources", "/events"]


@pytest.mark.openadr3("R5.8")
def test_a_grant_that_changes_changes_whom_the_event_is_for(vtn: ScriptedVtn) -> None:
    vtn.run()
    vtn.answers["GET", "/vens"] = a_ven("feeder")
    body = json.dumps({"objectType": "VEN", "operation": "UPDATE", "object": {"id": "v1"}}).encode()
    assert vtn.session.notified(told(body, at=vtn.now), now=vtn.now).status == 200
    (changed,) = (one for one in vtn.later(1) if isinstance(one, i.EventChanged))
    assert (changed.event.targets, changed.event.version) == (by_name("feeder"), 1)


def test_polls_do_not_ask_again_until_an_event_with_targets_is_new(vtn: ScriptedVtn) -> None:
    vtn.run()
    assert vtn.later(3600) == []
    assert vtn.asked[:2] == [("GET", "/programs"), ("GET", "/events")]
    assert ("GET", "/resources") not in vtn.asked
    vtn.answers["GET", "/resources"] = a_battery()
    vtn.answers["GET", "/events"] = json_answer([an_event("2030-07-01T20:00:00Z")])
    assert targets_of(vtn.later(3600)) == [by_name("feeder")]
    assert vtn.asked[1:5] == [("GET", "/events"), ("GET", "/vens"), ("GET", "/resources"), ("GET", "/events")]


def test_a_vtn_that_does_not_show_us_our_own_has_granted_nothing_that_we_know(vtn: ScriptedVtn) -> None:
    vtn.answers["GET", "/resources"] = Response(status=403)
    assert targets_of(vtn.run()) == [by_name("feeder")]


def test_an_answer_of_no_use_is_not_taken_for_no_grants() -> None:
    reading = GrantReading()
    reading.begin()
    with pytest.raises(MalformedMessage):
        reading.receive(Response(status=400), "v1")
