"""Who sees what of OpenADR 3.1: the privacy of objects with targets."""

from hypothesis import example, given
from hypothesis import strategies as st

from openadr_vtn.domain.visibility import EVERYTHING, UNTARGETED, Sight, keys_of

names = st.sampled_from(["feeder-7", "feeder-8", "zone-a", "zone-b"])
some = st.frozensets(names)
targets = st.lists(names, unique=True).map(tuple)
queries = st.none() | some.filter(bool)


@given(granted=some, asked=queries, of_object=targets)
@example(granted=frozenset(), asked=None, of_object=())
@example(granted=frozenset({"zone-a"}), asked=frozenset({"zone-b"}), of_object=("zone-a", "zone-b"))
def test_a_ven_sees_what_a_grant_and_its_query_meet_in(
    granted: frozenset[str], asked: frozenset[str] | None, of_object: tuple[str, ...]
) -> None:
    met = granted.intersection(of_object) if asked is None else granted & asked & frozenset(of_object)
    expected = bool(met) or (not of_object and asked is None)
    assert Sight(granted=granted, asked=asked).sees(of_object) is expected


@given(granted=some, asked=queries, of_object=targets)
def test_what_is_told_of_targets_is_the_vens_own(
    granted: frozenset[str], asked: frozenset[str] | None, of_object: tuple[str, ...]
) -> None:
    shown = Sight(granted=granted, asked=asked).shown(of_object)
    assert set(shown) == granted.intersection(of_object) & (granted if asked is None else asked)
    assert list(shown) == [target for target in of_object if target in shown], "in the order of the object"
    assert bool(shown) is (Sight(granted=granted, asked=asked).sees(of_object) and bool(of_object))


@given(granted=some, more=some, asked=queries, of_object=targets)
def test_a_grant_takes_nothing_away(
    granted: frozenset[str], more: frozenset[str], asked: frozenset[str] | None, of_object: tuple[str, ...]
) -> None:
    before, after = Sight(granted=granted, asked=asked), Sight(granted=granted | more, asked=asked)
    assert after.sees(of_object) or not before.sees(of_object)
    assert set(before.shown(of_object)) <= set(after.shown(of_object))


@given(granted=some, asked=queries, of_object=targets)
def test_strict_hides_only_what_has_targets_and_was_not_asked_for(
    granted: frozenset[str], asked: frozenset[str] | None, of_object: tuple[str, ...]
) -> None:
    lenient, strict = Sight(granted=granted, asked=asked), Sight(granted=granted, asked=asked, strict=True)
    assert strict.sees(of_object) is (lenient.sees(of_object) and not (of_object and asked is None))


@given(asked=queries, of_object=targets)
def test_business_logic_sees_all_targets_of_what_it_asks_for(
    asked: frozenset[str] | None, of_object: tuple[str, ...]
) -> None:
    sight = Sight(granted=None, asked=asked)
    assert sight.sees(of_object) is (asked is None or bool(asked.intersection(of_object)))
    assert sight.shown(of_object) == of_object
    assert EVERYTHING.sees(of_object)


def test_an_object_without_targets_is_found_by_a_name_that_no_target_can_have() -> None:
    assert keys_of(()) == {UNTARGETED}
    assert keys_of(("a", "b")) == {"a", "b"}
