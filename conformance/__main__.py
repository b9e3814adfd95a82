"""The command ``openadr-conformance``: judge a peer, list what it would be asked, show which rules are tried."""

import sys

import click

from conformance.commands.openadr3_ven import run_openadr3_ven
from conformance.commands.openadr3_vtn import run_openadr3_vtn
from conformance.commands.reporting import EXIT_SURPRISED
from conformance.commands.sep2_client import run_sep2_client
from conformance.commands.sep2_server import run_sep2_server
from conformance.commands.ven import run_ven
from conformance.commands.vtn import run_vtn
from conformance.known import KNOWN_FILE, load_not_done, own_failures
from conformance.loading import load_suite, suite_names
from conformance.markers import marked_tests, own_tests
from conformance.reports import rule_index
from conformance.rules import coverage, load_rules, protocols_with_rules
from openadr_core.errors import ConfigError


class _Commands(click.Group):
    """What is wrong with the tester's own files and settings is told in a line, like any wrong usage."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigError as fault:
            raise click.UsageError(str(fault)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="openadr-der")
def cli() -> None:
    """Judge a VTN or a VEN, anyone's, by what it says on the wire."""


@cli.group()
def run() -> None:
    """Run a suite of procedures against a peer."""


run.add_command(run_vtn, "openadr20b-vtn")
run.add_command(run_ven, "openadr20b-ven")
run.add_command(run_openadr3_vtn, "openadr3-vtn")
run.add_command(run_openadr3_ven, "openadr3-ven")
run.add_command(run_sep2_client, "ieee2030_5-client")
run.add_command(run_sep2_server, "ieee2030_5-server")


@cli.command("list")
@click.argument("suite", metavar="[SUITE]", required=False, type=click.Choice(suite_names()))
def list_command(suite: str | None) -> None:
    """List the suites, or the procedures of one with the clauses that they try."""
    for name in [suite] if suite else suite_names():
        loaded = load_suite(name)
        click.echo(f"{name}: {len(loaded.procedures)} procedures")
        for procedure in loaded.procedures if suite else ():
            click.echo(f"  {procedure.id:<30} {procedure.title}\n  {'':<30} {', '.join(procedure.clauses)}")


@cli.command("rules")
@click.argument("protocol", type=click.Choice(protocols_with_rules()))
@click.option("--uncovered", is_flag=True, help="Only the rules that nothing covers.")
def rules_command(protocol: str, *, uncovered: bool) -> None:
    """Show, for every rule of a standard, the checks that try it and the project's own tests that hold it.

    A check that this project's own product is known to fail covers nothing. The exit status is 1 if a rule is covered
    by nothing and known.toml has no reason for it, or has a reason for a rule that is covered. Tests are not part of
    an installed package: there, only checks are shown, and the exit status is 0.
    """
    suites = [load_suite(name) for name in suite_names() if name.startswith(f"{protocol}-")]
    folder = own_tests()
    covered = list(
        coverage(
            load_rules(protocol),
            suites,
            marked_tests(folder, protocol) if folder else (),
            load_not_done(KNOWN_FILE, protocol),
            frozenset().union(*(own_failures(KNOWN_FILE, suite) for suite in suites)),
        )
    )
    for item in covered:
        if not (uncovered and item.covered):
            click.echo("\n".join(rule_index.lines(item)))
    click.echo(rule_index.summary(covered))
    if folder is None:
        click.echo("The tests of this project are not shipped with the package: only checks are shown.")
    elif not all(item.as_expected for item in covered):
        sys.exit(EXIT_SURPRISED)


def main() -> None:
    """The console script."""
    cli(prog_name="openadr-conformance")


if __name__ == "__main__":
    main()
