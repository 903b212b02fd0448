"""Figures of a small benchmark against plain loops over its pairs, and thresholds against sorting."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import evaluation_benchmark as benchmark
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tbhdup
from tbhdup import sources
from tbhdup.errors import UsageError, WeightsError
from tbhdup.evaluation.copies import CURVE, RATES, STEPS, TAIL, Copies, Pairs, Rule, Strangers, evaluate
from tbhdup.evaluation.truth import Known, Truth, read_truth
from tbhdup.model.encoding import BatchEncoder
from tbhdup.pipeline.confirm import candidates
from tbhdup.store import Store
from tbhdup.values import Progress, Thresholds

WIDTH = 2 * STEPS + 1


def counted(distance: np.ndarray, level: np.ndarray) -> Strangers:
    counts = np.bincount(distance * WIDTH + level + STEPS, minlength=65 * WIDTH)
    return Strangers(counts.reshape(65, WIDTH))


PAIRS = st.lists(st.tuples(st.integers(0, 64), st.integers(-6, 6)), min_size=1, max_size=60)


@given(PAIRS, st.sampled_from([0.0, 1e-6, 0.05, 0.1, 0.25, 0.5, 1.0]), st.integers(0, 64))
@settings(deadline=None, max_examples=80)
def test_thresholds_are_the_loosest_that_keep_the_rate(pairs: list[tuple[int, int]], rate: float, radius: int) -> None:
    distance, level = np.array(pairs).T
    level = level * (STEPS // 6) + np.sign(level) * 4  # reaches both ends of the scale
    level = np.where(np.abs(level) > STEPS, np.sign(level) * STEPS, level)
    strangers = counted(distance, level)
    assert strangers.pairs == len(pairs)
    allowed = int(rate * len(pairs) + 1e-9)

    code = strangers.code_rule(rate)
    within = [int((distance <= r).sum()) for r in range(-1, 65)]
    assert code.radius == max(r for r in range(-1, 65) if within[r + 1] <= allowed)
    assert code.level == -STEPS

    latent = strangers.latent_rule(rate, radius)
    near = level[distance <= radius]
    assert (near >= latent.level).sum() <= allowed
    if latent.level > -STEPS:
        assert (near >= latent.level - 1).sum() > allowed
    for rule in (code, latent, Rule(radius, 0), Rule()):
        assert strangers.passing(rule) == int(rule.passes(Pairs(distance, level)).sum())


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return read_truth(benchmark.make(tmp_path_factory.mktemp("benchmark")))


@pytest.fixture(scope="module")
def steps() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def found(truth: Truth, steps: list[Progress]) -> Copies:
    return evaluate(truth, device="cpu", on_progress=steps.append)


@pytest.fixture(scope="module")
def encoded(truth: Truth) -> dict[int, tuple[int, np.ndarray, bytes]]:
    """Place of a file -> its code, latent and digest, one file at a time."""
    encoder = BatchEncoder(None, "cpu")
    side = encoder.record.preprocessing.side
    out = {}
    for place, file in enumerate(truth.files):
        if file.edit != "broken":
            data = sources.read(file.path)
            codes, latents = encoder.encode(sources.see(data, side).squares[0][None])
            out[place] = (int(codes[0]), latents[0].astype(np.int64), sources.digest(data))
    return out


def passes(a: tuple[int, np.ndarray, bytes], b: tuple[int, np.ndarray, bytes], radius: int, cosine: float) -> bool:
    exact = float(a[1] @ b[1] / np.sqrt(float(a[1] @ a[1]) * float(b[1] @ b[1])))
    return (a[0] ^ b[0]).bit_count() <= radius and exact >= cosine - 1e-7


def test_figures_are_those_of_a_plain_loop(truth: Truth, found: Copies, encoded: dict) -> None:
    contents = {}
    for place, (_, _, digest) in encoded.items():
        contents.setdefault(digest, place)
    strangers, alike = [], []
    for a, b in combinations(sorted(contents.values()), 2):
        one, other = truth.files[a], truth.files[b]
        if one.source == other.source:
            continue
        if one.family and one.family == other.family:
            alike.append((encoded[a], encoded[b]))
        elif not one.family and not other.family:
            strangers.append((encoded[a], encoded[b]))
    assert found.pictures == len(contents)
    assert found.strangers == len(strangers)
    assert found.family == len(alike) == 2 * benchmark.FORMS * (benchmark.FORMS - 1) // 2

    assert len(found.figures) == 3 * len(RATES) + 2
    for figure in found.figures:
        if figure.measure == "scan":
            continue  # not by pairs alone, see below
        rule = (figure.radius, figure.cosine)
        assert figure.strangers == sum(passes(a, b, *rule) for a, b in strangers), figure.measure
        assert figure.family == sum(passes(a, b, *rule) for a, b in alike)
        assert figure.rate == figure.strangers / len(strangers)
        if figure.asked is not None:
            assert figure.rate <= figure.asked
        hits = defaultdict(list)
        for place in truth.copies:
            original = encoded[truth.originals[truth.files[place].source]]
            hit = place in encoded and passes(encoded[place], original, *rule)
            hits[truth.files[place].edit].append(hit)
        assert figure.by_edit == {edit: sum(each) / len(each) for edit, each in sorted(hits.items())}
        assert figure.found == sum(map(sum, hits.values()))
        assert figure.recall == figure.found / found.copies
    near = [(a[0] ^ b[0]).bit_count() for a, b in strangers]
    assert found.tail == tuple(sum(d <= r for d in near) / len(near) for r in range(TAIL + 1))
    assert found.bits["mean_distance"] == pytest.approx(np.mean(near) / 64)


def test_the_rules_are_ordered_as_their_rates(found: Copies) -> None:
    for measure in ("code", "latent", "product"):
        recalls = [f.recall for f in found.figures if f.measure == measure]
        assert recalls == sorted(recalls)
        assert recalls[-1] > 0
        rates, curve = zip(*found.curves[measure], strict=True)
        assert rates == CURVE
        assert curve == tuple(sorted(curve))
    scan, never = found.figures[-2:]
    assert (scan.measure, never.measure) == ("scan", "verify-never")
    assert scan.by_edit["bytecopy"] == never.by_edit["bytecopy"] == 1
    assert found.edits == {"broken": 1, **dict.fromkeys(("bytecopy", "crop", "framed", "half", "jpeg", "mirror"), 12)}


def test_the_scans_figure_counts_what_a_scan_would_prove(truth: Truth, found: Copies, tmp_path: Path) -> None:
    scan = found.figures[-2]
    roots = sorted({os.path.dirname(file.path) for file in truth.files})
    with Store.open(tmp_path) as store:
        tbhdup.scan(roots, store=store, options=tbhdup.Options(verify="never"))
        (model,) = store.info().pictures
        pictures, parts = store.pictures(model), store.parts(model)
    assert len(parts) > 0
    point = Thresholds(scan.radius, scan.cosine, 5, "auto", 1.0)
    digests = [row.tobytes() for row in pictures["digest"]]
    pairs = {(digests[i], digests[j]) for i, j, *_ in candidates(pictures, parts, point).tolist()}
    known = {sources.digest(sources.read(file.path)): file for file in reversed(truth.files)}
    apart = [(known[a], known[b]) for a, b in pairs if known[a].source != known[b].source]
    assert scan.strangers == sum(not a.family and not b.family for a, b in apart)
    assert scan.family == sum(a.family == b.family != "" for a, b in apart)
    hits = 0
    for place in truth.copies:
        original = truth.files[truth.originals[truth.files[place].source]]
        a, b = (sources.digest(sources.read(file.path)) for file in (truth.files[place], original))
        hits += a == b or (min(a, b), max(a, b)) in pairs
    assert scan.found == hits


def test_a_file_that_cannot_be_read_is_told_and_not_found(truth: Truth, found: Copies, steps: list[Progress]) -> None:
    assert [(skip.path, skip.reason) for skip in found.skips] == [(truth.files[-1].path, "not-an-image")]
    assert all(figure.by_edit["broken"] == 0 for figure in found.figures)
    assert steps[-1] == Progress("search", found.pictures - 2 * benchmark.FORMS, steps[-1].total)
    encoding = [step.done for step in steps if step.stage == "encode"]
    assert encoding[-1] == found.files
    assert encoding == sorted(encoding)


def test_without_strangers_there_is_nothing_to_measure(tmp_path: Path) -> None:
    files = (Known(b"/nowhere/a", "s", "original", ""), Known(b"/nowhere/b", "s", "half", ""))
    with pytest.raises(UsageError, match="no two readable"):
        evaluate(Truth(files, {"s": 0}), device="cpu")


def test_weights_that_are_missing_are_said_so(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        evaluate(truth, tmp_path / "none.safetensors", "cpu")
