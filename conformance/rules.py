"""Which rule of a standard is tried by which procedure, and which by none."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.loading import Suite
from openadr_core.errors import ConfigError

RULES = Path(__file__).parent / "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    """As the standard numbers it: ``R403``."""
    binds: str
    """``VTN``, ``VEN`` or ``both``; ``VTN-A`` and ``VEN-A`` where only the 2.0a profile is meant."""
    gist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    rule: Rule
    checks: tuple[str, ...]
    """``procedure/check`` names."""
    not_done: str
    """Why this project's own products do not keep the rule yet; empty if they should."""


def protocols_with_rules() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in RULES.glob("*.toml")))


def load_rules(protocol: str) -> tuple[Rule, ...]:
    if protocol not in protocols_with_rules():
        raise ConfigError(f"no rules of {protocol!r}; there are {', '.join(protocols_with_rules())}")
    table = tomllib.loads((RULES / f"{protocol}.toml").read_text(encoding="utf-8"))
    return tuple(Rule(id=name, binds=binds, gist=gist) for name, (binds, gist) in table.items())


def coverage(rules: tuple[Rule, ...], suites: tuple[Suite, ...], not_done: Mapping[str, str]) -> Iterator[Coverage]:
    """Every rule with the checks that cite it."""
    citing: dict[str, list[str]] = {}
    for suite in suites:
        for procedure in suite.procedures:
            for check in procedure.checks:
                for clause in check.clauses:
                    citing.setdefault(clause, []).append(f"{procedure.id}/{check.id}")
    for rule in rules:
        yield Coverage(rule=rule, checks=tuple(citing.get(rule.id, ())), not_done=not_done.get(rule.id, ""))
