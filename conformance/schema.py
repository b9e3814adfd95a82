"""The project's own schemas, as the harness asks them: what is wrong with this message?"""

from conformance.sep2.words import NAMESPACES
from openadr_core.errors import SchemaViolation
from openadr_core.shell.datafiles import OPENADR_20B, load_schema
from openadr_core.xml.parse import Element


def schema_fault(root: Element) -> str:
    """What the schema of OpenADR 2.0b refuses in the message; empty if nothing."""
    return _fault(root, OPENADR_20B)


def sep2_schema_fault(root: Element) -> str:
    """The same of IEEE 2030.5, as CSIP-AUS extends it: by 1.3 if anything of 1.3 is in it, or else by 1.2.

    Interpretation: what has nothing Australian in it may be of somebody who does not speak CSIP-AUS, which demands more
    of some messages (doeModesSupported): what IEEE 2030.5 itself says of it will do.
    """
    is_newer = _has(root, "aus13")
    fault = _fault(root, f"schemas/ieee2030_5/csipaus-{'1.3' if is_newer else '1.2'}.xsd")
    if fault and not is_newer and not _has(root, "aus"):
        return _fault(root, "schemas/ieee2030_5/sep.xsd")
    return fault


def _has(root: Element, prefix: str) -> bool:
    return next(root.iter(f"{{{NAMESPACES[prefix]}}}*"), None) is not None


def _fault(root: Element, schema: str) -> str:
    try:
        load_schema(schema).validate(root)
    except SchemaViolation as violation:
        return str(violation)
    return ""
