"""EiReport in one conversation: what was asked of us, and the reports that wait to be told."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from openadr_core.model.report import ReportOffer
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import Indication, ReportCancelled, ReportDelivered, ReportRefused
from openadr_ven.protocols.oadr2 import reports
from openadr_ven.protocols.oadr2.memory import Memory
from openadr_ven.protocols.oadr2.reports import Step


class ReportTalk:
    """Each method is a step of the conversation: what it changes is in the :class:`Step` that it returns."""

    def __init__(self, offers: Sequence[ReportOffer], *, new_id: Callable[[], str]) -> None:
        self._offers = offers
        self._new_id = new_id
        self._waiting: deque[Batch] = deque()

    # -- what was asked of us ----------------------------------------------------------

    def requested(self, memory: Memory, message: m.CreateReport, now: datetime) -> Step:
        return reports.take_requests(
            memory,
            message.report_requests,
            self._offers,
            request_id=message.request_id,
            new_id=self._new_id,
            now=now,
        )

    def offered(self, memory: Memory, message: m.RegisteredReport, now: datetime) -> Step:
        """The VTN has our metadata."""
        return self._ended(reports.take_registered(memory, message, self._offers, new_id=self._new_id, now=now))

    def cancelled(self, memory: Memory, message: m.CancelReport) -> Step:
        return self._ended(reports.take_cancel(memory, message))

    def due(self, memory: Memory, now: datetime) -> Step:
        """Metadata that was asked for again and again."""
        return reports.due_metadata(memory, self._offers, new_id=self._new_id, now=now)

    # -- what is told ------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        self._waiting.append(batch)

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def update(self, *, request_id: str, ven_id: str, now: datetime) -> m.UpdateReport:
        """The first that waits."""
        batch = self._waiting[0]
        offer = next(one for one in self._offers if one.specifier_id == batch.request.specifier_id)
        return reports.update(batch, offer, request_id=request_id, ven_id=ven_id, now=now)

    def told(self, memory: Memory, message: m.Message, code: str, description: str) -> Step:
        """The VTN has answered the first: taken, or refused for good. It may cancel in passing (R328)."""
        step = self._taken(memory) if code == codes.OK else self.refused(memory, code, description)
        if not isinstance(message, m.UpdatedReport) or message.cancel_report is None:
            return step
        after = self.cancelled(step.memory, message.cancel_report)
        return Step(memory=after.memory, indications=step.indications + after.indications)

    def refused(self, memory: Memory, code: str, description: str) -> Step:
        batch = self._waiting.popleft()
        return self._settled(memory, batch, ReportRefused(batch=batch.number, code=code, description=description))

    def set_aside(self) -> None:
        """One that the VTN cannot answer sensibly is tried again, behind the others: it must not stop them."""
        self._waiting.rotate(-1)

    def _taken(self, memory: Memory) -> Step:
        batch = self._waiting.popleft()
        return self._settled(memory, batch, ReportDelivered(batch=batch.number))

    def _settled(self, memory: Memory, batch: Batch, indication: Indication) -> Step:
        """With the last report of a request, the request is done."""
        if batch.last:
            memory = memory.without_report_request(batch.request.id)
        return Step(memory=memory, indications=(indication,))

    def _ended(self, step: Step) -> Step:
        """What waits to be told of a report that is ended is not told any more."""
        ended = {one.request_id for one in step.indications if isinstance(one, ReportCancelled) and not one.to_follow}
        self._waiting = deque(batch for batch in self._waiting if batch.request.id not in ended)
        return step
