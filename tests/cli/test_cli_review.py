"""tbhdup review, as a user runs it, in a real browser: what is chosen there is what apply does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser
import pytest
import review_samples as samples

from tbhdup import marks
from tbhdup.reports import review as page_of
from tbhdup.values import Group, Kind, Member

AWKWARD = b"<script>document.title='ran'<!-- \"><img src=x onerror=document.title='ran'> ' \n \xff.png"
needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium on this machine")


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "TBHDUP_STORE": str(place / "store"), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def run(place: Path, *arguments: object, check: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *map(str, arguments)],
        capture_output=True, env=environment(place), check=False, text=True, cwd=place,
    )  # fmt: skip
    assert done.returncode == check, done.stderr
    return done


@contextmanager
def serving(place: Path) -> Iterator[str]:
    """The command while it serves, ended by Ctrl-C; the address that it prints."""
    command = [sys.executable, "-m", "tbhdup", "review", "report.jsonl", "--serve", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(place), text=True, cwd=place
    )
    try:
        assert process.stdout
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
        assert address
        yield address[0]
        process.send_signal(signal.SIGINT)
        said, failed = process.communicate(timeout=60)
        assert (process.returncode, failed) == (0, "")
        assert "tbhdup apply choices.jsonl" in said
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A report on groups 0..4, each of an original, a copy of its bytes and a changed copy; one has an awkward name."""
    photos = os.fsencode(tmp_path / "photos")
    groups = []
    for number in range(5):
        name = AWKWARD if number == 4 else b"%d.png" % number
        original = samples.picture(os.path.join(photos, name), number)
        copy = samples.picture(os.path.join(photos, b"backup", b"copy of " + name), number)
        changed = samples.picture(os.path.join(photos, b"changed-%d.png" % number), 50 + number)
        groups.append(samples.group(original, copy, changed))
    samples.saved(samples.report(groups), tmp_path / "report.jsonl")
    return tmp_path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as opened:
        yield opened


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A page of its own; what its scripts or its policy complain of fails the test."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    missing = "Failed to load resource: net::ERR_FILE_NOT_FOUND"  # a picture that is not there any more
    assert [complaint for complaint in complaints if complaint != missing] == []


def planned(place: Path, choices: str = "choices.jsonl") -> set[str]:
    """The files that apply would move to the trash."""
    said = run(place, "apply", choices, "--action", "trash", "--kind", "duplicate").stdout
    return set(re.findall(r"^trash +photos/(\S*/?(?:copy of )?\S+\.png)", said, re.MULTILINE))


@needs_browser
def test_choices_by_keyboard_and_mouse_arrive_in_the_plan(place: Path, tab: Any) -> None:
    with serving(place) as address:
        tab.goto(address)
        for key in (
            *("s",),  # group 0 as suggested, on to group 1
            *("ArrowRight", "o"),  # keep only the second file of the next one: the changed copy
            *("j", "d"),  # group 2: only the copy goes
            *("ArrowDown", "d", "u"),  # group 3: undecided again
        ):
            tab.keyboard.press(key)
        tab.locator(".row").nth(4).click()
        tab.locator("#m2").get_by_role("button", name="Drop").click()
        tab.get_by_text("4 of 5 groups decided").wait_for()
        tab.locator("#saved", has_text=re.compile("^Saved$")).wait_for()
        tab.reload()
        assert tab.locator(".row .state").all_inner_texts() == [
            "keep 1, drop 2 duplicate", "keep 1, drop 2 duplicate", "keep 2, drop 1 duplicate", "undecided duplicate",
            "keep 2, drop 1 duplicate",
        ]  # fmt: skip
    wanted = {
        "backup/copy of 0.png",
        "changed-0.png",
        "1.png",
        "backup/copy of 1.png",
        "backup/copy of 2.png",
        "changed-4.png",
    }
    assert planned(place) == wanted
    with serving(place) as address:
        tab.goto(address)
        tab.get_by_text("4 of 5 groups decided, 6 files to go").wait_for()
        tab.locator("#filter [name=state]").select_option("open")
        assert tab.locator(".row bdi").all_inner_texts() == ["3.png"]


@needs_browser
def test_a_picture_that_is_no_duplicate_is_marked(place: Path, tab: Any) -> None:
    with serving(place) as address:
        tab.goto(address)
        tab.keyboard.press("s")
        tab.keyboard.press("ArrowUp")
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("n")
        tab.get_by_text("not duplicates").first.wait_for()
        assert len(marks.pairs(place / "store")) == 1
        tab.reload()
        tab.get_by_text("not duplicates").first.wait_for()
    assert planned(place) == {"backup/copy of 0.png"}
    with serving(place) as address:
        tab.goto(address)
        tab.get_by_role("heading", name="Group 1: identical, 2 files").wait_for()


@needs_browser
def test_the_page_without_a_server_gives_the_same_file(place: Path, tab: Any) -> None:
    assert "5 groups" in run(place, "review", "report.jsonl").stdout
    tab.goto((place / "review.html").as_uri())
    tab.keyboard.press("s")
    tab.keyboard.press("End")
    tab.keyboard.press("s")
    tab.reload()
    tab.get_by_text("2 of 5 groups decided, 4 files to go").wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download choices").click()
    assert download.value.suggested_filename == "choices.jsonl"
    download.value.save_as(place / "choices.jsonl")
    assert {"backup/copy of 0.png", "changed-0.png", "changed-4.png"} <= planned(place)
    assert "4 files to trash" in run(place, "apply", "choices.jsonl", "--action", "trash", "--kind", "duplicate").stdout
    assert tab.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


@needs_browser
def test_names_are_text_and_reach_the_plan_byte_by_byte(place: Path, tab: Any) -> None:
    with serving(place) as address:
        tab.goto(address)
        tab.keyboard.press("End")
        title = tab.title()
        shown = tab.locator("#m0 .path b").inner_text()
        assert shown == r"""<script>document.title='ran'<!-- "><img src=x onerror=document.title='ran'> ' \n \xff.png"""
        assert title == "Review of 5 groups - tbhdup"
        assert tab.locator("script").count() == 2
        tab.keyboard.press("c")
        tab.locator("#compare img").nth(1).wait_for()
        tab.keyboard.press("Escape")
        tab.keyboard.press("s")
        tab.locator("#saved", has_text=re.compile("^Saved$")).wait_for()
    assert "2 files to trash" in run(place, "apply", "choices.jsonl", "--action", "trash", "--kind", "duplicate").stdout


@needs_browser
def test_ten_thousand_groups_scroll_without_blank_places(tmp_path: Path, tab: Any) -> None:
    def file(number: int, side: int) -> Member:
        path = b"/photos/%d/%05d-%d.jpg" % (number % 7, number, side)
        return Member(
            path, b"%015d%d" % (number, side), 40, 30, 1_000 + number, 2, 0.9, "grey" if side else "", 0.9, not side
        )

    groups = []
    for number in range(10_000):
        pair = (file(number, 0), file(number, 1))
        groups.append(Group(Kind.DUPLICATE, pair[0].path, pair))
    pieces = page_of.write(samples.report(groups), {}, {}, thumbnails=lambda members: [None] * len(members))
    (tmp_path / "page.html").write_bytes(b"".join(pieces))
    tab.goto((tmp_path / "page.html").as_uri())
    blank = """async () => {
      const list = document.getElementById("list"), blank = [];
      for (let step = 1; step <= 60; step++) {
        list.scrollTop = (list.scrollHeight - list.clientHeight) * (step * 0.618 % 1);
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        const box = list.getBoundingClientRect();
        for (let y = box.top + 5; y < box.bottom; y += 30) {
          const row = document.elementFromPoint(box.left + 100, y)?.closest(".row");
          const wanted = Math.floor((list.scrollTop + y - box.top) / 84) + 1;
          if (!row || Math.abs(row.getAttribute("aria-posinset") - wanted) > 1) blank.push([step, y]);
        }
      }
      return blank;
    }"""
    assert tab.evaluate(blank) == []
    assert tab.locator(".row").count() < 60
    tab.keyboard.press("End")
    assert tab.locator("#list").get_attribute("aria-activedescendant") == "g9999"
    assert tab.locator("#g9999").get_attribute("aria-selected") == "true"
    assert tab.locator("#g9999").get_attribute("aria-setsize") == "10000"
    tab.locator("#filter [name=text]").fill("/photos/3/")
    tab.locator("#count", has_text="1,429 of 10,000 groups shown").wait_for()
    tab.locator("#filter [name=order]").select_option("waste")
    largest = max(number for number in range(10_000) if number % 7 == 3)
    assert tab.locator("[aria-posinset='1'] bdi").inner_text() == f"{largest:05}-0.jpg"
    tab.locator("#filter [name=kind]").select_option("duplicate")
    tab.locator("#filter [name=waste]").select_option("100000")
    tab.get_by_role("heading", name="No group passes the filter").wait_for()


@needs_browser
def test_on_a_phone_nothing_is_wider_than_the_screen(place: Path, tab: Any) -> None:
    run(place, "review", "report.jsonl")
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto((place / "review.html").as_uri())
    width = "document.documentElement.scrollWidth"
    assert tab.evaluate(width) == 360
    tab.locator(".row").nth(4).click()
    assert tab.locator("#m0").is_visible()
    assert not tab.locator("#list").is_visible()
    assert tab.evaluate(width) == 360
    tab.get_by_role("button", name="Use suggestion").click()
    tab.get_by_role("button", name="List").click()
    assert "keep 1, drop 2" in tab.locator(".row .state").nth(4).inner_text()


@needs_browser
def test_who_cannot_see_is_told(place: Path, tab: Any) -> None:
    run(place, "review", "report.jsonl")
    tab.goto((place / "review.html").as_uri())
    tab.keyboard.press("ArrowDown")
    assert tab.locator("#said").inner_text() == "Group 2 of 5: duplicate, 3 files, undecided"
    tab.keyboard.press("d")
    assert tab.locator("#said").inner_text() == "copy of 1.png: keep 2, drop 1"
    assert tab.locator("#list").get_by_role("option", selected=True).count() == 1
    assert (
        tab.get_by_role("group", name="copy of 1.png")
        .get_by_role("button", pressed=True)
        .inner_text()
        .startswith("Drop")
    )
    nameless = """() => [...document.querySelectorAll("button, select, input, img, [role=listbox]")].filter(element =>
      element.checkVisibility() && !element.closest("[aria-hidden]")
      && !(element.ariaLabel || element.alt || element.textContent.trim() || element.labels?.length)).map(element => element.outerHTML)"""
    assert tab.evaluate(nameless) == []


def test_wrong_usage_is_one_line(place: Path) -> None:
    for arguments, check in (
        (["nowhere.jsonl"], 2),
        (["report.jsonl", "--choices", "report.jsonl"], 2),
        (["report.jsonl", "--out", "report.jsonl"], 2),
        (["report.jsonl", "--choices", "nowhere/choices.jsonl"], 2),
        (["report.jsonl", "--out", "nowhere/page.html"], 1),
        (["photos/0.png"], 1),
    ):
        assert run(place, "review", *arguments, check=check).stderr.count("\n") == 1
    assert (place / "report.jsonl").read_bytes().startswith(b'{"type": "header"')


def test_without_a_report_the_last_scan_is_shown(tmp_path: Path) -> None:
    for name in ("a", "b"):
        samples.picture(tmp_path / "photos" / f"{name}.png", 1)
    run(tmp_path, "scan", "photos")
    assert "1 group" in run(tmp_path, "review", "--out", "page.html").stdout
    assert b"photos/b.png" in (tmp_path / "page.html").read_bytes()
