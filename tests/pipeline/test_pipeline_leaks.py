"""Copies across sets are found, and the corrected splits have none; findings and splits from groups of any shape."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

import drawing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageOps

import tbhdup
from tbhdup.errors import UsageError
from tbhdup.pipeline.leaks import across, by_priority, name_sets
from tbhdup.pipeline.scan import Findings
from tbhdup.sources import Row
from tbhdup.values import File, Group, Kind, Member, Report, Summary, Thresholds

SETS = {"train": b"/data/train", "test": b"/data/test", "val": b"/data/val"}
Content = tuple[int, tuple[bytes, ...]]  # a digest's number, and the paths of its files


def member(digest: int, path: bytes) -> Member:
    return Member(path, bytes([digest]) * 16, 8, 8, 100, 0, 1.0, "", 1.0, False)


def group(*contents: Content) -> Group:
    members = tuple(member(digest, path) for digest, paths in contents for path in paths)
    return Group(Kind.DUPLICATE if len(contents) > 1 else Kind.IDENTICAL, members[0].path, members)


def findings(contents: list[Content], groups: list[Group], links: list[Group]) -> Findings:
    report = Report("0", "model", Thresholds(8, 0.5, 5, "auto", 1.0), tuple(groups), (), Summary())
    files = [File(path, 100, 0, 0, 0, bytes([digest]) * 16) for digest, paths in contents for path in paths]
    return Findings(report, (*files, File(b"/data/train/broken.jpg", 1, 0, 0, 0, None)), tuple(links))


def test_every_two_files_of_different_sets_in_one_group_are_a_leak() -> None:
    centre: Content = (0, (b"/data/train/centre.jpg",))
    other: Content = (1, (b"/data/train/copy.jpg",))
    third: Content = (2, (b"/data/test/copy.jpg",))
    found = across(findings([centre, other, third], [group(centre, other, third)], []), SETS, list(SETS))
    (leak,) = found.leaks
    assert leak.sides == ("train", "test")
    assert leak.kind is Kind.DUPLICATE
    assert [(side, m.path) for side, m in leak.files] == [
        ("train", b"/data/train/centre.jpg"), ("train", b"/data/train/copy.jpg"), ("test", b"/data/test/copy.jpg"),
    ]  # fmt: skip
    assert found.leaking == {"train": 2, "test": 1, "val": 0}
    assert across(findings([centre, other], [group(centre, other)], []), SETS, list(SETS)).leaks == ()


def test_the_same_bytes_in_two_sets_are_identical_whatever_else_is_in_the_group() -> None:
    both: Content = (0, (b"/data/test/a.jpg", b"/data/train/a.jpg"))
    edited: Content = (1, (b"/data/val/a.jpg",))
    twins: Content = (2, (b"/data/val/b.jpg", b"/data/val/c.jpg"))
    lone: Content = (3, (b"/data/train/b.jpg",))
    found = across(
        findings([both, edited, twins, lone], [group(both, edited), group(twins, lone)], []),
        SETS,
        ["train", "test", "val"],
    )
    assert [(leak.kind, leak.sides) for leak in found.leaks] == [
        (Kind.IDENTICAL, ("train", "test", "val")), (Kind.DUPLICATE, ("train", "val")),
    ]  # fmt: skip


def test_a_confirmed_pair_without_a_group_is_a_leak_and_moves_with_what_it_leads_to() -> None:
    a, b, c = [(n, (b"/data/train/%d.jpg" % n,)) for n in range(3)]
    d: Content = (3, (b"/data/test/3.jpg",))
    found = across(findings([a, b, c, d], [group(a, b)], [group(c, d), group(b, c)]), SETS, ["test", "train", "val"])
    assert [[m.path for _, m in leak.files] for leak in found.leaks] == [[b"/data/train/2.jpg", b"/data/test/3.jpg"]]
    assert {name for _, name in found.splits} == {"test"}


def test_labels_are_the_folders_but_for_those_of_the_sets() -> None:
    content: Content = (0, (b"/data/train/cat/a.jpg", b"/data/train/dog/a.jpg", b"/data/train/a.jpg"))
    other: Content = (1, (b"/data/test/cat/b.jpg",))
    bare: Content = (2, (b"/data/train/c.jpg", b"/data/test/c.jpg"))
    groups = [group(content), group(bare)]
    found = across(findings([content, other, bare], groups, [group(bare, other)]), SETS, list(SETS), labels="folder")
    (leak,) = found.labels
    assert (leak.sides, leak.kind) == (("cat", "dog"), Kind.IDENTICAL)
    assert [side for side, _ in leak.files] == ["cat", "dog", ""]
    assert across(findings([content], [group(content)], []), SETS, list(SETS)).labels == ()


@st.composite
def scans(draw: st.DrawFn) -> tuple[Findings, list[str]]:
    """Contents in files of three sets, disjoint groups of them, confirmed pairs between those, and a priority."""
    contents: list[Content] = []
    for digest in range(draw(st.integers(0, 9))):
        homes = draw(st.lists(st.sampled_from(list(SETS.values())), min_size=1, max_size=3))
        contents.append((digest, tuple(b"%s/%d-%d.jpg" % (home, digest, n) for n, home in enumerate(homes))))
    of_group = draw(st.lists(st.integers(0, 5), min_size=len(contents), max_size=len(contents)))
    parts = defaultdict(list)
    for number, content in zip(of_group, contents, strict=True):
        parts[number].append(content)
    groups = [group(*part) for part in parts.values() if sum(len(paths) for _, paths in part) > 1]
    links = []
    if len(contents) > 1:
        pairs = st.lists(st.lists(st.sampled_from(contents), min_size=2, max_size=2, unique=True), max_size=3)
        links = [group(*pair) for pair in draw(pairs)]
    return findings(contents, groups, links), draw(st.permutations(list(SETS)))


def set_of(path: bytes) -> str:
    return os.fsdecode(path.split(b"/")[2])


@given(scans())
@settings(deadline=None, max_examples=150)
def test_splits_list_every_file_once_and_keep_together_what_belongs_together(scan) -> None:
    found, priority = scan
    result = across(found, SETS, priority)
    files = [file.path for file in found.files if file.digest is not None]
    assert [path for path, _ in result.splits] == sorted(files)
    now = dict(result.splits)
    groups = [*found.report.groups, *found.links]
    for one in groups:
        assert len({now[m.path] for m in one.members}) == 1
    # Each file is in the best set that a chain of groups leads to, which is its own when there is no chain.
    reach = {path: {path} for path in files}
    for _ in files:
        for one in groups:
            joined = set().union(*(reach[m.path] for m in one.members))
            for m in one.members:
                reach[m.path] |= joined
    for path in files:
        assert now[path] == min({set_of(other) for other in reach[path]}, key=priority.index)
    leaky = [one for one in groups if len({set_of(m.path) for m in one.members}) > 1]
    assert sorted(tuple(m.path for _, m in leak.files) for leak in result.leaks) == sorted(
        tuple(m.path for m in one.members) for one in leaky
    )
    assert sum(result.leaking.values()) == len({m.path for one in leaky for m in one.members})


def test_sets_are_called_by_what_tells_their_paths_apart(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one/train/images", "one/test/images", "one/val")]
    for root in roots:
        root.mkdir(parents=True)
    encoded = [os.fsencode(root) for root in roots]
    assert list(name_sets(encoded)) == ["train/images", "test/images", "one/val"]
    assert list(name_sets(encoded[1:])) == ["images", "val"]
    assert name_sets(encoded)["train/images"] == encoded[0]


def test_sets_that_make_no_sense(tmp_path: Path) -> None:
    for name in ("train", "train/inner", "trainer"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "train")
    train, *others = (os.fsencode(tmp_path / n) for n in ("train", "train/inner", "link", "train", "file", "nowhere"))
    for other in others:
        with pytest.raises(UsageError):
            name_sets([train, other])
    with pytest.raises(UsageError):
        name_sets([train])
    assert len(name_sets([train, os.fsencode(tmp_path / "trainer")])) == 2


def test_priority_is_the_last_set_first_or_as_told() -> None:
    assert by_priority(SETS, None) == ["val", "test", "train"]
    assert by_priority(SETS, ["test", "val", "train"]) == ["test", "val", "train"]
    for wrong in ([], ["test"], ["test", "test", "val"], ["test", "val", "train", "more"], ["Test", "val", "train"]):
        with pytest.raises(UsageError):
            by_priority(SETS, wrong)


# With real pictures


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures in train; of three of them there is a copy in test, of one the same bytes in val."""
    folder = tmp_path_factory.mktemp("leaks")
    for name in ("train/town", "train/food", "test/town", "test/food", "val/food"):
        (folder / name).mkdir(parents=True)
    city, fruit, leaves = (drawing.picture(kind, 7) for kind in ("city", "fruit", "leaves"))
    city.save(folder / "train/town/city.jpg", quality=90)
    fruit.save(folder / "train/food/fruit.jpg", quality=90)
    leaves.save(folder / "train/food/leaves.jpg", quality=90)
    drawing.picture("page", 7).save(folder / "train/food/page.jpg", quality=90)
    drawing.picture("landscape", 7).save(folder / "test/town/landscape.jpg", quality=90)
    ImageOps.mirror(city).save(folder / "test/town/mirrored.jpg", quality=80)
    fruit.resize((300, 225)).save(folder / "test/food/small.jpg", quality=80)
    leaves.save(folder / "test/town/leaves.webp", quality=80)
    shutil.copy(folder / "train/food/fruit.jpg", folder / "val/food/fruit.jpg")
    (folder / "val/food/broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


def test_leaks_of_real_pictures_and_splits_without_them(sets: Path, tmp_path: Path) -> None:
    roots = [sets / name for name in ("train", "test", "val")]
    found = tbhdup.leaks(roots, priority=["test", "val", "train"], labels="folder", store=tmp_path / "store")
    shown = {frozenset(Path(os.fsdecode(m.path)).name for _, m in leak.files): leak for leak in found.leaks}
    assert set(shown) == {
        frozenset({"city.jpg", "mirrored.jpg"}),
        frozenset({"fruit.jpg", "small.jpg"}),
        frozenset({"leaves.jpg", "leaves.webp"}),
    }
    fruit = shown[frozenset({"fruit.jpg", "small.jpg"})]
    assert (fruit.kind, fruit.sides) == (Kind.IDENTICAL, ("train", "test", "val"))
    assert [leak.sides for leak in found.labels] == [("food", "town")]
    assert found.leaking == {"train": 3, "test": 3, "val": 1}
    splits = {os.path.relpath(os.fsdecode(path), sets): name for path, name in found.splits}
    assert splits == {
        "test/food/small.jpg": "test",
        "test/town/landscape.jpg": "test",
        "test/town/leaves.webp": "test",
        "test/town/mirrored.jpg": "test",
        "train/food/fruit.jpg": "test",
        "train/food/leaves.jpg": "test",
        "train/food/page.jpg": "train",
        "train/town/city.jpg": "test",
        "val/food/fruit.jpg": "test",
    }
    for number, (path, name) in enumerate(found.splits):
        (tmp_path / "mended" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, os.fsencode(tmp_path / "mended" / name / f"{number}-") + os.path.basename(path))
    again = tbhdup.leaks([tmp_path / "mended/train", tmp_path / "mended/test"], store=tmp_path / "store")
    assert again.leaks == ()
    assert len(again.report.groups) == 3


def test_a_pair_marked_as_different_is_no_leak(sets: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    tbhdup.mark(sets / "train/town/city.jpg", sets / "test/town/mirrored.jpg", store=store)
    found = tbhdup.leaks([sets / "train", sets / "test"], store=store)
    assert len(found.leaks) == 2
    splits = {Path(os.fsdecode(path)).name: name for path, name in found.splits}
    assert (splits["city.jpg"], splits["mirrored.jpg"]) == ("train", "test")


def test_a_file_goes_by_its_row_or_by_that_of_what_it_lies_in_however_that_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    folder = os.fsencode(tmp_path)
    rows = {folder + b"/a": Row("train", "cat"), folder + b"/a/x.jpg": Row("test"), folder + b"/link/y.jpg": Row("val")}
    paths = (folder + b"/a/b.tar/z.jpg", folder + b"/a/x.jpg", folder + b"/real/y.jpg")
    content: Content = (0, paths)
    sets = dict.fromkeys(SETS, folder + b"/m.csv")
    (leak,) = (found := across(findings([content], [group(content)], []), sets, list(SETS), "column", rows)).leaks
    assert [side for side, _ in leak.files] == ["train", "test", "val"]
    assert found.labels == ()  # one label, and files without
    assert found.splits == tuple((path, "train") for path in sorted(paths))
    assert found.moved == 2
