"""Opts on their way to the VTN: told one at a time, in the order in which they were said (EiOpt)."""

from collections import deque

from openadr_core.errors import LocalProtocolError
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.translate_opts import opt_to_wire
from openadr_ven.domain.indications import OptTold
from openadr_ven.domain.opts import OptOrder


class OptTeller:
    """What the agent has stored, and the VTN has not yet answered."""

    def __init__(self) -> None:
        self._waiting: deque[OptOrder] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, order: OptOrder) -> None:
        self._waiting.append(order)

    def clear(self) -> None:
        self._waiting.clear()

    def message(self, *, ven_id: str, request_id: str) -> m.Message:
        """What is told next."""
        order = self._waiting[0]
        said = order.schedule or order.qualification
        if said is None:
            return m.CancelOpt(request_id=request_id, opt_id=order.cancels, ven_id=ven_id)
        return opt_to_wire(said, ven_id=ven_id, request_id=request_id)

    def told(self, code: str, description: str) -> OptTold:
        """The VTN's answer to it: whatever it says, it is not told again."""
        if not self._waiting:
            raise LocalProtocolError("an answer to no opt")
        order = self._waiting.popleft()
        return OptTold(number=order.number, opt_id=order.opt_id, code=code, description=description)
