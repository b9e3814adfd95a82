"""Certificates as options of a command name them."""

from pathlib import Path

from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain


def chain_named(name: str, certificate: Path | None, key: Path | None) -> Chain | None:
    """Of ``--NAME-certificate`` and ``--NAME-key``; None if neither is given. ConfigError if only one of them is."""
    if (certificate is None) != (key is None):
        raise ConfigError(f"--{name}-certificate and --{name}-key go together")
    return None if certificate is None or key is None else Chain(certificate=certificate, key=key)
