"""The page holds every file, safely and for every reader, and works in a browser without a network."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tbhdup import wording
from tbhdup.reports import html
from tbhdup.values import Group, Kind, Member, Reason, Report, Skip, Summary, Thresholds

GALLERY = Path(__file__).resolve().parent.parent / "data" / "gallery"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "input", "img"}
AWKWARD = (
    b"two\nlines.jpg",
    b"not utf-8 \xff\xfe \xed\xa0\x80.jpg",
    b"x" * 251 + b".jpg",
    b"<script>document.title='ran'<!-- .jpg",
    b"\"><img src=x onerror=document.title='ran'>",
    b"' onclick='alert(1)",
    b"]]></style><plaintext>&lt;&amp;",
    b"{{ 7 * 7 }}{% raw %}",
    b"  spaces   in it ",
    b"\x1b[31m\x7f\t\r",
    b"%41?#&amp",
    "写真 \u202egpj.exe \u2028 ü\ufffd".encode(),
)

names = st.one_of(st.sampled_from(AWKWARD), st.binary(min_size=1, max_size=255)).map(
    lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")
)
files = st.lists(names.filter(lambda name: name not in (b".", b"..")), max_size=6).map(
    lambda found: [b"/photos/%d/%s" % (number, name) for number, name in enumerate(found)]
)


def member(path: bytes, content: int = 0, **more: object) -> Member:
    fields = {"relation": "cropped, mirrored", "confidence": 0.957, "keep": False, **more}
    return Member(path, bytes([content]) * 16, 4000, 3000, 1_234_567, 3, 0.87654, **fields)


def report(groups: Iterable[Sequence[Member]], skips: tuple[Skip, ...] = ()) -> Report:
    made = tuple(Group(Kind.DUPLICATE, members[0].path, tuple(members)) for members in groups)
    counts = Summary(files=1_000, groups=len(made), duplicate_bytes=2_500_000, seconds={"encode": 1.25, "match": 0.25})
    return Report("1.2", "model-7", Thresholds(27, 0.29, 5, "auto", 1.0), made, skips, counts)


def pairs(paths: Sequence[bytes]) -> Report:
    """A group for every path: it and a changed copy of another name."""
    skips = tuple(Skip(path, Reason.CORRUPT, "<b>\udcff\n\x00") for path in paths)
    return report([[member(p, 1, relation="", keep=True), member(p + b"~", 2)] for p in paths], skips)


def webp(colour: str = "red", size: tuple[int, int] = (160, 120)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "WEBP")
    return buffer.getvalue()


def written(shown: Report, *more: object) -> bytes:
    return b"".join(html.write(shown, *more))


class Page(HTMLParser):
    """What a page holds, and whether each element is closed where it should be."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.paths: list[str] = []
        self.quiet: list[str] = []
        self.text = ""
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "bdi":
            self.paths.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "bdi" in self.open:
            self.paths[-1] += data
        if not {"style", "script"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@settings(max_examples=60, deadline=None)
@given(paths=files)
@example(paths=[b"/" + name for name in AWKWARD])
def test_any_name_comes_through_and_breaks_nothing(paths: list[bytes]) -> None:
    shown = pairs(paths)
    page = Page(written(shown, [b"/photos/<i>\xff"]))
    members = [m.path for group in shown.groups for m in group.members]
    told = [b"/photos/<i>\xff", *members, *(skip.path for skip in shown.skips)]
    assert page.paths == [wording.name(path) for path in told]
    assert all(path.isprintable() for path in page.paths)
    links = [a["href"].removeprefix("file://") for a in page.all("a") if "class" not in a]
    assert [unquote_to_bytes(link) for link in links] == members
    plain = Page(written(pairs([b"/photos/a.jpg"] * len(paths)), [b"/photos"]))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]


@given(st.binary(max_size=60))
def test_names_in_words_are_printable_and_keep_what_is_plain(path: bytes) -> None:
    text = wording.name(path)
    assert text.isprintable()
    if path.isascii() and path.decode().isprintable():
        assert text == path.decode()


def test_names_show_what_they_hide() -> None:
    assert wording.name(b"a\nb \xff") == r"a\nb \xff"
    assert wording.name("\u202egpj".encode()) == r"\u202egpj"
    assert wording.name("Ω 写真".encode()) == "Ω 写真"


def test_sizes_and_counts() -> None:
    sizes = {0: "0 B", 999: "999 B", 1_000: "1.0 kB", 123_456: "123 kB", 8_000_000: "8.0 MB", 5 * 10**15: "5000 TB"}
    assert {count: wording.size(count) for count in sizes} == sizes
    assert [wording.counted(n, "file") for n in (0, 1, 1_200)] == ["0 files", "1 file", "1,200 files"]


def test_a_group_says_all_there_is_to_say() -> None:
    original = member(b"/p/a.jpg", 1, relation="", confidence=1.0, keep=True)
    twin = member(b"/p/b.jpg", 1, relation="identical bytes", confidence=1.0)
    near = member(b"/p/d.jpg", 3, relation="")
    page = written(report([[original, twin, member(b"/p/c.jpg", 2), near]])).decode()
    text = re.sub(r"\s+", " ", Page(page.encode()).text)
    for said in (
        "Group 1: duplicate, 4 files 3.7 MB could be freed",
        "keep /p/a.jpg /p/b.jpg centre; 2 files with identical bytes",
        "4000 × 3000, 1.2 MB (1,234,567 bytes)",
        "/p/c.jpg cropped, mirrored, confidence 0.96",
        "/p/d.jpg not proven, cosine 0.877",
        "2.5 MB could be freed",
        "among 1,000 files",
        "27 bits",
        "model-7",
        "1.5",
    ):
        assert said in text
    assert page.count('<span class="keep">keep</span>') == 1


def test_thumbnails_stand_beside_their_pictures() -> None:
    shown = report([[member(b"/p/a", 1), member(b"/p/b", 1), member(b'/p/c"d', 2)], [member(b"/p/e", 3)]])
    asked: list[bytes] = []
    pictures = {b"/p/a": webp("red"), b'/p/c"d': webp("blue"), b"/p/e": None}

    def thumbnails(members: Sequence[Member]) -> Iterator[bytes | None]:
        for m in members:
            asked.append(m.path)
            yield pictures[m.path]

    page = Page(written(shown, [], thumbnails))
    assert asked == list(pictures)
    found = [(image["alt"], base64.b64decode(image["src"].removeprefix("data:image/webp;base64,"), validate=True))
             for image in page.all("img")]  # fmt: skip
    assert found == [("Thumbnail of a", pictures[b"/p/a"]), ('Thumbnail of c"d', pictures[b'/p/c"d'])]
    assert page.text.count("no thumbnail") == 1


def test_groups_are_written_as_they_come() -> None:
    """No thumbnail is asked for long before its group is written, so that none has to be kept."""
    made = 0
    picture = webp()

    def thumbnails(members: Sequence[Member]) -> Iterator[bytes]:
        nonlocal made
        for _ in members:
            made += 1
            yield picture

    shown = report([[member(b"/p/%d" % n, n % 250), member(b"/q/%d" % n, 251)] for n in range(400)])
    written_groups = 0
    for piece in html.write(shown, [], thumbnails):
        written_groups += piece.count(b"<h3 ")
        assert made <= 2 * (written_groups + 1)
        assert len(piece) < 20_000
    assert (made, written_groups) == (800, 400)


def test_the_page_has_landmarks_headings_and_nothing_from_outside() -> None:
    page = Page(written(pairs([b"/p/a.jpg", b"/p/b.jpg"]), [b"/p"], lambda members: [webp() for _ in members]))
    tags = [tag for tag, _ in page.elements]
    for landmark in ("header", "main", "footer", "h1"):
        assert tags.count(landmark) == 1
    assert tags.count("section") == tags.count("h3") == 2
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [section["aria-labelledby"] for section in page.all("section")] == ["g1", "g2"]
    assert all(image["alt"] and image["loading"] == "lazy" for image in page.all("img"))
    addresses = [attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert all(address.startswith(("#groups", "file:///", "data:image/webp;")) for address in addresses)
    assert not {"link", "iframe", "object", "base"} & set(tags)


def test_an_empty_report_is_a_whole_page() -> None:
    page = Page(written(report([])))
    assert "0 groups" in page.text
    assert "Everything that earlier scans had seen" in page.text
    assert page.all("script") == page.all("form") == page.all("section") == []


def test_the_same_report_gives_the_same_bytes() -> None:
    shown = pairs([b"/" + name for name in AWKWARD])
    assert written(shown, [b"/p"]) == written(shown, [b"/p"])


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    shutil.copytree(GALLERY, tmp_path / "photos")
    name = os.fsencode(tmp_path / "photos") + b"/two\nlines \xff.jpg"
    shutil.copy(GALLERY / "taken" / "city-1.jpg", name)

    def run(command: str, *more: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "tbhdup", command, *more, "--format", "html"],
            capture_output=True, env={**os.environ, "TBHDUP_STORE": str(tmp_path / "store")}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return re.sub(rb"<dt>seconds</dt><dd>[0-9.]+</dd>", b"", done.stdout)

    page = Page(run("scan", str(tmp_path / "photos")))
    assert page.paths[0] == str(tmp_path / "photos")
    assert wording.name(name) in page.paths
    assert len(page.all("section")) == 10
    assert len(page.all("img")) == 20
    for image in page.all("img"):
        data = base64.b64decode(image["src"].partition(",")[2])
        assert max(Image.open(io.BytesIO(data)).size) == 160
    again = run("report")
    assert run("report") == again
    assert len(Page(again).all("img")) == 20


@pytest.fixture
def browse(tmp_path: Path):
    """Opens a page in a browser; gives back the document as it stands after loading, and scripts put into it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")

    def opened(page: bytes, width: int = 1280) -> str:
        (tmp_path / "page.html").write_bytes(page)
        done = subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},800",
                "--virtual-time-budget=5000", "--dump-dom", (tmp_path / "page.html").as_uri(),
            ],
            capture_output=True, env={**os.environ, "HOME": str(tmp_path)}, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8")

    return opened


def scripted(page: bytes, script: str) -> bytes:
    """The page with a script of the test's own, and without the policy that would forbid it."""
    free = re.sub(rb"<meta http-equiv[^>]*>", b"", page)
    assert free != page
    return free.replace(b"</body>", f"<script>{script}</script></body>".encode())


def title(document: str) -> str:
    found = re.search(r"<title>(.*?)</title>", document, re.DOTALL)
    assert found
    return found[1]


def test_in_a_browser_names_are_text(browse) -> None:
    shown = pairs([b"/" + name for name in AWKWARD])
    document = browse(written(shown, [b"/<b>"], lambda members: [webp() for _ in members]))
    assert title(document) == f"{len(AWKWARD)} groups of duplicate pictures - tbhdup"
    seen = [re.sub(r"<[^>]*>", "", path) for path in re.findall(r'<bdi class="path">(.*?)</bdi>', document, re.DOTALL)]
    members = [m.path for group in shown.groups for m in group.members]
    told = [b"/<b>", *members, *(skip.path for skip in shown.skips)]
    assert seen == [escape(wording.name(path), quote=False) for path in told]
    assert document.count("<section ") == len(shown.groups)
    assert document.count("<script>") == 1


def test_in_a_browser_only_the_page_s_own_script_runs(browse) -> None:
    page = written(pairs([b"/p/a.jpg"]))
    foreign = b"<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\"></body>"
    document = browse(page.replace(b"</body>", foreign))
    assert title(document).startswith("1 group ")
    form = re.search(r"<form[^>]*>", document)
    assert form
    assert "hidden" not in form[0]  # the page's own script has shown it
    assert title(browse(scripted(page, "document.title = 'ran'"))) == "ran"


def test_in_a_browser_the_filter_hides_other_groups(browse) -> None:
    shown = report(
        [[member(b"/p/Rose.jpg"), member(b"/p/x.jpg", 1)], [member(b"/p/tulip.jpg"), member(b"/p/y.jpg", 1)]]
    )
    script = """
      const said = [];
      for (const [kind, text] of [["", ""], ["", "rose"], ["duplicate", "MIRRORED"], ["", "nowhere"]]) {
        form.elements.kind.value = kind; form.elements.text.value = text;
        form.elements.text.dispatchEvent(new Event("input", {bubbles: true}));
        said.push(groups.map(group => getComputedStyle(group).display === "none" ? 0 : 1).join(""));
      }
      document.title = said.join(" ") + " " + form.querySelector("output").value;
    """
    assert title(browse(scripted(written(shown), script))) == "11 10 11 00 0 of 2 groups shown"


def test_in_a_browser_pictures_show_and_a_phone_need_not_scroll_sideways(browse) -> None:
    shown = pairs([b"/photos/" + name for name in AWKWARD])
    page = written(shown, [b"/photos/" + b"y" * 255], lambda members: [webp(size=(160, 90)) for _ in members])
    script = """
      for (const group of groups) group.style.contentVisibility = "visible";
      const images = Array.from(document.images);
      Promise.all(images.map(image => { image.loading = "eager"; return image.decode(); })).then(() => {
        const right = images.every(image => image.naturalWidth === 160 && image.naturalHeight === 90);
        document.title = [images.length, right, innerWidth, document.documentElement.scrollWidth].join(" ");
      });
    """
    for width in (320, 390, 1280):
        count, right, inner, scroll = title(browse(scripted(page, script), width)).split()
        assert (int(count), right) == (2 * len(AWKWARD), "true")
        assert int(inner) <= max(width, 500)
        assert int(scroll) <= int(inner)
