"""A process that dies, is interrupted or runs out of disk: what was committed stays, and the store is sound."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_samples import a_file, digest, pictures

from tbhdup.errors import StoreError
from tbhdup.store import Store, batch

WRITER = """
import sys
from pathlib import Path
import numpy as np
from tbhdup.store import PICTURE, Store, environment
from tbhdup.values import File, Verdict

environment.MAP_SIZE = 1 << 17
place, first = Path(sys.argv[1]), int(sys.argv[2])
with Store.open(place) as store:
    print("open", flush=True)
    for number in range(first, first + 1000):
        rows = np.frombuffer(np.random.default_rng(number).bytes(40 * PICTURE.itemsize), PICTURE)
        digests = [row.tobytes() for row in rows["digest"]]
        store.put_pictures("m", rows)
        store.put_files(File(b"/p%d/%d" % (number, at), 1, 2, 3, 40 * number + at + 1, raw) for at, raw in enumerate(digests))
        store.put_verdicts("v", {(min(digests[:2]), max(digests[:2])): Verdict(True, 1.0, None)})
        store.commit()
        print(number, flush=True)
"""


def test_what_was_committed_outlives_kill_9(tmp_path: Path) -> None:
    rng = random.Random(7)
    committed: list[int] = []
    for attempt in range(20):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(1000 * attempt)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            time.sleep(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().splitlines(keepends=True)
        committed += [int(line) for line in said if line.endswith("\n")]
    assert committed
    with Store.open(tmp_path) as store:
        assert store.check() == []
        for number in committed:
            rows = store.folder(b"/p%d" % number)
            assert len(rows) == 40
            assert all(file.digest and store.has_picture("m", file.digest) for file in rows.values())
            first, second = sorted([rows[b"0"].digest or b"", rows[b"1"].digest or b""])
            assert store.verdicts("v", [(first, second)])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_was_put_before_an_exception_stays(tmp_path: Path, error: type[BaseException]) -> None:
    rows = pictures(1)
    file = a_file(content=digest(rows, 0))
    with pytest.raises(error), Store.open(tmp_path) as store:
        store.put_pictures("m", rows)
        store.put_files([file])
        raise error
    with Store.open(tmp_path, write=False) as store:
        assert list(store.files()) == [file]
        assert store.has_picture("m", digest(rows, 0))


def test_a_failing_iterable_loses_nothing_before_it(tmp_path: Path) -> None:
    def some() -> object:
        yield a_file()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"), Store.open(tmp_path) as store:
        store.put_files(some())  # type: ignore[arg-type]  # an iterator that fails on purpose
    with Store.open(tmp_path, write=False) as store:
        assert list(store.files()) == [a_file()]


def test_commits_happen_by_themselves_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "COMMIT_SECONDS", 0.05)
    with Store.open(tmp_path) as store:
        store.put_files([a_file(b"/p/1")])
        assert store._batch.rows == 1
        time.sleep(0.06)
        store.put_files([a_file(b"/p/2")])
        assert store._batch.rows == 0


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from tbhdup.errors import StoreError
from tbhdup.store import PICTURE, Store, environment

limit, environment.MAP_SIZE = 1 << 21, 1 << 20
store = Store.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for number in range(100):
        rows = np.frombuffer(np.random.default_rng(number).bytes(500 * PICTURE.itemsize), PICTURE)
        store.put_pictures("m", rows)
        store.commit()
        print(number, flush=True)
except StoreError as error:
    print(error)
try:
    store.close()
except StoreError as error:
    print("again:", error)
"""


def test_a_full_disk_is_reported_and_costs_only_what_did_not_fit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    *numbers, error, again = done.stdout.splitlines()
    assert "space" in error
    assert "--store" in error
    assert again == f"again: {error}"
    assert numbers
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1 << 21
    with Store.open(tmp_path) as store:
        assert store.check() == []
        assert len(store.pictures("m")) == 500 * len(numbers)
        store.put_pictures("m", pictures(3000))
        assert store.check() == []


def test_a_killed_making_is_made_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        environment = store._environment
        environment.update(["meta"], lambda txn, databases: txn.drop(databases["meta"], delete=False))
    with pytest.raises(StoreError, match="no store"):
        Store.open(tmp_path, write=False)
    with Store.open(tmp_path) as store:
        assert store.info().schema == 1
        assert os.listdir(tmp_path)
