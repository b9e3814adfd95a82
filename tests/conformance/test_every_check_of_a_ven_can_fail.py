"""A model VEN passes every procedure; each check is seen to fail when the one thing that it is about is spoilt.

What a message shows is spoilt in the message; when a VEN speaks, and when it is silent, is a habit of the model.
"""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.checks import (
    AskedBy,
    Check,
    PayloadIs,
    QueryGives,
    ResponseCodeIs,
    SchemaValid,
    SignedWell,
    StatusIs,
)
from conformance.loading import load_suite
from conformance.procedure import flattened
from conformance.server.steps import Hear
from conformance.ven.steps import Transport
from tests.conformance.model_stage import Spoil, failing_checks, unspoilt
from tests.conformance.model_ven import Said

SUITE = load_suite("openadr20b-ven")
CHECKS = {
    f"{procedure.id}/{check.id}": (step, check)
    for procedure in SUITE.procedures
    for step in flattened(procedure.steps)
    for check in step.expect
}
NEED_SIGNATURES = {procedure.id for procedure in SUITE.procedures if "signatures" in procedure.needs}

Spoiler = Callable[[tuple[str, ...]], Spoil]
"""Spoils messages of some payloads; of all, if none is named."""


def text(pattern: str, replacement: str, *payloads: str, count: int = 0) -> Spoil:
    """Another text in messages of these payloads, or in all."""

    def spoil(said: Said) -> Said:
        if payloads and said.payload not in payloads:
            return said
        return replace(said, body=re.sub(pattern, replacement, said.body, count=count, flags=re.DOTALL))

    return spoil


def chained(*spoils: Spoil) -> Spoil:
    def spoil(said: Said) -> Said | None:
        spoilt: Said | None = said
        for one in spoils:
            spoilt = one(spoilt) if spoilt is not None else None
        return spoilt

    return spoil


def header(name: str, value: str) -> Spoil:
    return lambda said: replace(said, headers={name: value})


def lost(*payloads: str) -> Spoil:
    return lambda said: None if said.payload in payloads else said


def without(element: str, *payloads: str) -> Spoil:
    return text(f"<{element}>.*?</{element}>|<{element}/>", "", *payloads)


def in_answers(spoil: Spoil) -> Spoil:
    """Only what answers a push."""
    return lambda said: said if said.service else spoil(said)


def elsewhere(payloads: tuple[str, ...]) -> Spoil:
    def spoil(said: Said) -> Said:
        other = "EiOpt" if said.service != "EiOpt" else "EiEvent"
        return replace(said, service=other) if said.payload in payloads else said

    return spoil


def other_content(of: str, becomes: str) -> Spoiler:
    return lambda payloads: text(rf"(<{of}>)[^<]+", rf"\g<1>{becomes}", *payloads)


def odd_element(payloads: tuple[str, ...]) -> Spoil:
    return text("(</oadr:oadrSignedObject>)", r"<ei:odd/>\1", *payloads)


def other_code(payloads: tuple[str, ...]) -> Spoil:
    """Success where it should be an error, and the other way round."""
    both = (
        text("(<ei:responseCode>)200", r"\g<1>swap", *payloads),
        text("(<ei:responseCode>)4..", r"\g<1>200", *payloads),
    )
    return chained(*both, text("(<ei:responseCode>)swap", r"\g<1>499", *payloads))


def other_opt(payloads: tuple[str, ...]) -> Spoil:
    return chained(
        text(">optIn<", ">swap<", *payloads),
        text(">optOut<", ">optIn<", *payloads),
        text(">swap<", ">optOut<", *payloads),
    )


BY_WHAT_IT_READS: dict[str, Spoiler] = {
    "ei:responseCode)": other_code,
    "ei:optType)": other_opt,
    "pyld:requestID)": other_content("pyld:requestID", "other"),
    "ei:modificationNumber)": other_content("ei:modificationNumber", "77"),
    "ei:registrationID)": other_content("ei:registrationID", "other"),
    "ei:venID)": other_content("ei:venID", "other"),
    "ei:optID)": other_content("ei:optID", "other"),
    "ei:reportName)": other_content("ei:reportName", "x-other"),
    "ei:reportSpecifierID)": other_content("ei:reportSpecifierID", "other"),
    "ei:reportRequestID)": other_content("ei:reportRequestID", "other"),
    "ei:rID)": other_content("ei:rID", "other"),
    "@ei:schemaVersion)": lambda payloads: text(' ei:schemaVersion="2.0b"', "", *payloads),
}

EVENT, REPORT = "oadrCreatedEvent", "oadrUpdateReport"
OFFER, REGISTER = "oadrRegisterReport", "oadrCreatePartyRegistration"
RESPONSE = "<ei:eventResponse>.*?</ei:eventResponse>"

EVENT, REPORT, OPT = "oadrCreatedEvent", "oadrUpdateReport", "oadrCreateOpt"
OFFER, REGISTER, POLL = "oadrRegisterReport", "oadrCreatePartyRegistration", "oadrPoll"
PENDING, CANCELLED = "oadrCreatedReport", "oadrCanceledReport"
RESPONSE = "<ei:eventResponse>(?:(?!</ei:eventResponse>).)*</ei:eventResponse>"
METADATA = "<oadr:oadrReport>(?:(?!</oadr:oadrReport>).)*</oadr:oadrReport>"
DESCRIPTION = "<oadr:oadrReportDescription>(?:(?!</oadr:oadrReportDescription>).)*</oadr:oadrReportDescription>"
INTERVAL = "<ei:interval>(?:(?!</ei:interval>).)*</ei:interval>"
DATE_TIME = "<xcal:date-time>[^<]*</xcal:date-time>"
OLD_ID = text("(</pyld:requestID>)", r"\1<ei:registrationID>R</ei:registrationID>", REGISTER)
REQUEST = "<oadr:oadrReportRequest><ei:reportSpecifierID>other</ei:reportSpecifierID></oadr:oadrReportRequest>"
DATA = f"<xcal:dtstart>{DATE_TIME}</xcal:dtstart>"

SPOILT: dict[str, Spoil] = {
    "registration-new/no-registration-id": OLD_ID,
    "registration-new/no-ven-id-of-its-own": other_content("ei:venID", "Mine")((REGISTER,)),
    "registration-new/profile": text(">2.0b<", ">2.0a<", REGISTER),
    "registration-new/transport": text("simpleHttp", "xmpp", REGISTER),
    "registration-new/pulls-or-says-where": text("true</oadr:oadrHttpPull", "false</oadr:oadrHttpPull", REGISTER),
    "registration-new/offer-answers-nothing": text(
        "(</oadr:oadrRegisterReport>)", r"<ei:reportRequestID>7</ei:reportRequestID>\1", OFFER
    ),
    "registration-preconfigured/no-registration-id": OLD_ID,
    "registration-reports-of-vtn/asks-for-nothing": text("(</ei:eiResponse>)", rf"\1{REQUEST}", "oadrRegisteredReport"),
    "registration-reports-of-vtn/only-what-was-offered": text(
        "(</ei:eiResponse>)", rf"\1{REQUEST}", "oadrRegisteredReport"
    ),
    "registration-cancel/as-a-stranger": OLD_ID,
    "registration-lost/without-the-old-id": OLD_ID,
    "event-new/no-request-id-above": text("<pyld:requestID/>", "<pyld:requestID>r</pyld:requestID>", EVENT),
    "event-new/once": text(f"({RESPONSE})", r"\1\1", EVENT),
    "event-of-another-vtn/not-taken": text(
        "(</ei:eiResponse>)(?!<ei:eventResponses>)",
        r"\1<ei:eventResponses><ei:eventResponse><ei:responseCode>200</ei:responseCode></ei:eventResponse></ei:eventResponses>",
        EVENT,
    ),
    "opt-schedule/availability": without("xcal:vavailability", OPT),
    "opt-schedule/no-event": text("(</oadr:oadrCreateOpt>)", r"<ei:qualifiedEventID/>\1", OPT),
    "opt-schedule/only-start-and-duration": text("(</xcal:properties>)", r"<ei:x-eiRampUp/>\1", OPT),
    "opt-schedule/start": text(DATE_TIME, "<xcal:date-time>2020-01-01T00:00:00Z</xcal:date-time>", OPT),
    "opt-schedule/opt-id": text("<ei:optID>[^<]*", "<ei:optID>", OPT),
    "opt-schedule/request-id": text("<pyld:requestID>[^<]*", "<pyld:requestID>", OPT),
    "opt-event/event": text("<ei:eventID>[^<]*", "<ei:eventID>other", OPT),
    "opt-event/no-schedule": text("(</oadr:oadrCreateOpt>)", r"<xcal:vavailability/>\1", OPT),
    "opt-event/no-context": text("(</oadr:oadrCreateOpt>)", r"<emix:marketContext/>\1", OPT),
    "report-metadata/answers-the-request": text("<ei:reportRequestID>meta[^<]*", "<ei:reportRequestID>other", OFFER),
    "report-metadata/names": text(">METADATA_", ">", OFFER),
    "report-metadata/no-request": text("<ei:reportRequestID>0<", "<ei:reportRequestID>1<", OFFER),
    "report-metadata/no-data": text("(<oadr:oadrReport>)", r"\1<xcal:dtstart/>", OFFER),
    "report-metadata/how-much-is-kept": text(
        "<xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration>", "", OFFER
    ),
    "report-metadata/described": text(DESCRIPTION, "", OFFER),
    "report-metadata/units": without("power:powerReal", OFFER),
    "report-metadata/sampling-rates": without("oadr:oadrSamplingRate", OFFER),
    "report-metadata/rate-within-what-is-kept": text("PT15M", "PT15H", OFFER),
    "report-metadata/rates-in-order": text("oadrMinPeriod>PT1S", "oadrMinPeriod>PT1H", OFFER),
    "report-metadata/specifiers-told-apart": text("(<ei:reportSpecifierID>)[^<]*", r"\1same", OFFER),
    "report-metadata/points-told-apart": text(f"({DESCRIPTION})", r"\1\1", OFFER),
    "report-metadata/well-known-usage": text(">Direct Read<", ">Net<", OFFER),
    "report-metadata/well-known-status": text(">x-resourceStatus<", ">level<", OFFER),
    "report-metadata/offers-usage": text("METADATA_TELEMETRY_USAGE", "METADATA_x-USAGE", OFFER),
    "report-metadata/offers-status": text("METADATA_TELEMETRY_STATUS", "METADATA_x-STATUS", OFFER),
    "report-metadata/offers-history": text("METADATA_HISTORY_USAGE", "METADATA_x-HISTORY", OFFER),
    "report-status/one-interval": text(f"({INTERVAL})", r"\1\1", REPORT),
    "report-status/online": without("oadr:oadrOnline", REPORT),
    "report-status/override": without("oadr:oadrManualOverride", REPORT),
    "report-usage/one-interval": text(f"({INTERVAL})", r"\1\1", REPORT),
    "report-usage/number": without("ei:payloadFloat", REPORT),
    "report-periodic/pending": text("<ei:reportRequestID>[^<]*</ei:reportRequestID>", "", PENDING),
    "report-periodic/no-description": text("(<ei:reportRequestID>)", r"<oadr:oadrReportDescription/>\1", REPORT),
    "report-periodic/start": text(rf"(<oadr:oadrReport>){DATA}", r"\1", REPORT),
    "report-periodic/start-of-the-first-interval": text(
        rf"(<oadr:oadrReport><xcal:dtstart>){DATE_TIME}",
        r"\1<xcal:date-time>2020-01-01T00:00:00Z</xcal:date-time>",
        REPORT,
    ),
    "report-periodic/all-starts-or-none": text(rf"(<ei:interval>){DATA}", r"\1", REPORT, count=1),
    "report-periodic/all-durations-or-none": text(
        rf"(<ei:interval>{DATA})<xcal:duration>.*?</xcal:duration></xcal:duration>", r"\1", REPORT, count=1
    ),
    "report-periodic/oldest-first": text(f"({INTERVAL})({INTERVAL})", r"\2\1", REPORT),
    "report-periodic/as-many-intervals-as-asked": text(f"({INTERVAL})", r"\1\1\1", REPORT),
    "report-periodic/points": text("<ei:rID>[^<]*", "<ei:rID>other", REPORT),
    "report-two-requests/both-pending": text("<ei:reportRequestID>one[^<]*</ei:reportRequestID>", "", PENDING),
    "report-history/data": without("ei:payloadFloat", REPORT),
    "report-history/part": without("ei:payloadFloat", REPORT),
    "report-on-change/comes": text(INTERVAL, "", REPORT),
    "report-on-change/and-again": text(INTERVAL, "", REPORT),
    "report-later/complete": text(INTERVAL, "", REPORT),
    "report-later/not-before-its-start": text(
        rf"(<oadr:oadrReport><xcal:dtstart>){DATE_TIME}",
        r"\1<xcal:date-time>2020-01-01T00:00:00Z</xcal:date-time>",
        REPORT,
    ),
    "report-history/from-its-start-on": text(
        rf"(<oadr:oadrReport><xcal:dtstart>){DATE_TIME}",
        r"\1<xcal:date-time>2020-01-01T00:00:00Z</xcal:date-time>",
        REPORT,
    ),
    "push-registration/same-address": text(
        "(<ei:registrationID>.*<oadr:oadrTransportAddress>)[^<]*", r"\g<1>http://x", REGISTER
    ),
    "push-reports/created-type": in_answers(header("Content-Type", "text/html")),
    "everything/host": header("Host", ""),
    "everything/content-type": header("Content-Type", "text/xml"),
    "everything/content-length": header("Content-Length", ""),
    "everything/not-chunked": header("Transfer-Encoding", "chunked"),
    "everything/accept": header("Accept", "text/html"),
    "everything/envelope": text("oadr:oadrSignedObject", "oadr:oadrOther", EVENT, "oadrRequestEvent"),
    "everything/schema": odd_element(("oadrRequestEvent",)),
    "everything/schema-version": text(' ei:schemaVersion="2.0b"', "", "oadrRequestEvent"),
    "everything/no-schema-location": text(
        "<oadr:oadrPayload ", '<oadr:oadrPayload xmlns:i="urn:i" i:schemaLocation="a b" ', "oadrRequestEvent"
    ),
    "everything/utc": text("Z</ei:createdDateTime>", "+00:00</ei:createdDateTime>", OFFER),
    "everything/whole-durations": text("PT1H<", "PT1.5H<", OFFER),
    "everything/ven-id": text("<ei:venID>[^<]*", "<ei:venID>other", "oadrRequestEvent"),
    "everything/only-what-a-ven-sends": text("oadr:oadrRequestEvent", "oadr:oadrDistributeEvent", "oadrRequestEvent"),
}

HABITS: dict[str, str] = {
    "registration-cancel-wrong/still-registered": "leaves for any reason",
    "registration-refused/nothing-else": "polls when refused",
    "registration-refused/tries-again": "never pauses",
    "registration-cancel-by-ven/silent": "polls without registration",
    "poll-drains/at-once": "never drains",
    "poll-refused/goes-on": "gives up when refused",
    "poll-interval/not-sooner": "polls too often",
    "event-again/same-answer": "changes its mind",
    "event-cancelled/not-mentioned-any-more": "dwells on the past",
    "event-missing/not-mentioned": "dwells on the past",
    "event-never/never-answered": "answers never",
    "event-never/this-one-not": "answers never",
    "event-never/cancellation-not-answered": "answers never",
    "event-none/nothing-answered": "dwells on the past",
    "report-status/one-report": "reports for ever",
    "report-usage/one-report": "reports for ever",
    "report-periodic/not-too-soon": "reports in a hurry",
    "report-periodic/not-pending-any-more": "goes on reporting",
    "report-periodic/no-more": "goes on reporting",
    "report-to-follow/and-only-one": "follows for ever",
    "report-later/ends": "never ends",
    "report-refused/not-pending": "promises what it refuses",
    "report-two-requests/none-pending": "goes on reporting",
    "report-cancel-in-passing/no-more": "cancels by message only",
    "report-again/the-same-again": "forgets what failed",
    "report-again/after-a-pause": "never pauses",
    "report-history/once": "reports for ever",
    "http-busy/first-pause": "never pauses",
    "http-busy/second-pause": "never pauses",
    "http-busy/third-pause": "never pauses",
    "http-again/after-a-pause": "never pauses",
    "http-not-acceptable/not-again": "repeats what is not taken",
    "http-not-found/not-again": "repeats what is not taken",
    "push-events/nothing-said": "talks back",
    "push-no-poll/never": "polls all the same",
    "push-tls/no-certificate": "talks to anybody",
    "push-tls/foreign-certificate": "talks to anybody",
    **dict.fromkeys(
        (f"signature-{bad}/not-processed" for bad in ("tampered", "old", "another", "missing", "wrapped", "replayed")),
        "believes anything",
    ),
    "signature-of-answer/said-again": "believes anything",
    "tls-foreign/refused": "trusts anybody",
    "tls-expired/refused": "trusts anybody",
}


def spoilt_for(name: str) -> tuple[Spoil, tuple[str, ...]]:
    """What should make this check fail: a spoilt message, or a bad habit."""
    step, check = CHECKS[name]
    if name in HABITS:
        return unspoilt, (HABITS[name],)
    if name in SPOILT:
        return SPOILT[name], ()
    if isinstance(check.kind, SignedWell):
        return unspoilt, ("changes what is signed",)
    if isinstance(step, Hear):
        return usual_spoiler(check)(step.payloads), ()
    return in_answers(usual_spoiler(check)(())), ()


def usual_spoiler(check: Check) -> Spoiler:
    match check.kind:
        case AskedBy():
            return elsewhere
        case SchemaValid():
            return odd_element
        case StatusIs():
            return lambda _: lambda said: replace(said, status=599)
        case PayloadIs():
            return lambda _: text(r"oadr:oadr(Cre|Reg|Can|Res)\w+( ei|>)", r"oadr:oadrCreatedOpt\2")
        case ResponseCodeIs():
            return other_code
        case QueryGives(query=query):
            return next(spoiler for end, spoiler in BY_WHAT_IT_READS.items() if query.text.endswith(end))
    raise AssertionError(f"nothing spoils {check.id}")


@pytest.mark.parametrize("transport", Transport)
def test_the_model_passes_everything(transport: Transport) -> None:
    assert failing_checks(SUITE, unspoilt, transport=transport, signs=True) == set()


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_notices_what_it_is_about(name: str) -> None:
    spoil, habits = spoilt_for(name)
    procedure_id = name.partition("/")[0]
    signs = procedure_id in NEED_SIGNATURES
    transport = Transport.PUSH if procedure_id.startswith("push-") else Transport.PULL
    assert name in failing_checks(SUITE, spoil, habits, only=[procedure_id], transport=transport, signs=signs)


@pytest.mark.parametrize(
    "habit",
    ["signs nothing", "changes what is signed", "signs as another", "signs as of yesterday", "knows one nonce"],
)
def test_nothing_is_signed_well_that_is_wrong_in_one_way(habit: str) -> None:
    assert "everything-signed/signed" in failing_checks(
        SUITE, unspoilt, [habit], only=["everything-signed"], signs=True
    )


def test_who_does_not_sign_is_not_asked_about_signatures() -> None:
    found = failing_checks(SUITE, unspoilt, only=NEED_SIGNATURES, signs=False)
    assert found == {f"{procedure_id}/not-run" for procedure_id in NEED_SIGNATURES}
