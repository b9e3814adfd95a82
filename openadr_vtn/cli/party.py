"""`openadr-vtn party`: who knocked, and who is let in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from openadr_core.limits import CERTIFICATE_WARNING_DAYS
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
        ["NAME", "STATE", "FINGERPRINT", "REGISTERED", "BY", "LAST SEEN", "REPORTS", "TARGETS", "ID"],
        [
            [
                one["name"], one["state"], one["certificates"][-1]["fingerprint"] if one["certificates"] else None,
                clock_text(one["registered_at"]), _transport(one), _ago(one["last_seen_at"]), _reports(one),
                " ".join(one["targets"]) or None, one["id"],
            ]
            for one in parties
        ],
        empty="No party has knocked yet.",
    )  # fmt: skip


@party.command("show")
@click.argument("named", metavar="PARTY")
@json_option
@operator_option
def show_party(api: OperatorApi, named: str, *, as_json: bool) -> None:
    """Show one party, and what waits for it.

    Besides events, which `openadr-vtn event show` lists.
    """
    found = api.admin(f"parties/{named}")
    if as_json:
        show_json(found)
        return
    current = found["registration"]
    certificates = [f"{one['fingerprint']} ({_certificate_state(one)})" for one in found["certificates"]]
    for label, value in (
        ("name", found["name"]),
        ("venID", found["id"]),
        ("state", found["state"]),
        ("fingerprint", " ".join(certificates) or "(none)"),
        ("client", found["client_id"] or "(none: it does not speak OpenADR 3)"),
        ("targets", " ".join(found["targets"]) or "(none)"),
        ("resources", " ".join(_resource(one) for one in found["resources"]) or "(none)"),
        ("registered", clock_text(found["registered_at"]) or "no"),
        ("registrationID", current["id"] if current else "(none)"),
        ("signatures", found["signatures"] or "as vtn.toml says"),
        *_reached(found),
        ("last seen", _ago(found["last_seen_at"])),
    ):
        click.echo(f"{label:<16}{value}")
    show_table(
        ["WAITING", "SINCE", "LAST SENT", "TIMES", "READ"],
        [
            [
                one["kind"], clock_text(one["made_at"]), clock_text(one["sent_at"]), one["attempts"],
                clock_text(one["heard_at"]),
            ]
            for one in found["waiting"]
        ],
        empty="Nothing waits for it but events.",
    )  # fmt: skip


@party.command()
@click.argument("name")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its PEM file.")
@click.option("--sha256", help="Or the SHA-256 of its certificate, as `openadr-ven fingerprint` shows it.")
@click.option("--ven-id", help="The venID that was agreed on; one of ours if left out.")
@click.option("--target", "targets", multiple=True, help="A name that events address it by; repeat for more.")
@click.option("--poll-interval", type=click.IntRange(1, 86_400), metavar="SECONDS", help="What it is asked to keep.")
@click.option("--registration-id", help="If its registration was agreed on too: it may poll without registering.")
@operator_option
def preconfigure(
    api: OperatorApi,
    name: str,
    *,
    certificate: Path | None,
    sha256: str | None,
    ven_id: str | None,
    targets: tuple[str, ...],
    poll_interval: int | None,
    registration_id: str | None,
) -> None:
    """Let a party in before it ever connects.

    Example:
      openadr-vtn party preconfigure acme-fleet --certificate acme.pem --ven-id ACME_1 --target feeder-7
    """
    wish = {
        "name": name,
        "certificate": certificate.read_text(encoding="utf-8") if certificate else None,
        "sha256": sha256,
        "id": ven_id,
        "targets": list(targets),
        "poll_interval_s": poll_interval,
        "registration_id": registration_id,
    }
    made = api.command("parties", wish)
    click.echo(f"{made['name']} may come (id {made['id']}).")


@party.command("poll-interval")
@click.argument("named", metavar="PARTY")
@click.argument("seconds", type=click.IntRange(1, 86_400))
@operator_option
def poll_interval(api: OperatorApi, named: str, seconds: int) -> None:
    """Ask a party to poll this often.

    One that is registered is asked to register again, and is told then.
    """
    changed = api.command(f"parties/{named}/poll-interval", {"seconds": seconds})
    click.echo(f"{changed['name']} is asked to poll every {changed['poll_interval_s']} s.")


@party.command("enrolled-power")
@click.argument("named", metavar="PARTY")
@click.argument("kilowatts", type=click.FloatRange(0))
@operator_option
def enrolled_power(api: OperatorApi, named: str, kilowatts: float) -> None:
    """Write down what a party has signed up for.

    In kW of relief: what `openadr-vtn event create --dry-run` counts.
    """
    changed = api.command(f"parties/{named}/enrolled-power", {"kw": kilowatts})
    click.echo(f"{changed['name']} has signed up for {changed['enrolled_kw']:,.0f} kW.")


@party.command("cancel-registration")
@click.argument("named", metavar="PARTY")
@operator_option
def cancel_registration(api: OperatorApi, named: str) -> None:
    """End a party's registration.

    It ends when the party has confirmed, or has not answered for long enough. It may register again:
    to shut it out, refuse it.
    """
    told = api.command(f"parties/{named}/cancel-registration", {})
    click.echo(f"{told['name']} is told when it next asks; `openadr-vtn party show` says how far that is.")


@party.command("request-reregistration")
@click.argument("named", metavar="PARTY")
@operator_option
def request_reregistration(api: OperatorApi, named: str) -> None:
    """Ask a party to register again.

    Under the registrationID that it has.
    """
    told = api.command(f"parties/{named}/request-reregistration", {})
    click.echo(f"{told['name']} is asked when it next asks; `openadr-vtn party show` says how far that is.")


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


@party.command("deny-certificate")
@click.argument("named", metavar="PARTY")
@click.option("--sha256", help="Which one, as `certificate show` shows it; all that the party has if left out.")
@click.option("--reason", default="", help="For the audit trail.")
@operator_option
def deny_certificate(api: OperatorApi, named: str, sha256: str | None, reason: str) -> None:
    """Deny a party's certificate, for good.

    In force at once, also where it is connected. The party comes back with another certificate:
    openadr-vtn party replace-certificate.
    """
    wish = {"reason": reason, **({"sha256": sha256} if sha256 else {})}
    denied = api.command(f"parties/{named}/deny-certificate", wish)
    gone = [one["fingerprint"] for one in denied["certificates"] if one["denied"]]
    click.echo(f"{denied['name']}: {' '.join(gone)} will not be spoken to again.")


@party.command()
@click.argument("named", metavar="PARTY")
@click.argument("rule", type=click.Choice(["off", "accept", "require", "default"]))
@operator_option
def signatures(api: OperatorApi, named: str, rule: str) -> None:
    """Say whether a party's messages are signed.

    off: its signatures are not looked at. accept: what it signs must be signed well, and is answered
    signed. require: what it does not sign well is not processed. default: as vtn.toml says for all.
    """
    party = api.command(f"parties/{named}/signatures", {"rule": None if rule == "default" else rule})
    click.echo(f"{party['name']}: signatures {party['signatures'] or 'as vtn.toml says'}.")


def _ago(moment: str | None) -> str:
    if moment is None:
        return "never"
    seconds = max(0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    return f"{seconds:.0f} s ago" if seconds < 120 else str(clock_text(moment))


def _certificate_state(certificate: dict[str, Any]) -> str:
    if certificate["denied"]:
        return "denied"
    if certificate["ends_at"] is None:
        return "not seen yet"
    days = (datetime.fromisoformat(certificate["ends_at"]) - datetime.now(UTC)).days
    return "ended" if days < 0 else f"ends in {days} days" + (": renew it" if days < CERTIFICATE_WARNING_DAYS else "")


def _transport(party: dict[str, Any]) -> str | None:
    """How it is reached: it polls, or is pushed to, and whether that works."""
    push = party["push"]
    if party["client_id"] is not None and party["transport"] is None:
        return "OpenADR 3"
    failing = party["transport"] == "push" and push is not None and push["failures"]
    return "push, failing" if failing else party["transport"]


def _resource(resource: dict[str, Any]) -> str:
    granted = ",".join(resource["targets"])
    return f"{resource['name']} ({granted})" if granted else str(resource["name"])


def _reached(found: dict[str, Any]) -> list[tuple[str, str]]:
    current, push = found["registration"], found["push"]
    if current is None or current["pull"]:
        return [("asked to poll", f"every {found['poll_interval_s']} s")]
    rows = [("pushed to", current["transport_address"])]
    if push is not None:
        rows.append(("last push", f"{push['outcome']}, {_ago(push['at'])}"))
        if push["failures"]:
            rows.append(("failed", f"{push['failures']} times; again at {clock_text(push['retry_at'])}"))
    return rows


def _reports(party: dict[str, int]) -> str | None:
    if not party["reports"]:
        return None
    late_s = party["report_late_by_s"]
    return f"late by {late_s} s" if late_s else "in time"
