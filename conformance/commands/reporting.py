"""What every run has in common on the command line: which procedures, what is expected, and what is left behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from conformance.known import KNOWN_FILE, Judged, Known, judge, load_known
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.reports import table
from conformance.reports.html import html
from conformance.reports.junit import junit
from conformance.reports.transcript import transcript
from openadr_core.errors import ConfigError

EXIT_SURPRISED = 1
READ = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """The options of every run."""

    only: tuple[str, ...]
    target: str
    known: Path
    junit: Path | None
    html: Path | None
    transcript: Path | None

    def check(self, suite: Suite) -> None:
        """Refuse a name in --only that no procedure has."""
        if unknown := set(self.only) - {procedure.id for procedure in suite.procedures}:
            names = ", ".join(sorted(unknown))
            raise ConfigError(f"--only: no procedure {names}; see: openadr-conformance list {suite.name}")

    def report(self, suite: Suite, url: str, outcomes: Iterator[Outcome]) -> int:
        """Run, print, write what was asked for; the exit status."""
        expected = load_known(self.known, self.target, suite) if self.target else Known()
        click.echo(table.heading())
        all_judged: list[Judged] = []
        for outcome in outcomes:
            judged = judge(outcome, expected)
            all_judged.append(judged)
            click.echo("\n".join([table.row(judged), *table.details(judged)]))
        click.echo(table.summary(all_judged))
        if self.junit:
            self.junit.write_bytes(junit(suite.name, url, all_judged))
        if self.html:
            page = html(suite.name, url, all_judged, expected, at=datetime.now(UTC))
            self.html.write_text(page, encoding="utf-8")
        if self.transcript:
            self.transcript.mkdir(parents=True, exist_ok=True)
            for judged in all_judged:
                file = self.transcript / f"{judged.outcome.procedure.id}.txt"
                file.write_text(transcript(judged.outcome), encoding="utf-8")
        return 0 if all(judged.as_expected for judged in all_judged) else EXIT_SURPRISED


_OPTIONS = (
    click.option("--only", multiple=True, metavar="ID", help="Run this procedure only; may be given again."),
    click.option("--target", default="", metavar="NAME", help="Whose expected failures apply: a section of --known."),
    click.option("--known", type=READ, default=KNOWN_FILE, help="File of expected failures with their reasons."),
    click.option("--junit", type=WRITTEN, help="Write JUnit XML here."),
    click.option("--html", type=WRITTEN, help="Write an HTML report here, with every exchange, redacted."),
    click.option(
        "--transcript",
        type=click.Path(file_okay=False, path_type=Path),
        help="Write each procedure's exchanges into this folder, redacted.",
    ),
)


def reporting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options to a command, which takes them as one ``reporting``."""

    def collected(
        *,
        only: tuple[str, ...],
        target: str,
        known: Path,
        junit: Path | None,
        html: Path | None,
        transcript: Path | None,
        **others: Any,
    ) -> Any:
        reporting = Reporting(only=only, target=target, known=known, junit=junit, html=html, transcript=transcript)
        return command(reporting=reporting, **others)

    collected.__doc__ = command.__doc__
    wrapped: Callable[..., Any] = collected
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
