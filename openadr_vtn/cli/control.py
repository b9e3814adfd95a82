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

    As its devices see them now.
    """
    found = api.admin(f"sep2/groups/{group}/controls")
    if as_json:
        show_json(found)
        return
    show_table(
        ["MRID", "ASKS", "STATUS", "START", "SECONDS", "ANSWERS"],
        [
            [
                one["mrid"], " ".join(one["asks"]), one["status"], clock_text(one["starts_at"]), one["duration_s"],
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


@control.command()
@click.argument("group")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@operator_option
def default(api: OperatorApi, group: str, file: Path) -> None:
    """Set what holds in GROUP where no control does.

    Example of FILE, a DefaultDERControl as JSON:
      {"DERControlBase": {"opModImpLimW": 1500, "opModExpLimW": 1500}, "setGradW": 27}
    """
    api.change(f"sep2/groups/{group}/default", json.loads(file.read_text(encoding="utf-8")))
    click.echo(f"The default of {group} is set.")


@control.command()
@click.argument("group")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@operator_option
def curve(api: OperatorApi, group: str, file: Path) -> None:
    """Add a DERCurve to GROUP.

    Controls refer to it by the address that is printed.

    Example of FILE:
      {"curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
       "CurveData": [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}]}
    """
    made = api.command(f"sep2/groups/{group}/curves", json.loads(file.read_text(encoding="utf-8")))
    click.echo(f"The curve is at {made['href']}.")


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
