"""A model VTN passes every procedure; spoil its answers one way at a time, and every check is seen to fail.

A check that no spoilt answer can fail would be an ornament. What spoils is told apart from silence: each of these VTNs
answers, and answers well-formed XML.
"""

import gzip
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.answers import Answer
from conformance.client.line import answer_of
from conformance.client.sealing import Sealing, now
from conformance.client.steps import Hello, Identity, Version
from conformance.exchanges import Exchange, RawRequest
from conformance.loading import load_suite
from conformance.openadr20b import envelope
from conformance.outcomes import Verdict
from conformance.schema import schema_fault
from conformance.vtn.pushed_ven import PushedVen
from conformance.vtn.run import Pushing, run_suite
from conformance.vtn.target import Target
from openadr_core.oadr2.xmldsig import Signer

from .model_pusher import ModelPusher, SpoilPush
from .model_sealing import ModelSeal, chain, signer
from .model_vtn import HOOK, Asked, ModelVtn, Reply
from .model_vtn_events import PREPARED
from .spoilt_in import SPOILT_IN
from .spoilt_pushes import PUSHED_IN, spoiling
from .spoilt_requests import SPOILT_REQUESTS
from .spoilt_targets import SPOILT_TARGETS

Spoil = Callable[[Asked, Reply], Reply]

SUITE = load_suite("openadr20b-vtn")
SPOILT_ALONE = {**SPOILT_IN, **SPOILT_TARGETS, **SPOILT_REQUESTS}
"""Procedures that are judged by what is spoilt for each of them, and not by what is spoilt for all."""
HOSTILE = re.compile(rb"<!DOCTYPE|nothing of the kind|<oadr:oadrSignedObject>\s*$|\x00")


def text(pattern: str, replacement: str, *, only: str = "") -> Spoil:
    """Another text in the body of every answer (that holds ``only``)."""

    def spoil(_: Asked, reply: Reply) -> Reply:
        packed = "Content-Encoding" in reply.headers
        body = (gzip.decompress(reply.body) if packed else reply.body).decode()
        if only in body:
            body = re.sub(pattern, replacement, body, flags=re.DOTALL)
        return replace(reply, body=gzip.compress(body.encode()) if packed else body.encode())

    return spoil


def status(was: int, becomes: int) -> Spoil:
    return lambda _, reply: replace(reply, status=becomes) if reply.status == was else reply


def header(name: str, value: str) -> Spoil:
    return lambda _, reply: replace(reply, headers={**reply.headers, name: value})


def repeated(spoil: Spoil) -> Spoil:
    """Only answers to requests that carry a registrationID."""
    return lambda asked, reply: spoil(asked, reply) if b"<ei:registrationID>" in asked.request.body else reply


def asked_for(payload: str, spoil: Spoil) -> Spoil:
    """Only answers to requests with this payload."""
    return lambda asked, reply: spoil(asked, reply) if f"<oadr:{payload} ".encode() in asked.request.body else reply


def second_party(spoil: Spoil) -> Spoil:
    """Only answers to the second party."""
    return lambda asked, reply: spoil(asked, reply) if asked.party == Identity.OTHER else reply


def another_payload(asked: Asked, reply: Reply) -> Reply:
    """One that fits no request of this suite, with the code that the right one had."""
    found = re.search(rb"<ei:eiResponse>.*?</ei:eiResponse>", reply.body, re.DOTALL)
    response = found[0].decode() if found else ""
    return Reply(
        status=reply.status, body=envelope(f"<oadr:oadrCanceledOpt>{response}</oadr:oadrCanceledOpt>").encode()
    )


def errors_in_another_payload(asked: Asked, reply: Reply) -> Reply:
    return another_payload(asked, reply) if re.search(rb"responseCode>4", reply.body) else reply


def told_to_register_again(asked: Asked, reply: Reply) -> Reply:
    return Reply(status=200, body=envelope("<oadr:oadrRequestReregistration/>").encode())


def no_compression(asked: Asked, reply: Reply) -> Reply:
    if "Content-Encoding" not in reply.headers:
        return reply
    return replace(reply, body=gzip.decompress(reply.body), headers={})


def compression_always(asked: Asked, reply: Reply) -> Reply:
    if "Content-Encoding" in reply.headers:
        return reply
    return replace(reply, body=gzip.compress(reply.body), headers={"Content-Encoding": "gzip"})


def hostile_accepted(asked: Asked, reply: Reply) -> Reply:
    return replace(reply, status=200) if HOSTILE.search(asked.request.body) else reply


def let_in(asked: Asked, reply: Reply) -> Reply:
    """Whoever has no good certificate is talked to all the same."""
    return reply


def second_empty_poll() -> Spoil:
    """Another payload for a poll once the queue was empty already."""
    emptied = [False]

    def spoil(asked: Asked, reply: Reply) -> Reply:
        polled = asked.request.path.endswith("OadrPoll")
        if polled and emptied[0]:
            return another_payload(asked, reply)
        emptied[0] = polled and b"<oadr:oadrResponse" in reply.body
        return reply

    return spoil


def told_for_ever() -> Spoil:
    """An event that was told once is told again when nothing else is."""
    told = [b""]

    def spoil(_: Asked, reply: Reply) -> Reply:
        if found := re.search(rb"<oadr:oadrEvent>.*?</oadr:oadrEvent>", reply.body, re.DOTALL):
            told[0] = found[0]
            return reply
        return replace(reply, body=reply.body.replace(END_OF_EVENTS, told[0] + END_OF_EVENTS))

    return spoil


END_OF_EVENTS = b"</oadr:oadrDistributeEvent>"
EVENT = "<oadr:oadrEvent>(?:(?!</oadr:oadrEvent>).)*</oadr:oadrEvent>"
IDS = "<ei:registrationID>R</ei:registrationID><ei:venID>V</ei:venID>"
REQUEST = (
    "<oadr:oadrReportRequest><ei:reportSpecifier><ei:reportSpecifierID>x</ei:reportSpecifierID></ei:reportSpecifier>"
)

SPOILT: dict[str, Spoil] = {
    "another 2xx": status(200, 202),
    "405 for 501": status(501, 405),
    "200 for 404": status(404, 200),
    "200 for 406": status(406, 200),
    "another content type": header("Content-Type", "text/xml"),
    "chunks": header("Transfer-Encoding", "chunked"),
    "never compressed": no_compression,
    "always compressed": compression_always,
    "hostile messages accepted": hostile_accepted,
    "no certificate needed": let_in,
    "an element too many": text("</ei:eiResponse>", "</ei:eiResponse><ei:odd/>"),
    "no requestID in oadrRegisterReport": text("<pyld:requestID>vr</pyld:requestID>", ""),
    "no schemaVersion": text(' ei:schemaVersion="2.0b"', ""),
    "a schemaLocation": text("<oadr:oadrPayload", '<oadr:oadrPayload xmlns:i="urn:i" i:schemaLocation="a b"'),
    "errors told as success": text(r"responseCode>4\d\d<", "responseCode>200<"),
    "success told as error in oadrResponse": text("Code>200<", "Code>454<", only="<oadr:oadrResponse"),
    "success told as error in a registration": text("Code>200<", "Code>454<", only="CreatedParty"),
    "success told as error in a cancellation": text("Code>200<", "Code>454<", only="CanceledParty"),
    "success told as error in a report": text("Code>200<", "Code>454<", only="oadrRegisteredReport"),
    "success told as error in events": text("Code>200<", "Code>454<", only="oadrDistributeEvent"),
    "success told as error in an opt": text("Code>200<", "Code>454<", only="oadrCreatedOpt"),
    "success told as error in an opt's cancellation": text("Code>200<", "Code>454<", only="oadrCanceledOpt"),
    "another payload for a query": asked_for("oadrQueryRegistration", another_payload),
    "another payload for a registration": asked_for("oadrCreatePartyRegistration", another_payload),
    "another payload for a cancellation": asked_for("oadrCancelPartyRegistration", another_payload),
    "another payload for an offer of reports": asked_for("oadrRegisterReport", another_payload),
    "another payload for an offer's answer": asked_for("oadrRegisteredReport", another_payload),
    "another payload for a request": asked_for("oadrRequestEvent", another_payload),
    "another payload for an event's answer": asked_for("oadrCreatedEvent", another_payload),
    "another payload for a poll": asked_for("oadrPoll", another_payload),
    "another payload for an opt": asked_for("oadrCreateOpt", another_payload),
    "another payload for an opt's cancellation": asked_for("oadrCancelOpt", told_to_register_again),
    "another optID": text("<ei:optID>", "<ei:optID>9"),
    "another payload for errors": errors_in_another_payload,
    "polls answered with oadrRequestReregistration": asked_for("oadrPoll", told_to_register_again),
    "an element too many in oadrRequestReregistration": text("</oadr:oadrReq", "<ei:odd/></oadr:oadrReq"),
    "another's venID in oadrRequestReregistration": text("Ven-enrolled<", "Ven-other<", only="RequestRereg"),
    "a repeated registration refused": repeated(text("Code>200<", "Code>454<")),
    "a second party refused": second_party(text("Code>200<", "Code>454<")),
    "a query refused": asked_for("oadrQueryRegistration", text("Code>200<", "Code>454<")),
    "an empty queue answered with another payload": second_empty_poll(),
    "no vtnID": text("<ei:vtnID>Vtn", "<ei:vtnID>"),
    "no identity": text("<ei:registrationID>.*?</ei:venID>", ""),
    "no identity for the third registration": text("<ei:registrationID>Reg-3<.*?</ei:venID>", ""),
    "identity for anybody": text("<ei:vtnID>", f"{IDS}<ei:vtnID>", only="CreatedParty"),
    "another identity each time": repeated(text("Reg-", "Reg-9")),
    "another venID on the second registration": repeated(text("Ven-enrolled<", "Ven-v<")),
    "no profiles": text("<oadr:oadrProfiles>.*</oadr:oadrProfiles>", ""),
    "no 2.0a": text(">2.0a<", ">2.0b<"),
    "no 2.0b": text(">2.0b<", ">2.0a<"),
    "no simpleHttp": text("simpleHttp", "xmpp"),
    "no XMPP": text("xmpp", "simpleHttp"),
    "no poll interval": text("PT10S", "PT0S", only="oadrRequestedOadrPollFreq"),
    "another's venID in answers": text("Ven-enrolled<", "Ven-other<", only="<oadr:oadrResponse"),
    "another's venID in reports": text("Ven-enrolled<", "Ven-other<", only="oadrRegisteredReport"),
    "another's requestID": text("requestID>req-", "requestID>other-"),
    "no requestID of its own": text("requestID>d1<", "requestID><"),
    "reports asked for that were not offered": text(">site_usage<", ">other<"),
    "points asked for that were not offered": text(">site_power<", ">other<"),
    "requests that cannot be told apart": text(">rr2<", ">rr1<"),
    "a request where nothing was offered": text("</ei:eiResponse>", f"</ei:eiResponse>{REQUEST}",
                                               only="oadrRegisteredReport"),
    "no report from the VTN": text("oadrRegisterReport", "oadrCanceledOpt"),
    "data in the VTN's metadata": text(">vr<.*?>", ">vr</pyld:requestID><oadr:oadrReport><ei:reportRequestID>7"
                                       "</ei:reportRequestID></oadr:oadrReport>"),
    "no eiResponse with events": text("<ei:eiResponse>.*?</ei:eiResponse>", "", only="oadrDistributeEvent"),
    "events told to the wrong party": text("</oadr:oadrDistributeEvent>", "<ei:eiEvent/></oadr:oadrDistributeEvent>",
                                          only="Code>452<"),
    "no events": text(EVENT, ""),
    "events told for ever": told_for_ever(),
    "another event first": text(f"({EVENT})({EVENT})", r"\2\1"),
    "events told twice": text(f"({EVENT})", r"\1\1"),
    "another time of writing": text("(<ei:createdDateTime>)(?=.*<ei:createdDateTime>)", r"\g<1>1"),
    "first number 5": text("Number>0<", "Number>5<"),
    "no new number": text("Number>1<", "Number>0<"),
    "active too soon": text(">far<", ">active<"),
    "never cancelled": text(">cancelled<", ">far<"),
    "cancelled and dropped": text(EVENT, "", only=">cancelled<"),
    "no notification": text("<ei:x-eiNotification>.*?</ei:x-eiNotification>", ""),
    "a start in each interval": text("<ei:interval>", "<ei:interval><xcal:dtstart/>"),
    "an interval missing": text("<ei:interval>(?:(?!</ei:interval>).)*<xcal:text>1<.*?</ei:interval>", ""),
    "uids out of step": text("<xcal:text>1<", "<xcal:text>2<"),
    "two payloads in an interval": text("(<ei:signalPayload>.*?</ei:signalPayload>)", r"\1\1"),
    "durations that do not add up": text(">PT1200S<", ">PT1199S<"),
    "signals that cannot be told apart": text(">s2<", ">s1<"),
    "SIMPLE of another type": text(">level<", ">delta<"),
    "SIMPLE level 7": text("<ei:value>2<", "<ei:value>7<"),
    "a current value before the start": text("<ei:value>0.0<", "<ei:value>1.0<"),
    "two venIDs in the target": text("(<ei:venID>Ven-enrolled</ei:venID>)(?=</ei:eiTarget>)", r"\1\1"),
    "another's event": text("<ei:venID>Ven-enrolled(?=</ei:venID></ei:eiTarget>)", "<ei:venID>Ven-other"),
    "local time": text("Z</xcal:date-time>", "+00:00</xcal:date-time>"),
    "450 for 452 and the other way round": text("45[02]<", "454<"),
    "no 463": text(">463<", ">454<"),
    "no 459": text(">459<", ">454<"),
}  # fmt: skip

ALL_CHECKS = {
    f"{procedure.id}/{check.id}"
    for procedure in SUITE.procedures
    if procedure.id not in {*SPOILT_ALONE, *PUSHED_IN}
    for check in procedure.checks
}


NOT_LET_IN = frozenset({Identity.NONE, Identity.EXPIRED, Identity.FOREIGN})


class InProcess:
    """Carries requests to a model VTN whose replies are spoilt."""

    def __init__(self, model: ModelVtn, spoil: Spoil, identity: Identity, hello: Hello, signer: Signer) -> None:
        self._model = model
        self._spoil = spoil
        self._identity = identity
        self._hello = hello
        self._signer = signer

    def exchange(self, request: RawRequest) -> Exchange:
        asked = Asked(request=request, party=self._identity, signer=self._signer)
        refused = self._identity in NOT_LET_IN or self._hello.version is not Version.CURRENT
        if refused and self._spoil is not let_in:
            answer = Answer(failure="closed", refused=True)
        else:
            reply = self._spoil(asked, self._model.reply(asked))
            length = {} if "Transfer-Encoding" in reply.headers else {"Content-Length": str(len(reply.body))}
            headers = {"Content-Type": "application/xml", **length, **reply.headers}
            came = answer_of(reply.status, list(headers.items()), reply.body, 0.0)
            answer = replace(came, came_at=datetime.now(UTC), peer_sha256=self._signer.certificate_sha256)
        return Exchange(
            at=datetime.now(UTC), speaker=self._identity, tls=self._hello.suite, request=request, answer=answer
        )

    def close(self) -> None:
        """Nothing is open."""


def run_against(
    folder: Path,
    spoil: Spoil,
    *,
    latency_s: float = 0.0,
    only: Collection[str] = (),
    pushed: SpoilPush = lambda request: request,
    habits: frozenset[str] = frozenset(),
) -> set[str]:
    """The checks that failed against a model VTN whose replies or pushes are spoilt, in some procedures or in all."""
    folder.mkdir(parents=True)
    model = ModelVtn(folder)
    own, another = chain("ven"), chain("another")
    target = Target(
        url="https://model.test",
        trust=folder,
        certificates={**dict.fromkeys(Identity, own), Identity.FOREIGN: another},
        hook=HOOK.format(folder=folder),
        latency_s=latency_s,
        push_address="https://ven.test/ven/",
        given=frozenset({"signatures", *(name.replace("_", "-") for name in PREPARED)}),
        prepared=PREPARED,
    )
    sealing = Sealing(own, another=another)
    ven = PushedVen(messages=SUITE.messages, schema_fault=schema_fault, prefix="/ven", sealing=sealing)
    seal = ModelSeal(utc=now, habits=habits, peer="ven")
    pushing = Pushing(ven=ven, stage=ModelPusher(model, ven, seal, pushed, habits))
    outcomes = run_suite(
        SUITE,
        target,
        schema_fault,
        only=only,
        pushing=pushing,
        connect=lambda _, identity, hello: InProcess(model, spoil, identity, hello, signer("ven")),
    )
    return {
        f"{outcome.procedure.id}/{finding.check_id}"
        for outcome in outcomes
        if outcome.verdict is Verdict.FAILED
        for finding in outcome.failures
        if finding.found != "it did not come to be judged"
    }


def unspoilt(asked: Asked, reply: Reply) -> Reply:
    return reply


def test_the_model_passes_everything(tmp_path: Path) -> None:
    assert run_against(tmp_path / "good", unspoilt) == set()


def test_every_check_notices_something(tmp_path: Path) -> None:
    these = {procedure.id for procedure in SUITE.procedures} - {*SPOILT_ALONE, *PUSHED_IN}
    noticed = {
        name: run_against(tmp_path / str(number), spoil, only=these)
        for number, (name, spoil) in enumerate(SPOILT.items())
    }
    impatient = run_against(tmp_path / "impatient", unspoilt, latency_s=-1.0, only=these)
    assert [name for name, checks in noticed.items() if not checks] == []
    assert sorted(ALL_CHECKS - set().union(impatient, *noticed.values())) == []


@pytest.mark.parametrize("procedure_id", SPOILT_ALONE)
def test_every_check_of_one_procedure_notices_something(procedure_id: str, tmp_path: Path) -> None:
    """A VTN whose answers are spoilt in what this procedure alone looks at."""
    (procedure,) = (procedure for procedure in SUITE.procedures if procedure.id == procedure_id)
    noticed = {
        change: run_against(
            tmp_path / str(number), text(*change) if isinstance(change, tuple) else change(), only=[procedure_id]
        )
        for number, change in enumerate(SPOILT_ALONE[procedure_id])
    }
    assert [change for change, checks in noticed.items() if not checks] == []
    assert sorted({f"{procedure_id}/{check.id}" for check in procedure.checks} - set().union(*noticed.values())) == []


@pytest.mark.parametrize("procedure_id", PUSHED_IN)
def test_every_check_of_what_is_pushed_notices_something(procedure_id: str, tmp_path: Path) -> None:
    """A VTN whose pushes are spoilt, and its answers alike."""
    (procedure,) = (procedure for procedure in SUITE.procedures if procedure.id == procedure_id)
    noticed = {}
    for number, change in enumerate(PUSHED_IN[procedure_id]):
        pushed, replies, habits = spoiling(change)
        noticed[change] = run_against(
            tmp_path / str(number), replies, only=[procedure_id], pushed=pushed, habits=habits
        )
    assert [change for change, checks in noticed.items() if not checks] == []
    assert sorted({f"{procedure_id}/{check.id}" for check in procedure.checks} - set().union(*noticed.values())) == []
