"""What notebooks print is shown line by line, and progress bars at a sane rate."""

import io
import re
from pathlib import Path

from shared.running.console import Console, Outcome, clock, lines_of


def test_lines_are_put_together_from_pieces_and_keep_their_letters() -> None:
    text = "één\nzwei\n".encode()
    pieces = [text[:2], text[2:7], text[7:], b"last"]
    assert [line for line, _ in lines_of(pieces)] == ["één", "zwei", "last"]


def test_states_of_a_bar_are_told_from_lines() -> None:
    found = list(lines_of([b"\r 10%|#  | 1/9 [00:01]\r 20%|## | 2/9 [00:02]\r", b"done\n"]))
    assert [is_bar for _, is_bar in found] == [True, True, False]


def test_a_fast_bar_is_shown_now_and_then_and_at_its_end(tmp_path: Path) -> None:
    bar = b"".join(b"\r%3d%%|##| %d/100 [00:00]" % (n, n) for n in range(101))
    out = io.StringIO()
    Console(out).follow("3-training/country", [b"start\n", bar, b"\nend\n"], tmp_path / "log")
    shown = out.getvalue().splitlines()
    assert [line.split("] ", 1)[1][:4] for line in shown] == ["star", "  0%", "100%", "end"]
    assert all(re.match(r"\[3-training/country 0:00\] ", line) for line in shown)
    assert (tmp_path / "log").read_text().splitlines()[-1] == "end"


def test_the_summary_shows_states_figures_and_the_report() -> None:
    out = io.StringIO()
    Console(out).summary(
        [
            Outcome("3-training/country", "ran", 12.34),
            Outcome("4-evaluation/country", "up to date", 2.0, None, {"top-1": "61 %"}, ["r.html"]),
            Outcome("5-more/x"),
        ]
    )
    assert out.getvalue().splitlines()[1:] == [
        "notebook              state        seconds",
        "3-training/country    ran             12.3",
        "4-evaluation/country  up to date       2.0",
        "5-more/x              not run",
        "",
        "4-evaluation/country",
        "  top-1: 61 %",
        "",
        "Report: r.html",
    ]


def test_elapsed_time_is_shown_as_a_clock() -> None:
    assert [clock(s) for s in (0.4, 62, 3723)] == ["0:00", "1:02", "1:02:03"]
