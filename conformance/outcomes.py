"""What a run found out, as values: reports read these."""

from dataclasses import dataclass
from enum import StrEnum

from conformance.exchanges import Exchange
from conformance.procedure import Procedure


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    """A precondition could not be made, so nothing was judged."""
    NOT_RUN = "not run"
    """The tester did not give what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check, judged."""

    check_id: str
    clauses: tuple[str, ...]
    passed: bool
    expected: str
    found: str
    line: int
    """Of the step, in the procedure's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One procedure, run."""

    procedure: Procedure
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why it was blocked, not run, or ended before its last step."""
    exchanges: tuple[Exchange, ...] = ()
    elapsed_s: float = 0.0

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.passed)

    @property
    def shortcomings(self) -> dict[str, str]:
        """What kept it from passing, by the name under which ``known.toml`` may expect it, with what was found."""
        match self.verdict:
            case Verdict.PASSED:
                return {}
            case Verdict.BLOCKED:
                return {"blocked": self.reason}
            case Verdict.NOT_RUN:
                return {"not-run": self.reason}
            case Verdict.FAILED:
                failed = {finding.check_id: finding.found for finding in self.failures}
                return failed | ({"stopped": self.reason} if self.reason else {})
