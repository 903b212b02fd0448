"""Foreign bytes: `decode` gives a picture or an Unusable, and nothing else."""

from __future__ import annotations

import pytest
from corpus import animated, encoded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbhdup.sources import FORMATS, Unusable, decode, detail, fit, square

MAGIC = (
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF\x40\0\0\0WEBP",
    b"\0\0\0\x18ftypavif",
    b"\0\0\0\x18ftypheic",
    b"\xff\x0a",
    b"II*\0\x10\0\0\0CR\2\0",
)
REAL = {name: encoded(name) for name in FORMATS} | {"animated GIF": animated("GIF"), "animated WEBP": animated("WEBP")}


def check(data: bytes) -> None:
    try:
        decoded = decode(data, least=16)
    except Unusable as error:
        assert error.reason
        return
    assert decoded.format in FORMATS
    assert decoded.image.mode == "RGB"
    assert decoded.width >= 1
    assert decoded.height >= 1
    assert 0 <= detail(square(decoded, 32)) <= 256
    assert max(fit(decoded, 32).shape) <= 32


@given(st.sampled_from(MAGIC), st.binary(max_size=400))
@settings(deadline=None, max_examples=400)
def test_any_bytes(magic: bytes, data: bytes) -> None:
    check(magic + data)


@pytest.mark.parametrize("name", REAL)
@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_pictures_with_bytes_changed_cut_out_and_cut_off(name: str, data: st.DataObject) -> None:
    picture = bytearray(REAL[name])
    near = st.one_of(st.integers(0, 300), st.integers(0, len(picture) - 1))  # headers are where things break
    for at, value in data.draw(st.lists(st.tuples(near, st.integers(0, 255)), max_size=6), label="changes"):
        picture[min(at, len(picture) - 1)] = value
    start, length = data.draw(st.tuples(near, st.sampled_from((0, 0, 1, 7, 100))), label="cut")
    del picture[start : start + length]
    end = data.draw(st.one_of(st.just(len(picture)), st.integers(0, len(picture))), label="end")
    check(bytes(picture[:end]))
