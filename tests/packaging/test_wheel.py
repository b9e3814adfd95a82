"""The wheel holds the data it must and nothing it must not, and works with the source moved away."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made of the tracked files alone, in a copy, so that the checkout cannot help it."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", str(out), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the wheel, our dependencies, and no sight of the checkout."""
    home = tmp_path_factory.mktemp("wheel-env")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Dependencies come from the environment that runs the tests; the editable finder of the checkout must not.
    dependencies = Path(next(p for p in sys.path if p.endswith("site-packages")))
    for entry in dependencies.iterdir():
        if "openadr" not in entry.name.lower() and entry.suffix != ".pth" and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return home / "bin" / "python"


def test_only_our_import_names(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"openadr_core", "openadr_ven", "openadr_vtn", "conformance"}


def test_every_schema_and_profile_is_in(names: set[str]) -> None:
    for folder in ("schemas", "certs/profiles"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in {".xsd", ".toml", ".yaml"}:
                assert f"openadr_core/_data/{path.relative_to(ROOT).as_posix()}" in names


def test_every_procedure_template_and_migration_is_in(names: set[str]) -> None:
    for package in ("conformance", "openadr_core", "openadr_vtn", "openadr_ven"):
        for path in (ROOT / package).rglob("*"):
            if (
                path.suffix in {".yaml", ".html", ".j2", ".css", ".js", ".mako", ".py"}
                and "__pycache__" not in path.parts
            ):
                assert path.relative_to(ROOT).as_posix() in names


def test_no_key_is_in(names: set[str]) -> None:
    assert not {name for name in names if Path(name).suffix == ".key" or "/dev/" in name}


@pytest.mark.parametrize("command", ["openadr_vtn", "openadr_ven", "conformance"])
def test_each_command_speaks_from_the_wheel(installed_python: Path, tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [installed_python, "-I", "-m", command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_the_wheel_validates_a_message_with_its_own_schemas(installed_python: Path, tmp_path: Path) -> None:
    program = (
        "import openadr_core, pathlib\n"
        "from openadr_core.shell.datafiles import data_path\n"
        "found = data_path('schemas/openadr20b')\n"
        "home = pathlib.Path(openadr_core.__file__).parent\n"
        "assert home in pathlib.Path(found).parents, found\n"
        "assert any(pathlib.Path(found).glob('*.xsd'))\n"
    )
    done = subprocess.run(
        [installed_python, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
