"""XPath expressions and text templates, as procedures write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from lxml import etree

from conformance import openadr20b
from conformance.sep2.words import NAMESPACES as SEP2_NAMESPACES
from openadr_core.errors import ConfigError
from openadr_core.xml.parse import Element

_VARIABLE = re.compile(r"\$\{([a-z][a-z0-9_]*)(?:([+-])(\d+|[a-z][a-z0-9_]*))?\}")
NAMESPACES = {**openadr20b.NAMESPACES, **SEP2_NAMESPACES}
WIRE_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Query:
    """An XPath 1.0 expression over an answer; ``$name`` in it is a variable of the run."""

    text: str
    _compiled: etree.XPath = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = etree.XPath(self.text, namespaces=NAMESPACES)
        except etree.XPathError as fault:
            raise ConfigError(f"XPath {self.text!r}: {fault}") from None
        object.__setattr__(self, "_compiled", compiled)

    def on(self, node: Element, variables: Mapping[str, str]) -> object:
        """The result as libxml2 gives it: nodes, text, number or truth."""
        try:
            return self._compiled(node, **variables)
        except etree.XPathError as fault:
            raise ConfigError(f"XPath {self.text!r}: {fault}") from None

    def nodes(self, node: Element, variables: Mapping[str, str]) -> list[Element]:
        found = self.on(node, variables)
        if not isinstance(found, list):
            raise ConfigError(f"XPath {self.text!r} must select nodes")
        return found

    def string(self, node: Element, variables: Mapping[str, str]) -> str:
        """The result as text; of several nodes, the first; of none, nothing."""
        found = self.on(node, variables)
        if isinstance(found, list):
            found = found[0] if found else ""
        if isinstance(found, Element):
            return "".join(str(part) for part in found.itertext())
        return f"{found:g}" if isinstance(found, float) else str(found)

    def truth(self, node: Element, variables: Mapping[str, str]) -> bool:
        return bool(self.on(node, variables))


def rendered(template: str, variables: Mapping[str, str], *, xml: bool = False) -> str:
    """The template with each ``${name}`` replaced; in XML, by text that stays text.

    ``${now+15}`` is fifteen seconds after the time that the variable holds, ``${now+back_s}`` as many as another holds.
    """

    def value(found: re.Match[str]) -> str:
        text = _variable(found[1], variables)
        if found[2]:
            seconds = found[3] if found[3].isdecimal() else _variable(found[3], variables)
            text = _moved(text, int(found[2] + seconds))
        return escape(text, {'"': "&quot;"}) if xml else text

    return _VARIABLE.sub(value, template)


def _variable(name: str, variables: Mapping[str, str]) -> str:
    try:
        return variables[name]
    except KeyError:
        raise ConfigError(f"${{{name}}}: no such variable here") from None


def _moved(time: str, seconds: int) -> str:
    if time.isdecimal():
        return str(int(time) + seconds)  # as 2030.5 tells it: seconds since 1970
    try:
        moment = datetime.fromisoformat(time).astimezone(UTC)
    except ValueError:
        raise ConfigError(f"{time!r} is no time that could be moved by {seconds} s") from None
    return (moment + timedelta(seconds=seconds)).strftime(WIRE_TIME)
