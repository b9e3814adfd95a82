"""The rules of a standard as text, each with what covers it."""

from collections.abc import Iterator, Sequence

from conformance.rules import Coverage

_INDENT = " " * 14


def lines(item: Coverage) -> Iterator[str]:
    """The rule, the checks that try it, the tests that hold it, and why none does."""
    yield f"{item.rule.id:<6} {item.rule.binds:<6} {item.rule.gist}"
    for check in item.checks:
        yield f"{_INDENT}check {check}{' (known to fail)' if check in item.failing else ''}"
    for test in item.tests:
        yield f"{_INDENT}test  {test}"
    if item.reason:
        yield f"{_INDENT}{'covered, and yet ' if item.covered else ''}not done: {item.reason}"
    elif not item.covered:
        yield f"{_INDENT}covered by nothing"


def summary(all_items: Sequence[Coverage]) -> str:
    covered = [item for item in all_items if item.covered]
    checked = sum(len(item.failing) < len(item.checks) for item in all_items)
    tested = sum(bool(item.tests) for item in all_items)
    excused = sum(bool(item.reason) and not item.covered for item in all_items)
    missing = [item.rule.id for item in all_items if not item.covered and not item.reason]
    stale = [item.rule.id for item in covered if item.reason]
    told = (
        f"{len(covered)} of {len(all_items)} rules are covered, {checked} by checks and {tested} by tests; "
        f"{excused} are not, with a reason"
    )
    told += f"\nCovered by nothing, for no reason: {', '.join(missing)}" if missing else ""
    return told + (f"\nCovered, and yet with a reason: {', '.join(stale)}" if stale else "")
