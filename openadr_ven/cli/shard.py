"""``shard``: a part of the agent's fleet, computed and carried by another process."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from openadr_core.shell.logs import configure_logs
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.tables import print_table
from openadr_ven.settings import load


@click.command(short_help="Compute and carry a part of the agent's fleet beside it.")
@config_option
@click.option("--number", required=True, type=click.IntRange(min=0), help="Which of the shards this one is, from 1.")
@click.option("--of", "of", required=True, type=click.IntRange(min=1), help="How many shards there are.")
@click.option(
    "--rights", "shows_rights", is_flag=True,
    help="Print what nats-server must let this shard's user do (the agent's: --number 0), and end.",
)  # fmt: skip
def shard(config: Path, *, number: int, of: int, shows_rights: bool) -> None:
    """Compute and carry a part of the agent's fleet beside it, until told to stop (Ctrl-C or SIGTERM).

    The settings are the agent's, or a copy of them with the same fleet; the table [shards] says where the engine is
    (NATS). A shard computes cells of the fleet, hands the agent's commands to gateways and tells it what they say,
    and keeps a ledger of it (agent.ledger/shard-N). Shards come and go as they like: what none of them has the agent
    does itself, with the same result.

    With tls:// and a username and password of its own in [shards] (or OPENADR_VEN_SHARDS__USERNAME and …__PASSWORD) a
    shard may speak of its own part alone; --rights prints the permissions that its user needs.
    """
    from openadr_ven.bootstrap.shard import rights, run_shard  # noqa: PLC0415  # the agent's parts, as in `run`

    if shows_rights:
        click.echo(rights(load(config), number=number, of=of))
        return
    if number == 0:
        raise click.BadParameter("shards are counted from 1", param_hint="--number")
    if number > of:
        raise click.BadParameter(f"there are {of} shards", param_hint="--number")
    settings = load(config)
    configure_logs(level=settings.log.level, human=settings.log.format == "console")
    run_async(run_shard(settings, number=number, of=of))


@click.command(short_help="Show which shards are there.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def shards(config: Path, *, as_json: bool) -> None:
    """Show which shards are there: what each computes and carries, since when, its last round and price.

    They are asked at the engine, so the agent need not run; [shards] must name the agent's user. The console of a
    running agent shows besides what was asked of each, what it has committed to, and how long it takes.
    """
    from openadr_ven.bootstrap.shard import shards_there  # noqa: PLC0415  # the agent's parts, as in `run`

    found = run_async(shards_there(load(config)))
    rows = [
        {
            "shard": f"{one['number']} of {one['of']}",
            "parcels": ", ".join(map(str, sorted(one["parcels"]))),
            "devices": one["rows"],
            "since": datetime.fromtimestamp(one["since"], UTC).isoformat(timespec="seconds"),
            "round": one["sequence"],
            "price": one["price"],
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(list(rows[0]), [["-" if cell is None else cell for cell in one.values()] for one in rows])
    else:
        click.echo("No shard is there: the agent does all of it.")
