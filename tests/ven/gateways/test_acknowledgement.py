"""The command state table: every state with every input, one by one and as columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_ven.gateways.acknowledgement import INPUT_OF_ACK, TABLE, CommandInput, CommandState, advance
from openadr_ven.gateways.contract import AckState

FINAL = {CommandState.COMPLETED, CommandState.REJECTED, CommandState.OPTED_OUT}
EVIDENCE = {
    CommandInput.RECEIVED: 1,
    CommandInput.STARTED: 2,
    CommandInput.COMPLETED: 3,
}  # fmt: skip


@pytest.mark.parametrize("state", CommandState)
@pytest.mark.parametrize("given_input", CommandInput)
def test_every_state_with_every_input(state: CommandState, given_input: CommandInput) -> None:
    after, refused = advance(np.array([state], dtype=np.uint8), given_input)
    expected = TABLE[state].get(given_input)
    assert bool(refused[0]) is (expected is None)
    assert after[0] == (state if expected is None else expected)


def test_a_plan_starts_over_from_anywhere() -> None:
    every = np.array(CommandState, dtype=np.uint8)
    after, refused = advance(every, CommandInput.PLAN)
    assert not refused.any()
    assert (after == CommandState.PLANNED).all()


def test_what_is_final_stays_until_a_new_plan() -> None:
    for state in FINAL:
        for given_input in set(CommandInput) - {CommandInput.PLAN}:
            after, _ = advance(np.array([state], dtype=np.uint8), given_input)
            assert after[0] == state


def test_only_what_was_sent_times_out() -> None:
    after, refused = advance(np.array(CommandState, dtype=np.uint8), CommandInput.TIME_OUT)
    waiting = {CommandState.SENT, CommandState.RECEIVED, CommandState.STARTED, CommandState.TIMED_OUT}
    assert {CommandState(int(state)) for state in np.flatnonzero(~refused)} == waiting
    assert {int(state) for state in after[~refused]} == {CommandState.TIMED_OUT}


def test_an_acknowledgement_before_anything_was_sent_is_refused() -> None:
    for given_input in INPUT_OF_ACK.values():
        _, refused = advance(np.array([CommandState.PLANNED], dtype=np.uint8), given_input)
        assert refused.all()


@given(st.lists(st.sampled_from(list(EVIDENCE)), min_size=1, max_size=6))
def test_progress_does_not_depend_on_the_order_of_acknowledgements(heard: list[CommandInput]) -> None:
    """QoS 1 repeats and reorders: what is furthest is what is true."""
    state = np.array([CommandState.SENT], dtype=np.uint8)
    for one in heard:
        state, _ = advance(state, one)
    furthest = max(heard, key=EVIDENCE.__getitem__)
    assert CommandState(state[0]).name == furthest.name


@given(st.lists(st.tuples(st.sampled_from(CommandState), st.sampled_from(CommandInput)), max_size=50))
def test_a_column_moves_as_its_rows_do(pairs: list[tuple[CommandState, CommandInput]]) -> None:
    states = np.array([state for state, _ in pairs], dtype=np.uint8)
    after, refused = advance(states, [given_input for _, given_input in pairs])
    one_by_one = [advance(np.array([state], dtype=np.uint8), given_input) for state, given_input in pairs]
    assert after.tolist() == [one[0][0] for one in one_by_one]
    assert refused.tolist() == [one[1][0] for one in one_by_one]


def test_every_acknowledgement_has_an_input() -> None:
    assert set(INPUT_OF_ACK) == set(AckState)
