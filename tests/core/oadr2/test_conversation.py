"""The conversation's table: every payload has its place in it, and what begins can be answered."""

from itertools import product
from typing import get_args

import pytest

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.session import POLLED, TURNS, Role, Service, may_answer, turn_of
from openadr_vtn.protocols.oadr2_answers import OPERATIONS

PAYLOADS = get_args(m.Message)
ROWS = [(role, payload) for role, rows in TURNS.items() for payload in rows]
ONLY_IN_ANSWERS = {m.CreatedPartyRegistration, m.CreatedOpt, m.CanceledOpt}
"""What a VTN says to a request alone."""


def test_each_of_the_23_payloads_has_its_place() -> None:
    assert len(PAYLOADS) == 23
    begun = {payload for _, payload in ROWS}
    assert begun | ONLY_IN_ANSWERS == set(PAYLOADS)
    assert not begun & ONLY_IN_ANSWERS


def test_what_only_answers_is_an_answer_to_something() -> None:
    answers = {answer for rows in TURNS.values() for turn in rows.values() for answer in turn.answers}
    assert answers >= ONLY_IN_ANSWERS


@pytest.mark.openadr20b("R23", "R51", "T15")
@pytest.mark.parametrize(("role", "payload"), list(product(Role, PAYLOADS)))
def test_each_role_begins_with_its_rows_alone(role: Role, payload: type[m.Message]) -> None:
    turn = turn_of(role, payload)
    assert (turn is not None) == ((role, payload) in ROWS)
    accepted = {answer for answer in PAYLOADS if may_answer(role, payload, answer)}
    assert accepted == (set() if turn is None else {*turn.answers, m.Response})


@pytest.mark.openadr20b("R500", "Q1")
def test_what_a_poll_brings_is_what_a_vtn_may_tell() -> None:
    # 8.6; oadrResponse says that there is nothing to tell.
    assert set(POLLED) == {m.Response, *TURNS[Role.VTN]}


@pytest.mark.openadr20b("T14")
@pytest.mark.parametrize("told", list(TURNS[Role.VTN]))
def test_a_ven_can_reply_to_all_it_is_told_at_the_service_that_told_it(told: type[m.Message]) -> None:
    # T14: the logical response to what a poll brought goes to the matching service.
    turn = TURNS[Role.VTN][told]
    for reply in turn.answers:
        assert TURNS[Role.VEN][reply].service is turn.service


@pytest.mark.openadr20b("R500", "Q5")
def test_only_a_poll_goes_to_the_poll_service() -> None:
    # Q5: and no VTN polls.
    assert [row for row in ROWS if TURNS[row[0]][row[1]].service is Service.POLL] == [(Role.VEN, m.Poll)]


def test_an_error_in_an_oadr_response_is_understood_whatever_was_asked() -> None:
    # Interpretation of R517: some VTNs answer so.
    assert may_answer(Role.VEN, m.CreatePartyRegistration, m.Response)
    assert not may_answer(Role.VEN, m.CreatePartyRegistration, m.CreatedReport)
    assert not may_answer(Role.VTN, m.Poll, m.Response)


def test_our_vtn_takes_the_rows_of_a_ven() -> None:
    assert {payload: service for payload, (service, _) in OPERATIONS.items()} == {
        payload: turn.service.value for payload, turn in TURNS[Role.VEN].items()
    }
