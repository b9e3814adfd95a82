"""A notification is tried until it is taken, given up with a reason, and holds up no other stream (security T41)."""

import random
from datetime import datetime, timedelta

import pytest

from openadr_vtn.domain.notification import (
    TAKEN,
    Attempt,
    Notification,
    NotificationState,
    RetryRules,
    StreamState,
    attempted,
    stream_after,
)

RULES = RetryRules(attempts_max=3, longest=timedelta(seconds=60))
ONE = Notification(number=1, subscription_id="s", position=0, change_number=7)


def an_attempt(now: datetime, status: int | None, *, wait_s: float = 0.0) -> Attempt:
    return Attempt(status=status, reason=f"HTTP {status}", at=now, wait_s=wait_s)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, NotificationState.DELIVERED),
        (204, NotificationState.DELIVERED),
        (302, NotificationState.WAITING),
        (401, NotificationState.WAITING),
        (404, NotificationState.WAITING),
        (429, NotificationState.WAITING),
        (503, NotificationState.WAITING),
        (None, NotificationState.WAITING),
        (400, NotificationState.DEAD),
        (410, NotificationState.DEAD),
        (413, NotificationState.DEAD),
        (422, NotificationState.DEAD),
    ],
)
def test_what_becomes_of_one_after_its_first_attempt(
    now: datetime, status: int | None, state: NotificationState
) -> None:
    after = attempted(ONE, an_attempt(now, status), RULES)
    assert (after.state, after.attempts, after.tried_at) == (state, 1, now)
    assert after.outcome == (TAKEN if state is NotificationState.DELIVERED else f"HTTP {status}")


def test_it_is_given_up_after_so_many_attempts(now: datetime) -> None:
    after = ONE
    for attempt in (1, 2):
        after = attempted(after, an_attempt(now, 500), RULES)
        assert (after.state, after.attempts) == (NotificationState.WAITING, attempt)
    assert attempted(after, an_attempt(now, 500), RULES).state is NotificationState.DEAD


def test_pauses_double_up_to_a_cap_and_differ_a_little(now: datetime) -> None:
    state: StreamState | None = None
    dice = random.Random(7)
    pauses_s = []
    for _ in range(9):
        state = stream_after(state, ONE, an_attempt(now, 503), RULES, dice)
        assert state.retry_at is not None
        pauses_s.append((state.retry_at - now).total_seconds())
    assert state is not None
    assert state.failures == 9
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert all(0.9 * nominal <= pause <= 1.1 * nominal for nominal, pause in zip(expected, pauses_s, strict=True))
    assert len({round(pause / nominal, 6) for nominal, pause in zip(expected, pauses_s, strict=True)}) > 1


def test_what_a_receiver_asks_us_to_wait_is_waited(now: datetime) -> None:
    state = stream_after(None, ONE, an_attempt(now, 429, wait_s=120), RULES, random.Random(7))
    assert state.retry_at == now + timedelta(seconds=120)


@pytest.mark.parametrize("status", [200, 400])
def test_a_stream_goes_on_at_once_when_its_first_is_taken_or_refused_for_good(now: datetime, status: int) -> None:
    before = StreamState(subscription_id="s", at=now, outcome="down", failures=5, retry_at=now)
    after = stream_after(before, ONE, an_attempt(now, status), RULES, random.Random(7))
    assert (after.failures, after.retry_at) == (0, None)
