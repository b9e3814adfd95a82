"""One self-contained HTML page for people who were not in the room."""

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader

from conformance.known import Judged, Known
from conformance.reports.table import summary
from conformance.reports.transcript import transcript

_PAGES = Environment(
    loader=PackageLoader("conformance.reports", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def html(suite_name: str, target_url: str, all_judged: Sequence[Judged], known: Known, *, at: datetime) -> str:
    return _PAGES.get_template("page.html.j2").render(
        suite=suite_name,
        url=target_url,
        judged=all_judged,
        known=known,
        summary=summary(all_judged),
        at=at,
        transcript=transcript,
    )
