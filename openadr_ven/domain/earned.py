"""Why an owner's device earned what it did in an event, in words that its owner can check."""

ALL = 0.95
"""A meter and a compressor are no better than that: from here on it is called all."""
FEW = 0.01
STATES = {
    "OPTED_OUT": "its owner took it back",
    "REJECTED": "the device refused the last command",
    "TIMED_OUT": "the last command was never answered",
}


def why(*, asked_kwh: float, confirmed_kwh: float, gave_kwh: float, state: str, per_kwh: float | None) -> str:
    """Of one device in one event; ``state`` is that of its last command."""
    share = gave_kwh / asked_kwh if asked_kwh else 0.0
    if share >= ALL:
        what = "gave what was asked"
    elif confirmed_kwh / asked_kwh < FEW if asked_kwh else True:
        what = "no command was confirmed"
    elif share <= FEW:
        what = "gave nothing of what was asked"
    else:
        what = f"gave {share:.0%} of what was asked"
    reasons = [what]
    if share < ALL and state in STATES:
        reasons.append(STATES[state])
    if per_kwh is None:
        reasons.append("its program pays nothing")
    return "; ".join(reasons)
