"""2.0b's oadrCreateOpt to the canonical model and back (R200 to R211)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError
from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.market_context import normalised
from openadr_core.oadr2.translate_opts import opt_from_wire, opt_to_wire
from openadr_core.shell.datafiles import load_schema

SCHEMA = load_schema()
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
OWN = "VEN_1"
names = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20)
targets = st.builds(
    Target,
    kind=st.sampled_from([TargetKind.RESOURCE, TargetKind.GROUP, TargetKind.GROUP_NAME, TargetKind.DEVICE_CLASS]),
    name=names,
)
classes = st.frozensets(st.sampled_from(["Storage", "Thermostat", "x-kiln"]), max_size=2)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
spans = st.builds(
    Span,
    starts_at=moments,
    duration=st.none() | st.integers(1, 10**8).map(lambda seconds: timedelta(seconds=seconds)),
)
common = {
    "id": names,
    "opt_type": st.sampled_from(OptType),
    "reason": st.sampled_from(["economic", "emergency", "x-tired"]),
    "created_at": moments,
}
schedules = st.builds(
    OptSchedule,
    **common,
    spans=st.lists(spans, max_size=3).map(tuple),
    scope=st.builds(
        Scope,
        targets=st.frozensets(targets, max_size=3),
        device_classes=classes,
        market_context=st.sampled_from(["", normalised("http://utility.example/p1")]),
    ),
)
qualifications = st.builds(
    Qualification,
    **common,
    event_id=names,
    version=st.integers(0, 1000),
    scope=st.builds(Scope, targets=st.frozensets(targets, max_size=3), device_classes=classes),
)


@pytest.mark.openadr20b("R200", "R202", "R206", "R209", "R210", "O1", "O2", "O3", "O8")
@given(schedules | qualifications)
def test_what_one_side_says_the_other_hears(opt: OptSchedule | Qualification) -> None:
    """And as the schema allows it, with the party's own venID in the target (8.5.2)."""
    message = opt_to_wire(opt, ven_id=OWN, request_id="q1")
    assert message.target.ven_ids == (OWN,)
    heard = decode(encode(message), SCHEMA)
    assert heard == message
    assert opt_from_wire(message, ven_id=OWN) == opt


@pytest.mark.openadr20b("R210")
def test_a_stretch_without_length_is_never_written_as_one_without_end() -> None:
    nothing = OptSchedule(
        id="o", opt_type=OptType.OUT, reason="economic", created_at=NOW,
        spans=(Span(starts_at=NOW, duration=timedelta(0)),),
    )  # fmt: skip
    with pytest.raises(LocalProtocolError):
        opt_to_wire(nothing, ven_id=OWN, request_id="q1")
