"""What a document says beyond what its reader knows: of a newer version, or of somebody's own. It is passed over."""

from lxml import etree

from openadr_core.sep2.names import SEP, XSI, CsipAus
from openadr_core.sep2.plan import Part, message_types, parts_of
from openadr_core.xml.parse import Element


def pass_over(root: Element, *, csipaus: CsipAus | None) -> None:
    """Take out of the tree each element and attribute that a reader of this version has no name for.

    Interpretation: a document is as good as what its reader knows of it; where nothing is known of the root, all stays.
    """
    kind = message_types().get(etree.QName(root).localname)
    if kind is not None:
        _pass_over(root, kind, csipaus)


def _pass_over(element: Element, kind: type, csipaus: CsipAus | None) -> None:
    parts = {part.name: part for part in parts_of(kind)}
    for name in [str(name) for name in element.attrib]:
        part = parts.get(name)
        if not name.startswith(f"{{{XSI}}}") and (part is None or not part.is_attribute):
            del element.attrib[name]
    for child in list(element.iterchildren(tag=etree.Element)):
        called = etree.QName(child)
        part = parts.get(called.localname)
        if part is None or part.is_attribute or called.namespace != _namespace(part, csipaus):
            element.remove(child)
        elif part.is_complex:
            said = str(child.get(f"{{{XSI}}}type", "")).rpartition(":")[2]
            _pass_over(child, message_types().get(said, part.type), csipaus)


def _namespace(part: Part, csipaus: CsipAus | None) -> str:
    """Where its reader knows it from; empty: it does not."""
    if part.versions is None:
        return SEP
    return csipaus.value if csipaus is not None and csipaus in part.versions else ""
