"""``run openadr3-ven``: judge a VEN of OpenADR 3.1 that comes to the harness as to its VTN."""

import sys
from pathlib import Path

import click

from conformance.api.script import ApiScript
from conformance.api.ven_run import ApiVenTarget, run_suite
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import load_suite, without_extensions
from conformance.server.listening import listening_at
from conformance.server.steps import Shown
from conformance.ven.run import Patience
from openadr_core.shell.tls import Chain, server_context

BASE = "/openadr3/3.1.0"


@click.command()
@click.option("--listen", default="127.0.0.1:8445", show_default=True, metavar="HOST:PORT", help="Where the VEN comes.")
@click.option("--certificate", required=True, type=READ, help="PEM chain of the harness as a VTN, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--client-id", default="conformance", show_default=True, help="The VEN's clientID.")
@click.option("--client-secret", required=True, envvar="CONFORMANCE_CLIENT_SECRET", help="Its secret.")
@click.option(
    "--program", default="conformance", show_default=True, help="Name of a program that the VEN takes part in."
)
@click.option("--extensions", is_flag=True, help="Judge by what this project asks of itself beyond the standard, too.")
@click.option("--connect-s", default=300.0, show_default=True, help="Wait so long for the VEN to come.")
@click.option("--patience-s", default=20.0, show_default=True, help="Wait so long for what it does by itself.")
@reporting_options
def run_openadr3_ven(
    *,
    listen: str,
    certificate: Path,
    key: Path,
    client_id: str,
    client_secret: str,
    program: str,
    extensions: bool,
    connect_s: float,
    patience_s: float,
    reporting: Reporting,
) -> None:
    """Run the procedures that try a VEN of OpenADR 3.1.

    The harness is its VTN: point the VEN at it, let it poll as often as it can (once a second is good), and start it
    when the harness says so. Exit status: 0 if all was as expected, 1 if something was not (an expected failure that
    passed counts too), 2 for wrong usage.

    Events in these procedures are real to the VEN: run this with devices that may be switched.
    """
    full = load_suite("openadr3-ven")
    suite = full if extensions else without_extensions(full)
    reporting.check(suite)
    script = ApiScript(base=BASE, client_id=client_id, client_secret=client_secret)
    context = server_context("oadr3", [Chain(certificate=certificate, key=key)], [], "none")
    stage = listening_at(listen, option="--listen", contexts={(Shown.GOOD, False): context}, script=script)
    url = f"{stage.origin}{BASE}"
    click.echo(f"Listening at {url}", err=True)
    try:
        target = ApiVenTarget(program=program, patience=Patience(connect_s=connect_s, answer_s=patience_s))
        status = reporting.report(suite, url, run_suite(suite, target, script, stage, only=reporting.only))
    finally:
        stage.close()
    sys.exit(status)
