"""Every hash of the retrieval table on cases whose answer is known: clusters that a good code keeps together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tbhdup.evaluation.retrieval import shallow
from tbhdup.evaluation.retrieval.data import Training
from tbhdup.evaluation.retrieval.features import Frame, mutual_neighbours
from tbhdup.evaluation.retrieval.metrics import Scores, rank, score
from tbhdup.evaluation.retrieval.table import METHODS

CLASSES, SIZE = 6, 24
BITS = 16


def draw(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points around the classes' centres, most of whose spread says nothing of the class."""
    centres = np.random.default_rng(0).normal(size=(CLASSES, SIZE)) * 1.3
    rng = np.random.default_rng([1, seed])
    labels = rng.integers(0, CLASSES, count)
    return (centres[labels] + rng.normal(size=(count, SIZE))).astype(np.float32), labels


@pytest.fixture(scope="module")
def clusters() -> tuple[Training, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    (points, labels), (asked, asked_labels) = draw(900, 0), draw(90, 1)
    frame = Frame.of(points)
    features = frame(points)
    views = np.stack([features + np.random.default_rng(v).normal(size=features.shape) * 0.3 for v in range(2)])
    training = Training(features, mutual_neighbours(features), views.astype(np.float16), effort=0.06)
    one_hot = np.eye(CLASSES, dtype=bool)
    return training, frame(asked), one_hot[labels], one_hot[asked_labels]


def measure(method: str, clusters, seed: int = 0) -> tuple[Scores, NDArray[np.bool_]]:
    training, asked, labels, asked_labels = clusters
    encode = METHODS[method].fit(training, BITS, seed)
    codes, queries = encode(training.features), encode(asked)
    assert codes.shape == (900, BITS)
    assert codes.dtype == np.bool_
    return score(rank(queries, codes, asked_labels, labels), 100), codes


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_are_of_one_class_and_a_seed_says_all(method: str, clusters) -> None:
    scores, codes = measure(method, clusters)
    _, again = measure(method, clusters)
    assert (codes == again).all()
    chance = 1 / CLASSES
    assert scores.precision_100 > 1.5 * chance, scores.precision_100


def test_itq_is_better_than_lsh(clusters) -> None:
    itq, lsh = (np.mean([measure(name, clusters, seed)[0].map_hits for seed in range(3)]) for name in ("itq", "lsh"))
    assert itq > lsh + 0.05


def test_spectral_bits_follow_the_lowest_frequencies() -> None:
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(-4, 4, 4000), rng.uniform(-1, 1, 4000)], axis=1).astype(np.float32)
    encode = shallow.spectral(Training(points, np.empty((4000, 0), np.int64)), 2, 0)
    along = np.array([[-3.0, 0], [-1, 0], [1, 0], [3, 0], [-1, 0.9], [-1, -0.9]], np.float32)
    codes = encode(along)
    assert (codes[:4, 0] == codes[0, 0]).sum() == 2  # one half of the long axis
    second = codes[:4, 1]  # its next mode: the outer quarters against the inner ones
    assert second[0] == second[3] != second[1] == second[2]
    assert (codes[4:] == codes[1]).all()  # the short axis has no bit yet


def test_balls_of_spherical_hashing_hold_half_of_the_points_each_and_a_quarter_together() -> None:
    points = np.random.default_rng(0).normal(size=(4000, 12)).astype(np.float32)
    codes = shallow.spherical(Training(points, np.empty((4000, 0), np.int64)), 8, 0)(points)
    assert codes.mean(axis=0) == pytest.approx(np.full(8, 0.5), abs=0.01)
    together = (codes[:, :, None] & codes[:, None]).mean(axis=0)[~np.eye(8, dtype=bool)]
    assert np.abs(together - 0.25).mean() < 0.03


def test_anchor_graph_codes_tell_far_clusters_apart() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(200, 4)) + 40 * np.eye(4)[i] for i in range(4)]).astype(np.float32)
    labels = np.repeat(np.arange(4), 200)
    for method in (shallow.anchor_graph, shallow.discrete_graph):
        codes = method(Training(points, np.empty((800, 0), np.int64)), 3, 0)(points)
        each = {tuple(row) for row in np.stack([codes[labels == i].mean(axis=0).round() for i in range(4)]).tolist()}
        assert len(each) >= 3
        assert np.mean([(codes[labels == i] == codes[labels == i][0]).mean() for i in range(4)]) > 0.9


def test_numbers_of_kmeans_hashing_follow_distances() -> None:
    rng = np.random.default_rng(0)
    corners = (np.arange(16)[:, None] >> np.arange(4) & 1) * 6.0
    points = (corners[rng.integers(0, 16, 4000)] + rng.normal(size=(4000, 4))).astype(np.float32)
    encode = shallow.kmeans_hashing(Training(points, np.empty((4000, 0), np.int64)), 4, 0)
    codes = encode(corners.astype(np.float32))
    near = np.abs(corners[:, None] - corners).sum(axis=2) / 6
    hamming = (codes[:, None] != codes).sum(axis=2)
    assert np.corrcoef(near.ravel(), hamming.ravel())[0, 1] > 0.8


def test_mutual_neighbours_are_near_to_each_other() -> None:
    angle = np.array([0.0, 0.01, 0.02, 1.5, 1.51, 3.0])
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    near = mutual_neighbours(np.tile(points, (1, 1)))
    for row, found in enumerate(near):
        for other in found[found >= 0]:
            assert row in near[other]
            assert other != row
