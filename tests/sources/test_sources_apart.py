"""Decoding in a process of its own: harmless bytes pass, a death is told, and the scan's process lives on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import corpus
import pytest

from tbhdup.sources import Unusable, apart, decode_apart
from tbhdup.values import Reason


def plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Have the other process meet this when it decodes a GIF."""
    code = f"""
import os, signal, time
from PIL import Image, ImageFile

class Decoder(ImageFile.PyDecoder):
    def decode(self, buffer):
        {body}

Image.register_decoder("gif", Decoder)
"""
    (folder / "sitecustomize.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))


def test_pictures_and_bad_files_pass() -> None:
    files = {name: data for name, (data, _) in (corpus.good() | corpus.bad()).items()}
    for name in ("good/photo.jpg", "good/photo.mpo", "bad/empty.jpg", "bad/truncated.png", "bad/bomb.png"):
        decode_apart(files[name], 32)


def test_a_large_file_that_is_not_read_to_its_end_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart.processes, "command", lambda *_: [sys.executable, "-c", "raise SystemExit(0)"])
    decode_apart(bytes(10_000_000), 32)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("os.abort()", "Aborted"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Killed"),  # as the system does when memory is out
        ("os._exit(0x35)", "status 0x35"),
    ],
)
def test_a_death_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, detail: str) -> None:
    plugin(tmp_path, monkeypatch, body)
    with pytest.raises(Unusable, match=detail) as caught:
        decode_apart(corpus.encoded("GIF"), 32)
    assert caught.value.reason is Reason.CRASHED
    decode_apart(corpus.encoded("PNG"), 32)


def test_a_decoder_without_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, monkeypatch, "time.sleep(1000)")
    monkeypatch.setattr(apart, "SECONDS", 3)
    with pytest.raises(Unusable, match="not done after 3 s") as caught:
        decode_apart(corpus.encoded("GIF"), 32)
    assert caught.value.reason is Reason.CRASHED


def test_without_another_process_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    decode_apart(corpus.encoded("GIF"), 32)


def test_the_other_process_loads_no_torch_and_nothing_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    code = (
        "import sys; sys.argv = ['', '32']; from tbhdup.sources.apart import main; main();"
        "assert not {'torch', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], input=corpus.encoded("JPEG"), check=True)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        decode_apart(corpus.encoded("JPEG"), 32)
    finally:
        os.chdir(before)
