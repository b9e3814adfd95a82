"""`openadr-vtn mqtt`: what the broker must know, so that its rights are those of the API."""

from pathlib import Path

import click

from openadr_core.shell.keyfiles import write_public
from openadr_vtn.cli.operator_api import OperatorApi, operator_option
from openadr_vtn.cli.plain_help import PlainGroup


@click.group(cls=PlainGroup)
def mqtt() -> None:
    """The broker on which clients of OpenADR 3 are told of changes."""


@mqtt.command("access-list")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there, whole or not at all.")
@operator_option
def access_list(api: OperatorApi, out: Path | None) -> None:
    """Print who may hear what on the broker, as Mosquitto's acl_file.

    Users are the client ids of OpenADR 3. Write it anew when clients or VENs come or go, and have the broker read it:
      openadr-vtn mqtt access-list --out /etc/mosquitto/acl && systemctl reload mosquitto
    """
    text = api.admin("mqtt/access-list")["text"]
    if out is None:
        click.echo(text, nl=False)
        return
    write_public(out, text.encode(), replace=True)
    click.echo(f"Wrote {out}.")
