"""The command ``openadr-conformance``: judge a peer, list what it would be asked, show which rules are tried."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from conformance import event_hook
from conformance.known import KNOWN_FILE, Judged, Known, judge, load_known, load_not_done, own_failures
from conformance.loading import load_suite, suite_names
from conformance.markers import marked_tests, own_tests
from conformance.procedure import Identity
from conformance.reports import rule_index, table
from conformance.reports.html import html
from conformance.reports.junit import junit
from conformance.reports.transcript import transcript
from conformance.rules import coverage, load_rules, protocols_with_rules
from conformance.run import run_suite
from conformance.schema import schema_fault
from conformance.target import Target
from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain

EXIT_SURPRISED = 1

READ = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)
HOOK_HELP = "\b\n" + (event_hook.__doc__ or "").replace("``", "").replace("\n\n", "\n\n\b\n")


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


@cli.command("run", epilog=HOOK_HELP)
@click.argument("suite", metavar="SUITE", type=click.Choice(suite_names()))
@click.option("--url", required=True, help="https://host[:port][/prefix] of the peer.")
@click.option("--certificate", required=True, type=READ, help="PEM chain of an enrolled party, leaf first.")
@click.option("--key", required=True, type=READ, help="PEM key of --certificate.")
@click.option("--trust", required=True, type=READ, help="PEM roots that the peer's certificate must come from.")
@click.option("--other-certificate", type=READ, help="PEM chain of a second enrolled party.")
@click.option("--other-key", type=READ, help="PEM key of --other-certificate.")
@click.option("--pending-certificate", type=READ, help="PEM chain from a trusted root, approved by nobody.")
@click.option("--pending-key", type=READ, help="PEM key of --pending-certificate.")
@click.option("--server-name", default="", help="Name in the peer's certificate, if it is not the URL's host.")
@click.option("--ven-name", default="conformance", show_default=True, help="Name to register under.")
@click.option("--event-hook", default="", metavar="CMD", help="Shell command that makes an event at the VTN (below).")
@click.option("--timeout-s", default=10.0, show_default=True, help="Give up on an answer after so long.")
@click.option("--latency-s", default=0.0, show_default=True, help="What the network may add to each limit of time.")
@click.option("--only", multiple=True, metavar="ID", help="Run this procedure only; may be given again.")
@click.option("--target", default="", metavar="NAME", help="Whose expected failures apply: a section of --known.")
@click.option("--known", type=READ, default=KNOWN_FILE, help="File of expected failures with their reasons.")
@click.option("--junit", "junit_file", type=WRITTEN, help="Write JUnit XML here.")
@click.option("--html", "html_file", type=WRITTEN, help="Write an HTML report here.")
@click.option("--transcript", type=click.Path(file_okay=False, path_type=Path), help="Write each exchange, redacted.")
def run_command(
    *,
    suite: str,
    url: str,
    certificate: Path,
    key: Path,
    trust: Path,
    other_certificate: Path | None,
    other_key: Path | None,
    pending_certificate: Path | None,
    pending_key: Path | None,
    server_name: str,
    ven_name: str,
    event_hook: str,
    timeout_s: float,
    latency_s: float,
    only: tuple[str, ...],
    target: str,
    known: Path,
    junit_file: Path | None,
    html_file: Path | None,
    transcript: Path | None,
) -> None:
    """Run a suite of procedures against a peer.

    Prints one line per procedure as it ends, and what was expected and found wherever the two differ. The exit
    status is 0 if all was as expected, 1 if something was not (an expected failure that passed counts too, and so
    does a procedure that could not run), 2 for wrong usage.

    Some procedures send what an attacker sends, and some peers do not survive it: run this against a test system.
    """
    loaded = load_suite(suite)
    if unknown := set(only) - {procedure.id for procedure in loaded.procedures}:
        raise ConfigError(f"--only: no procedure {', '.join(sorted(unknown))}; see: openadr-conformance list {suite}")
    peer = Target(
        url=url,
        trust=trust,
        certificates={
            Identity.ENROLLED: Chain(certificate=certificate, key=key),
            **_pair(Identity.OTHER, other_certificate, other_key),
            **_pair(Identity.PENDING, pending_certificate, pending_key),
        },
        ven_name=ven_name,
        server_name=server_name,
        timeout_s=timeout_s,
        latency_s=latency_s,
        event_hook=event_hook,
    )
    expected = load_known(known, target, loaded) if target else Known()
    click.echo(table.heading())
    all_judged: list[Judged] = []
    for outcome in run_suite(loaded, peer, schema_fault, only=only):
        judged = judge(outcome, expected)
        all_judged.append(judged)
        click.echo("\n".join([table.row(judged), *table.details(judged)]))
    click.echo(table.summary(all_judged))
    _write_reports(suite, url, all_judged, expected, junit_file=junit_file, html_file=html_file, transcripts=transcript)
    sys.exit(0 if all(judged.as_expected for judged in all_judged) else EXIT_SURPRISED)


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


def _pair(identity: Identity, certificate: Path | None, key: Path | None) -> dict[Identity, Chain]:
    if (certificate is None) != (key is None):
        raise ConfigError(f"--{identity}-certificate and --{identity}-key go together")
    return {identity: Chain(certificate=certificate, key=key)} if certificate and key else {}


def _write_reports(
    suite: str,
    url: str,
    all_judged: Sequence[Judged],
    known: Known,
    *,
    junit_file: Path | None,
    html_file: Path | None,
    transcripts: Path | None,
) -> None:
    if junit_file:
        junit_file.write_bytes(junit(suite, url, all_judged))
    if html_file:
        html_file.write_text(html(suite, url, all_judged, known, at=datetime.now(UTC)), encoding="utf-8")
    if transcripts:
        transcripts.mkdir(parents=True, exist_ok=True)
        for judged in all_judged:
            file = transcripts / f"{judged.outcome.procedure.id}.txt"
            file.write_text(transcript(judged.outcome), encoding="utf-8")


if __name__ == "__main__":
    main()
