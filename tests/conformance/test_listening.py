"""The harness as a VTN on a real socket, with a hand-made VEN: what is recorded, and what is told."""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.client.sender import Sender
from conformance.loading import Suite, load_folder, load_suite
from conformance.openadr20b import envelope, path_of
from conformance.outcomes import Outcome, Verdict
from conformance.schema import schema_fault
from conformance.server.certificates import contexts, foreign_twin
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from conformance.ven.run import Patience, VenTarget, run_suite
from conformance.ven.script import Identifiers, Script
from conformance.ven.steps import Transport
from openadr_core.shell.tls import client_context

from .conftest import Lab

MESSAGES = load_suite("openadr20b-ven").messages
REGISTRATION = envelope(
    '<oadr:oadrCreatePartyRegistration ei:schemaVersion="2.0b"><pyld:requestID>q1</pyld:requestID>'
    "<oadr:oadrProfileName>2.0b</oadr:oadrProfileName><oadr:oadrTransportName>simpleHttp</oadr:oadrTransportName>"
    "<oadr:oadrReportOnly>false</oadr:oadrReportOnly><oadr:oadrXmlSignature>false</oadr:oadrXmlSignature>"
    "<oadr:oadrHttpPullModel>true</oadr:oadrHttpPullModel></oadr:oadrCreatePartyRegistration>"
)
POLL = envelope('<oadr:oadrPoll ei:schemaVersion="2.0b"><ei:venID>Ven-Conformance</ei:venID></oadr:oadrPoll>')
XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMadeVen:
    """Says what the test tells it to."""

    lab: Lab
    port: int

    def connection(self) -> http.client.HTTPSConnection:
        context = client_context("modern-2.0b", self.lab.chain("ven"), [self.lab.trust])
        return http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)

    def says(self, service: str, body: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = self.connection()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path_of(service), body.encode(), XML | named)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found


def nowhere(url: str) -> Sender:
    raise AssertionError(f"nobody is pushed to at {url}")


@contextmanager
def on_stage(lab: Lab, folder: Path) -> Iterator[tuple[Listening, Script, HandMadeVen]]:
    good = lab.chain("vtn")
    shown = {Shown.GOOD: [good], Shown.FOREIGN: [foreign_twin(good, folder)]}
    script = Script(ids=Identifiers(), messages=MESSAGES, schema_fault=schema_fault)
    stage = Listening(host="127.0.0.1", port=0, contexts=contexts(shown, lab.trust), script=script)
    try:
        yield stage, script, HandMadeVen(lab=lab, port=stage.port)
    finally:
        stage.close()


def judged(lab: Lab, folder: Path, steps: str, ven_does: Callable[[HandMadeVen], None], **patience: float) -> Outcome:
    """One procedure of these steps, while the VEN does something in a thread of its own."""
    suite = suite_of(folder, steps)
    target = VenTarget(
        transport=Transport.PULL,
        given=frozenset(),
        variables={},
        sender=nowhere,
        patience=Patience(connect_s=5.0, answer_s=patience.get("answer_s", 3.0)),
    )
    with on_stage(lab, folder) as (stage, script, ven):
        thread = threading.Thread(target=ven_does, args=(ven,))
        thread.start()
        (outcome,) = run_suite(suite, target, script, stage, schema_fault)
        thread.join(5)
    return outcome


def suite_of(folder: Path, steps: str) -> Suite:
    (folder / "messages.yaml").write_text("unused: {service: EiEvent, payload: <a/>}\n")
    (folder / "sequences.yaml").write_text("nothing: []\n")
    (folder / "one.yaml").write_text(f"id: one\ntitle: One\nsteps:\n{steps}\n")
    return load_folder(folder, name="test-ven")


def test_what_a_ven_says_is_answered_judged_and_recorded(lab: Lab, tmp_path: Path) -> None:
    steps = """
  - hear: {payload: oadrCreatePartyRegistration}
    expect:
      - {id: method-and-path, clause: R402, service: EiRegisterParty}
      - {id: header, clause: R53, header: X-Mine, equals: "yes"}
      - {id: no-header, clause: R53, header: X-Other, missing: true}
      - {id: profile, clause: R402, present: "//oadr:oadrProfileName[. = '2.0b']"}
  - tell: {events: [{}]}
  - hear: {payload: oadrPoll}
    expect: [{id: soon, clause: R500, elapsed_below_s: 3}]
"""

    def ven(ven: HandMadeVen) -> None:
        status, headers, body = ven.says("EiRegisterParty", REGISTRATION, X_Mine="yes")
        assert (status, headers["Content-Type"]) == (200, "application/xml")
        assert b"<ei:venID>Ven-Conformance</ei:venID>" in body
        told = b""
        for _ in range(20):
            told += ven.says("OadrPoll", POLL)[2]
            if b"oadrDistributeEvent" in told:
                break
        ven.says("OadrPoll", POLL)

    outcome = judged(lab, tmp_path, steps, ven)
    assert outcome.shortcomings == {}
    first, *_, last = outcome.exchanges
    assert ("X-Mine", "yes") in first.request.headers
    assert first.tls.startswith("TLSv1.3")
    assert b"Code>200<" in last.answer.body


def test_silence_is_judged_and_so_is_what_breaks_it(lab: Lab, tmp_path: Path) -> None:
    steps = """
  - silence: {payload: oadrPoll, for_s: 0.5}
    expect: [{id: kept, clause: R500, silence: kept}]
  - silence: {payload: oadrCreatePartyRegistration, for_s: 5}
    expect: [{id: broken, clause: R500, silence: kept}]
"""

    def ven(ven: HandMadeVen) -> None:
        time.sleep(0.7)
        ven.says("EiRegisterParty", REGISTRATION)

    outcome = judged(lab, tmp_path, steps, ven)
    assert outcome.shortcomings == {"broken": "oadrCreatePartyRegistration"}
    assert outcome.elapsed_s < 4


def test_what_does_not_come_is_told(lab: Lab, tmp_path: Path) -> None:
    steps = "  - hear: {payload: oadrPoll}\n    expect: [{id: came, clause: R500, schema: valid}]"
    outcome = judged(lab, tmp_path, steps, lambda _: None, answer_s=0.2)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.shortcomings == {"came": "nothing came", "stopped": "line 4: no oadrPoll in 0.2 s"}


def test_a_bad_answer_is_given_once_and_then_a_good_one(lab: Lab, tmp_path: Path) -> None:
    steps = """
  - reply: {to: oadrCreatePartyRegistration, status: 503, body: busy, headers: {Retry-After: "1"}}
  - hear: {payload: oadrCreatePartyRegistration}
  - hear: {payload: oadrCreatePartyRegistration, again: true}
    expect: [{id: again, clause: R500, schema: valid}]
"""
    answers: list[tuple[int, dict[str, str], bytes]] = []

    def ven(ven: HandMadeVen) -> None:
        time.sleep(0.3)
        answers.extend(ven.says("EiRegisterParty", REGISTRATION) for _ in range(2))

    assert judged(lab, tmp_path, steps, ven).shortcomings == {}
    assert [status for status, _, _ in answers] == [503, 200]
    assert (answers[0][1]["Retry-After"], answers[0][2]) == ("1", b"busy")


def test_an_answer_is_cut_where_it_should_be(lab: Lab, tmp_path: Path) -> None:
    steps = """
  - reply: {to: oadrCreatePartyRegistration, body: "0123456789", cut: true}
  - hear: {payload: oadrCreatePartyRegistration}
    expect: [{id: came, clause: R500, schema: valid}]
"""
    seen: list[bytes] = []

    def ven(ven: HandMadeVen) -> None:
        time.sleep(0.3)
        with pytest.raises(http.client.IncompleteRead) as broken:
            ven.says("EiRegisterParty", REGISTRATION)
        seen.append(broken.value.partial)

    assert judged(lab, tmp_path, steps, ven).shortcomings == {}
    assert seen == [b"01234"]


def test_a_certificate_that_nobody_may_trust_is_shown_and_refused(lab: Lab, tmp_path: Path) -> None:
    steps = """
  - serve: {certificate: foreign}
  - await: connection
    expect: [{id: refused, clause: S3, handshake: refused}]
  - serve: {certificate: good}
  - await: connection
    expect: [{id: taken, clause: S3, handshake: refused}]
"""

    def ven(ven: HandMadeVen) -> None:
        for _ in range(8):
            time.sleep(0.2)
            with suppress(ssl.SSLError, OSError):
                ven.says("EiRegisterParty", REGISTRATION)

    outcome = judged(lab, tmp_path, steps, ven)
    assert outcome.shortcomings == {"taken": f"it went on, and sent POST {path_of('EiRegisterParty')}"}


@pytest.mark.parametrize(("coding", "named"), [("gzip, deflate", "gzip"), ("deflate", "deflate"), ("br", None)])
def test_answers_are_compressed_as_the_ven_lists(lab: Lab, tmp_path: Path, coding: str, named: str | None) -> None:
    with on_stage(lab, tmp_path) as (_, _, ven):
        _, headers, body = ven.says("EiRegisterParty", REGISTRATION, Accept_Encoding=coding)
    assert headers.get("Content-Encoding") == named
    assert (b"oadrCreatedPartyRegistration" in body) is (named is None)


def test_wrong_requests_are_recorded_and_refused_by_status(lab: Lab, tmp_path: Path) -> None:
    with on_stage(lab, tmp_path) as (_, script, ven):
        connection = ven.connection()
        for method, path, body, status in (
            ("GET", path_of("OadrPoll"), b"", 501),
            ("POST", "/nowhere", POLL.encode(), 404),
            ("POST", path_of("OadrPoll"), b"no xml", 406),
            ("POST", path_of("OadrPoll"), POLL.replace("venID", "venTD").encode(), 406),
            ("POST", path_of("OadrPoll"), POLL.encode(), 200),
        ):
            connection.request(method, path, body, XML)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        connection.request(
            "POST", path_of("OadrPoll"), iter([POLL[:9].encode(), POLL[9:].encode()]), XML, encode_chunked=True
        )
        assert connection.getresponse().status == 200
        connection.close()
        heard = [one.what for one in script.heard]
    assert [what.method for what in heard] == ["GET", *["POST"] * 5]
    assert heard[-1].header("Transfer-Encoding") == "chunked"
    assert heard[-1].body == POLL.encode()
    assert b"463" in script.exchanges[-1].answer.body


def test_a_mistake_of_the_harness_is_no_mistake_of_the_ven(lab: Lab, tmp_path: Path) -> None:
    with on_stage(lab, tmp_path) as (stage, script, ven):
        script.messages = {}
        with suppress(http.client.HTTPException, OSError):
            ven.says("EiRegisterParty", REGISTRATION)
        with pytest.raises(KeyError):
            stage.wait(lambda: None, 5.0)
