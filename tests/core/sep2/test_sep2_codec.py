"""Every message of IEEE 2030.5: written, valid by our schemas, and read back as it was."""

import random

import pytest
from lxml import etree

from openadr_core.errors import MalformedMessage
from openadr_core.sep2.controls import DERControlBase
from openadr_core.sep2.decode import read
from openadr_core.sep2.devices import EndDevice
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import SEP, CsipAus
from openadr_core.sep2.plan import message_types, parts_of
from openadr_core.sep2.quantities import ActivePower
from openadr_core.shell.datafiles import load_schema
from tests.core.sep2.values import DOCUMENTS, made

SCHEMAS = {
    None: "schemas/ieee2030_5/sep.xsd",
    CsipAus.V1_2: "schemas/ieee2030_5/csipaus-1.2.xsd",
    CsipAus.V1_3: "schemas/ieee2030_5/csipaus-1.3.xsd",
}
FULLNESS = (1.0, 0.5, 0.0)


@pytest.mark.parametrize("csipaus", SCHEMAS, ids=["CSIP", "CSIP-AUS 1.2", "CSIP-AUS 1.3"])
@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.ieee2030_5("M3")
def test_what_is_written_is_valid_and_reads_back(name: str, csipaus: CsipAus | None) -> None:
    schema = load_schema(SCHEMAS[csipaus])
    dice = random.Random(name)
    for fullness in FULLNESS:
        message = made(message_types()[name], dice, fullness=fullness, csipaus=csipaus)
        root = etree.fromstring(encode(message, csipaus=csipaus))
        schema.validate(root)
        assert read(root) == message


@pytest.mark.ieee2030_5("P1")
def test_a_reader_of_an_older_profile_sees_nothing_newer() -> None:
    watts = ActivePower(multiplier=0, value=5000)
    base = DERControlBase(op_mod_connect=True, op_mod_exp_lim_w=watts, op_mod_storage_target_w=watts)
    texts = {version: encode(base, csipaus=version).decode() for version in SCHEMAS}
    assert "opModExpLimW" not in texts[None]
    assert "csipaus" not in texts[None]
    assert "opModExpLimW" in texts[CsipAus.V1_2]
    assert "opModStorageTargetW" not in texts[CsipAus.V1_2]
    assert "opModStorageTargetW" in texts[CsipAus.V1_3]
    assert CsipAus.V1_3.value not in texts[CsipAus.V1_2]


def test_limits_are_in_the_order_of_the_profile_and_not_of_its_bits() -> None:
    names = [part.name for part in parts_of(DERControlBase) if part.versions is not None]
    assert names == ["opModImpLimW", "opModExpLimW", "opModGenLimW", "opModLoadLimW", "opModStorageTargetW"]


def test_an_unknown_message_is_refused_by_name_and_an_unknown_element_passed_over() -> None:
    with pytest.raises(MalformedMessage, match="Toaster"):
        read(etree.fromstring(f'<Toaster xmlns="{SEP}"/>'))
    device = read(
        etree.fromstring(f'<EndDevice xmlns="{SEP}"><sFDI>1</sFDI><changedTime>5</changedTime><new>1</new></EndDevice>')
    )
    assert device == EndDevice(sfdi=1, changed_time=5)
