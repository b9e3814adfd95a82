"""`openadr-vtn subscription`: who asked to be told of changes, how telling them goes, and what was given up."""

from collections.abc import Mapping
from typing import Any

import click

from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table

PAGE = 200


@click.group(cls=PlainGroup)
def subscription() -> None:
    """Subscriptions: the webhooks of OpenADR 3 clients.

    Each is told in order what it asked for, again until it takes it. What it refuses, or does not take in
    many attempts, is put aside (dead-letters) and can be sent again (replay).
    """


@subscription.command("list")
@json_option
@operator_option
def list_subscriptions(api: OperatorApi, *, as_json: bool) -> None:
    """List subscriptions, the oldest first."""
    found = _all(api, "subscriptions")
    if as_json:
        show_json(found)
        return
    show_table(
        ["CLIENT", "ROLE", "WATCHES", "WAITING", "DELIVERED", "DEAD", "LAST", "ID"],
        [
            [
                one["client_name"], one["role"], _watched(one), str(one["waiting"]), str(one["delivered"]),
                str(one["dead"]), _last(one), one["id"],
            ]
            for one in found
        ],
        empty="No client has subscribed to anything.",
    )  # fmt: skip


@subscription.command()
@click.argument("subscription_id", metavar="ID")
@json_option
@operator_option
def show(api: OperatorApi, subscription_id: str, *, as_json: bool) -> None:
    """Show one subscription.

    What it watches, where it is told, and how that goes.
    """
    one = api.admin(f"subscriptions/{subscription_id}")
    if as_json:
        show_json(one)
        return
    click.echo(f"{one['client_name']} ({one['role']}, client {one['client_id']})")
    click.echo(f"program    {one['program_id'] or 'any'}")
    click.echo(f"targets    {', '.join(one['targets']) or 'any'}")
    for watch in one["watches"]:
        click.echo(f"{', '.join(watch['operations'])} of {', '.join(watch['objects'])} to {watch['callback_url']}")
    click.echo(f"waiting {one['waiting']}, delivered {one['delivered']}, dead {one['dead']}; last: {_last(one)}")


@subscription.command("dead-letters")
@click.argument("subscription_id", metavar="ID")
@json_option
@operator_option
def list_dead_letters(api: OperatorApi, subscription_id: str, *, as_json: bool) -> None:
    """List what was given up for a subscription.

    The first first, with the reason.
    """
    found = _all(api, f"subscriptions/{subscription_id}/dead-letters")
    if as_json:
        show_json(found)
        return
    show_table(
        ["NUMBER", "OBJECT", "OPERATION", "OBJECT ID", "HAPPENED", "ATTEMPTS", "REASON"],
        [
            [
                str(one["number"]), one["object_type"], one["operation"], one["object_id"],
                clock_text(one["happened_at"]), str(one["attempts"]), one["outcome"],
            ]
            for one in found
        ],
        empty="Nothing was given up.",
    )  # fmt: skip


@subscription.command()
@click.argument("subscription_id", metavar="ID")
@click.option("--number", type=click.IntRange(min=1), help="Only this one, as dead-letters numbers it.")
@operator_option
def replay(api: OperatorApi, subscription_id: str, number: int | None) -> None:
    """Send dead letters again.

    In their order, and before what waits.
    """
    body: dict[str, Any] = {} if number is None else {"number": number}
    answer = api.command(f"subscriptions/{subscription_id}/replay", body)
    click.echo(f"To be sent again: {answer['replayed']}")


def _all(api: OperatorApi, path: str) -> list[Any]:
    found: list[Any] = []
    while True:
        page = api.admin(path, skip=str(len(found)), limit=str(PAGE))
        found += page
        if len(page) < PAGE:
            return found


def _watched(one: Mapping[str, Any]) -> str:
    return " ".join(sorted({kind for watch in one["watches"] for kind in watch["objects"]}))


def _last(one: Mapping[str, Any]) -> str:
    last = one["last"]
    return "-" if last is None else f"{last['outcome']}, {clock_text(last['at'])}"
