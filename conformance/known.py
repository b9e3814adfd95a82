"""What a target is known not to do: a file with reasons, in which an unexpected pass is a failure too."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.loading import Suite
from conformance.outcomes import Outcome, Verdict
from openadr_core.errors import ConfigError

KNOWN_FILE = Path(__file__).parent / "known.toml"
OWN_TARGET = "openadr-der"
"""This project's own products, as the file names them."""
UNJUDGED = frozenset({"blocked", "not-run"})
"""Entries that stand for every check of their procedure."""
NO_CHECK = UNJUDGED | {"stopped"}
"""What an entry may name beside a check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Per procedure, the checks expected to fail, each with its reason."""

    description: str = ""
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An outcome beside what was expected of it."""

    outcome: Outcome
    known: Mapping[str, str]
    """Shortcomings that were expected, with their reasons."""
    surprises: Mapping[str, str]
    """Shortcomings that were not, with what was found."""
    unexpected_passes: Mapping[str, str]
    """Expected shortcomings that did not show, with the reason that no longer holds."""

    @property
    def as_expected(self) -> bool:
        return not self.surprises and not self.unexpected_passes

    @property
    def label(self) -> str:
        """The verdict in one or two words, for a table."""
        if self.unexpected_passes and not self.surprises:
            return "unexpected pass"
        excused = self.as_expected and self.outcome.verdict is not Verdict.PASSED
        return f"{self.outcome.verdict} (known)" if excused else str(self.outcome.verdict)


def judge(outcome: Outcome, known: Known) -> Judged:
    expected = known.reasons.get(outcome.procedure.id, {})
    shortcomings = outcome.shortcomings
    return Judged(
        outcome=outcome,
        known={name: reason for name, reason in expected.items() if name in shortcomings},
        surprises={name: found for name, found in shortcomings.items() if name not in expected},
        unexpected_passes={name: reason for name, reason in expected.items() if name not in shortcomings},
    )


def load_known(file: Path, target_name: str, suite: Suite) -> Known:
    """The section of one target. A name that no procedure or check has is refused: it would excuse nothing for ever."""
    section = _table(file).get("targets", {}).get(target_name)
    if section is None:
        raise ConfigError(f"{file}: no section [targets.{target_name}]")
    procedures = {procedure.id: procedure for procedure in suite.procedures}
    reasons: dict[str, dict[str, str]] = {}
    for procedure_id, entries in section.get(suite.name, {}).items():
        if procedure_id not in procedures:
            raise ConfigError(f"{file}: [targets.{target_name}.{suite.name}.{procedure_id}]: no such procedure")
        checks = {check.id for check in procedures[procedure_id].checks} | NO_CHECK
        for name, reason in entries.items():
            if name not in checks or not isinstance(reason, str) or not reason.strip():
                raise ConfigError(f"{file}: {procedure_id}.{name}: no such check, or no reason")
        reasons[procedure_id] = dict(entries)
    return Known(description=str(section.get("description", "")), reasons=reasons)


def own_failures(file: Path, suite: Suite) -> frozenset[str]:
    """``suite:procedure/check`` of every check that this project's own product is known to fail."""
    expected = load_known(file, OWN_TARGET, suite).reasons
    return frozenset(
        f"{suite.name}:{procedure.id}/{check.id}"
        for procedure in suite.procedures
        for check in procedure.checks
        if {check.id, *UNJUDGED} & set(expected.get(procedure.id, {}))
    )


def load_not_done(file: Path, protocol: str) -> dict[str, str]:
    """Rules that nothing holds this project's own products to, with the reason."""
    return {rule: str(reason) for rule, reason in _table(file).get("not-done", {}).get(protocol, {}).items()}


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ConfigError(f"{file}: {fault}") from None
