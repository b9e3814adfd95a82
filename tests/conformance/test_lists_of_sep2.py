"""A list of 2030.5 is read to its end whatever its server gives at a time, and a page that lies is seen."""

from collections.abc import Callable

import pytest

from conformance.answers import Answer
from conformance.sep2.pages import read_list
from openadr_core.xml.parse import parse

ITEMS = ["a", "b", "c", "d", "e"]


def page(items: list[str], *, there: int = len(ITEMS), results: int | None = None) -> Answer:
    told = "".join(f"<Item>{item}</Item>" for item in items)
    body = f'<ItemList all="{there}" results="{len(items) if results is None else results}">{told}</ItemList>'
    return Answer(status=200, body=body.encode(), root=parse(body.encode()))


def server(most: int) -> Callable[[int, int], Answer]:
    return lambda start, limit: page(ITEMS[start : start + min(limit, most)])


@pytest.mark.parametrize(("limit", "most"), [(50, 50), (50, 2), (1, 1), (2, 50), (5, 3)])
def test_pages_join_up_to_the_whole(limit: int, most: int) -> None:
    asked: list[int] = []
    give = server(most)

    def ask(start: int) -> Answer:
        asked.append(start)
        return give(start, limit)

    whole = read_list(ask, limit).root
    assert whole is not None
    assert [item.text for item in whole] == ITEMS
    assert (whole.get("all"), whole.get("results")) == ("5", "5")
    assert asked == list(range(0, len(ITEMS), min(limit, most)))


def test_what_a_server_does_wrong_stays_to_be_seen() -> None:
    wrong_count = read_list(lambda start: page(ITEMS[start : start + 2], results=3), 2).root
    assert wrong_count is not None
    assert wrong_count.get("results") == "9"
    too_many = read_list(lambda _: page(ITEMS), 2)
    assert too_many.failure == "a page of 5 where 2 was asked for"
    assert too_many.root is None
    the_same_again = read_list(lambda _: page(ITEMS[:2], there=5), 2).root
    assert the_same_again is not None
    assert [item.text for item in the_same_again] == ["a", "b", "a", "b", "a", "b"]
    stops_short = read_list(lambda start: page(ITEMS[start : start + 2] if start < 2 else []), 2).root
    assert stops_short is not None
    assert (len(stops_short), stops_short.get("all")) == (2, "5")
    for no_page in (Answer(status=403), Answer(failure="no answer"), Answer(status=200, root=parse(b"<Time/>"))):
        assert read_list(lambda _, given=no_page: given, 2) is no_page  # type: ignore[misc]
    endless = read_list(lambda start: page([str(start)], there=10**6), 1)
    assert endless.failure == "no end after 1000 pages"
