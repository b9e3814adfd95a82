"""`openadr-vtn run` and `openadr-vtn check`."""

import asyncio
from pathlib import Path

import click

from openadr_core.shell.garbage import look_seldom
from openadr_vtn.cli.plain_help import PlainCommand
from openadr_vtn.settings import load

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="OPENADR_VTN_CONFIG",
    show_envvar=True,
    default=Path("vtn.toml"),
    show_default=True,
    help="The settings file.",
)


@click.command(cls=PlainCommand)
@config_option
@click.option("--check", "only_check", is_flag=True, help="Look at settings, certificates and store, and do not serve.")
def run(config: Path, *, only_check: bool) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parties, operators and the console have a listener each. When all are ready it prints one line of
    JSON: the three addresses, that of the console with the token that opens it. Logs go to stderr,
    one JSON object a line.

    SIGHUP takes renewed certificates from the same files, without cutting a connection.

    Any setting can be given by a variable of the environment as well:
      OPENADR_VTN_PARTIES__PORT=9443 openadr-vtn run --config utility/vtn.toml
    """
    look_seldom()
    from openadr_vtn import bootstrap  # noqa: PLC0415  # a second of imports that other commands do not need

    if only_check:
        _check(config)
    else:
        bootstrap.run(load(config))


@click.command(cls=PlainCommand)
@config_option
def check(config: Path) -> None:
    """Say which setting is wrong, if any.

    Certificates, keys, their ends, and the database (if it is there) are looked at too. Nothing is
    changed. Exit status 2 says that something is wrong.
    """
    _check(config)


def _check(config: Path) -> None:
    from openadr_vtn import bootstrap  # noqa: PLC0415  # a second of imports that other commands do not need

    asyncio.run(bootstrap.check(load(config)))
    click.echo(f"{config}: good")
