"""``ledger``: questions to the command ledger, in SQL."""

import json
from pathlib import Path

import click

from openadr_ven.adapters.command_ledger import SCHEMAS, ask
from openadr_ven.cli.run import config_option
from openadr_ven.cli.tables import print_table
from openadr_ven.settings import load

TABLES_HELP = "\n".join(f"  {name:<17}{', '.join(schema.names)}" for name, schema in SCHEMAS.items())


EARNED_HELP = "  earned           what `openadr-ven earned` shows, by device and event, without rates"
EXAMPLE = """
  openadr-ven ledger "SELECT vendor, sum(delivered_wh) / sum(commanded_wh) AS ratio
    FROM outcomes JOIN devices USING (fleet, row) GROUP BY vendor ORDER BY ratio"
"""
HELP = f"""Ask the command ledger, in SQL (DuckDB): what each device was told, and what came of it.

\b
Tables:
{TABLES_HELP}
{EARNED_HELP}

\b
For example:{EXAMPLE}"""


@click.command(short_help="Ask the command ledger in SQL.", help=HELP)
@click.argument("sql")
@config_option
@click.option(
    "--ledger", "others", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A shard's ledger that is not in the agent's folder; may be repeated.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ledger(sql: str, config: Path, *, others: tuple[Path, ...], as_json: bool) -> None:
    names, rows = ask(load(config).agent.ledger, sql, others=others)
    if as_json:
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2, default=str))
    else:
        print_table(names, rows)
