"""Every kind of check passes what it should and, which matters more, fails what it should."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from conformance.answers import Answer, Sight
from conformance.check_kinds import KINDS, read_check
from conformance.checks import Check
from conformance.client.sealing import Sealing
from conformance.client.steps import Seal
from conformance.openadr20b import envelope
from conformance.vtn.foreign import foreign_chain
from conformance.yaml_nodes import Section
from openadr_core.errors import ConfigError
from openadr_core.oadr2.xmldsig import signer_of
from openadr_core.xml.parse import parse

POLLED = """<oadr:oadrResponse ei:schemaVersion="2.0b"><ei:eiResponse><ei:responseCode>452</ei:responseCode>
<pyld:requestID>r1</pyld:requestID></ei:eiResponse><ei:venID>ven-1</ei:venID></oadr:oadrResponse>"""

EVENT = """<oadr:oadrDistributeEvent><oadr:oadrEvent><ei:eiEvent>
<ei:eiActivePeriod><xcal:properties><xcal:duration><xcal:duration>PT30M</xcal:duration></xcal:duration></xcal:properties>
</ei:eiActivePeriod><ei:eiEventSignals><ei:eiEventSignal><strm:intervals>
<ei:interval><xcal:duration><xcal:duration>PT10M</xcal:duration></xcal:duration></ei:interval>
<ei:interval><xcal:duration><xcal:duration>{second}</xcal:duration></xcal:duration></ei:interval>
</strm:intervals></ei:eiEventSignal></ei:eiEventSignals></ei:eiEvent></oadr:oadrEvent></oadr:oadrDistributeEvent>"""

SUM = """durations_sum:
  each: //ei:eiEventSignal
  parts: strm:intervals/ei:interval/xcal:duration/xcal:duration
  whole: string(ancestor::ei:eiEvent/ei:eiActivePeriod/xcal:properties/xcal:duration/xcal:duration)
"""

AT_MOST = """durations_at_most:
  each: //ei:interval
  shorter: string(xcal:duration/xcal:duration)
  longer: string(ancestor::ei:eiEvent/ei:eiActivePeriod/xcal:properties/xcal:duration/xcal:duration)
"""

SORTED = """sorted:
  each: //pair
  by: [one, -two]
"""


def pairs(*texts: str) -> str:
    told = (text.split() for text in texts)
    return "".join(f"<pair xmlns=''><one>{one}</one><two>{two}</two></pair>" for one, two in told)


def answered(payload: str = POLLED, *, status: int = 200, elapsed_s: float = 0.01, **headers: str) -> Answer:
    body = envelope(payload).encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(status=status, headers=named, body=body, elapsed_s=elapsed_s, root=parse(body))


def asked(method: str, path: str) -> Answer:
    body = envelope(POLLED).encode()
    return Answer(method=method, path=path, body=body, root=parse(body))


def sealed(seal: Seal, **otherwise: Any) -> Answer:
    """What came signed, on a connection of the signer's."""
    with TemporaryDirectory() as folder:
        own, another = (foreign_chain(Path(folder, name)) for name in ("own", "another"))
        body = Sealing(own, another=another).sealed(envelope(POLLED).encode(), seal)
        sha256 = signer_of(own.certificate.read_bytes(), own.key.read_bytes()).certificate_sha256
    came = Answer(status=200, body=body, root=parse(body), came_at=datetime.now(UTC), peer_sha256=sha256)
    return replace(came, **otherwise)


SILENCE = Answer(failure="no answer: timed out")
REFUSED = Answer(failure="closed", refused=True)

# The check as a procedure writes it, an answer that it passes, and answers that it fails.
TABLE: list[tuple[str, Answer, list[Answer]]] = [
    ("status: 200", answered(), [answered(status=500), SILENCE]),
    ("status: [404, 406]", answered(status=406), [answered(status=200), SILENCE]),
    ("{header: Content-Type, equals: application/xml}", answered(Content_Type="application/xml"),
     [answered(Content_Type="text/xml"), answered(), SILENCE]),
    ("{header: Content-Length, matches: '^[0-9]+$'}", answered(content_length="12"),
     [answered(content_length="many"), answered(), SILENCE]),
    ("{header: Transfer-Encoding, missing: true}", answered(), [answered(Transfer_Encoding="chunked"), SILENCE]),
    ("payload: oadrResponse", answered(), [answered(EVENT), answered("<ei:venID/>"), SILENCE]),
    ("payload: [oadrResponse, oadrDistributeEvent]", answered(EVENT), [answered("<oadr:oadrPoll/>"), SILENCE]),
    ("response_code: '452|463'", answered(), [answered(POLLED.replace("452", "200")), answered(EVENT), SILENCE]),
    ("{xpath: string(//ei:venID), equals: '${ven_id}'}", answered(), [answered(POLLED.replace("ven-1", "x")), SILENCE]),
    ("{xpath: count(//ei:venID), equals: '1'}", answered(), [answered(EVENT), SILENCE]),
    ("{xpath: //ei:venID, matches: '^ven-'}", answered(), [answered(POLLED.replace("ven-1", "x")), answered(EVENT)]),
    ("present: //ei:venID[. = $ven_id]", answered(), [answered(POLLED.replace("ven-1", "x")), SILENCE]),
    ("absent: //ei:eiEvent", answered(), [answered(EVENT), SILENCE]),
    ("holds: count(//ei:interval) = 2", answered(EVENT.format(second="PT1M")), [answered(), SILENCE]),
    ("schema: valid", answered(), [answered(EVENT), SILENCE]),
    ("elapsed_below_s: 0.1", answered(elapsed_s=0.09), [answered(elapsed_s=0.2), SILENCE]),
    (SUM, answered(EVENT.format(second="PT20M")),
     [answered(EVENT.format(second="PT19M")), answered(EVENT.format(second="soon")), answered(), SILENCE]),
    ("elapsed_above_s: 0.1", answered(elapsed_s=0.11), [answered(elapsed_s=0.09), SILENCE]),
    ("{header: Accept, equals: application/xml, optional: true}", answered(),
     [answered(Accept="text/html"), SILENCE]),
    (AT_MOST, answered(EVENT.format(second="PT20M")), [answered(EVENT.format(second="PT31M")), answered(), SILENCE]),
    ("service: EiEvent", asked("POST", "/prefix/OpenADR2/Simple/2.0b/EiEvent"),
     [asked("PUT", "/OpenADR2/Simple/2.0b/EiEvent"), asked("POST", "/OpenADR2/Simple/2.0b/EiOpt"), SILENCE]),
    ("body: empty", Answer(status=200), [answered(), SILENCE]),
    ("silence: kept", Answer(failure="nothing came", silent=True), [asked("POST", "/"), SILENCE]),
    ("signed: well", sealed(Seal.GOOD),
     [sealed(Seal.TAMPERED), sealed(Seal.WRAPPED), sealed(Seal.ANOTHER), sealed(Seal.OLD), answered(), SILENCE,
      sealed(Seal.GOOD, peer_sha256="other"), sealed(Seal.GOOD, came_at=None),
      sealed(Seal.GOOD, came_at=datetime.now(UTC) - timedelta(hours=1))]),
    ("handshake: refused", REFUSED, [SILENCE, answered()]),
    ("status: 4XX", answered(status=418), [answered(status=200), answered(status=500), SILENCE]),
    ("either:\n- status: 404\n- body: empty\n", Answer(status=200), [answered(), SILENCE]),
    (SORTED, answered(pairs("9 b", "10 c", "10 A")),
     [answered(pairs("10 c", "9 b")), answered(pairs("9 b", "9 c")), answered(pairs("9 b")), answered(), SILENCE]),
]  # fmt: skip


def checked(text: str) -> Check:
    node = yaml.compose(f"id: it\nclause: R1\n{text}" if text[0] != "{" else f"{{id: it, clause: R1, {text[1:]}")
    assert node is not None
    return read_check(Section(Path("test.yaml"), node))


def sight(answer: Answer) -> Sight:
    def only_responses(root: object) -> str:
        return "" if "oadrResponse" in str(answer.body) else "not an oadrResponse"

    return Sight(answer=answer, variables={"ven_id": "ven-1"}, schema_fault=only_responses)


@pytest.mark.parametrize(("text", "good", "bad"), TABLE, ids=[row[0].split(":")[0].strip("{") for row in TABLE])
def test_a_check_can_pass_and_can_fail(text: str, good: Answer, bad: list[Answer]) -> None:
    check = checked(text)
    assert check.judge(sight(good)).passed
    for answer in bad:
        judged = check.judge(sight(answer))
        assert not judged.passed
        assert judged.expected
        assert judged.found


def test_every_kind_is_in_the_table() -> None:
    assert {kind for kind in KINDS for row in TABLE if kind in row[0]} == set(KINDS)


def test_the_network_is_allowed_its_time() -> None:
    slow = Sight(answer=answered(elapsed_s=0.2), variables={}, schema_fault=str, latency_s=0.15)
    assert checked("elapsed_below_s: 0.1").judge(slow).passed


def test_a_nonce_is_good_once() -> None:
    check, first, second = checked("signed: well"), sealed(Seal.GOOD), sealed(Seal.GOOD)
    the_same_again = replace(first, root=parse(first.body))
    assert check.judge(replace(sight(first), others=[first, second])).passed
    judged = check.judge(replace(sight(the_same_again), others=[second, first, the_same_again]))
    assert not judged.passed
    assert judged.found.endswith("came before")


def test_an_answer_that_is_no_xml_says_so() -> None:
    answer = Answer(status=200, body=b"hello", no_root_because="no XML: not well-formed XML")
    assert checked("payload: oadrResponse").judge(sight(answer)).found == "no XML: not well-formed XML"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("status: 200\npayload: oadrPoll", "test.yaml:1: there must be exactly one of status"),
        ("nothing: at all", "test.yaml:1: there must be exactly one of status"),
        ("status: many", "test.yaml:3: status: a status, or a class as 4XX, not 'many'"),
        ("sorted: {each: //a, by: '-['}", "test.yaml:3: sorted: XPath"),
        ("holds: //ei:[", "test.yaml:3: holds: XPath"),
        ("response_code: '['", "test.yaml:3: response_code: not a pattern"),
        ("schema: odd", "test.yaml:3: schema:"),
        ("handshake: fine", "test.yaml:3: handshake:"),
        ("body: full", "test.yaml:3: body:"),
        ("silence: broken", "test.yaml:3: silence:"),
        ("xpath: //ei:venID", "test.yaml:1: there must be exactly one of equals, matches"),
        ("status: 200\nwhy: not", "test.yaml:4: why: no such key here"),
    ],
)
def test_a_check_that_is_written_wrong_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(text)
    assert str(refused.value).startswith(complaint)
