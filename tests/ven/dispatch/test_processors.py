"""A round is the same on one processor and on many: stretches of rows are computed apart and put together in order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, plan_from
from openadr_ven.fleet import columns
from openadr_ven.fleet.columns import over_chunks
from openadr_ven.fleet.model import Outlook
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, evening, fleet_of

SIZE = 3_000
OUTLOOK = Outlook(now_s=EVENING_S + 60, horizon_s=3_600.0, outdoor_c=OUTDOOR_C)


@pytest.fixture(params=[1, 2, 7])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """So many, and stretches so short that a small fleet has dozens."""
    with ThreadPoolExecutor(request.param) as pool:
        monkeypatch.setattr(columns, "CHUNK", 64)
        monkeypatch.setattr(columns, "WORKERS", request.param)
        monkeypatch.setattr(columns, "_workers", lambda: pool)
        yield request.param


def planned() -> Plan:
    fleet = fleet_of(SIZE, seed=3)
    state, baseline_w = evening(fleet)
    book = offer_book(fleet, state, baseline_w, outlook=OUTLOOK, levels=network(fleet, baseline_w))
    return plan_from(book, fleet, baseline_w, 0.6 * book.most_w)


@pytest.fixture(scope="module")
def whole() -> Plan:
    """In one stretch, without any thread."""
    return planned()


def test_a_plan_is_the_same_on_any_number_of_processors(whole: Plan, processors: int) -> None:
    parted = planned()
    assert np.array_equal(parted.mode, whole.mode)
    np.testing.assert_allclose(parted.relief_w, whole.relief_w, rtol=1e-9, atol=1e-6)
    assert np.array_equal(parted.setpoint_w, planned().setpoint_w), "to the bit, with the same stretches"
    assert parted.planned_w == pytest.approx(whole.planned_w, rel=1e-12)


def test_what_is_found_comes_in_the_order_of_rows(processors: int) -> None:
    assert over_chunks(lambda rows: (rows.start, rows.stop), 200) == [(0, 64), (64, 128), (128, 192), (192, 200)]
    assert over_chunks(lambda rows: rows, 0) == []


def test_what_fails_in_one_stretch_fails(processors: int) -> None:
    def divide(rows: slice) -> int:
        return 1 // int(rows.start - 64)

    with pytest.raises(ZeroDivisionError):
        over_chunks(divide, 200)
