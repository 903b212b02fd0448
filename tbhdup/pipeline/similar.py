"""similar: which known pictures look like these. compare: are these two one picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tbhdup import marks, search, sources, verify, wording
from tbhdup.errors import TbhdupError, UsageError
from tbhdup.pipeline import drawing
from tbhdup.pipeline.confirm import cosine_of
from tbhdup.pipeline.scan import IDENTICAL_BYTES, Options, load_encoder
from tbhdup.pipeline.views import KnownContents, Unseen, Views, view_of
from tbhdup.store import Store
from tbhdup.values import Digest, File, Kind, Verdict

if TYPE_CHECKING:
    from tbhdup.model.encoding import BatchEncoder

SHORTLIST = 24  # the nearest by cosine that the proof looks at, beyond the limit asked for


@dataclass(frozen=True, slots=True)
class Hit:
    """One known file that is like a query."""

    query: bytes
    path: bytes
    digest: Digest
    kind: Kind
    distance: int  # bits
    cosine: float
    relation: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be said of two files."""

    same: bool
    kind: Kind | None  # None: different pictures
    distance: int
    cosine: float
    verdict: Verdict
    shown: verify.Shown  # what the proof saw

    def words(self) -> tuple[str, str]:
        """The proof in two lines: the verdict, then the numbers that it rests on."""
        near = f"{wording.counted(self.distance, 'bit')} apart, cosine {self.cosine:.3f}"
        numbers = [*self._numbers(), f"confidence {self.verdict.confidence:.2f}"]
        if self.same:
            return f"the same picture: {self.verdict.relation or IDENTICAL_BYTES} ({near})", "; ".join(numbers)
        return f"different pictures: {self.verdict.reason} ({near})", "; ".join(numbers)

    def _numbers(self) -> Iterator[str]:
        shown, relation = self.shown, self.verdict.relation
        if self.same:
            yield f"B shows {shown.share_a:.0%} of A, which fills {shown.share_b:.0%} of B"
        elif shown.map is not None:
            yield f"the nearest map lays {shown.share_a:.0%} of A on {shown.share_b:.0%} of B"
        if relation is not None:
            yield wording.counted(relation.inliers, "inlier") if relation.inliers else "no inliers needed"
            yield f"agreement {relation.agreement:.2f}"
        elif not self.same and shown.agreeing is not None:
            yield f"{'' if shown.map else 'at best '}{shown.agreeing:.0%} of the tiles agree"


@dataclass(frozen=True, slots=True)
class _Query:
    path: bytes
    digest: Digest
    data: bytes
    code: int
    latent: NDArray[np.int8]
    parts: NDArray[np.int8]  # (k, 128) latents of its parts


def _query(path: bytes, encoder: BatchEncoder) -> _Query:
    """Read and encode one file. TbhdupError, in one line, when it is no usable picture."""
    try:
        data = sources.read(path)
        # Decoded the way a scan does it, so that a known picture gets its known code.
        squares = sources.see(data, encoder.record.preprocessing.side).squares
    except sources.Unusable as error:
        raise TbhdupError(f"{os.fsdecode(path)}: {error.reason}: {error.detail}") from error
    codes, latents = encoder.encode(np.stack(squares))
    return _Query(path, sources.digest(data), data, int(codes[0]), latents[0], latents[1:])


def similar(queries: Sequence[bytes], store: Store, options: Options | None = None, limit: int = 10) -> list[list[Hit]]:
    """For each query the known files like it, best first, without the query's own path and what is marked as different.

    With a radius: everything within it, found through the store's substring tables, ordered by distance, then cosine.
    Without: the nearest by cosine; with the proof, which looks at those that a part is near to as well, confirmed ones
    come first, the least changed before the others.
    """
    options = options or Options()
    encoder = load_encoder(options)
    model = encoder.record.model_id
    files: dict[Digest, list[File]] = {}
    for file in store.files():
        if file.digest is not None:
            files.setdefault(file.digest, []).append(file)
    views = Views(KnownContents(files, sources.Disk().again, store))
    apart = marks.pairs(store.place)
    everything = store.pictures(model) if options.radius is None else None
    parts = store.parts(model) if options.radius is None and options.verify != "never" else None
    out = []
    for path in queries:
        query = _query(path, encoder)
        if everything is None:
            assert options.radius is not None
            found = search.probes(
                query.code, options.radius, lambda table, substring: store.bucket(model, table, substring)
            )
            rows = store.pictures(model, sorted({row["digest"].tobytes() for row in found}))
        else:
            rows = everything
        if apart:
            kept = [marks.ordered(query.digest, row.tobytes()) not in apart for row in rows["digest"]]
            rows = rows[np.array(kept, bool)]
        near = [
            _hit(query, row) for row in _nearest(query, rows, parts, None if everything is None else limit + SHORTLIST)
        ]
        if options.verify != "never" and everything is not None:
            view = view_of(query.data, partial(sources.read, query.path))
            near = sorted((_proven(hit, view, views) for hit in near), key=_merit)
        elif everything is None:
            near.sort(key=lambda hit: (hit.distance, -hit.cosine, hit.digest))
        hits = [
            Hit(path, file.path, h.digest, h.kind, h.distance, h.cosine, h.relation, h.confidence)
            for h in near
            for file in files.get(h.digest, ())
            if file.path != path
        ]
        out.append(hits if everything is None else hits[:limit])
    return out


def _nearest(
    query: _Query, rows: NDArray[np.void], parts: NDArray[np.void] | None, count: int | None
) -> NDArray[np.void]:
    """The rows nearest by cosine, best first; equal ones by digest.

    parts: of the rows; a part of either picture counts like the whole then. None: wholes alone are compared.
    """
    cosine = _cosines(query.latent, rows["latent"])
    if parts is not None:
        for part in query.parts:
            np.maximum(cosine, _cosines(part, rows["latent"]), out=cosine)
        at = {row.tobytes(): place for place, row in enumerate(rows["digest"])}
        for row, value in zip(parts["digest"], _cosines(query.latent, parts["latent"]), strict=True):
            place = at.get(row.tobytes())
            if place is not None:
                cosine[place] = max(cosine[place], value)
    return rows[np.argsort(-cosine, kind="stable")[:count]]


def _cosines(latent: NDArray[np.int8], others: NDArray[np.int8]) -> NDArray[np.float32]:
    """Of one latent (128,) with each of the others (n, 128)."""
    one, many = latent.astype(np.float32), others.astype(np.float32)
    length = np.maximum(np.linalg.norm(many, axis=1) * np.linalg.norm(one), 1e-9)
    return np.asarray(many @ one / length, np.float32)


def _hit(query: _Query, row: NDArray[np.void]) -> Hit:
    digest = row["digest"].tobytes()
    distance = int(np.bitwise_count(np.uint64(query.code) ^ np.uint64(row["code"])))
    same = digest == query.digest
    kind, relation = (Kind.IDENTICAL, IDENTICAL_BYTES) if same else (Kind.SIMILAR, "")
    return Hit(query.path, b"", digest, kind, distance, round(cosine_of(query.latent, row["latent"]), 4), relation, 1.0)


def _proven(hit: Hit, view: verify.View, views: Views) -> Hit:
    if hit.kind is Kind.IDENTICAL:
        return hit
    try:
        verdict = verify.prove(views.get(hit.digest), view)
    except Unseen:  # it stays in the list, as what is only known to be near
        return hit
    if not verdict.accepted:
        return hit
    return Hit(
        hit.query, b"", hit.digest, Kind.DUPLICATE, hit.distance, hit.cosine, str(verdict.relation), verdict.confidence
    )


def _merit(hit: Hit) -> tuple[int, float, bytes]:
    """Identical first, then confirmed, then merely similar; within each by cosine."""
    return list(Kind).index(hit.kind), -hit.cosine, hit.digest


def compare(a: bytes, b: bytes, options: Options | None = None, picture: Path | None = None) -> Comparison:
    """Are two files one picture? Nothing is read from or written to a store.

    picture: where to draw both, with what the proof saw; .png, .jpg or .jpeg. Raises UsageError, before any work, for
    another name and for that of one of the two files, and TbhdupError when it cannot be written.
    """
    if picture is not None:
        _check_picture(picture, (a, b))
    options = options or Options()
    encoder = load_encoder(options)
    queries = _query(a, encoder), _query(b, encoder)
    found = _compared(*queries)
    if picture is not None:
        _draw(picture, queries, found)
    return found


def _check_picture(picture: Path, files: Sequence[bytes]) -> None:
    drawing.check_name(picture)
    for path in files:
        with suppress(OSError):  # a file that is not there is none to be written over
            if os.path.samefile(picture, path):
                raise UsageError(f"{picture} is one of the two pictures: give another name")


def _compared(first: _Query, second: _Query) -> Comparison:
    distance = int(np.bitwise_count(np.uint64(first.code) ^ np.uint64(second.code)))
    cosine = round(cosine_of(first.latent, second.latent), 4)
    if first.digest == second.digest:
        verdict = Verdict(True, 1.0, None)
        return Comparison(True, Kind.IDENTICAL, distance, cosine, verdict, verify.whole(verdict))
    shown = verify.show(*(view_of(query.data, partial(sources.read, query.path)) for query in (first, second)))
    same = shown.verdict.accepted
    return Comparison(same, Kind.DUPLICATE if same else None, distance, cosine, shown.verdict, shown)


def _draw(path: Path, queries: Sequence[_Query], found: Comparison) -> None:
    decoded = [sources.decode(query.data, drawing.HEIGHT) for query in queries]
    images = [drawing.Picture(picture.image, (picture.width, picture.height)) for picture in decoded]
    drawing.write(path, drawing.draw(images[0], images[1], found.shown, found.words()))
