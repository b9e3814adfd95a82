"""`openadr-vtn client`: who may use the operator's API. It works on the store itself, on the VTN's machine."""

import asyncio
from pathlib import Path

import click

from openadr_core.shell.keyfiles import write_private
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.run import config_option
from openadr_vtn.cli.tables import clock_text, show_table
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.settings import load

SCOPES_HELP = "\n".join(
    line
    for role, scopes in SCOPES.items()
    for line in (f"Scopes, role {role.value}:", *(f"  {name:<21}{meaning}" for name, meaning in scopes.items()))
)


@click.group(cls=PlainGroup)
def client() -> None:
    """Clients of both APIs, and what each may do."""


@client.command(epilog=SCOPES_HELP)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.BUSINESS.value,
    show_default=True,
    help="What it is to OpenADR 3: business logic, which runs programs, or a VEN.",
)
@click.option("--scope", "scopes", multiple=True, help="What it may do; all that its role can if none is given.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a profile for --operator there.")
@config_option
def create(*, name: str, role: str, scopes: tuple[str, ...], out: Path | None, config: Path) -> None:
    """Create a client. Its secret is shown once, or written to a file that only you can read.

    Example, a dispatcher's desk that may stop but not create:
      openadr-vtn client create night-desk --scope read_all --scope stop --out night-desk.toml
    """
    from openadr_vtn import bootstrap  # noqa: PLC0415  # a second of imports that other commands do not need

    settings = load(config)
    wanted = scopes or tuple(SCOPES[Role(role)])
    client_id, secret = asyncio.run(bootstrap.create_client(settings, name, wanted, Role(role)))
    if out is None:
        click.echo(f"client_id     {client_id}\nclient_secret {secret}")
        return
    host = "127.0.0.1" if settings.operator.host in {"0.0.0.0", "::"} else settings.operator.host  # noqa: S104
    trust = settings.parties.trust[-1]
    write_private(out, profile_text(f"https://{host}:{settings.operator.port}", client_id, secret, str(trust)).encode())
    click.echo(f"Wrote {out}.")


@client.command("list")
@config_option
def list_clients(config: Path) -> None:
    """List clients, the oldest first. Secrets are not stored, so none is shown."""
    from openadr_vtn import bootstrap  # noqa: PLC0415  # a second of imports that other commands do not need

    show_table(
        ["NAME", "ROLE", "SCOPES", "CREATED", "ID"],
        [
            [one.name, one.role.value, " ".join(one.scopes), clock_text(one.created_at.isoformat()), one.client_id]
            for one in asyncio.run(bootstrap.list_clients(load(config)))
        ],
        empty="There is no client yet: openadr-vtn client create NAME",
    )


@client.command()
@click.argument("client_id", metavar="ID")
@config_option
def remove(client_id: str, config: Path) -> None:
    """Remove a client, by the id that list shows. Its tokens are refused at once."""
    from openadr_vtn import bootstrap  # noqa: PLC0415  # a second of imports that other commands do not need

    gone = asyncio.run(bootstrap.end_client(load(config), client_id))
    click.echo(f"Client {gone.name} is removed.")


def profile_text(url: str, client_id: str, secret: str, trust: str) -> str:
    """What an operator's commands need to reach a VTN."""
    return f"""\
# Access to a VTN's operator API. Whoever reads this file can do what its client may do.
url = "{url}"
client_id = "{client_id}"
client_secret = "{secret}"
# Authorities that may have signed the VTN's certificate; the path is relative to this file.
trust = "{trust}"
"""
