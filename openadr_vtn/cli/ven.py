"""`openadr-vtn ven`: VENs of OpenADR 3, what they are granted, and what is behind them."""

import json
from typing import Any

import click

from openadr_vtn.cli.operator_api import OperatorApi, Refused, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table

target_option = click.option("--target", "targets", multiple=True, help="What it is granted to see; repeat for more.")


@click.group(cls=PlainGroup)
def ven() -> None:
    """VENs of OpenADR 3, and their resources.

    A VEN is a client (openadr-vtn client create --role ven) that makes its own ven when it first comes; or make it
    here, with what it is granted to see. Parties of 2.0b are listed too: they are the same to events.
    A VEN is named by its name or its id.
    """


@ven.command("list")
@click.option("--target", "targets", multiple=True, help="Only with one of these targets; repeat for more.")
@json_option
@operator_option
def list_vens(api: OperatorApi, targets: tuple[str, ...], *, as_json: bool) -> None:
    """List VENs, the newest first."""
    found = api.list("vens", **({"targets": ",".join(targets)} if targets else {}))
    if as_json:
        show_json(found)
        return
    show_table(
        ["NAME", "CLIENT", "TARGETS", "CREATED", "ID"],
        [
            [
                one["venName"], one["clientID"], " ".join(one["targets"]) or None,
                clock_text(one["createdDateTime"]), one["id"],
            ]
            for one in found
        ],
        empty="No VEN yet: openadr-vtn client create --help",
    )  # fmt: skip


@ven.command()
@click.argument("named", metavar="VEN")
@operator_option
def show(api: OperatorApi, named: str) -> None:
    """Show one VEN and its resources, as OpenADR 3 has them."""
    found = ven_named(api, named)
    show_json({**found, "resources": api.list("resources", venID=found["id"])})


@ven.command()
@click.argument("name")
@click.option("--client", "client_id", required=True, help="The client that it is.")
@target_option
@json_option
@operator_option
def create(api: OperatorApi, name: str, client_id: str, targets: tuple[str, ...], *, as_json: bool) -> None:
    """Make a VEN for a client, before it comes.

    Example:
      openadr-vtn ven create house-12 --client ven-12 --target feeder-7
    """
    body = {"objectType": "BL_VEN_REQUEST", "venName": name, "clientID": client_id, "targets": list(targets)}
    made = api.write("POST", "vens", json.dumps(body).encode())
    show_json(made) if as_json else click.echo(f"VEN {made['venName']} is made, id {made['id']}.")


@ven.command()
@click.argument("named", metavar="VEN")
@target_option
@operator_option
def grant(api: OperatorApi, named: str, targets: tuple[str, ...]) -> None:
    """Set what a VEN is granted to see.

    All that it had before goes; without --target nothing is left to it but what is for everybody.
    """
    found = ven_named(api, named)
    body = {**found, "objectType": "BL_VEN_REQUEST", "targets": list(targets)}
    api.write("PUT", f"vens/{found['id']}", json.dumps(body).encode())
    click.echo(f"{found['venName']} sees what is for {' '.join(targets) or 'everybody'}.")


@ven.command()
@click.argument("named", metavar="VEN")
@operator_option
def remove(api: OperatorApi, named: str) -> None:
    """Remove a VEN and its resources."""
    found = ven_named(api, named)
    api.write("DELETE", f"vens/{found['id']}")
    click.echo(f"VEN {found['venName']} is removed.")


def ven_named(api: OperatorApi, named: str) -> dict[str, Any]:
    """By name, else by id."""
    found: dict[str, Any]
    for found in api.list("vens", venName=named):
        return found
    try:
        found = api.read(f"vens/{named}")
    except Refused:
        raise Refused(f"there is no ven {named}") from None
    return found
