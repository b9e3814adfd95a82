"""What a reader has no name for is passed over, and nothing else."""

import pytest

from openadr_core.sep2.decode import read
from openadr_core.sep2.extensions import pass_over
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse

SPACES = (
    'xmlns="urn:ieee:std:2030.5:ns" xmlns:aus="https://csipaus.org/ns" xmlns:aus13="https://csipaus.org/ns/v1.3" '
    'xmlns:x="https://utility.example/x"'
)
WATTS = "<multiplier>0</multiplier><value>7</value>"


def default(inside: str, more: str = "") -> bytes:
    base = f"<mRID>0A</mRID><DERControlBase>{inside}</DERControlBase>"
    return f"<DefaultDERControl {SPACES} {more}>{base}</DefaultDERControl>".encode()


@pytest.mark.ieee2030_5("C16", "P1")
@pytest.mark.parametrize(
    ("inside", "more"),
    [
        (f"<opModTargetW>{WATTS}</opModTargetW><x:opModLater><x:value>1</x:value></x:opModLater>", ""),
        (f"<opModLater>{WATTS}</opModLater><opModTargetW>{WATTS}</opModTargetW>", ""),
        (f'<opModTargetW x:sure="1" sure="1"><x:why/>{WATTS}</opModTargetW>', 'later="1" x:later="1"'),
        (f"<opModTargetW>{WATTS}</opModTargetW><aus13:opModStorageTargetW>{WATTS}</aus13:opModStorageTargetW>", ""),
        (f"<opModTargetW>{WATTS}</opModTargetW><x:opModTargetW>{WATTS}</x:opModTargetW>", ""),
    ],
)
def test_what_is_newer_or_of_somebody_s_own_is_passed_over(inside: str, more: str) -> None:
    schema = load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")
    root = parse(default(inside, more))
    assert not schema.is_valid(root)
    pass_over(root, csipaus=CsipAus.V1_2)
    schema.validate(root)
    base = read(root).der_control_base
    assert (base.op_mod_target_w.value, base.op_mod_storage_target_w) == (7, None)


def test_what_is_known_stays() -> None:
    root = parse(
        default(f"<opModTargetW>{WATTS}</opModTargetW><aus:opModExpLimW>{WATTS}</aus:opModExpLimW>", 'href="/d"')
    )  # fmt: skip
    before = read(root)
    pass_over(root, csipaus=CsipAus.V1_2)
    assert read(root) == before


def test_what_is_wrong_stays_wrong() -> None:
    schema = load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")
    root = parse(default("<opModTargetW><multiplier>0</multiplier></opModTargetW>"))
    pass_over(root, csipaus=CsipAus.V1_2)
    assert not schema.is_valid(root)


def test_of_a_document_of_which_nothing_is_known_all_stays() -> None:
    root = parse(f"<Later {SPACES}><x:a/></Later>".encode())
    pass_over(root, csipaus=None)
    assert len(root) == 1
