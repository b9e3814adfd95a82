"""Opt schedules against a plain model of the rules: what replaces what, and what is said when (2.0b R201-R203)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.availability import (
    OptRules,
    OptSchedule,
    Precedence,
    Resource,
    Scope,
    Span,
    newest_of,
    overlaps,
    state_at,
    steps,
    superseded,
)
from openadr_core.model.opt import OptType
from openadr_core.model.target import by_name

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = OptRules()
PARTY = Resource()

pytestmark = pytest.mark.openadr20b("R203", "O4")


def a_schedule(opt_type: OptType = OptType.OUT, *names: str, **changes: object) -> OptSchedule:
    schedule = OptSchedule(
        id="o1",
        opt_type=opt_type,
        reason="economic",
        spans=(Span(starts_at=NOW, duration=HOUR),),
        created_at=NOW,
        scope=Scope(targets=frozenset(by_name(*names))),
    )
    return replace(schedule, **changes)  # type: ignore[arg-type]


def one(name: str, **changes: object) -> Resource:
    return replace(Resource(names=frozenset({name})), **changes)  # type: ignore[arg-type]


@pytest.mark.openadr20b("R201", "O10")
def test_nothing_said_is_the_default() -> None:
    assert state_at([], RULES, PARTY, NOW).opt_type is OptType.IN
    assert state_at([], OptRules(default=OptType.OUT), PARTY, NOW).opt_type is OptType.OUT


@pytest.mark.openadr20b("R200", "R210", "O2")
def test_a_span_ends_before_its_end_and_may_have_none() -> None:
    out = [a_schedule()]
    assert [state_at(out, RULES, PARTY, NOW + wait).opt_type.value for wait in (-HOUR, HOUR - HOUR, HOUR)] == [
        "optIn", "optOut", "optIn",
    ]  # fmt: skip
    for_ever = [a_schedule(spans=(Span(starts_at=NOW, duration=None),))]
    assert state_at(for_ever, RULES, PARTY, NOW + 10_000 * HOUR).opt_type is OptType.OUT
    assert not for_ever[0].is_over(NOW + 10_000 * HOUR)
    assert out[0].is_over(NOW + HOUR)
    assert a_schedule(spans=()).is_over(NOW)


@pytest.mark.openadr20b("R202", "O3")
def test_a_schedule_for_all_holds_for_each_and_one_for_some_not_for_all() -> None:
    assert state_at([a_schedule()], RULES, one("a"), NOW).opt_type is OptType.OUT
    named = [a_schedule(OptType.OUT, "a", "b")]
    assert state_at(named, RULES, one("b"), NOW).opt_type is OptType.OUT
    assert state_at(named, RULES, one("c"), NOW).opt_type is OptType.IN
    assert state_at(named, RULES, PARTY, NOW).opt_type is OptType.IN


def test_a_new_one_for_all_replaces_all_and_one_for_some_only_theirs() -> None:
    later = Span(starts_at=NOW + 5 * HOUR, duration=HOUR)
    first = a_schedule(OptType.OUT, "a")
    assert state_at([first, a_schedule(spans=(later,))], RULES, one("a"), NOW).opt_type is OptType.IN
    some = [a_schedule(), a_schedule(OptType.OUT, "a", spans=(later,))]
    assert state_at(some, RULES, one("a"), NOW).opt_type is OptType.IN
    assert state_at(some, RULES, one("b"), NOW).opt_type is OptType.OUT


def test_opt_in_and_opt_out_schedules_do_not_touch_each_other() -> None:
    both = [a_schedule(), a_schedule(OptType.IN, spans=(Span(starts_at=NOW + HOUR, duration=HOUR),))]
    assert state_at(both, RULES, PARTY, NOW).opt_type is OptType.OUT
    assert state_at(both, OptRules(default=OptType.OUT), PARTY, NOW + HOUR).opt_type is OptType.IN


@pytest.mark.openadr20b("R204", "O5")
def test_what_was_replaced_does_not_come_back_when_its_successor_is_cancelled() -> None:
    said = [a_schedule(), a_schedule(spans=(), cancelled_at=NOW)]
    assert state_at(said, RULES, PARTY, NOW).schedule is None
    assert superseded(said, 0)
    assert not superseded(said, 1)


@pytest.mark.openadr20b("R209", "O8", "R512")
def test_names_classes_and_context_are_anded() -> None:
    scope = Scope(targets=frozenset(by_name("a")), device_classes=frozenset({"Storage"}), market_context="http://u/p")
    out = [a_schedule(scope=scope)]
    assert state_at(
        out, RULES, one("a", device_classes=frozenset({"Storage"}), market_context="http://u/p"), NOW
    ).schedule
    for other in (
        one("b", device_classes=frozenset({"Storage"}), market_context="http://u/p"),
        one("a", device_classes=frozenset({"Thermostat"}), market_context="http://u/p"),
        one("a", device_classes=frozenset({"Storage"}), market_context="http://u/q"),
        one("a", device_classes=frozenset({"Storage"})),
    ):
        assert state_at(out, RULES, other, NOW).schedule is None


@pytest.mark.openadr20b("R201", "O10")
def test_who_wins_where_both_speak_is_the_programs_to_say() -> None:
    out, into = a_schedule(), a_schedule(OptType.IN)
    for precedence, said, winner in (
        (Precedence.OPT_OUT, [out, into], OptType.OUT),
        (Precedence.OPT_IN, [into, out], OptType.IN),
        (Precedence.NEWEST, [out, into], OptType.IN),
        (Precedence.NEWEST, [into, out], OptType.OUT),
    ):
        assert state_at(said, OptRules(precedence=precedence), PARTY, NOW).opt_type is winner


def test_overlaps_are_seen() -> None:
    first = Span(starts_at=NOW, duration=HOUR)
    assert not overlaps([])
    assert not overlaps([Span(starts_at=NOW + HOUR, duration=None), first])
    assert overlaps([Span(starts_at=NOW + HOUR / 2, duration=HOUR), first])
    assert overlaps([Span(starts_at=NOW + HOUR, duration=HOUR), Span(starts_at=NOW, duration=None)])


# -- against a plain model -------------------------------------------------------------

NAMES, CONTEXTS = ("a", "b", "c"), ("", "http://u/p", "http://u/q")
CLASSES = (frozenset[str](), frozenset({"Storage"}), frozenset({"Storage", "Thermostat"}))
EVERYTHING = [
    Resource(names=frozenset({name}), device_classes=one_class, market_context=context)
    for name in NAMES
    for one_class in CLASSES
    for context in CONTEXTS
]
spans = st.builds(
    Span,
    starts_at=st.integers(-6, 6).map(lambda hours: NOW + hours * HOUR),
    duration=st.one_of(st.none(), st.integers(1, 8).map(lambda hours: hours * HOUR)),
)
scopes = st.builds(
    Scope,
    targets=st.frozensets(st.sampled_from(by_name(*NAMES)), max_size=2),
    device_classes=st.frozensets(st.sampled_from(["Storage", "Thermostat"]), max_size=1),
    market_context=st.sampled_from(CONTEXTS),
)
schedules = st.lists(
    st.builds(
        OptSchedule,
        id=st.just("o1"),
        opt_type=st.sampled_from(OptType),
        reason=st.just("economic"),
        spans=st.lists(spans, max_size=3).map(tuple),
        created_at=st.just(NOW),
        scope=scopes,
        cancelled_at=st.sampled_from([None, None, NOW]),
    ),
    max_size=8,
)
rules = st.builds(OptRules, default=st.sampled_from(OptType), precedence=st.sampled_from(Precedence))


@given(schedules, rules, st.sampled_from(EVERYTHING), st.integers(-8, 16))
def test_the_state_is_what_a_table_kept_by_the_rules_would_say(
    said: list[OptSchedule], chosen: OptRules, resource: Resource, hours: int
) -> None:
    at = NOW + hours * HOUR
    table: dict[tuple[int, OptType], int] = {}
    for number, schedule in enumerate(said):
        for row, each in enumerate(EVERYTHING):
            named = not schedule.scope.targets or schedule.scope.names & each.names
            classed = not schedule.scope.device_classes or each.device_classes & schedule.scope.device_classes
            if named and classed and schedule.scope.market_context in ("", each.market_context):
                table[row, schedule.opt_type] = number
    row = EVERYTHING.index(resource)
    speaking = [
        number
        for number in (table[row, opt_type] for opt_type in OptType if (row, opt_type) in table)
        if said[number].cancelled_at is None
        and any(span.starts_at <= at and (span.ends_at is None or at < span.ends_at) for span in said[number].spans)
    ]
    expected = chosen.default
    if speaking:
        types = {said[number].opt_type for number in speaking}
        by_type = OptType.OUT if chosen.precedence is Precedence.OPT_OUT else OptType.IN
        newest = said[max(speaking)].opt_type
        expected = (
            next(iter(types)) if len(types) == 1 else newest if chosen.precedence is Precedence.NEWEST else by_type
        )
    assert state_at(said, chosen, resource, at).opt_type is expected


@given(schedules, rules, st.sampled_from(EVERYTHING), st.integers(-6, 6), st.integers(1, 12))
def test_steps_say_what_each_moment_says(
    said: list[OptSchedule], chosen: OptRules, resource: Resource, since: int, hours: int
) -> None:
    start, end = NOW + since * HOUR, NOW + (since + hours) * HOUR
    found = steps(said, chosen, resource, start, end)
    assert found[0].starts_at == start
    assert all(step.starts_at < end for step in found)
    for minutes in range(0, hours * 60, 30):
        at = start + timedelta(minutes=minutes)
        ruling = [step for step in found if step.starts_at <= at][-1]
        assert ruling.state == state_at(said, chosen, resource, at)
    assert all(before.state != after.state for before, after in pairwise(found))


@given(schedules)
def test_what_is_superseded_speaks_for_nothing(said: list[OptSchedule]) -> None:
    for index, schedule in enumerate(said):
        if superseded(said, index):
            speaking = [newest_of(said, schedule.opt_type, resource) for resource in EVERYTHING]
            assert all(one is not schedule for one in speaking)


@given(scopes, scopes)
def test_a_scope_includes_another_only_if_it_holds_all_that_is_in_it(one_scope: Scope, other: Scope) -> None:
    if one_scope.includes(other):
        assert all(one_scope.holds(each) for each in EVERYTHING if other.holds(each))
