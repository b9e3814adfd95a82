"""What became of a command on each device: one table, read for whole columns at once.

A command's state is one byte per device. Acknowledgements come late, twice and out of order, so
the table says what each means in every state; an input that means nothing leaves the state alone
and is reported, for the caller to count or, if the input was its own, to call a bug.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openadr_ven.gateways.contract import AckState

States = NDArray[np.uint8]


class CommandState(IntEnum):
    PLANNED = 0
    SENT = 1
    RECEIVED = 2
    STARTED = 3
    COMPLETED = 4
    REJECTED = 5
    OPTED_OUT = 6
    TIMED_OUT = 7
    """Nothing was heard in time. An acknowledgement that comes after all is believed."""


class CommandInput(IntEnum):
    PLAN = 0
    """A new command for the device: whatever the old one's state was, it is history."""
    SEND = 1
    """The broker took the frame, perhaps again."""
    RECEIVED = 2
    STARTED = 3
    COMPLETED = 4
    REJECTED = 5
    OPTED_OUT = 6
    TIME_OUT = 7


_S, _I = CommandState, CommandInput
_HEARD = {
    _I.RECEIVED: _S.RECEIVED,
    _I.STARTED: _S.STARTED,
    _I.COMPLETED: _S.COMPLETED,
    _I.REJECTED: _S.REJECTED,
    _I.OPTED_OUT: _S.OPTED_OUT,
}
TABLE: dict[CommandState, dict[CommandInput, CommandState]] = {
    _S.PLANNED: {_I.SEND: _S.SENT},
    _S.SENT: {**_HEARD, _I.SEND: _S.SENT, _I.TIME_OUT: _S.TIMED_OUT},
    _S.RECEIVED: {**_HEARD, _I.SEND: _S.RECEIVED, _I.TIME_OUT: _S.TIMED_OUT},
    # An acknowledgement of an earlier step, late: the command has gone on since.
    _S.STARTED: {**_HEARD, _I.RECEIVED: _S.STARTED, _I.SEND: _S.STARTED, _I.TIME_OUT: _S.TIMED_OUT},
    # Final. What the gateway says again is no news; what contradicts it is refused.
    _S.COMPLETED: dict.fromkeys((_I.SEND, _I.RECEIVED, _I.STARTED, _I.COMPLETED), _S.COMPLETED),
    _S.REJECTED: dict.fromkeys((_I.SEND, _I.RECEIVED, _I.REJECTED), _S.REJECTED),
    _S.OPTED_OUT: dict.fromkeys((_I.SEND, _I.RECEIVED, _I.STARTED, _I.OPTED_OUT), _S.OPTED_OUT),
    _S.TIMED_OUT: {**_HEARD, _I.SEND: _S.SENT, _I.TIME_OUT: _S.TIMED_OUT},
}
for _row in TABLE.values():
    _row[_I.PLAN] = _S.PLANNED

_MISS = 255
_NEXT = np.full((len(CommandState), len(CommandInput)), _MISS, dtype=np.uint8)
for _state, _row in TABLE.items():
    for _input, _after in _row.items():
        _NEXT[_state, _input] = _after

INPUT_OF_ACK = {
    AckState.RECEIVED: CommandInput.RECEIVED,
    AckState.STARTED: CommandInput.STARTED,
    AckState.COMPLETED: CommandInput.COMPLETED,
    AckState.REJECTED: CommandInput.REJECTED,
    AckState.OPTED_OUT: CommandInput.OPTED_OUT,
}
"""What an acknowledgement frame means to the table."""


def advance(states: States, inputs: ArrayLike) -> tuple[States, NDArray[np.bool_]]:
    """The states after one input each (or one for all), and where the input meant nothing.

    For some rows of a fleet: ``states[rows], refused = advance(states[rows], given)``.
    """
    after = _NEXT[states, np.asarray(inputs, dtype=np.uint8)]
    refused = after == _MISS
    return np.where(refused, states, after), refused
