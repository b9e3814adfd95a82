"""What a run leaves behind, and what it must not contain."""

from datetime import UTC, datetime

import pytest

from conformance.answers import Answer
from conformance.client.steps import Identity
from conformance.exchanges import Exchange, RawRequest
from conformance.known import Judged, Known, judge
from conformance.loading import load_suite
from conformance.outcomes import Finding, Outcome, Verdict
from conformance.reports import table
from conformance.reports.html import html
from conformance.reports.junit import junit
from conformance.reports.transcript import REDACTED, transcript
from openadr_core.xml.parse import parse

PROCEDURE = load_suite("openadr20b-vtn").procedures[0]
NASTY = "<script>alert(1)</script>\x1b[31m"


def outcome_of(verdict: Verdict, *exchanges: Exchange, reason: str = "") -> Outcome:
    check = PROCEDURE.checks[0]
    finding = Finding(
        check_id=check.id,
        clauses=check.clauses,
        passed=verdict is Verdict.PASSED,
        expected="HTTP 200",
        found=NASTY,
        line=4,
    )
    return Outcome(procedure=PROCEDURE, verdict=verdict, findings=(finding,), exchanges=exchanges, reason=reason)


FAILED = judge(outcome_of(Verdict.FAILED), Known())
EXCUSED = judge(outcome_of(Verdict.FAILED), Known(reasons={PROCEDURE.id: {PROCEDURE.checks[0].id: "known since May"}}))
PASSED = judge(outcome_of(Verdict.PASSED), Known())


def test_junit_is_what_build_servers_read() -> None:
    suite = parse(junit("openadr20b-vtn", "https://vtn.test", [FAILED, EXCUSED, PASSED]))
    assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("testsuite", "3", "1", "1")
    failed, excused, passed = suite
    assert [child.tag for child in failed] == ["failure"]
    assert "found <script>" in (failed[0].text or "")
    assert "known since May" in excused[0].get("message", "")
    assert len(passed) == 0


def test_html_takes_no_markup_from_the_peer() -> None:
    page = html("openadr20b-vtn", "https://vtn.test", [FAILED, EXCUSED, PASSED], Known(), at=datetime.now(UTC))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "known since May" in page


@pytest.mark.parametrize(("judged", "label"), [(FAILED, "failed"), (EXCUSED, "failed (known)"), (PASSED, "passed")])
def test_the_table_has_a_row_each(judged: Judged, label: str) -> None:
    assert label in table.row(judged)


def test_the_table_tells_what_differs() -> None:
    assert list(table.details(PASSED)) == []
    (line,) = table.details(FAILED)
    assert line.startswith("  ✗ http-ok (9.1.5): expected HTTP 200; found <script>")
    assert "\x1b" not in line
    assert table.summary([PASSED, FAILED]) == "1 failed, 1 passed; 1 not as expected"
    assert table.summary([PASSED, EXCUSED]) == "1 failed (known), 1 passed; all as expected"


SECRET = "c2VjcmV0c2VjcmV0"  # noqa: S105 what must not show
PRIVATE_BODY = f"""<a>-----BEGIN CERTIFICATE-----
{SECRET}
-----END CERTIFICATE----- <ds:X509Certificate>
{SECRET}</ds:X509Certificate><ds:SignatureValue Id="x">{SECRET}</ds:SignatureValue>
<ds:Modulus>{SECRET}</ds:Modulus><kept>shown</kept></a>"""


def exchange_of(body: str) -> Exchange:
    headers = [
        ("Authorization", f"Bearer {SECRET}"),
        ("cookie", SECRET),
        ("X-SSL-Client-Cert", SECRET),
        ("Kept", "yes"),
    ]
    return Exchange(
        at=datetime(2026, 7, 15, 18, 30, tzinfo=UTC),
        speaker=Identity.ENROLLED,
        tls="TLSv1.2 AES128-SHA256",
        request=RawRequest(method="POST", path="/x", headers=headers, body=body.encode()),
        answer=Answer(status=200, headers=[("Set-Cookie", SECRET)], body=body.encode(), elapsed_s=0.0123),
    )


def test_a_transcript_can_be_sent_to_a_vendor() -> None:
    text = transcript(outcome_of(Verdict.PASSED, exchange_of(PRIVATE_BODY)))
    assert SECRET not in text
    assert text.count(REDACTED) == 12
    for kept in ("> Kept: yes", "<kept>shown</kept>", "< HTTP 200 after 12.3 ms", "TLSv1.2 AES128-SHA256", "> POST /x"):
        assert kept in text


def test_a_transcript_shows_strange_bytes_as_text() -> None:
    text = transcript(outcome_of(Verdict.FAILED, exchange_of("a\x00b\x1b[31m"), reason="stopped"))
    assert "a\\x00b\\x1b[31m" in text
    assert text.splitlines()[1] == "failed stopped"
