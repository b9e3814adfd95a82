"""Validation of a parsed tree against one of our schemas.

A schema is compiled once at start by :mod:`openadr_core.shell.datafiles`, which knows where
the files are; here is only what is done with it.
"""

from lxml import etree

from openadr_core.errors import SchemaViolation
from openadr_core.xml.parse import Element

_REASON_MAX_CHARS = 200


class Schema:
    """A compiled XSD. Safe to use from one thread at a time, as lxml's own is."""

    def __init__(self, compiled: etree.XMLSchema) -> None:
        self._compiled = compiled

    def validate(self, root: Element) -> None:
        """Raise :class:`SchemaViolation` that names the element and what is wrong with it."""
        if not self.is_valid(root):
            raise SchemaViolation(self._first_reason())

    def is_valid(self, root: Element) -> bool:
        try:
            return bool(self._compiled.validate(root))
        except etree.XMLSchemaValidateError:
            return False

    def _first_reason(self) -> str:
        entry = self._compiled.error_log.last_error  # type: ignore[attr-defined]  # the stubs forgot it
        if entry is None:
            return "the document cannot be validated"
        # libxml2 writes names as {namespace}local; the local name is what a human looks for.
        words = [word.rpartition("}")[2] if "{" in word else word for word in str(entry.message).split()]
        return " ".join(words)[:_REASON_MAX_CHARS]
