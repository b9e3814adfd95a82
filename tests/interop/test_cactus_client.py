"""The test client of CSIP-AUS, cactus-client, tries our VTN over mutual TLS: what we say it passes, it passes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cactus_lab import CactusLab, cactus_lab
from .sep2_utility import MISSING, STRANGERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "interop-ieee2030_5.md"
ROW = re.compile(r"^\| (S-[A-Z]+-\d+) \|[^|]*\| ([a-z, ]+) \| in CI \|", re.MULTILINE)
PROCEDURES = {name: kinds.split(", ") for name, kinds in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CactusLab]:
    if not STRANGERS.exists():
        pytest.skip(MISSING)
    with cactus_lab(tmp_path_factory.mktemp("cactus")) as lab:
        yield lab


@pytest.mark.timeout(300)
@pytest.mark.ieee2030_5(
    "T7", "T8", "T9", "T10", "M4", "M8", "L2", "L6", "F2", "F3", "F7", "F8", "F9", "F11", "F14", "F15"
)
@pytest.mark.ieee2030_5("D1", "E1", "E3", "N1", "N3", "A1", "A2", "A4")
def test_what_the_document_says_passes(lab: CactusLab) -> None:
    printed = lab.run(PROCEDURES, within_s=200)
    verdicts = {name: verdict for verdict, name in re.findall(r"^(PASS|FAIL) (S-\S+)$", printed, re.MULTILINE)}
    assert verdicts == dict.fromkeys(PROCEDURES, "PASS"), printed
    assert len(PROCEDURES) > 40
