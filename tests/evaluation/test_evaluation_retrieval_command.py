"""`tbhdup evaluate retrieval` as installed, on drawn pictures: what it writes, that it goes on, and what it refuses."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import drawing
import evaluation_command as command
import numpy as np
import pytest
from PIL import Image

KINDS = sorted(drawing.KINDS)


def run(*arguments: object, check: int = 0, before: str = "") -> subprocess.CompletedProcess[str]:
    return command.run("evaluate", "retrieval", *arguments, check=check, before=before, COLUMNS=100)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three kinds of drawn pictures, 32 pixels a side."""
    kinds = KINDS[:3]
    arrays: dict[str, object] = {"class_names": np.array(kinds)}
    for part, count, first in (("train", 72, 0), ("test", 12, 500)):
        pictures = [drawing.picture(kinds[i % 3], first + i, (64, 64)).resize((32, 32)) for i in range(count)]
        arrays[f"{part}_images"] = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
        arrays[f"{part}_labels"] = np.arange(count) % 3
    path = tmp_path_factory.mktemp("data") / "drawn.npz"
    np.savez(path, **arrays)
    return path


ASKED = ("--quick", "--bits", "8", "--methods", "itq,tbh,tbh-vae,tbh-vae-views", "--objective", "retrieval")


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_table_pictures_and_going_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    first = run("--data", data, "--out", out, *ASKED, "--seeds", 1)
    assert "quick run" in first.stdout
    for title in ("ITQ", "TBH", "TBH-VAE", "TBH-VAE, views", "HashGAN (quoted)"):
        assert any(line.strip().startswith(title) for line in first.stdout.splitlines()), title
    assert "0.602" in first.stdout
    found = rows(out)
    assert len(found) == 4
    assert {row["method"] for row in found} == {"itq", "tbh", "tbh-vae", "tbh-vae-views"}
    for row in found:
        assert (row["database"], row["queries"], row["effort"]) == ("72", "12", "0.05")
        assert 0 <= float(row["map_min"]) <= float(row["map_hits"]) <= 1
    for name, least in (("precision_recall.png", 700), ("retrieval_examples.png", 800)):
        with Image.open(out / name) as picture:
            assert picture.width > least
            assert len(picture.convert("RGB").getcolors(1 << 22)) > 50

    cell = out / "cells" / "itq-8-0.json"
    known = json.loads(cell.read_text())
    cell.write_text(json.dumps({**known, "seconds": 777.0}))
    (out / "cells" / "tbh-8-0.json").unlink()
    again = run("--data", data, "--out", out, *ASKED, "--seeds", 2)
    assert [line.split()[0] for line in again.stderr.splitlines() if "seed 0" in line] == ["tbh"]
    assert sum("seed 1" in line for line in again.stderr.splitlines()) == 4
    after = {(r["method"], r["bits"], r["seed"]): r for r in rows(out)}
    assert len(after) == 8
    assert float(after["itq", "8", "0"]["seconds"]) == 777  # found, not computed again
    before = next(r for r in found if (r["method"], r["bits"]) == ("tbh", "8"))
    for name in ("map_hits", "map_all", "effective_bits"):
        assert after["tbh", "8", "0"][name] == before[name]  # the same seed gives the same codes

    cell.write_text(json.dumps({**known, "conditions": {**known["conditions"], "side": 1}}))
    assert "other conditions" in run("--data", data, "--out", out, *ASKED, check=2).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--methods", "itq,nonsense"), "nonsense"),
        (("--methods", "cibhash"), "--objective retrieval"),
        (("--bits", "16,many"), "--bits"),
        (("--bits", "72"), "72"),
        (("--data", "/nowhere.npz"), "/nowhere.npz"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], said: str, data: Path, tmp_path: Path) -> None:
    base = {"--data": str(data), "--out": str(tmp_path / "out")} | dict([arguments])
    wrong = run(*(part for pair in base.items() for part in pair), check=2)
    assert said in wrong.stderr
    assert wrong.stderr.count("\n") == 1


@pytest.mark.parametrize(("module", "extra"), [("matplotlib", "plot"), ("sklearn", "retrieval")])
def test_without_the_extra_nothing_is_begun(module: str, extra: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "none"
    missing = run("--data", data, "--out", out, check=1, before=f"sys.modules[{module!r}] = None")
    assert f"tbhdup[{extra}]" in missing.stderr
    assert not out.exists()


def test_help_is_light() -> None:
    after = (
        "import atexit; atexit.register(lambda: print({'torch', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    said = run("--help", before=after).stdout
    assert "--objective" in said
    assert said.splitlines()[-1] == "set()"
