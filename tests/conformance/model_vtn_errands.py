"""What the model VTN's operator wants of a VEN: what its hook wrote into a file, as a VTN says it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POINTS = {
    "METADATA": "METADATA",
    "site_usage": "site_power",
    "site_status": "site_status",
    "site_history": "site_history",
}
"""By reportSpecifierID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelErrand:
    action: str
    report_request_id: str
    wish: dict[str, Any]

    def message(self, ven_id: str, registration_id: str) -> tuple[str, str]:
        """The payload's name, and what is in it."""
        ven = f"<ei:venID>{ven_id}</ei:venID>"
        asked = "<pyld:requestID>e1</pyld:requestID>"
        match self.action:
            case "request-report" | "request-reports":
                requests = "".join(map(self._request, self.request_ids, self._specifiers))
                return "oadrCreateReport", f"{asked}{requests}{ven}"
            case "cancel-report":
                told = (
                    f"<ei:reportRequestID>{self.wish['report_request_id']}</ei:reportRequestID>"
                    f"<pyld:reportToFollow>{self.wish['to_follow']}</pyld:reportToFollow>"
                )
                return "oadrCancelReport", f"{asked}{told}{ven}"
            case "cancel-registration":
                registration = f"<ei:registrationID>{registration_id}</ei:registrationID>"
                return "oadrCancelPartyRegistration", f"{asked}{registration}{ven}"
            case _:
                return "oadrRequestReregistration", ven

    @property
    def request_ids(self) -> list[str]:
        """Those that the hook has printed."""
        if self.action == "request-reports":
            return [f"{self.report_request_id}-{number}" for number in (1, 2)]
        return [self.report_request_id]

    @property
    def _specifiers(self) -> list[str]:
        return str(self.wish["specifiers"] if "specifiers" in self.wish else self.wish["specifier"]).split()

    def _request(self, request_id: str, specifier: str) -> str:
        back, granularity = self.wish.get("report_back_s", "0"), self.wish.get("granularity_s", "0")
        length = self.wish.get("duration_s", "0")
        start = self.wish.get("start", "2026-01-01T00:00:00Z")
        return f"""<oadr:oadrReportRequest><ei:reportRequestID>{request_id}</ei:reportRequestID>
<ei:reportSpecifier><ei:reportSpecifierID>{specifier}</ei:reportSpecifierID>
<xcal:granularity><xcal:duration>PT{granularity}S</xcal:duration></xcal:granularity>
<ei:reportBackDuration><xcal:duration>PT{back}S</xcal:duration></ei:reportBackDuration>
<ei:reportInterval><xcal:properties>
<xcal:dtstart><xcal:date-time>{start}</xcal:date-time></xcal:dtstart>
<xcal:duration><xcal:duration>PT{length}S</xcal:duration></xcal:duration></xcal:properties></ei:reportInterval>
<ei:specifierPayload><ei:rID>{POINTS[specifier]}</ei:rID>
<ei:readingType>x-notApplicable</ei:readingType></ei:specifierPayload></ei:reportSpecifier></oadr:oadrReportRequest>"""


def errands_in(folder: Path) -> list[ModelErrand]:
    """In the order in which they were asked for."""
    file = folder / "errands"
    lines = file.read_text().splitlines() if file.exists() else []
    read = [line.split(" ", 2) for line in lines]
    return [ModelErrand(action=action, report_request_id=named, wish=json.loads(wish)) for action, named, wish in read]
