"""Where the packaged data files are: in the wheel, or in the checkout an editable install points at."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from lxml import etree

from openadr_core.errors import ConfigError
from openadr_core.xml.validate import Schema

_PACKAGED = Path(str(files("openadr_core") / "_data"))
_CHECKOUT = Path(__file__).resolve().parents[2]

OPENADR_20B = "schemas/openadr20b/oadr_20b.xsd"


def data_path(name: str) -> Path:
    """The data file or folder of that name (``schemas/openadr20b``, ``certs/profiles/…``).

    Raises :class:`ConfigError` if the installation lacks it.
    """
    found = (_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT) / name
    if not found.exists():
        raise ConfigError(f"this installation lacks its data file {name}")
    return found


@cache
def load_schema(name: str = OPENADR_20B) -> Schema:
    """The compiled schema. XSDs include each other by relative path, so this needs real files: a wheel has them."""
    return Schema(etree.XMLSchema(file=str(data_path(name))))
