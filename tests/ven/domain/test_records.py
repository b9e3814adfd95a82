"""The agent's memory comes back as it was stored."""

from datetime import datetime

from hypothesis import given

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_ven.domain.records import from_record, to_record
from tests.core.model.model_strategies import events


@given(events())
def test_an_event_survives_being_stored(event: DrEvent) -> None:
    assert from_record(DrEvent, to_record(event)) == event


def test_a_field_added_since_gets_its_default(now: datetime) -> None:
    opt = Opt(event_id="e", version=1, opt_type=OptType.OUT, at=now, code="462")
    older = to_record(opt).replace(',"code":"462"', "")
    assert from_record(Opt, older).code == "200"
