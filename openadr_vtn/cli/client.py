"""`openadr-vtn client`: who may use OpenADR 3 and the operator's API. It works on the store, on the VTN's machine."""

import asyncio
from datetime import timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from openadr_core.errors import RuleBroken
from openadr_core.identity import peer_of_digest
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
GRACE_HOURS = 24.0


@click.group(cls=PlainGroup)
def client() -> None:
    """Clients of both APIs, and what each may do."""


@client.command(epilog=SCOPES_HELP)
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.BUSINESS.value, show_default=True,
    help="What it is to OpenADR 3: business logic, which runs programs, or a VEN.",
)  # fmt: skip
@click.option("--scope", "scopes", multiple=True, help="What it may do; all that its role can if none is given.")
@click.option("--id", "client_id", help="The clientID, if it must be a certain one.")
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate that it must show (PEM), besides its secret.",
)  # fmt: skip
@click.option("--no-secret", is_flag=True, help="Its certificate alone says who it is.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a profile for --operator there.")
@config_option
def create(
    *, name: str, role: str, scopes: tuple[str, ...], client_id: str | None, certificate: Path | None, no_secret: bool,
    out: Path | None, config: Path,
) -> None:  # fmt: skip
    """Create a client. Its secret is shown once, or written to a file that only you can read.

    A dispatcher's desk that may stop but not create, and a VEN that brings a certificate:
      openadr-vtn client create night-desk --scope read_all --scope stop --out night-desk.toml
      openadr-vtn client create acme-fleet --role ven --certificate acme.pem
    """
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    if not name.strip():
        raise RuleBroken("NAME is empty")
    settings = load(config)
    wanted = client_store.NewClient(
        name=name, role=Role(role), scopes=scopes or tuple(SCOPES[Role(role)]), client_id=client_id,
        certificate_sha256=None if certificate is None else _sha256(certificate), has_secret=not no_secret,
    )  # fmt: skip
    made_id, secret = asyncio.run(client_store.create_client(settings, wanted))
    if out is None:
        click.echo(f"client_id     {made_id}" + (f"\nclient_secret {secret}" if secret else ""))
        return
    host = "127.0.0.1" if settings.operator.host in {"0.0.0.0", "::"} else settings.operator.host  # noqa: S104
    trust = settings.parties.trust[-1]
    write_private(out, profile_text(f"https://{host}:{settings.operator.port}", made_id, secret, str(trust)).encode())
    click.echo(f"Wrote {out}.")


@client.command("list")
@config_option
def list_clients(config: Path) -> None:
    """List clients, the oldest first. Secrets are not stored, so none is shown."""
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    show_table(
        ["NAME", "ROLE", "SCOPES", "CREATED", "CERTIFICATE", "ID"],
        [
            [
                one.name, one.role.value, " ".join(one.scopes), clock_text(one.created_at.isoformat()),
                _fingerprint(one.certificate_sha256), one.client_id,
            ]
            for one in asyncio.run(client_store.list_clients(load(config)))
        ],
        empty="There is no client yet: openadr-vtn client create NAME",
    )  # fmt: skip


@client.command()
@click.argument("client_id", metavar="ID")
@click.option(
    "--grace-hours", type=click.FloatRange(0, 8760), default=GRACE_HOURS, show_default=True,
    help="How long the secret that it has is good too; 0: no longer.",
)  # fmt: skip
@config_option
def rotate(client_id: str, grace_hours: float, config: Path) -> None:
    """Give a client a new secret, by the id that list shows. It is shown once.

    The one it has is good for a while too, so that nothing stops while you bring it the new one.
    """
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    _, secret = asyncio.run(client_store.rotate_secret(load(config), client_id, timedelta(hours=grace_hours)))
    click.echo(f"client_id     {client_id}\nclient_secret {secret}")


@client.command()
@click.argument("client_id", metavar="ID")
@config_option
def remove(client_id: str, config: Path) -> None:
    """Remove a client, by the id that list shows. Its tokens are refused within a second."""
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    gone = asyncio.run(client_store.remove_client(load(config), client_id))
    click.echo(f"Client {gone.name} is removed.")


@client.command("rotate-key")
@click.option("--revoke", is_flag=True, help="Tokens of earlier keys are refused from now on: their keys got out.")
@config_option
def rotate_key(config: Path, *, revoke: bool) -> None:
    """Sign every client's tokens with a new key.

    A VTN that runs takes it within a minute. Tokens that were signed before are good until they end.
    """
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    fresh, *earlier = asyncio.run(client_store.rotate_signing_key(load(config), revoke=revoke))
    click.echo(f"Tokens are signed with {fresh.id}. Earlier keys that still count: {len(earlier)}")


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


def _sha256(path: Path) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise RuleBroken(f"{path} holds no certificate in PEM") from None
    return certificate.fingerprint(SHA256()).hex()


def _fingerprint(sha256: str | None) -> str:
    """As other commands show a certificate."""
    return "-" if sha256 is None else peer_of_digest(bytes.fromhex(sha256)).fingerprint_20b
