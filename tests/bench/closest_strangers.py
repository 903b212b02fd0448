"""What the proof takes for copies among the closest pairs of a collection that should hold none.

python tests/bench/closest_strangers.py FOLDER... [--pairs 2000] [--sheets FOLDER]: the pairs nearest by latent, over all
pairs of the pictures. Each accepted one is printed, nearest first; on the sheets they stand side by side, to be looked at:
a collection has copies of its own, which are none of the proof's faults.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tbhdup import search, sources, verify
from tbhdup.model.encoding import load_network, pack_codes, quantise_latents
from tbhdup.model.record import read_record
from tbhdup.pipeline.views import view_of
from tbhdup.training.photos import Clean, find_photos, in_batches
from tbhdup.training.trainer import encode_clean
from tbhdup.values import CODE_BITS, Verdict

NEAR = 0.5  # cosine from which a pair counts as close
NEAREST = 200  # pairs of each picture that are kept: a pile of receipts has many
SIDE, ROWS = 320, 6  # pixels of a picture on a sheet, pairs on it

Pair = tuple[float, bytes, bytes]
"""Cosine and paths."""


def closest(paths: list[bytes], count: int) -> list[Pair]:
    """The pairs nearest by latent, nearest first, but for those of equal bytes."""
    record = read_record()
    network = load_network(record)
    heads = encode_clean(network, in_batches(Clean(paths, record.preprocessing.side)))
    latents = quantise_latents(network.distinct(heads.latent).numpy())
    found = search.candidates(pack_codes(heads.logits.numpy()), latents, CODE_BITS, NEAR, NEAREST)
    pairs: list[Pair] = []
    for i, j, _, cosine in found[np.argsort(-found["cosine"], kind="stable")].tolist():
        if len(pairs) == count:
            break
        if sources.read(paths[i]) != sources.read(paths[j]):
            pairs.append((cosine, paths[i], paths[j]))
    return pairs


@lru_cache(256)
def view(path: bytes) -> verify.View:
    return view_of(sources.read(path), partial(sources.read, path))


def proven(pair: Pair) -> Verdict:
    with verify.one_thread_a_proof():
        return verify.prove(view(pair[1]), view(pair[2]))


def sheet(pairs: list[tuple[int, Pair]]) -> Image.Image:
    """Numbered pairs, each in a row."""
    page = Image.new("RGB", (2 * SIDE, len(pairs) * SIDE), "white")
    for row, (number, pair) in enumerate(pairs):
        for column, path in enumerate(pair[1:]):
            picture = sources.decode(sources.read(path), SIDE).image.copy()
            picture.thumbnail((SIDE - 4, SIDE - 4))
            page.paste(picture, (column * SIDE, row * SIDE))
        ImageDraw.Draw(page).text((4, (row + 1) * SIDE - 16), f"{number}", "red")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--sheets", type=Path)
    given = parser.parse_args()
    folders = find_photos(given.folders, lambda path, why: print(path, why))
    paths = [path for folder in folders for path in folder]
    pairs = closest(paths, given.pairs)
    by_path = sorted(pairs, key=lambda pair: pair[1:])  # so that views are used again
    with ProcessPoolExecutor() as pool:
        verdicts = dict(zip(by_path, pool.map(proven, by_path, chunksize=32), strict=True))
    print(f"{len(paths)} pictures, {len(pairs)} pairs with cosines of {pairs[-1][0]:.3f} and more")
    taken = [pair for pair in pairs if verdicts[pair].accepted]
    for number, pair in enumerate(taken):
        relation = verdicts[pair].relation
        words = ", ".join(relation.words) if relation else ""
        a, b = (path.decode(errors="replace") for path in pair[1:])
        print(f"{number:3} {pair[0]:.3f} {verdicts[pair].confidence:.2f} {words}: {a} | {b}")
    print(f"{len(taken)} accepted")
    if given.sheets:
        given.sheets.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(taken), ROWS):
            numbered = list(enumerate(taken))[start : start + ROWS]
            sheet(numbered).save(given.sheets / f"{start:03}.png")


if __name__ == "__main__":
    main()
