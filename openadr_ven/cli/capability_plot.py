"""The capability curve as an SVG picture: stacked by class, with what is firm as a line."""

from xml.sax.saxutils import escape

import numpy as np

from openadr_ven.dispatch.capability import Capability
from openadr_ven.fleet.columns import DeviceClass, Floats
from openadr_ven.fleet.model import HOUR_S

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 460, 80, 200, 48, 56
COLOURS = ("#3367b0", "#5a9bd5", "#8bc1e8", "#e0872f", "#d9b72b", "#56a05a", "#8a63a8")
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TICKS = 5


def svg_of(found: Capability) -> str:
    """A picture for a browser or a report; numbers in it are megawatts and hours."""
    hours = found.durations_s / HOUR_S
    top_mw = _ceiling(float(found.by_class.sum(axis=0).max()) / 1e6)

    def x(hour: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * hour / float(hours[-1])

    def y(megawatts: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * megawatts / top_mw

    def path(values_mw: Floats) -> str:
        return " ".join(f"{x(hour):.1f},{y(value):.1f}" for hour, value in zip(hours, values_mw, strict=True))

    parts = [_text(LEFT, 24, "Relief that can be held flat, by duration", weight="bold", size=16)]
    for tick in np.linspace(0.0, top_mw, TICKS + 1):
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, y(tick) + 4, f"{tick:,.6g} MW", anchor="end"))
    parts += [_text(x(hour), HEIGHT - BOTTOM + 20, f"{hour:g} h", anchor="middle") for hour in hours if hour >= 1.0]
    below_mw, line = np.zeros(hours.size), TOP + 8.0
    for one in DeviceClass:
        own_mw = found.by_class[one] / 1e6
        if own_mw.max() <= 0.0:
            continue
        above = path(below_mw + own_mw)
        under = " ".join(reversed(path(below_mw).split()))
        parts.append(f'<polygon points="{above} {under}" fill="{COLOURS[one]}"/>')
        parts.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{line - 10}" width="12" height="12" fill="{COLOURS[one]}"/>')
        parts.append(_text(WIDTH - RIGHT + 36, line, one.name.lower().replace("_", " ")))
        below_mw, line = below_mw + own_mw, line + 22
    if found.firm_w is not None:
        firm = path(found.firm_w / 1e6)
        parts.append(f'<polyline points="{firm}" fill="none" stroke="#111" stroke-width="2" stroke-dasharray="6 4"/>')
        parts.append(_text(WIDTH - RIGHT + 16, line, "– – firm, 9 events in 10"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        f'\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 13
) -> str:  # fmt: skip
    style = f'text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _ceiling(value: float) -> float:
    """A round number above, of which a fifth is round too."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in STEPS if step * power >= value))
