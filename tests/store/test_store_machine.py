"""The store against plain dictionaries, through commits, reopening and growth."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_samples import files, pictures, verdicts

from tbhdup.store import Store
from tbhdup.values import File, Verdict

PATHS = [b"/a/x.jpg", b"/a/y.jpg", b"/a/b/x.jpg", b"/b/\xff\n.jpg"]
PICTURES = pictures(12, code_bits=3)
DIGESTS = [row.tobytes() for row in PICTURES["digest"]]
PAIRS = [tuple(sorted(pair)) for pair in zip(DIGESTS, DIGESTS[1:], strict=False)]
MODELS = st.sampled_from(["one", "two"])


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="store-"))
        self.store = Store.open(self.place)
        self.files: dict[bytes, File] = {}
        self.pictures: dict[str, dict[bytes, bytes]] = {"one": {}, "two": {}}
        self.verdicts: dict[tuple[bytes, ...], Verdict] = {}

    @rule(rows=st.lists(files(st.sampled_from(PATHS)), max_size=4))
    def put_files(self, rows: list[File]) -> None:
        self.store.put_files(rows)
        self.files |= {file.path: file for file in rows}

    @rule(paths=st.lists(st.sampled_from(PATHS), max_size=2))
    def forget_files(self, paths: list[bytes]) -> None:
        self.store.forget_files(paths)
        for path in paths:
            self.files.pop(path, None)

    @rule(model=MODELS, picked=st.lists(st.integers(0, 11), max_size=6), code=st.integers(0, 7))
    def put_pictures(self, model: str, picked: list[int], code: int) -> None:
        rows = PICTURES[picked]
        rows["code"] ^= np.uint64(code)
        self.store.put_pictures(model, rows)
        self.pictures[model] |= {row["digest"].tobytes(): row.tobytes() for row in rows}

    @rule(pair=st.sampled_from(PAIRS), verdict=verdicts)
    def put_verdict(self, pair: tuple[bytes, bytes], verdict: Verdict) -> None:
        self.store.put_verdicts("v", {pair: verdict})
        self.verdicts[pair] = verdict

    @rule()
    def commit(self) -> None:
        self.store.commit()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.place)

    @rule(model=MODELS)
    def read_pictures(self, model: str) -> None:
        expected = self.pictures[model]
        assert self.store.pictures(model).tobytes() == b"".join(expected[key] for key in sorted(expected))

    @rule()
    def read_the_rest(self) -> None:
        assert {file.path: file for file in self.store.files()} == self.files
        assert self.store.verdicts("v", PAIRS) == self.verdicts

    @rule()
    def check(self) -> None:
        known = {*self.pictures["one"], *self.pictures["two"]}
        odd = sum(file.digest is None and file.skip is None for file in self.files.values())
        homeless = sum(
            file.skip is None and file.digest is not None and file.digest not in known for file in self.files.values()
        )
        assert len(self.store.check()) == odd + homeless

    @invariant()
    def looked_up(self) -> None:
        if not hasattr(self, "store"):
            return
        for model in self.pictures:
            assert [self.store.has_picture(model, key) for key in DIGESTS] == [
                key in self.pictures[model] for key in DIGESTS
            ]
        for folder in {os.path.dirname(path) for path in PATHS}:
            inside = {os.path.basename(p): file for p, file in self.files.items() if os.path.dirname(p) == folder}
            assert self.store.folder(folder) == inside
        for file in self.files.values():
            alike = [
                other.digest
                for other in self.files.values()
                if (other.device, other.inode, other.size, other.mtime_ns)
                == (file.device, file.inode, file.size, file.mtime_ns)
            ]
            found = self.store.moved(file.device, file.inode, file.size, file.mtime_ns)
            assert found is None or found in alike

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.place)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
