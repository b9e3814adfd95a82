"""`openadr-vtn store`: what whoever runs the VTN does with its store."""

from pathlib import Path

import click

from openadr_core.shell.keyfiles import write_private
from openadr_vtn.cli.plain_help import PlainGroup


@click.group(cls=PlainGroup)
def store() -> None:
    """The store, and the keys that seal the secrets in it."""


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def key(*, file: Path) -> None:
    """Write a new key that seals the secrets in the store.

    Put its name before those in secret_keys of [store], and start the VTN: it seals anew what is there. After that
    the older names can go. Keep the key where copies of the store are not.

    Example:
      openadr-vtn store key utility/secrets-2.key
    """
    from openadr_vtn.adapters.sql.vault import new_key  # noqa: PLC0415  # the help needs no cryptography

    write_private(file, new_key())
    click.echo(f"Wrote {file}")
