"""``run openadr20b-vtn``: judge a VTN at its URL."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from conformance import hook
from conformance.client.address import Address
from conformance.client.sealing import Sealing
from conformance.client.steps import Identity
from conformance.commands.chains import chain_named
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import Suite, load_suite
from conformance.schema import schema_fault
from conformance.server.certificates import contexts, foreign_twin
from conformance.server.listening import listening_at
from conformance.server.steps import Shown
from conformance.vtn.foreign import foreign_chain
from conformance.vtn.pushed_ven import PushedVen
from conformance.vtn.run import SERVED_AS, Pushing, run_suite
from conformance.vtn.target import Target
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
@click.option("--preconfigured-ven-id", default="", help="The venID that the VTN was told beforehand, if it was.")
@click.option(
    "--resource", "resources", multiple=True, help="A resource of the party's, by its ID; may be given again."
)
@click.option("--group", default="", help="A groupID of the party's that the second party is not in.")
@click.option("--shared-group", default="", help="A groupID of both parties'.")
@click.option("--party-id", default="", help="The partyID of the party.")
@click.option("--push-listen", default="", metavar="HOST:PORT", help="Where to be a VEN that the VTN pushes to.")
@click.option("--push-address", default="", metavar="URL", help="How the VTN reaches that, if not by --push-listen.")
@click.option("--signatures", is_flag=True, help="The VTN signs what it pushes at a VEN that signs.")
@click.option("--server-name", default="", help="Name in the VTN's certificate, if it is not the URL's host.")
@click.option("--ven-name", default="conformance", show_default=True, help="Name to register under.")
@click.option("--operator-hook", default="", metavar="CMD", help="Shell command that asks the VTN's operator (below).")
@click.option("--timeout-s", default=10.0, show_default=True, help="Give up on an answer after so long.")
@click.option("--patience-s", default=20.0, show_default=True, help="Wait so long for what the VTN pushes.")
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@reporting_options
def run_vtn(*, reporting: Reporting, **options: Any) -> None:
    """Run the procedures that try a VTN of OpenADR 2.0b.

    The harness is its VEN, over mutual TLS: one that polls and, with --push-listen, one that is pushed to. Then the
    enrolled party's certificate is that of a server too, with the address in it. Prints one line per procedure as it
    ends, and what was expected and found wherever the two differ. The exit status is 0 if all was as expected, 1 if
    something was not (an expected failure that passed counts too, and so does a procedure that could not run), 2 for
    wrong usage.

    Some procedures send what an attacker sends, and some peers do not survive it: run this against a test system.
    """
    suite = load_suite("openadr20b-vtn")
    reporting.check(suite)
    given = Given(**options)
    with tempfile.TemporaryDirectory() as folder:
        target = given.target(Path(folder))
        with given.pushing(target, suite, Path(folder)) as pushing:
            outcomes = run_suite(suite, target, schema_fault, only=reporting.only, pushing=pushing)
            status = reporting.report(suite, given.url, outcomes)
    sys.exit(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options above, by their names."""

    url: str
    certificate: Path
    key: Path
    trust: Path
    other_certificate: Path | None
    other_key: Path | None
    pending_certificate: Path | None
    pending_key: Path | None
    expired_certificate: Path | None
    expired_key: Path | None
    preconfigured_ven_id: str
    resources: tuple[str, ...]
    group: str
    shared_group: str
    party_id: str
    push_listen: str
    push_address: str
    signatures: bool
    server_name: str
    ven_name: str
    operator_hook: str
    timeout_s: float
    patience_s: float
    latency_s: float

    def target(self, folder: Path) -> Target:
        """``folder`` takes the certificates that the harness makes for itself."""
        address = self.push_address or (f"https://{self.push_listen}/" if self.push_listen else "")
        return Target(
            url=self.url,
            trust=self.trust,
            certificates={
                Identity.ENROLLED: Chain(certificate=self.certificate, key=self.key),
                **_pair(Identity.OTHER, self.other_certificate, self.other_key),
                **_pair(Identity.PENDING, self.pending_certificate, self.pending_key),
                **_pair(Identity.EXPIRED, self.expired_certificate, self.expired_key),
                Identity.FOREIGN: foreign_chain(folder),
            },
            ven_name=self.ven_name,
            server_name=self.server_name,
            timeout_s=self.timeout_s,
            latency_s=self.latency_s,
            hook=self.operator_hook,
            push_address=address,
            given=frozenset({"signatures"} if self.signatures else ()).union(_options(self.prepared)),
            patience_s=self.patience_s,
            prepared=self.prepared,
        )

    @property
    def prepared(self) -> dict[str, str]:
        """What was agreed on with the VTN's operator, by variable."""
        said = {
            "preconfigured_ven_id": self.preconfigured_ven_id,
            "resource": self.resources[0] if self.resources else "",
            "other_resource": self.resources[-1] if self.resources else "",
            "group": self.group,
            "shared_group": self.shared_group,
            "party_id": self.party_id,
        }
        return {name: text for name, text in said.items() if text}

    @contextmanager
    def pushing(self, target: Target, suite: Suite, folder: Path) -> Iterator[Pushing | None]:
        """The harness as a VEN's server, while the procedures run; None if it is to be none."""
        if not self.push_listen:
            yield None
            return
        certificates = target.certificates
        twin = foreign_twin(certificates[Identity.ENROLLED], folder, "twin")
        shown = {shown: [certificates[identity]] for shown, identity in SERVED_AS.items() if identity in certificates}
        prefix = Address(url=target.push_address, trust=self.trust).prefix
        sealing = Sealing(certificates[Identity.ENROLLED], another=twin)
        ven = PushedVen(messages=suite.messages, schema_fault=schema_fault, prefix=prefix, sealing=sealing)
        stage = listening_at(
            self.push_listen,
            option="--push-listen",
            contexts=contexts({**shown, Shown.FOREIGN: [twin]}, self.trust),
            script=ven,
            speaker="the VTN",
        )
        try:
            yield Pushing(ven=ven, stage=stage)
        finally:
            stage.close()


def _options(variables: Iterable[str]) -> Iterator[str]:
    return (name.replace("_", "-") for name in variables)


def _pair(identity: Identity, certificate: Path | None, key: Path | None) -> dict[Identity, Chain]:
    chain = chain_named(identity, certificate, key)
    return {} if chain is None else {identity: chain}
