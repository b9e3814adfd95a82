"""``init``: a folder with settings that say what they mean."""

from pathlib import Path

import click

from openadr_core.errors import ConfigError
from openadr_ven.dispatch.guard import CAUTIOUS, EXPLANATIONS
from openadr_ven.dispatch.policy import DEFAULT_POLICY, POLICIES

TEMPLATE = """\
# openadr-ven: the agent of one fleet. Paths are relative to this file. Every value can be overridden by an
# environment variable: OPENADR_VEN_VTN__URL is `url` of the table [vtn].

store = "sqlite:///ven.db"            # or postgresql://user@host/database

{vtn}
# One table for each program that the fleet takes part in, named by its market context.
# relief_sign: what a positive number means when an event asks for a change of load. POSITIVE: relief, less
# load; NEGATIVE: more load. The utility must tell you; without it such events are refused.
# levels: share of the fleet's headroom that SIMPLE levels 0 to 3 ask for.
# policy: who is asked first: {policies}.
[programs."{market_context}"]
relief_sign = "POSITIVE"
levels = [0.0, 0.25, 0.6, 1.0]
policy = "{policy}"
# reference_price_per_kwh = 0.30      # what a kWh costs owners without an event; without it prices are only shown
# owners_earn_per_kwh = 2.00          # what owners are paid for a kWh that they gave: `openadr-ven earned`

# What our opt schedules mean together, as the utility's program has it: what holds where nothing is said, and
# which counts where both speak (optOut, optIn or newest). `openadr-ven opt` makes them.
[opts]
default = "optIn"
precedence = "optOut"

# The safety envelope: what no message of any VTN can make the fleet exceed. The agent does not start without
# one. These values are cautious: raise them when you know your fleet, and never above what you would answer for.
[envelope]
{envelope}

[fleet]
name = "fleet"                        # in the topics of the gateways
file = "fleet.store"                  # a folder of versions, or one .csv or .parquet; `openadr-ven fleet load` makes it
# What events may be for besides our venID and what the fleet file names (devices, sites, transformers, feeders, …):
# names = ["north"]                   # groups that all of it is in
# groups = {{"evening-homes" = ["feeder-7", "site-12"]}}

[gateways]                            # the MQTT broker between this agent and the gateways
host = "127.0.0.1"
port = 1883
client_id = "openadr-ven"             # keep it: the broker keeps our messages under this name
# price_key = "price.key"             # tell feeders the price too: openssl genpkey -algorithm ed25519 -out price.key
# trust = "broker-ca.pem"             # TLS, with the authority that signed the broker's certificate

[agent]
lease_s = 30.0                        # how long devices go on by themselves when the agent is gone
renew_s = 10.0                        # how often leases are renewed; at most half of lease_s
act_on_test_events = false
ledger = "ledger"                     # what each device was told and gave; it only grows: delete what is too old

# With this table other processes compute and carry parts of the fleet: openadr-ven shard --number 1 --of 2
# [shards]
# engine = "nats://127.0.0.1:4222"    # a NATS server; with tls:// also trust, username and password

[reports]                             # how long what was measured is kept
history_days = 30                     # the fleet's power in steps of five minutes
undelivered_days = 7                  # reports that the VTN has not taken

[console]                             # pages, /health and /metrics, on loopback only
host = "127.0.0.1"
port = 8082

[log]
level = "info"
format = "json"                       # or "console", for a person at a terminal
"""


VTN_2_0B = """\
[vtn]
url = "{url}"                         # https://host[:port]/[prefix/]; the OpenADR path is added
certificate = "{certificate}"         # ours: PEM, then its authorities without the root
key = "{key}"
trust = "{trust}"                     # the authority that signed the VTN's certificate
# SHA-256 of the VTN's certificates, which are two, an RSA and an ECC one: the agent talks to no other. The next
# of each may stand beside them while the VTN changes them. `openadr-ven fingerprint vtn.pem` shows it.
fingerprints = [{fingerprints}]
ven_name = "{ven_name}"
poll_interval_s = 10.0                # the VTN may ask for a longer one
poll_jitter = 0.0                     # up to this share of it is waited besides, so that VENs drift apart
enrolment_retry_s = 5.0               # before we try again to register, refused or cancelled
# If they were agreed on with the utility before; without ven_id it gives us one, without registration_id we register:
# ven_id = "ACME_1"
# registration_id = "…"
report_only = false                   # reports, and no events
# XML signatures, besides TLS ("high security"). off: none. accept: sign, and verify what the VTN signs; unsigned
# answers are taken too. require: what the VTN does not sign well is not acted on. docs/security-openadr20b.md
signatures = "off"
signature_age_max_s = 300             # how far the VTN's clock may be off, both ways
profile = "modern-2.0b"               # or "certification-2.0b": exactly the two suites of the standard
timeout_s = 10.0                      # how long an answer is waited for; the standard wants at least 5
compressed = false                    # ask the VTN to compress its answers

# With this table the agent does not poll: it registers this address, listens, and the VTN comes to it. Whoever is
# not the VTN of the fingerprints above is refused. An agent on the VTN's own host and port needs another prefix.
# [push]
# address = "https://ven.example:8443/ven/"   # as the VTN reaches us; the OpenADR path is added
# host = "0.0.0.0"                            # where we listen
# port = 8443
"""

VTN_3 = """\
# OpenADR 3, instead of 2.0b (`openadr-ven init --protocol oadr2b` writes that table).
[oadr3]
url = "{url}"                         # https://host[:port]
base = "/openadr3/3.1.0"              # the path of the VTN's API
ven_name = "{ven_name}"
# What the VTN's operator gave us; without both the VTN is asked without a token, as public ones are.
client_id = "{client_id}"
client_secret_file = "client-secret"  # a file with nothing else in it, readable by us alone
scope = ""                            # what to ask for; empty: all that we may
# The authority that signed the VTN's certificate; without it, those that this machine trusts.
{trust_line}
# SHA-256 of the VTN's certificates, if it shall be no other. `openadr-ven fingerprint vtn.pem` shows it.
fingerprints = [{fingerprints}]
# If the VTN wants to see a certificate of ours (then tokens may be bound to it):
# certificate = "{certificate}"
# key = "{key}"
poll_interval_s = 10.0
poll_jitter = 0.1                     # up to this share of it is waited besides, so that VENs drift apart
timeout_s = 10.0                      # how long an answer is waited for
enrolment_retry_s = 5.0               # before we try again, where the VTN does not let us in
broker = true                         # listen to the VTN's MQTT broker, if it has one

# With this table the VTN tells us of changes by itself; we poll all the same, which may then be seldom.
# [oadr3.webhook]
# address = "https://ven.example:8443/hook"   # as the VTN reaches us
# certificate = "hook.pem"                    # one that the VTN trusts for that host
# key = "hook.key"
# host = "0.0.0.0"                            # where we listen
# port = 8443
"""


VTN_SEP2 = """\
# IEEE 2030.5, instead of OpenADR (`openadr-ven init --protocol oadr2b` or `oadr3` writes those tables).
[sep2]
url = "{url}"                         # https://host[:port]
dcap = "/dcap"                        # DeviceCapability: the one address that a client is told
csipaus = "1.2"                       # the Australian elements spoken there: none, 1.2 or 1.3
certificate = "{certificate}"         # ours: PEM, then its authorities without the root
key = "{key}"
trust = "{trust}"                     # the root (SERCA) of the server's certificate; several may stand in one file
# SHA-256 of the server's certificates, if it shall be no other; then its host name is not looked at.
fingerprints = [{fingerprints}]
profile = "sep2-strict"               # CCM-8 alone; sep2-compat: AES-GCM too
# pin = 111115                        # what the utility told us; a server that says another one is not followed
# pen = 28547                         # our Private Enterprise Number, which mRIDs that we make end in
post_rate_s = 300                     # how often we would post readings; the server's word counts
in_band = false                       # register ourselves where the server does not know us yet
# devices = "devices.csv"             # lfdi,name: devices that we answer for, and what of the fleet they are
poll_jitter = 0.1                     # up to this share of the server's poll rate is waited besides
timeout_s = 10.0                      # how long an answer is waited for
enrolment_retry_s = 60.0              # before we try again, where the server does not know us

# With this table the server tells us of changes by itself; polls go on as it says.
# [sep2.notifications]
# address = "https://ven.example:8443/told"   # as the server reaches us; a secret of ours is added
# host = "0.0.0.0"                            # where we listen, with the certificate above
# port = 8443
"""

TABLES = {"oadr2b": VTN_2_0B, "oadr3": VTN_3, "sep2": VTN_SEP2}
NEEDED = {
    "oadr2b": "the certificate, its key and the VTN's authority",
    "oadr3": "client-secret, readable by you alone,",
    "sep2": "the certificate, its key and the server's root",
}


@click.command(short_help="Write settings that say what they mean.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--protocol",
    type=click.Choice(list(TABLES)),
    default="oadr2b",
    show_default=True,
    help="What we speak with the VTN.",
)
@click.option("--vtn-url", default="https://localhost:8443", show_default=True, help="Where the VTN is.")
@click.option(
    "--vtn-fingerprint", "fingerprints", multiple=True, help="SHA-256 of a certificate of the VTN's; repeat for more."
)
@click.option("--certificate", default="ven.pem", show_default=True, help="Our certificate (PEM).")
@click.option("--key", default="ven.key", show_default=True, help="Its key.")
@click.option(
    "--trust",
    default="ca.pem",
    show_default=True,
    help="The authority of the VTN's certificate; with oadr3 empty for those that this machine trusts.",
)
@click.option("--name", "ven_name", default="my-ven", show_default=True, help="What the VTN shall call us.")
@click.option("--client-id", help="With oadr3: the clientID that the VTN's operator gave us, if it is not the name.")
@click.option(
    "--market-context", default="http://example.org/programs/relief", show_default=True, help="Of the first program."
)
def init(
    folder: Path,
    *,
    protocol: str,
    vtn_url: str,
    fingerprints: tuple[str, ...],
    certificate: str,
    key: str,
    trust: str,
    ven_name: str,
    client_id: str | None,
    market_context: str,
) -> None:
    """Write FOLDER/ven.toml: settings with cautious values, and what each of them means.

    Paths of certificates, keys and authorities count from FOLDER.
    """
    path = folder / "ven.toml"
    if path.exists():
        raise ConfigError(f"{path} is there already; nothing was changed")
    folder.mkdir(parents=True, exist_ok=True)
    table = TABLES[protocol].format(
        url=vtn_url,
        fingerprints=", ".join(f'"{one}"' for one in fingerprints),
        certificate=certificate,
        key=key,
        trust=trust,
        trust_line=f'trust = "{trust}"' if trust else '# trust = "ca.pem"',
        ven_name=ven_name,
        client_id=client_id or ven_name,
    )
    path.write_text(
        TEMPLATE.format(
            vtn=table,
            market_context=market_context,
            envelope=_envelope_text(),
            policies=", ".join(POLICIES),
            policy=DEFAULT_POLICY,
        )
    )
    click.echo(f"{path} written.")
    click.echo(f"Next: put {NEEDED[protocol]} beside it,")
    click.echo(f"then `openadr-ven fleet load FILE --config {path}` and `openadr-ven check --config {path}`.")


def _envelope_text() -> str:
    """Each limit with its cautious value and what it means."""
    lines = []
    for name, meaning in EXPLANATIONS.items():
        lines.append(f"# {meaning}")
        value = getattr(CAUTIOUS, name)
        if value is None:
            lines.append(f"# {name} =")
        elif isinstance(value, int | float):
            lines.append(f"{name} = {value}")
        else:
            lines.append(f'{name} = "{value.value}"')
    return "\n".join(lines)
