"""The only way in for XML: bytes become a tree, or are refused, before anything reads them.

lxml's options alone are not enough: with ``resolve_entities=False`` entity text is silently
lost, UTF-7 hides a DTD, one element with 90,000 attributes costs 25 s to read, and parsing
with a schema attached can crash the process. So: parse, gate, and validate afterwards
(:mod:`openadr_core.xml.validate`). Nothing else in the project parses XML, and a test says so.
"""

import re

from lxml import etree

from openadr_core.errors import MalformedMessage
from openadr_core.limits import XML_ATTRIBUTES_MAX, XML_BODY_MAX_BYTES, XML_MARKUP_MAX, XML_NAMESPACES_MAX

Element = etree._Element  # noqa: SLF001 (lxml has no public name for the type)

_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml\s([^?]*)\?>")
_DECLARED_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")
_UTF8_NAMES = {"UTF-8", "UTF8", "US-ASCII", "ASCII"}
_UTF8_NAMES_BYTES = {name.encode() for name in _UTF8_NAMES}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_crowded = etree.XPath(f"boolean(//*[count(@*) > {XML_ATTRIBUTES_MAX}])")


def parse(body: bytes, *, max_bytes: int = XML_BODY_MAX_BYTES, max_markup: int = XML_MARKUP_MAX) -> Element:
    """The root of the document in ``body``.

    Raises :class:`MalformedMessage` with a fixed text that holds none of the peer's bytes.
    """
    _refuse_bytes(body, max_bytes, max_markup)
    # Parsers may not be shared between threads, and one costs microseconds.
    parser = etree.XMLParser(  # type: ignore[call-arg]  # the stubs do not know decompress
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        decompress=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise MalformedMessage("not well-formed XML") from None
    _refuse_tree(root, parser)
    # Few messages declare so many that it is worth counting where.
    if body.count(b"xmlns") > XML_NAMESPACES_MAX:
        _refuse_namespaces(root)
    return root


def _refuse_bytes(body: bytes, max_bytes: int, max_markup: int) -> None:
    if not body:
        raise MalformedMessage("empty body")
    if len(body) > max_bytes:
        raise MalformedMessage(f"body over {max_bytes} bytes")
    if body.startswith(_UTF16_MARKS) or b"\0" in body:
        raise MalformedMessage("not UTF-8")
    try:
        body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise MalformedMessage("not UTF-8") from None
    # The parser is told UTF-8 and would not mind; the next reader of these bytes might believe the label.
    declaration = _DECLARATION.match(body)
    declared = _DECLARED_ENCODING.search(declaration[1]) if declaration else None
    if declared and declared[1].upper() not in _UTF8_NAMES_BYTES:
        raise MalformedMessage("declared encoding is not UTF-8")
    if body.count(b"<") > max_markup:
        raise MalformedMessage(f"more than {max_markup} tags")


def _refuse_tree(root: Element, parser: etree.XMLParser) -> None:
    # libxml2 accepts an unbound prefix with no more than a line in this log.
    if len(parser.error_log):
        raise MalformedMessage("not namespace-well-formed XML")
    document = root.getroottree().docinfo
    if document.internalDTD is not None or document.externalDTD is not None or document.doctype:
        raise MalformedMessage("a DTD is not allowed")
    if document.encoding and document.encoding.upper() not in _UTF8_NAMES:
        raise MalformedMessage("declared encoding is not UTF-8")
    if next(root.iter(etree.Entity), None) is not None:
        raise MalformedMessage("an entity is not allowed")
    if _crowded(root):
        raise MalformedMessage(f"more than {XML_ATTRIBUTES_MAX} attributes on one element")


def _refuse_namespaces(root: Element) -> None:
    """Canonicalisation costs elements times the square of the declarations in scope: minutes for 6,000."""
    in_scope = 0
    for step, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if step == "start-ns" else -1
        if in_scope > XML_NAMESPACES_MAX:
            raise MalformedMessage(f"more than {XML_NAMESPACES_MAX} namespace declarations in scope")
