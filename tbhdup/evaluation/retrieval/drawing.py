"""The two pictures of the retrieval table: curves of all methods, and what some queries find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tbhdup.evaluation.plot import find_library
from tbhdup.evaluation.retrieval.collections import Collection, Pictures
from tbhdup.evaluation.retrieval.table import METHODS, Cell, examples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS = {"tbh-vae-views": "#a50f15", "tbh-vae": "#d7301f", "tbh-vae-paper": "#fc8d59", "tbh": "#08519c"}
LINES = ("-", "--", ":", "-.")
RIGHT, WRONG = "#1a9641", "#d7191c"
ASKED = 5  # queries that are shown
LEAST_RECALL = 0.001  # below, precision is that of a few chance pairs


def _sheet(width: float, height: float) -> Figure:
    find_library()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(sheet)
    return sheet


def precision_recall(path: Path, cells: Sequence[Cell]) -> None:
    """Precision against recall as the Hamming radius grows: the first seed of each method, a panel a number of bits."""
    sizes = sorted({cell.bits for cell in cells})
    first = {(cell.method, cell.bits): cell for cell in reversed(cells)}
    methods = [name for name in METHODS if any(name == method for method, _ in first)]
    sheet = _sheet(5.2 * len(sizes) + 2.4, 5.2)
    panels = np.atleast_1d(sheet.subplots(1, len(sizes), sharey=True))
    styles = _styles(methods)
    for axes, bits in zip(panels, sizes, strict=True):
        for name in methods:
            if (name, bits) in first:
                scores = first[name, bits].scores
                recall, precision = np.asarray(scores.recall), np.asarray(scores.precision)
                seen = recall >= LEAST_RECALL
                axes.plot(recall[seen], precision[seen], label=METHODS[name].title, **styles[name])
        axes.set_title(f"{bits} bits", fontsize=12)
        axes.set_xlabel("recall")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.grid(color="#e6e6e6")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("precision within the radius")
    handles, labels = panels[0].get_legend_handles_labels()
    sheet.legend(handles, labels, loc="outside right center", fontsize=10, frameon=False)
    sheet.savefig(path, dpi=110)


def _styles(methods: Sequence[str]) -> dict[str, dict[str, object]]:
    """Ours bold, the others thin: ten colours by four kinds of line tell them apart."""
    from matplotlib import colormaps

    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]  # a listed map has them
    styles: dict[str, dict[str, object]] = {}
    others = [name for name in methods if name not in OURS]
    for number, name in enumerate(others):
        line = LINES[1 + number // len(colours)] if number >= len(colours) else "-"
        styles[name] = {"color": colours[number % len(colours)], "linestyle": line, "linewidth": 1.2, "alpha": 0.9}
    for name in methods:
        if name in OURS:
            styles[name] = {"color": OURS[name], "linewidth": 2.6, "zorder": 5}
    return styles


def retrieval_examples(
    path: Path, collection: Collection, codes: Sequence[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]
) -> None:
    """Queries left, the ten nearest right, framed green where they share a class; the methods below each other.

    codes: (title, of the queries, of the database) of each method. The queries are the first one of each class.
    """
    asked = _one_a_class(collection.queries)[:ASKED]
    found = [examples(queries, database, asked) for _, queries, database in codes]
    columns = found[0].shape[1] + 1
    sheet = _sheet(1.0 * columns + 1.6, 1.02 * len(asked) * len(codes) + 0.4)
    grid = sheet.subplots(len(asked) * len(codes), columns, squeeze=False)
    for number, query in enumerate(asked):
        wanted = collection.queries.labels[query]
        name = ", ".join(np.array(collection.classes)[wanted])
        for below, (title, _, _) in enumerate(codes):
            row = grid[number * len(codes) + below]
            _show(row[0], collection.queries, int(query), "#333333", 0.5)
            row[0].set_ylabel(f"{title}\n{name}", fontsize=9, rotation=0, ha="right", va="center", labelpad=6)
            for axes, item in zip(row[1:], found[below][number], strict=True):
                right = bool((collection.database.labels[item] & wanted).any())
                _show(axes, collection.database, int(item), RIGHT if right else WRONG, 3.0)
    sheet.savefig(path, dpi=110)


def _one_a_class(queries: Pictures) -> NDArray[np.int64]:
    found = [np.flatnonzero(column)[0] for column in queries.labels.T if column.any()]
    return np.array(list(dict.fromkeys(found)), np.int64)


def _show(axes: Axes, pictures: Pictures, number: int, colour: str, width: float) -> None:
    picture = pictures[number]
    axes.imshow(picture.resize((96, 96)), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(width)
