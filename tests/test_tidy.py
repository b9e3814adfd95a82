"""The house rules that a linter does not know, held as a ratchet."""

import ast
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("openadr_core", "openadr_vtn", "openadr_ven", "conformance", "demo")
PURE = (
    "openadr_core/model", "openadr_core/xml", "openadr_core/oadr2", "openadr_core/oadr3", "openadr_core/pki",
    "openadr_core/errors.py", "openadr_core/identity.py", "openadr_core/exchange.py", "openadr_core/units.py",
    "openadr_vtn/domain", "openadr_vtn/application", "openadr_vtn/protocols",
    "openadr_ven/domain", "openadr_ven/application", "openadr_ven/protocols",
    "openadr_ven/fleet", "openadr_ven/dispatch",
    "openadr_ven/gateways/contract.py", "openadr_ven/gateways/codec.py", "openadr_ven/gateways/acknowledgement.py",
    "openadr_ven/gateways/edge/core.py", "openadr_ven/gateways/edge/driver.py", "openadr_ven/gateways/edge/leases.py",
    "openadr_ven/gateways/cloud/mapping.py", "openadr_ven/gateways/cloud/pace.py",
    "openadr_ven/gateways/ocpp/metering.py", "openadr_ven/gateways/ocpp/profiles.py",
    "openadr_ven/gateways/ocpp/station.py",
)  # fmt: skip

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_manager"}
VAGUE_PREFIXES = ("get_", "process_")
NAMED_BY_OTHERS = {"_get_ssl_context", "get_command", "process_bind_param", "process_result_value"}
"""What aiohttp calls on a connector, click on a group, SQLAlchemy on a column type."""
IMPURE_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic", "time.sleep",
    "random.random", "random.randint", "random.choice", "random.uniform", "uuid.uuid4", "uuid.uuid1",
    "os.urandom", "secrets.token_hex", "secrets.token_bytes", "secrets.token_urlsafe", "open", "Path",
    "np.load", "np.fromfile", "np.memmap", "np.random.default_rng", "numpy.random.default_rng",
}  # fmt: skip


def tracked(*patterns: str) -> list[Path]:
    """Files of the checkout that git knows, or will know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def product_files() -> list[Path]:
    return [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in PACKAGES]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_files_are_short() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in tracked("*.py")}
    long = {name: length for name, length in lengths.items() if length > FILE_LINES_MAX}
    assert not long


def test_functions_are_short() -> None:
    long = {
        f"{named(path)}:{node.name}": length
        for path in product_files()
        for node in functions(ast.parse(path.read_text()))
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


def test_names_say_something() -> None:
    vague_files = [named(path) for path in product_files() if {path.stem, path.parent.name} & VAGUE_NAMES]
    vague_functions = [
        f"{named(path)}:{node.name}"
        for path in product_files()
        for node in functions(ast.parse(path.read_text()))
        if node.name.lstrip("_").startswith(VAGUE_PREFIXES) and node.name not in NAMED_BY_OTHERS
    ]
    vague_classes = [
        f"{named(path)}:{node.name}"
        for path in product_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Util", "Utils"))
    ]
    assert not vague_files + vague_functions + vague_classes


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        named(path)
        for path in product_files()
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent


def test_pure_code_reads_no_clock_rolls_no_dice_opens_no_file() -> None:
    guilty = [
        f"{named(path)}:{node.lineno} {name}"
        for path in product_files()
        if named(path).startswith(PURE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and (name := _called(node)) in IMPURE_CALLS
    ]
    assert not guilty


@pytest.mark.parametrize("source", ["datetime.now()", "random.random()", "open('x')", "np.load('x')"])
def test_the_purity_check_sees_what_it_forbids(source: str) -> None:
    (call,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    assert _called(call) in IMPURE_CALLS


def test_no_test_module_hides_another() -> None:
    twice = [name for name, count in Counter(path.name for path in tracked("tests/**/test_*.py")).items() if count > 1]
    assert not twice


def test_no_private_key_is_tracked() -> None:
    found = [
        named(path)
        for path in tracked()
        if path.suffix in {".key", ".p12", ".pfx"} or _holds_a_key(path)
    ]  # fmt: skip
    assert not found


def test_no_todo_without_an_issue() -> None:
    naked = [
        f"{named(path)}:{number}"
        for path in tracked("*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if any(word in line for word in ("# TODO", "# FIXME", "# XXX")) and "TODO(#" not in line
    ]
    assert not naked


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute):
        return ast.unparse(function)
    return ""


def _holds_a_key(path: Path) -> bool:
    if path.suffix not in {".pem", ".toml", ".yaml", ".yml", ".json", ".txt", ".md"}:
        return False
    return "PRIVATE KEY-----" in path.read_text(errors="replace")
