"""The retrieval table: every method at every number of bits and every seed, each cell kept on disk when it is done."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tbhdup.errors import MissingExtra, UsageError
from tbhdup.evaluation.retrieval import learned, shallow
from tbhdup.evaluation.retrieval.collections import Collection, Pictures
from tbhdup.evaluation.retrieval.data import Bits, Fit, Floats, Training
from tbhdup.evaluation.retrieval.features import SIDE, Frame, extract, mutual_neighbours
from tbhdup.evaluation.retrieval.metrics import Scores, rank, score
from tbhdup.model.bits import spread
from tbhdup.values import OnProgress, quiet

K = 1000  # of mAP@K
VIEWED = 20_000  # pictures of which views are made
VIEWS = 2  # of each
VIEW_SEED = 0
QUICK = (5000, 500, 0.05)  # pictures of the database, queries, share of the steps
MOST_BITS = 64


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the table."""

    title: str  # as the published table names it
    fit: Fit
    views: bool = False  # whether it learns from augmented views


METHODS: dict[str, Method] = {
    "lsh": Method("LSH", shallow.lsh),
    "sph": Method("SpH", shallow.spectral),
    "agh": Method("AGH", shallow.anchor_graph),
    "spherh": Method("SpherH", shallow.spherical),
    "kmh": Method("KMH", shallow.kmeans_hashing),
    "itq": Method("ITQ", shallow.itq),
    "dgh": Method("DGH", shallow.discrete_graph),
    "sgh": Method("SGH", learned.sgh),
    "greedyhash": Method("GreedyHash", learned.greedy_hash),
    "dvb": Method("DVB", learned.dvb),
    "distillhash": Method("DistillHash", learned.distill_hash),
    "pseudolabel": Method("PseudoLabel", learned.pseudo_label),
    "tbh": Method("TBH", learned.tbh),
    "tbh-vae-paper": Method("TBH-VAE (slides)", learned.tbh_vae_paper),
    "tbh-vae": Method("TBH-VAE", learned.tbh_vae),
    "cibhash": Method("CIBHash", learned.cibhash, views=True),
    "tbh-vae-views": Method("TBH-VAE, views", learned.tbh_vae_views, views=True),
}
SHOWN = ("tbh-vae", "tbh")  # whose codes are kept for the picture of examples


def choose(names: str, objective: str) -> tuple[str, ...]:
    """Methods from `all` or a list with commas; those that learn from views only with the objective `retrieval`."""
    known = [name for name, method in METHODS.items() if objective == "retrieval" or not method.views]
    if names == "all":
        return tuple(known)
    chosen = tuple(names.split(","))
    for name in chosen:
        if name in METHODS and name not in known:
            raise UsageError(f"{name} learns from augmented views: add --objective retrieval")
        if name not in METHODS:
            raise UsageError(f"no method {name!r}: use all, or some of {', '.join(METHODS)}")
    return tuple(dict.fromkeys(chosen))


def parse_bits(text: str) -> tuple[int, ...]:
    """Numbers of bits from a list with commas: multiples of 4 from 4 to 64."""
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise UsageError(f"--bits {text}: use numbers with commas, as in 16,32,64") from error
    for size in sizes:
        if size not in range(4, MOST_BITS + 1, 4):
            raise UsageError(f"--bits {size}: use multiples of 4 up to {MOST_BITS}")
    return sizes


def find_library() -> None:
    """Raise MissingExtra where scikit-learn is not installed."""
    if find_spec("sklearn") is None:
        raise MissingExtra("the retrieval table", "retrieval")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What figures must have in common to be compared."""

    collection: str  # digest
    layout: str
    database: int
    queries: int
    side: int  # pixels of the trunk's input
    variance: float  # share of the features' variance that the methods see
    effort: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One method at one number of bits and one seed."""

    method: str
    bits: int
    seed: int
    scores: Scores
    effective_bits: float  # independent fair bits that would spread the distances as much
    seconds: float  # of learning


@dataclass(frozen=True, slots=True)
class Features:
    """What the cells are computed from."""

    training: Training
    queries: Floats
    conditions: Conditions


def prepare(
    collection: Collection, objective: str, quick: bool, out: Path, device: str, on_progress: OnProgress = quiet
) -> tuple[Collection, Features]:
    """Extract, or find in out/features, what the methods learn from; a quick run takes a part of the collection."""
    effort = 1.0
    if quick:
        database, queries, effort = QUICK
        collection = collection.first(database, queries)
    folder = out / "features"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{collection.digest}-{SIDE}"
    database, asked = len(collection.database), len(collection.queries)

    def features(what: str, pictures: Pictures, views: int = 0) -> NDArray[np.float16]:
        path = folder / f"{name}-{what}.npy"
        return extract(pictures, path, views, SIDE, VIEW_SEED, device, what, on_progress)

    raw = features(f"database-{database}", collection.database)
    asked_raw = features(f"queries-{asked}", collection.queries)
    frame = Frame.of(raw)
    views = None
    if objective == "retrieval":
        viewed = collection.first(min(VIEWED, database), asked).database
        whole = features(f"views-{VIEWS}-{len(viewed)}", viewed, VIEWS)
        views = np.stack([frame(view).astype(np.float16) for view in whole])
    reduced = frame(raw)
    training = Training(
        reduced, _cached_neighbours(reduced, folder / f"{name}-{database}-neighbours.npy"), views, effort
    )
    conditions = Conditions(
        collection.digest, collection.layout, database, asked, SIDE, round(frame.variance, 4), effort
    )
    return collection, Features(training, frame(asked_raw), conditions)


def _cached_neighbours(features: Floats, path: Path) -> NDArray[np.int64]:
    if not path.exists():
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, mutual_neighbours(features))
        temporary.replace(path)
    return np.asarray(np.load(path))


def cells(
    collection: Collection, features: Features, methods: Sequence[str], bits: Sequence[int], seeds: int, out: Path
) -> Iterator[tuple[Cell, bool]]:
    """Every cell, those of the first seed first, and whether it was found in out/cells and not computed again.

    UsageError where out/cells has figures of other conditions.
    """
    folder = out / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # sums come in one order; and on a machine with other work, threads wait for each other
    for seed in range(seeds):
        for method in methods:
            for size in bits:
                path = folder / f"{method}-{size}-{seed}.json"
                known = _read_cell(path, features.conditions)
                cell = known or _compute(collection, features, method, size, seed, folder)
                if known is None:
                    _write_cell(path, cell, features.conditions)
                yield cell, known is not None


def _compute(collection: Collection, features: Features, method: str, bits: int, seed: int, folder: Path) -> Cell:
    started = time.monotonic()
    encode = METHODS[method].fit(features.training, bits, seed)
    seconds = time.monotonic() - started
    database, queries = encode(features.training.features), encode(features.queries)
    if method in SHOWN and seed == 0:
        np.savez(folder / f"{method}-{bits}-codes.npz", database=database, queries=queries)
    ranking = rank(queries, database, collection.queries.labels, collection.database.labels)
    effective = spread(ranking.items.sum(axis=0))["b_dof"]
    return Cell(method, bits, seed, score(ranking, K), effective, round(seconds, 1))


def _read_cell(path: Path, conditions: Conditions) -> Cell | None:
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.pop("conditions") != asdict(conditions):
        raise UsageError(f"{path} was computed under other conditions: name another --out")
    scores = data.pop("scores")
    scores.update({name: tuple(scores[name]) for name in ("recall", "precision")})
    return Cell(**data, scores=Scores(**scores))


def _write_cell(path: Path, cell: Cell, conditions: Conditions) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({**asdict(cell), "conditions": asdict(conditions)}) + "\n", encoding="utf-8")
    temporary.replace(path)


def write_results(path: Path, found: Sequence[Cell], conditions: Conditions) -> None:
    """One row a cell, with the conditions (CSV, UTF-8)."""
    curves = ("recall", "precision")
    numbers = [field.name for field in fields(Scores) if field.name not in curves]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        head = ("method", "bits", "seed", *numbers, "effective_bits", "seconds", *asdict(conditions))
        writer.writerow(head)
        for cell in found:
            scores = [round(getattr(cell.scores, name), 6) for name in numbers]
            own = (cell.method, cell.bits, cell.seed, *scores, round(cell.effective_bits, 2), cell.seconds)
            writer.writerow((*own, *asdict(conditions).values()))


@dataclass(frozen=True, slots=True)
class Mean:
    """One method at one number of bits, over its seeds."""

    seeds: int
    value: float  # mAP@K by hits
    spread: float  # standard deviation of the seeds; 0 for one
    strict: float  # mAP@K by min(K, relevant)


def means(found: Sequence[Cell]) -> dict[tuple[str, int], Mean]:
    """Mean and spread of mAP@K of every method and number of bits, in the order of the cells."""
    grouped: dict[tuple[str, int], list[Scores]] = {}
    for cell in found:
        grouped.setdefault((cell.method, cell.bits), []).append(cell.scores)
    out = {}
    for key, each in grouped.items():
        values = np.array([scores.map_hits for scores in each])
        deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        out[key] = Mean(len(values), float(values.mean()), deviation, float(np.mean([s.map_min for s in each])))
    return out


def kept_codes(found: Sequence[Cell], out: Path) -> list[tuple[str, Bits, Bits]]:
    """Title, codes of the queries and of the database of the SHOWN methods, at the most bits they were run with."""
    kept = []
    for method in SHOWN:
        bits = max((cell.bits for cell in found if cell.method == method), default=0)
        if bits:
            with np.load(out / "cells" / f"{method}-{bits}-codes.npz") as codes:
                kept.append((METHODS[method].title, codes["queries"], codes["database"]))
    return kept


def examples(queries: Bits, database: Bits, asked: NDArray[np.int64], count: int = 10) -> NDArray[np.int64]:
    """The nearest pictures of each asked query, the first ones of the shuffled database within ties: (q, count)."""
    signs = database * 2.0 - 1
    agreement = (queries[asked] * 2.0 - 1) @ signs.T
    return np.argsort(-agreement, axis=1, kind="stable")[:, :count]
