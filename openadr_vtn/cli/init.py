"""`openadr-vtn init`: a folder with all that a VTN needs, ready to run."""

import asyncio
from pathlib import Path

import click

from openadr_core.errors import RuleBroken
from openadr_core.shell.keyfiles import write_private, write_public
from openadr_vtn.cli.certificate import make_authorities, mint_leaf, sep2_authority
from openadr_vtn.cli.client import profile_text
from openadr_vtn.cli.plain_help import PlainCommand
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.settings import load

LOCAL_HOSTS = ("localhost", "127.0.0.1")


@click.command(cls=PlainCommand)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--vtn-id", default="VTN-1", show_default=True, help="The vtnID that VENs see.")
@click.option("--host", "hosts", multiple=True, help="A DNS name or address that VENs reach it by; repeat for more.")
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address to serve all but the console on.")
@click.option("--parties-port", type=int, default=8443, show_default=True)
@click.option("--operator-port", type=int, default=8444, show_default=True)
@click.option("--oadr3-port", type=int, default=8445, show_default=True)
@click.option("--console-port", type=int, default=8081, show_default=True)
@click.option(
    "--sep2-pen", type=click.IntRange(1, 99_999_999),
    help="Serve IEEE 2030.5 too, with mRIDs that end in your Private Enterprise Number.",
)  # fmt: skip
@click.option("--sep2-port", type=int, default=8446, show_default=True)
def init(
    *, folder: Path, vtn_id: str, hosts: tuple[str, ...], listen: str, parties_port: int, operator_port: int,
    oadr3_port: int, console_port: int, sep2_pen: int | None, sep2_port: int,
) -> None:  # fmt: skip
    """Make a folder with all that a VTN needs.

    Settings with comments, lab certificates, a store, and an operator's access.

    Example:
      openadr-vtn init utility --vtn-id Acme-VTN --host vtn.acme.example
      openadr-vtn run --config utility/vtn.toml

    The certificates are of a laboratory of your own. For production, put those that the OpenADR
    authorities signed in their place and name them in vtn.toml.
    """
    from openadr_vtn.adapters.sql.vault import new_key  # noqa: PLC0415  # as below
    from openadr_vtn.cli import client_store  # noqa: PLC0415  # a second of imports that other commands do not need

    config = folder / "vtn.toml"
    if config.exists():
        raise RuleBroken(f"{config} is there already; nothing was changed")
    certificates = folder / "certs"
    authorities = make_authorities(certificates)
    names = tuple(dict.fromkeys((*LOCAL_HOSTS, *hosts)))
    for kind, issuer in authorities.items():
        mint_leaf(f"openadr-{kind}-vtn", vtn_id, issuer, certificates, hosts=names, file_name=f"vtn-{kind}")
    mint_leaf(
        "openadr-ecc-vtn", f"{vtn_id} operator", authorities["ecc"], certificates, hosts=names, file_name="operator"
    )
    mint_leaf(
        "openadr-ecc-vtn", f"{vtn_id} OpenADR 3", authorities["ecc"], certificates, hosts=names, file_name="oadr3"
    )
    text = SETTINGS.format(
        vtn_id=vtn_id, listen=listen, parties_port=parties_port, operator_port=operator_port, oadr3_port=oadr3_port,
        console_port=console_port,
    )  # fmt: skip
    if sep2_pen is not None:
        mint_leaf("sep2-server", vtn_id, sep2_authority(certificates), certificates, hosts=names, file_name="sep2")
        text += SEP2_SETTINGS.format(listen=listen, port=sep2_port, pen=sep2_pen)
    write_private(folder / "secrets.key", new_key())
    write_public(config, text.encode())
    wanted = client_store.NewClient(name="operator", role=Role.BUSINESS, scopes=tuple(SCOPES[Role.BUSINESS]))
    client_id, secret = asyncio.run(client_store.create_client(load(config), wanted))
    profile = profile_text(f"https://127.0.0.1:{operator_port}", client_id, secret, "certs/openadr-ecc-root.pem")
    write_private(folder / "operator.toml", profile.encode())
    click.echo(f"Made {folder}:")
    for name, purpose in (
        ("vtn.toml", "settings; every one has a comment"),
        ("operator.toml", "your access to the operator's API: keep it to yourself"),
        ("certs/", "a laboratory's authorities, and the VTN's certificates"),
        ("vtn.db", "the store"),
        ("secrets.key", "opens the secrets in the store: keep it to yourself"),
    ):
        click.echo(f"  {name:<15}{purpose}")
    click.echo(f"\nNow: openadr-vtn run --config {config}")


SETTINGS = """\
# Settings of an OpenADR VTN. Paths are relative to this file.
# Each can be given by the environment as well: OPENADR_VTN_PARTIES__PORT is port of [parties].

[vtn]
# The vtnID in every OpenADR 2.0b message.
id = "{vtn_id}"

[parties]
# Where VENs connect: OpenADR 2.0b over mutual TLS.
host = "{listen}"
port = {parties_port}
# modern-2.0b: also TLS 1.3 and the suites that browsers use.
# certification-2.0b: TLS 1.2 and the standard's two suites alone.
profile = "modern-2.0b"
# Who may knock: VENs with a certificate of these authorities. Each is let in by you (openadr-vtn party approve).
trust = ["certs/openadr-rsa-root.pem", "certs/openadr-ecc-root.pem"]
# XML signatures, besides TLS ("high security"). off: none are made or looked at. accept: what a VEN signs must be
# signed well and is answered signed; other messages are taken too. require: what is not signed well is not processed.
# For one party: openadr-vtn party signatures. What is refused and why: docs/security-openadr20b.md
signatures = "accept"
# How far a signer's clock may be off, in seconds, both ways.
signature_age_max_s = 300
# What a VEN is told to poll at, in seconds.
poll_interval_s = 10
# Requests that are answered at a time; who comes beyond that is told to come again (HTTP 503, Retry-After).
requests_max = 2000
# Connections at a time, from one address, and new ones a minute from one address: who is beyond that is reset at once.
# [operator], [oadr3] and [sep2] have these too.
connections_max = 20_000
connections_per_address = 2_000
connections_per_minute = 2_000
# What our address has before /OpenADR2. A VEN on the same host and port must have another one.
# prefix = "/vtn"

# The standard wants an RSA and an ECC certificate of every VTN.
[[parties.certificates]]
certificate = "certs/vtn-rsa.pem"
key = "certs/vtn-rsa.key"

[[parties.certificates]]
certificate = "certs/vtn-ecc.pem"
key = "certs/vtn-ecc.key"

[push]
# VENs that do not poll are pushed to, at the address that they register. That is their own word, so it is looked at:
# only public addresses are reached, and those of the networks that you name here, on these ports.
# networks = ["10.0.0.0/8"]
ports = [443, 8443]
# How long an answer is waited for; the standard wants at least 5 seconds.
timeout_s = 10
# The longest pause before a VEN that cannot be reached is tried again; the first is a second, each doubles.
# (One that has taken an event and does not say in or out is reminded ten times in twenty minutes, ever less;
# then openadr-vtn event ledger shows it as given up.)
retry_max_s = 60

[webhooks]
# Clients of OpenADR 3 may ask to be told of changes at an address of theirs. It is their own word, so it is looked at:
# only public addresses are reached, and those of the networks that you name here, on these ports.
# networks = ["10.0.0.0/8"]
ports = [443, 8443]
# Authorities that sign the certificates there, besides those that this machine trusts:
# trust = ["certs/receivers-root.pem"]
# How long an answer is waited for.
timeout_s = 10
# The longest pause before a receiver that does not answer is tried again; the first is a second, each doubles.
retry_max_s = 300
# After so many attempts a notification is put aside (openadr-vtn subscription dead-letters, replay).
attempts_max = 30
# Days after which what happened is forgotten, and who was told.
keep_days = 30

# A broker on which clients of OpenADR 3 are told of changes too (docs/notifications.md):
# [mqtt]
# url = "mqtts://broker.example:8883"
# trust = ["certs/broker-root.pem"]
# authentication = "CERTIFICATE"

[oadr3]
# Where clients of OpenADR 3 connect, VENs and business logic: TLS with bearer tokens (openadr-vtn client create).
host = "{listen}"
port = {oadr3_port}
# Authorities of client certificates. A client may show one: its tokens are bound to it then (RFC 8705), and one that
# is tied to a certificate must. Without this line none is asked for.
client_trust = ["certs/openadr-rsa-root.pem", "certs/openadr-ecc-root.pem"]
# Whether the lists of an OpenADR 3 VEN hold programs and events with targets only if its query names them.
strict_targets = false

[[oadr3.certificates]]
certificate = "certs/oadr3.pem"
key = "certs/oadr3.key"

# If an identity provider of yours issues the tokens of these clients, and not this VTN:
# [oadr3.identity_provider]
# issuer = "https://login.example/realms/grid"
# audience = "vtn"
# token_url = "https://login.example/realms/grid/protocol/openid-connect/token"
# keys_url = "https://login.example/realms/grid/protocol/openid-connect/certs"
# algorithms = ["RS256", "ES256"]
# Which claim tells the clientID (the first that is there), and which tell the scopes (all count).
# client_claims = ["client_id", "azp", "sub"]
# scope_claims = ["scope", "scp", "roles"]

[operator]
# Where your systems and the command line connect: OpenADR 3.1 (business logic) and the admin API, over TLS.
host = "{listen}"
port = {operator_port}
# To ask clients for a certificate besides the token, name the authorities that sign them:
# client_trust = ["certs/openadr-ecc-root.pem"]
token_lifetime_s = 3600
# Wrong secrets from one address, before it has to wait.
token_failures_per_minute = 30

[[operator.certificates]]
certificate = "certs/operator.pem"
key = "certs/operator.key"

[console]
# Your pages, /health and /metrics. Plain HTTP, so a loopback address is all it takes.
host = "127.0.0.1"
port = {console_port}

[store]
# sqlite:///file, or postgresql://user:password@host/database
url = "sqlite:///vtn.db"
# Keys that seal the secrets in the store; the first seals, all of them open. A new one: openadr-vtn store key FILE.
# Without it the store's secrets are lost, so keep a copy, but not where copies of the store are.
secret_keys = ["secrets.key"]

[reports]
# What VENs are asked to report, as near as they can do it: the length of an interval, and how often one comes.
granularity_s = 60
report_back_s = 60
# How often each says how its resources stand (online, overridden), in seconds; 0: never.
status_back_s = 300
# Days after which what was measured is forgotten.
keep_days = 400

[opts]
# Rules for the opt schedules of VENs, under programs that declare none of their own (attributes OPT_…).
# Which types a VEN may make: both, optIn, optOut or none.
schedules = "both"
# What holds where nothing is said, and which counts where both speak (optOut, optIn or newest).
default = "optIn"
precedence = "optOut"
# Stretches of one schedule that overlap: allowed or refused.
overlap = "allowed"

[guard]
# What no event may ask for, however it was typed: the most in one interval, and between two.
event_max_kw = 10_000
step_max_kw = 5_000

[log]
# debug, info, warning or error
level = "info"
# json: one object a line; console: for a person at a terminal
format = "json"
"""

SEP2_SETTINGS = """
[sep2]
# Where IEEE 2030.5 clients connect (CSIP, CSIP-AUS): TLS 1.2 with client certificates.
host = "{listen}"
port = {port}
# sep2-strict: the one suite that the standard wants (CCM-8); sep2-compat: AES-GCM too.
profile = "sep2-strict"
# Roots (SERCA) whose devices may knock; each certificate is let in by an operator (openadr-vtn party approve).
trust = ["certs/sep2-serca.pem"]
# Your Private Enterprise Number, which mRIDs end in, and how: decimal, as CSIP-AUS reads it, or hex.
pen = {pen}
pen_form = "decimal"
# What is spoken at /dcap: none (CSIP), 1.2 or 1.3 (CSIP-AUS). /csip/dcap, /csipaus-1.2/dcap and /csipaus-1.3/dcap are
# there as well.
csipaus = "1.2"
# An IANA name, for the offsets of Time.
time_zone = "UTC"
# Whether devices may register themselves once their certificate is let in, and read their PIN.
in_band = true
shows_registration = true

[[sep2.certificates]]
certificate = "certs/sep2.pem"
key = "certs/sep2.key"
"""
