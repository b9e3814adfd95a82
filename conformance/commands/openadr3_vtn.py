"""``run openadr3-vtn``: judge a VTN of OpenADR 3.1 at the base of its API."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conformance.api.receiver import Callback, Receiver
from conformance.api.run import run_suite
from conformance.api.steps import Who
from conformance.api.target import ApiTarget, Client
from conformance.client.steps import Identity
from conformance.commands.reporting import READ, Reporting, reporting_options
from conformance.loading import load_suite, without_extensions
from conformance.server.listening import listening_at
from conformance.server.steps import Shown
from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain, server_context

_CLIENTS = {Who.BUSINESS: "business logic", Who.VEN: "a VEN", Who.OTHER: "a second VEN"}


def _client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for who, words in reversed(_CLIENTS.items()):
        secret, token = f"CONFORMANCE_{who.upper()}_SECRET", f"CONFORMANCE_{who.upper()}_TOKEN"
        for option in (
            click.option(f"--{who}-token", envvar=token, default="", help=f"A token instead. Better in ${token}."),
            click.option(f"--{who}-secret", envvar=secret, default="", help=f"Its secret. Better in ${secret}."),
            click.option(f"--{who}-client", default="", metavar="ID", help=f"The clientID of {words}."),
        ):
            command = option(command)
    return command


@click.command()
@click.option("--url", required=True, help="Base of the API: https://host[:port]/openadr3/3.1.0")
@click.option("--trust", required=True, type=READ, help="PEM roots that the VTN's certificate must come from.")
@_client_options
@click.option("--token-url", default="", help="Where tokens are given, if /auth/server does not say.")
@click.option("--certificate", type=READ, help="PEM chain to show, leaf first, if the VTN wants one.")
@click.option("--key", type=READ, help="PEM key of --certificate.")
@click.option("--server-name", default="", help="Name in the VTN's certificate, if it is not the URL's host.")
@click.option("--former-base", default="", help="Path of OpenADR 3.0.1 on the same server: /openadr3/3.0.1")
@click.option("--callback-url", default="", help="https://host[:port] of the harness, as the VTN's webhooks reach it.")
@click.option("--callback-listen", default="127.0.0.1:8443", show_default=True, metavar="HOST:PORT", help="For it.")
@click.option("--callback-certificate", type=READ, help="PEM chain for it, leaf first, that the VTN trusts.")
@click.option("--callback-key", type=READ, help="PEM key of --callback-certificate.")
@click.option("--extensions", is_flag=True, help="Judge by what this project asks of itself beyond the standard, too.")
@click.option("--timeout-s", default=10.0, show_default=True, help="Give up on an answer after so long.")
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@reporting_options
def run_openadr3_vtn(
    *,
    url: str,
    trust: Path,
    token_url: str,
    certificate: Path | None,
    key: Path | None,
    server_name: str,
    former_base: str,
    callback_url: str,
    callback_listen: str,
    callback_certificate: Path | None,
    callback_key: Path | None,
    extensions: bool,
    timeout_s: float,
    latency_s: float,
    reporting: Reporting,
    **credentials: str,
) -> None:
    """Run the procedures that try a VTN of OpenADR 3.1.

    The harness is its business logic and two of its VENs, each a client of its own. Exit status: 0 if all was as
    expected, 1 if something was not (an expected failure that passed counts too, and so does a procedure that could
    not run), 2 for wrong usage.

    What the harness creates it removes again, but vens of the two VEN clients that were there before it removes as
    well, and some requests are an attacker's: run this against a test system, with clients made for it.
    """
    if (certificate is None) != (key is None):
        raise ConfigError("--certificate and --key go together")
    full = load_suite("openadr3-vtn")
    suite = full if extensions else without_extensions(full)
    reporting.check(suite)
    with contextlib.ExitStack() as open_parts:
        target = ApiTarget(
            url=url,
            trust=trust,
            certificates={Identity.ENROLLED: Chain(certificate=certificate, key=key)} if certificate and key else {},
            clients={who: client for who in _CLIENTS if (client := _client(who, credentials))},
            token_url=token_url,
            server_name=server_name,
            timeout_s=timeout_s,
            latency_s=latency_s,
            former_base=former_base.rstrip("/"),
            callback=_callback(callback_url, callback_listen, callback_certificate, callback_key, open_parts),
        )
        status = reporting.report(suite, url, run_suite(suite, target, only=reporting.only))
    sys.exit(status)


def _callback(
    url: str, listen: str, certificate: Path | None, key: Path | None, open_parts: contextlib.ExitStack
) -> Callback | None:
    """The harness as a receiver; None if the tester has arranged for none."""
    if not url and certificate is None and key is None:
        return None
    if not url or certificate is None or key is None:
        raise ConfigError("--callback-url, --callback-certificate and --callback-key go together")
    receiver, context = Receiver(), server_context("oadr3", [Chain(certificate=certificate, key=key)], [], "none")
    contexts = {(Shown.GOOD, False): context}
    stage = listening_at(listen, option="--callback-listen", contexts=contexts, script=receiver, speaker="the VTN")
    open_parts.callback(stage.close)
    return Callback(url=url, receiver=receiver, stage=stage)


def _client(who: Who, credentials: dict[str, str]) -> Client | None:
    client_id, secret, token = (credentials[f"{who}_{part}"] for part in ("client", "secret", "token"))
    if not client_id and not secret and not token:
        return None
    if not client_id or bool(secret) == bool(token):
        raise ConfigError(f"--{who}-client goes with either --{who}-secret or --{who}-token")
    return Client(id=client_id, secret=secret, token=token)
