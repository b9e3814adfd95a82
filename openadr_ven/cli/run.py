"""``run``, ``check`` and ``fingerprint``."""

import hashlib
import logging
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.errors import ConfigError
from openadr_core.identity import peer_of
from openadr_core.limits import CERTIFICATE_WARNING_DAYS
from openadr_core.shell.garbage import look_seldom
from openadr_core.shell.logs import configure_logs
from openadr_ven.cli.looping import run_async
from openadr_ven.settings import Settings, load

DEFAULT_CONFIG = Path("ven.toml")

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    envvar="OPENADR_VEN_CONFIG",
    show_default=True,
    help="The settings, as `openadr-ven init` writes them.",
)


@click.command(short_help="Run the agent until it is told to stop.")
@config_option
@click.option("--check", "only_check", is_flag=True, help="Try the settings and everything they name, and stop.")
def run(config: Path, *, only_check: bool) -> None:
    """Run the agent until it is told to stop (Ctrl-C or SIGTERM).

    When it stops, or is killed, devices go on for as long as their lease lasts (agent.lease_s) and then
    return to what they do by themselves. Started again, the agent goes on where it was.
    """
    look_seldom()
    from openadr_ven import bootstrap  # noqa: PLC0415  # two seconds of imports that other commands do not need

    settings = load(config)
    if only_check:
        _check(settings)
        return
    configure_logs(level=settings.log.level, human=settings.log.format == "console")
    for chatty in ("apscheduler", "httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line a second each, that says nothing new
    run_async(bootstrap.run(settings))


@click.command(short_help="Try the settings and all that they name.")
@config_option
def check(config: Path) -> None:
    """Try the settings, the certificates, the fleet and the store, and name what is wrong."""
    _check(load(config))


@click.command(short_help="Show the fingerprints of a certificate (PEM).")
@click.argument("certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def fingerprint(certificate: Path) -> None:
    """Show the fingerprints of a certificate (PEM).

    Give the VTN's SHA-256 to `vtn.fingerprints`, and the utility yours: they enrol you by it.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        raise ConfigError(f"{certificate}: no PEM certificate") from None
    der = found.public_bytes(Encoding.DER)
    peer = peer_of(der)
    click.echo(f"SHA-256          {hashlib.sha256(der).hexdigest()}")
    click.echo(f"OpenADR 2.0b     {peer.fingerprint_20b}")
    click.echo(f"LFDI             {peer.lfdi}")
    click.echo(f"Subject          {found.subject.rfc4514_string()}")
    click.echo(f"Valid until      {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC{_left(found.not_valid_after_utc)}")


def _left(end: datetime) -> str:
    """A word about an end that is near (OpenADR 2.0b 10.4)."""
    days = (end - datetime.now(UTC)).days
    if days >= CERTIFICATE_WARNING_DAYS:
        return ""
    return f"  (in {days} days: renew it)" if days >= 0 else "  (ended: it is good for nothing)"


def _check(settings: Settings) -> None:
    from openadr_ven import bootstrap  # noqa: PLC0415  # as above

    async def try_everything() -> str:
        async with AsyncExitStack() as parts:
            ven = await bootstrap.build(settings, parts)
            link = ven.speaking.link
            reached = f"which comes to {link.pushed_at}" if link.pushed_at else "polled"
            return f"{ven.agent.seen.fleet.size} devices, VTN {link.vtn} by {link.protocol}, {reached}"

    click.echo(f"good: {run_async(try_everything())}, store {settings.store.split('@')[-1]}")
