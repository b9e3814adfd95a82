"""What an OpenADR 3 VEN says, as requests: addresses, bodies, and the token that they carry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlencode

from openadr_core.exchange import Request
from openadr_core.oadr3.encode import OPERATING_STATE
from openadr_core.oadr3.readings import AGGREGATED
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr3.bids import NO_BIDS, Bids
from openadr_ven.protocols.oadr3.lists import PAGE, Pass
from openadr_ven.protocols.oadr3.memory import State
from openadr_ven.protocols.oadr3.notices import Webhook
from openadr_ven.protocols.oadr3.reports import Post

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
OPTED_OUT, TAKES_PART = "RUNNING_OPTED_OUT", "RUNNING_NORMAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Oadr3Settings:
    url: str
    """As people know the VTN."""
    base: str = "/openadr3/3.1.0"
    """What its addresses begin with."""
    ven_name: str
    client_id: str = ""
    """Empty: the VTN wants no token (R1.4)."""
    client_secret: str = ""
    scope: str = ""
    webhook: Webhook | None = None
    """Where the VTN tells us of changes; None: it does not by webhook."""
    uses_broker: bool = False
    """Listen to the VTN's broker, if it has one."""
    poll_interval: timedelta
    poll_jitter: float = 0.0
    enrolment_retry: timedelta
    enrolled: Enrolled
    bids: Bids = NO_BIDS
    """What the aggregator would have reserved; nothing, if it does not say."""
    resources: tuple[str, ...] = ()
    """Names of what we report on, for the VTN to know."""

    @property
    def resource(self) -> str:
        """What a report that sums up nothing is of: the fleet."""
        return self.resources[0] if self.resources else self.ven_name

    @property
    def is_of_3_0_1(self) -> bool:
        return self.base.endswith("/3.0.1")


class Asking:
    """Requests of one VEN."""

    def __init__(self, settings: Oadr3Settings) -> None:
        self._settings = settings
        self.token = ""
        """The bearer token; empty while there is none."""
        self.token_url = ""
        """Where to ask for one; empty until the VTN has said so."""

    def discover(self) -> Request:
        return Request(method="GET", path=f"{self._settings.base}/auth/server", headers={"accept": JSON})

    def a_token(self) -> Request:
        form = {
            "grant_type": "client_credentials", "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
        }  # fmt: skip
        if self._settings.scope:
            form["scope"] = self._settings.scope
        headers = {"content-type": FORM, "accept": JSON}
        return Request(method="POST", path=self.token_url, body=urlencode(form).encode(), headers=headers)

    def find_ven(self, *, by_name: bool) -> Request:
        return self._get(f"/vens?venName={self._name}&limit={PAGE}" if by_name else f"/vens?limit={PAGE}")

    def make_ven(self) -> Request:
        return self._send("POST", "/vens", {"objectType": "VEN_VEN_REQUEST", "venName": self._settings.ven_name})

    def find_resources(self, ven_id: str) -> Request:
        if self._settings.is_of_3_0_1:
            return self._get(f"/vens/{ven_id}/resources?limit={PAGE}")
        return self._get(f"/resources?venID={ven_id}&limit={PAGE}")

    def make_resource(self, name: str, ven_id: str) -> Request:
        if self._settings.is_of_3_0_1:
            return self._send("POST", f"/vens/{ven_id}/resources", {"resourceName": name})
        body = {"objectType": "VEN_RESOURCE_REQUEST", "resourceName": name, "venID": ven_id}
        return self._send("POST", "/resources", body)

    def leave(self, ven_id: str) -> Request:
        return self._send("DELETE", f"/vens/{ven_id}")

    def page(self, pages: Pass) -> Request:
        return self._get(pages.address, **pages.headers)

    def event(self, event_id: str) -> Request:
        return self._get(f"/events/{event_id}")

    def state(self, state: State, program_id: str) -> Request:
        """Our operating state in an event: how 3.1 opts out, and in again."""
        word = OPTED_OUT if state.opted_out else TAKES_PART
        body = {
            "eventID": state.event_id,
            "clientName": self._settings.ven_name,
            "reportName": state.report_name,
            "payloadDescriptors": [{"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": OPERATING_STATE}],
            "resources": [
                {
                    "resourceName": AGGREGATED,
                    "intervals": [{"id": 0, "payloads": [{"type": OPERATING_STATE, "values": [word]}]}],
                }
            ],
        }
        if state.report_id:
            return self._send("PUT", f"/reports/{state.report_id}", self._about(program_id, body))
        return self._send("POST", "/reports", self._about(program_id, body))

    def find_subscription(self) -> Request:
        return self._get(f"/subscriptions?clientName={self._name}&limit={PAGE}")

    def subscribe(self, watches: object, subscription_id: str) -> Request:
        """Make our subscription, or give the one that is there these ``objectOperations``."""
        body = {"clientName": self._settings.ven_name, "objectOperations": watches}
        if subscription_id:
            return self._send("PUT", f"/subscriptions/{subscription_id}", body)
        return self._send("POST", "/subscriptions", body)

    def thing(self, path: str) -> Request:
        """What lies at this path of the API."""
        return self._get(path)

    def report(self, post: Post) -> Request:
        body = self._about(post.asked.known.program_id, post.body)
        if post.report_id:
            return self._send("PUT", f"/reports/{post.report_id}", body)
        return self._send("POST", "/reports", body)

    def find_reports(self, event_id: str) -> Request:
        """Those that we have made of an event."""
        return self._get(f"/reports?eventID={event_id}&clientName={self._name}&limit={PAGE}")

    def _about(self, program_id: str, report: Mapping[str, object]) -> Mapping[str, object]:
        """3.0.1 wants to be told of which program a report is."""
        return {**report, "programID": program_id} if self._settings.is_of_3_0_1 else report

    @property
    def client_id(self) -> str:
        return self._settings.client_id

    @property
    def ven_name(self) -> str:
        return self._settings.ven_name

    @property
    def _name(self) -> str:
        return quote(self._settings.ven_name, safe="")

    def _get(self, path: str, **headers: str) -> Request:
        return Request(
            method="GET", path=f"{self._settings.base}{path}", headers={**self._bearer, "accept": JSON, **headers}
        )

    def _send(self, method: str, path: str, body: object = None) -> Request:
        headers = {**self._bearer, "accept": JSON}
        if body is not None:
            headers["content-type"] = JSON
        text = json.dumps(body).encode() if body is not None else b""
        return Request(method=method, path=f"{self._settings.base}{path}", body=text, headers=headers)

    @property
    def _bearer(self) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}
