from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from store_samples import a_file, digest, pictures

from tbhdup.store import Store, environment

READER = """
import sys
from pathlib import Path
from tbhdup.store import Store

with Store.open(Path(sys.argv[1]), write=False) as store:
    print(len(store.pictures("m")), flush=True)
    for line in sys.stdin:
        print(len(store.pictures("m")), len(store.pictures("later")), len(list(store.files())), flush=True)
"""


@pytest.fixture(autouse=True)
def tiny_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MAP_SIZE", 1 << 16)


def test_the_map_grows_and_loses_nothing(tmp_path: Path) -> None:
    rows = pictures(6000)
    with Store.open(tmp_path) as store:
        for start in range(0, 6000, 100):
            part = rows[start : start + 100]
            store.put_pictures("m", part)
            store.put_files(a_file(b"/p/%d" % (start + at), digest(part, at)) for at in range(100))
        assert store.check() == []
        assert store.info().bytes > 20 * environment.MAP_SIZE
        assert store.info().files == store.info().pictures["m"] == 6000
    assert (tmp_path / "data.mdb").stat().st_size >= 20 * environment.MAP_SIZE
    with Store.open(tmp_path) as store:  # again with a small size in the settings
        store.put_pictures("m", pictures(6000, seed=1))
        assert store.check() == []


def test_a_reader_in_another_process_follows(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.put_pictures("m", pictures(10))
        store.commit()
        command = [sys.executable, "-c", READER, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            assert reader.stdout.readline() == "10\n"
            for count in (1000, 5000, 20000):
                store.put_pictures("m", pictures(count))
                store.put_pictures("later", pictures(count // 10))
                store.put_files([a_file(b"/p/%d" % count)])
                store.commit()
                expected = (len(store.pictures("m")), len(store.pictures("later")), len(list(store.files())))
                print("look", file=reader.stdin, flush=True)
                assert tuple(map(int, reader.stdout.readline().split())) == expected
            reader.stdin.close()
        assert reader.returncode == 0


def test_threads_look_up_while_the_map_is_replaced(tmp_path: Path) -> None:
    rows = pictures(8000)
    known = [digest(rows, at) for at in range(100)]
    wrong: list[bytes] = []
    done = threading.Event()
    with Store.open(tmp_path) as store:
        store.put_pictures("m", rows[:100])

        def look() -> None:
            while not done.is_set():
                wrong.extend(key for key in known if not store.has_picture("m", key))

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for start in range(100, 8000, 500):
            store.put_pictures("m", rows[start : start + 500])
            store.commit()
        done.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(store.pictures("m")) == 8000


def test_several_threads_may_write(tmp_path: Path) -> None:
    def put(store: Store, number: int) -> None:
        for at in range(20):
            rows = pictures(10, seed=100 * number + at)
            store.put_pictures("m", rows)
            store.put_files([a_file(b"/%d/%d" % (number, at), digest(rows, 0), inode=100 * number + at + 1)])
            store.commit()

    with Store.open(tmp_path) as store:
        threads = [threading.Thread(target=put, args=(store, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.check() == []
        assert store.info().files == 80
        assert store.info().pictures == {"m": 800}
