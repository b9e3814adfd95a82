"""The project's own schemas, as the harness asks them: what is wrong with this message?"""

from openadr_core.errors import SchemaViolation
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import Element


def schema_fault(root: Element) -> str:
    """What the schema of OpenADR 2.0b refuses in the message; empty if nothing."""
    try:
        load_schema().validate(root)
    except SchemaViolation as violation:
        return str(violation)
    return ""
