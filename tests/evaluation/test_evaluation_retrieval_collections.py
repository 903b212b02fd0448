"""Collections in every layout that `--data` takes, made small and read back."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import drawing
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tbhdup.errors import UsageError
from tbhdup.evaluation.retrieval.collections import Collection, load

NAMES = ["cat", "ship"]
KINDS = sorted(drawing.KINDS)


def squares(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 32, 32, 3), np.uint8), (np.arange(count) % 2).astype(np.uint8)


def same_as(collection: Collection, train: NDArray[np.uint8], test: NDArray[np.uint8]) -> None:
    """The database holds the training pictures in some order with their classes, the queries the test ones in theirs."""
    found = np.stack([np.asarray(collection.database[i]) for i in range(len(collection.database))])
    where = [int(np.flatnonzero((train == picture).all(axis=(1, 2, 3)))[0]) for picture in found]
    assert sorted(where) == list(range(len(train)))
    assert where != sorted(where)
    assert (collection.database.labels.argmax(axis=1) == np.array(where) % 2).all()
    assert (np.asarray(collection.queries[3]) == test[3]).all()
    assert collection.queries.labels[3].tolist() == [False, True]
    assert collection.classes == tuple(NAMES)


def planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)


def batches(form: str) -> dict[str, bytes]:
    """CIFAR-10's files: two training batches, a test batch, the names."""
    train, labels = squares(24, 0)
    test, test_labels = squares(6, 1)
    parts = {
        "data_batch_1": (train[:12], labels[:12]),
        "data_batch_2": (train[12:], labels[12:]),
        "test_batch": (test, test_labels),
    }
    if form == "binary":
        made = {f"{n}.bin": np.concatenate([y[:, None], planes(x)], axis=1).tobytes() for n, (x, y) in parts.items()}
        return {**made, "batches.meta.txt": "\n".join(NAMES).encode()}
    made = {n: pickle.dumps({b"data": planes(x), b"labels": y.tolist()}, protocol=2) for n, (x, y) in parts.items()}
    return {**made, "batches.meta": pickle.dumps({b"label_names": [n.encode() for n in NAMES]}, protocol=2)}


@pytest.mark.parametrize("form", ["python", "binary"])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar_as_published(form: str, packed: bool, tmp_path: Path) -> None:
    files = batches(form)
    place = tmp_path / "cifar"
    if packed:
        place = tmp_path / "cifar-10.tar.gz"
        with tarfile.open(place, "w:gz") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"cifar-10-batches/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    else:
        place.mkdir()
        for name, data in files.items():
            (place / name).write_bytes(data)
    same_as(load(place), squares(24, 0)[0], squares(6, 1)[0])


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    for name, data in batches("python").items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(UsageError, match="no array"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_npz(tmp_path: Path) -> None:
    (train, labels), (test, test_labels) = squares(24, 0), squares(6, 1)
    arrays = {"train_images": train, "train_labels": labels, "test_images": test, "test_labels": test_labels}
    np.savez(tmp_path / "a.npz", class_names=np.array(NAMES), **arrays)
    one = load(tmp_path / "a.npz")
    same_as(one, train, test)
    arrays["train_images"] = train[::-1].copy()
    np.savez(tmp_path / "b.npz", class_names=np.array(NAMES), **arrays)
    assert load(tmp_path / "b.npz").digest != one.digest
    np.savez(tmp_path / "c.npz", **{**arrays, "train_labels": labels[:-1]})
    with pytest.raises(UsageError, match="one a label"):
        load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", train_images=train)
    with pytest.raises(UsageError, match=r"d\.npz"):
        load(tmp_path / "d.npz")


def draw(path: Path, kind: str, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.picture(kind, seed, (48, 36)).save(path)


def test_folder_a_class(tmp_path: Path) -> None:
    for seed in range(12):
        for kind in KINDS[:2]:
            draw(tmp_path / "all" / kind / f"{seed}.jpg", kind, seed)
    (tmp_path / "all" / KINDS[0] / "broken.jpg").write_bytes(b"no picture")
    found = load(tmp_path / "all")
    assert found.skipped == 1
    assert (len(found.database), len(found.queries)) == (20, 4)
    assert set(found.classes) == set(KINDS[:2])
    assert found.database[0].size == (48, 36)
    assert (found.database.labels.sum(axis=1) == 1).all()


def test_folder_a_class_with_a_test_set(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("test", 2)):
        for seed in range(count):
            for kind in KINDS[:2]:
                draw(tmp_path / part / kind / f"{seed}.png", kind, seed + 10 * count)
    found = load(tmp_path)
    assert (len(found.database), len(found.queries)) == (12, 4)


def coco(folder: Path, name: str, count: int) -> None:
    images, annotations = [], []
    for number in range(count):
        draw(folder / name / f"{number:03}.jpg", KINDS[number % 2], number + 100 * len(name))
        images.append({"id": number + 7, "file_name": f"{number:03}.jpg"})
        for category in ([3], [9], [3, 9], [])[number % 4]:
            annotations.append({"image_id": number + 7, "category_id": category})
    categories = [{"id": 9, "name": "dog"}, {"id": 3, "name": "car"}]
    (folder / "annotations").mkdir(exist_ok=True)
    path = folder / "annotations" / f"instances_{name}.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def test_coco_layout(tmp_path: Path) -> None:
    coco(tmp_path, "train2017", 16)
    coco(tmp_path, "val2017", 4)
    found = load(tmp_path)
    assert found.classes == ("car", "dog")
    assert (len(found.database), len(found.queries)) == (12, 3)  # those of no class are left out
    assert sorted(map(tuple, found.queries.labels.tolist())) == [(False, True), (True, False), (True, True)]
    assert isinstance(found.queries[0], Image.Image)


def test_what_is_no_collection(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        load(tmp_path / "nowhere")
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(UsageError, match=r"text\.tar"):
        load(tmp_path / "text.tar")
    draw(tmp_path / "one" / "class" / "1.png", KINDS[0], 1)
    with pytest.raises(UsageError, match="too few"):
        load(tmp_path / "one")
