"""Which control rules when: the cases that CSIP tells of, and what must hold for any controls at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.protocols.sep2.schedule import Entry, Span, schedule, taken, without

X, Y = "opModExpLimW", "opModImpLimW"


def entry(
    mrid: str, begins: int, ends: int, *modes: str, program: str = "P1", primacy: int = 1, created: int = 0
) -> Entry:
    return Entry(
        mrid=mrid, program=program, primacy=primacy, created=created, span=Span(begins=begins, ends=ends),
        modes=frozenset(modes or {X}),
    )  # fmt: skip


def ruling(*entries: Entry, mode: str = X) -> dict[str, list[tuple[int, int]]]:
    found = schedule(entries)
    return {
        one.mrid: [(span.begins, span.ends) for span in found[one.mrid, mode]]
        for one in entries
        if (one.mrid, mode) in found
    }


@pytest.mark.ieee2030_5("E7")
def test_an_event_of_another_program_is_resumed_after_a_better_one() -> None:
    long = entry("A", 0, 60, program="P2", primacy=5)
    short = entry("B", 20, 30)
    assert ruling(long, short) == {"A": [(0, 20), (30, 60)], "B": [(20, 30)]}


def test_within_a_program_the_later_one_supersedes_the_rest_too() -> None:
    assert ruling(entry("A", 0, 60), entry("B", 20, 30, created=1)) == {"A": [(0, 20)], "B": [(20, 30)]}


@pytest.mark.ieee2030_5("E6")
def test_of_equal_primacy_the_later_creation_wins_and_the_other_program_goes_on() -> None:
    older = entry("A", 0, 60, program="P2", created=1)
    newer = entry("B", 20, 30, created=2)
    assert ruling(older, newer) == {"A": [(0, 20), (30, 60)], "B": [(20, 30)]}


@pytest.mark.ieee2030_5("E6")
def test_of_two_that_were_made_in_the_same_second_the_greater_mrid_wins() -> None:
    assert ruling(entry("A", 0, 60), entry("B", 0, 60)) == {"B": [(0, 60)]}
    assert ruling(entry("B", 0, 60), entry("A", 0, 60)) == {"B": [(0, 60)]}


@pytest.mark.ieee2030_5("E6")
def test_only_the_modes_that_the_winner_sets_are_taken() -> None:
    both, one = entry("A", 0, 60, X, Y), entry("B", 20, 30, X, created=1)
    assert ruling(both, one, mode=X) == {"A": [(0, 20)], "B": [(20, 30)]}
    assert ruling(both, one, mode=Y) == {"A": [(0, 60)]}


def test_what_never_begins_supersedes_nothing() -> None:
    assert ruling(entry("A", 0, 60), entry("B", 20, 20, created=1)) == {"A": [(0, 60)]}


def test_a_superseded_one_leaves_its_time_to_other_programs() -> None:
    first = entry("A", 0, 60)
    second = entry("B", 20, 30, created=1)
    beneath = entry("C", 0, 100, program="P2", primacy=9)
    assert ruling(first, second, beneath) == {"A": [(0, 20)], "B": [(20, 30)], "C": [(30, 100)]}


ENTRIES = st.lists(
    st.builds(
        lambda number, begins, lasts, program, created, modes: Entry(
            mrid=f"{number:04X}", program=f"P{program}", primacy=program // 2, created=created,
            span=Span(begins=begins, ends=begins + lasts), modes=frozenset(modes),
        ),
        number=st.integers(0, 9999), begins=st.integers(0, 50), lasts=st.integers(0, 50), program=st.integers(0, 3),
        created=st.integers(0, 9), modes=st.sets(st.sampled_from([X, Y]), min_size=1),
    ),
    max_size=8, unique_by=lambda one: one.mrid,
)  # fmt: skip


@settings(max_examples=200)
@given(ENTRIES)
def test_each_mode_has_one_ruler_at_a_time_inside_its_own_time(entries: list[Entry]) -> None:
    found = schedule(entries)
    by_mrid = {one.mrid: one for one in entries}
    for mode in (X, Y):
        for moment in range(101):
            rulers = [
                mrid
                for (mrid, own), spans in found.items()
                if own == mode and any(span.begins <= moment < span.ends for span in spans)
            ]
            assert len(rulers) <= 1
            held = any(span.begins <= moment < span.ends for span in taken(entries, mode))
            assert held == bool(rulers)
            for mrid in rulers:
                own_span = by_mrid[mrid].span
                assert own_span.begins <= moment < own_span.ends


@settings(max_examples=200)
@given(ENTRIES)
def test_the_best_of_all_always_has_all_of_its_time(entries: list[Entry]) -> None:
    for mode in (X, Y):
        mine = [one for one in entries if mode in one.modes and one.span.begins < one.span.ends]
        if mine:
            best = min(mine, key=lambda one: one.rank)
            assert schedule(entries)[best.mrid, mode] == (best.span,)


@settings(max_examples=100)
@given(ENTRIES)
def test_the_order_of_the_lists_decides_nothing(entries: list[Entry]) -> None:
    assert schedule(entries) == schedule(reversed(entries))


@pytest.mark.parametrize(
    ("holes", "left"),
    [
        ([], [(10, 20)]),
        ([(0, 30)], []),
        ([(12, 14), (0, 11)], [(11, 12), (14, 20)]),
        ([(12, 16), (14, 18)], [(10, 12), (18, 20)]),
        ([(30, 40)], [(10, 20)]),
    ],
)
def test_what_is_left_of_a_span(holes: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    spans = [Span(begins=begins, ends=ends) for begins, ends in holes]
    assert [(one.begins, one.ends) for one in without(Span(begins=10, ends=20), spans)] == left
