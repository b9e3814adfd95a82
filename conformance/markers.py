"""Which tests say that they hold this project to a rule: their markers, read without running them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openadr_core.errors import ConfigError

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One marker: a test (or a class, or a whole file of them) and the rules that it names."""

    test: str
    """As pytest takes it: ``tests/…/test_x.py::test_y``."""
    line: int
    rules: tuple[str, ...]


def own_tests() -> Path | None:
    """The tests of the checkout that this package is part of; none where it is installed, for they are not shipped."""
    folder = CHECKOUT / "tests"
    return folder if folder.is_dir() and (CHECKOUT / "pyproject.toml").is_file() else None


def marked_tests(folder: Path, protocol: str) -> Iterator[Marked]:
    """Every ``pytest.mark.<protocol>("R58", …)`` in the test files below the folder."""
    for file in sorted(folder.rglob("test_*.py")):
        name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
        yield from _in_body(tree, name, protocol)


def _in_body(tree: ast.Module | ast.ClassDef, name: str, protocol: str) -> Iterator[Marked]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")]):
                yield from _markers([node.value], name, protocol)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _markers(node.decorator_list, f"{name}::{node.name}", protocol)
            case ast.ClassDef():
                yield from _markers(node.decorator_list, f"{name}::{node.name}", protocol)
                yield from _in_body(node, f"{name}::{node.name}", protocol)


def _markers(expressions: list[ast.expr], test: str, protocol: str) -> Iterator[Marked]:
    """Markers among these, and inside them: one case of a parametrised test may have its own."""
    for node in (inner for expression in expressions for inner in ast.walk(expression)):
        match node:
            case ast.Call(func=ast.Attribute(attr=attribute, value=ast.Attribute(attr="mark"))) if (
                attribute == protocol
            ):
                yield Marked(test=test, line=node.lineno, rules=tuple(_rule(argument, test) for argument in node.args))


def _rule(argument: ast.expr, test: str) -> str:
    match argument:
        case ast.Constant(value=str(rule)):
            return rule
    raise ConfigError(f"{test}: line {argument.lineno}: a rule is named by a plain text")
