"""Plots as SVG, by hand: panels with a common time axis, lines with names. Text only, so that a diff shows a change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _HEIGHT, _GAP, _BOTTOM = 960, 80, 20, 56, 150, 34, 40
_COLOURS = ("#1a5fb4", "#c64600", "#26a269", "#813d9c", "#5e5c64")
_STYLE = "font-family:sans-serif;font-size:12px;fill:#241f31"


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over one day on one vertical axis; `lines` gives each name its values, evenly spaced."""

    title: str
    lines: Mapping[str, Sequence[float]]
    unit: str = ""


def thinned(values: Sequence[float], points: int) -> list[float]:
    """Return at most `points` values, each the largest of its stretch, so that no peak is lost."""
    size = max(1, math.ceil(len(values) / points))
    return [max(values[i : i + size]) for i in range(0, len(values), size)]


def plot(title: str, panels: Sequence[Panel]) -> str:
    """Return the picture. A line has the same colour in each panel that has its name."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    height = _TOP + len(panels) * (_HEIGHT + _GAP) + _BOTTOM - _GAP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" style="{_STYLE};font-weight:bold">{escape(title)}</text>',
    ]
    x = float(_LEFT)
    for name in names:
        out.append(f'<line x1="{x:g}" y1="36" x2="{x + 22:g}" y2="36" stroke="{colour[name]}" stroke-width="3"/>')
        out.append(f'<text x="{x + 28:g}" y="40" style="{_STYLE}">{escape(name)}</text>')
        x += 52 + 6.5 * len(name)
    for i, panel in enumerate(panels):
        out += _panel(panel, colour, _TOP + i * (_HEIGHT + _GAP), last=i == len(panels) - 1)
    return "\n".join([*out, "</svg>", ""])


def _panel(panel: Panel, colour: Mapping[str, str], top: float, *, last: bool) -> list[str]:
    bottom, right = top + _HEIGHT, _WIDTH - _RIGHT
    most = _nice(max(max(values) for values in panel.lines.values()))
    out = [f'<text x="{_LEFT}" y="{top + 12:g}" style="{_STYLE};font-weight:bold">{escape(panel.title)}</text>']
    for part in range(3):
        y = bottom - (_HEIGHT - 18) * part / 2
        out.append(f'<line x1="{_LEFT}" y1="{y:g}" x2="{right}" y2="{y:g}" stroke="#deddda"/>')
        text = f"{_short(most * part / 2)}{panel.unit}"
        out.append(f'<text x="{_LEFT - 8}" y="{y + 4:g}" text-anchor="end" style="{_STYLE}">{text}</text>')
    for hour in range(0, 25, 3):
        x = _LEFT + (right - _LEFT) * hour / 24
        out.append(f'<line x1="{x:g}" y1="{bottom:g}" x2="{x:g}" y2="{bottom + 4:g}" stroke="#77767b"/>')
        if last:
            label = f'<text x="{x:g}" y="{bottom + 18:g}" text-anchor="middle" style="{_STYLE}">{hour:02}:00</text>'
            out.append(label)
    for name, values in panel.lines.items():
        out.append(
            f'<polyline fill="none" stroke="{colour[name]}" stroke-width="1.4" points="{_points(values, most, top)}"/>'
        )
    return out


def _points(values: Sequence[float], most: float, top: float) -> str:
    width, height = _WIDTH - _RIGHT - _LEFT, _HEIGHT - 18
    step = width / max(1, len(values) - 1)
    return " ".join(
        f"{_LEFT + i * step:.1f},{top + _HEIGHT - min(1.0, value / most) * height:.1f}"
        for i, value in enumerate(values)
    )


def _nice(value: float) -> float:
    """Return a round number that is at least `value`."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(factor * unit for factor in (1, 2, 4, 5, 10) if factor * unit >= value)


def _short(value: float) -> str:
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"
