"""`openadr-vtn certificate`: lab certificates. A production VTN takes its own from the OpenADR authorities."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.errors import RuleBroken
from openadr_core.identity import Peer, peer_of
from openadr_core.limits import CERTIFICATE_WARNING_DAYS
from openadr_core.pki import Authority, issue, make_authority
from openadr_core.shell.keyfiles import (
    certificate_profile,
    read_authority,
    write_authority,
    write_issued,
    write_public,
)
from openadr_core.shell.tls import Chain
from openadr_vtn.cli.plain_help import PlainGroup

KINDS = ("rsa", "ecc")
LEAF_PROFILES = [*(f"openadr-{kind}-{role}" for kind in KINDS for role in ("ven", "vtn")), "sep2-device", "sep2-server"]
SEP2_AUTHORITIES = ("sep2-serca", "sep2-mca", "sep2-mica")
"""The root, a manufacturer's, and the one that signs devices."""


@click.group(cls=PlainGroup)
def certificate() -> None:
    """Certificates of a laboratory: mint them, look at them."""


@certificate.command()
@click.option("--profile", type=click.Choice(LEAF_PROFILES), default="openadr-ecc-ven", show_default=True)
@click.option("--name", required=True, help="Who it is for: the common name in it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
@click.option(
    "--authorities", type=click.Path(file_okay=False, path_type=Path), default=Path("certs"), show_default=True,
    help="Folder with the lab's authorities, as init made them.",
)  # fmt: skip
@click.option("--host", "hosts", multiple=True, help="A DNS name or an address of a VTN's; repeat for more.")
@click.option("--days", type=click.IntRange(min=1), help="How long it is good for; the profile says if not given.")
def mint(*, profile: str, name: str, out: Path, authorities: Path, hosts: tuple[str, ...], days: int | None) -> None:
    """Mint a certificate and its key.

    The authorities to trust are put beside them.

    Example:
      openadr-vtn certificate mint --profile openadr-ecc-ven --name ven-1 --out ../ven-1
      openadr-vtn certificate mint --profile sep2-device --name inverter-1 --out ../inverter-1
    """
    if profile.startswith("sep2"):
        issuer, roots = sep2_authority(authorities), [SEP2_AUTHORITIES[0]]
    else:
        issuer = read_authority(authorities, f"openadr-{profile.split('-')[1]}-ca")
        # Both: whichever key the holder has, the VTN may answer with its RSA or its ECC certificate.
        roots = [f"openadr-{kind}-root" for kind in KINDS]
    chain, peer = mint_leaf(profile, name, issuer, out, hosts=hosts, days=days)
    trust = b"".join((authorities / f"{root}.pem").read_bytes() for root in roots)
    write_public(out / "trust.pem", trust, replace=True)
    click.echo(f"certificate {chain.certificate}\nkey         {chain.key}\ntrust       {out / 'trust.pem'}")
    if profile.startswith("sep2"):
        click.echo(f"lfdi        {peer.lfdi}\nsfdi        {peer.sfdi}")
    else:
        click.echo(f"fingerprint {peer.fingerprint_20b}")
    click.echo(f"sha256      {peer.certificate_sha256}")


@certificate.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show(file: Path) -> None:
    """Show by which fingerprints a PEM file is known.

    And when it ends.
    """
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        raise RuleBroken(f"{file} holds no certificate in PEM") from None
    peer = peer_of(found.public_bytes(Encoding.DER), subject=found.subject.rfc4514_string())
    for label, value in (
        ("subject", peer.subject or "(empty)"),
        ("ends", f"{found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, {_left(found.not_valid_after_utc)}"),
        ("fingerprint", f"{peer.fingerprint_20b}  (OpenADR 2.0b)"),
        ("lfdi", f"{peer.lfdi}  (IEEE 2030.5)"),
        ("sha256", peer.certificate_sha256),
    ):
        click.echo(f"{label:<12}{value}")


def _left(end: datetime) -> str:
    """How near it is (OpenADR 2.0b 10.4)."""
    days = (end - datetime.now(UTC)).days
    return "ENDED" if days < 0 else f"in {days} days" + (": renew it" if days < CERTIFICATE_WARNING_DAYS else "")


def make_authorities(folder: Path) -> dict[str, Authority]:
    """A root and an issuing authority of each kind, written to a folder; the issuing ones are returned."""
    made, now = {}, datetime.now(UTC)
    for kind in KINDS:
        above = None
        for role in ("root", "ca"):
            name = f"openadr-{kind}-{role}"
            above = make_authority(f"OpenADR lab {kind.upper()} {role}", certificate_profile(name), now, above)
            write_authority(folder, name, above)
            made[kind] = above
    return made


def sep2_authority(folder: Path) -> Authority:
    """The one that signs IEEE 2030.5 devices and servers, in a folder where it is made if need be."""
    if not (folder / f"{SEP2_AUTHORITIES[-1]}.pem").is_file():
        above = None
        for name in SEP2_AUTHORITIES:
            above = make_authority(f"IEEE 2030.5 lab {name}", certificate_profile(name), datetime.now(UTC), above)
            write_authority(folder, name, above)
    return read_authority(folder, SEP2_AUTHORITIES[-1])


def mint_leaf(
    profile: str,
    name: str,
    issuer: Authority,
    folder: Path,
    *,
    hosts: tuple[str, ...] = (),
    days: int | None = None,
    file_name: str | None = None,
) -> tuple[Chain, Peer]:
    """A leaf certificate and its key as files; its hosts may be names and addresses."""
    addresses = [host for host in hosts if _is_address(host)]
    issued = issue(
        certificate_profile(profile), name, issuer, datetime.now(UTC), days=days,
        dns_names=[host for host in hosts if host not in addresses], ip_addresses=addresses,
    )  # fmt: skip
    return write_issued(folder, file_name or name, issued), issued.peer


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
