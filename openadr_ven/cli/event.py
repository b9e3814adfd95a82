"""``event``: what was asked of the fleet, and what came of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from openadr_core.model.opt import Opt
from openadr_core.model.wording import asked_text
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import held_event, stored
from openadr_ven.cli.tables import print_table
from openadr_ven.domain.delivered import Delivered, delivered_over
from openadr_ven.domain.held import Delivery, HeldEvent, Notice
from openadr_ven.settings import Settings, load

NOTICES_MAX = 100


@click.group(short_help="Show events and what came of them.")
def event() -> None:
    """Show the events that the fleet was asked to follow, and what came of them."""


@event.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(config: Path, *, as_json: bool) -> None:
    """List every event, oldest first."""
    now = datetime.now(UTC)
    rows = [
        (
            held.event.id, held.event.version, held.event.status_at(now).value,
            f"{held.event.starts_at:%Y-%m-%d %H:%M:%S}", asked_text(held.event), held.opt.opt_type.value,
        )
        for held in run_async(_events(load(config)))
    ]  # fmt: skip
    header = ("event", "version", "status", "starts (UTC)", "asked", "answer")
    if as_json:
        click.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows], indent=2))
    else:
        print_table(header, rows)


@event.command(short_help="Show what one event asked, and what came of it.")
@click.argument("event_id")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(event_id: str, config: Path, *, as_json: bool) -> None:
    """Show what EVENT_ID asked, what was commanded, acknowledged and delivered, and what fell short by cause."""
    held, opts, deliveries, notices = run_async(_event(load(config), event_id))
    total = delivered_over(deliveries)
    if as_json:
        click.echo(json.dumps(_plain(held, opts, total), indent=2))
        return
    now = datetime.now(UTC)
    click.echo(f"event      {held.event.id}, version {held.event.version}, {held.event.status_at(now).value}")
    click.echo(f"program    {held.event.market_context}")
    click.echo(f"starts     {held.event.starts_at:%Y-%m-%d %H:%M:%S} UTC, for {held.event.duration or 'ever'}")
    click.echo(f"signal     {asked_text(held.event)}")
    for opt in opts:
        click.echo(f"answered   {opt.at:%H:%M:%S} version {opt.version}: {opt.opt_type.value} {opt.reason}".rstrip())
    click.echo()
    if total is None:
        click.echo("nothing was asked of the devices")
    else:
        _print_delivered(total)
    if notices:
        click.echo()
        for notice in reversed(notices):
            click.echo(f"{notice.at:%H:%M:%S}  {notice.kind}: {notice.text}")


def _print_delivered(total: Delivered) -> None:
    rows = [
        (name, f"{watts / 1e3:,.1f}", f"{watts / total.asked_w:.1%}" if total.asked_w else "")
        for name, watts in (
            ("asked", total.asked_w),
            ("allowed by the envelope", total.allowed_w),
            ("commanded", total.commanded_w),
            ("acknowledged", total.acknowledged_w),
            ("delivered", total.delivered_w),
        )
    ]
    print_table((f"mean over {total.seconds:.0f} s", "kW", "of asked"), rows)
    short = [(cause.replace("_", " "), f"{watts / 1e3:,.1f}") for cause, watts in total.shortfall_w.items()]
    click.echo()
    print_table(("shortfall by cause", "kW"), short or [("none", "0.0")])


def _plain(held: HeldEvent, opts: Sequence[Opt], total: Delivered | None) -> dict[str, object]:
    return {
        "id": held.event.id,
        "version": held.event.version,
        "starts_at": held.event.starts_at.isoformat(),
        "opts": [{"at": opt.at.isoformat(), "opt": opt.opt_type.value, "reason": opt.reason} for opt in opts],
        "delivered": None if total is None else {
            "asked_w": total.asked_w, "allowed_w": total.allowed_w, "commanded_w": total.commanded_w,
            "acknowledged_w": total.acknowledged_w, "delivered_w": total.delivered_w,
            "shortfall_w": dict(total.shortfall_w),
        },
    }  # fmt: skip


async def _events(settings: Settings) -> list[HeldEvent]:
    async with stored(settings) as unit:
        return await unit.held_events()


async def _event(settings: Settings, event_id: str) -> tuple[HeldEvent, list[Opt], list[Delivery], list[Notice]]:
    async with stored(settings) as unit:
        return (
            await held_event(unit, event_id),
            await unit.opts(event_id),
            await unit.deliveries(event_id),
            await unit.notices(limit=NOTICES_MAX, event_id=event_id),
        )
