"""Pictures with classes, in the layouts in which such collections are published."""

from __future__ import annotations

import codecs
import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy._core import multiarray
from numpy.typing import NDArray
from PIL import Image

from tbhdup import sources
from tbhdup.errors import UsageError

Bits = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

SIDE = 32  # of CIFAR-10's pictures
BATCHES = ("data_batch", "test_batch", "batches.meta")  # its files
QUERIES = 5000  # at most so many are taken where a collection names no test set, and at most a sixth of it
SEED = 0  # of the order of the database, and of the choice of queries; not a run's seed


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures by number and their classes. labels: (n, c); a picture may be of several classes."""

    show: Callable[[int], Image.Image]  # RGB, upright
    labels: Bits

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int, /) -> Image.Image:
        return self.show(number)

    def take(self, numbers: NDArray[np.int64]) -> Pictures:
        """These pictures, in this order."""
        show = self.show
        return Pictures(lambda number: show(int(numbers[number])), self.labels[numbers])


@dataclass(frozen=True, slots=True)
class Collection:
    """A database, which is also the training set, and queries that are not in it."""

    layout: str
    digest: str  # of what the pictures come from; names the cached features
    classes: tuple[str, ...]
    database: Pictures  # shuffled, so that no class wins the ties
    queries: Pictures
    skipped: int = 0  # files that gave no picture

    def first(self, database: int, queries: int) -> Collection:
        """A part of it: the database is shuffled, the queries are drawn."""
        drawn = np.random.default_rng(SEED).permutation(len(self.queries))[:queries]
        few = drawn if len(drawn) < len(self.queries) else np.arange(len(self.queries))
        kept = self.database.take(np.arange(min(database, len(self.database))))
        return replace(self, database=kept, queries=self.queries.take(few))


def load(path: Path) -> Collection:
    """CIFAR-10 (python or binary, archive or folder), .npz, COCO's layout, or one folder a class.

    UsageError where it is none of these, or has fewer than two classes or too few pictures.
    """
    if not path.exists():
        raise UsageError(f"there is no {path}")
    try:
        collection = _find(path)
    except (OSError, ValueError, KeyError, pickle.UnpicklingError, tarfile.TarError) as error:
        raise UsageError(f"{path} is no collection that can be read: {error}") from error
    present = collection.database.labels.any(axis=0).sum()
    if present < 2 or len(collection.database) < 8 or not len(collection.queries):
        raise UsageError(
            f"{path} has {len(collection.database)} pictures of {present} classes and {len(collection.queries)} "
            "queries: that is too few to rank"
        )
    return collection


def _find(path: Path) -> Collection:
    if path.suffix == ".npz":
        return _npz(path)
    if path.is_dir():
        if list(path.glob("annotations/instances_*.json")):
            return _coco(path)
        named = {file.name: file.read_bytes for file in path.rglob("*batch*") if file.name.startswith(BATCHES)}
        return _cifar(named) if named else _folders(path)
    with tarfile.open(path) as archive:
        members = {Path(m.name).name: m for m in archive.getmembers() if Path(m.name).name.startswith(BATCHES)}
        return _cifar({name: partial(_member, archive, member) for name, member in members.items()})


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None  # only regular files are asked for
    return file.read()


def _collection(
    layout: str, digest: str, classes: Sequence[str], parts: Sequence[Pictures], skipped: int = 0
) -> Collection:
    database, queries = parts
    order = np.random.default_rng(SEED).permutation(len(database))
    return Collection(layout, digest, tuple(classes), database.take(order), queries, skipped)


# ------------------------------------------------------------ arrays


def _arrays(layout: str, classes: Sequence[str], parts: Sequence[tuple[Pixels, NDArray[Any]]]) -> Collection:
    """From (pixels, class numbers) of the database and of the queries."""
    hashed = xxhash.xxh3_64()
    made = []
    for pixels, numbers in parts:
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or len(pixels) != len(numbers):
            raise ValueError(f"pictures are {pixels.dtype} {pixels.shape}, not uint8 (n, h, w, 3), one a label")
        hashed.update(np.ascontiguousarray(pixels).data)
        hashed.update(np.asarray(numbers, np.int64).tobytes())
        labels = np.eye(len(classes), dtype=bool)[np.asarray(numbers, np.int64)]
        made.append(Pictures(partial(_of_array, pixels), labels))
    return _collection(layout, hashed.hexdigest(), classes, made)


def _of_array(pixels: Pixels, number: int) -> Image.Image:
    return Image.fromarray(pixels[number])


def _npz(path: Path) -> Collection:
    """train_images, train_labels, test_images, test_labels and, if there, class_names."""
    with np.load(path) as data:
        parts = [(data[f"{part}_images"], data[f"{part}_labels"]) for part in ("train", "test")]
        most = int(max(numbers.max() for _, numbers in parts)) + 1
        names = data["class_names"].tolist() if "class_names" in data else range(most)
        return _arrays("npz", [str(name) for name in names], parts)


def _cifar(files: Mapping[str, Callable[[], bytes]]) -> Collection:
    """CIFAR-10 as published: batches of 1 + 3072 bytes a picture (.bin), or pickled dictionaries of the same."""
    train = sorted(name for name in files if name.startswith("data_batch"))
    test = sorted(name for name in files if name.startswith("test_batch"))
    if not train or not test:
        raise ValueError("no data_batch and test_batch files in it")
    parts = []
    for names in (train, test):
        batches = [_binary(files[n]()) if n.endswith(".bin") else _pickled(files[n]()) for n in names]
        planes = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, SIDE, SIDE)
        parts.append((np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), np.concatenate([y for _, y in batches])))
    classes = [str(name) for name in range(int(max(numbers.max() for _, numbers in parts)) + 1)]
    for name in ("batches.meta", "batches.meta.txt"):
        if name in files:
            classes = _names(files[name](), name)
    return _arrays("cifar-10", classes, parts)


def _binary(data: bytes) -> tuple[Pixels, NDArray[np.uint8]]:
    rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3 * SIDE * SIDE)
    return rows[:, 1:], rows[:, 0]


def _pickled(data: bytes) -> tuple[Pixels, NDArray[Any]]:
    batch = _load_pickle(data)
    return np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"], np.int64)


def _names(data: bytes, name: str) -> list[str]:
    if name.endswith(".txt"):
        return data.decode().split()
    return [label.decode() for label in _load_pickle(data)[b"label_names"]]


def _load_pickle(data: bytes) -> Any:
    return _ArraysOnly(io.BytesIO(data), encoding="bytes").load()


class _ArraysOnly(pickle.Unpickler):
    """Plain values and arrays: a pickle that names anything else could run it."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = vars(multiarray)  # where both major versions of NumPy let their pickles point
        known = {
            ("multiarray", "_reconstruct"): arrays["_reconstruct"],
            ("multiarray", "scalar"): arrays["scalar"],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): codecs.encode,
        }
        try:
            return known[module.split(".")[-1], name]
        except KeyError as error:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array") from error


# ------------------------------------------------------------ files


def _folders(path: Path) -> Collection:
    """path/CLASS/..., or path/train/CLASS/... and path/test/CLASS/..."""
    apart = (path / "train").is_dir() and (path / "test").is_dir()
    roots = [path / "train", path / "test"] if apart else [path]
    classes = sorted({folder.name for root in roots for folder in root.iterdir() if folder.is_dir()})
    parts = []
    for root in roots:
        named = [(name, file) for name in classes for file in _pictures(root / name)]
        labels = np.array([[name == each for each in classes] for name, _ in named], bool).reshape(-1, len(classes))
        parts.append(([file for _, file in named], labels))
    return _files("folders", classes, parts)


def _pictures(folder: Path) -> list[bytes]:
    found = [] if not folder.is_dir() else sources.walk([os.fsencode(folder)])
    return sorted(os.path.join(listing.folder, entry.name) for listing in found for entry in listing.entries)


def _coco(path: Path) -> Collection:
    """annotations/instances_SET.json with the pictures in SET/ or images/; val is asked where there is a train, too."""
    sets: dict[str, tuple[list[bytes], Bits]] = {}
    listed = {file.stem.removeprefix("instances_"): file for file in sorted(path.glob("annotations/instances_*.json"))}
    read = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in listed.items()}
    classes = {c["id"]: c["name"] for instances in read.values() for c in instances["categories"]}
    column = {number: place for place, number in enumerate(sorted(classes))}
    for name, instances in read.items():
        folder = path / name if (path / name).is_dir() else path / "images"
        files = {image["id"]: os.fsencode(folder / image["file_name"]) for image in instances["images"]}
        labels = {number: np.zeros(len(column), bool) for number in files}
        for annotation in instances["annotations"]:
            labels[annotation["image_id"]][column[annotation["category_id"]]] = True
        of_a_class = [number for number in sorted(files) if labels[number].any()]
        known = np.array([labels[number] for number in of_a_class], bool).reshape(-1, len(column))
        sets[name] = [files[number] for number in of_a_class], known
    groups = [[s for n, s in sets.items() if n.startswith(kind)] for kind in ("train", "val")]
    chosen = groups if all(groups) else [list(sets.values())]
    parts = [([f for files, _ in group for f in files], np.concatenate([y for _, y in group])) for group in chosen]
    return _files("coco", [classes[number] for number in sorted(classes)], parts)


def _files(layout: str, classes: Sequence[str], parts: Sequence[tuple[list[bytes], Bits]]) -> Collection:
    """From paths and labels of the database and of the queries, or of both together."""
    hashed = xxhash.xxh3_64()
    made, skipped = [], 0
    for paths, labels in parts:
        usable = np.array([_usable(file, hashed) for file in paths], bool)
        skipped += int((~usable).sum())
        kept = [file for file, good in zip(paths, usable, strict=True) if good]
        hashed.update(labels[usable].tobytes())
        made.append(Pictures(partial(_of_file, kept), labels[usable]))
    if len(made) == 1:
        order = np.random.default_rng(SEED).permutation(len(made[0]))
        asked = min(QUERIES, len(order) // 6)
        made = [made[0].take(np.sort(order[asked:])), made[0].take(np.sort(order[:asked]))]
    return _collection(layout, hashed.hexdigest(), classes, made, skipped)


def _of_file(paths: Sequence[bytes], number: int) -> Image.Image:
    return sources.decode(sources.read(paths[number])).image


def _usable(path: bytes, hashed: xxhash.xxh3_64) -> bool:
    """Whether the file is a picture; if so, its bytes count towards the digest."""
    try:
        data = sources.read(path)
        sources.decode(data, SIDE)
    except sources.Unusable:
        return False
    hashed.update(sources.digest(data))
    return True
