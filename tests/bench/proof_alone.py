"""The proof alone: every edited copy against its own original, whether a search would have proposed the pair or not.

python tests/bench/proof_alone.py TRUTH.csv: a table as `tbhdup evaluate copies` takes. Copies with their original's bytes
need no proof, and count as found.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path

from tbhdup import sources, verify
from tbhdup.evaluation.truth import read_truth
from tbhdup.pipeline.views import view_of

Case = tuple[str, bytes]
"""How a copy was made, and its path."""


def view(data: bytes) -> verify.View:
    return view_of(data, lambda: data)


def reasons(original: bytes, copies: list[Case]) -> list[str]:
    """Why each copy was refused; "" for those that were not."""
    data = sources.read(original)
    found = []
    with verify.one_thread_a_proof():
        root = view(data)
        for _, path in copies:
            copy = sources.read(path)
            verdict = verify.prove(root, view(copy)) if copy != data else None
            found.append("" if verdict is None or verdict.accepted else verdict.reason)
    return found


def main() -> None:
    truth = read_truth(Path(sys.argv[1]))
    places = sorted(truth.copies, key=lambda place: truth.originals[truth.files[place].source])
    of, cases = [], []
    for original, some in groupby(places, key=lambda place: truth.originals[truth.files[place].source]):
        of.append(truth.files[original].path)
        cases.append([(truth.files[place].edit, truth.files[place].path) for place in some])
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(reasons, of, cases, chunksize=4))
    all_of = Counter(edit for copies in cases for edit, _ in copies)
    refused = [
        (edit, why)
        for copies, whys in zip(cases, found, strict=True)
        for (edit, _), why in zip(copies, whys, strict=True)
        if why
    ]
    missed = Counter(edit for edit, _ in refused)
    total = sum(all_of.values())
    print(f"proven: {total - len(refused)} of {total}, {1 - len(refused) / total:.4f}")
    for edit, count in missed.most_common():
        whys = Counter(why for e, why in refused if e == edit)
        print(f"{edit:12} {1 - count / all_of[edit]:.3f}  {', '.join(f'{n} {why}' for why, n in whys.most_common())}")


if __name__ == "__main__":
    main()
