"""What the VTN counts, for Prometheus. Numbers that live in the store are refreshed by a tick, not by a scrape."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from openadr_core.model.event import EventStatus
from openadr_core.model.party import PartyState
from openadr_vtn.application.ports import Notice, Store
from openadr_vtn.domain.notification import NotificationState


class VtnMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._commands = Counter(
            "openadr_vtn_commands", "Commands of operators that were done", ["command"], registry=registry
        )
        self._notices = Counter(
            "openadr_vtn_notices", "What parties did that is worth a log line", ["kind"], registry=registry
        )
        self._refusals = Counter(
            "openadr_vtn_refusals", "Requests refused, connections cut, before a message was read", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._in_flight = Gauge(
            "openadr_vtn_in_flight",
            "Requests of parties and pushes to parties that are under way",
            ["what"],
            registry=registry,
        )
        self._ending = Gauge(
            "openadr_vtn_party_certificates_ending", "Certificates of approved parties that end within so many days",
            ["days"], registry=registry,
        )  # fmt: skip
        self.polled = Counter("openadr_vtn_polls", "Polls of parties", registry=registry).inc
        self._parties = Gauge("openadr_vtn_parties", "Parties by state", ["state"], registry=registry)
        self._events = Gauge("openadr_vtn_events", "Events that are not over, by status", ["status"], registry=registry)
        self._unspread = Gauge(
            "openadr_vtn_events_unspread", "Events whose news is yet to be written out to some parties",
            registry=registry,
        )  # fmt: skip
        self._late = Gauge("openadr_vtn_reports_late", "Parties whose reports are overdue", registry=registry)
        self._unanswered = Gauge(
            "openadr_vtn_deliveries_unanswered", "Parties that owe an answer to a current event", registry=registry
        )

        self._notifications = Gauge(
            "openadr_vtn_notifications", "Notifications of webhooks that wait, and that were given up", ["state"],
            registry=registry,
        )  # fmt: skip
        self._unpublished = Gauge(
            "openadr_vtn_changes_unpublished", "Changes that the MQTT broker has not acknowledged", registry=registry
        )

    def notify(self, *, waiting: int, dead: int, unpublished: int) -> None:
        """How much there is to tell, as it is now."""
        self._notifications.labels("waiting").set(waiting)
        self._notifications.labels("dead").set(dead)
        self._unpublished.set(unpublished)

    def wrote(self, command: str) -> None:
        self._commands.labels(command).inc()

    def noticed(self, notice: Notice) -> None:
        self._notices.labels(notice.kind).inc()

    def refused(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    def watch(self, what: str, in_flight: Callable[[], int]) -> None:
        """Show how much of it there is at the moment of each scrape."""
        self._in_flight.labels(what).set_function(in_flight)

    def certificates_end(self, ends: Collection[datetime], now: datetime) -> None:
        """When certificates of parties end that do so soon."""
        for days in CERTIFICATE_STEPS_DAYS:
            within = sum(end < now + timedelta(days=days) for end in ends)
            self._ending.labels(str(days)).set(within)

    def refresh(
        self,
        parties: Mapping[PartyState, int],
        events: Mapping[EventStatus, int],
        *,
        unspread: int,
        late: int,
        unanswered: int,
    ) -> None:
        """The store's numbers, as they are now."""
        for state in PartyState:
            self._parties.labels(state.value).set(parties.get(state, 0))
        for status in EventStatus:
            self._events.labels(status.value).set(events.get(status, 0))
        self._unspread.set(unspread)
        self._late.set(late)
        self._unanswered.set(unanswered)


CERTIFICATE_STEPS_DAYS = (60, 30, 14, 7, 1, 0)
"""Zero: it has ended."""


async def refresh_metrics(store: Store, metrics: VtnMetrics, now: datetime) -> None:
    """Read the store's numbers, and show them."""
    async with store.view() as view:
        ends = await view.parties.certificates_end(now + timedelta(days=CERTIFICATE_STEPS_DAYS[0]))
        parties = {state: await view.parties.count(state) for state in PartyState}
        events = await view.events.statuses(now)
        unspread = len(await view.fan_outs.all())
        late = await view.reports.count_late(now)
        unanswered = await view.deliveries.count_unanswered(now)
        metrics.notify(
            waiting=await view.notifications.count(NotificationState.WAITING),
            dead=await view.notifications.count(NotificationState.DEAD),
            unpublished=await view.object_changes.count_unpublished(),
        )
    metrics.certificates_end(ends, now)
    metrics.refresh(parties, events, unspread=unspread, late=late, unanswered=unanswered)
