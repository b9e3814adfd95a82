"""A published client of OpenADR 3 (``openadr3``) as business logic and as a VEN of our VTN, over TLS."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conformance.api.steps import Who
from tests.conformance.our_vtn_of_openadr3 import OurVtn, running_vtn

openadr3 = pytest.importorskip("openadr3", reason="the test extra is not installed")


@pytest.fixture
def our_vtn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OurVtn]:
    with running_vtn(tmp_path / "home") as vtn:
        # The client knows only the authorities of its machine.
        monkeypatch.setenv("SSL_CERT_FILE", str(vtn.trust))
        yield vtn


def client_of(vtn: OurVtn, who: Who) -> Any:
    token = openadr3.fetch_token(vtn.url, f"c-{who}", vtn.secrets[who])
    create = openadr3.create_bl_client if who is Who.BUSINESS else openadr3.create_ven_client
    return create(vtn.url, token)


@pytest.mark.openadr3("R1.1", "R5.4", "R6.1", "basic_create_read", "U5")
def test_a_published_client_makes_an_event_and_another_reports_on_it(our_vtn: OurVtn) -> None:
    with client_of(our_vtn, Who.BUSINESS) as business, client_of(our_vtn, Who.VEN) as ven:
        program_id = business.create_program({"programName": "prices"}).json()["id"]
        granted = {"objectType": "BL_VEN_REQUEST", "clientID": "c-ven", "venName": "house", "targets": ["gold"]}
        ven_id = business.create_ven(granted).json()["id"]
        period = {"start": "2031-07-15T17:00:00Z", "duration": "PT15M"}
        payloads = [{"type": "PRICE", "values": [0.17]}]
        wanted = {
            "programID": program_id,
            "eventName": "evening",
            "targets": ["gold", "silver"],
            "intervalPeriod": period,
            "intervals": [{"id": number, "payloads": payloads} for number in range(4)],
        }
        event_id = business.create_event(wanted).json()["id"]
        assert ven.find_ven_by_name("house").id == ven_id
        assert [program.program_name for program in ven.programs()] == ["prices"]
        (event,) = ven.events(programID=program_id)
        assert (event.id, event.event_name, event.targets) == (event_id, "evening", ["gold"])
        starts = [one.interval_period.start for one in event.resolved_intervals()]
        assert [start - starts[0] for start in starts] == [timedelta(minutes=15 * number) for number in range(4)]

        usage = [{"id": 0, "intervalPeriod": period, "payloads": [{"type": "USAGE", "values": [1.25]}]}]
        said = {
            "eventID": event_id,
            "clientName": "house",
            "resources": [{"resourceName": "AGGREGATED_REPORT", "intervals": usage}],
        }
        report_id = ven.create_report(said).json()["id"]
        (report,) = business.reports(eventID=event_id)
        assert (report.id, report.client_name) == (report_id, "house")
        assert ven.create_program({"programName": "mine"}).status_code == 403
        assert business.delete_event(event_id).status_code == 200
        assert ven.events(programID=program_id) == []
