"""Market contexts as they are compared, and what is agreed for one, or for any."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from openadr_core.oadr2.http_rules import normalised_path

T = TypeVar("T")

ANY = "*"
"""In place of a market context: whichever a VTN names (2.0b R48 leaves it to a VEN to accept any)."""

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normalised(uri: str) -> str:
    """OpenADR 2.0b R512, RFC 3986 6.2: one spelling for all that are equivalent.

    Scheme and host in lower case, no needless port, the path with its escapes and dots settled.
    """
    try:
        parts = urlsplit(uri.strip())
    except ValueError:
        return uri.strip()  # no URI at all (a bracket without its other): it equals itself alone
    if not parts.netloc:
        return parts._replace(scheme=parts.scheme.lower(), path=parts.path or "/").geturl()
    user, at, host = parts.netloc.rpartition("@")
    place = user + at + host.lower().removesuffix(DEFAULT_PORTS.get(parts.scheme.lower(), ":")).removesuffix(":")
    path = normalised_path(parts.path or "/")
    return parts._replace(scheme=parts.scheme.lower(), netloc=place, path=path).geturl()


def of_program(agreed: Mapping[str, T], market_context: str) -> T | None:
    """What is agreed for this market context, or else for any; the keys are normalised. None if nothing is."""
    if not agreed:
        return None  # asked for thousands of events each second
    found = agreed.get(normalised(market_context))
    return agreed.get(ANY) if found is None else found
