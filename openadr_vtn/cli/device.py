"""`openadr-vtn device`: IEEE 2030.5 devices, their groups, and how often they are to poll."""

from typing import Any

import click

from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table

group_option = click.option("--group", "groups", multiple=True, help="A group that it lies in; repeat for more.")


@click.group(cls=PlainGroup)
def device() -> None:
    """Devices of IEEE 2030.5 (CSIP), and their groups.

    A device is known by its LFDI, and belongs to the party whose certificate it shows, or to the aggregator
    that manages it. What is asked of a group (openadr-vtn control) is asked of every device in it and below it.
    """


@device.command("list")
@json_option
@operator_option
def list_devices(api: OperatorApi, *, as_json: bool) -> None:
    """List devices, by their SFDI."""
    found = _pages(api, "sep2/devices")
    if as_json:
        show_json(found)
        return
    show_table(
        ["LFDI", "SFDI", "GROUPS", "CATEGORY", "ACCESS", "REGISTERED", "PARTY"],
        [
            [
                one["lfdi"], one["sfdi"], " ".join(one["groups"]) or None, one["category"],
                "yes" if one["enabled"] else "withdrawn", clock_text(one["registered_at"]), one["party_id"],
            ]
            for one in found
        ],
        empty="No device yet: openadr-vtn device add --help",
    )  # fmt: skip


@device.command()
@click.argument("lfdi")
@json_option
@operator_option
def show(api: OperatorApi, lfdi: str, *, as_json: bool) -> None:
    """Show one device, and what it has said of itself."""
    found = api.admin(f"sep2/devices/{lfdi}")
    if as_json:
        show_json(found)
        return
    for label, value in (
        ("LFDI", found["lfdi"]), ("SFDI", found["sfdi"]), ("address", found["href"]), ("party", found["party"]),
        ("groups", " ".join(found["groups"]) or "(none)"), ("PIN", found["pin"] or "(none)"),
        ("access", "yes" if found["enabled"] else "withdrawn"), ("rates", _rates_text(found) or "(none of its own)"),
        ("says", " ".join(found["said"]) or "(nothing yet)"),
    ):  # fmt: skip
        click.echo(f"{label:<10}{value}")


@device.command()
@click.argument("party")
@click.argument("lfdi")
@group_option
@click.option("--pin", type=int, help="Six digits, the last of which checks the others: 111115.")
@click.option("--category", help="deviceCategory, in hex: 020000 is a battery with an inverter …")
@operator_option
def add(
    api: OperatorApi, *, party: str, lfdi: str, groups: tuple[str, ...], pin: int | None, category: str | None
) -> None:
    """Register a device out of band, before it comes.

    Example:
      openadr-vtn device add solar-co 3E4F45AB31EDFE5B67E343E5E4562E31984E23E5 --group feeder-7 --pin 111115
    """
    wish = {"party": party, "lfdi": lfdi, "groups": list(groups), "pin": pin, "category": category}
    made = api.command("sep2/devices", {name: value for name, value in wish.items() if value is not None})
    click.echo(f"Device {made['lfdi']} is registered, SFDI {made['sfdi']}, at {made['href']}.")


@device.command()
@click.argument("lfdi")
@group_option
@click.option("--no-group", is_flag=True, help="Out of all groups.")
@click.option("--pin", type=int)
@click.option("--post-rate", type=click.IntRange(1, 86_400), metavar="SECONDS", help="How often it is to report.")
@click.option("--access/--no-access", default=None, help="Grant it access again, or withdraw it at once.")
@operator_option
def change(
    api: OperatorApi, *, lfdi: str, groups: tuple[str, ...], no_group: bool, pin: int | None, post_rate: int | None,
    access: bool | None,
) -> None:  # fmt: skip
    """Change a device's groups, PIN, rate or access."""
    wish: dict[str, Any] = {"pin": pin, "post_rate_s": post_rate, "enabled": access}
    wish["groups"] = list(groups) if groups or no_group else None
    api.change(f"sep2/devices/{lfdi}", {name: value for name, value in wish.items() if value is not None})
    click.echo(f"Device {lfdi} is changed.")


@device.command()
@click.argument("lfdi")
@operator_option
def remove(api: OperatorApi, lfdi: str) -> None:
    """Remove a device, and all that it said of itself."""
    api.remove(f"sep2/devices/{lfdi}")
    click.echo(f"Device {lfdi} is removed.")


@device.command()
@click.argument("lfdi")
@json_option
@operator_option
def meters(api: OperatorApi, lfdi: str, *, as_json: bool) -> None:
    """List the meters that a device mirrors."""
    found = api.admin(f"sep2/devices/{lfdi}/meters")
    if as_json:
        show_json(found)
        return
    show_table(
        ["MRID", "CALLED", "ROLE", "SERIES", "ADDRESS"],
        [
            [one["mrid"], one["description"], one["role_flags"], len(one["series"]), one["href"]]
            for one in found
        ],
        empty="It mirrors none.",
    )  # fmt: skip


@device.command("clear-meters")
@click.argument("lfdi")
@operator_option
def clear_meters(api: OperatorApi, lfdi: str) -> None:
    """Drop the meters that a device mirrors.

    What they have told stays. A device that goes on to report makes them anew.
    """
    api.remove(f"sep2/devices/{lfdi}/meters")
    click.echo(f"The meters of {lfdi} are dropped.")


@device.command()
@click.argument("party")
@click.argument("pen", type=int)
@click.option("--domain", "domains", multiple=True, help="Where it may be told of changes; repeat for more.")
@operator_option
def aggregator(api: OperatorApi, party: str, pen: int, domains: tuple[str, ...]) -> None:
    """Let PARTY answer for devices of its own.

    It may register those whose LFDI ends in its Private Enterprise Number PEN. Notifications go to hosts in its
    domains alone, if any are named; what is named replaces what was named before.

    Example:
      openadr-vtn device aggregator solar-co 28547 --domain solar-co.example
    """
    api.command("sep2/aggregators", {"party": party, "pen": pen, "domains": list(domains)})
    click.echo(f"{party} answers for devices whose LFDI ends in {pen:08d}.")


@device.command()
@json_option
@operator_option
def aggregators(api: OperatorApi, *, as_json: bool) -> None:
    """List the parties that answer for devices of others."""
    found = api.admin("sep2/aggregators")
    if as_json:
        show_json(found)
        return
    show_table(
        ["PARTY", "PEN", "TOLD AT", "ID"],
        [[one["party"], one["pen"], " ".join(one["domains"]) or None, one["party_id"]] for one in found],
        empty="There is none: openadr-vtn device aggregator --help",
    )


@device.command("withdraw-aggregator")
@click.argument("party")
@operator_option
def withdraw_aggregator(api: OperatorApi, party: str) -> None:
    """Let PARTY register no more devices of others.

    It goes on to answer for those that it has: openadr-vtn device change LFDI --no-access ends that.
    """
    api.remove(f"sep2/aggregators/{party}")
    click.echo(f"{party} registers no more devices of others.")


@device.command()
@click.option("--given-up", is_flag=True, help="Only those whose last notification was given up.")
@json_option
@operator_option
def subscriptions(api: OperatorApi, *, given_up: bool, as_json: bool) -> None:
    """List what devices are told of, and how it goes."""
    found = _pages(api, f"sep2/subscriptions{'/given-up' if given_up else ''}")
    if as_json:
        show_json(found)
        return
    show_table(
        ["ID", "LFDI", "RESOURCE", "TO", "STATE", "DELIVERED", "ATTEMPTS", "LAST"],
        [
            [
                one["id"], one["lfdi"], one["resource"], one["notification_uri"], one["state"], one["delivered"],
                one["attempts"], one["outcome"] or None,
            ]
            for one in found
        ],
        empty="Nothing was given up." if given_up else "No device has subscribed to anything.",
    )  # fmt: skip


@device.command()
@click.option("--id", "which", type=click.IntRange(min=1), help="Only this subscription, as subscriptions numbers it.")
@operator_option
def replay(api: OperatorApi, which: int | None) -> None:
    """Have notifications that were given up sent again."""
    answer = api.command("sep2/subscriptions/replay", {} if which is None else {"id": which})
    click.echo(f"To be sent again: {answer['replayed']}")


@device.command()
@json_option
@operator_option
def groups(api: OperatorApi, *, as_json: bool) -> None:
    """List groups, the top ones first."""
    found = api.admin("sep2/groups")
    if as_json:
        show_json(found)
        return
    show_table(
        ["NAME", "IN", "PRIMACY", "CONTROLS", "RATES", "MRID", "ADDRESS"],
        [
            [
                one["name"], one["parent"], one["primacy"], one["controls"], _rates_text(one), one["mrid"], one["href"],
            ]
            for one in found
        ],
        empty="No group yet: openadr-vtn device add-group --help",
    )  # fmt: skip


@device.command("add-group")
@click.argument("name")
@click.option("--in", "parent", help="The group that it lies in.")
@click.option("--primacy", type=click.IntRange(0, 255), help="The lower wins; as the group above has it if left out.")
@click.option("--assignment", type=click.IntRange(1, 99), help="Its tree's FunctionSetAssignments in each device; 1.")
@operator_option
def add_group(api: OperatorApi, name: str, parent: str | None, primacy: int | None, assignment: int | None) -> None:
    """Make a group: a feeder, a substation, a program.

    Examples:
      openadr-vtn device add-group feeder-7 --in substation-2 --primacy 3
      openadr-vtn device add-group retailer --primacy 20 --assignment 2
    """
    wish = {"name": name, "parent": parent, "primacy": primacy, "assignment": assignment}
    made = api.command("sep2/groups", {name: value for name, value in wish.items() if value is not None})
    click.echo(f"Group {made['name']} is made, at {made['href']}.")


@device.command("remove-group")
@click.argument("name")
@operator_option
def remove_group(api: OperatorApi, name: str) -> None:
    """Remove a group and its controls."""
    api.remove(f"sep2/groups/{name}")
    click.echo(f"Group {name} is removed.")


of_group_option = click.option("--group", help="For the devices in this group and below it.")
of_device_option = click.option("--device", "lfdi", help="For the one device with this LFDI.")


@device.command()
@click.argument("name")
@click.argument("seconds", type=click.IntRange(1, 86_400), required=False)
@of_group_option
@of_device_option
@click.option("--take-back", is_flag=True, help="Say nothing any more, here.")
@operator_option
def rate(
    api: OperatorApi, *, name: str, seconds: int | None, group: str | None, lfdi: str | None, take_back: bool
) -> None:  # fmt: skip
    """Set how often clients poll NAME, or post to it.

    EndDeviceList, DERProgramList, Time, …; EndDevice is the postRate of devices. What is said of a device goes
    before what is said of its groups (the nearest for those below it, the shortest of several), and that before
    what is said to everybody. Time has one rate for all.

    Examples:
      openadr-vtn device rate DERProgramList 300
      openadr-vtn device rate DERProgramList 60 --group feeder-7
      openadr-vtn device rate DERProgramList --take-back --group feeder-7
    """
    if (seconds is None) != take_back:
        raise click.UsageError("say either SECONDS or --take-back")
    api.change(f"{_rates_of(group, lfdi)}/{name}", {"seconds": seconds})
    click.echo(f"{name}: {'as others have it' if take_back else f'every {seconds} s'}, from the next read on.")


@device.command()
@of_group_option
@of_device_option
@json_option
@operator_option
def rates(api: OperatorApi, *, group: str | None, lfdi: str | None, as_json: bool) -> None:
    """List how often clients poll and post.

    Everybody, the devices of a group, or one device.
    """
    found = api.admin(_rates_of(group, lfdi))
    if as_json:
        show_json(found)
    elif group is None and lfdi is None:
        rows = [[name, 900 if seconds is None else seconds] for name, seconds in found.items()]
        show_table(["NAME", "SECONDS"], rows, empty="There are none.")
    else:
        rows = [[name, one["in_force_s"], one["said_of"]] for name, one in found.items()]
        show_table(["NAME", "SECONDS", "AS SAID OF"], rows, empty="There are none.")


@device.command()
@click.option("--ahead", type=int, metavar="SECONDS", help="Move it to so far from the true time; 0 puts it back.")
@json_option
@operator_option
def clock(api: OperatorApi, *, ahead: int | None, as_json: bool) -> None:
    """Show, or move, the time that devices are told.

    It is moved in laboratories alone: where the table [sep2] of vtn.toml has lab_clock = true, clients are told a
    Time of quality 7. Controls begin and end by it, and so a day of them is seen in a minute.

    Example:
      openadr-vtn device clock --ahead 3600
    """
    found = api.admin("sep2/clock") if ahead is None else api.change("sep2/clock", {"ahead_s": ahead})
    if as_json:
        show_json(found)
        return
    click.echo(f"Devices are told {found['now']}, {found['ahead_s']} s ahead of the true time.")


def _rates_text(found: dict[str, Any]) -> str | None:
    return ", ".join(f"{name} {seconds} s" for name, seconds in found["rates"].items()) or None


def _rates_of(group: str | None, lfdi: str | None) -> str:
    if group is not None and lfdi is not None:
        raise click.UsageError("--group and --device: name one of them")
    if group is not None:
        return f"sep2/groups/{group}/rates"
    return "sep2/rates" if lfdi is None else f"sep2/devices/{lfdi}/rates"


def _pages(api: OperatorApi, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = api.admin(path, skip=str(len(found)))
        found += page
        if len(page) < 500:
            return found
