"""What the model VTN's operator wants of a VEN: what its hook wrote into a file, as a VTN says it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
            case "request-report":
                return "oadrCreateReport", f"{asked}{self._request()}{ven}"
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

    def _request(self) -> str:
        metadata = self.wish["specifier"] == "METADATA"
        back, granularity = self.wish.get("report_back_s", "0"), self.wish.get("granularity_s", "0")
        return f"""<oadr:oadrReportRequest><ei:reportRequestID>{self.report_request_id}</ei:reportRequestID>
<ei:reportSpecifier><ei:reportSpecifierID>{self.wish["specifier"]}</ei:reportSpecifierID>
<xcal:granularity><xcal:duration>PT{granularity}S</xcal:duration></xcal:granularity>
<ei:reportBackDuration><xcal:duration>PT{back}S</xcal:duration></ei:reportBackDuration>
<ei:specifierPayload><ei:rID>{"METADATA" if metadata else "site_power"}</ei:rID>
<ei:readingType>x-notApplicable</ei:readingType></ei:specifierPayload></ei:reportSpecifier></oadr:oadrReportRequest>"""


def errands_in(folder: Path) -> list[ModelErrand]:
    """In the order in which they were asked for."""
    file = folder / "errands"
    lines = file.read_text().splitlines() if file.exists() else []
    read = [line.split(" ", 2) for line in lines]
    return [ModelErrand(action=action, report_request_id=named, wish=json.loads(wish)) for action, named, wish in read]
