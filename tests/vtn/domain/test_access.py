"""OpenADR 3's scopes: what words mean for each role, and that no word makes a VEN more than a VEN."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import Forbidden
from openadr_vtn.domain.access import (
    MANAGE_PARTIES,
    READ_ALL,
    READ_BL,
    READ_TARGETS,
    READ_VEN_OBJECTS,
    READS,
    SCOPES,
    SPLIT,
    STOP,
    WRITE_EVENTS,
    WRITE_REPORTS,
    WRITE_VENS,
    Caller,
    Role,
    granted,
    role_by,
    scopes_of,
    within,
)

ALIASES = [f"{scope}_{end}" for scope in SPLIT for end in ("bl", "ven")]
WORDS = sorted({*SCOPES[Role.BUSINESS], *SCOPES[Role.VEN], *ALIASES})
words = st.lists(st.sampled_from([*WORDS, "openid", ""]))


@given(words=words)
def test_a_ven_is_never_granted_what_is_business_logics(words: list[str]) -> None:
    assert set(scopes_of(Role.VEN, words)) <= set(SCOPES[Role.VEN])


@given(words=words, held=words, role=st.sampled_from(Role))
def test_nothing_is_granted_beyond_what_is_held(words: list[str], held: list[str], role: Role) -> None:
    holds = scopes_of(role, held)
    left = within(role, holds, words)
    assert set(left) <= {*holds, *(READS if READ_ALL in holds else ())}
    assert within(role, holds, left) == left


@given(words=words, held=words, role=st.sampled_from(Role))
def test_who_asks_for_more_than_it_holds_is_told_of_which(words: list[str], held: list[str], role: Role) -> None:
    holds = scopes_of(role, held)
    beyond = [word for word in words if not within(role, holds, [word])]
    if beyond:
        with pytest.raises(Forbidden):
            granted(role, holds, words)
    else:
        assert granted(role, holds, words) == within(role, holds, words)


@pytest.mark.parametrize(
    ("role", "word", "meant"),
    [
        (Role.VEN, "write_vens_ven", (WRITE_VENS,)),
        (Role.VEN, "write_vens_bl", ()),
        (Role.BUSINESS, "write_reports_bl", (WRITE_REPORTS,)),
        (Role.BUSINESS, "write_reports_ven", ()),
        (Role.VEN, READ_ALL, (READ_TARGETS, READ_VEN_OBJECTS)),
        (Role.VEN, READ_BL, ()),
        (Role.VEN, STOP, ()),
        (Role.BUSINESS, READ_TARGETS, (READ_TARGETS,)),
        (Role.BUSINESS, "READ_ALL", ()),
    ],
)
def test_what_a_word_means_for_a_role(role: Role, word: str, meant: tuple[str, ...]) -> None:
    assert scopes_of(role, [word]) == meant


@pytest.mark.openadr3("C3")
def test_read_all_includes_every_read_and_no_write() -> None:
    caller = Caller(client_id="bl", scopes=(READ_ALL,), role=Role.BUSINESS)
    for scope in READS:
        caller.require(scope)
    for scope in (WRITE_EVENTS, MANAGE_PARTIES):
        with pytest.raises(Forbidden, match=scope):
            caller.require(scope)
    caller.require(WRITE_EVENTS, READ_TARGETS)
    assert granted(Role.BUSINESS, [READ_ALL], [READ_TARGETS]) == (READ_TARGETS,)


@pytest.mark.parametrize(
    ("words", "role"),
    [
        ([READ_ALL], Role.BUSINESS),
        ([WRITE_EVENTS, "openid"], Role.BUSINESS),
        (["write_vens_bl"], Role.BUSINESS),
        ([READ_TARGETS, WRITE_REPORTS], Role.VEN),
        ([WRITE_VENS], Role.VEN),
        ([], Role.VEN),
    ],
)
def test_who_is_known_elsewhere_alone_is_judged_by_what_it_was_granted(words: list[str], role: Role) -> None:
    assert role_by(words) is role
