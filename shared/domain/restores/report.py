"""The report on restores: a page of HTML with a chart and a table for each item, readable without anything else."""

from collections.abc import Callable, Sequence
from html import escape

from shared.domain.resource_id import name_of
from shared.domain.restores.history import Trial
from shared.domain.restores.trends import Trend, Trends

_WIDTH, _HEIGHT, _EDGE = 640, 120, 8
_COLORS = {"Verified": "#2e7d32", "VerifiedWithFindings": "#b26a00", "Failed": "#c62828", "Inconclusive": "#616161"}
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:"
)
_STYLE += "collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}.alarm{color:#c62828}"


def report(found: Trends) -> str:
    """The page."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Restores</title><style>{_STYLE}</style>"
    alarming = sum(bool(trend.alarms) for trend in found.items)
    summary = f"{len(found.items)} items since {found.since:%Y-%m-%d}, {alarming} alarm"
    summary += f" (as of {found.taken_at:%Y-%m-%d %H:%M} UTC)."
    return "\n".join([head, "<h1>Restores</h1>", f"<p>{summary}</p>", *map(_section, found.items), "</html>", ""])


def chart(trend: Trend, what: str, target: float, of: Callable[[Trial], float | None]) -> str:
    """An SVG of one measure over the trials; a dashed line is its target, the color of a dot its verdict."""
    values = [(trial, value) for trial in trend.trials if (value := of(trial)) is not None]
    top = max([target, *(value for _, value in values)]) * 1.1 or 1
    step = (_WIDTH - 2 * _EDGE) / max(1, len(values) - 1)
    points = [(_EDGE + i * step, _y(value, top), trial) for i, (trial, value) in enumerate(values)]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y, _ in points)
    dots = [
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{_COLORS.get(trial.verdict, "#000")}">'
        f"<title>{trial.at:%Y-%m-%d %H:%M} {escape(trial.verdict)}, {what} {_hours(of(trial))}</title></circle>"
        for x, y, trial in points
    ]
    at = _y(target, top)
    return "".join(
        [
            f'<svg role="img" aria-label="{what} over time" width="{_WIDTH}" height="{_HEIGHT}">',
            f'<line x1="0" x2="{_WIDTH}" y1="{at:.0f}" y2="{at:.0f}" stroke="#999" stroke-dasharray="4"/>',
            f'<text x="0" y="{at - 4:.0f}" font-size="11" fill="#666">{what} target {_hours(target)}</text>',
            f'<polyline points="{line}" fill="none" stroke="#90a4ae"/>',
            *dots,
            "</svg>",
        ]
    )


def _section(trend: Trend) -> str:
    name = escape(name_of(trend.source))
    return "\n".join(
        [
            f"<h2>{name}</h2>",
            f"<p>{escape(trend.item)}<br>{trend.coverage_percent:.0f} % of it verified in time.</p>",
            *(f'<p class="alarm">{escape(alarm)}</p>' for alarm in trend.alarms),
            chart(trend, "RPO", trend.thresholds.rpo_s, lambda trial: trial.rpo_s),
            chart(trend, "RTO", trend.thresholds.rto_s, lambda trial: trial.rto_s),
            _table(trend.trials),
        ]
    )


def _table(trials: Sequence[Trial]) -> str:
    rows = [
        f"<tr><td>{trial.at:%Y-%m-%d %H:%M}"
        f'<td style="color:{_COLORS.get(trial.verdict, "#000")}">{escape(trial.verdict)}'
        f"<td>{_hours(trial.rpo_s)}<td>{_hours(trial.rto_s)}<td>{escape('; '.join(trial.reasons))}"
        for trial in reversed(trials)
    ]
    return "\n".join(["<table><tr><th>judged<th>verdict<th>RPO<th>RTO<th>reasons", *rows, "</table>"])


def _y(value: float, top: float) -> float:
    return _HEIGHT - _EDGE - value / top * (_HEIGHT - 2 * _EDGE)


def _hours(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 3600:.1f} h"
