"""How long the review page takes to open with many groups, as a file of its own and from its server.

    python tests/bench/review_page.py [GROUPS]

Draws a few pictures, links each under many names, and opens both pages in a headless Chromium (extra `test`). Each
picture's thumbnail is drawn once: that time is not what is measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import drawing
from browser import chromium

from tbhdup import sources
from tbhdup.pipeline.review import Review, write_whole
from tbhdup.pipeline.serving import Server
from tbhdup.pipeline.thumbnails import thumbnail
from tbhdup.reports.review import write
from tbhdup.values import Group, Kind, Member, Report, Summary, Thresholds

WATCH = """
  new MutationObserver((_, watch) => {
    if (document.querySelector(".row img")) { watch.disconnect(); window.firstRow = performance.now(); }
  }).observe(document, {childList: true, subtree: true});
"""
JUMP = """async steps => {
  const list = document.getElementById("list"), empty = [];
  let slowest = 0;
  for (let step = 1; step <= steps; step++) {
    const start = performance.now();
    list.scrollTop = (list.scrollHeight - list.clientHeight) * (step * 0.618 % 1);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    slowest = Math.max(slowest, performance.now() - start);
    const box = list.getBoundingClientRect();
    for (let y = box.top + 5; y < box.bottom; y += 40) {
      if (!document.elementFromPoint(box.left + 20, y)?.closest(".row")) empty.push([step, y]);
    }
  }
  return [slowest, empty.length];
}"""


def many(folder: Path, groups: int) -> Report:
    """Groups of two files each, with names that are links to a few pictures."""
    originals = []
    for number in range(12):
        path = folder / f"original-{number}.jpg"
        drawing.picture(drawing.PHOTOS[number % 4], number, (320, 240)).save(path, quality=90)
        data = path.read_bytes()
        originals.append(Member(os.fsencode(path), sources.digest(data), 320, 240, len(data), 0, 1.0, "", 1.0, False))
    made = []
    for number in range(groups):
        pair = []
        for side in range(2):
            source = originals[(number + 7 * side) % len(originals)]
            path = folder / f"{number % 100:02}" / f"IMG_{number:05}-{side}.jpg"
            path.parent.mkdir(exist_ok=True)
            os.link(os.fsdecode(source.path), path)
            relation = "resized, tone changed" if side else ""
            pair.append(replace(source, path=os.fsencode(path), relation=relation, keep=side == 0))
        made.append(Group(Kind.DUPLICATE, pair[0].path, tuple(pair)))
    summary = Summary(files=2 * groups, groups=groups, seconds={"encode": 1.0})
    return Report("0", "model", Thresholds(27, 0.3, 5, "auto", 1.0), tuple(made), (), summary)


def measure(name: str, address: str) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        metrics = page.context.new_cdp_session(page)
        metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
        start = time.monotonic()
        page.goto(address, wait_until="load", timeout=120_000)
        loaded = time.monotonic() - start
        busy = {m["name"]: m["value"] for m in metrics.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
        row = page.evaluate("window.firstRow") / 1000
        slowest, empty = page.evaluate(JUMP, 100)
        print(f"{name}: first groups after {row:.2f} s, all loaded after {loaded:.2f} s "
              f"(processor time of the page {busy:.2f} s, load {os.getloadavg()[0]:.1f}); "
              f"100 jumps, slowest {slowest:.0f} ms, {empty} blank places")  # fmt: skip


def main(groups: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        review = Review.open(many(folder, groups), folder / "choices.jsonl", folder / "store")
        start = time.monotonic()
        file = folder / "review.html"
        drawn = {member.digest: thumbnail(member) for member in review.pictures[:100]}
        page = write(review.report, {}, {}, thumbnails=lambda members: (drawn[member.digest] for member in members))
        write_whole(file, page)
        print(
            f"{groups} groups: page of {file.stat().st_size / 1e6:.1f} MB written in {time.monotonic() - start:.1f} s"
        )
        measure("file", file.as_uri())
        with Server(review) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            measure("server", server.address)
            server.shutdown()
        start = time.monotonic()
        review.choose({number: [True, False] for number in range(groups)})
        print(f"all choices saved in {time.monotonic() - start:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
