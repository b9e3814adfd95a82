"""`openadr-vtn party`: who knocked, and who is let in."""

from datetime import UTC, datetime
from pathlib import Path

import click

from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table


@click.group(cls=PlainGroup)
def party() -> None:
    """Parties: VENs, by their certificates.

    A VEN with a certificate of a trusted authority is written down as pending when it first connects,
    and refused until you approve it. Compare the fingerprint with the one that its owner tells you.
    A PARTY is named by its name, its id or its fingerprint.
    """


@party.command("list")
@click.option("--state", type=click.Choice(["pending", "approved", "refused"]), help="Only these.")
@json_option
@operator_option
def list_parties(api: OperatorApi, state: str | None, *, as_json: bool) -> None:
    """List parties, those that wait for you first."""
    parties = api.admin("parties", **({"state": state} if state else {}))
    if as_json:
        show_json(parties)
        return
    show_table(
        ["NAME", "STATE", "FINGERPRINT", "REGISTERED", "LAST SEEN", "REPORTS", "TARGETS", "ID"],
        [
            [
                one["name"], one["state"], one["certificates"][-1]["fingerprint"] if one["certificates"] else None,
                clock_text(one["registered_at"]), _ago(one["last_seen_at"]), _reports(one),
                " ".join(one["targets"]) or None, one["id"],
            ]
            for one in parties
        ],
        empty="No party has knocked yet.",
    )  # fmt: skip


@party.command()
@click.argument("named", metavar="PARTY")
@click.option("--name", help="Call it this from now on.")
@click.option("--target", "targets", multiple=True, help="A name that events address it by; repeat for more.")
@operator_option
def approve(api: OperatorApi, named: str, name: str | None, targets: tuple[str, ...]) -> None:
    """Let a party in.

    Examples:
      openadr-vtn party approve ven-1
      openadr-vtn party approve 1F:2A:88:09:C3:55:E0:41:77:D6 --name acme-fleet --target feeder-7
    """
    wish = {**({"name": name} if name else {}), **({"targets": list(targets)} if targets else {})}
    approved = api.command(f"parties/{named}/approve", wish)
    click.echo(f"{approved['name']} is approved (id {approved['id']}).")


@party.command()
@click.argument("named", metavar="PARTY")
@click.option("--reason", default="", help="For the audit trail.")
@operator_option
def refuse(api: OperatorApi, named: str, reason: str) -> None:
    """Shut a party out, at once. Its registration ends."""
    refused = api.command(f"parties/{named}/refuse", {"reason": reason})
    click.echo(f"{refused['name']} is refused.")


@party.command("replace-certificate")
@click.argument("named", metavar="PARTY")
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keep", is_flag=True, help="Let the certificate that it has now count too, while it changes over.")
@operator_option
def replace_certificate(api: OperatorApi, named: str, certificate: Path, *, keep: bool) -> None:
    """Give a party another certificate (a PEM file)."""
    wish = {"certificate": certificate.read_text(encoding="utf-8"), "keep": keep}
    party = api.command(f"parties/{named}/replace-certificate", wish)
    click.echo(f"{party['name']} is now known by {party['certificates'][-1]['fingerprint']}.")


def _ago(moment: str | None) -> str:
    if moment is None:
        return "never"
    seconds = max(0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    return f"{seconds:.0f} s ago" if seconds < 120 else str(clock_text(moment))


def _reports(party: dict[str, int]) -> str | None:
    if not party["reports"]:
        return None
    late_s = party["report_late_by_s"]
    return f"late by {late_s} s" if late_s else "in time"
