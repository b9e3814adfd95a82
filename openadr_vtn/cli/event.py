"""`openadr-vtn event`: what is asked of parties, and what came of it."""

import json
import secrets
from pathlib import Path
from typing import Any, TextIO

import click

from openadr_core.errors import ExchangeFailed, TimedOut
from openadr_core.oadr3.payload_types import ALERT
from openadr_vtn.cli.csv_file import write_csv
from openadr_vtn.cli.event_body import PAYLOAD_TYPES, EventWish, event_body
from openadr_vtn.cli.event_preview import show_preview
from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.opt import scope_text
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.program import program_named
from openadr_vtn.cli.tables import clock_text, kw_text, show_json, show_table

STEPS = ("entitled", "notified", "fetched", "answered", "reported")
LEDGER_COLUMNS = (
    "party_id", "party", "version", "withdrawn", *(f"{step}_at" for step in STEPS), "attempts", "given_up",
    "opt", "opt_reason",
)  # fmt: skip


@click.group(cls=PlainGroup)
def event() -> None:
    """Events: what is asked of parties, and what came of it."""


@event.command()
@click.option("--program", "program_name", help="Name or id of its program.")
@click.option("--payload-type", type=click.Choice(PAYLOAD_TYPES), help="What the value is.", metavar="TYPE")
@click.option("--value", help="A level of 0 to 3 for SIMPLE, a power, a price, a share …; the words of an ALERT_….")
@click.option("--units", help="KW for a power, KWH for an energy or a price, if not given; W, MW, KVA, … too.")
@click.option("--currency", help="Of a price: an ISO 4217 code.")
@click.option("--start", default="now", show_default=True, help="now, or a moment: 2030-07-01T18:30:00Z.")
@click.option("--duration", help="120s, 15m, 4h, or an ISO 8601 duration (PT2M). P9999Y is for ever.")
@click.option("--target", "targets", multiple=True, help="Only for parties with this name or target; repeat for more.")
@click.option("--group", "groups", multiple=True, help="Only for this group of devices (groupID); repeat for more.")
@click.option("--resource", "resources", multiple=True, help="Only for this resource (resourceID); repeat for more.")
@click.option("--device-class", "device_classes", multiple=True, help="Only Thermostat, Storage, …; repeat for more.")
@click.option("--priority", type=click.IntRange(min=0), help="0 is the highest. Without one it is the lowest.")
@click.option("--name", help="What people are to call it.")
@click.option("--comment", help="What parties read; the name, if not given.")
@click.option("--test", is_flag=True, help="A test: parties handle it and their devices stay as they are.")
@click.option("--no-answer", is_flag=True, help="Parties must not answer it.")
@click.option("--ramp-up", help="Before the start: 4m. With a minus it lies inside the event.")
@click.option("--recovery", help="After the end.")
@click.option("--notification", help="How long before the start parties are to know.")
@click.option("--start-after", help="Each party starts at a random moment within this.")
@click.option(
    "--file", "document", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A whole OpenADR 3.1 event as JSON, instead of the options.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Make none: say whom it would reach, and with how much power.")
@click.option("--key", help="Send the same again, under the key that an attempt without an answer showed.")
@json_option
@operator_option
def create(
    *, api: OperatorApi, document: Path | None, key: str | None, dry_run: bool, as_json: bool, **wanted: Any
) -> None:
    r"""Create an event; parties are told at their next poll.

    docs/operator-events.md has every payload type, and what else --file can say.

    Examples:
      openadr-vtn event create --program peak --payload-type DISPATCH_SETPOINT_RELATIVE \
          --value 5000 --units KW --start now --duration 120s --target ven-1
      openadr-vtn event create --program peak --payload-type SIMPLE --value 1 --duration 4h --ramp-up 4m
      openadr-vtn event create --program peak --payload-type PRICE --value 3.14 --currency USD --duration 5m
      openadr-vtn event create --file event.json
    """
    body = _body(api, **wanted) if document is None else document.read_bytes()
    if dry_run:
        found = api.command("events/preview", json.loads(body))
        show_json(found) if as_json else show_preview(found)
        return
    made = create_once(api, body, key or secrets.token_hex(16))
    if as_json:
        show_json(made)
    else:
        click.echo(f"Event {made['id']} is created. Watch it: openadr-vtn event show {made['id']}")


def _body(
    api: OperatorApi, *, program_name: str | None, payload_type: str | None, value: str | None, duration: str | None,
    no_answer: bool, ramp_up: str | None, recovery: str | None, notification: str | None, start_after: str | None,
    **said: Any,
) -> bytes:  # fmt: skip
    """The event that the options describe."""
    if program_name is None or payload_type is None or value is None or duration is None:
        raise click.UsageError("give --program, --payload-type, --value and --duration, or --file")
    lengths = {"RAMP_UP": ramp_up, "RECOVERY": recovery, "NOTIFICATION": notification, "START_AFTER": start_after}
    wish = EventWish(
        program_id=program_named(api, program_name)["id"], payload_type=payload_type,
        value=_value(payload_type, value), duration=duration,
        answer_wanted=not no_answer, lengths=lengths, **said,
    )  # fmt: skip
    return json.dumps(event_body(wish)).encode()


def _value(payload_type: str, text: str) -> float | str:
    """A number, but for an alert, which is words for people."""
    if payload_type.startswith(ALERT):
        return text
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number", param_hint="--value") from None


@event.command("list")
@json_option
@operator_option
def list_events(api: OperatorApi, *, as_json: bool) -> None:
    """List events, the open ones first.

    Then those that are over or cancelled; of each the newest first.
    """
    events = api.admin("events")
    if as_json:
        show_json(events)
        return
    show_table(
        ["ID", "STATUS", "PROGRAM", "ASKS FOR", "START", "END", "PARTIES", "HAVE IT", "IN", "OUT"],
        [
            [
                one["id"], one["status"], one["program"], one["asks"], clock_text(one["starts_at"]),
                clock_text(one["ends_at"]), one["entitled"], one["fetched"], one["opted_in"], one["opted_out"],
            ]
            for one in events
        ],
        empty="There is no event yet: openadr-vtn event create --help",
    )  # fmt: skip


@event.command()
@click.argument("event_id", metavar="ID")
@json_option
@operator_option
def show(api: OperatorApi, event_id: str, *, as_json: bool) -> None:
    """Show what came of one event.

    Who has it and who answered what, target and delivered, reports late or missing.
    """
    found = api.admin(f"events/{event_id}")
    if as_json:
        show_json(found)
        return
    click.secho(f"{found['name'] or 'Event'} {found['id']}: {found['asks']}", bold=True)
    click.echo(
        f"{found['status']}, version {found['version']}, program {found['program']}, "
        f"{clock_text(found['starts_at'])} to {clock_text(found['ends_at']) or 'for ever'}"
    )
    for reason in found["not_told_to_2_0b"]:
        click.echo(f"not told to OpenADR 2.0b parties: {reason}")
    for reason in found["not_told_to_2030_5"]:
        click.echo(f"not told to devices of IEEE 2030.5: {reason}")
    click.echo(f"target {kw_text(found['target_kw']) or '-'}, delivered {kw_text(found['delivered_kw']) or '-'}\n")
    show_table(
        ["PARTY", "ANSWER", "DELIVERED", "REPORTED UNTIL", "LATE", "MISSING"],
        [
            [
                one["party"], _opt(one["opt"]), kw_text(one["delivered_kw"]), clock_text(one["reported_until"]),
                f"{one['report_late_by_s']} s" if one["report_late_by_s"] else None, _missing(one["missing"]),
            ]
            for one in found["parties"]
        ],
        empty="No party is entitled to it.",
    )  # fmt: skip
    if found["qualifications"]:
        click.echo("\nSaid for some of what a party has")
        show_table(
            ["PARTY", "FOR", "SAYS", "REASON", "AT"],
            [
                [one["party"], scope_text(one["scope"]), one["type"], one["reason"], clock_text(one["created_at"])]
                for one in found["qualifications"]
            ],
            empty="",
        )
    if len(found["answers"]) > len(found["parties"]):
        click.echo("\nEvery answer")
        show_table(
            ["PARTY", "VERSION", "ANSWER", "AT"],
            [[one["party"], one["version"], _opt(one), clock_text(one["at"])] for one in found["answers"]],
            empty="",
        )
    click.echo("\nDelivery ledger")
    _show_ledger(found["ledger"])


@event.command()
@click.argument("event_id", metavar="ID")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write it into this file.")
@json_option
@operator_option
def ledger(*, api: OperatorApi, event_id: str, csv_file: Path | None, as_json: bool) -> None:
    """Show, or export, what became of an event with each party.

    Since when it was entitled, when it was first told, when it was proved to have it, when it answered
    and when it first reported; a row for each version of the event. Given up: it was told so often in
    vain that it is not told again until something changes.
    """
    rows = api.admin(f"events/{event_id}/ledger")
    if csv_file is not None:
        flat = ({**row, "opt": (row["opt"] or {}).get("type"), "opt_reason": _opt(row["opt"])} for row in rows)
        click.echo(f"{write_csv(csv_file, LEDGER_COLUMNS, flat)} rows are in {csv_file}.")
    elif as_json:
        show_json(rows)
    else:
        _show_ledger(rows)


def _show_ledger(rows: list[dict[str, Any]]) -> None:
    show_table(
        ["PARTY", "VERSION", "ENTITLED", "NOTIFIED", "FETCHED", "ANSWERED", "REPORTED", "TRIES"],
        [
            [
                row["party"], f"{row['version']} (withdrawn)" if row["withdrawn"] else row["version"],
                *(clock_text(row[f"{step}_at"]) for step in STEPS),
                f"{row['attempts']} (given up)" if row["given_up"] else row["attempts"],
            ]
            for row in rows
        ],
        empty="Nothing is owed to anybody.",
    )  # fmt: skip


@event.command()
@click.argument("event_id", metavar="ID")
@click.argument("text", type=click.File("r"), metavar="FILE")
@operator_option
def note(api: OperatorApi, event_id: str, text: TextIO) -> None:
    """Put a note with an event.

    The text is that of FILE (- is standard input), for whoever looks at the event later.

    Example:
      echo "Ran as a rehearsal of the August peak." | openadr-vtn event note ID -
    """
    api.command(f"events/{event_id}/notes", {"text": text.read().strip()})
    click.echo(f"Noted with event {event_id}.")


@event.command()
@click.argument("event_id", metavar="ID")
@click.option(
    "--file", "document", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The whole OpenADR 3.1 event as JSON, as it is to be from now on.",
)  # fmt: skip
@operator_option
def change(*, api: OperatorApi, event_id: str, document: Path) -> None:
    """Change an event that is not past.

    Parties are told at their next poll. What has begun keeps its start, and what was asked until now.

    Example:
      openadr-vtn event change ID --file event.json
    """
    api.write("PUT", f"events/{event_id}", document.read_bytes())
    click.echo(f"Event {event_id} is changed. Watch it: openadr-vtn event show {event_id}")


@event.command()
@click.argument("event_id", metavar="ID")
@operator_option
def cancel(api: OperatorApi, event_id: str) -> None:
    """Cancel one event. Parties let go as it says: with the event's own randomisation, and ramped."""
    api.write("DELETE", f"events/{event_id}")
    click.echo(f"Event {event_id} is cancelled.")


def create_once(api: OperatorApi, body: bytes, key: str) -> Any:
    """The event as it was made. Under one key it is made once, so what timed out may be sent once more."""
    try:
        return api.write("POST", "events", body, **{"Idempotency-Key": key})
    except TimedOut:
        click.echo("No answer yet; sending the same again.", err=True)
    try:
        return api.write("POST", "events", body, **{"Idempotency-Key": key})
    except ExchangeFailed as error:
        raise TimedOut(f"{error}; the event may exist. To ask again without making two, add --key {key}") from None


def _opt(opt: dict[str, Any] | None) -> str | None:
    """``optOut 460 this fleet cannot act on bids``; a code of 200 says nothing."""
    if opt is None:
        return None
    return " ".join(text for text in (opt["type"], "" if opt["code"] == "200" else opt["code"], opt["reason"]) if text)


def _missing(stretches: list[list[str]]) -> str | None:
    return ", ".join(f"{clock_text(start)} to {clock_text(end)}" for start, end in stretches) or None
