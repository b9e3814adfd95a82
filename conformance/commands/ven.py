"""``run openadr20b-ven``: judge a VEN, which comes to the harness as to its VTN."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from conformance import hook
from conformance.client.address import Address
from conformance.client.line import Line
from conformance.client.sealing import Sealing
from conformance.client.sender import Sender
from conformance.client.steps import Identity
from conformance.commands.chains import chain_named
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.commands.vtn import HOOK_HELP
from conformance.loading import load_suite
from conformance.schema import schema_fault
from conformance.server.certificates import contexts, foreign_twin
from conformance.server.listening import Listening, listening_at
from conformance.server.steps import Shown
from conformance.ven.run import Patience, VenTarget, report_variables, run_suite
from conformance.ven.script import Identifiers, Script
from conformance.ven.steps import Transport
from openadr_core.shell.tls import Chain

SHOWN_AS = {Shown.GOOD: Identity.ENROLLED, Shown.FOREIGN: Identity.FOREIGN, Shown.EXPIRED: Identity.EXPIRED}
"""The harness's certificates as a server, shown to the VEN's server."""


@click.command(epilog=HOOK_HELP)
@click.option("--listen", default="0.0.0.0:8443", show_default=True, metavar="HOST:PORT", help="Where to be a VTN.")
@click.option("--certificate", required=True, type=READ, help="PEM chain of the VTN that the harness is, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--rsa-certificate", type=READ, help="The same with an RSA key, beside one with an ECC key.")
@click.option("--rsa-key", type=READ, help="PEM key of --rsa-certificate.")
@click.option("--expired-certificate", type=READ, help="PEM chain of the same name whose time is over.")
@click.option("--expired-key", type=READ, help="PEM key of --expired-certificate.")
@click.option("--trust", required=True, type=READ, help="PEM roots that the VEN's certificate must come from.")
@click.option("--vtn-id", default="TH_VTN", show_default=True, help="What the harness calls itself.")
@click.option("--ven-id", default="Ven-Conformance", show_default=True, help="What it calls the VEN.")
@click.option(
    "--transport", type=click.Choice([str(one) for one in Transport]), default="pull", help="How the VEN registers."
)
@click.option("--market-context", default="http://MarketContext1", show_default=True, help="One the VEN takes part in.")
@click.option("--resource", "resources", multiple=True, help="A resource of the VEN's, by its ID; may be given again.")
@click.option("--poll-s", default=1, show_default=True, help="The poll interval to ask the VEN for.")
@click.option("--granularity-s", default=1, show_default=True, help="Of the reports to ask for: what the VEN offers.")
@click.option("--report-back-s", default=2, show_default=True, help="How often to have them; longer than that.")
@click.option("--preconfigured-ven-id", default="", help="The venID that the VEN was given beforehand, if it was.")
@click.option("--signatures", is_flag=True, help="The VEN signs, and wants signatures of its VTN.")
@click.option("--operator-hook", default="", metavar="CMD", help="Shell command that asks the VEN's operator (below).")
@click.option("--connect-s", default=300.0, show_default=True, help="Wait so long for the VEN to register.")
@click.option(
    "--patience-s", default=20.0, show_default=True, help="Wait so long for anything else that it should say."
)
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@reporting_options
def run_ven(*, reporting: Reporting, **options: Any) -> None:
    """Run the procedures that try a VEN of OpenADR 2.0b.

    The harness is its VTN: it listens, and waits for the VEN to come. Point the VEN at it, let it poll as often as it
    can (once a second is good), and start it when the harness says so. Then the harness tells it events and asks it
    for reports, says wrong things now and then, and judges what the VEN says. That takes a few minutes.

    Prints one line per procedure as it ends, and what was expected and found wherever the two differ. The exit status
    is 0 if all was as expected, 1 if something was not (an expected failure that passed counts too, and so does a
    procedure that could not run), 2 for wrong usage.

    Events in these procedures are real to the VEN: run this with devices that may be switched.
    """
    suite = load_suite("openadr20b-ven")
    reporting.check(suite)
    given = Given(**options)
    with tempfile.TemporaryDirectory() as folder:
        shown = given.shown(Path(folder))
        script = Script(
            ids=given.ids,
            messages=suite.messages,
            schema_fault=schema_fault,
            sealing=Sealing(shown[Shown.GOOD][0], another=shown[Shown.FOREIGN][0]),
        )
        stage = given.listening(script, shown)
        url = stage.origin
        _tell(f"Listening at {url}/OpenADR2/Simple/2.0b/ as {given.vtn_id}.")
        try:
            outcomes = run_suite(suite, given.target(shown), script, stage, schema_fault, only=reporting.only)
            status = reporting.report(suite, url, outcomes)
        finally:
            stage.close()
    sys.exit(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options above, by their names."""

    listen: str
    certificate: Path
    key: Path
    rsa_certificate: Path | None
    rsa_key: Path | None
    expired_certificate: Path | None
    expired_key: Path | None
    trust: Path
    vtn_id: str
    ven_id: str
    preconfigured_ven_id: str
    signatures: bool
    transport: str
    market_context: str
    resources: tuple[str, ...]
    poll_s: int
    granularity_s: int
    report_back_s: int
    operator_hook: str
    connect_s: float
    patience_s: float
    latency_s: float

    @property
    def ids(self) -> Identifiers:
        return Identifiers(
            vtn_id=self.vtn_id, ven_id=self.ven_id, market_context=self.market_context, poll_s=self.poll_s
        )

    def shown(self, folder: Path) -> dict[Shown, list[Chain]]:
        """The harness's certificates; ``folder`` takes the one that it makes for itself."""
        good = [Chain(certificate=self.certificate, key=self.key)]
        if rsa := chain_named("rsa", self.rsa_certificate, self.rsa_key):
            good.append(rsa)
        shown = {Shown.GOOD: good, Shown.FOREIGN: [foreign_twin(good[0], folder)]}
        if expired := chain_named("expired", self.expired_certificate, self.expired_key):
            shown[Shown.EXPIRED] = [expired]
        return shown

    def target(self, shown: Mapping[Shown, Sequence[Chain]]) -> VenTarget:
        certificates = {identity: shown[name][0] for name, identity in SHOWN_AS.items() if name in shown}

        def sender(url: str) -> Sender:
            base = url.rstrip("/").removesuffix("/OpenADR2/Simple/2.0b")
            return Sender(Address(url=base, trust=self.trust, certificates=certificates), Line)

        given = {
            "expired-certificate": self.expired_certificate is not None,
            "resource": bool(self.resources),
            "preconfigured-ven-id": bool(self.preconfigured_ven_id),
            "signatures": self.signatures,
        }
        variables = {
            "resource": self.resources[0] if self.resources else "",
            "other_resource": self.resources[-1] if self.resources else "",
            "preconfigured_ven_id": self.preconfigured_ven_id,
            **report_variables(self.granularity_s, self.report_back_s, self.patience_s),
        }
        return VenTarget(
            transport=Transport(self.transport),
            given=frozenset(name for name, there in given.items() if there),
            variables=variables,
            sender=sender,
            operate=partial(hook.run_hook, self.operator_hook) if self.operator_hook else None,
            patience=Patience(connect_s=self.connect_s, answer_s=self.patience_s),
            latency_s=self.latency_s,
        )

    def listening(self, script: Script, shown: Mapping[Shown, Sequence[Chain]]) -> Listening:
        return listening_at(
            self.listen, option="--listen", contexts=contexts(shown, self.trust), script=script, tell_tester=_tell
        )


def _tell(text: str) -> None:
    """For the tester, who may be piping the table elsewhere."""
    click.echo(text, err=True)
