"""Any file name passes through every format and can be read back to the same bytes."""

from __future__ import annotations

import base64
import csv
import io
import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tbhdup.reports import paths, writer
from tbhdup.values import Group, Kind, Member, Reason, Report, Skip, Summary, Thresholds

AWKWARD = (
    b"two\nlines",
    b"carriage\rreturn",
    b"both\r\n",
    b"\r",
    b"\"quoted\", 'twice'; comma,",
    b'"',
    b"<script>alert(1)<script>",
    b"\xff\xfe\x80 no utf-8 \xed\xa0\x80",
    b"x" * 255,
    b"-rf",
    b"--",
    b"=1+1",
    b" spaces ",
    b"tab\t\x1b[31m\x7f",
    b"back\\slash\\n",
    "line\u2028separator\u0085next\ufffd\ufeff".encode(),
    "写真 ü".encode(),
)

names = st.one_of(
    st.sampled_from(AWKWARD),
    st.binary(min_size=1, max_size=255),
    st.text("a,;\"'\\\n\r\t\x85\u2028 ", min_size=1, max_size=9).map(str.encode),
).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
files = st.lists(st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts)), unique=True)
details = st.text(st.characters(), max_size=20)  # the decoder's own words, unpaired surrogates included
few = settings(max_examples=150, deadline=None)


def report(found: list[bytes], skips: tuple[Skip, ...] = ()) -> Report:
    """One group for every two files, the first of them to keep."""
    groups = []
    for at in range(0, len(found) - 1, 2):
        members = tuple(
            Member(path, bytes(16), 8, 6, 100, 0, 1.0, "cropped, mirrored", 1.0, number == 0)
            for number, path in enumerate(found[at : at + 2])
        )
        groups.append(Group(Kind.DUPLICATE, members[0].path, members))
    return Report("1", "m", Thresholds(1, 0.5, 5, "auto", 1.0), tuple(groups), skips, Summary())


def joined(form: str, shown: Report) -> bytes:
    return b"".join(writer(form)(shown))


def path_in(fields: dict[str, str], name: str = "path") -> bytes:
    """The bytes of a path in JSON Lines, as a reader gets at them."""
    exact = fields.get(f"{name}_bytes")
    return fields[name].encode("utf-8") if exact is None else base64.b64decode(exact, validate=True)


def members_of(shown: Report) -> list[bytes]:
    return [member.path for group in shown.groups for member in group.members]


@few
@given(found=files, details=st.lists(details, max_size=3))
@example(found=[b"/" + name for name in AWKWARD], details=["", "cannot open '\udcff'", '"\n\u2028'])
def test_json_lines_give_the_bytes_back(found: list[bytes], details: list[str]) -> None:
    skips = tuple(Skip(path, Reason.CORRUPT, detail) for path, detail in zip(found, details, strict=False))
    shown = report(found, skips)
    output = joined("jsonl", shown)
    lines = [json.loads(line) for line in output.decode("utf-8").removesuffix("\n").split("\n")]
    groups = [line for line in lines if line["type"] == "group"]
    assert [path_in(member) for group in groups for member in group["members"]] == members_of(shown)
    assert [path_in(group, "centre") for group in groups] == [group.centre for group in shown.groups]
    told = [line for line in lines if line["type"] == "skip"]
    assert [(path_in(line), line["detail"]) for line in told] == [(skip.path, skip.detail) for skip in skips]
    assert len(lines) == 2 + len(groups) + len(skips)


@few
@given(found=files)
@example(found=[b"/" + name for name in AWKWARD])
def test_json_lines_say_bytes_only_where_text_cannot(found: list[bytes]) -> None:
    for line in joined("jsonl", report(found)).split(b"\n")[1:-2]:
        for member in json.loads(line)["members"]:
            assert "path_bytes" not in member or not _is_utf8(base64.b64decode(member["path_bytes"]))


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@few
@given(found=files)
@example(found=[b"/" + name for name in AWKWARD])
def test_csv_gives_the_bytes_back(found: list[bytes]) -> None:
    shown = report(found)
    text = joined("csv", shown).decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["path"].encode("utf-8", "surrogateescape") for row in rows] == members_of(shown)
    assert all(None not in row and None not in row.values() for row in rows)
    assert [row["keep"] for row in rows] == ["yes", "no"] * len(shown.groups)


@few
@given(found=files)
@example(found=[b"/" + name for name in AWKWARD])
def test_paths_with_nul_give_the_bytes_back(found: list[bytes]) -> None:
    shown = report(found)
    output = b"".join(paths.write(shown, b"\0"))
    spare = [member.path for group in shown.groups for member in group.members if not member.keep]
    assert output.split(b"\0")[:-1] == spare
    assert output.endswith(b"\0") or not spare


@few
@given(found=files)
def test_paths_with_newline_give_names_without_one_back(found: list[bytes]) -> None:
    shown = report([path for path in found if b"\n" not in path])
    assert joined("paths", shown).split(b"\n")[:-1] == members_of(shown)[1::2]
