"""One picture of the figures."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tbhdup.calibration import COUNTED
from tbhdup.errors import MissingExtra
from tbhdup.evaluation.copies import CURVE, Copies, Figure
from tbhdup.evaluation.groups import EndToEnd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ("#08306b", "#2171b5", "#6baed6", "#bdd7ee")  # the stricter the darker
COLOURS = {"code": "#d95f02", "latent": "#2171b5", "product": "#41ab5d"}
LINES = {"code": "-", "latent": "-", "product": "--"}  # product and latent often lie on one another
SCAN = "#111111"


def find_library() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise MissingExtra("a plot", "plot")


def draw(path: Path, copies: Copies, groups: EndToEnd | None) -> None:
    """Recall of each edit by latent at the rates asked, and recall against the rate for each measure, as a PNG."""
    find_library()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(13, 3 + 0.22 * len(copies.edits)), layout="constrained")
    FigureCanvasAgg(sheet)
    left, right = sheet.subplots(1, 2, width_ratios=(3, 2))
    _by_edit(left, copies, groups)
    _by_rate(right, copies, groups)
    sheet.suptitle(
        f"{copies.model}: {copies.copies:,} edited copies, {copies.strangers:,} pairs of strangers", fontsize=12
    )
    sheet.savefig(path, dpi=110)


def _by_edit(axes: Axes, copies: Copies, groups: EndToEnd | None) -> None:
    figures = [figure for figure in copies.figures if figure.measure == "latent"]
    order = sorted(copies.edits, key=lambda edit: [figure.by_edit[edit] for figure in reversed(figures)])
    places = range(len(order))
    least, most = figures[0], figures[-1]
    axes.hlines(places, [least.by_edit[e] for e in order], [most.by_edit[e] for e in order], color="#cccccc", zorder=1)
    for above, (figure, shade) in enumerate(zip(figures, SHADES, strict=True)):
        label = f"latent at {_power(figure)}"
        axes.scatter(
            [figure.by_edit[e] for e in order], places, 48, shade, label=label, zorder=9 - above, edgecolors="white"
        )
    if groups is not None:
        axes.scatter(
            [groups.by_edit[e] for e in order], places, 80, SCAN, marker="|", linewidths=2, label="groups", zorder=10
        )
    axes.set_yticks(places, order)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_xlabel("recall: copies that pass together with their own original")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=5, fontsize=9, frameon=False, columnspacing=1)
    axes.spines[["top", "right"]].set_visible(False)


def _by_rate(axes: Axes, copies: Copies, groups: EndToEnd | None) -> None:
    least = max(CURVE[0], 1 / copies.strangers)
    for measure, curve in copies.curves.items():
        rates, recalls = zip(*curve, strict=True)
        axes.plot(rates, recalls, LINES[measure], color=COLOURS[measure], linewidth=2, label=measure)
    for figure, marker in zip((f for f in copies.figures if f.asked is None), "os", strict=True):
        label = f"{figure.measure}: {figure.radius} bits, cosine {figure.cosine:.2f}"
        axes.plot(max(figure.rate, least), figure.recall, marker, color=SCAN, label=label, clip_on=False, zorder=5)
    if groups is not None:
        label = f"groups, {groups.false_pairs} false pairs"
        axes.axhline(groups.recall, color=SCAN, linewidth=1, linestyle=":", label=label)
    chance = COUNTED / copies.strangers
    if chance > least:
        axes.axvspan(least, chance, color="#f3f3f3", zorder=0, label=f"fewer than {COUNTED} pairs: chance")
    axes.set_xscale("log")
    axes.set_xlim(least, max(CURVE[-1], 10 * least))
    axes.set_ylim(0, 1.005)
    axes.grid(color="#e6e6e6")
    axes.set_xlabel("false-match rate: share of the pairs of strangers that pass")
    axes.set_ylabel("recall, all edits")
    axes.legend(loc="best", fontsize=9, framealpha=0.9)
    axes.spines[["top", "right"]].set_visible(False)


def _power(figure: Figure) -> str:
    mantissa, exponent = f"{figure.asked:.0e}".split("e")
    return f"$10^{{{int(exponent)}}}$" if mantissa == "1" else f"${mantissa} \\cdot 10^{{{int(exponent)}}}$"
