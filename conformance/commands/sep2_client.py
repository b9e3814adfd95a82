"""``run ieee2030_5-client``: judge a client of IEEE 2030.5 that comes to the harness as to its utility's server."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from conformance.client.address import Address, peer_shown_by
from conformance.client.line import Carrier, Line
from conformance.client.steps import Identity
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import load_suite
from conformance.sep2.client_run import ClientTarget, run_suite
from conformance.sep2.script import Sep2Script
from conformance.server.certificates import foreign_twin
from conformance.server.listening import listening_at
from conformance.server.steps import Shown
from conformance.ven.run import Patience
from openadr_core.shell.tls import Chain, server_context

POWER_MOST_W = 10**9


@click.command()
@click.option("--listen", default="127.0.0.1:8446", show_default=True, metavar="HOST:PORT", help="Where it comes.")
@click.option("--certificate", required=True, type=READ, help="PEM chain of the harness as a server, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--trust", required=True, type=READ, help="PEM roots that the client's certificate must come from.")
@click.option("--client-certificate", required=True, type=READ, help="The client's own, PEM: its LFDI follows from it.")
@click.option("--profile", type=click.Choice(["sep2-strict", "sep2-compat"]), default="sep2-strict", show_default=True,
              help="CCM-8 alone, or AES-GCM too.")  # fmt: skip
@click.option("--pin", default="", help="The PIN that the client was told, if it was.")
@click.option(
    "--power-w",
    type=click.IntRange(0, POWER_MOST_W),
    default=0,
    metavar="W",
    help="What its devices can give, and the meter that it mirrors shows.",
)
@click.option("--nmi", default="", help="Its connection point (CSIP-AUS), if it was told one.")
@click.option("--subscribes", is_flag=True, help="It subscribes to what can be subscribed to, and can be reached.")
@click.option("--in-band", is_flag=True, help="It registers where the server does not know it yet.")
@click.option("--managed", multiple=True, metavar="LFDI", help="A device that it answers for; two are enough.")
@click.option("--connect-s", default=300.0, show_default=True, help="Wait so long for the client to come.")
@click.option("--patience-s", default=30.0, show_default=True, help="Wait so long for what it does by itself.")
@reporting_options
def run_sep2_client(
    *,
    listen: str,
    certificate: Path,
    key: Path,
    trust: Path,
    client_certificate: Path,
    profile: Any,
    pin: str,
    power_w: int,
    nmi: str,
    subscribes: bool,
    in_band: bool,
    managed: tuple[str, ...],
    connect_s: float,
    patience_s: float,
    reporting: Reporting,
) -> None:
    """Run the procedures that try a client of IEEE 2030.5, as CSIP and CSIP-AUS want it.

    The harness is its utility's server: point the client at https://HOST:PORT/entry, its DeviceCapability, and start
    it when the harness says so. The server's clock is ahead of everybody's. Exit status: 0 if all was as expected, 1 if
    something was not (an expected failure that passed counts too), 2 for wrong usage.

    Controls in these procedures are real to the client: run this with devices that may be switched.
    """
    suite = load_suite("ieee2030_5-client")
    reporting.check(suite)
    own = Chain(certificate=certificate, key=key)
    patience = Patience(connect_s=connect_s, answer_s=patience_s)
    target = ClientTarget(
        peer=peer_shown_by(client_certificate), pin=pin, nmi=nmi, power_w=power_w,
        subscribes=subscribes, in_band=in_band, managed=managed, patience=patience,
    )  # fmt: skip
    script = Sep2Script()
    with tempfile.TemporaryDirectory() as folder:
        twin = foreign_twin(own, Path(folder))
        shown = {Shown.GOOD: own, Shown.FOREIGN: twin}
        contexts = {(kind, False): server_context(profile, [chain], [trust]) for kind, chain in shown.items()}
    stage = listening_at(listen, option="--listen", contexts=contexts, script=script, speaker="the client")
    url = f"{stage.origin}/entry"

    def reach(origin: str) -> Carrier:
        shown = {Identity.ENROLLED: own}
        return Line(
            Address(url=origin, trust=trust, certificates=shown, profile=profile, is_named=False), Identity.ENROLLED
        )

    click.echo(f"Listening at {url}", err=True)
    try:
        status = reporting.report(suite, url, run_suite(suite, target, script, stage, reach=reach, only=reporting.only))
    finally:
        stage.close()
    sys.exit(status)
