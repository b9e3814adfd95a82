"""``shard``: a part of the agent's fleet, computed in another process."""

from pathlib import Path

import click

from openadr_core.shell.logs import configure_logs
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.settings import load


@click.command(short_help="Compute a part of the agent's fleet beside it.")
@config_option
@click.option("--number", required=True, type=click.IntRange(min=1), help="Which of the shards this one is, from 1.")
@click.option("--of", "of", required=True, type=click.IntRange(min=1), help="How many shards there are.")
def shard(config: Path, *, number: int, of: int) -> None:
    """Compute a part of the agent's fleet beside it, until told to stop (Ctrl-C or SIGTERM).

    The settings are the agent's, or a copy of them with the same fleet; the table [shards] says where the engine is
    (NATS). Shards come and go as they like: what none of them has the agent computes itself, with the same result.
    """
    from openadr_ven.bootstrap.shard import run_shard  # noqa: PLC0415  # the agent's parts, as in `run`

    if number > of:
        raise click.BadParameter(f"there are {of} shards", param_hint="--number")
    settings = load(config)
    configure_logs(level=settings.log.level, human=settings.log.format == "console")
    run_async(run_shard(settings, number=number, of=of))
