"""``run ieee2030_5-server``: judge a server of IEEE 2030.5 at its entry point."""

import contextlib
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from conformance.client.steps import Identity
from conformance.commands.chains import chain_named
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import load_suite
from conformance.sep2.hearing import Receiver, Subscriber
from conformance.sep2.run import run_suite
from conformance.sep2.target import Sep2Target
from conformance.server.listening import listening_at
from conformance.server.steps import Shown
from openadr_core.errors import ConfigError
from openadr_core.pki import Authority
from openadr_core.shell.tls import Chain, server_context

_SHOWN = {
    Identity.OTHER: "A second device that the server knows",
    Identity.AGGREGATOR: "An aggregator that may register devices whose LFDI ends in --pen",
    Identity.PENDING: "A certificate of a trusted root that the server does not know",
}
PEN_DIGITS = 8


def _shown_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for identity, words in reversed(_SHOWN.items()):
        for option in (
            click.option(f"--{identity}-key", type=READ, help=f"PEM key of --{identity}-certificate."),
            click.option(f"--{identity}-certificate", type=READ, help=f"{words}: PEM chain, leaf first."),
        ):
            command = option(command)
    return command


@click.command()
@click.option("--url", required=True, help="The server's entry point: https://host[:port]/dcap")
@click.option("--certificate", required=True, type=READ, help="The device's PEM chain, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--trust", required=True, type=READ, help="PEM roots that the server's certificate must come from.")
@_shown_options
@click.option("--authority-certificate", type=READ, help="A laboratory's root (SERCA) that the server trusts, PEM.")
@click.option("--authority-key", type=READ, help="Its key: the harness makes certificates of odd forms with it.")
@click.option("--profile", type=click.Choice(["sep2-strict", "sep2-compat"]), default="sep2-strict", show_default=True,
              help="CCM-8 alone, or AES-GCM too.")  # fmt: skip
@click.option("--server-name", default="", help="Name in the server's certificate, if it is not the URL's host.")
@click.option(
    "--operator-hook", default="", metavar="COMMAND", help="Asks the server's operator: see docs/conformance.md."
)
@click.option("--pin", default="", help="The device's PIN, as its operator was told.")
@click.option("--pen", default="00000000", show_default=True, help="Private Enterprise Number, of the harness.")
@click.option("--notification-uri", default="", help="An address of the harness that the server may tell of changes.")
@click.option("--notification-listen", default="127.0.0.1:8443", show_default=True, metavar="HOST:PORT", help="For it.")
@click.option("--notification-certificate", type=READ, help="PEM chain for it, if it is not the device's own.")
@click.option("--notification-key", type=READ, help="PEM key of --notification-certificate.")
@click.option("--patience-s", default=30.0, show_default=True, help="Wait so long to be told of a change.")
@click.option("--operator-s", default=5.0, show_default=True, help="What the operator takes for each thing, at most.")
@click.option("--timeout-s", default=10.0, show_default=True, help="Give up on an answer after so long.")
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@reporting_options
def run_sep2_server(  # an option each
    *,
    url: str,
    certificate: Path,
    key: Path,
    trust: Path,
    authority_certificate: Path | None,
    authority_key: Path | None,
    profile: Any,
    server_name: str,
    operator_hook: str,
    pin: str,
    pen: str,
    notification_uri: str,
    notification_listen: str,
    notification_certificate: Path | None,
    notification_key: Path | None,
    patience_s: float,
    operator_s: float,
    timeout_s: float,
    latency_s: float,
    reporting: Reporting,
    **others: Path | None,
) -> None:
    """Run the procedures that try a server of IEEE 2030.5, as CSIP and CSIP-AUS want it.

    The harness is a device that the server's operator has registered and put into a group with a DERProgram; with
    other certificates it is a second device, and a stranger. It follows links from --url. Exit status: 0 if all was as
    expected, 1 if something was not (an expected failure that passed counts too, and so does a procedure that could
    not run), 2 for wrong usage.

    It writes what a device writes, and has controls made for its group: run this against a test system.
    """
    if len(pen) != PEN_DIGITS or not pen.isdecimal():
        raise ConfigError(f"--pen: {PEN_DIGITS} digits, not {pen!r}")
    suite = load_suite("ieee2030_5-server")
    reporting.check(suite)
    own = Chain(certificate=certificate, key=key)
    told = chain_named("notification", notification_certificate, notification_key) or own
    with contextlib.ExitStack() as open_parts:
        target = Sep2Target(
            url=url,
            trust=trust,
            certificates={Identity.ENROLLED: own, **dict(_chains(others))},
            server_name=server_name,
            timeout_s=timeout_s,
            profile=profile,
            authority=_authority(authority_certificate, authority_key),
            hook=operator_hook,
            pin=pin,
            pen=pen,
            notification_uri=notification_uri,
            subscriber=_subscriber(
                notification_listen, server_context(profile, [told], [trust]), patience_s, open_parts
            )
            if notification_uri
            else None,
            operator_s=operator_s,
            latency_s=latency_s,
        )
        status = reporting.report(suite, url, run_suite(suite, target, only=reporting.only))
    sys.exit(status)


def _authority(certificate: Path | None, key: Path | None) -> Authority | None:
    pair = chain_named("authority", certificate, key)
    if pair is None:
        return None
    return Authority(certificate_pem=pair.certificate.read_bytes(), key_pem=pair.key.read_bytes())


def _subscriber(
    listen: str, context: ssl.SSLContext, patience_s: float, open_parts: contextlib.ExitStack
) -> Subscriber:
    receiver, contexts = Receiver(), {(Shown.GOOD, False): context}
    stage = listening_at(
        listen, option="--notification-listen", contexts=contexts, script=receiver, speaker="the server"
    )
    open_parts.callback(stage.close)
    return Subscriber(receiver=receiver, stage=stage, patience_s=patience_s)


def _chains(others: Mapping[str, Path | None]) -> Iterator[tuple[Identity, Chain]]:
    for identity in _SHOWN:
        pair = chain_named(identity, others[f"{identity}_certificate"], others[f"{identity}_key"])
        if pair is not None:
            yield identity, pair
