"""``run openadr20b-vtn``: judge a VTN at its URL."""

import sys
import tempfile
from pathlib import Path

import click

from conformance import hook
from conformance.client.steps import Identity
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import load_suite
from conformance.schema import schema_fault
from conformance.vtn.foreign import foreign_chain
from conformance.vtn.run import run_suite
from conformance.vtn.target import Target
from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain

HOOK_HELP = "\b\n" + (hook.__doc__ or "").replace("``", "").replace("\n\n", "\n\n\b\n")


@click.command(epilog=HOOK_HELP)
@click.option("--url", required=True, help="https://host[:port][/prefix] of the VTN.")
@click.option("--certificate", required=True, type=READ, help="PEM chain of an enrolled party, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--trust", required=True, type=READ, help="PEM roots that the VTN's certificate must come from.")
@click.option("--other-certificate", type=READ, help="PEM chain of a second enrolled party.")
@click.option("--other-key", type=READ, help="PEM key of --other-certificate.")
@click.option("--pending-certificate", type=READ, help="PEM chain from a trusted root, approved by nobody.")
@click.option("--pending-key", type=READ, help="PEM key of --pending-certificate.")
@click.option("--expired-certificate", type=READ, help="PEM chain from a trusted root that has expired.")
@click.option("--expired-key", type=READ, help="PEM key of --expired-certificate.")
@click.option("--server-name", default="", help="Name in the VTN's certificate, if it is not the URL's host.")
@click.option("--ven-name", default="conformance", show_default=True, help="Name to register under.")
@click.option("--operator-hook", default="", metavar="CMD", help="Shell command that asks the VTN's operator (below).")
@click.option("--timeout-s", default=10.0, show_default=True, help="Give up on an answer after so long.")
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@reporting_options
def run_vtn(
    *,
    url: str,
    certificate: Path,
    key: Path,
    trust: Path,
    other_certificate: Path | None,
    other_key: Path | None,
    pending_certificate: Path | None,
    pending_key: Path | None,
    expired_certificate: Path | None,
    expired_key: Path | None,
    server_name: str,
    ven_name: str,
    operator_hook: str,
    timeout_s: float,
    latency_s: float,
    reporting: Reporting,
) -> None:
    """Run the procedures that try a VTN of OpenADR 2.0b.

    The harness is its VEN, over mutual TLS. Prints one line per procedure as it ends, and what was expected and found
    wherever the two differ. The exit status is 0 if all was as expected, 1 if something was not (an expected failure
    that passed counts too, and so does a procedure that could not run), 2 for wrong usage.

    Some procedures send what an attacker sends, and some peers do not survive it: run this against a test system.
    """
    suite = load_suite("openadr20b-vtn")
    reporting.check(suite)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(
            url=url,
            trust=trust,
            certificates={
                Identity.ENROLLED: Chain(certificate=certificate, key=key),
                **_pair(Identity.OTHER, other_certificate, other_key),
                **_pair(Identity.PENDING, pending_certificate, pending_key),
                **_pair(Identity.EXPIRED, expired_certificate, expired_key),
                Identity.FOREIGN: foreign_chain(Path(folder)),
            },
            ven_name=ven_name,
            server_name=server_name,
            timeout_s=timeout_s,
            latency_s=latency_s,
            hook=operator_hook,
        )
        status = reporting.report(suite, url, run_suite(suite, target, schema_fault, only=reporting.only))
    sys.exit(status)


def _pair(identity: Identity, certificate: Path | None, key: Path | None) -> dict[Identity, Chain]:
    if (certificate is None) != (key is None):
        raise ConfigError(f"--{identity}-certificate and --{identity}-key go together")
    return {identity: Chain(certificate=certificate, key=key)} if certificate and key else {}
