"""A round's setpoints as its row has them: of the devices alone that follow one, mostly a small part of the fleet.

Rounds that were stored whole, by earlier versions, are as long as their fleet and are taken as they are.
"""

import numpy as np

from openadr_ven.fleet.columns import Mode

SETPOINT_BYTES = 4


def packed(mode: bytes, setpoint_w: bytes) -> bytes:
    """From ``domain.held.Round``'s columns; nothing is lost, since the others have none."""
    follows = np.frombuffer(mode, dtype=np.uint8) == Mode.SETPOINT
    return bytes(np.frombuffer(setpoint_w, dtype=np.float32)[follows].data)


def unpacked(mode: bytes, stored: bytes) -> bytes:
    """Of every device again."""
    if len(stored) == len(mode) * SETPOINT_BYTES:
        return stored
    setpoint_w = np.zeros(len(mode), dtype=np.float32)
    setpoint_w[np.frombuffer(mode, dtype=np.uint8) == Mode.SETPOINT] = np.frombuffer(stored, dtype=np.float32)
    return setpoint_w.tobytes()
