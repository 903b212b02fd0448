"""What a person has decided is on disk, by content, and holds in every search for copies."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import drawing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import tbhdup
from tbhdup import marks
from tbhdup.errors import StoreError, TbhdupError, UsageError
from tbhdup.groups import centred, missing_spokes
from tbhdup.values import Kind, Match

NAMES = [bytes([n]) * 16 for n in range(8)]
A, B, C, D = NAMES[:4]
RANK = {name: (number,) for number, name in enumerate(NAMES)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store"


def test_the_file_lies_beside_the_store_and_outlives_it(store: Path) -> None:
    assert marks.read(store) == ()
    assert marks.put(store, B, A)
    assert marks.file_of(store) == store.parent.resolve() / "store.marks.jsonl"
    assert not store.exists()
    tbhdup.Store.open(store).close()
    shutil.rmtree(store)
    assert marks.pairs(store) == {(A, B)}
    (line,) = marks.file_of(store).read_text().splitlines()
    fields = json.loads(line)
    assert (fields["schema"], fields["mark"], fields["a"], fields["b"]) == (1, "not-duplicate", A.hex(), B.hex())
    assert marks.read(store)[0].time == fields["time"]


def test_another_name_of_the_store_has_the_same_marks(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.mkdir(parents=True)
    (store.parent / "link").symlink_to(store)
    marks.put(store.parent / "link", A, B)
    monkeypatch.chdir(store)
    assert marks.pairs(Path()) == marks.pairs(store) == {(A, B)}


def test_nothing_is_ever_taken_out_of_the_file(store: Path) -> None:
    grown = [b""]
    for revoke in (False, True, False):
        assert marks.put(store, A, B, revoke=revoke)
        assert not marks.put(store, B, A, revoke=revoke)
        grown.append(marks.file_of(store).read_bytes())
        assert grown[-1].startswith(grown[-2])
        assert grown[-1].count(b"\n") == len(grown) - 1
        assert ((A, B) in marks.pairs(store)) is not revoke
    with pytest.raises(ValueError, match="itself"):
        marks.put(store, A, A)


decisions = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()), max_size=12)


@given(decisions)
@settings(deadline=None, max_examples=40)
def test_the_last_decision_on_a_pair_holds(tmp_path_factory: pytest.TempPathFactory, made: list) -> None:
    store = tmp_path_factory.mktemp("marks") / "store"
    expected: list[tuple[bytes, bytes]] = []
    for a, b, revoke in made:
        if a == b:
            continue
        pair = marks.ordered(a, b)
        assert marks.put(store, a, b, revoke=revoke) is ((pair in expected) is revoke)
        if revoke and pair in expected:
            expected.remove(pair)
        elif not revoke and pair not in expected:
            expected.append(pair)
    assert [mark.pair for mark in marks.read(store)] == expected


def test_a_line_cut_short_at_any_byte_costs_that_line_alone(store: Path) -> None:
    marks.put(store, A, B)
    first = marks.file_of(store).read_bytes()
    marks.put(store, A, C)
    whole = marks.file_of(store).read_bytes()
    for length in range(len(first), len(whole)):
        marks.file_of(store).write_bytes(whole[:length])
        assert marks.pairs(store) == {(A, B)}
        marks.put(store, B, D)
        marks.put(store, C, D)
        assert marks.pairs(store) == {(A, B), (B, D), (C, D)}
        assert marks.file_of(store).read_bytes().startswith(whole[:length])


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"7",
        b"\xff\xfe",
        b"[" * 200_000,
        b"{}",
        json.dumps({"schema": 2, "mark": "not-duplicate", "a": A.hex(), "b": B.hex(), "time": ""}).encode(),
        json.dumps({"schema": 1, "mark": "perhaps", "a": A.hex(), "b": B.hex(), "time": ""}).encode(),
        json.dumps({"schema": 1, "mark": "revoked", "a": B.hex(), "b": A.hex(), "time": ""}).encode(),
        json.dumps({"schema": 1, "mark": "revoked", "a": "00", "b": "01", "time": ""}).encode(),
        json.dumps({"schema": 1, "mark": "revoked", "a": 7, "b": 8, "time": ""}).encode(),
    ],
)
def test_a_line_that_is_no_mark_is_named_and_nothing_is_guessed(store: Path, line: bytes) -> None:
    marks.put(store, A, B)
    file = marks.file_of(store)
    file.write_bytes(file.read_bytes() + line + b"\n")
    with pytest.raises(StoreError, match="line 2"):
        marks.read(store)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="line 2"):
        marks.put(store, A, C)
    assert file.read_bytes() == before


def test_a_place_that_cannot_be_read_or_written(store: Path) -> None:
    store.parent.mkdir()
    marks.file_of(store).mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        marks.read(store)
    in_the_way = store.parent / "file"
    in_the_way.write_bytes(b"")
    with pytest.raises(StoreError, match="file"):
        marks.put(in_the_way / "store", A, B)


def match(a: bytes, b: bytes, confidence: float = 1.0, kind: Kind = Kind.DUPLICATE) -> Match:
    return Match(a, b, kind, 0, 1.0, None, confidence)


def test_of_two_set_apart_the_weaker_one_leaves_the_group() -> None:
    star = [match(A, B, 0.5), match(A, C, 0.9), match(A, D, 0.8)]

    def members(apart: set) -> list[list[bytes]]:
        return [[digest for digest, _ in group] for group in centred(star, RANK, apart)]

    assert members(set()) == [[A, B, C, D]]
    assert members({(B, C)}) == [[A, C, D]]
    assert members({(B, C), (C, D)}) == [[A, C]]
    assert members({(A, C)}) == [[A, B, D]]
    assert members({(A, B), (A, C), (A, D)}) == []
    twins = [match(A, B), match(A, C)]
    assert [digest for digest, _ in centred(twins, RANK, {(B, C)})[0]] == [A, B]  # as strong: the rank decides
    left = centred([*star, match(B, NAMES[5], 0.3)], RANK, {(B, C)})
    assert [[digest for digest, _ in group] for group in left] == [[A, C, D], [B, NAMES[5]]]


def test_a_pair_set_apart_is_no_spoke() -> None:
    chain = [match(A, B), match(B, C), match(C, D)]
    assert missing_spokes(chain, RANK, set()) == [(B, D)]
    assert missing_spokes(chain, RANK, set(), {(B, D)}) == []


different = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda pair: pair[0] != pair[1])


@given(
    st.lists(st.tuples(different, st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from(list(Kind))), max_size=20),
    st.sets(different.map(lambda pair: marks.ordered(*pair)), max_size=8),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=200)
def test_no_group_holds_two_set_apart(found: list, apart: set, random) -> None:
    matches = [match(*pair, confidence, kind) for pair, confidence, kind in found]
    groups = centred(matches, RANK, apart)
    seen: list[bytes] = []
    for (centre, _), *members in groups:
        group = [centre, *(digest for digest, _ in members)]
        assert not any(marks.ordered(a, b) in apart for a in group for b in group)
        assert all({own.a, own.b} == {centre, digest} for digest, own in members)
        seen += group
    assert len(seen) == len(set(seen))
    random.shuffle(matches)
    assert centred(matches, RANK, apart) == groups
    asked = missing_spokes(matches, RANK, {(m.a, m.b) for m in matches}, apart)
    assert not any(marks.ordered(*pair) in apart for pair in asked)


# With real pictures


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture as taken, mirrored, cropped, and a copy of the mirrored one; and another picture."""
    folder = tmp_path_factory.mktemp("marked") / "photos"
    folder.mkdir()
    picture = drawing.picture("city", 5)
    picture.save(folder / "taken.jpg", quality=92)
    ImageOps.mirror(picture).save(folder / "mirrored.jpg", quality=85)
    picture.crop((50, 40, 440, 330)).save(folder / "cropped.jpg", quality=85)
    shutil.copy(folder / "mirrored.jpg", folder / "mirrored again.jpg")
    drawing.picture("fruit", 5).save(folder / "other.jpg", quality=85)
    return folder


def names(report: tbhdup.Report) -> list[list[str]]:
    return [sorted(Path(os.fsdecode(member.path)).name for member in group.members) for group in report.groups]


def near(query: Path, store: Path, radius: int | None) -> dict[str, int]:
    """The names and distances of what `similar` shows."""
    hits = tbhdup.similar([query], store=store, options=tbhdup.Options(radius=radius))[0]
    return {Path(os.fsdecode(hit.path)).name: hit.distance for hit in hits}


ALL = ["cropped.jpg", "mirrored again.jpg", "mirrored.jpg", "taken.jpg"]


@pytest.mark.parametrize("verify", ["auto", "never"])
def test_scan_report_and_similar_heed_a_mark(photos: Path, store: Path, verify: str) -> None:
    loose = {"radius": 64, "cosine": -1.0} if verify == "never" else {}
    options = tbhdup.Options(verify=verify, **loose)
    before = names(tbhdup.scan([photos], store=store, options=options))
    assert any(set(ALL) <= set(group) for group in before)
    distances = near(photos / "taken.jpg", store, None)
    assert set(distances) == {*ALL, "other.jpg"} - {"taken.jpg"}
    radius = distances["mirrored.jpg"]
    assert "mirrored.jpg" in near(photos / "taken.jpg", store, radius)
    assert tbhdup.mark(photos / "taken.jpg", photos / "mirrored.jpg", store=store)
    for report in (tbhdup.scan([photos], store=store, options=options), tbhdup.report(store=store, options=options)):
        groups = names(report)
        assert not any({"taken.jpg", "mirrored.jpg"} <= set(group) for group in groups)
        assert any({"mirrored.jpg", "mirrored again.jpg"} <= set(group) for group in groups)  # still the same bytes
    assert set(near(photos / "taken.jpg", store, None)) == {"cropped.jpg", "other.jpg"}
    assert not {"mirrored.jpg", "mirrored again.jpg"} & set(near(photos / "taken.jpg", store, radius))
    shutil.move(photos / "mirrored.jpg", photos / "moved.jpg")
    try:
        assert not any(
            {"taken.jpg", "moved.jpg"} <= set(g) for g in names(tbhdup.scan([photos], store=store, options=options))
        )
    finally:
        shutil.move(photos / "moved.jpg", photos / "mirrored.jpg")
    assert tbhdup.mark(photos / "mirrored again.jpg", photos / "taken.jpg", revoke=True, store=store)
    assert names(tbhdup.scan([photos], store=store, options=options)) == before


def test_marks_are_listed_with_the_files_that_are_known(photos: Path, store: Path) -> None:
    assert tbhdup.marked(store=store) == []
    tbhdup.mark(photos / "taken.jpg", photos / "mirrored.jpg", store=store)
    (alone,) = tbhdup.marked(store=store)
    assert alone.paths == ((), ())
    tbhdup.scan([photos], store=store)
    (known,) = tbhdup.marked(store=store)
    assert (known.digests, known.time) == (alone.digests, alone.time)
    expected = {(photos / "taken.jpg",), (photos / "mirrored again.jpg", photos / "mirrored.jpg")}
    assert {tuple(Path(os.fsdecode(path)) for path in paths) for paths in known.paths} == expected
    with tbhdup.Store.open(store) as opened:
        assert tbhdup.marked(store=opened) == [known]


def test_files_that_cannot_be_marked(photos: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        tbhdup.mark(photos / "mirrored.jpg", photos / "mirrored again.jpg", store=store)
    for wrong in (tmp_path / "nowhere.jpg", photos):
        with pytest.raises(TbhdupError, match=wrong.name):
            tbhdup.mark(photos / "taken.jpg", wrong, store=store)
    assert not marks.file_of(store).exists()
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    (tmp_path / "dot.png").write_bytes(data.getvalue())
    assert not tbhdup.mark(photos / "taken.jpg", tmp_path / "dot.png", revoke=True, store=store)
