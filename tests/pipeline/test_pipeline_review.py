"""Choices are kept in a report that apply takes, and the server answers none but its own page."""

from __future__ import annotations

import http.client
import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import drawing
import numpy as np
import pytest
import review_samples as samples
from PIL import Image

import tbhdup
from tbhdup import actions, marks, verify
from tbhdup.errors import ReportError, TbhdupError, UsageError
from tbhdup.pipeline import saved
from tbhdup.pipeline.confirm import precedence
from tbhdup.pipeline.review import Review
from tbhdup.pipeline.serving import BODY_LIMIT, Server
from tbhdup.store import Store
from tbhdup.values import Kind, Relation, Report, Verdict


@pytest.fixture
def found(tmp_path: Path) -> Report:
    """Three files of two pictures, two files of one, two pictures."""
    place = tmp_path / "photos"
    names = [samples.picture(place / f"{n}.png", n, (64 + n, 48)) for n in range(5)]
    copies = [samples.picture(place / f"copy of {n}.png", n, (64 + n, 48)) for n in (0, 2)]
    return samples.report(
        [samples.group(names[0], copies[0], names[1]), samples.group(names[2], copies[1]), samples.group(*names[3:])]
    )


def opened(found: Report, tmp_path: Path) -> Review:
    return Review.open(found, tmp_path / "choices.jsonl", tmp_path / "store")


def plan(tmp_path: Path) -> list[tuple[str, str]]:
    """What apply would do with the choices: the file to go, and the one that stays for it."""
    chosen = saved.heeding(saved.load(tmp_path / "choices.jsonl"), marks.pairs(tmp_path / "store"))
    rules = actions.Rules((actions.Rule.MARKED, *actions.DEFAULT))
    made = actions.make(chosen, actions.Action.TRASH, kind=Kind.DUPLICATE, rules=rules)
    return [(Path(os.fsdecode(step.source)).name, Path(os.fsdecode(step.kept)).name) for step in made.steps]


def test_choices_are_what_apply_does_and_are_there_again(found: Report, tmp_path: Path) -> None:
    review = opened(found, tmp_path)
    review.choose({0: [False, False, True], 2: [True, False]})
    assert set(plan(tmp_path)) == {("0.png", "1.png"), ("copy of 0.png", "1.png"), ("4.png", "3.png")}
    again = opened(found, tmp_path)
    assert again.choices == {0: (False, False, True), 2: (True, False)}
    again.choose({0: None, 1: [True, True]})
    assert plan(tmp_path) == [("4.png", "3.png")]
    assert opened(found, tmp_path).choices == {1: (True, True), 2: (True, False)}


def test_choices_on_other_reports_are_handed_on_and_on_changed_groups_are_not(found: Report, tmp_path: Path) -> None:
    opened(found, tmp_path).choose({0: [True, False, True], 1: [True, False]})
    first, second, third = found.groups
    smaller = replace(first, members=first.members[:2])
    other = opened(replace(found, groups=(smaller, third)), tmp_path)
    assert other.choices == {}
    other.choose({1: [False, True]})
    assert set(plan(tmp_path)) == {("copy of 2.png", "2.png"), ("3.png", "4.png")}
    assert opened(replace(found, groups=(second,)), tmp_path).choices == {0: (True, False)}


def test_no_choice_leaves_a_group_without_a_file(found: Report, tmp_path: Path) -> None:
    review = opened(found, tmp_path)
    for wrong in ({0: [False, False, False]}, {0: [True]}, {3: [True, False]}, {-1: [True, False]}):
        with pytest.raises(ValueError, match="group"):
            review.choose(wrong)
    assert not (tmp_path / "choices.jsonl").exists()


def test_a_choice_that_cannot_be_kept_is_an_error_and_loses_none(found: Report, tmp_path: Path) -> None:
    review = opened(found, tmp_path)
    review.choose({1: [True, False]})
    before = (tmp_path / "choices.jsonl").read_bytes()
    (tmp_path / "choices.jsonl.part").mkdir()
    with pytest.raises(TbhdupError, match=r"choices\.jsonl"):
        review.choose({2: [True, False]})
    assert (tmp_path / "choices.jsonl").read_bytes() == before
    assert review.choices == {1: (True, False)}


def test_a_file_that_holds_no_choices_is_left_alone(found: Report, tmp_path: Path) -> None:
    (tmp_path / "choices.jsonl").write_text("my notes\n")
    with pytest.raises(ReportError):
        opened(found, tmp_path)
    with pytest.raises(UsageError):
        Review.open(found, tmp_path / "nowhere" / "choices.jsonl", tmp_path / "store")


def test_not_duplicates_are_marks_and_can_be_taken_back(found: Report, tmp_path: Path) -> None:
    review = opened(found, tmp_path)
    assert review.set_apart(1) == [0, 1]
    assert marks.pairs(tmp_path / "store") == {marks.ordered(review.pictures[0].digest, review.pictures[1].digest)}
    review.choose({0: [True, False, False]})
    assert plan(tmp_path) == [("copy of 0.png", "0.png")]
    later = opened(found, tmp_path)
    assert [len(group.members) for group in later.report.groups] == [2, 2, 2]
    assert later.choices == {0: (True, False)}
    assert review.set_apart(1, revoke=True) == []
    assert not marks.pairs(tmp_path / "store")
    for wrong in (2, 5, -1):
        with pytest.raises(ValueError, match="picture"):
            review.set_apart(wrong)


def test_the_map_leads_from_the_centre_whichever_is_larger(found: Report, tmp_path: Path) -> None:
    """A proof's map leads from the larger picture to the smaller one."""
    half = Relation(("cropped",), transform=(2.0, 0.0, -0.5, 0.0, 2.0, 0.0))
    third, fourth = (member.digest for member in found.groups[2].members)  # the centre is the smaller one
    with Store.open(tmp_path / "store") as store:
        store.put_verdicts(verify.VERSION, {marks.ordered(third, fourth): Verdict(True, 1.0, half)})
    page = b"".join(opened(found, tmp_path).page()).decode()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["maps"][:2] == [[None, None], [None]]
    assert np.allclose(data["maps"][2][1], [0.5, 0, 0.25, 0, 0.5, 0])


@pytest.fixture
def server(found: Report, tmp_path: Path) -> Iterator[Server]:
    with Server(opened(found, tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: Server, path: str, body: object = None, token: str | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    address = f"{path}{'&' if '?' in path else '?'}token={server.token if token is None else token}"
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET" if body is None else "POST", address, data, sent)
    answer = connection.getresponse()
    got = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return got


def test_the_server_gives_its_page_and_pictures(server: Server) -> None:
    status, page, headers = ask(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"connect-src 'self'" in page
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert server.token.encode() not in page
    for path, width in (("/thumbnail/1", 65), ("/view/1", 65)):
        status, drawn, headers = ask(server, path)
        assert (status, headers["Content-Type"]) == (200, "image/webp")
        assert Image.open(io.BytesIO(drawn)).size == (width, 48)
    os.truncate(server.review.pictures[1].path, 20)
    assert ask(server, "/view/1")[0] == 404


@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/thumbnail/../../etc/passwd", "/thumbnail/%2e%2e/x", "/view/99", "/view/-1", "/view/1/",
     "/view/%31", "/photos/0.png", "/favicon.ico", "http://evil.example/"],
)  # fmt: skip
def test_what_is_no_part_of_the_report_is_refused(server: Server, path: str) -> None:
    assert ask(server, path)[0] == 403


@pytest.mark.parametrize("path", ["/", "/view/0", "/choices", "/apart"])
def test_strangers_are_refused(server: Server, path: str) -> None:
    body: object = [[0, [True, True, False]]] if path == "/choices" else {"picture": 0, "revoke": False}
    if path in ("/", "/view/0"):
        body = None
    port = server.server_port
    for headers in (
        {"token": ""},
        {"token": server.token[:-1]},
        {"token": "%ff"},
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        status, said, _ = ask(server, path, body, **headers)
        assert status == 403, headers
        assert server.token.encode() not in said
    assert not server.review.file.exists()
    assert not marks.pairs(server.review.store)
    assert ask(server, path, body, Origin=f"http://127.0.0.1:{port}", Sec_Fetch_Site="same-origin")[0] == 200


def test_requests_are_checked(server: Server) -> None:
    for path, body in (
        ("/choices", b"{"),
        ("/choices", b"[" * 100_000),
        ("/choices", {"0": [True]}),
        ("/choices", [[0]]),
        ("/choices", [["0", [True, True, True]]]),
        ("/choices", [[True, [True, True, True]]]),
        ("/choices", [[0, [1, 1, 1]]]),
        ("/choices", [[0, [False, False, False]]]),
        ("/choices", [[9, None]]),
        ("/apart", {"picture": 99, "revoke": False}),
        ("/apart", {"revoke": False}),
        ("/apart", []),
    ):
        assert ask(server, path, body)[0] == 400, body
    assert ask(server, "/elsewhere", [])[0] == 403
    assert ask(server, "/choices", [], Content_Length=str(BODY_LIMIT + 1))[0] == 400
    assert not server.review.file.exists()
    assert ask(server, "/choices", [[1, [False, True]]])[:2] == (200, b"{}")
    assert server.review.choices == {1: (False, True)}
    assert json.loads(ask(server, "/apart", {"picture": 0, "revoke": False})[1]) == [0, 1]


def test_a_full_disk_is_told(server: Server) -> None:
    server.review.file.with_name("choices.jsonl.part").mkdir()
    status, said, _ = ask(server, "/choices", [[1, [False, True]]])
    assert status == 500
    assert b"cannot be written" in said


@pytest.mark.parametrize("qualities", [(95, 60), (60, 95), (94, 61), (61, 94), (93, 62), (62, 93)])
def test_the_map_of_a_turned_copy_of_as_many_pixels_leads_from_the_centre(
    tmp_path: Path, qualities: tuple[int, int]
) -> None:
    """Of two pictures of as many pixels the one of more bytes is told as the original, in the scan and on the page."""
    photos = tmp_path / "photos"
    photos.mkdir()
    upright = drawing.picture("city", 1, (360, 270))
    upright.save(photos / "upright.jpg", quality=qualities[0])
    upright.transpose(Image.Transpose.ROTATE_270).save(photos / "turned.jpg", quality=qualities[1])
    report = tbhdup.scan([photos], store=tmp_path / "store")
    (group,) = report.groups
    (relation,) = (member.relation for member in group.members if member.path != group.centre)
    assert relation == ("turned 90" if qualities[0] > qualities[1] else "turned 270")
    page = b"".join(Review.open(report, tmp_path / "choices.jsonl", tmp_path / "store").page()).decode()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    (m,) = (m for m in data["maps"][0] if m is not None)
    clockwise = [0, -1, 1, 1, 0, 0]  # (x, y) of the upright picture lies at (1 - y, x) of the turned one
    assert np.allclose(m, clockwise if group.centre.endswith(b"upright.jpg") else [0, 1, 0, -1, 0, 1], atol=0.02)


def test_what_sorts_the_likely_original_first() -> None:
    sizes = [(10, 10, 900), (20, 5, 901), (11, 10, 1)]
    assert sorted(sizes, key=lambda size: precedence(*size)) == [(11, 10, 1), (20, 5, 901), (10, 10, 900)]
