"""`openadr-vtn program`: the agreements that events belong to."""

import json
from pathlib import Path
from typing import Any

import click

from openadr_vtn.cli.operator_api import OperatorApi, Refused, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table


@click.group(cls=PlainGroup)
def program() -> None:
    """Programs: what events belong to, and what their numbers mean."""


@program.command()
@click.argument("name", required=False)
@click.option(
    "--relief-sign",
    type=click.Choice(["POSITIVE", "NEGATIVE"]),
    help="What a positive relative setpoint asks for: relief (POSITIVE) or load. Without it, none is taken.",
)
@click.option("--market-context", help="The URI that names it to 2.0b parties; made from the name if not given.")
@click.option("--target", "targets", multiple=True, help="Only parties with this target belong to it; repeat for more.")
@click.option(
    "--attribute",
    "others",
    multiple=True,
    metavar="TYPE=VALUE",
    help="Another attribute, such as OPT_SCHEDULES=optOut; repeat for more.",
)
@click.option(
    "--file", "document", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A whole OpenADR 3.1 program as JSON, instead of the options.",
)  # fmt: skip
@json_option
@operator_option
def create(
    *, api: OperatorApi, name: str | None, relief_sign: str | None, market_context: str | None,
    targets: tuple[str, ...], others: tuple[str, ...], document: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Create a program.

    Examples:
      openadr-vtn program create peak --relief-sign POSITIVE --market-context http://utility.example/peak
      openadr-vtn program create --file program.json
    """
    if (name is None) == (document is None):
        raise click.UsageError("give either a NAME or --file")
    if document is not None:
        body = document.read_bytes()
    else:
        named = [("RELIEF_SIGN", relief_sign), ("MARKET_CONTEXT", market_context)]
        named += [(kind, value) for kind, _, value in (other.partition("=") for other in others)]
        attributes = [{"type": kind, "values": [value]} for kind, value in named if value]
        body = json.dumps({"programName": name, "attributes": attributes, "targets": list(targets)}).encode()
    made = api.write("POST", "programs", body)
    if as_json:
        show_json(made)
    else:
        click.echo(f"Program {made['programName']} has id {made['id']}.")


@program.command("list")
@json_option
@operator_option
def list_programs(api: OperatorApi, *, as_json: bool) -> None:
    """List programs, the newest first."""
    programs = api.list("programs")
    if as_json:
        show_json(programs)
        return
    show_table(
        ["NAME", "RELIEF SIGN", "TARGETS", "CREATED", "ID"],
        [
            [one["programName"], _attribute(one, "RELIEF_SIGN"), " ".join(one.get("targets") or []) or None,
             clock_text(one["createdDateTime"]), one["id"]]
            for one in programs
        ],
        empty="There is no program yet: openadr-vtn program create NAME",
    )  # fmt: skip


@program.command()
@click.argument("named", metavar="PROGRAM")
@operator_option
def show(api: OperatorApi, named: str) -> None:
    """Show a program, by its name or id, as it was written."""
    show_json(program_named(api, named))


@program.command()
@click.argument("named", metavar="PROGRAM")
@operator_option
def remove(api: OperatorApi, named: str) -> None:
    """Remove a program that never had an event."""
    gone = api.write("DELETE", f"programs/{program_named(api, named)['id']}")
    click.echo(f"Program {gone['programName']} is removed.")


def program_named(api: OperatorApi, named: str) -> dict[str, Any]:
    """The program with this id or name."""
    for one in api.list("programs"):
        if named in {one["id"], one["programName"]}:
            return dict(one)
    raise Refused(f"there is no program {named}; openadr-vtn program list shows those that are")


def _attribute(program: dict[str, Any], kind: str) -> str | None:
    return next((one["values"][0] for one in program.get("attributes") or [] if one["type"] == kind), None)
