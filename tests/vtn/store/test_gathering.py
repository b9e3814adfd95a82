"""Many questions at a time become one; each gets its own answer, and nobody another's trouble."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from openadr_vtn.adapters.gathering import Gathering, gathered


class Library:
    """Doubles numbers, and remembers what it was asked for at a time."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.begun = asyncio.Event()
        self.fails = False

    async def read(self, numbers: Sequence[int]) -> Mapping[int, int]:
        self.asked.append(list(numbers))
        self.begun.set()
        await asyncio.sleep(0)
        if self.fails:
            raise LookupError("closed")
        return {number: 2 * number for number in numbers}


async def test_what_is_asked_at_a_time_is_read_together_and_each_once() -> None:
    library = Library()
    ask = gathered(library.read, at_most=100)
    assert await asyncio.gather(*(ask(number % 30) for number in range(60))) == [2 * (n % 30) for n in range(60)]
    assert library.asked == [list(range(30))]
    assert await ask(7) == 14  # nothing is kept: it may have changed
    assert library.asked[1:] == [[7]]


async def test_what_is_asked_while_it_reads_is_read_next() -> None:
    library = Library()
    ask = gathered(library.read, at_most=100)
    first = asyncio.create_task(ask(1))
    await library.begun.wait()
    # The answer to the first may be older than what made somebody ask again.
    assert list(await asyncio.gather(ask(1), ask(2))) == [2, 4]
    assert await first == 2
    assert library.asked == [[1], [1, 2]]


async def test_no_more_are_read_at_a_time_than_may_be() -> None:
    library = Library()
    ask = gathered(library.read, at_most=4)
    await asyncio.gather(*(ask(number) for number in range(10)))
    assert library.asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_a_reading_that_fails_is_told_to_those_who_asked_and_to_no_other() -> None:
    library = Library()
    ask = gathered(library.read, at_most=2)
    library.fails = True
    found = await asyncio.gather(ask(1), ask(2), return_exceptions=True)
    assert all(isinstance(one, LookupError) for one in found)
    library.fails = False
    assert await ask(1) == 2


async def test_who_gives_up_takes_the_answer_from_nobody() -> None:
    library = Library()
    ask = gathered(library.read, at_most=2)
    patient, impatient = asyncio.create_task(ask(1)), asyncio.create_task(ask(1))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 2
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_nobody_waits_for_a_reading_that_was_cancelled() -> None:
    library = Library()
    gathering = Gathering(library.read, at_most=1)
    asking = [asyncio.create_task(gathering.ask(number)) for number in range(3)]
    await library.begun.wait()
    assert gathering._reading is not None
    gathering._reading.cancel()
    found = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 5)
    assert all(isinstance(one, asyncio.CancelledError) for one in found)
    assert await gathering.ask(7) == 14
