"""Market contexts as they are compared."""

from urllib.parse import urlsplit

from openadr_core.oadr2.http_rules import normalised_path

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
