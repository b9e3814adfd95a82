"""The plain table that a terminal or a README shows."""

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.known import Judged

_LINE = "{id:<30} {label:<16} {checks:>7} {seconds:>8}"


def heading() -> str:
    return _LINE.format(id="procedure", label="verdict", checks="checks", seconds="seconds")


def row(judged: Judged) -> str:
    outcome = judged.outcome
    passed = len(outcome.findings) - len(outcome.failures)
    return _LINE.format(
        id=outcome.procedure.id,
        label=judged.label,
        checks=f"{passed}/{len(outcome.procedure.checks)}" if outcome.findings else "-",
        seconds=f"{outcome.elapsed_s:.2f}",
    )


def details(judged: Judged) -> Iterator[str]:
    """What a reader must know beyond the row: only of what did not pass, or should not have."""
    findings = {finding.check_id: finding for finding in judged.outcome.findings}
    for name, found in judged.surprises.items():
        if name in findings:
            clauses = ", ".join(findings[name].clauses)
            yield printable(f"  ✗ {name} ({clauses}): expected {findings[name].expected}; found {found}")
        else:
            yield printable(f"  ✗ {name}: {found}")
    for name, reason in judged.known.items():
        yield f"  · {name}: known: {reason}"
    for name, reason in judged.unexpected_passes.items():
        yield f"  ! {name} was expected to fail and did not: {reason}"


def printable(text: str) -> str:
    """One line of text: the peer's own words may hold what a terminal obeys, or what XML cannot hold."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def summary(all_judged: Sequence[Judged]) -> str:
    counts = Counter(judged.label for judged in all_judged)
    told = ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
    surprising = sum(not judged.as_expected for judged in all_judged)
    return f"{told}; {'all as expected' if not surprising else f'{surprising} not as expected'}"
