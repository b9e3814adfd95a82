"""JUnit XML: one test case per procedure, so that a build server can show a run."""

from collections.abc import Sequence

from lxml import etree

from conformance.known import Judged
from conformance.outcomes import Verdict
from conformance.reports.table import details


def junit(suite_name: str, target_url: str, all_judged: Sequence[Judged]) -> bytes:
    """A known shortcoming is a skipped case with its reason; whatever is not as expected is a failure."""
    suite = etree.Element(
        "testsuite",
        name=suite_name,
        hostname=target_url,
        tests=str(len(all_judged)),
        failures=str(sum(not judged.as_expected for judged in all_judged)),
        skipped=str(sum(_excused(judged) for judged in all_judged)),
        time=f"{sum(judged.outcome.elapsed_s for judged in all_judged):.3f}",
    )
    for judged in all_judged:
        procedure = judged.outcome.procedure
        case = etree.SubElement(
            suite, "testcase", classname=suite_name, name=procedure.id, time=f"{judged.outcome.elapsed_s:.3f}"
        )
        text = "\n".join(line.strip() for line in details(judged))
        if not judged.as_expected:
            etree.SubElement(case, "failure", message=judged.label).text = text
        elif _excused(judged):
            etree.SubElement(case, "skipped", message=text)
    return etree.tostring(suite, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _excused(judged: Judged) -> bool:
    return judged.as_expected and judged.outcome.verdict is not Verdict.PASSED
