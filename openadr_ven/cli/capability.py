"""``capability``: how many megawatts, for how long, how soon, and how surely."""

import json
import time
from pathlib import Path

import click
import numpy as np

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_source import last_state, open_fleet
from openadr_ven.application.offering import kept_promises
from openadr_ven.cli.capability_plot import svg_of
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import stored
from openadr_ven.cli.tables import print_table
from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.capability import DURATIONS_S, LATENCIES_S, Capability, CapabilityModel
from openadr_ven.dispatch.cohorts import REBOUND_SHARE
from openadr_ven.dispatch.network import network
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState
from openadr_ven.fleet.headroom import newest_s
from openadr_ven.fleet.model import DAY_S, HOT_DAY_C, HOUR_S, Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.fleet.terms import Usage, binding
from openadr_ven.settings import Settings, load

FEEDERS_SHOWN = 20
EVENING_S = 23.5 * HOUR_S
"""Of the day (UTC): early evening from the East to the West of the generated fleet, whatever the hour is here."""


@click.command(short_help="Show how many megawatts, for how long, how soon, how surely.")
@config_option
@click.option(
    "--fleet", "fleet_path", type=click.Path(path_type=Path, exists=True), help="Another fleet than the one in use."
)
@click.option("--assume", type=click.Choice(["evening"]), help="A July evening instead of what telemetry showed last.")
@click.option("--by", type=click.Choice(["class", "latency", "feeder"]), default="class", show_default=True)
@click.option(
    "--rebound", default=REBOUND_SHARE, show_default=True, type=click.FloatRange(0.0, 10.0),
    help="What may snap back after an event, as a share of the houses' normal load.",
)  # fmt: skip
@click.option("--network", "with_network", is_flag=True, help="Within the limits of transformers and feeders.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curve into this SVG file.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def capability(
    config: Path,
    *,
    fleet_path: Path | None,
    assume: str | None,
    by: str,
    rebound: float,
    with_network: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show the relief that the fleet could hold flat, from a quarter of an hour to six hours.

    It is the fleet as telemetry showed it last (the running agent keeps that once a minute), of devices in reach
    whose owners allow it. Firm is what came in nine of ten earlier events; it needs nine events to be known.
    """
    settings = None if fleet_path is not None else load(config)
    path = fleet_path or _settings_file(settings)
    fleet = open_fleet(path).fleet
    state, now_s = _state(fleet, path, assume)
    model = CapabilityModel(fleet, rebound_share=rebound)
    begun = time.monotonic()
    found = _look(model, fleet, state, now_s, settings, with_network=with_network)
    took_s = time.monotonic() - begun
    if plot is not None:
        plot.write_text(svg_of(found))
    if as_json:
        click.echo(json.dumps(_plain(found, fleet), indent=2))
        return
    _print(found, fleet, by)
    click.echo(f"{found.devices:,} of {fleet.size:,} devices can be asked; looked at in {took_s:.2f} s")


def _settings_file(settings: Settings | None) -> Path:
    if settings is None:
        raise ConfigError("no settings and no --fleet")
    return settings.fleet.file


def _state(fleet: Fleet, path: Path, assume: str | None) -> tuple[FleetState, float]:
    if assume is not None:
        now_s = time.time() // DAY_S * DAY_S + EVENING_S
        return evening_state(fleet, now_s=now_s, outdoor_c=HOT_DAY_C, rng=np.random.default_rng(1)), now_s
    state = last_state(path)
    if state is None:
        raise ConfigError("no telemetry was kept of this fleet yet: run the agent, or say --assume evening")
    return state, newest_s(state, time.time())


def _look(
    model: CapabilityModel,
    fleet: Fleet,
    state: FleetState,
    now_s: float,
    settings: Settings | None,
    *,
    with_network: bool,
) -> Capability:
    soc_floor = 0.0 if settings is None else settings.envelope.soc_floor
    ratios = [] if settings is None else run_async(_promises(settings))
    usage = Usage.none(fleet.size, season=0)
    withheld = np.zeros(fleet.size, dtype=np.bool_)
    for rows in binding(fleet.terms, usage, event_id="", now_s=now_s, storm=False).values():
        withheld |= rows
    usable = state.online & state.plugged & ~state.override & ~withheld
    network_w = None
    if with_network:
        outlook = Outlook(now_s=now_s, horizon_s=DURATIONS_S[0], soc_floor=soc_floor)
        levels = network(fleet, state.power_w)
        network_w = offer_book(fleet, state, state.power_w, outlook=outlook, levels=levels, withheld=withheld).most_w
    return model.now(state, usable, now_s=now_s, soc_floor=soc_floor, network_w=network_w, ratios=ratios)


async def _promises(settings: Settings) -> list[float]:
    async with stored(settings) as unit:
        return await kept_promises(unit)


def _print(found: Capability, fleet: Fleet, by: str) -> None:
    header = ("MW held flat for", *(_hours(duration_s) for duration_s in found.durations_s))
    rows = [("all devices", *_megawatts(found.flat_w))]
    firm = found.firm_w
    rows.append(("firm, 9 in 10", *(["?"] * found.durations_s.size if firm is None else _megawatts(firm))))
    groups = {"class": found.by_class, "latency": found.by_latency, "feeder": found.by_feeder}[by]
    names = {"class": _class_names(), "latency": _latency_names(), "feeder": list(fleet.feeder_names)}[by]
    largest = np.argsort(-groups[:, 0], kind="stable") if by == "feeder" else np.arange(len(names))
    shown = [place for place in largest if groups[place].max() > 0.0][: FEEDERS_SHOWN if by == "feeder" else None]
    rows += [(names[place], *_megawatts(groups[place])) for place in shown]
    print_table(header, rows)
    soon = ", ".join(
        f"{watts / 1e6:,.1f} MW within {seconds:g} s"
        for watts, seconds in zip(found.within_w, LATENCIES_S, strict=True)
    )
    click.echo(f"{soon}; the rest later")
    if firm is None:
        click.echo("nothing is firm yet: nine events are needed to say what comes of a promise")


def _plain(found: Capability, fleet: Fleet) -> dict[str, object]:
    firm = found.firm_w
    return {
        "durations_s": found.durations_s.tolist(),
        "flat_w": found.flat_w.tolist(),
        "firm_w": None if firm is None else firm.tolist(),
        "derate": found.derate,
        "by_class_w": dict(zip(_class_names(), found.by_class.tolist(), strict=True)),
        "by_latency_w": dict(zip(_latency_names(), found.by_latency.tolist(), strict=True)),
        "by_feeder_w": dict(zip(fleet.feeder_names, found.by_feeder.tolist(), strict=True)),
        "within_w": dict(zip([f"{seconds:g} s" for seconds in LATENCIES_S], found.within_w.tolist(), strict=True)),
        "network_w": found.network_w,
        "devices": found.devices,
    }


def _class_names() -> list[str]:
    return [one.name.lower().replace("_", " ") for one in DeviceClass]


def _latency_names() -> list[str]:
    return [*(f"within {seconds:g} s" for seconds in LATENCIES_S), "later"]


def _megawatts(watts: np.ndarray) -> list[str]:
    return [f"{value / 1e6:,.1f}" for value in watts]


def _hours(duration_s: float) -> str:
    return f"{duration_s / HOUR_S:g} h" if duration_s >= HOUR_S else f"{duration_s / 60:g} min"
