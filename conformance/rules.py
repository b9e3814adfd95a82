"""Which rule of a standard is tried by which procedure and held by which test, and which by none."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.loading import Suite
from conformance.markers import Marked
from openadr_core.errors import ConfigError

RULES = Path(__file__).parent / "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    """As the standard numbers it, ``R403``; or as the project numbers what its prose requires, ``G3``, ``R-12``."""
    binds: str
    """``VTN``, ``VEN`` or ``both``; ``VTN-A`` and ``VEN-A`` where only the 2.0a profile is meant."""
    gist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    rule: Rule
    checks: tuple[str, ...]
    """``suite:procedure/check`` names of the checks that cite it."""
    failing: tuple[str, ...]
    """Those of them that this project's own product is known to fail."""
    tests: tuple[str, ...]
    reason: str
    """Why nothing covers it; empty if something should."""

    @property
    def covered(self) -> bool:
        return bool(self.tests) or len(self.failing) < len(self.checks)

    @property
    def as_expected(self) -> bool:
        """Covered, or not and with a reason: a reason for a rule that is covered has had its day."""
        return self.covered is not bool(self.reason)


def protocols_with_rules() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in RULES.glob("*.toml")))


def load_rules(protocol: str) -> tuple[Rule, ...]:
    if protocol not in protocols_with_rules():
        raise ConfigError(f"no rules of {protocol!r}; there are {', '.join(protocols_with_rules())}")
    table = tomllib.loads((RULES / f"{protocol}.toml").read_text(encoding="utf-8"))
    return tuple(Rule(id=name, binds=binds, gist=gist) for name, (binds, gist) in table.items())


def coverage(
    rules: tuple[Rule, ...],
    suites: Iterable[Suite],
    tests: Iterable[Marked],
    reasons: Mapping[str, str],
    failing: frozenset[str] = frozenset(),
) -> Iterator[Coverage]:
    """Every rule with the checks that cite it and the tests that name it."""
    citing = _by_rule((f"{suite.name}:{name}", clauses) for suite in suites for name, clauses in _checks(suite))
    naming = _by_rule((marked.test, marked.rules) for marked in tests)
    known = {rule.id for rule in rules}
    if unknown := sorted({*naming, *reasons} - known):
        where = next(iter(naming.get(unknown[0], ["known.toml"])))
        raise ConfigError(f"{where}: {unknown[0]} is no rule")
    for rule in rules:
        checks = tuple(citing.get(rule.id, ()))
        yield Coverage(
            rule=rule,
            checks=checks,
            failing=tuple(check for check in checks if check in failing),
            tests=tuple(naming.get(rule.id, ())),
            reason=reasons.get(rule.id, ""),
        )


def _checks(suite: Suite) -> Iterator[tuple[str, tuple[str, ...]]]:
    for procedure in suite.procedures:
        for check in procedure.checks:
            yield f"{procedure.id}/{check.id}", check.clauses


def _by_rule(named: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, dict[str, None]]:
    """The names under each rule, once each and in order."""
    found: dict[str, dict[str, None]] = {}
    for name, rules in named:
        for rule in rules:
            found.setdefault(rule, {})[name] = None
    return found
