"""`openadr-vtn control`: what is asked of IEEE 2030.5 devices."""

import json
from pathlib import Path
from typing import Any

import click

from openadr_core.oadr3.times import parse_fixed_length
from openadr_vtn.cli.event_body import duration_text, start_text
from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=PlainGroup)
def control() -> None:
    """Controls of IEEE 2030.5 devices, group by group.

    DERControl and EndDeviceControl, stored once for all devices of a group.
    What is asked is said as the standard says it: opModExpLimW=5000 is an export limit of 5 kW.
    """


@control.command("list")
@click.argument("group")
@json_option
@operator_option
def list_controls(api: OperatorApi, group: str, *, as_json: bool) -> None:
    """List the controls of GROUP, and what was answered.

    As its devices see them now: each mode with its value, a curve by its name.
    """
    found = api.admin(f"sep2/groups/{group}/controls")
    if as_json:
        show_json(found)
        return
    show_table(
        ["MRID", "ASKS", "STATUS", "START", "SECONDS", "ANSWERS"],
        [
            [
                one["mrid"], _words(one), one["status"], clock_text(one["starts_at"]), one["duration_s"],
                len(one["responses"]),
            ]
            for one in found
        ],
        empty="Nothing is asked of this group.",
    )  # fmt: skip


@control.command()
@click.argument("group")
@click.argument("asks", nargs=-1, metavar="MODE=VALUE …")
@click.option("--start", default="now", show_default=True, help="now, or a moment: 2030-07-01T18:30:00Z.")
@click.option("--duration", required=True, help="120s, 15m, 4h.")
@click.option("--randomize-start", type=click.IntRange(-3600, 3600), default=0, metavar="SECONDS")
@click.option("--randomize-duration", type=click.IntRange(-3600, 3600), default=0, metavar="SECONDS")
@click.option("--load", is_flag=True, help="An EndDeviceControl (DRLC) instead of a DERControl.")
@operator_option
def create(
    api: OperatorApi, *, group: str, asks: tuple[str, ...], start: str, duration: str, randomize_start: int,
    randomize_duration: int, load: bool,
) -> None:  # fmt: skip
    r"""Ask something of every device in GROUP.

    Examples:
      openadr-vtn control create feeder-7 opModExpLimW=1500 opModImpLimW=5000 --duration 30m
      openadr-vtn control create feeder-7 'opModFixedPFInjectW={"displacement":95,"excitation":true,"multiplier":-2}' \
          --start 2030-07-01T18:30:00Z --duration 4h
      openadr-vtn control create homes --load deviceCategory='"01"' drProgramMandatory=false loadShiftForward=false \
          'SetPoint={"coolingSetpoint":2600}' --duration 1h
    """
    made = api.command(
        f"sep2/groups/{group}/controls",
        {
            "kind": "EndDeviceControl" if load else "DERControl", "asks": dict(_asked(one) for one in asks),
            "start": start_text(start), "duration_s": _seconds(duration), "randomize_start_s": randomize_start,
            "randomize_duration_s": randomize_duration,
        },
    )  # fmt: skip
    click.echo(f"Control {made['mrid']} is made. Watch it: openadr-vtn control list {group}")


@control.command()
@click.argument("mrid")
@click.option("--randomly", is_flag=True, help="Devices let go by their own randomisation.")
@operator_option
def cancel(api: OperatorApi, mrid: str, *, randomly: bool) -> None:
    """Cancel a control.

    It stays listed, as cancelled, to its end.
    """
    api.command(f"sep2/controls/{mrid}/cancel", {"randomly": randomly})
    click.echo(f"Control {mrid} is cancelled.")


# -- what holds where no control does ------------------------------------------------------


@control.command()
@json_option
@operator_option
def defaults(api: OperatorApi, *, as_json: bool) -> None:
    """List what holds where no control does, group by group."""
    found = api.admin("sep2/defaults")
    if as_json:
        show_json(found)
        return
    show_table(
        ["GROUP", "HOLDS", "VERSION", "MRID"],
        [[one["group"], _words(one), one["version"], one["mrid"]] for one in found],
        empty="No group has a default: openadr-vtn control default --help",
    )


@control.command("show-default")
@click.argument("group")
@operator_option
def show_default(api: OperatorApi, group: str) -> None:
    """Print what holds in GROUP where no control does.

    As a FILE for the command default has it.
    """
    show_json(api.admin(f"sep2/groups/{group}/default")["default"])


@control.command()
@click.argument("group")
@file_argument
@operator_option
def default(api: OperatorApi, group: str, file: Path) -> None:
    """Set what holds in GROUP where no control does.

    One that is there is replaced, and its version grows.

    Example of FILE, a DefaultDERControl as JSON:
      {"DERControlBase": {"opModImpLimW": 1500, "opModExpLimW": 1500}, "setGradW": 27}
    """
    made = api.change(f"sep2/groups/{group}/default", _json_of(file))
    click.echo(f"The default of {group} is set, at version {made['version']}.")


@control.command("remove-default")
@click.argument("group")
@operator_option
def remove_default(api: OperatorApi, group: str) -> None:
    """From now on nothing holds in GROUP where no control does."""
    api.remove(f"sep2/groups/{group}/default")
    click.echo(f"The default of {group} is removed.")


# -- curves --------------------------------------------------------------------------------


@control.command()
@click.argument("group", required=False)
@json_option
@operator_option
def curves(api: OperatorApi, group: str | None, *, as_json: bool) -> None:
    """List curves, of GROUP or of all, and who refers to them."""
    found = api.admin("sep2/curves" if group is None else f"sep2/groups/{group}/curves")
    if as_json:
        show_json(found)
        return
    show_table(
        ["GROUP", "NUMBER", "NAME", "KIND", "POINTS", "VERSION", "USED BY", "ADDRESS"],
        [
            [
                one["group"], one["number"], one["name"], one["kind"], len(one["points"]), one["version"], _users(one),
                one["href"],
            ]
            for one in found
        ],
        empty="There is no curve: openadr-vtn control curve --help",
    )  # fmt: skip


@control.command("show-curve")
@click.argument("group")
@click.argument("number", type=click.IntRange(min=1))
@json_option
@operator_option
def show_curve(api: OperatorApi, group: str, number: int, *, as_json: bool) -> None:
    """Show curve NUMBER of GROUP, point by point.

    With --json as a FILE for the command change-curve has it.
    """
    found = api.admin(f"sep2/groups/{group}/curves/{number}")
    if as_json:
        show_json(found["curve"])
        return
    for label, value in (
        ("name", found["name"]), ("kind", f"{found['kind']} (curveType {found['curve']['curveType']})"),
        ("mRID", found["mrid"]), ("version", found["version"]), ("address", found["href"]),
        ("used by", " ".join(["the default"] * found["is_default"] + found["controls"]) or "(nothing)"),
    ):  # fmt: skip
        click.echo(f"{label:<10}{value}")
    show_table([f"X, {found['x_unit']}", f"Y, {found['y_unit']}"], found["points"], empty="It has no points.")


@control.command()
@click.argument("group")
@file_argument
@operator_option
def curve(api: OperatorApi, group: str, file: Path) -> None:
    """Add a DERCurve to GROUP.

    Controls and the default of the group refer to it by the address that is printed.

    Example of FILE, and of a control that refers to it:
      {"description": "summer", "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
       "CurveData": [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}]}
      openadr-vtn control create feeder-7 'opModVoltVar={"href":"/derp/1/dc/1"}' --duration 4h
    """
    made = api.command(f"sep2/groups/{group}/curves", _json_of(file))
    click.echo(f"The curve is at {made['href']}.")


@control.command("change-curve")
@click.argument("group")
@click.argument("number", type=click.IntRange(min=1))
@file_argument
@operator_option
def change_curve(api: OperatorApi, group: str, number: int, file: Path) -> None:
    """Put what FILE says in place of curve NUMBER of GROUP.

    It keeps its mRID and its type, and its version grows. What controls refer to does not change: cancelled ones
    count until they would have ended.
    """
    made = api.change(f"sep2/groups/{group}/curves/{number}", _json_of(file))
    click.echo(f"Curve {number} of {group} is changed, to version {made['version']}.")


@control.command("remove-curve")
@click.argument("group")
@click.argument("number", type=click.IntRange(min=1))
@operator_option
def remove_curve(api: OperatorApi, group: str, number: int) -> None:
    """Remove curve NUMBER of GROUP.

    One that a control or the group's default refers to stays.
    """
    api.remove(f"sep2/groups/{group}/curves/{number}")
    click.echo(f"Curve {number} of {group} is removed.")


def _words(one: dict[str, Any]) -> str:
    return ", ".join(f"{asked['mode']} {asked['text']}" for asked in one["asked"])


def _users(one: dict[str, Any]) -> str | None:
    count = len(one["controls"])
    controls = "a control" if count == 1 else f"{count} controls"
    return ", ".join([*["the default"] * one["is_default"], *[controls] * bool(count)]) or None


def _json_of(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{file}: is no JSON: {error}", param_hint="FILE") from None


def _asked(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text}: must be MODE=VALUE", param_hint="MODE=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        raise click.BadParameter(
            f"{text}: the value is no number, true, false or JSON", param_hint="MODE=VALUE"
        ) from None


def _seconds(text: str) -> int:
    try:
        length = parse_fixed_length(duration_text(text))
        return int(length.total_seconds())  # type: ignore[union-attr]
    except (ValueError, AttributeError):
        raise click.BadParameter("must be a duration such as 120s, 15m or 4h", param_hint="--duration") from None
