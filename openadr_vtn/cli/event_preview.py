"""What `openadr-vtn event create --dry-run` shows."""

from typing import Any

import click

from openadr_vtn.cli.tables import clock_text, kw_text, show_table


def show_preview(found: dict[str, Any]) -> None:
    """Whom the event would reach; then the sums, in MW."""
    click.secho(f"{found['program']}: {found['asks']}", bold=True)
    click.echo(f"{clock_text(found['starts_at'])} to {clock_text(found['ends_at']) or 'for ever'}\n")
    show_table(
        ["PARTY", "SPEAKS", "LAST SEEN", "ENROLLED", "COULD GIVE"],
        [
            [
                one["party"], _speech(one), _seen(one), kw_text(one["enrolled_kw"]), kw_text(one["available_kw"]),
            ]
            for one in found["parties"]
        ],
        empty="It would reach nobody.",
    )  # fmt: skip
    for reason in found["not_told_to_2_0b"]:
        click.echo(f"Not told to OpenADR 2.0b: {reason}")
    for reason in found["not_told_to_2030_5"]:
        click.echo(f"Not told to IEEE 2030.5: {reason}")
    enrolled, available = (f"{found[name] / 1000:,.2f} MW" for name in ("enrolled_kw", "available_kw"))
    reached = len(found["parties"])
    if reached:
        click.echo(
            f"\nIt would reach {reached:,} {'party' if reached == 1 else 'parties'} with {enrolled} enrolled; by their "
            f"own word {available} can be had now. {found['offline']:,} offline."
        )
    click.echo("Nothing was written.")


def _speech(one: dict[str, Any]) -> str:
    count = one["devices"]
    return f"{one['speaks']} ({count:,} {'device' if count == 1 else 'devices'})" if count else str(one["speaks"])


def _seen(one: dict[str, Any]) -> str:
    return (clock_text(one["last_seen_at"]) or "never") + (" (offline)" if one["offline"] else "")
