"""Reading a list of a VTN page by page: it is complete only once a page came that was not full."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openadr_core.errors import MalformedMessage
from openadr_core.oadr3.json_text import list_items

PAGE = 50
"""The most that 3.1 answers at once."""
PAGES_MAX = 2_000
"""A hundred thousand objects: a VTN that never comes to an end must not hold us for ever."""


@dataclass(slots=True)
class Pass:
    """One reading of a whole list. Pages that have not changed since the last reading are not sent again."""

    path: str
    kept: dict[int, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """By where a page begins: its ETag, and the objects that were on it."""
    found: list[str] = field(default_factory=list)
    """Objects of this reading, as JSON texts."""
    skip: int = 0

    def begin(self) -> None:
        self.found, self.skip = [], 0

    @property
    def address(self) -> str:
        return f"{self.path}?skip={self.skip}&limit={PAGE}"

    @property
    def headers(self) -> Mapping[str, str]:
        tag = self.kept.get(self.skip, ("", ()))[0]
        return {"if-none-match": tag} if tag else {}

    @property
    def pages(self) -> int:
        return self.skip // PAGE + 1

    def unchanged(self) -> bool:
        """The page is as it was (304): whether the list is complete with it. MalformedMessage if we never had it."""
        if self.skip not in self.kept:
            raise MalformedMessage("304 to a page that was never read")
        return self._add(self.kept[self.skip][1])

    def took(self, body: bytes, tag: str) -> bool:
        """A page came: whether the list is complete with it. MalformedMessage if it is none."""
        objects = tuple(list_items(body))
        if tag:
            self.kept[self.skip] = (tag, objects)
        else:
            self.kept.pop(self.skip, None)
        return self._add(objects)

    def _add(self, objects: tuple[str, ...]) -> bool:
        self.found += objects
        if len(objects) < PAGE:
            return True
        if self.pages >= PAGES_MAX:
            raise MalformedMessage(f"{self.path} has no end")
        self.skip += PAGE
        return False
