"""The runner against a VTN that answers as the test tells it, over real mutual TLS."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from conformance.answers import SchemaFault
from conformance.client.steps import Identity
from conformance.loading import Suite, load_folder
from conformance.openadr20b import envelope
from conformance.outcomes import Outcome, Verdict
from conformance.vtn.run import run_suite
from conformance.vtn.target import Target
from openadr_core.errors import ConfigError

from .conftest import Heard, Script, ScriptedVtn

POLL = "send: {service: OadrPoll, payload: <oadr:oadrPoll/>}"
EMPTY = envelope(
    "<oadr:oadrResponse><ei:eiResponse><ei:responseCode>200</ei:responseCode></ei:eiResponse></oadr:oadrResponse>"
)


def no_fault(root: object) -> str:
    """A schema that lets everything through."""
    return "" if root is not None else "nothing"


def suite_of(folder: Path, steps: str, *, head: str = "", sequences: str = "nothing: []") -> Suite:
    (folder / "messages.yaml").write_text("poll: {service: OadrPoll, payload: <oadr:oadrPoll/>}\n")
    (folder / "sequences.yaml").write_text(sequences + "\n")
    (folder / "one.yaml").write_text(f"id: one\ntitle: One\n{head}\nsteps:\n{steps}\n")
    return load_folder(folder, name="test-vtn")


def run(suite: Suite, target: Target, schema_fault: SchemaFault = no_fault) -> Outcome:
    (outcome,) = run_suite(suite, target, schema_fault)
    return outcome


def xml(text: str = EMPTY, status: int = 200, **headers: str) -> web.Response:
    return web.Response(status=status, body=text.encode(), content_type="application/xml", headers=headers)


def always_next(answers: Iterator[web.Response]) -> Script:
    return lambda _: next(answers)


def test_a_good_answer_passes_and_a_bad_one_fails(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, f"  - {POLL}\n    expect:\n      - {{id: code, clause: R500, response_code: '200'}}")
    scripted_vtn.script = lambda _: xml()
    good = run(suite, scripted_vtn.target)
    scripted_vtn.script = lambda _: xml(EMPTY.replace("200", "463"))
    bad = run(suite, scripted_vtn.target)
    assert (good.verdict, bad.verdict) == (Verdict.PASSED, Verdict.FAILED)
    assert bad.shortcomings == {"code": "responseCode 463"}
    assert bad.failures[0].clauses == ("R500",)


def test_the_request_is_what_the_standard_says(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    run(
        suite_of(tmp_path, f"  - {POLL}\n    expect:\n      - {{id: ok, clause: R500, status: 200}}"),
        scripted_vtn.target,
    )
    (heard,) = scripted_vtn.heard
    assert (heard.method, heard.path) == ("POST", "/OpenADR2/Simple/2.0b/OadrPoll")
    assert heard.headers == {
        "host": scripted_vtn.target.url.removeprefix("https://"),
        "content-type": "application/xml",
        "content-length": str(len(heard.body)),
    }
    assert heard.body == envelope("<oadr:oadrPoll/>").encode()


def test_what_a_procedure_gets_wrong_on_purpose_stays_wrong(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = """
  - send: {service: OadrPoll, method: GET, headers: {X-Name: "${ven_name}"}}
  - send: {path: /elsewhere, body: hé, headers: {Content-Type: text/plain, Accept: null}, encoding: utf-16-le}
  - send: {message: poll, chunked: true}
    expect:
      - {id: ok, clause: R500, status: 500}
"""
    run(suite_of(tmp_path, steps), scripted_vtn.target)
    get, plain, chunked = scripted_vtn.heard
    assert (get.method, get.body, get.headers["x-name"]) == ("GET", b"", "conformance")
    assert "content-type" not in get.headers
    assert (plain.path, plain.body) == ("/elsewhere", "hé".encode("utf-16-le"))
    assert plain.headers["content-type"] == "text/plain"
    assert chunked.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in chunked.headers
    assert chunked.body == envelope("<oadr:oadrPoll/>").encode()


def test_what_is_captured_is_sent_and_stays_text(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = f"""
  - {POLL}
    capture: {{ven_id: string(//ei:venID)}}
  - send: {{service: OadrPoll, payload: '<ei:venID a="${{ven_id}}">${{ven_id}}</ei:venID>'}}
    expect:
      - {{id: same, clause: R1, xpath: string(//ei:venID), equals: "${{ven_id}}"}}
      - {{id: variable, clause: R1, present: "//ei:venID[. = $ven_id]"}}
"""
    scripted_vtn.script = lambda _: xml(envelope('<ei:venID>a&lt;b&amp;"c</ei:venID>'))
    assert run(suite_of(tmp_path, steps), scripted_vtn.target).verdict is Verdict.PASSED
    assert b'<ei:venID a="a&lt;b&amp;&quot;c">a&lt;b&amp;&quot;c</ei:venID>' in scripted_vtn.heard[1].body


def test_a_capture_that_finds_nothing_stops_the_procedure(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = f"""
  - {POLL}
    capture: {{ven_id: //ei:venID}}
  - {POLL}
    expect: [{{id: ok, clause: R1, status: 200}}]
"""
    scripted_vtn.script = lambda _: xml()
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert outcome.shortcomings == {"stopped": "line 6: no ven_id in what came: //ei:venID gives nothing"}
    assert len(scripted_vtn.heard) == 1


def test_a_precondition_that_fails_blocks(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        f"  - {POLL}\n    expect: [{{id: ok, clause: R1, status: 500}}]",
        head="preconditions: registered",
        sequences=f"registered:\n  - {POLL}\n    expect: [{{id: accepted, clause: R1, status: 200}}]",
    )
    outcome = run(suite, scripted_vtn.target)
    assert outcome.verdict is Verdict.BLOCKED
    assert outcome.shortcomings == {"blocked": "registered: accepted: expected HTTP 200, found HTTP 500"}
    assert outcome.findings == ()


def test_a_check_that_is_never_reached_has_not_passed(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = f"  - {POLL}\n  - for_each: //ei:eiEvent\n    {POLL}\n    expect: [{{id: ok, clause: R1, status: 200}}]"
    scripted_vtn.script = lambda _: xml()
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert outcome.shortcomings == {"ok": "it did not come to be judged"}


def test_for_each_answers_everything_that_came(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = f"""
  - {POLL}
  - for_each: //ei:eventID
    take: {{event: string(.)}}
    send: {{service: EiEvent, body: "${{event}} ${{opt}}", with: {{opt: "in-${{event}}"}}}}
    expect: [{{id: ok, clause: R1, status: 200}}]
"""
    events = envelope("<ei:eventID>e1</ei:eventID><ei:eventID>e2</ei:eventID>")
    scripted_vtn.script = lambda _: xml(events)
    assert run(suite_of(tmp_path, steps), scripted_vtn.target).verdict is Verdict.PASSED
    assert [heard.body for heard in scripted_vtn.heard[1:]] == [b"e1 in-e1", b"e2 in-e2"]


REPEATED = f"""
  - repeat:
      at_most: 3
      until: //oadr:oadrResponse
      steps:
        - {POLL}
          expect: [{{id: done, clause: R500, payload: oadrResponse}}]
        - wait_s: 0
"""


def test_a_repetition_ends_when_what_it_waits_for_comes(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    scripted_vtn.script = always_next(iter([xml(envelope("<oadr:oadrRegisterReport/>")), xml()]))
    assert run(suite_of(tmp_path, REPEATED), scripted_vtn.target).verdict is Verdict.PASSED
    assert len(scripted_vtn.heard) == 2


def test_a_repetition_gives_up(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    outcome = run(suite_of(tmp_path, REPEATED), scripted_vtn.target)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.shortcomings["stopped"] == "line 6: //oadr:oadrResponse did not come in 3 times"


def test_the_quickest_of_several_answers_is_judged(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = "  - send: {message: poll, times: 3}\n    expect: [{id: quick, clause: R1, elapsed_below_s: 5}]"
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert len(scripted_vtn.heard) == 3
    quickest = min(exchange.answer.elapsed_s for exchange in outcome.exchanges)
    assert outcome.findings[0].found == f"{quickest * 1000:.0f} ms"


def test_what_was_made_is_taken_away_whatever_the_verdict(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        f"  - {POLL}\n    expect: [{{id: ok, clause: R1, status: 200}}]",
        head="afterwards: tidied",
        sequences="tidied:\n  - send: {path: /tidy}\n    capture: {nothing: //a}\n  - send: {path: /not-reached}",
    )
    outcome = run(suite, scripted_vtn.target)
    assert outcome.shortcomings == {"ok": "HTTP 500"}
    assert [heard.path.rpartition("/")[2] for heard in scripted_vtn.heard] == ["OadrPoll", "tidy"]


def test_nothing_is_tidied_that_was_not_made(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        f"  - {POLL}\n    expect: [{{id: ok, clause: R1, status: 500}}]",
        head="afterwards: withdrawn",
        sequences="withdrawn:\n  - event: {action: cancel}\n  - send: {path: /tidy, body: '${ven_id}'}",
    )
    assert run(suite, with_hook(scripted_vtn.target, "exit 1")).verdict is Verdict.PASSED
    assert len(scripted_vtn.heard) == 1


def test_a_connection_is_kept_and_opened_again_when_the_peer_closed_it(
    scripted_vtn: ScriptedVtn, tmp_path: Path
) -> None:
    def closing(heard: Heard) -> web.Response:
        answer = xml()
        if len(scripted_vtn.heard) == 2:
            answer.force_close()
        return answer

    scripted_vtn.script = closing
    steps = f"  - {POLL}\n  - {POLL}\n  - {POLL}\n    expect: [{{id: ok, clause: R1, status: 200}}]"
    assert run(suite_of(tmp_path, steps), scripted_vtn.target).verdict is Verdict.PASSED
    first, second, third = (heard.connection for heard in scripted_vtn.heard)
    assert first == second != third


def test_a_compressed_answer_is_read_and_a_lying_one_is_not(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = f"  - {POLL}\n    expect: [{{id: read, clause: 9.1.9.1, payload: oadrResponse}}]"
    suite = suite_of(tmp_path, steps)

    def encoded(body: bytes, encoding: str) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": encoding})

    scripted_vtn.script = lambda _: encoded(gzip.compress(EMPTY.encode()), "gzip")
    assert run(suite, scripted_vtn.target).verdict is Verdict.PASSED
    bomb = gzip.compress(b" " * 5_000_000)
    lies = iter([encoded(EMPTY.encode(), "gzip"), encoded(EMPTY.encode(), "br"), encoded(bomb, "gzip")])
    scripted_vtn.script = always_next(lies)
    for _ in range(3):
        assert run(suite, scripted_vtn.target).shortcomings["read"].startswith("no XML:")


def test_no_certificate_no_conversation(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = (
        "  - send: {message: poll, identity: none}\n    expect: [{id: refused, clause: 9.2.1.1, handshake: refused}]\n"
        "  - send: {message: poll}\n    expect: [{id: not-refused, clause: 9.2.1.1, handshake: refused}]"
    )
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert outcome.shortcomings == {"not-refused": "HTTP 500"}
    assert len(scripted_vtn.heard) == 1


def test_a_peer_that_is_not_there_or_not_trusted_is_told(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, f"  - {POLL}\n    expect: [{{id: ok, clause: R1, status: 200}}]")
    target = scripted_vtn.target
    gone = Target(url="https://127.0.0.1:1", trust=target.trust, certificates=target.certificates)
    other_name = Target(url=target.url, trust=target.trust, certificates=target.certificates, server_name="vtn.test")
    assert run(suite, gone).shortcomings["ok"].startswith("no connection to 127.0.0.1:1")
    assert run(suite, other_name).shortcomings["ok"].startswith("its certificate is not acceptable")


EVENT_STEPS = f"""
  - event: {{starts_in_s: 60, durations_s: [300, 600], values: [1, 2]}}
  - send: {{service: OadrPoll, body: "${{event_id}}"}}
    expect: [{{id: ok, clause: R1, status: 500}}]
  - {POLL}
"""


def with_hook(target: Target, command: str) -> Target:
    return Target(url=target.url, trust=target.trust, certificates=target.certificates, hook=command)


def test_what_the_tester_did_not_give_is_told_and_not_passed(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    outcome = run(suite_of(tmp_path, EVENT_STEPS), scripted_vtn.target)
    assert (outcome.verdict, outcome.shortcomings) == (Verdict.NOT_RUN, {"not-run": "needs --operator-hook"})
    pending = suite_of(
        tmp_path, "  - send: {message: poll, identity: pending}\n    expect: [{id: a, clause: R1, status: 200}]"
    )
    assert run(pending, scripted_vtn.target).reason == "needs --pending-certificate"
    assert scripted_vtn.heard == []


def test_the_hook_is_told_what_is_wanted(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    told = tmp_path / "told"
    hook = f"env | grep ^CONFORMANCE > {told}; echo talk; echo EVT-1"
    assert run(suite_of(tmp_path, EVENT_STEPS), with_hook(scripted_vtn.target, hook)).verdict is Verdict.PASSED
    assert scripted_vtn.heard[0].body == b"EVT-1"
    lines = told.read_text().splitlines()
    assert {"CONFORMANCE_ACTION=create-event", "CONFORMANCE_VEN_NAME=conformance"} <= set(lines)
    wish = json.loads(next(line for line in lines if line.startswith("CONFORMANCE_WISH=")).partition("=")[2])
    assert (wish["durations_s"], wish["signals"][0]["values"]) == ([300, 600], [1.0, 2.0])
    assert timedelta(seconds=50) < datetime.fromisoformat(wish["start"]) - datetime.now(UTC) < timedelta(seconds=61)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("echo no such program >&2; exit 3", "line 6: the hook ended with 3 on create-event: no such program"),
        ("true", "line 6: the hook printed no event_id"),
    ],
)
def test_a_hook_that_fails_stops(scripted_vtn: ScriptedVtn, tmp_path: Path, command: str, told: str) -> None:
    outcome = run(suite_of(tmp_path, EVENT_STEPS), with_hook(scripted_vtn.target, command))
    assert outcome.shortcomings == {"stopped": told}


def test_what_the_peer_cannot_do_is_not_run(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    outcome = run(suite_of(tmp_path, EVENT_STEPS), with_hook(scripted_vtn.target, "exit 77"))
    assert outcome.verdict is Verdict.NOT_RUN
    assert outcome.shortcomings == {"not-run": "needs a peer whose operator can create-event"}


def test_a_second_party_speaks_with_its_own_certificate(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = (
        f"  - {POLL}\n  - send: {{message: poll, identity: other}}\n    expect: [{{id: ok, clause: R1, status: 500}}]"
    )
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert [exchange.speaker for exchange in outcome.exchanges] == [Identity.ENROLLED, Identity.OTHER]
    first, second = (heard.connection for heard in scripted_vtn.heard)
    assert first != second


def test_only_the_suite_that_is_named_is_offered(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = """
  - send: {message: poll, suite: ECDHE-ECDSA-AES128-SHA256}
    expect: [{id: served, clause: R67, status: 500}]
  - send: {message: poll, suite: AES128-SHA256}
    expect: [{id: no-rsa-certificate, clause: R67, handshake: refused}]
"""
    outcome = run(suite_of(tmp_path, steps), scripted_vtn.target)
    assert outcome.verdict is Verdict.PASSED
    assert outcome.exchanges[0].tls == "TLSv1.2 ECDHE-ECDSA-AES128-SHA256"


def test_a_suite_that_openssl_does_not_have_is_named(scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    steps = "  - send: {message: poll, suite: ROT13}\n    expect: [{id: a, clause: R67, status: 200}]"
    with pytest.raises(ConfigError, match="'ROT13'"):
        run(suite_of(tmp_path, steps), scripted_vtn.target)
