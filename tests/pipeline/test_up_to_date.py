"""What is up to date is skipped, and every reason to run again is named."""

import re
from typing import Any


def test_a_second_run_skips_everything_and_shows_the_same_figures(three_steps: Any) -> None:
    first = three_steps.run()
    second = three_steps.run()
    assert first.count(" runs: never run") == 4
    assert second.count("] up to date") == 4
    for output in (first, second):
        assert "  sum: 24\n" in output  # 2 * (0 + 2 + 4 + 6)
        assert "Report: 3-sum/.data/report.html" in output
    assert re.search(r"3-sum/sum +up to date +\d+\.\d", second)
