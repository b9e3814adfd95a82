"""``opt``: when the fleet, or some of it, is in or out."""

import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from openadr_core.errors import LocalProtocolError, NotFound, RuleBroken, WrongState
from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.event import EventStatus
from openadr_core.model.opt import REASONS, OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind, is_device_class
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.market_context import normalised
from openadr_core.oadr2.translate_opts import opt_to_wire
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import held_event, stored
from openadr_ven.cli.tables import print_table
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opts import OptOrder, schedules_of
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.fleet.naming import class_resource, rows_in
from openadr_ven.settings import Settings, load

LENGTH = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
EVER = "ever"
OVER = {EventStatus.COMPLETED, EventStatus.CANCELLED}

resource_option = click.option(
    "--resource", "resources", multiple=True, metavar="NAME",
    help="Only what is called so: a device, gateway, site, transformer, feeder, substation or vendor; repeat for more.",
)  # fmt: skip
class_option = click.option(
    "--device-class", "classes", multiple=True, metavar="CLASS",
    help="Of these only devices of a class, as OpenADR 2.0b names it (Thermostat, Storage, EVSE …); repeat for more.",
)  # fmt: skip
reason_option = click.option(
    "--reason", default="notParticipating", show_default=True,
    help=f"{', '.join(REASONS)}; or one of yours that begins with x-.",
)  # fmt: skip


@click.group(short_help="Say when the fleet, or some of it, is in or out.")
def opt() -> None:
    """Say when the fleet, or some of it, takes part in events, and when it does not.

    The running agent keeps to it from its next round on, and tells the VTN (OpenADR 2.0b EiOpt), in the order
    in which it was said, until the VTN has answered. A new schedule for all of the fleet replaces all earlier
    ones of its kind, in or out; one for some of it, theirs.
    """


def _schedule_command(opt_type: OptType, summary: str) -> click.Command:
    name = "out" if opt_type is OptType.OUT else "in"

    @click.command(name, short_help=summary)
    @click.option(
        "--when",
        "spans",
        multiple=True,
        metavar="START/LENGTH",
        help="now/4h, 2030-07-01T16:00:00Z/2h, now/ever; repeat for more. Without: from now on, for ever.",
    )
    @resource_option
    @class_option
    @click.option("--program", metavar="CONTEXT", help="Only under the program of this market context.")
    @reason_option
    @config_option
    def command(
        *, spans: tuple[str, ...], resources: tuple[str, ...], classes: tuple[str, ...], program: str | None,
        reason: str, config: Path,
    ) -> None:  # fmt: skip
        settings, now = load(config), _now()
        scope, devices = _scope(settings, resources, classes, program)
        schedule = OptSchedule(
            id=_new_id(),
            opt_type=opt_type,
            reason=_reason(reason),
            spans=tuple(_span(text, now) for text in spans or (f"now/{EVER}",)),
            created_at=now,
            scope=scope,
        )
        run_async(_say(settings, OptOrder(number=0, said_at=now, schedule=schedule)))
        click.echo(f"{schedule.id}: {opt_type.value} for {devices} devices")

    command.help = f"""{summary}

    \b
    openadr-ven opt {name} --when now/4h --resource feeder-7 --reason emergency
    openadr-ven opt {name} --device-class Thermostat --when 2030-07-01T16:00:00Z/2h
    """
    return command


opt.add_command(_schedule_command(OptType.OUT, "Take the fleet, or some of it, out of events for some time."))
opt.add_command(_schedule_command(OptType.IN, "Say that the fleet, or some of it, is in for some time."))


@opt.command("event", short_help="Take the fleet, or some of it, into or out of one event.")
@click.argument("event_id")
@click.argument("said", type=click.Choice(["in", "out"]), metavar="in|out")
@resource_option
@class_option
@reason_option
@config_option
def event(
    *, event_id: str, said: str, resources: tuple[str, ...], classes: tuple[str, ...], reason: str, config: Path
) -> None:
    """Take the fleet, or some of it, into or out of EVENT_ID, whatever was answered, and through all its versions."""
    settings, now = load(config), _now()
    scope, devices = _scope(settings, resources, classes, None)
    held = run_async(_held(settings, event_id))
    if held.event.status_at(now) in OVER:
        raise WrongState(f"event {event_id} is over")
    opt_type = OptType.OUT if said == "out" else OptType.IN
    if held.opt.opt_type is OptType.OUT and opt_type is OptType.IN and (scope.targets or scope.device_classes):
        raise WrongState(f"the fleet is out of event {event_id}: opt all of it in first, and then some out")
    word = Qualification(
        id=_new_id(), event_id=event_id, version=held.event.version, opt_type=opt_type, reason=_reason(reason),
        created_at=now, scope=scope,
    )  # fmt: skip
    order = OptOrder(number=0, said_at=now, qualification=word)
    if not held.event.response_required:
        # R206: what wants no answer gets none; the fleet keeps to it all the same.
        order = OptOrder(
            number=0, said_at=now, qualification=word, told_at=now, description="the event wants no answer"
        )
    run_async(_say(settings, order))
    click.echo(f"{word.id}: {opt_type.value} of event {event_id} for {devices} devices")


@opt.command(short_help="End a schedule.")
@click.argument("opt_id")
@config_option
def cancel(opt_id: str, config: Path) -> None:
    """End the schedule OPT_ID. What it had replaced does not come back."""
    settings = load(config)
    orders = run_async(_orders(settings))
    if any(order.qualification is not None and order.opt_id == opt_id for order in orders):
        raise WrongState("what was said to an event is changed by saying something else to it (openadr-ven opt event)")
    if all(schedule.id != opt_id for schedule in schedules_of(orders)):
        raise NotFound(f"no opt schedule {opt_id}; `openadr-ven opt list` shows them")
    run_async(_say(settings, OptOrder(number=0, said_at=_now(), cancels=opt_id)))
    click.echo(f"{opt_id}: ended")


@opt.command("list", short_help="Show what was said, and what the VTN made of it.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(config: Path, *, as_json: bool) -> None:
    """Show what was said of the fleet's availability, the newest first, and what the VTN answered."""
    rows = [_row(order) for order in reversed(run_async(_orders(load(config))))]
    if as_json:
        names = ("opt", "says", "for", "when", "reason", "vtn")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
    else:
        print_table(("opt", "says", "for", "when (UTC)", "reason", "VTN"), rows)


def answer_text(order: OptOrder) -> str:
    """How it stands with the VTN."""
    if order.told_at is None:
        return "not told yet"
    if order.is_refused:
        return f"{order.code} {order.description}".strip()
    return "told" if order.code else order.description


def _row(order: OptOrder) -> tuple[str, str, str, str, str, str]:
    said = order.schedule or order.qualification
    if said is None:
        return order.opt_id, "cancel", "", "", "", answer_text(order)
    when = f"event {order.qualification.event_id}" if order.qualification is not None else ""
    if order.schedule is not None:
        when = ", ".join(_span_text(span) for span in order.schedule.spans)
    names = " ".join(sorted((*said.scope.names, *said.scope.device_classes))) or "all"
    return order.opt_id, said.opt_type.value, names, when, said.reason, answer_text(order)


def _span_text(span: Span) -> str:
    ends_at = span.ends_at
    return f"{span.starts_at:%Y-%m-%d %H:%M:%S} to {f'{ends_at:%Y-%m-%d %H:%M:%S}' if ends_at else 'for ever'}"


def _span(text: str, now: datetime) -> Span:
    start, _, length = text.rpartition("/")
    try:
        starts_at = now if start == "now" else datetime.fromisoformat(start).astimezone(UTC)
    except ValueError:
        raise RuleBroken(f"--when {text}: begins neither now nor at a moment such as 2030-07-01T16:00:00Z") from None
    if length == EVER:
        return Span(starts_at=starts_at, duration=None)
    found = LENGTH.fullmatch(length)
    if found is None or not int(found[1]):
        raise RuleBroken(f"--when {text}: lasts neither {EVER} nor so long as 90s, 15m, 4h or 2d")
    return Span(starts_at=starts_at, duration=timedelta(**{UNITS[found[2]]: int(found[1])}))


def _scope(
    settings: Settings, resources: Sequence[str], classes: Sequence[str], program: str | None
) -> tuple[Scope, int]:
    """Whom it is about, and how many devices they are; RuleBroken names what the fleet does not have."""
    fleet, fleet_name = _fleet(settings), settings.fleet.name
    for name in classes:
        if not is_device_class(name):
            raise RuleBroken(f"OpenADR 2.0b knows no device class {name}")
    context = normalised(program) if program else ""
    if context and context not in {normalised(one) for one in settings.programs}:
        raise RuleBroken(f"the fleet takes part in no program {program}")
    targets = [_target(fleet, fleet_name, name) for name in resources]
    for target in targets:
        if not rows_in(fleet, Scope(targets=frozenset({target})), fleet_name=fleet_name).any():
            raise RuleBroken(f"nothing in this fleet is called {target.name}")
    scope = Scope(targets=frozenset(targets), device_classes=frozenset(classes), market_context=context)
    return scope, int(rows_in(fleet, scope, fleet_name=fleet_name).sum())


def _target(fleet: Fleet, fleet_name: str, name: str) -> Target:
    """What reports are about is a resource on the wire; what holds several devices together is a group."""
    own = {fleet_name, *(class_resource(fleet_name, each) for each in DeviceClass)}
    is_resource = name in own or bool((fleet.device_id == name).any())
    return Target(kind=TargetKind.RESOURCE if is_resource else TargetKind.GROUP, name=name)


def _fleet(settings: Settings) -> Fleet:
    return open_fleet(settings.fleet.file).fleet


def _reason(text: str) -> str:
    if text not in REASONS and not (text.startswith("x-") and len(text) > len("x-")):
        raise RuleBroken(f"--reason {text}: must be {', '.join(REASONS)}, or begin with x-")
    return text


def _new_id() -> str:
    return f"o{secrets.token_hex(6)}"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def _say(settings: Settings, order: OptOrder) -> None:
    said = order.schedule or order.qualification
    if said is not None:
        try:
            encode(opt_to_wire(said, ven_id="VEN", request_id="q"))
        except LocalProtocolError as error:
            raise RuleBroken(f"OpenADR 2.0b cannot say this: {error}") from None
    async with stored(settings) as unit:
        await unit.add_opt_order(order)


async def _orders(settings: Settings) -> list[OptOrder]:
    async with stored(settings) as unit:
        return await unit.opt_orders()


async def _held(settings: Settings, event_id: str) -> HeldEvent:
    async with stored(settings) as unit:
        return await held_event(unit, event_id)
