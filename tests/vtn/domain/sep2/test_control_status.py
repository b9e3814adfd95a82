"""IEEE 2030.5 1.5: what status a control has, and when it changes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.sep2.names import Status
from openadr_vtn.domain.sep2.control_status import Control, Standing, next_change, standings

LIMITS = frozenset({"opModImpLimW"})
BOTH = frozenset({"opModImpLimW", "opModExpLimW"})


def control(mrid: str = "A", *, made: int = 0, start: int = 100, lasts: int = 100, **more: object) -> Control:
    return Control(mrid=mrid, creation_time=made, start=start, duration_s=lasts, **{"asks": LIMITS, **more})  # type: ignore[arg-type]


def status(now: int, *controls: Control, of: str = "A") -> Status | None:
    found = standings(controls, now).get(of)
    return None if found is None else found.status


@pytest.mark.ieee2030_5("E1")
def test_from_scheduled_to_active_to_gone() -> None:
    assert [status(now, control()) for now in (99, 100, 199, 200)] == [
        Status.SCHEDULED,
        Status.ACTIVE,
        Status.ACTIVE,
        None,
    ]


def test_one_that_is_made_after_its_start_is_active_at_once() -> None:
    assert standings([control(made=150)], 150) == {"A": Standing(status=Status.ACTIVE, since=150)}
    assert standings([control(made=150)], 149) == {}


@pytest.mark.ieee2030_5("E5")
def test_randomisation_begins_at_the_earliest_start_and_ends_at_the_latest_end() -> None:
    early = control(randomize_start_s=-30, randomize_duration_s=20)
    assert [status(now, early) for now in (69, 70, 219, 220)] == [Status.SCHEDULED, Status.ACTIVE, Status.ACTIVE, None]
    late = control(randomize_start_s=30)
    assert [status(now, late) for now in (99, 100, 229, 230)] == [Status.SCHEDULED, Status.ACTIVE, Status.ACTIVE, None]


@pytest.mark.ieee2030_5("E2")
def test_a_cancelled_one_stays_listed_to_its_end() -> None:
    cancelled = control(cancelled_at=120)
    assert [status(now, cancelled) for now in (119, 120, 199, 200)] == [
        Status.ACTIVE,
        Status.CANCELLED,
        Status.CANCELLED,
        None,
    ]
    assert standings([cancelled], 150)["A"].since == 120


def test_only_what_is_random_is_cancelled_with_randomisation() -> None:
    assert status(150, control(cancelled_at=120, cancelled_randomly=True)) is Status.CANCELLED
    randomised = control(cancelled_at=120, cancelled_randomly=True, randomize_duration_s=60)
    assert status(150, randomised) is Status.CANCELLED_WITH_RANDOMISATION


@pytest.mark.ieee2030_5("E3")
def test_the_later_made_supersedes_when_it_begins_and_the_rest_does_not_come_back() -> None:
    second = control("B", made=50, start=130, lasts=20)
    assert [status(now, control(), second) for now in (129, 130, 160)] == [
        Status.ACTIVE,
        Status.SUPERSEDED,
        Status.SUPERSEDED,
    ]
    assert standings([control(), second], 160)["A"].since == 130
    assert status(131, control(), second, of="B") is Status.ACTIVE


def test_one_that_is_cancelled_before_it_begins_supersedes_nothing() -> None:
    second = control("B", made=50, start=130, lasts=20, cancelled_at=129)
    assert status(140, control(), second) is Status.ACTIVE
    assert status(140, control(), replace(second, cancelled_at=135)) is Status.SUPERSEDED


def test_one_that_is_itself_superseded_before_it_begins_supersedes_nothing() -> None:
    first, second = control(), control("B", made=10, start=150, lasts=100)
    third = control("C", made=20, start=200, lasts=50)
    assert status(160, first, second, third) is Status.SUPERSEDED
    sooner = control(
        "C", made=20, start=140, lasts=200, asks=frozenset({"opModImpLimW", "x"}), categories=frozenset({4})
    )
    assert status(160, first, control("B", made=10, start=150, categories=frozenset({4})), sooner) is Status.ACTIVE


@pytest.mark.ieee2030_5("E4")
def test_some_of_the_same_makes_it_potentially_superseded() -> None:
    wide, narrow = control(asks=BOTH), control("B", made=50, start=130, lasts=20)
    found = standings([wide, narrow], 60)["A"]
    assert (found.status, found.potentially_superseded_at) == (Status.SCHEDULED, 50)
    assert status(140, wide, narrow) is Status.ACTIVE
    assert standings([wide, narrow], 49)["A"].potentially_superseded_at is None


def test_a_greater_one_supersedes_and_others_devices_are_nobodys_business() -> None:
    assert status(140, control(), control("B", made=50, asks=BOTH)) is Status.SUPERSEDED
    thermostats, vehicles = frozenset({0}), frozenset({16})
    apart = [control(categories=thermostats), control("B", made=50, categories=vehicles)]
    assert standings(apart, 140)["A"] == Standing(status=Status.ACTIVE, since=100)
    assert status(140, control(categories=thermostats), control("B", made=50)) is Status.SUPERSEDED
    narrower = standings([control(), control("B", made=50, categories=thermostats)], 140)["A"]
    assert (narrower.status, narrower.potentially_superseded_at) == (Status.ACTIVE, 50)


CONTROLS = st.lists(
    st.builds(
        control,
        mrid=st.sampled_from("ABCDEF"),
        made=st.integers(0, 300),
        start=st.integers(0, 300),
        lasts=st.integers(1, 200),
        asks=st.sampled_from([LIMITS, BOTH, frozenset({"opModExpLimW"})]),
        categories=st.sampled_from([frozenset[int](), frozenset({0}), frozenset({0, 16})]),
        randomize_start_s=st.integers(-60, 60),
        randomize_duration_s=st.integers(-60, 60),
    ),
    max_size=6,
    unique_by=lambda one: one.mrid,
)
ORDER = {Status.SCHEDULED: 0, Status.ACTIVE: 1, Status.CANCELLED: 2, Status.SUPERSEDED: 2}


@given(CONTROLS, st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 600)))
def test_a_status_never_goes_back_and_holds_until_the_next_change(
    controls: list[Control], ends: dict[str, int]
) -> None:
    controls = [
        replace(one, cancelled_at=max(ends[one.mrid], one.creation_time)) if one.mrid in ends else one
        for one in controls
    ]
    before: dict[str, Standing] = {}
    holds_until: int | None = 0
    for now in range(0, 800, 7):
        found = dict(standings(controls, now))
        if holds_until is None or now < holds_until:
            assert found == before
        for mrid, standing in found.items():
            assert standing.since <= now
            if mrid in before:
                assert ORDER[standing.status] >= ORDER[before[mrid].status]
        before, holds_until = found, next_change(controls, now)
    assert before == {}


@given(CONTROLS)
def test_the_newest_is_superseded_by_nobody(controls: list[Control]) -> None:
    if controls:
        newest = max(controls, key=lambda one: (one.creation_time, one.mrid))
        assert all(
            standings(controls, now).get(newest.mrid, Standing(status=Status.ACTIVE, since=0)).status
            is not Status.SUPERSEDED
            for now in range(0, 800, 13)
        )


@given(CONTROLS, st.integers(0, 600))
def test_what_is_at_the_same_time_as_everything_and_asks_for_nothing_changes_nothing(
    controls: list[Control], now: int
) -> None:
    always = control("Z", made=-1, start=-10_000, lasts=100_000, asks=frozenset())
    assert standings(controls, now) == {
        mrid: one for mrid, one in standings([*controls, always], now).items() if mrid != "Z"
    }
