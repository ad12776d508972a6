"""Precision-recall curves as an SVG file, written by hand: a plot of three squares needs no plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tabletop_interaction.benchmarks.segmentation.evaluation import SHOWN_IOUS, Evaluation
from tabletop_interaction.segmentation.evaluation.precision_recall import RECALL_GRID

_SIDE, _LEFT, _TOP, _GAP = 260, 52, 40, 44
_LINE_PX = 18
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def pr_curves_svg(evaluations: Sequence[Evaluation]) -> str:
    """A square an IoU threshold, a line a model: monotone precision at the recalls 0, 0.01, ..., 1."""
    width = _LEFT + len(SHOWN_IOUS) * (_SIDE + _GAP)
    height = _TOP + _SIDE + 56 + _LINE_PX * len(evaluations)
    parts = [_panel(number, iou, evaluations) for number, iou in enumerate(SHOWN_IOUS)]
    parts += [_legend_line(number, evaluation) for number, evaluation in enumerate(evaluations)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#222">',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(number: int, iou: float, evaluations: Sequence[Evaluation]) -> str:
    left = _LEFT + number * (_SIDE + _GAP)
    parts = [
        f'<g transform="translate({left} {_TOP})">',
        _text(_SIDE / 2, -14, f"IoU {iou}", size=14),
        *(_tick(value) for value in _TICKS),
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#222"/>',
        _text(_SIDE / 2, _SIDE + 36, "recall"),
    ]
    if number == 0:
        parts.append(f'<text transform="translate(-36 {_SIDE / 2}) rotate(-90)" text-anchor="middle">precision</text>')
    parts += [_curve(evaluation, iou, _colour(index)) for index, evaluation in enumerate(evaluations)]
    return "\n".join([*parts, "</g>"])


def _tick(value: float) -> str:
    x, y = value * _SIDE, (1 - value) * _SIDE
    return (
        f'<path d="M{x:.1f} 0V{_SIDE}M0 {y:.1f}H{_SIDE}" stroke="#ddd"/>'
        + _text(x, _SIDE + 16, f"{value:.1f}", size=10)
        + f'<text x="-6" y="{y + 4:.1f}" text-anchor="end" font-size="10">{value:.1f}</text>'
    )


def _curve(evaluation: Evaluation, iou: float, colour: str) -> str:
    pairs = zip(RECALL_GRID.tolist(), evaluation.figures.precision[iou].tolist(), strict=True)
    points = " ".join(f"{recall * _SIDE:.1f},{(1 - precision) * _SIDE:.1f}" for recall, precision in pairs)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _legend_line(number: int, evaluation: Evaluation) -> str:
    y = _TOP + _SIDE + 60 + number * _LINE_PX
    figures = ", ".join(f"{100 * evaluation.figures.ap[iou]:.1f} at {iou}" for iou in SHOWN_IOUS)
    return (
        f'<path d="M{_LEFT} {y - 4}h24" stroke="{_colour(number)}" stroke-width="3"/>'
        f'<text x="{_LEFT + 32}" y="{y}">{escape(evaluation.model)}: AP {figures}</text>'
    )


def _text(x: float, y: float, content: str, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}">{escape(content)}</text>'


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
